"""The trail's rows as a bundle has them: what the columns say, beside the exact bytes.

The trail is written down as it is: what somebody changed in it must be found by whoever verifies.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import pyarrow as pa

from consumers.api.trail_client import Reader
from consumers.bundle.cell_bytes import Cell
from consumers.bundle.cells import Form, form_of, newest_form
from consumers.kafka.records import Place, Record
from consumers.reconcile.trail_diff import cursors_of
from consumers.trail.rows import TABLES, arrow, rows_of
from schemas.topics import ACCESS, POSTINGS
from schemas.wire.codec import Undecodable, decode_raw

EVERYTHING: Final = 1 << 62
"""Beyond every offset."""

LOOKS: Final = Place(ACCESS, 0)
"""Where the vault's access log is."""

_INDEX_OF = {"index": "posting_index"}
"""Field of a posting -> its column in the trail, where the names differ."""


@dataclass(frozen=True, slots=True)
class Row:
    """One posting as it goes into a bundle: schema's title, cells, its lines' cells, its bytes."""

    index: int
    title: str
    cells: list[Cell]
    lines: list[list[Cell]]
    value: bytes


def rows(reader: Reader, partition: int) -> Iterator[Row]:
    """The postings of a partition as the trail has them, in the order of their offsets.

    Where a column says what the bytes say, the cell is made from the bytes, which know more (a null
    is an empty text in the trail); where it does not, from the column.
    """
    place = Place(POSTINGS, partition)
    cursors = cursors_of(place, EVERYTHING, reader.stream)
    stream = reader.stream(
        "rows", table="posting", topic=POSTINGS, partition=partition, below=EVERYTHING
    )
    for batch in stream:
        held = pa.Table.from_batches([batch]).cast(TABLES["posting"])
        last = held["offset"][-1].as_py()
        yield from _batch(place, held, cursors["line"].up_to(last))
    yield from _strays(cursors["line"].up_to(None))


def _batch(place: Place, held: pa.Table, lines: pa.Table) -> Iterator[Row]:
    expected: defaultdict[str, list[Any]] = defaultdict(list)
    found: list[tuple[Form, dict[str, Any]] | None] = []
    for offset, value in zip(held["offset"].to_pylist(), held["value"].to_pylist(), strict=True):
        for table, values in rows_of(Record(*place, offset, 0, None, value)):
            expected[table].append(values)
        found.append(_decoded(value, "Posting"))
    same = all(
        arrow(table, expected[table]).equals(there) if expected[table] else not there.num_rows
        for table, there in (("posting", held), ("line", lines))
    )
    if same and None not in found:
        for (form, raw), value in zip(found, held["value"].to_pylist(), strict=True):  # type: ignore[misc]
            yield _true_row(form, raw, value)
        return
    by_offset = _by_offset(lines)
    wanted = (
        {row["offset"]: row for row in _plain(arrow("posting", expected["posting"]))}
        if expected["posting"]
        else {}
    )
    wanted_lines = _by_offset(arrow("line", expected["line"])) if expected["line"] else {}
    for row, true in zip(_plain(held), found, strict=True):
        there = by_offset.pop(row["offset"], [])
        yield _held_row(
            row, there, wanted.get(row["offset"]), wanted_lines.get(row["offset"], []), true
        )
    for orphans in by_offset.values():
        yield _stray(orphans)


def _true_row(form: Form, raw: dict[str, Any], value: bytes) -> Row:
    return Row(raw["index"], form.title, form.cells_of(raw), form.part_cells("lines", raw), value)


def _held_row(
    row: dict[str, Any],
    lines: list[dict[str, Any]],
    wanted: dict[str, Any] | None,
    wanted_lines: list[dict[str, Any]],
    decoded: tuple[Form, dict[str, Any]] | None,
) -> Row:
    """A posting of a batch in which something is not as the bytes say."""
    form, raw = decoded or (newest_form("Posting"), {})
    fields = {
        column.name: _field(column.name, row, wanted, raw, _INDEX_OF.get(column.name, column.name))
        for column in form.columns
    }
    parts = [
        [
            _cell(column.shown, _field(
                column.name, line,
                wanted_lines[n] if n < len(wanted_lines) else None,
                raw["lines"][n] if n < len(raw.get("lines", ())) else {}, column.name))
            for column in form.parts["lines"]
        ]
        for n, line in enumerate(lines)
    ]  # fmt: skip
    cells = [_cell(column.shown, fields[column.name]) for column in form.columns]
    return Row(row["posting_index"], form.title, cells, parts, row["value"])


def _field(
    name: str,
    row: dict[str, Any],
    wanted: dict[str, Any] | None,
    raw: dict[str, Any],
    column: str,
) -> Any:
    """The value that a column of the trail says a field has."""
    if column not in row or (wanted is not None and row[column] == wanted[column] and name in raw):
        return raw.get(name)
    return row[column]


def _cell(shown: Callable[[Any], Cell], value: Any) -> Cell:
    return shown(value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value)


def _decoded(value: bytes, name: str) -> tuple[Form, dict[str, Any]] | None:
    try:
        schema, raw = decode_raw(value)
    except Undecodable:
        return None
    return (form_of(schema.id), raw) if schema.name == name else None


def _plain(table: pa.Table) -> list[dict[str, Any]]:
    """Rows with times in microseconds and dates in days, as fields have them."""
    for at, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(at, field.name, table[field.name].cast(pa.int64()))
        elif pa.types.is_date32(field.type):
            days = table[field.name].cast(pa.int32())
            table = table.set_column(at, field.name, days)
    return list(table.to_pylist())


def _by_offset(lines: pa.Table) -> dict[int, list[dict[str, Any]]]:
    found: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for line in _plain(lines):
        found[line["offset"]].append(line)
    return found


def _stray(lines: list[dict[str, Any]]) -> Row:
    """Lines without a posting: a row without title, of which only the lines are written."""
    form = newest_form("Posting")
    cells = [
        [_cell(column.shown, line.get(column.name)) for column in form.parts["lines"]]
        for line in lines
    ]
    return Row(lines[0]["posting_index"], "", [""] * len(form.columns), cells, b"")


def _strays(lines: pa.Table) -> Iterator[Row]:
    yield from map(_stray, _by_offset(lines).values())


def looks(reader: Reader) -> Iterator[Row]:
    """Every record of the vault's access log as the trail has it, in the order of the offsets.

    Bytes that are no entry come without a title; an entry that has not one row has empty cells; a
    row without its entry has no bytes.
    """
    cursor = cursors_of(LOOKS, EVERYTHING, reader.stream)["access_log"]
    stream = reader.stream(
        "rows", table="event", topic=LOOKS.topic, partition=LOOKS.partition, below=EVERYTHING
    )
    for batch in stream:
        held = pa.Table.from_batches([batch]).cast(TABLES["event"])
        there = _by_offset(cursor.up_to(held["offset"][-1].as_py()))
        for event in _plain(held):
            yield _look(event, there.pop(event["offset"], []))
        yield from map(_invented, chain.from_iterable(there.values()))
    yield from map(_invented, _plain(cursor.up_to(None)))


def _look(event: dict[str, Any], rows: list[dict[str, Any]]) -> Row:
    value = event["value"] or b""
    record = Record(*LOOKS, event["offset"], event["recorded_at"] // 1000, event["key"], value)
    wanted = [cells for table, cells in rows_of(record) if table == "access_log"]
    found = _decoded(value, "VaultAccessed")
    if found is None or not wanted:
        empty = len(newest_form("VaultAccessed").columns)
        return Row(event["offset"], "", [""] * empty, [], value)
    form, raw = found
    if rows != _plain(arrow("access_log", wanted)):
        raw = raw | _said(rows[0]) if len(rows) == 1 else {}
    cells = [_cell(c.shown, raw[c.name]) if c.name in raw else "" for c in form.columns]
    return Row(event["offset"], form.title, cells, [], value)


def _invented(row: dict[str, Any]) -> Row:
    form, said = newest_form("VaultAccessed"), _said(row)
    cells = [_cell(c.shown, said[c.name]) if c.name in said else "" for c in form.columns]
    return Row(row["offset"], form.title, cells, [], b"")


def _said(row: dict[str, Any]) -> dict[str, Any]:
    """The fields of an entry as a row of `access_log` has them."""
    said = {
        "volunteer_id": row["volunteer_id"].decode("utf-8", "backslashreplace"),
        "occurred_at": row["asked_at"],
        "action": row["question"].decode("utf-8", "backslashreplace").removeprefix("vault."),
    }
    try:
        told = dict(json.loads(row["arguments"]))
        told["actor"] = told["actor"] | {"id": row["asker"].decode("utf-8", "backslashreplace")}
        told["actor"] = {name: text or None for name, text in told["actor"].items()}
    except (ValueError, TypeError, KeyError):
        return said | {"purpose": "", "actor": None}
    return said | told
