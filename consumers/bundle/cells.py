"""Typed columns as CSV cells, both ways: value -> cell for people, cell -> the exact Avro bytes.

Columns come from the Avro schema, so a new version brings its own. Times are RFC 3339, days ISO, an
empty cell is null; text that a spreadsheet would take for a formula, and empty text where null is
possible, begin with an apostrophe. From the cells alone follow the exact bytes that were sealed.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import getitem
from typing import Any

from consumers.bundle.cell_bytes import (
    KEPT_CELLS,
    Cell,
    Encoder,
    Many,
    days,
    moment,
    moments,
    optional,
    optionals,
    text,
    texts,
    whole,
    wholes,
)
from schemas.times import iso_date, rfc3339
from schemas.wire.codec import BY_ID, LATEST, Schema
from schemas.wire.strictjson import loads

_FORMULA = "=+-@\t\r'"


class Table(dict[Cell, bytes]):
    """Cell -> Avro bytes, computed when first asked for: most cells come again and again.

    A dict, because looking something up in one takes no Python call.
    """

    def __init__(self, encoded: Encoder) -> None:
        super().__init__()
        self._encoded = encoded

    def __missing__(self, cell: Cell) -> bytes:
        """Raises ValueError or KeyError for a cell that the column cannot have."""
        found = self._encoded(cell)
        if len(self) < KEPT_CELLS:
            self[cell] = found
        return found


@dataclass(frozen=True, slots=True)
class Column:
    """A scalar field: its name, value -> cell, cell -> Avro bytes, and for many cells at once."""

    name: str
    shown: Callable[[Any], Cell]
    encoded: Table
    many: Many

    def all_of(self, cells: Sequence[Cell]) -> list[bytes]:
        """The bytes of each cell; raises as `Table` does."""
        if len(set(cells)) * 4 <= len(cells):
            return list(map(self.encoded.__getitem__, cells))
        return self.many(cells)


@dataclass(frozen=True, slots=True)
class Form:
    """A record schema as columns; `parts` are its arrays of records, such as a posting's lines.

    `places` says which of the fields these are.
    """

    name: str
    title: str
    frame: bytes
    columns: tuple[Column, ...]
    parts: dict[str, tuple[Column, ...]]
    places: tuple[tuple[int, str], ...]
    tables: tuple[Table, ...]

    def bytes_of(
        self, cells: Sequence[Cell], parts: Mapping[str, Sequence[Sequence[Cell]]]
    ) -> bytes:
        """The framed bytes that these cells stand for; raises ValueError or KeyError."""
        if len(cells) != len(self.columns):
            raise ValueError(f"{len(cells)} cells instead of {len(self.columns)}")
        out = [self.frame, *map(getitem, self.tables, cells)]
        for at, name in self.places:
            out.insert(at + 1, _items(self.parts[name], parts.get(name, [])))
        return b"".join(out)

    def all_of(
        self, columns: Iterable[Sequence[Cell]], parts: Mapping[str, Sequence[bytes]]
    ) -> list[bytes]:
        """The framed bytes of many records, given column by column; raises as `bytes_of` does.

        `parts` are the bytes of each record's array, as `items` makes them.
        """
        out: list[Sequence[bytes]] = [
            column.all_of(cells) for column, cells in zip(self.columns, columns, strict=True)
        ]
        for at, name in self.places:
            out.insert(at, parts[name])
        frames = [self.frame] * len(out[0])
        return list(map(b"".join, zip(frames, *out, strict=True)))

    def cells_of(self, raw: dict[str, Any]) -> list[Cell]:
        """The cells of the scalar fields."""
        return [column.shown(raw[column.name]) for column in self.columns]

    def part_cells(self, name: str, raw: dict[str, Any]) -> list[list[Cell]]:
        """The cells of each record of an array field."""
        return [[column.shown(item[column.name]) for column in self.parts[name]]
                for item in raw[name]]  # fmt: skip


def form_of(schema_id: int) -> Form:
    """The form of a locked schema; KeyError if there is none."""
    return _form(BY_ID[schema_id])


def newest_form(name: str) -> Form:
    """The form of the newest version of a schema."""
    return _form(LATEST[name])


def titled(title: str) -> Form:
    """The form of `Name.vN`; KeyError if there is none."""
    return _form(_TITLES[title])


_TITLES = {f"{schema.name}.v{schema.version}": schema for schema in BY_ID.values()}
_FORMS: dict[int, Form] = {}


def _form(schema: Schema) -> Form:
    found = _FORMS.get(schema.id)
    if found is None:
        found = _FORMS[schema.id] = _made(schema)
    return found


def _made(schema: Schema) -> Form:
    fields = loads(schema.text)["fields"]
    named: dict[str, Any] = {}
    columns, parts = [], {}
    for field in fields:
        kind = field["type"]
        items = kind.get("items") if isinstance(kind, dict) else None
        if isinstance(items, dict) and items.get("type") == "record":
            parts[field["name"]] = tuple(_column(f, named) for f in items["fields"])
        else:
            columns.append(_column(field, named))
    places = tuple((at, f["name"]) for at, f in enumerate(fields) if f["name"] in parts)
    title, tables = f"{schema.name}.v{schema.version}", tuple(c.encoded for c in columns)
    return Form(schema.name, title, schema.frame, tuple(columns), parts, places, tables)


def _column(field: dict[str, Any], named: dict[str, Any]) -> Column:
    kind = field["type"]
    may_be_null = isinstance(kind, list)
    if may_be_null:
        if kind[0] != "null" or len(kind) != 2:
            raise ValueError(f"{field['name']}: a union of other things than null and one type")
        kind = kind[1]
    shown, encoded, many = _scalar(kind, named)
    if not may_be_null:
        return Column(field["name"], shown, Table(encoded), many)
    return Column(
        field["name"],
        lambda value: "" if value is None else shown(value) or "'",
        Table(optional(encoded)),
        optionals(many),
    )


def _scalar(kind: Any, named: dict[str, Any]) -> tuple[Callable[[Any], Cell], Encoder, Many]:
    kind = named.get(kind, kind) if isinstance(kind, str) else kind
    shown: Callable[[Any], Cell]
    encoded: Encoder
    match kind:
        case {"logicalType": "timestamp-micros"}:
            return _moment_cell, moment, moments
        case "string":
            return _guarded, text, texts
        case "int" | "long":
            return (
                str,
                lambda cell: whole(int(cell)),
                lambda cells: wholes(map(int, cells)),
            )
        case {"logicalType": "date"}:
            shown, encoded = _day_cell, days
        case {"type": "enum", "name": name, "symbols": symbols}:
            named[name] = kind
            places = {symbol: whole(n) for n, symbol in enumerate(symbols)}
            shown, encoded = str, places.__getitem__
        case "boolean":
            shown, encoded = (lambda value: str(value).lower()), _FLAGS.__getitem__
        case _:
            shown, encoded = _json_cell, lambda cell: _nested(kind, named, loads(cell))
    return shown, encoded, lambda cells: list(map(encoded, cells))


def _json_cell(value: Any) -> Cell:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _nested(kind: Any, named: dict[str, Any], value: Any) -> bytes:
    """The bytes of what is no scalar, from its JSON; raises ValueError, KeyError, TypeError."""
    kind = named.get(kind, kind) if isinstance(kind, str) else kind
    match kind:
        case [_, inner]:
            return b"\0" if value is None else b"\2" + _nested(inner, named, value)
        case {"type": "record", "name": name, "fields": fields}:
            named[name] = kind
            return b"".join(_nested(f["type"], named, value[f["name"]]) for f in fields)
        case {"type": "array", "items": items}:
            inner = b"".join(_nested(items, named, item) for item in value)
            return whole(len(value)) + inner + b"\0" if value else b"\0"
        case {"type": "enum", "symbols": symbols}:
            return whole(symbols.index(value))
        case "string":
            return text(f"'{value}")
        case "boolean":
            return b"\1" if value else b"\0"
    return whole(value)


_FLAGS = {"false": b"\0", "true": b"\1"}


def _items(columns: tuple[Column, ...], rows: Sequence[Sequence[Cell]]) -> bytes:
    if any(len(row) != len(columns) for row in rows):
        raise ValueError("a row has too few or too many cells")
    tables = [column.encoded for column in columns]
    return items([b"".join(map(getitem, tables, row)) for row in rows])


def items(encoded: Sequence[bytes]) -> bytes:
    """An Avro array of what is encoded already."""
    return whole(len(encoded)) + b"".join(encoded) + b"\0" if encoded else b"\0"


def _guarded(text: str) -> Cell:
    return f"'{text}" if text[:1] in _FORMULA and text else text


def _moment_cell(micros: int) -> Cell:
    """Microseconds no calendar has are shown as they are."""
    try:
        return rfc3339(micros)
    except (OverflowError, ValueError):
        return str(micros)


def _day_cell(days: int) -> Cell:
    try:
        return iso_date(days)
    except (OverflowError, ValueError):
        return str(days)
