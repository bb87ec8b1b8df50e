"""What an auditor takes home: every posting in typed columns and exact bytes, and all signatures.

README.md                       how to check it, in Chinese and English
keys/N.vkey, keys/N.rotation    public keys, and how each follows the one before
schemas/                        the fields in the order of the bytes, and each schema's id
pN/checkpoint                   the newest checkpoint: keep it for the next audit
pN/checkpoints.jsonl            every published checkpoint, a signed note in a JSON string
pN/postings-INDEX.csv           65,536 postings from INDEX on: columns, and the bytes in base64
pN/lines-INDEX.csv              their lines
pN/tile/                        the hash tiles (tlog-tiles); they name the first wrong posting
"""

import base64
import csv
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from consumers.ask import Reader
from consumers.cell_bytes import Cell
from consumers.cells import Column, Form, form_of, newest_form, titled
from consumers.copies import cursors_of
from consumers.keyring import PublicKeys
from consumers.rows import TABLES, Place, Record, arrow, rows_of
from consumers.sealed_logs import CHUNK
from schemas.codec import LATEST, Undecodable, decode_raw
from schemas.topics import CHECKPOINTS, POSTINGS

_EVERYTHING = 1 << 62
_INDEX_OF = {"index": "posting_index"}
"""Field of a posting -> its column in the trail, where the names differ."""

Watcher = Callable[[int], None]
"""Told how many postings have been written."""


@dataclass(frozen=True, slots=True)
class Row:
    """One posting as it goes into a bundle: schema's title, cells, its lines' cells, its bytes."""

    index: int
    title: str
    cells: list[Cell]
    lines: list[list[Cell]]
    value: bytes


def export(
    reader: Reader, seal: Path, keys: PublicKeys, target: Path, watcher: Watcher
) -> dict[int, int]:
    """Write a bundle into the folder `target`, which must not exist; postings per partition.

    The trail is written down as it is: what somebody changed in it must be found by whoever
    verifies. Raises TrailError, OSError.
    """
    target.mkdir(parents=True)
    _write_keys(keys, target / "keys")
    _write_schemas(target / "schemas")
    how_to = (files("consumers") / "bundle_readme.md").read_text("utf-8")
    (target / "README.md").write_text(how_to, "utf-8")
    counts: dict[int, int] = {}
    for name in sorted(reader.ask("indexes"), key=int):
        partition = int(name)
        folder = target / f"p{partition}"
        folder.mkdir()
        counts[partition] = write_postings(
            rows(reader, partition), folder, lambda n: watcher(sum(counts.values()) + n)
        )
        _write_checkpoints(reader, partition, folder)
        tiles = seal / f"p{partition}" / "tile"
        if tiles.is_dir():
            _copy_tiles(tiles, folder / "tile")
    return counts


def rows(reader: Reader, partition: int) -> Iterator[Row]:
    """The postings of a partition as the trail has them, in the order of their offsets.

    Where a column says what the bytes say, the cell is made from the bytes, which know more (a null
    is an empty text in the trail); where it does not, from the column.
    """
    place = Place(POSTINGS, partition)
    cursors = cursors_of(place, _EVERYTHING, reader.stream)
    stream = reader.stream(
        "rows", table="posting", topic=POSTINGS, partition=partition, below=_EVERYTHING
    )
    for batch in stream:
        held = pa.Table.from_batches([batch]).cast(TABLES["posting"])
        last = held["offset"][-1].as_py()
        yield from _batch(place, held, cursors["line"].up_to(last))
    yield from _strays(cursors["line"].up_to(None))


def _batch(place: Place, held: pa.Table, lines: pa.Table) -> Iterator[Row]:
    expected: defaultdict[str, list[Any]] = defaultdict(list)
    decoded: list[tuple[Form, dict[str, Any]] | None] = []
    for offset, value in zip(held["offset"].to_pylist(), held["value"].to_pylist(), strict=True):
        for table, values in rows_of(Record(*place, offset, 0, None, value)):
            expected[table].append(values)
        decoded.append(_decoded(value))
    same = all(
        arrow(table, expected[table]).equals(found) if expected[table] else not found.num_rows
        for table, found in (("posting", held), ("line", lines))
    )
    if same and None not in decoded:
        for (form, raw), value in zip(decoded, held["value"].to_pylist(), strict=True):  # type: ignore[misc]
            yield _true_row(form, raw, value)
        return
    by_offset = _by_offset(lines)
    wanted = (
        {row["offset"]: row for row in _plain(arrow("posting", expected["posting"]))}
        if expected["posting"]
        else {}
    )
    wanted_lines = _by_offset(arrow("line", expected["line"])) if expected["line"] else {}
    for row, found in zip(_plain(held), decoded, strict=True):
        there = by_offset.pop(row["offset"], [])
        yield _held_row(
            row, there, wanted.get(row["offset"]), wanted_lines.get(row["offset"], []), found
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


def _decoded(value: bytes) -> tuple[Form, dict[str, Any]] | None:
    try:
        schema, raw = decode_raw(value)
    except Undecodable:
        return None
    return (form_of(schema.id), raw) if schema.name == "Posting" else None


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


def write_postings(rows: Iterable[Row], folder: Path, watcher: Watcher) -> int:
    """Write a partition's postings and lines into its folder; how many postings there were."""
    newest, count = newest_form("Posting"), 0
    columns = [column.name for column in newest.columns]
    line_columns = [column.name for column in newest.parts["lines"]]
    with ExitStack() as stack:
        postings = lines = None
        for row in rows:
            form = titled(row.title) if row.title else newest
            if count % CHUNK == 0 and row.title:
                stack.close()
                name = f"{count:010}.csv"
                header = ["schema", *columns, "value_base64"]
                postings = _opened(stack, folder / f"postings-{name}", header)
                lines = _opened(stack, folder / f"lines-{name}", ["posting_index", *line_columns])
            if lines is not None:
                own = form.parts["lines"]
                lines.writerows(
                    [row.index, *_under(line_columns, own, cells)] for cells in row.lines
                )
            if postings is None or not row.title:
                continue
            cells = _under(columns, form.columns, row.cells)
            postings.writerow([row.title, *cells, base64.b64encode(row.value).decode()])
            count += 1
            if count % 5_000 == 0:
                watcher(count)
    watcher(count)
    return count


def _under(header: list[str], columns: tuple[Column, ...], cells: list[Cell]) -> list[Cell]:
    """The cells of an older version under the newest one's header."""
    if len(cells) == len(header):
        return cells
    own = dict(zip((column.name for column in columns), cells, strict=True))
    return [own.get(name, "") for name in header]


def _opened(stack: ExitStack, path: Path, header: list[str]) -> Any:
    file: IO[str] = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    return writer


def _write_checkpoints(reader: Reader, partition: int, folder: Path) -> None:
    newest: tuple[int, str] | None = None
    with (folder / "checkpoints.jsonl").open("w", encoding="utf-8") as out:
        for batch in reader.stream(
            "rows", table="checkpoint", topic=CHECKPOINTS, partition=partition, below=_EVERYTHING
        ):
            for size, note in zip(
                batch["size"].to_pylist(), batch["note"].to_pylist(), strict=True
            ):
                written = note.decode("utf-8", "backslashreplace")
                out.write(json.dumps(written, ensure_ascii=False) + "\n")
                if newest is None or size >= newest[0]:
                    newest = size, written
    if newest is not None:
        (folder / "checkpoint").write_text(newest[1], "utf-8")


def _copy_tiles(source: Path, target: Path) -> None:
    """Tiles that are complete; a sealer at work removes partial ones that it has replaced."""
    for path in sorted(source.rglob("*")):
        if path.name.startswith(".") or path.is_dir():
            continue
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.copyfile(path, copy)


def _write_keys(keys: PublicKeys, folder: Path) -> None:
    folder.mkdir()
    for n, key in enumerate(keys.keys, 1):
        (folder / f"{n}.vkey").write_text(f"{key}\n", "utf-8")
    for n, rotation in enumerate(keys.rotations, 2):
        (folder / f"{n}.rotation").write_text(rotation, "utf-8")


def _write_schemas(folder: Path) -> None:
    folder.mkdir()
    source, ids = files("schemas") / "avro", {}
    for version in range(1, LATEST["Posting"].version + 1):
        title = f"Posting.v{version}"
        text = (source / f"{title}.avsc").read_text("utf-8")
        (folder / f"{title}.avsc").write_text(text, "utf-8")
        ids[title] = int.from_bytes(titled(title).frame[1:], "big")
    (folder / "ids.json").write_text(json.dumps(ids) + "\n", "utf-8")
