"""Every good example means the same to us and to others; every bad one ends in exactly its code."""

import io
import json
import struct
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import avro.io
import avro.schema
import pytest

from schemas.events import Event
from schemas.evolution.avrorules import named as named_types
from schemas.posting import Output
from schemas.topics import VALUE_BYTES_MAX
from schemas.validity import faults
from schemas.wire.codec import (
    BY_ID,
    EVENT_TYPES,
    LATEST,
    Undecodable,
    decode_event,
    decode_output,
    encode,
)
from schemas.wire.headers import ce_headers
from schemas.wire.jsonform import BadEvent, event_from_json, to_json

EXAMPLES = Path(__file__).parent.parent.parent / "schemas" / "examples"
GOOD = sorted((EXAMPLES / "good").glob("*/*.json"))
BAD_JSON = sorted((EXAMPLES / "bad").glob("*/*.json"))
BAD_BYTES = sorted((EXAMPLES / "bad").glob("*/*.hex"))


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def read_hex(path: Path) -> bytes:
    return bytes.fromhex(path.read_text(encoding="ascii"))


def golden(path: Path) -> bytes:
    """The bytes beside a JSON example."""
    return read_hex(path.with_suffix(".hex"))


def decoded(path: Path) -> Event | Output:
    value = golden(path)
    return decode_event(value) if path.parent.name in EVENT_TYPES else decode_output(value)


def independently_read(value: bytes) -> Any:
    """Framed bytes as Apache Avro and plain Confluent framing read them, with logical types."""
    magic, schema_id = struct.unpack(">bI", value[:5])
    assert magic == 0
    schema = avro.schema.parse(BY_ID[schema_id].text)
    body = io.BytesIO(value[5:])
    found = avro.io.DatumReader(schema, schema).read(avro.io.BinaryDecoder(body))
    assert not body.read(), "Apache Avro left bytes unread"
    return found


def independently_written(name: str, value: Any) -> bytes:
    """What Apache Avro writes for a message, framed."""
    out = io.BytesIO()
    out.write(struct.pack(">bI", 0, LATEST[name].id))
    writer = avro.io.DatumWriter(avro.schema.parse(LATEST[name].text))
    writer.write(value, avro.io.BinaryEncoder(out))
    return out.getvalue()


def defaults_of(name: str) -> dict[str, Any]:
    """Field -> default of a message type and the records in it."""
    records = named_types(json.loads(LATEST[name].text)).values()
    fields = [field for record in records for field in record.get("fields", ())]
    return {field["name"]: field["default"] for field in fields if "default" in field}


def alike(given: Any, found: Any, defaults: dict[str, Any]) -> bool:
    """Does an example's JSON say what Apache Avro read? Left-out fields are their defaults."""
    match found:
        case dict():
            whole = {name: defaults[name] for name in found.keys() - given.keys()} | given
            return whole.keys() == found.keys() and all(
                alike(whole[name], value, defaults) for name, value in found.items()
            )
        case list():
            pairs = zip(given, found, strict=True)
            return all(alike(left, right, defaults) for left, right in pairs)
        case datetime():
            return datetime.fromisoformat(given) == found.astimezone(UTC)
        case date():
            return date.fromisoformat(given) == found
        case bytes():
            return bytes.fromhex(given) == found
    return type(given) is type(found) and bool(given == found)


@pytest.mark.parametrize("path", GOOD, ids=named)
def test_a_good_example_is_its_golden_bytes_in_both_directions(path: Path) -> None:
    message = decoded(path)
    assert type(message).__name__ == path.parent.name
    assert encode(message) == golden(path)


@pytest.mark.parametrize("path", GOOD, ids=named)
def test_a_good_example_and_its_bytes_say_the_same(path: Path) -> None:
    message, given = decoded(path), read_json(path)
    if path.parent.name in EVENT_TYPES:
        event = event_from_json(given)
        assert event == message
        assert event_from_json(to_json(event)) == event
    else:
        assert to_json(message) == given


@pytest.mark.parametrize("path", GOOD, ids=named)
def test_apache_avro_reads_the_golden_bytes_as_the_json_says(path: Path) -> None:
    given = read_json(path)
    assert given.pop("type") == path.parent.name
    assert alike(given, independently_read(golden(path)), defaults_of(path.parent.name))


@pytest.mark.parametrize("path", GOOD, ids=named)
def test_apache_avro_writes_the_golden_bytes(path: Path) -> None:
    value = independently_read(golden(path))
    assert independently_written(path.parent.name, value) == golden(path)


@pytest.mark.parametrize("name", sorted(LATEST))
def test_the_examples_of_a_type_show_all_of_it(name: str) -> None:
    shown = [to_json(decoded(path)) for path in GOOD if path.parent.name == name]
    given = [read_json(path) for path in GOOD if path.parent.name == name]
    assert any(example in shown for example in given), f"{name}: no example with every field"
    for field in json.loads(LATEST[name].text)["fields"]:
        values = [example[field["name"]] for example in shown]
        if isinstance(field["type"], list):
            assert None in values, f"{name}.{field['name']} is never null"
            assert any(value is not None for value in values), f"{name}.{field['name']}: only null"
        if isinstance(field["type"], dict) and field["type"].get("type") == "array":
            assert any(values), f"{name}.{field['name']} is always empty"


@pytest.mark.parametrize(
    "path", [path for path in GOOD if path.parent.name in EVENT_TYPES], ids=named
)
def test_the_headers_of_a_good_event_can_be_routed_by(path: Path) -> None:
    event = decoded(path)
    headers = {key: value.decode("ascii") for key, value in ce_headers(event)}  # type: ignore[arg-type]
    assert headers["ce_type"] == f"shilu.{path.parent.name}.v{LATEST[path.parent.name].version}"
    assert headers["ce_id"] == read_json(path)["event_id"]
    assert datetime.fromisoformat(headers["ce_time"]) == datetime.fromisoformat(
        read_json(path)["occurred_at"]
    )


def code_of_json(given: Any) -> set[str]:
    try:
        event_from_json(given)
    except BadEvent as bad:
        return {fault.code for fault in bad.faults}
    return set()


def code_of_bytes(value: bytes) -> set[str]:
    try:
        return {fault.code for fault in faults(decode_event(value))}
    except Undecodable as undecodable:
        return {undecodable.code}


@pytest.mark.parametrize("path", BAD_JSON, ids=named)
def test_a_bad_event_is_refused_with_exactly_its_code(path: Path) -> None:
    assert code_of_json(read_json(path)) == {path.parent.name}


@pytest.mark.parametrize("path", BAD_BYTES, ids=named)
def test_bad_bytes_are_refused_with_exactly_their_code(path: Path) -> None:
    assert code_of_bytes(read_hex(path)) == {path.parent.name}


def test_a_refusal_names_the_field_and_what_is_allowed() -> None:
    given = read_json(EXAMPLES / "bad" / "unknown_field" / "misspelt.json")
    with pytest.raises(BadEvent) as refused:
        event_from_json(given)
    (fault,) = refused.value.faults
    assert (fault.field, fault.value, fault.allowed) == (
        "sesion_id", "", "did you mean session_id?",
    )  # fmt: skip


def test_no_bytes_at_all_are_bad_framing() -> None:
    with pytest.raises(Undecodable) as refused:
        decode_event(None)
    assert refused.value.code == "bad_framing"


def test_sixteen_kib_pass_and_one_byte_more_is_oversized() -> None:
    given = read_json(EXAMPLES / "good" / "CheckedIn" / "qr-at-the-site.json")
    largest = encode(event_from_json(given | {"evidence": ["x" * 256] * 16, "app": ""}))
    spare = VALUE_BYTES_MAX - len(largest)
    # Valid fields cannot fill 16 KiB in ASCII; three bytes a character can.
    wide = ["录" * 256] * 16
    short = encode(event_from_json(given | {"evidence": wide}))
    assert len(short) <= VALUE_BYTES_MAX
    assert spare > 0
    four = encode(event_from_json(given | {"evidence": ["𠮷" * 256] * 16}))
    assert code_of_bytes(four) == {"oversized"}
    padded = short + bytes(VALUE_BYTES_MAX - len(short))
    assert code_of_bytes(padded) == {"not_canonical"}
    assert code_of_bytes(padded + b"\0") == {"oversized"}
