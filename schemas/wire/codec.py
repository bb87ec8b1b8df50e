"""Bytes <-> values: Confluent framing and strict Avro (`schemas.wire.binary`).

The writer's schema is never taken from a message: a frame names one of the ids locked in
`ids.lock.json`, and each value is read in its one canonical form alone. That refuses trailing
bytes, negative union and enum indices, and malformed varints. The only user of fastavro, which
gives messages of older versions the defaults of the fields added since.
"""

import dataclasses
import io
import json
import struct
from collections.abc import Callable
from importlib.resources import files
from typing import Any, Final, TypeVar, get_args

from fastavro import parse_schema, schemaless_reader

import schemas
from schemas.events import (
    Actor,
    CatalogueEvent,
    ClockTicked,
    Event,
    Fact,
    MovedAct,
    MovedPlace,
    MovedStart,
    MovedWord,
    Score,
    UtcOffset,
    VaultAccessed,
)
from schemas.posting import Due, InlinePage, Line, Output, Position, Total
from schemas.topics import VALUE_BYTES_MAX
from schemas.wire.avrotypes import type_of
from schemas.wire.binary import NotCanonical, Type, read_whole, write_whole

T = TypeVar("T")

EVENT_TYPES: Final[dict[str, type]] = {
    kind.__name__: kind
    for kind in (*get_args(Fact), ClockTicked, *get_args(CatalogueEvent), VaultAccessed)
}
OUTPUT_TYPES: Final[dict[str, type]] = {kind.__name__: kind for kind in get_args(Output)}

_NESTED: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "actor": lambda raw: Actor(**raw),
    "approver": lambda raw: Actor(**raw),
    "scores": lambda raw: Score(**raw),
    "utc_offsets": lambda raw: UtcOffset(**raw),
    "place": lambda raw: MovedPlace(**raw),
    "acts": lambda raw: MovedAct(**_with_place(raw)),
    "starts": lambda raw: MovedStart(**_with_place(raw)),
    "words": lambda raw: MovedWord(**raw),
    "lines": lambda raw: Line(**raw),
    "totals": lambda raw: Total(**raw),
    "due": lambda raw: Due(**raw),
    "pages": lambda raw: InlinePage(**raw),
    "positions": lambda raw: Position(**raw),
}


def _with_place(raw: dict[str, Any]) -> dict[str, Any]:
    """The decoded dict of an act with its place made."""
    place = raw["place"]
    return raw if place is None else {**raw, "place": MovedPlace(**place)}


class Undecodable(Exception):
    """Bytes that are no message of the contract: a reason code, and what was found."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclasses.dataclass(frozen=True, slots=True)
class Schema:
    """One Avro file: its locked id, its text, what reads and writes it, and the parsed form.

    The parsed form is without logical types, so that integers stay as they are; the bytes are the
    same.
    """

    name: str
    version: int
    id: int
    text: str
    binary: Type
    parsed: Any
    frame: bytes


def _plain(node: Any) -> Any:
    """The schema without logical types and docs."""
    if isinstance(node, dict):
        kept = {k: _plain(v) for k, v in node.items() if k not in ("logicalType", "doc")}
        return kept["type"] if set(kept) == {"type"} else kept
    return [_plain(item) for item in node] if isinstance(node, list) else node


_PARTS: Final = (
    Actor,
    Score,
    UtcOffset,
    MovedPlace,
    MovedAct,
    MovedStart,
    MovedWord,
    Line,
    Total,
    Due,
    InlinePage,
    Position,
)
_KINDS: Final = {
    kind.__name__: kind for kind in (*EVENT_TYPES.values(), *OUTPUT_TYPES.values(), *_PARTS)
}


class _Seen:
    """Stands for the records of an older version, which are only checked."""

    def __init__(self, *values: object) -> None:
        pass


def _load() -> dict[int, Schema]:
    folder = files(schemas)
    lock = json.loads((folder / "ids.lock.json").read_text(encoding="utf-8"))
    newest: dict[str, int] = {}
    for title in lock:
        name, version = title.rsplit(".v", 1)
        newest[name] = max(newest.get(name, 0), int(version))
    found = {}
    for title, entry in lock.items():
        name, version = title.rsplit(".v", 1)
        text = (folder / "avro" / f"{title}.avsc").read_text(encoding="utf-8")
        plain = _plain(json.loads(text))
        kinds = _KINDS if int(version) == newest[name] else dict.fromkeys(_KINDS, _Seen)
        frame = b"\0" + struct.pack(">I", entry["id"])
        found[entry["id"]] = Schema(
            name,
            int(version),
            entry["id"],
            text,
            type_of(plain, kinds),
            parse_schema(plain),
            frame,
        )
    return found


BY_ID: Final = _load()
"""Locked id -> schema."""

LATEST: Final = {schema.name: schema for schema in sorted(BY_ID.values(), key=lambda s: s.version)}
"""Message type -> its newest schema, the one that is written."""


def build(kind: type[T], raw: dict[str, Any]) -> T:
    """The decoded dict of a message -> its dataclass."""
    for name, value in raw.items():
        if isinstance(value, list):
            inner = _NESTED.get(name)
            raw[name] = tuple(value) if inner is None else tuple(map(inner, value))
        elif isinstance(value, dict):
            raw[name] = _NESTED[name](value)
    return kind(**raw)


def encode(message: Event | Output) -> bytes:
    """A message -> framed Avro bytes in the newest version of its schema.

    Raises ValueError, TypeError or AttributeError for a message that is not of its type.
    """
    schema = LATEST[type(message).__name__]
    return write_whole(schema.binary, schema.frame, message)


def encode_as(message: Event | Output, schema: Schema) -> bytes:
    """A message -> framed bytes in a given version of its schema, as it was written then.

    Raises as `encode` does; AttributeError also where that version has a field that the message
    lacks.
    """
    return write_whole(schema.binary, schema.frame, message)


def encode_again(message: Event | Output, value: bytes) -> bytes:
    """A message -> framed bytes in the version of its schema in which `value` was written."""
    return encode_as(message, BY_ID[int.from_bytes(value[1:5], "big")])


def decode_raw(value: bytes) -> tuple[Schema, dict[str, Any]]:
    """Framed bytes -> their schema, and the plain values in that very version; raises Undecodable.

    Strict as everything here: the values encode to the same bytes again.
    """
    schema = BY_ID.get(int.from_bytes(value[1:5], "big")) if value[:1] == b"\0" else None
    if schema is None:
        raise Undecodable("unknown_schema", value[:5].hex())
    _read(value, schema)
    raw: Any = schemaless_reader(io.BytesIO(value[5:]), schema.parsed, None)
    return schema, raw


def _read(value: bytes, schema: Schema) -> Any:
    """The message after the frame, which must be in its one canonical form."""
    try:
        return read_whole(schema.binary, value, 5)
    except ValueError as error:  # Malformed, NotCanonical, or text that is no UTF-8
        detail = f"{schema.name}: {error}"
        if isinstance(error, NotCanonical):
            raise Undecodable("not_canonical", detail) from error
        raise Undecodable("undecodable", detail) from error


def _decode(value: bytes | None, types: dict[str, type], bytes_max: int | None) -> Any:
    if value is None or len(value) < 5 or value[0] != 0:
        raise Undecodable("bad_framing", f"{0 if value is None else len(value)} bytes")
    if bytes_max is not None and len(value) > bytes_max:
        raise Undecodable("oversized", f"{len(value)} bytes, at most {bytes_max}")
    schema_id = value[1] << 24 | value[2] << 16 | value[3] << 8 | value[4]
    schema = BY_ID.get(schema_id)
    if schema is None or schema.name not in types:
        raise Undecodable("unknown_schema", f"id {schema_id}")
    message = _read(value, schema)
    newest = LATEST[schema.name]
    if schema is newest:
        return message
    raw: Any = schemaless_reader(io.BytesIO(value[5:]), schema.parsed, newest.parsed)
    return build(types[schema.name], raw)


def decode_event(value: bytes | None) -> Event:
    """Framed bytes -> event; raises Undecodable. Checks bytes only, see `schemas.validity`."""
    event: Event = _decode(value, EVENT_TYPES, VALUE_BYTES_MAX)
    return event


def decode_output(value: bytes) -> Output:
    """Framed bytes of a ledger.* topic -> output; raises Undecodable."""
    output: Output = _decode(value, OUTPUT_TYPES, None)
    return output
