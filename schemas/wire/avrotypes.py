"""A parsed Avro schema -> the type that reads and writes its values (`schemas.wire.binary`).

Compiled by mypyc where a C compiler is.
"""

from collections.abc import Mapping
from typing import Any, Final

from schemas.wire.binary import (
    Boolean,
    Bytes,
    Frozen,
    Integer,
    Null,
    Optional,
    Record,
    Sequence,
    Symbol,
    Text,
    Type,
    Word,
)

_TEXT: Final = Text()
_WORD: Final = Word()
_PRIMITIVE: Final[dict[str, Type]] = {
    "null": Null(),
    "boolean": Boolean(),
    "int": Integer(32),
    "long": Integer(64),
    "bytes": Bytes(),
    "string": _TEXT,
}


def type_of(schema: Any, kinds: Mapping[str, type], named: dict[str, Type] | None = None) -> Type:
    """A parsed Avro schema -> its type; `kinds` are the Python classes of its records by name.

    Raises ValueError for what our rules do not allow: maps, floats, unions but with null.
    """
    named = {} if named is None else named
    if isinstance(schema, str):
        found = _PRIMITIVE.get(schema) or named.get(schema)
        if found is None:
            raise ValueError(f"type {schema!r} is not allowed or not yet defined")
        return found
    if isinstance(schema, list):
        return _optional(schema, kinds, named)
    kind = schema["type"]
    if kind == "array":
        return Sequence(type_of(schema["items"], kinds, named))
    if kind == "enum":
        named[schema["name"]] = symbol = Symbol(schema["symbols"])
        return symbol
    if kind == "record":
        names = [field["name"] for field in schema["fields"]]
        types = [_field_type(field, kinds, named) for field in schema["fields"]]
        made = kinds[schema["name"]]
        params = getattr(made, "__dataclass_params__", None)
        frozen = params is not None and params.frozen
        values = getattr(made, "values", None)
        record = Frozen(names, types, made) if frozen else Record(names, types, made, values)
        named[schema["name"]] = record
        return record
    return type_of(kind, kinds, named)


_REPEATED: Final = frozenset(
    {"activity_id", "project_id", "site_id", "shift_id", "recording_org_id", "host_org_id"}
    | {"org_id", "role", "channel", "app", "policy"}
)
"""Fields in which many records have the same text."""


def _field_type(field: Any, kinds: Mapping[str, type], named: dict[str, Type]) -> Type:
    kind = type_of(field["type"], kinds, named)
    if field["name"] not in _REPEATED:
        return kind
    if isinstance(kind, Optional):
        return Optional(_WORD, null_first=kind.null == 0) if kind.inner is _TEXT else kind
    return _WORD if kind is _TEXT else kind


def _optional(branches: list[Any], kinds: Mapping[str, type], named: dict[str, Type]) -> Type:
    if len(branches) != 2 or "null" not in branches:
        raise ValueError("a union must be of null and one other type")
    null_first = branches[0] == "null"
    inner = branches[1] if null_first else branches[0]
    return Optional(type_of(inner, kinds, named), null_first=null_first)
