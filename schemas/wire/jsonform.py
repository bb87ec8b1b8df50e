"""The JSON form of events and outputs: same field names, times RFC 3339, dates ISO."""

import dataclasses
import difflib
import json
from typing import Any

from schemas import times
from schemas.events import Event
from schemas.posting import Output
from schemas.validity import Fault, faults, quiet
from schemas.wire.codec import EVENT_TYPES, LATEST, build

_FIELDS = {
    name: {field["name"]: field for field in json.loads(schema.text)["fields"]}
    for name, schema in LATEST.items()
}
_NAMED: dict[str, dict[str, Any]] = {}


def _collect(node: Any) -> None:
    """Remember every named type, so that a later use by name can be resolved."""
    if isinstance(node, dict):
        if node.get("type") in ("record", "enum"):
            _NAMED[node["name"]] = node
        for part in node.values():
            _collect(part)
    elif isinstance(node, list):
        for part in node:
            _collect(part)


for _schema in LATEST.values():
    _collect(json.loads(_schema.text))


class BadEvent(Exception):
    """JSON that is no event: every fault found, each with its field and what is allowed."""

    def __init__(self, found: list[Fault]) -> None:
        super().__init__("; ".join(f"{f.code} {f.field}: {f.value} ({f.allowed})" for f in found))
        self.faults = found


class _Wrong(Exception):
    def __init__(self, fault: Fault) -> None:
        self.fault = fault


def _wrong(code: str, field: str, value: object, allowed: str) -> _Wrong:
    # Whoever mistakes a field may have put a person's name or number there.
    return _Wrong(quiet(Fault(code, field, str(value)[:200], allowed)))


def _read(kind: Any, field: str, value: Any) -> Any:
    """One JSON value as its Avro type wants it; raises _Wrong."""
    if isinstance(kind, str) and kind in _NAMED:
        kind = _NAMED[kind]
    if isinstance(kind, list):
        return None if value is None else _read(kind[1], field, value)
    if isinstance(kind, dict) and "logicalType" in kind:
        return _read_time(kind["logicalType"], field, value)
    match kind:
        case {"type": "record"}:
            if not isinstance(value, dict):
                raise _wrong("value_form", field, value, "an object")
            return _read_record({f["name"]: f for f in kind["fields"]}, value, f"{field}.")
        case {"type": "array", "items": items}:
            if not isinstance(value, list):
                raise _wrong("value_form", field, value, "a list")
            return [_read(items, f"{field}[{i}]", item) for i, item in enumerate(value)]
        case {"type": "enum", "symbols": symbols}:
            if value not in symbols:
                raise _wrong("value_form", field, value, ", ".join(symbols))
            return value
        case "string" if isinstance(value, str):
            return value
        case "boolean" if isinstance(value, bool):
            return value
        case "bytes" if isinstance(value, str):
            try:
                return bytes.fromhex(value)
            except ValueError as error:
                raise _wrong("value_form", field, value, "bytes as hex") from error
        case "int" | "long" if isinstance(value, int) and not isinstance(value, bool):
            bits = 32 if kind == "int" else 64
            if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
                raise _wrong("value_form", field, value, f"a {bits}-bit whole number")
            return value
    raise _wrong("value_form", field, value, f"a {kind}")


def _read_time(logical: str, field: str, value: Any) -> int:
    try:
        return times.day(value) if logical == "date" else times.instant(value)
    except (TypeError, ValueError, OverflowError) as error:
        allowed = "2025-03-01" if logical == "date" else "2025-03-01T08:55:00+08:00, with offset"
        raise _wrong("value_form", field, value, allowed) from error


def _read_record(fields: dict[str, Any], given: dict[str, Any], prefix: str) -> dict[str, Any]:
    raw = {}
    for name in given:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, 1)
            raise _wrong("unknown_field", prefix + name, "",
                         f"did you mean {near[0]}?" if near else ", ".join(fields))  # fmt: skip
    for name, field in fields.items():
        if name in given:
            raw[name] = _read(field["type"], prefix + name, given[name])
        elif "default" in field:
            raw[name] = field["default"] if field["default"] != [] else []
        else:
            raise _wrong("missing_field", prefix + name, "", "required")
    return raw


def event_from_json(given: object) -> Event:
    """A parsed JSON object -> event; raises BadEvent naming field, value and what is allowed.

    `type` names the event; fields with a default in the Avro file may be left out.
    """
    if not isinstance(given, dict):
        raise BadEvent([Fault("not_json", "", type(given).__name__, "a JSON object")])
    name = given.get("type")
    if not isinstance(name, str) or name not in EVENT_TYPES:
        near = difflib.get_close_matches(str(name), EVENT_TYPES, 1)
        allowed = f"did you mean {near[0]}?" if near else ", ".join(EVENT_TYPES)
        raise BadEvent([_wrong("unknown_type", "type", name, allowed).fault])
    body = {key: value for key, value in given.items() if key != "type"}
    try:
        event: Event = build(EVENT_TYPES[name], _read_record(_FIELDS[name], body, ""))
    except _Wrong as wrong:
        raise BadEvent([wrong.fault]) from None
    if found := list(faults(event)):
        raise BadEvent(found)
    return event


def _write(kind: Any, value: Any) -> Any:
    if isinstance(kind, str) and kind in _NAMED:
        kind = _NAMED[kind]
    if isinstance(kind, list):
        return None if value is None else _write(kind[1], value)
    if isinstance(kind, dict):
        match kind:
            case {"logicalType": "date"}:
                return times.iso_date(value)
            case {"logicalType": _}:
                return times.rfc3339(value)
            case {"type": "record", "fields": fields}:
                return {f["name"]: _write(f["type"], getattr(value, f["name"])) for f in fields}
            case {"type": "array", "items": items}:
                return [_write(items, item) for item in value]
    return value.hex() if isinstance(value, bytes) else value


def to_json(message: Event | Output) -> dict[str, Any]:
    """An event or output -> its JSON form, `type` first; bytes as hex, times in UTC+8."""
    name = type(message).__name__
    fields = _FIELDS[name]
    assert dataclasses.is_dataclass(message)
    return {"type": name} | {
        field: _write(fields[field]["type"], getattr(message, field)) for field in fields
    }
