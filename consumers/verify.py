"""Verifying a bundle: are these the postings that were sealed, every one, in their order?

Each leaf is derived twice, from the typed columns and from the bytes. The hash tiles, where they
come to a signed root, name the first posting that is not the sealed one; without them only the
stretch between two checkpoints is known. Nothing of the bundle is believed but its signatures.
"""

import base64
import binascii
import csv
import gc
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from consumers.bundle import CHUNK
from consumers.cells import Cell, Form, form_of, titled
from consumers.keyring import PublicKeys
from consumers.notes import BadNote, Checkpoint, VerifierKey, opened
from consumers.tiles import Tiles, TilesDiffer
from ledger.merkle import Range, grow, joined, leaf_hashes
from schemas.codec import Undecodable, decode_raw

_LIMIT = 64 << 20
_FAULTS_KEPT = 100
_FAULTS_OF_CHUNK = 10

Watcher = Callable[[int, int], None]
"""Told how many files of how many have been verified."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as sealed; `index` is the first posting concerned, -1 for none."""

    code: str
    partition: int
    index: int
    detail: str


@dataclass(slots=True)
class Verified:
    """What a verification found."""

    postings: dict[int, int] = field(default_factory=dict)
    sealed: dict[int, int] = field(default_factory=dict)
    checkpoints: dict[int, int] = field(default_factory=dict)
    cosigned_by: dict[int, list[str]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 if everything is as sealed, 1 if not."""
        return 1 if self.faults else 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """One file's postings: how many, its tree at some sizes and at its end, what is wrong.

    `tiled` is the same over the leaves that the tiles have; the two differ from leaf `unlike` on.
    """

    count: int
    own: "Trees"
    tiled: "Trees"
    unlike: int | None
    faults: list[Fault]


Trees = tuple[dict[int, Range], Range]
"""The trees at some sizes, and the whole one; of one file, as if its first leaf were the first."""


def verify(
    bundle: Path,
    trusted: Callable[[PublicKeys], Sequence[VerifierKey]],
    kept: Iterable[str],
    witnesses: Sequence[VerifierKey],
    watcher: Watcher,
    jobs: int,
) -> Verified:
    """Verify a bundle against its own checkpoints and those that the auditor kept.

    `trusted` says which of the bundle's keys to believe, `kept` are signed notes. Raises OSError,
    BadNote for keys and kept notes that are none.
    """
    keys = trusted(read_keys(bundle / "keys"))
    found = Verified()
    kept_by = _kept(kept, keys)
    partitions = sorted(int(path.name[1:]) for path in bundle.glob("p[0-9]*"))
    for origin in kept_by.keys() - {f"{key.name}/p{p}" for key in keys for p in partitions}:
        found.faults.append(Fault("log_missing", -1, -1, f"{origin} is not in the bundle"))
    signed = {p: _signed(bundle / f"p{p}", p, keys, witnesses, found) for p in partitions}
    sizes = {p: sorted({c.size for c in (*signed[p], *_of(kept_by, keys, p))}) for p in partitions}
    tasks: list[Task] = [
        (bundle, p, begin, sizes[p], max((c.size for c in signed[p]), default=0))
        for p in partitions
        for begin in _begins(bundle, p)
    ]
    chunks: defaultdict[int, list[Chunk]] = defaultdict(list)
    for n, (task, chunk) in enumerate(zip(tasks, _each(tasks, jobs), strict=True), 1):
        chunks[task[1]].append(chunk)
        watcher(n, len(tasks))
    for p in partitions:
        _judge(p, chunks[p], signed[p], _of(kept_by, keys, p), found)
    del found.faults[_FAULTS_KEPT:]
    return found


def read_keys(folder: Path) -> PublicKeys:
    """The public keys of a bundle; raises BadNote, OSError."""
    numbers = sorted(int(path.stem) for path in folder.glob("*.vkey"))
    if not numbers:
        raise BadNote(f"no keys in {folder}")
    return PublicKeys(
        tuple(VerifierKey.parse((folder / f"{n}.vkey").read_text("utf-8")) for n in numbers),
        tuple((folder / f"{n}.rotation").read_text("utf-8") for n in numbers[1:]),
    )


def _kept(notes: Iterable[str], keys: Sequence[VerifierKey]) -> dict[str, list[Checkpoint]]:
    """The auditor's own checkpoints by log; each must be signed by a trusted key."""
    found: defaultdict[str, list[Checkpoint]] = defaultdict(list)
    for written in notes:
        origin = written.partition("\n")[0]
        note, _ = opened(written, [key.named(origin) for key in keys])
        found[origin].append(Checkpoint.parse(note.text))
    return dict(found)


def _of(
    kept: dict[str, list[Checkpoint]], keys: Sequence[VerifierKey], partition: int
) -> list[Checkpoint]:
    return kept.get(f"{keys[0].name}/p{partition}", [])


def _signed(
    folder: Path,
    partition: int,
    keys: Sequence[VerifierKey],
    witnesses: Sequence[VerifierKey],
    found: Verified,
) -> list[Checkpoint]:
    """The checkpoints of a bundle that a trusted key has signed, and one for each size."""
    origin = f"{keys[0].name}/p{partition}"
    own = [key.named(origin) for key in keys]
    by_size: dict[int, Checkpoint] = {}
    cosigned: set[str] = set()
    lines = (folder / "checkpoints.jsonl").read_text("utf-8").splitlines()
    for n, line in enumerate(lines):
        try:
            note, _ = opened(json.loads(line), own)
            said = Checkpoint.parse(note.text)
            if said.origin != origin:
                raise BadNote(f"a checkpoint of {said.origin}")
            cosigned |= {w.name for w in opened(str(note), [*own, *witnesses])[1]}
        except (BadNote, ValueError, TypeError) as error:
            found.faults.append(Fault("bad_checkpoint", partition, -1, f"line {n + 1}: {error}"))
            continue
        if by_size.setdefault(said.size, said) != said:
            detail = f"two signed trees of {said.size} postings"
            found.faults.append(Fault("split_view", partition, -1, detail))
    found.checkpoints[partition] = len(by_size)
    found.cosigned_by[partition] = sorted(cosigned - {origin})
    return [by_size[size] for size in sorted(by_size)]


def _begins(bundle: Path, partition: int) -> list[int]:
    files = (bundle / f"p{partition}").glob("postings-*.csv")
    return sorted(int(path.stem.removeprefix("postings-")) for path in files)


Task = tuple[Path, int, int, list[int], int]
"""Bundle, partition, first posting of the file, sizes of checkpoints, size that the tiles have."""


def _each(tasks: list[Task], jobs: int) -> Iterator[Chunk]:
    if jobs <= 1 or len(tasks) <= 1:
        yield from map(_chunk, tasks)
        return
    with ProcessPoolExecutor(min(jobs, len(tasks))) as pool:
        yield from pool.map(_chunk, tasks)


def _chunk(task: "Task") -> Chunk:
    """Read one file of postings with its lines and hash everything in it."""
    # No cycles are made here, and looking for some among so many rows takes a tenth of the time.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return _file(task)
    finally:
        if was_enabled:
            gc.enable()


def _file(task: "Task") -> Chunk:
    bundle, partition, begin, sizes, tile_size = task
    folder = bundle / f"p{partition}"
    checked = _Postings(partition, begin)
    csv.field_size_limit(_LIMIT)
    try:
        lines = _lines(folder / f"lines-{begin:010}.csv")
        with (folder / f"postings-{begin:010}.csv").open(encoding="utf-8", newline="") as file:
            postings = csv.reader(file)
            checked.take(next(postings, []), postings, *lines)
    except (csv.Error, IndexError, ValueError, FileNotFoundError) as error:
        checked.say("unreadable", begin, f"{type(error).__name__}: {error}")
    leaves = leaf_hashes(checked.values)
    here = [size - begin for size in sizes if begin < size <= begin + len(leaves)]
    own = tiled = _trees(leaves, here)
    unlike = None
    stored = _tile_leaves(folder, begin, len(leaves), tile_size)
    if stored is not None and stored != leaves[: len(stored)]:
        pairs = zip(stored, leaves, strict=False)
        unlike = next(i for i, (a, b) in enumerate(pairs) if a != b)
        tiled = _trees(stored, [n for n in here if n <= len(stored)])
    return Chunk(len(leaves), own, tiled, unlike, checked.faults)


class _Postings:
    """The postings of one file: their bytes, and what their columns say otherwise."""

    def __init__(self, partition: int, begin: int) -> None:
        self.partition = partition
        self.begin = begin
        self.values: list[bytes] = []
        self.faults: list[Fault] = []

    def say(self, code: str, index: int, detail: str) -> None:
        """Note a fault; beyond some, a file is bad enough."""
        if len(self.faults) < _FAULTS_OF_CHUNK:
            self.faults.append(Fault(code, self.partition, index, detail))

    def take(
        self,
        header: list[str],
        rows: Iterable[list[Cell]],
        line_header: list[str],
        lines: dict[Cell, list[Sequence[Cell]]],
    ) -> None:
        """Derive each posting from its columns and compare with its bytes."""
        unknown: list[Sequence[Cell]] = []
        layouts: dict[str, _Layout | None] = {}
        at_index, at_partition = header.index("index"), header.index("partition")
        for index, row in enumerate(rows, self.begin):
            value = _bytes(row[-1])
            self.values.append(value)
            if row[0] not in layouts:
                layouts[row[0]] = _layout(row[0], header, line_header)
            layout = layouts[row[0]]
            own = lines.pop(row[at_index], unknown)
            if layout is None:
                self.say("unknown_schema", index, row[0][:80])
                continue
            cells = layout.pick(row)
            if own and layout.pick_line is not None:
                own = [layout.pick_line(line) for line in own]
            try:
                derived = layout.form.bytes_of(cells, {"lines": own})
            except (KeyError, ValueError, OverflowError):
                derived = b""
            if derived != value:
                self.say("columns_differ", index, _unlike(layout.form, cells, own, value))
            if row[at_index] != str(index) or row[at_partition] != str(self.partition):
                there = f"posting {row[at_partition]}/{row[at_index]}"
                self.say("order_differs", index, f"{there:.80} in its place")
        for name in lines:
            index = int(name) if name.isdecimal() else -1
            self.say("stray_lines", index, "lines of a posting that is not there")


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a version's columns are in a row; `pick_line` is None where lines are just so."""

    form: Form
    pick: Callable[[Sequence[Cell]], tuple[Cell, ...]]
    pick_line: Callable[[Sequence[Cell]], tuple[Cell, ...]] | None


def _layout(title: str, header: list[str], line_header: list[str]) -> _Layout | None:
    try:
        form = titled(title)
        columns = [header.index(column.name) for column in form.columns]
        lines = [line_header.index(column.name) for column in form.parts["lines"]]
    except (KeyError, ValueError):
        return None
    as_they_are = lines == list(range(len(line_header)))
    return _Layout(form, itemgetter(*columns), None if as_they_are else itemgetter(*lines))


def _lines(path: Path) -> tuple[list[str], dict[Cell, list[Sequence[Cell]]]]:
    """The header, and posting index -> the cells of its lines, in the file's order."""
    found: dict[Cell, list[Sequence[Cell]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows, [])[1:]
        for index, *cells in rows:
            if index in found:
                found[index].append(cells)
            else:
                found[index] = [cells]
    return header, found


def _bytes(encoded: Cell) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _unlike(form: Form, cells: Sequence[Cell], lines: list[Sequence[Cell]], value: bytes) -> str:
    """Which columns do not say what the bytes say."""
    try:
        schema, raw = decode_raw(value)
    except Undecodable as error:
        return f"the bytes are no posting: {error}"
    if form_of(schema.id) != form:
        return f"the bytes are {schema.name}.v{schema.version}"
    pairs = zip(form.columns, cells, form.cells_of(raw), strict=False)
    found = [
        f"{c.name} {cell:.60} instead of {true:.60}" for c, cell, true in pairs if cell != true
    ]
    true_lines = form.part_cells("lines", raw)
    if len(lines) != len(true_lines):
        found.append(f"{len(lines)} lines instead of {len(true_lines)}")
    for line, true_line in zip(lines, true_lines, strict=False):
        for column, cell, true in zip(form.parts["lines"], line, true_line, strict=False):
            if cell != true:
                found.append(f"line {true_line[0]} {column.name} {cell:.60} instead of {true:.60}")
    return ", ".join(found)[:500] or "the bytes are not in their one form"


def _trees(leaves: list[bytes], sizes: Iterable[int]) -> Trees:
    """The trees over the first so many leaves, and over all."""
    tree, at, found = Range(), 0, {}
    for size in sorted(sizes):
        tree, at = grow(tree, leaves[at:size]).range, size
        found[size] = tree
    return found, grow(tree, leaves[at:]).range


def _tile_leaves(folder: Path, begin: int, count: int, size: int) -> list[bytes] | None:
    """The leaf hashes that the tiles have for a file's postings; None without tiles."""
    end = min(begin + count, size)
    if end <= begin or not (folder / "tile").is_dir():
        return None
    try:
        return Tiles(folder).row(0, begin, end, size)
    except (OSError, TilesDiffer):
        return None


def _judge(
    partition: int,
    chunks: list[Chunk],
    signed: list[Checkpoint],
    kept: list[Checkpoint],
    found: Verified,
) -> None:
    """Put the files' ranges together and compare them with every checkpoint."""
    count = sum(chunk.count for chunk in chunks)
    found.postings[partition] = count
    found.sealed[partition] = max((c.size for c in signed if c.size <= count), default=0)
    faults = [fault for chunk in chunks for fault in chunk.faults]
    if any(chunk.count != CHUNK for chunk in chunks[:-1]):
        faults.append(Fault("unreadable", partition, -1, "a file has fewer postings than it must"))
        found.faults += faults
        return
    own, tiled = _roots(c.own for c in chunks), _roots(c.tiled for c in chunks)
    good = 0
    for said in sorted({*signed, *kept}, key=lambda c: c.size):
        if said.size > count or own.get(said.size, Range().root) == said.root:
            good = max(good, min(said.size, count))
            continue
        at, detail = good, f"in {good} to {said.size - 1}: not the postings sealed at {said.size}"
        if tiled.get(said.size) == said.root:
            at = _first_unlike(chunks)
            detail = f"not the posting sealed at {said.size}"
        faults.append(Fault("posting_differs", partition, at, detail))
        break
    faults += _against_kept(partition, count, signed, kept)
    found.faults += sorted(faults, key=lambda fault: fault.index)


def _against_kept(
    partition: int, count: int, signed: list[Checkpoint], kept: list[Checkpoint]
) -> Iterator[Fault]:
    """Is anything gone, or told in two ways?"""
    newest = signed[-1].size if signed else 0
    by_size = {said.size: said for said in signed}
    for said in kept:
        if said.size in by_size and by_size[said.size] != said:
            detail = f"two signed trees of {said.size} postings: the one you kept, and this one"
            yield Fault("split_view", partition, -1, detail)
        if said.size > newest:
            detail = f"you kept a checkpoint of {said.size}, the newest here is of {newest}"
            yield Fault("rolled_back", partition, newest, detail)
    gone = max((said.size for said in (*signed, *kept)), default=0)
    if gone > count:
        detail = f"{count} postings, {gone} were sealed"
        yield Fault("tail_missing", partition, count, detail)


def _roots(parts: Iterable[Trees]) -> dict[int, bytes]:
    """Size -> root, over one file after the other."""
    found: dict[int, bytes] = {}
    tree = Range()
    for at_sizes, whole in parts:
        found |= {tree.size + n: joined(tree, part).root for n, part in at_sizes.items()}
        tree = joined(tree, whole)
    return found


def _first_unlike(chunks: list[Chunk]) -> int:
    """The first posting that is not the one in the tiles."""
    return next(
        n * CHUNK + chunk.unlike for n, chunk in enumerate(chunks) if chunk.unlike is not None
    )
