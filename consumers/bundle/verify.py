"""Verifying a bundle: are these the postings that were sealed, every one, in their order?

Each leaf is derived twice, from the typed columns and from the bytes. The hash tiles, where they
come to a signed root, name the first posting that is not the sealed one; without them only the
stretch between two checkpoints is known. Nothing of the bundle is believed but its signatures.
"""

import gc
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from consumers.bundle.file_check import Fault, File, entries_of
from consumers.seal.log_names import CHUNK, kind_of, order
from consumers.seal.tiles import Tiles, TilesDiffer
from consumers.signing.keyring import PublicKeys
from consumers.signing.notes import BadNote, Checkpoint, VerifierKey, opened
from ledger.merkle import Range, grow, joined, leaf_hashes
from schemas.wire.strictjson import loads

_FAULTS_KEPT = 100

Watcher = Callable[[int, int], None]
"""Told how many files of how many have been verified."""


@dataclass(slots=True)
class Verified:
    """What a verification found of each log."""

    entries: dict[str, int] = field(default_factory=dict)
    sealed: dict[str, int] = field(default_factory=dict)
    checkpoints: dict[str, int] = field(default_factory=dict)
    cosigned_by: dict[str, list[str]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 if everything is as sealed, 1 if not."""
        return 1 if self.faults else 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """One file's entries: how many, its tree at some sizes and at its end, what is wrong.

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
    kept_of = _kept(kept, keys)
    logs = sorted((path.name for path in bundle.iterdir() if kind_of(path.name)), key=order)
    origins = {name: f"{keys[0].name}/{name}" for name in logs}
    for origin in kept_of.keys() - set(origins.values()):
        found.faults.append(Fault("log_missing", "", -1, f"{origin} is not in the bundle"))
    kept_by = {name: kept_of.get(origin, []) for name, origin in origins.items()}
    signed = {name: _signed(bundle / name, keys, witnesses, found) for name in logs}
    tasks = [
        Task(file, sorted({c.size for c in (*signed[name], *kept_by[name])}), _newest(signed[name]))
        for name in logs
        for file in _files(bundle / name)
    ]
    chunks: defaultdict[str, list[Chunk]] = defaultdict(list)
    for n, (task, chunk) in enumerate(zip(tasks, _each(tasks, jobs), strict=True), 1):
        chunks[task.file.log].append(chunk)
        watcher(n, len(tasks))
    for name in logs:
        _judge(name, chunks[name], signed[name], kept_by[name], found)
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


def _signed(
    folder: Path,
    keys: Sequence[VerifierKey],
    witnesses: Sequence[VerifierKey],
    found: Verified,
) -> list[Checkpoint]:
    """The checkpoints of a bundle that a trusted key has signed, and one for each size."""
    log, origin = folder.name, f"{keys[0].name}/{folder.name}"
    own = [key.named(origin) for key in keys]
    by_size: dict[int, Checkpoint] = {}
    cosigned: set[str] = set()
    lines = (folder / "checkpoints.jsonl").read_text("utf-8").splitlines()
    for n, line in enumerate(lines):
        try:
            note, _ = opened(loads(line), own)
            said = Checkpoint.parse(note.text)
            if said.origin != origin:
                raise BadNote(f"a checkpoint of {said.origin}")
            cosigned |= {w.name for w in opened(str(note), [*own, *witnesses])[1]}
        except (BadNote, ValueError, TypeError) as error:
            found.faults.append(Fault("bad_checkpoint", log, -1, f"line {n + 1}: {error}"))
            continue
        if by_size.setdefault(said.size, said) != said:
            detail = f"two signed trees of {said.size} entries"
            found.faults.append(Fault("split_view", log, -1, detail))
    found.checkpoints[log] = len(by_size)
    found.cosigned_by[log] = sorted(cosigned - {origin})
    return [by_size[size] for size in sorted(by_size)]


def _newest(signed: Sequence[Checkpoint]) -> int:
    return max((said.size for said in signed), default=0)


def _files(folder: Path) -> list[File]:
    kind = kind_of(folder.name)
    assert kind is not None
    names = [path.stem for path in folder.glob(f"{kind.stem}-*.csv")]
    return [File(folder, kind, begin) for begin in sorted(int(n.rpartition("-")[2]) for n in names)]


@dataclass(frozen=True, slots=True)
class Task:
    """A file, the sizes that its log has checkpoints of, and the size that the tiles have."""

    file: File
    sizes: list[int]
    tile_size: int


def _each(tasks: list[Task], jobs: int) -> Iterator[Chunk]:
    if jobs <= 1 or len(tasks) <= 1:
        yield from map(_chunk, tasks)
        return
    with ProcessPoolExecutor(min(jobs, len(tasks))) as pool:
        yield from pool.map(_chunk, tasks)


def _chunk(task: Task) -> Chunk:
    """Read one file and hash everything in it."""
    # No cycles are made here, and looking for some among so many rows takes a tenth of the time.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return _hashed(task)
    finally:
        if was_enabled:
            gc.enable()


def _hashed(task: Task) -> Chunk:
    file, found = task.file, entries_of(task.file)
    leaves = leaf_hashes(found.values)
    here = [n - file.begin for n in task.sizes if file.begin < n <= file.begin + len(leaves)]
    own = tiled = _trees(leaves, here)
    unlike = None
    stored = _tile_leaves(file, len(leaves), task.tile_size)
    if stored is not None and stored != leaves[: len(stored)]:
        pairs = zip(stored, leaves, strict=False)
        unlike = next(i for i, (a, b) in enumerate(pairs) if a != b)
        tiled = _trees(stored, [n for n in here if n <= len(stored)])
    return Chunk(len(leaves), own, tiled, unlike, found.faults)


def _trees(leaves: list[bytes], sizes: Iterable[int]) -> Trees:
    """The trees over the first so many leaves, and over all."""
    tree, at, found = Range(), 0, {}
    for size in sorted(sizes):
        tree, at = grow(tree, leaves[at:size]).range, size
        found[size] = tree
    return found, grow(tree, leaves[at:]).range


def _tile_leaves(file: File, count: int, size: int) -> list[bytes] | None:
    """The leaf hashes that the tiles have for a file's entries; None without tiles."""
    end = min(file.begin + count, size)
    if end <= file.begin or not (file.folder / "tile").is_dir():
        return None
    try:
        return Tiles(file.folder).row(0, file.begin, end, size)
    except (OSError, TilesDiffer):
        return None


def _judge(
    log: str,
    chunks: list[Chunk],
    signed: list[Checkpoint],
    kept: list[Checkpoint],
    found: Verified,
) -> None:
    """Put the files' ranges together and compare them with every checkpoint."""
    count = sum(chunk.count for chunk in chunks)
    found.entries[log] = count
    found.sealed[log] = max((c.size for c in signed if c.size <= count), default=0)
    faults = [fault for chunk in chunks for fault in chunk.faults]
    if any(chunk.count != CHUNK for chunk in chunks[:-1]):
        faults.append(Fault("unreadable", log, -1, "a file has fewer entries than it must"))
        found.faults += faults
        return
    own, tiled = _roots(c.own for c in chunks), _roots(c.tiled for c in chunks)
    good = 0
    for said in sorted({*signed, *kept}, key=lambda c: c.size):
        if said.size > count or own.get(said.size, Range().root) == said.root:
            good = max(good, min(said.size, count))
            continue
        at, detail = good, f"in {good} to {said.size - 1}: not the entries sealed at {said.size}"
        if tiled.get(said.size) == said.root:
            at = _first_unlike(chunks)
            detail = f"not the entry sealed at {said.size}"
        faults.append(Fault("posting_differs", log, at, detail))
        break
    else:
        if _newest(signed) > count and any(chunk.unlike is not None for chunk in chunks):
            # Too few to compare with the newest root; the tiles know which one is not there.
            detail = "not the entry that the tiles have here"
            faults.append(Fault("posting_differs", log, _first_unlike(chunks), detail))
    faults += _against_kept(log, count, signed, kept)
    found.faults += sorted(faults, key=lambda fault: fault.index)


def _against_kept(
    log: str, count: int, signed: list[Checkpoint], kept: list[Checkpoint]
) -> Iterator[Fault]:
    """Is anything gone, or told in two ways?"""
    newest = signed[-1].size if signed else 0
    by_size = {said.size: said for said in signed}
    for said in kept:
        if said.size in by_size and by_size[said.size] != said:
            detail = f"two signed trees of {said.size} entries: the one you kept, and this one"
            yield Fault("split_view", log, -1, detail)
        if said.size > newest:
            detail = f"you kept a checkpoint of {said.size}, the newest here is of {newest}"
            yield Fault("rolled_back", log, newest, detail)
    gone = max((said.size for said in (*signed, *kept)), default=0)
    if gone > count:
        detail = f"{count} entries, {gone} were sealed"
        yield Fault("tail_missing", log, count, detail)


def _roots(parts: Iterable[Trees]) -> dict[int, bytes]:
    """Size -> root, over one file after the other."""
    found: dict[int, bytes] = {}
    tree = Range()
    for at_sizes, whole in parts:
        found |= {tree.size + n: joined(tree, part).root for n, part in at_sizes.items()}
        tree = joined(tree, whole)
    return found


def _first_unlike(chunks: list[Chunk]) -> int:
    """The first entry that is not the one in the tiles."""
    return next(
        n * CHUNK + chunk.unlike for n, chunk in enumerate(chunks) if chunk.unlike is not None
    )
