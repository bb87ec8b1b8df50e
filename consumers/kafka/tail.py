"""Looking into a topic: its records as JSON, the newest ones or all, and those to come."""

from collections.abc import Iterator, Mapping
from typing import Any

from consumers.kafka.reader import Log
from consumers.kafka.records import Place, Record
from consumers.wording import moment
from schemas.topics import CHECKPOINTS
from schemas.wire.codec import Undecodable, decode_event, decode_output
from schemas.wire.jsonform import to_json

_WAIT_SECONDS = 0.25


def newest(log: Log, ends: Mapping[Place, int], count: int) -> list[Record]:
    """The newest `count` records before the ends of all places together, oldest first."""
    begins = log.begins(ends)
    found: list[Record] = []
    for place in ends:
        distance = count
        while True:
            start = max(begins[place], ends[place] - distance)
            records = [r for batch in log.read(place, start, ends[place]) for r in batch]
            # Markers and aborted records take offsets, too.
            if len(records) >= count or start == begins[place]:
                break
            distance *= 4
        found += records[-count:]
    found.sort(key=_moment)
    return found[-count:]


def oldest(log: Log, ends: Mapping[Place, int], count: int | None) -> Iterator[Record]:
    """Records from the beginning up to the ends, place after place; at most `count`."""
    begins = log.begins(ends)
    n = 0
    for place, end in ends.items():
        for batch in log.read(place, begins[place], end):
            for record in batch:
                if n == count:
                    return
                n += 1
                yield record


def coming(log: Log, starts: Mapping[Place, int]) -> Iterator[Record]:
    """Records from these offsets on as they come, for ever."""
    log.seek(starts)
    while True:
        batches = log.poll(_WAIT_SECONDS).values()
        yield from sorted((record for batch in batches for record in batch), key=_moment)


def described(record: Record) -> dict[str, Any]:
    """A record as plain values; `value` is its JSON form, or None beside `fault` and the bytes."""
    key = record.key
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "recorded_at": moment(max(record.timestamp, 0) * 1000),
        "key": None if key is None else key.decode("utf-8", "backslashreplace"),
        **_value(record),
    }


def _value(record: Record) -> dict[str, Any]:
    value = record.value
    if value is None:
        return {"value": None}
    is_output = record.topic.startswith("ledger.")
    if record.topic == CHECKPOINTS:
        return {"value": value.decode("utf-8", "backslashreplace")}
    try:
        return {"value": to_json(decode_output(value) if is_output else decode_event(value))}
    except Undecodable as fault:
        return {"value": None, "fault": fault.code, "value_hex": value.hex()}
    except (ValueError, OverflowError):
        # Decodes, but to a time that no calendar has.
        return {"value": None, "fault": "value_form", "value_hex": value.hex()}


def _moment(record: Record) -> tuple[int, int, int]:
    return record.timestamp, record.partition, record.offset
