"""The rules one Avro file of the contract keeps by itself: no floats, no bombs, named units."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LENGTH = re.compile(r"(?:^|_)(?:duration|hours?|minutes?|seconds?|length|window|skew)(?:_|$)")
_DAYS = ("_on", "_date", "_from")


@dataclass(frozen=True, slots=True)
class Finding:
    """A key of compat.json, where it was found, and the words its sentence needs."""

    code: str
    where: str
    field: str
    said: dict[str, str]


def named(node: Any) -> dict[str, Any]:
    """Every record, enum and fixed of a schema by its name."""
    if isinstance(node, list):
        return {k: v for part in node for k, v in named(part).items()}
    if not isinstance(node, dict):
        return {}
    found = {k: v for part in node.values() for k, v in named(part).items()}
    if node.get("type") in ("record", "enum", "fixed"):
        found[node["name"]] = node
    return found


def resolved(node: Any, names: dict[str, Any]) -> Any:
    """The node a name stands for; a name wrapped as {"type": name} too."""
    while isinstance(node, dict) and (
        isinstance(node["type"], dict | list) or _local(node["type"]) in names
    ):
        node = node["type"]
    return names.get(_local(node), node) if isinstance(node, str) else node


def _local(name: str) -> str:
    return name.removeprefix("shilu.")


def say(node: Any) -> str:
    """A type in a few words: `long (timestamp-micros)`, `null | string`, `array of int`."""
    match node:
        case list():
            return " | ".join(map(say, node))
        case {"type": "record" | "enum" | "fixed" as kind, "name": name}:
            return f"{kind} {name}"
        case {"type": "array", "items": items}:
            return f"array of {say(items)}"
        case {"type": kind, "logicalType": logical}:
            return f"{kind} ({logical})"
        case {"type": kind}:
            return str(kind)
    return str(node)


def value_type(union: list[Any]) -> Any:
    """T of the only unions we allow, ["null", T]."""
    return next((branch for branch in union if branch != "null"), "null")


def optional(field: Any) -> str:
    """The field, as JSON, in the form in which any field may be added: absent by default."""
    kind = field["type"]
    if isinstance(kind, dict) and kind.get("type") == "array":
        return json.dumps({"name": field["name"], "type": kind, "default": []}, ensure_ascii=False)
    kind = ["null", value_type(kind) if isinstance(kind, list) else kind]
    return json.dumps({"name": field["name"], "type": kind, "default": None}, ensure_ascii=False)


def broken(name: str, schema: Any) -> Iterator[Finding]:
    """The rules that the schema of type `name` breaks."""
    if not isinstance(schema, dict) or (
        (schema.get("type"), schema.get("name"), schema.get("namespace"))
        != ("record", name, "shilu")
    ):
        yield Finding("file_name", "/", "", {"found": f"{name}: {say(schema)}"})
        return
    yield from _Rules(named(schema)).record(schema, "", "", ())


@dataclass(frozen=True, slots=True)
class _Rules:
    names: dict[str, Any]

    def record(
        self, node: Any, where: str, prefix: str, inside: tuple[str, ...]
    ) -> Iterator[Finding]:
        """`inside` are the records around this one."""
        if node["name"] in inside:
            yield Finding("recursive", where, prefix.rstrip("."), {"new": say(node)})
            return
        for i, field in enumerate(node["fields"]):
            place, path = f"{where}/fields/{i}", prefix + field["name"]
            if not _NAME.fullmatch(field["name"]):
                yield Finding("name_form", place, path, {})
            yield from self._naming(field, place, path)
            yield from self._default(field, place, path)
            yield from self._type(field["type"], f"{place}/type", path, (*inside, node["name"]))

    def _type(self, node: Any, where: str, path: str, inside: tuple[str, ...]) -> Iterator[Finding]:
        node = resolved(node, self.names)
        match node:
            case list():
                if len(node) != 2 or node[0] != "null":
                    field = {"name": path.rsplit(".", 1)[-1], "type": node}
                    said = {"new": say(node), "suggestion": optional(field)}
                    yield Finding("union_form", where, path, said)
                for part in node:
                    yield from self._type(part, where, path, inside)
            case {"type": "record"}:
                yield from self.record(node, where, f"{path}.", inside)
            case {"type": "array", "items": items}:
                if self._takes_no_bytes(items, ()):
                    said = {"new": say(resolved(items, self.names))}
                    yield Finding("empty_items", where, path, said)
                yield from self._type(items, f"{where}/items", path, inside)
            case {"type": "map"}:
                yield Finding("map", where, path, {})
            case "float" | "double" | {"type": "float" | "double"}:
                yield Finding("float", where, path, {"new": say(node)})

    def _takes_no_bytes(self, node: Any, inside: tuple[str, ...]) -> bool:
        node = resolved(node, self.names)
        match node:
            case "null" | {"type": "null"} | {"type": "fixed", "size": 0}:
                return True
            case {"type": "record", "name": name, "fields": fields}:
                return name not in inside and all(
                    self._takes_no_bytes(field["type"], (*inside, name)) for field in fields
                )
        return False

    def _naming(self, field: Any, where: str, path: str) -> Iterator[Finding]:
        """The unit is last in the name, and the type keeps what the name says."""
        name = field["name"]
        kind = resolved(field["type"], self.names)
        if isinstance(kind, list):
            kind = resolved(kind[-1], self.names)
        bare = kind["type"] if isinstance(kind, dict) else kind
        logical = kind.get("logicalType") if isinstance(kind, dict) else None
        said = {"new": say(kind)}
        if name.endswith("_id") and kind != "string":
            yield Finding("id_type", where, path, said)
        at, on = logical == "timestamp-micros", logical == "date"
        wrong_day = (on and not name.endswith(_DAYS)) or (name.endswith("_on") and not on)
        if at != name.endswith("_at") or wrong_day:
            yield Finding("time_name", where, path, said)
        number = bare in ("int", "long")
        in_minutes = name == "minutes" or name.endswith("_minutes")
        if in_minutes and not number and bare not in ("float", "double"):
            yield Finding("no_unit", where, path, said)
        if number and not in_minutes and _LENGTH.search(name):
            yield Finding("no_unit", where, path, said)

    def _default(self, field: Any, where: str, path: str) -> Iterator[Finding]:
        """Avro's own parser accepts any default; readers then fail on old data."""
        if "default" not in field:
            return
        kind = resolved(field["type"], self.names)
        first = resolved(kind[0], self.names) if isinstance(kind, list) else kind
        if not self._fits(first, field["default"]):
            found = json.dumps(field["default"], ensure_ascii=False)
            said = {"found": found, "new": say(first), "suggestion": optional(field)}
            yield Finding("default_type", where, path, said)
        elif not self._is_read_as_written(first, field["default"]):
            found = json.dumps(field["default"], ensure_ascii=False)
            said = {"found": found, "new": say(first), "suggestion": optional(field)}
            yield Finding("default_misread", where, path, said)

    def _is_read_as_written(self, kind: Any, value: Any) -> bool:
        """Does the reader that carries this out (fastavro 1.13.1) give an old event this value?

        It hands a default out as it stands in the JSON: a text where bytes belong, and a record
        without the fields that its default leaves to their own defaults.
        """
        kind = resolved(kind, self.names)
        match kind:
            case "bytes" | {"type": "bytes" | "fixed"}:
                return False
            case {"type": "array", "items": items}:
                return all(self._is_read_as_written(items, one) for one in value)
            case {"type": "record", "fields": fields}:
                return all(
                    f["name"] in value and self._is_read_as_written(f["type"], value[f["name"]])
                    for f in fields
                )
            case [first, *_]:
                return self._is_read_as_written(first, value)
        return True

    def _fits(self, kind: Any, value: Any) -> bool:
        kind = resolved(kind, self.names)
        match kind:
            case {"type": "enum", "symbols": symbols}:
                return value in symbols
            case {"type": "array", "items": items}:
                return isinstance(value, list) and all(self._fits(items, v) for v in value)
            case {"type": "record", "fields": fields}:
                return isinstance(value, dict) and all(
                    self._fits(f["type"], value[f["name"]])
                    if f["name"] in value
                    else "default" in f
                    for f in fields
                )
            case "float" | "double" | {"type": "map" | "float" | "double"}:
                return True  # forbidden by rules of their own
            case {"type": kind}:
                return self._fits(kind, value)
            case [first, *_]:
                return self._fits(first, value)
            case "null":
                return value is None
            case "boolean":
                return isinstance(value, bool)
            case "int" | "long":
                bits = 31 if kind == "int" else 63
                whole = isinstance(value, int) and not isinstance(value, bool)
                return whole and -(2**bits) <= value < 2**bits
            case "string" | "bytes":
                return isinstance(value, str)
        return False
