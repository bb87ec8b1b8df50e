"""The auditors' questions about totals and about the quarantine. Read-only; values are bound."""

from collections.abc import Iterable, Mapping
from typing import Any

from consumers.questions.facts.persons import counted_by
from consumers.questions.hours.measures import By, breakdown, measures
from consumers.trail.query import Query, as_known, if_asked, lines
from consumers.wording import moment, reason_texts
from schemas.times import iso_date
from schemas.wire.codec import Undecodable, decode_event
from schemas.wire.jsonform import to_json


def total(
    query: Query,
    volunteer_id: str | None = None,
    as_of: int | None = None,
    from_date: int | None = None,
    to_date: int | None = None,
    by: By | list[By] | None = None,
    exact: bool = False,
) -> dict[str, Any]:
    """The minutes of one volunteer, or of everybody, as known at `as_of` (UTC microseconds), for
    service days in a span (days since 1970, both included).

    `minutes`, `attendances`, `volunteers`: see `consumers.questions.hours.measures`. The rows of
    `breakdown` sum to its `minutes`: those of the answer, except by state, where what does not
    count is shown, too. `postings` is 0 for a volunteer never heard of. Of a registration that
    another one absorbed the other one's are told, and `asked_for` is whom was asked for; `exact`:
    that very registration.
    """
    asked = volunteer_id
    if volunteer_id is not None and not exact:
        volunteer_id = counted_by(query, volunteer_id, as_of)
    some = lines(as_of, from_date, to_date, volunteer_id=volunteer_id)
    who = "1" if volunteer_id is None else "volunteer_id = {volunteer_id:String}"
    (known,) = query(
        f"SELECT count() AS n FROM posting WHERE {who}{if_asked(as_of)}",
        **({} if volunteer_id is None else {"volunteer_id": volunteer_id}), **as_known(as_of),
    )  # fmt: skip
    return {
        "volunteer_id": volunteer_id,
        "asked_for": asked,
        **asked_for(as_of, from_date, to_date),
        **measures(query, some),
        "postings": known["n"],
        "breakdown": None if by is None else breakdown(query, some, by, as_of),
    }


def asked_for(as_of: int | None, from_date: int | None, to_date: int | None) -> dict[str, Any]:
    """What an answer says of its own bounds."""
    return {
        "as_of": moment(as_of),
        "from_date": None if from_date is None else iso_date(from_date),
        "to_date": None if to_date is None else iso_date(to_date),
    }


_QUARANTINED = (
    "SELECT source_topic, source_partition, source_offset, partition, offset, reason, detail, "
    "toUnixTimestamp64Micro(recorded_at) AS at, value_size, "
    "hex(key) AS key_hex, hex(value) AS value_hex, isNull(key) AS no_key FROM quarantine "
)


def quarantine_list(
    query: Query, limit: int = 100, as_of: int | None = None
) -> list[dict[str, Any]]:
    """The newest quarantined records, without their bytes."""
    rows = query(
        f"{_QUARANTINED}WHERE 1{if_asked(as_of)} ORDER BY recorded_at DESC, source_topic, "
        "source_partition, source_offset DESC LIMIT {limit:Int64}",
        limit=limit, **as_known(as_of),
    )  # fmt: skip
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


def quarantine_with_key(query: Query, key: str, as_of: int | None = None) -> list[dict[str, Any]]:
    """What was quarantined under a record key."""
    rows = query(
        f"{_QUARANTINED}WHERE key = {{key:String}}{if_asked(as_of)} ORDER BY recorded_at, "
        "source_topic, source_partition, source_offset",
        key=key, **as_known(as_of),
    )  # fmt: skip
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
