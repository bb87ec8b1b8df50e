"""What became of catalogue events: each is in force, or refused with a reason code.

The outcome of a catalogue event follows from the catalogue before it and from nothing else, so it
is found by folding those records with the ledger's own code, from the trail or from the log.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from consumers.kafka.reader import Log
from consumers.kafka.records import Place
from consumers.trail.query import Query, as_known, if_asked
from consumers.wording import moment, reason_texts
from ledger.account.record import Record
from ledger.catalogue.catalogue import Catalogue
from ledger.publish import learn
from schemas.topics import CATALOGUE
from schemas.wire.codec import Undecodable, decode_event

PLACE = Place(CATALOGUE, 0)


class Outcome(NamedTuple):
    """A catalogue event and why it is refused, None if it is in force; `recorded_at` in UTC
    microseconds. What cannot enter at all has its reason for quarantine."""

    offset: int
    event_id: str
    event_type: str
    recorded_at: int
    reason: str | None


_Raw = tuple[int, int, str | None, bytes]
"""Offset, time of record in UTC microseconds, key, value."""


def judged(records: Iterable[_Raw]) -> Iterator[Outcome]:
    """The outcome of each record of the catalogue, all of them from the first one on."""
    known = Catalogue()
    for offset, recorded_at, key, value in records:
        try:
            event: Any = decode_event(value)
        except Undecodable as fault:
            yield Outcome(offset, "", "", recorded_at, fault.code)
            continue
        reason = learn(known, Record(CATALOGUE, 0, offset, recorded_at, key, event))
        yield Outcome(offset, event.event_id, type(event).__name__, recorded_at, reason)


def outcomes(query: Query, as_of: int | None = None) -> list[Outcome]:
    """The outcomes of all catalogue events that the trail has, in their order."""
    rows = query(
        "SELECT offset, toUnixTimestamp64Micro(recorded_at) AS recorded, hex(key) AS key_hex, "
        "hex(value) AS value_hex FROM event WHERE topic = 'registry.catalogue' AND partition = 0"
        f"{if_asked(as_of)} ORDER BY offset",
        **as_known(as_of),
    )
    return list(judged(map(_raw, rows)))


def outcomes_until(log: Log, end: int) -> list[Outcome]:
    """The outcomes of the catalogue's records in the log before an offset. Raises LogError."""
    begin = log.begins([PLACE])[PLACE]
    return list(
        judged(
            (one.offset, one.timestamp * 1000, _text(one.key), one.value or b"")
            for records in log.read(PLACE, begin, end)
            for one in records
        )
    )


def refused(found: Iterable[Outcome], limit: int) -> list[dict[str, Any]]:
    """The newest refused ones as plain values, each with its reason in words."""
    rows = [one for one in found if one.reason is not None]
    return [
        {
            "event_id": one.event_id or None,
            "event_type": one.event_type or None,
            "reason": one.reason,
            **reason_texts(one.reason or ""),
            "source": f"{CATALOGUE}/0/{one.offset}",
            "recorded_at": moment(one.recorded_at),
        }
        for one in reversed(rows[-limit:] if limit else [])
    ]


def said_of(one: Outcome | None) -> dict[str, Any] | None:
    """What `trace` says of a catalogue event; None where the trail does not have it."""
    if one is None:
        return None
    outcome = "in_force" if one.reason is None else "refused"
    texts = {} if one.reason is None else reason_texts(one.reason)
    return {"outcome": outcome, "reason": one.reason, **texts}


def _raw(row: Mapping[str, Any]) -> _Raw:
    key = _text(bytes.fromhex(row["key_hex"] or ""))
    return row["offset"], row["recorded"], key, bytes.fromhex(row["value_hex"] or "")


def _text(key: bytes | None) -> str | None:
    return None if key is None else key.decode("utf-8", "replace")
