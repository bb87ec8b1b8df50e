"""Typed columns as CSV cells, both ways: value -> cell for people, cell -> the exact Avro bytes.

Columns come from the Avro schema, so a new version brings its own. Times are RFC 3339, days ISO, an
empty cell is null; text that a spreadsheet would take for a formula, and empty text where null is
possible, begin with an apostrophe. From the cells alone follow the exact bytes that were sealed.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import getitem
from typing import Any

from schemas.codec import BY_ID, LATEST, Schema
from schemas.times import SECOND, day, instant, iso_date, rfc3339

_FORMULA = "=+-@\t\r'"
_KEPT_CELLS = 4_096

Cell = str
Encoder = Callable[[Cell], bytes]


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
        if len(self) < _KEPT_CELLS:
            self[cell] = found
        return found


@dataclass(frozen=True, slots=True)
class Column:
    """A scalar field: its name, value -> cell, cell -> Avro bytes."""

    name: str
    shown: Callable[[Any], Cell]
    encoded: Table


@dataclass(frozen=True, slots=True)
class Form:
    """A record schema as columns; `parts` are its arrays of records, such as a posting's lines.

    `places` says which of the fields these are.
    """

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
    fields = json.loads(schema.text)["fields"]
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
    return Form(title, schema.frame, tuple(columns), parts, places, tables)


def _column(field: dict[str, Any], named: dict[str, Any]) -> Column:
    kind = field["type"]
    optional = isinstance(kind, list)
    if optional:
        if kind[0] != "null" or len(kind) != 2:
            raise ValueError(f"{field['name']}: a union of other things than null and one type")
        kind = kind[1]
    shown, encoded = _scalar(kind, named)
    if not optional:
        return Column(field["name"], shown, Table(encoded))
    return Column(
        field["name"],
        lambda value: "" if value is None else shown(value) or "'",
        Table(lambda cell: b"\0" if cell == "" else b"\2" + encoded(cell)),
    )


def _scalar(kind: Any, named: dict[str, Any]) -> tuple[Callable[[Any], Cell], Encoder]:
    kind = named.get(kind, kind) if isinstance(kind, str) else kind
    match kind:
        case {"logicalType": "timestamp-micros"}:
            return _moment_cell, _moment
        case {"logicalType": "date"}:
            return _day_cell, lambda cell: _whole(_day(cell))
        case {"type": "enum", "name": name, "symbols": symbols}:
            named[name] = kind
            places = {symbol: _whole(n) for n, symbol in enumerate(symbols)}
            return str, lambda cell: places[cell]
        case "string":
            return _guarded, lambda cell: _text(_bare(cell))
        case "int" | "long":
            return str, lambda cell: _whole(int(cell))
        case "boolean":
            return (lambda value: str(value).lower()), lambda cell: _FLAGS[cell]
    return _json_cell, lambda cell: _nested(kind, named, json.loads(cell))


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
            return _whole(len(value)) + inner + b"\0" if value else b"\0"
        case {"type": "enum", "symbols": symbols}:
            return _whole(symbols.index(value))
        case "string":
            return _text(value)
        case "boolean":
            return b"\1" if value else b"\0"
    return _whole(value)


_FLAGS = {"false": b"\0", "true": b"\1"}


def _items(columns: tuple[Column, ...], rows: Sequence[Sequence[Cell]]) -> bytes:
    if not rows:
        return b"\0"
    if any(len(row) != len(columns) for row in rows):
        raise ValueError("a row has too few or too many cells")
    tables = [column.encoded for column in columns]
    items = [b"".join(map(getitem, tables, row)) for row in rows]
    return _whole(len(rows)) + b"".join(items) + b"\0"


_TWO = [bytes((n & 0x7F | 0x80, n >> 7 | 0x80)) for n in range(1 << 14)]
"""Fourteen bits -> two bytes of a number that goes on after them."""


def _whole(number: int) -> bytes:
    """An Avro int or long."""
    left = number << 1 if number >= 0 else (-number << 1) - 1
    if left >> 64:
        raise ValueError(f"{number} has more than 64 bits")
    out = b""
    if left >> 42:
        out = _TWO[left & 0x3FFF] + _TWO[left >> 14 & 0x3FFF] + _TWO[left >> 28 & 0x3FFF]
        left >>= 42
    while left > 0x3FFF:
        out += _TWO[left & 0x3FFF]
        left >>= 14
    return out + (bytes((left,)) if left < 0x80 else bytes((left & 0x7F | 0x80, left >> 7)))


def _text(text: str) -> bytes:
    raw = text.encode()
    return _whole(len(raw)) + raw


def _guarded(text: str) -> Cell:
    return f"'{text}" if text[:1] in _FORMULA and text else text


def _bare(cell: Cell) -> str:
    return cell.removeprefix("'")


def _moment_cell(micros: int) -> Cell:
    """Microseconds no calendar has are shown as they are."""
    try:
        return rfc3339(micros)
    except (OverflowError, ValueError):
        return str(micros)


class _Minutes(dict[Cell, int]):
    """A time cut to its minute -> microseconds: parsing a time costs more than all else."""

    def __missing__(self, minute: Cell) -> int:
        if len(self) >= _KEPT_CELLS:
            self.clear()
        found = self[minute] = instant(minute)
        return found


_MINUTES = _Minutes()


_SECONDS = {f"{n:02}": n * SECOND for n in range(60)}


def _moment(cell: Cell) -> bytes:
    """RFC 3339 as `rfc3339` writes it: seconds or microseconds, then the offset."""
    if "T" not in cell:
        return _whole(int(cell))
    micros = _MINUTES[cell[:17] + "00" + cell[-6:]] + _SECONDS[cell[17:19]]
    fraction = cell[19:-6]
    if fraction:
        digits = fraction[1:]
        if fraction[0] != "." or len(digits) != 6 or not (digits.isascii() and digits.isdecimal()):
            raise ValueError(f"{cell} is no time")
        micros += int(digits)
    return _whole(micros)


def _day_cell(days: int) -> Cell:
    try:
        return iso_date(days)
    except (OverflowError, ValueError):
        return str(days)


def _day(cell: Cell) -> int:
    return day(cell) if cell.count("-") == 2 else int(cell)
