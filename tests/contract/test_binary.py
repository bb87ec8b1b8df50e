"""Our strict reader beside fastavro: the same bytes for the same values, no other bytes read."""

import dataclasses
import io
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from fastavro import schemaless_reader, schemaless_writer

from schemas.posting import Line, Posting
from schemas.wire import binary
from schemas.wire.avrotypes import type_of
from schemas.wire.binary import Reader, read_whole, write_whole
from schemas.wire.codec import (
    BY_ID,
    EVENT_TYPES,
    LATEST,
    Undecodable,
    decode_event,
    encode,
    encode_as,
)
from schemas.wire.jsonform import event_from_json

FOLDER = Path(__file__).parents[2] / "schemas" / "examples" / "good"
GOOD = sorted(path for path in FOLDER.rglob("*.json") if path.parent.name in EVENT_TYPES)
SOME = [event_from_json(json.loads(path.read_text(encoding="utf-8"))) for path in GOOD]


def as_dict(value: Any, schema: Any) -> Any:
    """A value as fastavro takes it."""
    if isinstance(schema, list):
        return None if value is None else as_dict(value, schema[1])
    if isinstance(schema, dict) and schema["type"] == "array":
        return [as_dict(item, schema["items"]) for item in value]
    fields = getattr(type(value), "__dataclass_fields__", None)
    if fields is None:
        return value
    types = (
        {field["name"]: field["type"] for field in schema["fields"]}
        if isinstance(schema, dict)
        else {}
    )
    return {name: as_dict(getattr(value, name), types.get(name, "")) for name in fields}


def by_fastavro(value: Any) -> bytes:
    schema = LATEST[type(value).__name__]
    out = io.BytesIO()
    schemaless_writer(out, schema.parsed, as_dict(value, schema.parsed))
    return schema.frame + out.getvalue()


@pytest.mark.parametrize("event", SOME, ids=[path.stem for path in GOOD])
def test_every_good_example_has_the_bytes_that_fastavro_writes(event: Any) -> None:
    assert encode(event) == by_fastavro(event)
    assert decode_event(encode(event)) == event


def test_a_posting_has_the_bytes_that_fastavro_writes() -> None:
    line = Line(0, "s", None, "o", "h", "p", None, "a", 20_000, -61, "service", "effective", "d@1")
    posting = Posting(7, 2**40, "service.checkins", 7, 2**33, "e", "CheckedOut", "志愿者", 3, -1,
                      2**50, None, 0, "posted", "voided", (line, line), 0)  # fmt: skip
    assert encode(posting) == by_fastavro(posting)


OLDER = sorted(schema.id for schema in BY_ID.values() if schema is not LATEST[schema.name])


def test_an_older_version_is_written_as_strictly_as_the_newest() -> None:
    """fastavro would write 1.9 in a field of whole numbers as 1, and say nothing."""
    event = next(event for event in SOME if type(event).__name__ == "HoursGranted")
    older = next(BY_ID[i] for i in OLDER if BY_ID[i].name == "HoursGranted")
    out = io.BytesIO()
    schemaless_writer(out, older.parsed, dataclasses.asdict(event))
    assert encode_as(event, older) == older.frame + out.getvalue()
    assert decode_event(encode_as(event, older)).event_id == event.event_id
    wrongs: list[Any] = [1.9, "1"]
    if binary.__file__.endswith(".py"):
        # A compiled event keeps the whole number that it is, so none can hold it.
        wrongs.append(True)
    for wrong in wrongs:
        with pytest.raises(TypeError, match="expected"):
            encode_as(dataclasses.replace(event, occurred_at=wrong), older)


def canonical_for_fastavro(value: bytes) -> bool:
    """Does fastavro read these bytes, and write the very same again?"""
    schema = BY_ID[int.from_bytes(value[1:5], "big")]
    source = io.BytesIO(value[5:])
    again = io.BytesIO()
    try:
        schemaless_writer(again, schema.parsed, schemaless_reader(source, schema.parsed, None))
    except Exception:  # fastavro raises whatever it meets
        return False
    return again.getvalue() == value[5:]


def verdict_of(value: bytes) -> str:
    """What our reader says of these bytes: `read`, or why not."""
    try:
        decode_event(value)
    except Undecodable as fault:
        return fault.detail
    return "read"


def test_spoilt_bytes_are_read_by_us_only_if_fastavro_writes_them_so() -> None:
    seed = int(os.environ.get("SHILU_SEED", random.SystemRandom().randrange(10**6)))
    print(f"SHILU_SEED={seed}")
    chance = random.Random(seed)
    verdicts = {True: 0, False: 0}
    for _ in range(20_000):
        value = bytearray(encode(chance.choice(SOME)))
        for _ in range(chance.choice((1, 1, 2))):
            at = chance.randrange(5, len(value))
            match chance.randrange(3):
                case 0:
                    value[at] = chance.randrange(256)
                case 1:
                    del value[at]
                case _:
                    value.insert(at, chance.choice((0, 1, 0x80, 0xFF)))
        spoilt = bytes(value)
        verdict = verdict_of(spoilt)
        verdicts[verdict == "read"] += 1
        # fastavro reads an int of any length; ours has the 32 bits of the specification.
        if "too large" not in verdict:
            assert (verdict == "read") == canonical_for_fastavro(spoilt), spoilt.hex()
    assert min(verdicts.values()) > 1_000, verdicts


@pytest.mark.parametrize("number", [0, -1, 1, 63, 64, -64, -65, 2**31, -(2**63), 2**63 - 1])
def test_a_number_has_one_form(number: int) -> None:
    kind = type_of("long", {})
    data = write_whole(kind, b"", number)
    assert read_whole(kind, data, 0) == number
    longer = data[:-1] + bytes((data[-1] | 0x80, 0))
    with pytest.raises(ValueError, match="number"):
        Reader(longer, 0).varint()
