"""Three measures of any lines: minutes, attendances, distinct volunteers; and their breakdowns.

An attendance is a distinct volunteer, activity and local day with effective minutes. The three are
never added to each other, and training is in none of them. Only minutes sum over the rows of a
breakdown: an attendance of two kinds, or a volunteer of two organisations, is in both rows.
"""

from collections.abc import Mapping
from typing import Any, Literal

from consumers.query import Lines, Query, names, newest

By = Literal[
    "org", "host_org", "project", "site", "activity", "day", "month", "kind", "state",
    "field", "region", "province", "city", "county",
]  # fmt: skip

_KEYS: Mapping[By, str] = {
    "org": "l.recording_org_id",
    "host_org": "l.host_org_id",
    "project": "l.project_id",
    "site": "l.site_id",
    "activity": "l.activity_id",
    "day": "toString(l.service_date)",
    "month": "substring(toString(l.service_date), 1, 7)",
    "kind": "toString(l.kind)",
    "state": "toString(l.state)",
    "field": "f.category",
}
_NAMED_KINDS: Mapping[By, str] = {
    "org": "org", "host_org": "org", "project": "project", "site": "site"
}  # fmt: skip
_DIGITS: Mapping[By, int] = {"province": 2, "city": 4, "county": 6}
"""Digits of an administrative division's code (GB/T 2260) that name a level."""

_SERVED = "l.kind != 'training'"
_EFFECTIVE = f"l.state = 'effective' AND {_SERVED}"
_ATTENDED = (
    "countIf(served > 0) AS attendances, uniqExactIf(volunteer_id, served > 0) AS volunteers"
)


def measures(query: Query, some: Lines) -> dict[str, int]:
    """What these lines come to; minutes that do not count, and training, each by itself."""
    sums = query(
        "SELECT l.kind AS kind, l.state AS state, sum(l.minutes) AS minutes FROM line AS l "
        f"WHERE {some.where()} GROUP BY kind, state",
        **some.values,
    )
    (attended,) = query(
        f"SELECT {_ATTENDED} FROM (SELECT l.volunteer_id AS volunteer_id, sum(l.minutes) AS served "
        f"FROM line AS l WHERE {some.where(_EFFECTIVE)} "
        "GROUP BY l.volunteer_id, l.activity_id, l.service_date)",
        **some.values,
    )

    def minutes(*states: str, training: bool = False) -> int:
        kept = (row for row in sums if (row["kind"] == "training") is training)
        return sum(row["minutes"] for row in kept if row["state"] in states)

    return {
        "minutes": minutes("effective"),
        "attendances": attended["attendances"],
        "volunteers": attended["volunteers"],
        "training_minutes": minutes("effective", training=True),
        "held_minutes": minutes("held_org", "held_province", "held_review"),
        "rejected_minutes": minutes("rejected"),
    }


def breakdown(query: Query, some: Lines, by: By, as_of: int | None = None) -> dict[str, Any]:
    """The effective minutes of these lines by something (`minutes` is the sum of the rows), those
    in every state where `by` is state. What the catalogue says is taken as known at `as_of`."""
    key, joins = _key(by, as_of)
    counted = _SERVED if by == "state" else _EFFECTIVE
    rows = query(
        f"SELECT key, sum(served) AS minutes, {_ATTENDED} FROM ("
        f"SELECT {key} AS key, l.volunteer_id AS volunteer_id, sum(l.minutes) AS served "
        f"FROM line AS l {joins}WHERE {some.where(counted)} "
        "GROUP BY key, l.volunteer_id, l.activity_id, l.service_date) "
        "GROUP BY key HAVING minutes != 0 ORDER BY key",
        **some.values,
    )
    named = names(query, _NAMED_KINDS.get(by, ""), (row["key"] for row in rows), as_of)
    return {
        "by": by,
        "minutes": sum(row["minutes"] for row in rows),
        "rows": [
            {"key": row["key"], "name": named.get(row["key"])}
            | {name: row[name] for name in ("minutes", "attendances", "volunteers")}
            for row in rows
        ],
    }


def _key(by: By, as_of: int | None) -> tuple[str, str]:
    """SQL of the key of a breakdown, and the joins it needs."""
    if by == "field":
        fields = newest("project", "category", as_of)
        return _KEYS[by], f"LEFT JOIN ({fields}) AS f ON f.entity_id = l.project_id "
    if by in _KEYS:
        return _KEYS[by], ""
    return in_level("if(s.region != '', s.region, o.region)", by), (
        f"LEFT JOIN ({newest('site', 'region', as_of)}) AS s ON s.entity_id = l.site_id "
        f"LEFT JOIN ({newest('org', 'region', as_of)}) AS o ON o.entity_id = l.recording_org_id "
    )


def in_level(region: str, by: str) -> str:
    """SQL: a region's code cut to a level (province, city, county); other texts stay whole."""
    digits = _DIGITS.get(by)  # type: ignore[call-overload]
    if digits is None:
        return region
    return f"if(match({region}, '^[0-9]+$'), substring({region}, 1, {digits}), {region})"
