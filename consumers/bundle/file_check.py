"""One file of a bundle: its entries' bytes and what their columns say otherwise.

A file in which every column says what the bytes say is read column by column, many rows at once.
Any doubt, and it is read again row by row, and each fault is named.
"""

import base64
import binascii
import csv
from binascii import a2b_base64
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

import pyarrow as pa
from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, read_csv

from consumers.bundle.cell_bytes import Cell
from consumers.bundle.cells import Column, Form, form_of, items, titled
from consumers.seal.log_names import Kind
from schemas.wire.codec import Undecodable, decode_event, decode_raw

_LIMIT = 64 << 20
_FAULTS_KEPT = 10
_ROWS = 16_384

_UNREADABLE = (csv.Error, IndexError, ValueError, FileNotFoundError)
_NO_CELL = (KeyError, ValueError, OverflowError, TypeError, RecursionError)
"""What encoding raises for a cell that a column cannot have."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as sealed; `index` is the first entry concerned, -1 for none."""

    code: str
    log: str
    index: int
    detail: str


@dataclass(frozen=True, slots=True)
class File:
    """One file of a log: in which folder, of what kind, and the index of its first entry."""

    folder: Path
    kind: Kind
    begin: int

    @property
    def log(self) -> str:
        """The name of the log."""
        return self.folder.name

    @property
    def entries(self) -> Path:
        """The file with the entries."""
        return self.folder / f"{self.kind.stem}-{self.begin:010}.csv"

    @property
    def parts(self) -> Path | None:
        """The file with the records of the entries' array, if they have one."""
        part = self.kind.part
        return None if part is None else self.folder / f"{part}-{self.begin:010}.csv"


@dataclass(slots=True)
class Entries:
    """The bytes of a file's entries, and what is wrong with their columns."""

    file: File
    values: list[bytes] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def say(self, code: str, index: int, detail: str) -> None:
        """Note a fault; beyond some, a file is bad enough."""
        if len(self.faults) < _FAULTS_KEPT:
            self.faults.append(Fault(code, self.file.log, index, detail))


def entries_of(file: File) -> Entries:
    """Read one file; whatever cannot be read is a fault."""
    csv.field_size_limit(_LIMIT)
    values = _flawless(file)
    if values is not None:
        return Entries(file, values)
    found = Entries(file)
    try:
        parts = _Parts(*_part_rows(file.parts))
        with file.entries.open(encoding="utf-8", newline="") as opened:
            rows = csv.reader(opened)
            _name_faults(found, next(rows, []), rows, parts)
    except _UNREADABLE as error:
        found.say("unreadable", file.begin, f"{type(error).__name__}: {error}")
    return found


def _flawless(file: File) -> list[bytes] | None:
    """The entries' bytes if all is as it should be and of one version; None in any doubt."""
    try:
        table = _table(file.entries)
        form = titled(table["schema"][0].as_py())
        if form.name != file.kind.schema:
            return None
        parts = _encoded_parts(file, form)
        values: list[bytes] = []
        for at in range(0, table.num_rows, _ROWS):
            found = _block(file, form, table.slice(at, _ROWS), file.begin + at, parts)
            if found is None:
                return None
            values += found
    except (*_UNREADABLE, *_NO_CELL):
        return None
    return None if parts else values


def _block(
    file: File, form: Form, rows: pa.Table, begin: int, parts: dict[Cell, bytes]
) -> list[bytes] | None:
    """The bytes of some rows, which come out of `parts`; None if one is not as it should be."""
    index: list[Cell] = []
    if file.kind.place is not None:
        partition, index = (rows[name].to_pylist() for name in file.kind.place)
        if index != [str(n) for n in range(begin, begin + rows.num_rows)]:
            return None
        if set(partition) != {file.log[1:]}:
            return None
    if set(rows["schema"].to_pylist()) != {form.title}:
        return None
    own = {name: [parts.pop(cell, b"\0") for cell in index] for name in form.parts}
    derived = form.all_of((rows[column.name].to_pylist() for column in form.columns), own)
    stored = [a2b_base64(cell, strict_mode=True) for cell in rows["value_base64"].to_pylist()]
    return stored if derived == stored else None


def _encoded_parts(file: File, form: Form) -> dict[Cell, bytes]:
    """Cell of an entry's index -> the bytes of its array; raises what reading and encoding do."""
    if file.parts is None:
        return {}
    assert file.kind.part is not None
    columns = form.parts[file.kind.part]
    found: defaultdict[Cell, list[bytes]] = defaultdict(list)
    table = _table(file.parts)
    if table.column_names[1:] != [column.name for column in columns]:
        raise ValueError("the columns of another version")
    for at in range(0, table.num_rows, _ROWS):
        rows = table.slice(at, _ROWS)
        encoded = [column.all_of(rows[column.name].to_pylist()) for column in columns]
        items_of_rows = map(b"".join, zip(*encoded, strict=True))
        for name, item in zip(rows[0].to_pylist(), items_of_rows, strict=True):
            found[name].append(item)
    return {name: items(own) for name, own in found.items()}


def _table(path: Path) -> pa.Table:
    """A file's columns, all as text; raises ValueError for what other readers might take otherwise.

    Where no cell is quoted, every reader splits at commas and ends of lines alike.
    """
    raw = path.read_bytes()
    if b'"' in raw or b"\r" in raw or b"\0" in raw:
        raise ValueError("quoted cells")
    header = raw.partition(b"\n")[0].decode().split(",")
    if len(set(header)) != len(header):
        raise ValueError("a column comes twice")
    return read_csv(
        pa.BufferReader(raw),
        ReadOptions(use_threads=False),
        ParseOptions(quote_char=False, ignore_empty_lines=False),
        ConvertOptions(column_types=dict.fromkeys(header, pa.string())),
    )


@dataclass(slots=True)
class _Parts:
    """The header of the parts' file, and index -> the cells of its parts, in the file's order."""

    header: list[str]
    cells: dict[Cell, list[Sequence[Cell]]]


def _part_rows(path: Path | None) -> tuple[list[str], dict[Cell, list[Sequence[Cell]]]]:
    found: defaultdict[Cell, list[Sequence[Cell]]] = defaultdict(list)
    if path is None:
        return [], found
    with path.open(encoding="utf-8", newline="") as opened:
        rows = csv.reader(opened)
        header = next(rows, [])[1:]
        for index, *cells in rows:
            found[index].append(cells)
    return header, found


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a version's columns are in a row; `pick_part` is None where parts are just so."""

    form: Form
    pick: Callable[[Sequence[Cell]], tuple[Cell, ...]]
    pick_part: Callable[[Sequence[Cell]], tuple[Cell, ...]] | None


def _layout(kind: Kind, title: str, header: list[str], part_header: list[str]) -> _Layout | None:
    try:
        form = titled(title)
        if form.name != kind.schema:
            return None
        pick = itemgetter(*[header.index(column.name) for column in form.columns])
        if kind.part is None:
            return _Layout(form, pick, None)
        parts = [part_header.index(column.name) for column in form.parts[kind.part]]
    except (KeyError, ValueError):
        return None
    as_they_are = parts == list(range(len(part_header)))
    return _Layout(form, pick, None if as_they_are else itemgetter(*parts))


def _name_faults(
    found: Entries, header: list[str], rows: Iterable[list[Cell]], parts: _Parts
) -> None:
    """Derive each entry from its columns, compare with its bytes, and say what differs."""
    file = found.file
    layouts: dict[str, _Layout | None] = {}
    place = None if file.kind.place is None else [header.index(name) for name in file.kind.place]
    for index, row in enumerate(rows, file.begin):
        value = _bytes(row[-1])
        found.values.append(value)
        if not row[0] and place is None and not _is(file.kind, value):
            continue
        if row[0] not in layouts:
            layouts[row[0]] = _layout(file.kind, row[0], header, parts.header)
        layout = layouts[row[0]]
        own = [] if place is None else parts.cells.pop(row[place[1]], [])
        if layout is None:
            found.say("unknown_schema", index, row[0][:80])
            continue
        cells = layout.pick(row)
        if layout.pick_part is not None:
            own = [layout.pick_part(cells_of_part) for cells_of_part in own]
        named = {} if file.kind.part is None else {file.kind.part: own}
        try:
            derived = layout.form.bytes_of(cells, named)
        except _NO_CELL:
            derived = b""
        if derived != value:
            found.say("columns_differ", index, _unlike(layout.form, cells, named, value))
        if place is not None and [row[at] for at in place] != [file.log[1:], str(index)]:
            there = "/".join(row[at] for at in place)
            found.say("order_differs", index, f"posting {there:.72} in its place")
    for name in parts.cells:
        index = int(name) if name.isdecimal() else -1
        found.say("stray_lines", index, "lines of a posting that is not there")


def _is(kind: Kind, value: bytes) -> bool:
    """Are these the bytes of such an entry?"""
    try:
        return type(decode_event(value)).__name__ == kind.schema
    except Undecodable:
        return False


def _bytes(encoded: Cell) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _unlike(
    form: Form, cells: Sequence[Cell], parts: dict[str, list[Sequence[Cell]]], value: bytes
) -> str:
    """Which columns do not say what the bytes say."""
    try:
        schema, raw = decode_raw(value)
    except Undecodable as error:
        return f"the bytes are no {form.name}: {error}"
    if form_of(schema.id) != form:
        return f"the bytes are {schema.name}.v{schema.version}"
    found = list(_cells_unlike(form.columns, cells, form.cells_of(raw)))
    for name, own in parts.items():
        true = form.part_cells(name, raw)
        if len(own) != len(true):
            found.append(f"{len(own)} {name} instead of {len(true)}")
        for there, true_one in zip(own, true, strict=False):
            differ = _cells_unlike(form.parts[name], there, true_one)
            found += [f"line {true_one[0]} {said}" for said in differ]
    return ", ".join(found)[:500] or "the bytes are not in their one form"


def _cells_unlike(
    columns: Sequence[Column], cells: Sequence[Cell], true_cells: Sequence[Cell]
) -> Iterator[str]:
    for column, cell, true in zip(columns, cells, true_cells, strict=False):
        if cell != true:
            yield f"{column.name} {cell:.60} instead of {true:.60}"
