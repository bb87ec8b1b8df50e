"""The auditors' questions about sums: totals, exceptions, quarantine. Read-only; values are bound.

Minutes, training minutes and attendances are three measures and are never added up.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

from consumers.wording import moment, reason_texts
from schemas.codec import Undecodable, decode_event
from schemas.jsonform import to_json
from schemas.times import iso_date
from schemas.validity import LATEST

By = Literal["org", "host_org", "project", "site", "activity", "day", "kind", "state"]

_KEYS: Mapping[By, str] = {
    "org": "recording_org_id",
    "host_org": "host_org_id",
    "project": "project_id",
    "site": "site_id",
    "activity": "activity_id",
    "day": "toString(service_date)",
    "kind": "kind",
    "state": "state",
}
_NAMED_KINDS = {"org": "org", "host_org": "org", "project": "project", "site": "site"}
_EVER_DAYS = 1 << 30

_LINES = (
    "FROM line WHERE volunteer_id = {volunteer_id:String} "
    "AND toUnixTimestamp64Micro(recorded_at) <= {as_of:Int64} "
    "AND toInt32(service_date) BETWEEN {from_date:Int64} AND {to_date:Int64} "
)


@runtime_checkable
class Query(Protocol):
    """How a question is put to the trail: SQL with `{name:Type}` places, and their values."""

    def __call__(self, sql: str, **values: object) -> list[dict[str, Any]]: ...


def total(
    query: Query,
    volunteer_id: str,
    as_of: int | None = None,
    from_date: int | None = None,
    to_date: int | None = None,
    by: By | None = None,
) -> dict[str, Any]:
    """One volunteer's minutes as known at `as_of` (UTC microseconds), for service days in a span.

    `from_date` and `to_date` are days since 1970, both included. `minutes` are effective minutes
    of service, manual and import; `attendances` the distinct pairs of activity and local day with
    effective minutes. The rows of `breakdown` sum to its `minutes`: those of the answer, except
    by state, where held minutes are shown too. `postings` is 0 for a volunteer never heard of.
    """
    values: dict[str, Any] = {
        "volunteer_id": volunteer_id,
        "as_of": LATEST if as_of is None else as_of,
        "from_date": -_EVER_DAYS if from_date is None else from_date,
        "to_date": _EVER_DAYS if to_date is None else to_date,
    }
    rows = query(
        f"SELECT kind, state, activity_id, service_date, {_KEYS[by or 'kind']} AS key, "
        f"sum(minutes) AS minutes {_LINES} GROUP BY kind, state, activity_id, service_date, key",
        **values,
    )
    known = query(
        "SELECT count() AS n FROM posting WHERE volunteer_id = {volunteer_id:String} "
        "AND toUnixTimestamp64Micro(recorded_at) <= {as_of:Int64}",
        **values,
    )
    served = [row for row in rows if row["kind"] != "training"]
    counted = [row for row in served if row["state"] == "effective"]
    attended = _summed(counted, "activity_id", "service_date")
    shown = None
    if by is not None:
        shown = _breakdown(query, by, served if by == "state" else counted, values["as_of"])
    return {
        "volunteer_id": volunteer_id,
        "as_of": moment(as_of),
        "from_date": None if from_date is None else iso_date(from_date),
        "to_date": None if to_date is None else iso_date(to_date),
        "minutes": sum(row["minutes"] for row in counted),
        "training_minutes": _summed(rows, "kind", "state").get(("training", "effective"), 0),
        "held_minutes": sum(row["minutes"] for row in rows if row["state"].startswith("held")),
        "attendances": sum(minutes > 0 for minutes in attended.values()),
        "postings": known[0]["n"],
        "breakdown": shown,
    }


def _summed(rows: Iterable[Mapping[str, Any]], *columns: str) -> Counter[tuple[Any, ...]]:
    """Minutes by the values of some columns."""
    sums = Counter[tuple[Any, ...]]()
    for row in rows:
        sums[tuple(row[column] for column in columns)] += row["minutes"]
    return sums


def _breakdown(
    query: Query, by: By, rows: Sequence[Mapping[str, Any]], as_of: int
) -> dict[str, Any]:
    """The rows by their key, without those that come to nothing."""
    sums = {key: minutes for (key,), minutes in sorted(_summed(rows, "key").items()) if minutes}
    names = _names(query, _NAMED_KINDS.get(by, ""), list(sums), as_of)
    return {
        "by": by,
        "minutes": sum(sums.values()),
        "rows": [
            {"key": key, "name": names.get(key), "minutes": minutes}
            for key, minutes in sums.items()
        ],
    }


def _names(query: Query, kind: str, ids: list[str], as_of: int) -> dict[str, str]:
    """The names that the catalogue had for these entities at that time."""
    if not kind or not ids:
        return {}
    rows = query(
        "SELECT entity_id, argMax(name, offset) AS newest FROM catalogue "
        "WHERE kind = {kind:String} AND entity_id IN {ids:Array(String)} AND name != '' "
        "AND toUnixTimestamp64Micro(recorded_at) <= {as_of:Int64} GROUP BY entity_id",
        kind=kind, ids=ids, as_of=as_of,
    )  # fmt: skip
    return {row["entity_id"]: row["newest"] for row in rows}


_HELD_AND_SETTLED = (
    "WITH held AS ("
    " SELECT p.partition AS partition, p.offset AS offset, p.volunteer_id AS volunteer_id,"
    "  e.session_id AS session_id, e.grant_id AS grant_id"
    " FROM posting AS p INNER JOIN ("
    "  SELECT topic, partition, offset, session_id, grant_id FROM event"
    "  WHERE (topic, partition, offset) IN ("
    "   SELECT source_topic, source_partition, source_offset FROM posting WHERE outcome = 'held')"
    "  AND (session_id != '' OR grant_id != '')"
    " ) AS e ON e.topic = p.source_topic AND e.partition = p.source_partition"
    "  AND e.offset = p.source_offset"
    " WHERE p.outcome = 'held'"
    "), now AS ("
    " SELECT volunteer_id, session_id, grant_id FROM line WHERE state = 'effective'"
    " AND volunteer_id IN (SELECT volunteer_id FROM held)"
    " GROUP BY volunteer_id, session_id, grant_id HAVING sum(minutes) > 0"
    ") SELECT h.partition AS partition, h.offset AS offset FROM held AS h"
    " INNER JOIN now AS n USING (volunteer_id, session_id, grant_id)"
)
"""Held postings whose session or grant counts by now."""


def exceptions(query: Query, limit: int = 20) -> dict[str, Any]:
    """What does not count: held, refused and quarantined, by reason, newest `limit` rows of each.

    `settled` counts held postings whose session or grant has effective minutes by now. (A session
    closed by the clock cannot be told from its posting, and is never counted as settled.)
    """
    settled = f"SELECT partition, offset FROM ({_HELD_AND_SETTLED})"
    counts = query(
        "SELECT outcome, reason, count() AS n, "
        f"countIf(outcome = 'held' AND (partition, offset) IN ({settled})) AS settled "
        "FROM posting WHERE outcome IN ('held', 'refused') GROUP BY outcome, reason "
        "UNION ALL SELECT 'quarantined', reason, count(), 0 FROM quarantine GROUP BY reason"
    )
    rows = query(
        "SELECT outcome, reason, event_id, event_type, volunteer_id, source_topic, "
        "source_partition, source_offset, toUnixTimestamp64Micro(recorded_at) AS at, "
        f"(partition, offset) IN ({settled}) AS is_settled "
        "FROM posting WHERE outcome IN ('held', 'refused') "
        "ORDER BY recorded_at DESC, partition, offset DESC LIMIT {limit:Int64} BY outcome, reason",
        limit=limit,
    )
    ordered = sorted(counts, key=lambda row: (-row["n"], row["outcome"], row["reason"]))
    return {
        "counts": [
            {key: row[key] for key in ("outcome", "reason")}
            | {"count": row["n"], "settled": row["settled"]}
            | reason_texts(row["reason"])
            for row in ordered
        ],
        "rows": [
            {key: row[key] for key in ("outcome", "reason", "event_id", "event_type")}
            | {
                "volunteer_id": row["volunteer_id"],
                "source": _source(row),
                "recorded_at": moment(row["at"]),
                "settled": bool(row["is_settled"]) if row["outcome"] == "held" else None,
            }
            for row in rows
        ],
        "quarantined": quarantine_list(query, limit),
    }


_QUARANTINED = (
    "SELECT source_topic, source_partition, source_offset, partition, offset, reason, detail, "
    "toUnixTimestamp64Micro(recorded_at) AS at, value_size, "
    "hex(key) AS key_hex, hex(value) AS value_hex, isNull(key) AS no_key FROM quarantine "
)


def quarantine_list(query: Query, limit: int = 100) -> list[dict[str, Any]]:
    """The newest quarantined records, without their bytes."""
    rows = query(_QUARANTINED + "ORDER BY recorded_at DESC, source_topic, source_partition, "
                 "source_offset DESC LIMIT {limit:Int64}", limit=limit)  # fmt: skip
    return [_quarantined(row) for row in rows]


def quarantine_of(query: Query, places: Iterable[tuple[str, int, int]]) -> list[dict[str, Any]]:
    """What was quarantined of these (topic, partition, offset)."""
    wanted = list(places)
    if not wanted:
        return []
    rows = query(
        _QUARANTINED + "WHERE (source_topic, source_partition, source_offset) "
        "IN {places:Array(Tuple(String, Int64, Int64))} "
        "ORDER BY source_topic, source_partition, source_offset, offset",
        places=wanted,
    )
    return [_quarantined(row) for row in rows]


def quarantine_with_key(query: Query, key: str) -> list[dict[str, Any]]:
    """What was quarantined under a record key."""
    rows = query(_QUARANTINED + "WHERE key = {key:String} ORDER BY recorded_at", key=key)
    return [_quarantined(row) for row in rows]


def quarantine_show(query: Query, topic: str, partition: int, offset: int) -> list[dict[str, Any]]:
    """A quarantined record by its source, with its bytes as hex and as far as they decode."""
    rows = query(
        _QUARANTINED + "WHERE source_topic = {topic:String} AND "
        "source_partition = {partition:Int64} AND source_offset = {offset:Int64} ORDER BY offset",
        topic=topic, partition=partition, offset=offset,
    )  # fmt: skip
    return [_quarantined(row) | {"value_hex": row["value_hex"].lower(),
                                 "decoded": decoded(row["value_hex"])} for row in rows]  # fmt: skip


def decoded(value_hex: str) -> dict[str, Any] | None:
    """The JSON form of an event's bytes; None where they are none, or cannot be shown as JSON."""
    try:
        return to_json(decode_event(bytes.fromhex(value_hex)))
    except (Undecodable, ValueError, OverflowError):
        return None


def _quarantined(row: Mapping[str, Any]) -> dict[str, Any]:
    key = None if row["no_key"] else bytes.fromhex(row["key_hex"])
    return {
        "source": _source(row),
        "record": f"ledger.quarantine/{row['partition']}/{row['offset']}",
        "recorded_at": moment(row["at"]),
        "reason": row["reason"],
        "detail": row["detail"],
        "key": None if key is None else key.decode("utf-8", "backslashreplace"),
        "value_size": row["value_size"],
    } | reason_texts(row["reason"])


def _source(row: Mapping[str, Any]) -> str:
    return f"{row['source_topic']}/{row['source_partition']}/{row['source_offset']}"
