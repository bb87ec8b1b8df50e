"""How many people: registered, and active in the twelve months before a date."""

from typing import Any, Literal

from consumers.questions.hours.measures import in_level
from consumers.trail.query import Query, as_known, known, names, newest
from consumers.wording import moment
from schemas.times import DAY, HOUR, iso_date

CountBy = Literal["org", "region", "province", "city", "county"]

_MONTHS = 12


def headcount(query: Query, as_of: int, by: CountBy | None = None) -> dict[str, Any]:
    """People at an instant (UTC microseconds), as the log had it then.

    `registered` are registrations that were neither merged into another one nor erased; `active`
    those of them with effective minutes on a day of the twelve months up to China's date of the
    instant; `unregistered_active` have such minutes and no live registration. `breakdown` counts
    by the region a person registered with, or by the organisation that registered them; its rows
    sum to the three figures. By organisation there is also `served`: who has such minutes recorded
    by it, registered there or not; a person of two organisations is in both.
    """
    day = (as_of + 8 * HOUR) // DAY
    values = as_known(as_of) | {"day": day, "months": -_MONTHS}
    key, join = _key(by, as_of)
    rows = query(
        f"SELECT {key} AS key, countIf(r.volunteer_id != '') AS registered, "
        "countIf(r.volunteer_id != '' AND a.volunteer_id != '') AS active, "
        "countIf(r.volunteer_id = '') AS unregistered_active "
        f"FROM ({_registered()}) AS r FULL OUTER JOIN ({_active()}) AS a "
        f"ON a.volunteer_id = r.volunteer_id {join} GROUP BY key ORDER BY key",
        **values,
    )
    figures = ("registered", "active", "unregistered_active")
    found: dict[str, Any] = {
        "as_of": moment(as_of),
        "date": iso_date(day),
        **{name: sum(row[name] for row in rows) for name in figures},
        "breakdown": None,
    }
    if by is not None:
        if by == "org":
            rows = _with_served(query, rows, values)
        named = names(query, "org" if by == "org" else "", (row["key"] for row in rows), as_of)
        found["breakdown"] = {
            "by": by,
            "rows": [{"key": row["key"], "name": named.get(row["key"])} | row for row in rows],
        }
    return found


def _key(by: CountBy | None, as_of: int) -> tuple[str, str]:
    if by is None:
        return "''", ""
    if by == "org":
        return "r.org_id", ""
    regions = newest("volunteer", "region", as_of)
    return in_level("v.region", by), (f"LEFT JOIN ({regions}) AS v ON v.entity_id = r.volunteer_id")


def _registered() -> str:
    """SQL: the live registrations, and which organisation registered them first.

    Merges and erasures change nothing here that the ledger refuses: it refuses a merge of somebody
    who is merged, and everything about somebody erased but the erasure.
    """
    return (
        "SELECT volunteer_id, argMinIf(actor_org_id, offset, type = 'VolunteerRegistered') "
        "AS org_id FROM event WHERE topic = 'registry.catalogue' AND type IN "
        "('VolunteerRegistered', 'VolunteerMerged', 'VolunteerUnmerged', 'VolunteerErased') "
        f"AND {known()} GROUP BY volunteer_id "
        "HAVING countIf(type = 'VolunteerRegistered') > 0 "
        "AND countIf(type = 'VolunteerErased') = 0 "
        "AND argMaxIf(type, offset, type != 'VolunteerRegistered') != 'VolunteerMerged'"
    )


def _active(*more: str) -> str:
    """SQL: who served in the twelve months, perhaps with further columns."""
    columns = ", ".join(("l.volunteer_id AS volunteer_id", *more))
    return (
        f"SELECT {columns} FROM line AS l WHERE l.state = 'effective' AND l.kind != 'training' "
        f"AND {known('l.recorded_at')} AND toInt32(l.service_date) <= {{day:Int64}} "
        "AND l.service_date > addMonths(toDate32({day:Int64}), {months:Int64}) "
        f"GROUP BY {', '.join(column.rpartition(' AS ')[2] for column in columns.split(', '))} "
        "HAVING sum(l.minutes) > 0"
    )


def _with_served(
    query: Query, rows: list[dict[str, Any]], values: dict[str, object]
) -> list[dict[str, Any]]:
    served = query(
        "SELECT org_id, count() AS served FROM "
        f"({_active('l.recording_org_id AS org_id')}) GROUP BY org_id ORDER BY org_id",
        **values,
    )
    by_org = {row["org_id"]: row["served"] for row in served}
    nobody = {"registered": 0, "active": 0, "unregistered_active": 0}
    there = {row["key"] for row in rows}
    rows = rows + [{"key": org_id} | nobody for org_id in by_org if org_id not in there]
    return [row | {"served": by_org.get(row["key"], 0)} for row in sorted(rows, key=_by_key)]


def _by_key(row: dict[str, Any]) -> str:
    key: str = row["key"]
    return key
