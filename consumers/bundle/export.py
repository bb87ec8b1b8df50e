"""What an auditor takes home: every entry in typed columns and exact bytes, and all signatures.

README.md                       how to check it, in Chinese and English
keys/N.vkey, keys/N.rotation    public keys, and how each follows the one before
schemas/                        the fields in the order of the bytes, and each schema's id
pN/checkpoint                   the newest checkpoint: keep it for the next audit
pN/checkpoints.jsonl            every published checkpoint, a signed note in a JSON string
pN/postings-INDEX.csv           65,536 postings from INDEX on: columns, and the bytes in base64
pN/lines-INDEX.csv              their lines
pN/tile/                        the hash tiles (tlog-tiles); they name the first wrong posting
access/                         the same of the vault's access log: checkpoints, tiles and
access/looks-INDEX.csv          who looked at whose personal data: columns, and the bytes in base64
"""

import base64
import csv
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

from consumers.api.trail_client import Reader
from consumers.bundle.bundle_rows import EVERYTHING, LOOKS, Row, looks, rows
from consumers.bundle.cell_bytes import Cell
from consumers.bundle.cells import Column, newest_form, titled
from consumers.kafka.records import Place
from consumers.seal.log_names import ACCESS_LOG, CHUNK, POSTINGS_LOG, Kind, kind_of, log_of
from consumers.signing.keyring import PublicKeys
from schemas.topics import CHECKPOINTS, POSTINGS
from schemas.wire.codec import LATEST

Watcher = Callable[[int], None]
"""Told how many postings have been written."""


def export(
    reader: Reader, seal: Path, keys: PublicKeys, target: Path, watcher: Watcher
) -> dict[str, int]:
    """Write a bundle into the folder `target`, which must not exist; entries of each log.

    The trail is written down as it is: what somebody changed in it must be found by whoever
    verifies. Raises TrailError, OSError.
    """
    target.mkdir(parents=True)
    _write_keys(keys, target / "keys")
    _write_schemas(target / "schemas")
    how_to = (files("consumers.bundle") / "bundle_readme.md").read_text("utf-8")
    (target / "README.md").write_text(how_to, "utf-8")
    counts: dict[str, int] = {}

    def log(name: str, rows: Iterable[Row], partition: int) -> None:
        folder, kind = target / name, kind_of(name)
        assert kind is not None
        folder.mkdir()
        done = sum(counts.values())
        counts[name] = write_entries(rows, folder, kind, lambda n: watcher(done + n))
        _write_checkpoints(reader, partition, folder, keys.retired)
        tiles = seal / name / "tile"
        if tiles.is_dir():
            _copy_tiles(tiles, folder / "tile")

    for partition in sorted(map(int, reader.ask("indexes"))):
        place = Place(POSTINGS, partition)
        log(log_of(place), rows(reader, partition), partition)
    log(log_of(LOOKS), looks(reader), LOOKS.partition)
    return counts


def write_entries(rows: Iterable[Row], folder: Path, kind: Kind, watcher: Watcher) -> int:
    """Write a log's entries and their parts into its folder; how many entries there were.

    Where a kind has parts, a row without title brings only these; else it brings bytes alone.
    """
    newest, count = newest_form(kind.schema), 0
    columns = [column.name for column in newest.columns]
    part_columns = [column.name for column in newest.parts.get(kind.part or "", ())]
    with ExitStack() as stack:
        entries = parts = None
        for row in rows:
            form = titled(row.title) if row.title else newest
            is_entry = bool(row.title) or kind.part is None
            if count % CHUNK == 0 and is_entry:
                stack.close()
                name = f"{count:010}.csv"
                header = ["schema", *columns, "value_base64"]
                entries = _opened(stack, folder / f"{kind.stem}-{name}", header)
                if kind.part is not None:
                    header = ["posting_index", *part_columns]
                    parts = _opened(stack, folder / f"{kind.part}-{name}", header)
            if parts is not None and kind.part is not None:
                own = form.parts[kind.part]
                parts.writerows(
                    [row.index, *_under(part_columns, own, cells)] for cells in row.lines
                )
            if entries is None or not is_entry:
                continue
            cells = _under(columns, form.columns, row.cells)
            entries.writerow([row.title, *cells, base64.b64encode(row.value).decode()])
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


def _write_checkpoints(
    reader: Reader, partition: int, folder: Path, retired: Sequence[str]
) -> None:
    """Those of the log; whatever else is in a ledger partition's place is shown beside its own.

    Those of a name that the ledger had before are not: entries are gone that they speak of.
    """
    ours, looks = folder.name, log_of(LOOKS)
    newest: tuple[int, str] | None = None
    with (folder / "checkpoints.jsonl").open("w", encoding="utf-8") as out:
        for batch in reader.stream(
            "rows", table="checkpoint", topic=CHECKPOINTS, partition=partition, below=EVERYTHING
        ):
            for origin, size, note in zip(
                *(batch[name].to_pylist() for name in ("origin", "size", "note")), strict=True
            ):
                if (ours == looks) != origin.endswith(f"/{looks}".encode()):
                    continue
                if origin.decode("utf-8", "replace").rpartition("/")[0] in retired:
                    continue
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
    names = (POSTINGS_LOG.schema, ACCESS_LOG.schema)
    for title in (f"{n}.v{v}" for n in names for v in range(1, LATEST[n].version + 1)):
        text = (source / f"{title}.avsc").read_text("utf-8")
        (folder / f"{title}.avsc").write_text(text, "utf-8")
        ids[title] = int.from_bytes(titled(title).frame[1:], "big")
    (folder / "ids.json").write_text(json.dumps(ids) + "\n", "utf-8")
