"""One partition's sealed log: dying or failing at any step never leaves two truths.

The same tree is sealed while the process dies, or a system call fails, at the first call, the
second, and so on through all of them; then it goes on as a new process would.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.seal.sealed_log import SealedLog, SealError
from consumers.seal.tiles import Tiles, TilesDiffer
from consumers.signing.notes import Checkpoint, Note, SignerKey
from ledger.merkle import ProofError, Range, grow, leaf_hashes, verify_consistency
from tests.seal.notes import LEDGER, SIGNER

KEY = SIGNER.named(f"{LEDGER}/p0")


def entries(n: int) -> list[bytes]:
    return [b"posting %d" % i for i in range(n)]


def root(n: int) -> bytes:
    return grow(Range(), leaf_hashes(entries(n))).range.root


def opened(folder: Path, key: SignerKey = KEY) -> SealedLog:
    return SealedLog(folder, key, (KEY.verifier, key.verifier))


def seal_up_to(log: SealedLog, size: int) -> Note:
    new = entries(size)[log.size :]
    log.take(new)
    return log.seal(new, size)


@given(st.lists(st.integers(1, 600), min_size=1, max_size=6))
@settings(max_examples=25, deadline=None)
def test_any_batches_and_restarts_give_the_same_tree(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int]
) -> None:
    folder, size = tmp_path_factory.mktemp("seal"), 0
    for step in steps:
        log = opened(folder)
        old, size = size, size + step
        said = Checkpoint.parse(seal_up_to(log, size).text)
        assert said == Checkpoint(KEY.name, size, root(size))
        if old:
            verify_consistency(old, size, root(old), said.root, log.proof_since(old))
    assert opened(folder).next_offset == size


def test_a_number_is_a_path_as_the_specification_has_it(tmp_path: Path) -> None:
    tiles = Tiles(tmp_path)
    found = [tiles.path(*tile).relative_to(tmp_path).as_posix()
             for tile in ((0, 5), (1, 1234067), (2, 999), (0, 1000), (0, 273, 112))]  # fmt: skip
    assert found == [
        "tile/0/005", "tile/1/x001/x234/067", "tile/2/999", "tile/0/x001/000", "tile/0/273.p/112",
    ]  # fmt: skip


def test_70_000_entries_have_the_tiles_of_the_specification(tmp_path: Path) -> None:
    log = opened(tmp_path)
    for size in (69_000, 70_000):
        seal_up_to(log, size)
    tile = tmp_path / "tile"
    found = [path.relative_to(tile).as_posix() for path in tile.rglob("*") if path.is_file()]
    full = [f"0/{n:03}" for n in range(273)] + ["1/000"]
    kept = {"0/273.p/112", "1/001.p/17", "2/000.p/1"}
    assert set(full) | kept <= set(found)
    assert set(found) - set(full) - kept == {"1/001.p/13"}  # of the size sealed before
    assert (tmp_path / "tile/0/272").stat().st_size == 8192


def test_what_was_signed_is_never_signed_otherwise(tmp_path: Path) -> None:
    seal_up_to(opened(tmp_path / "one"), 300)
    log = opened(tmp_path / "one")
    other = entries(310)
    other[305] = b"another"
    log.take(other[300:])
    with pytest.raises(SealError, match="stored_differs"):
        log.seal(entries(310)[300:], 310)
    assert (
        Checkpoint.parse(str(opened(tmp_path / "one").note).partition("\n\n")[0] + "\n").size == 300
    )


def test_a_published_checkpoint_is_kept_or_the_sealer_stops(tmp_path: Path) -> None:
    published = seal_up_to(opened(tmp_path / "one"), 300)
    lost = opened(tmp_path / "two")
    assert not lost.continues(published)
    lost.absorb(entries(200))
    lost.absorb(entries(300)[200:])
    lost.adopt(published, 300)
    assert opened(tmp_path / "two").note == published
    seal_up_to(opened(tmp_path / "two"), 301)
    assert opened(tmp_path / "two").continues(published)
    other = opened(tmp_path / "three")
    other.absorb([b"changed", *entries(300)[1:]])
    with pytest.raises(SealError, match="two_truths"):
        other.adopt(published, 300)
    ahead = opened(tmp_path / "four")
    ahead.take([b"changed", *entries(400)[1:]])
    ahead.seal([b"changed", *entries(400)[1:]], 400)
    with pytest.raises(SealError, match="two_truths"):
        ahead.continues(published)


@pytest.mark.parametrize("file", ["tile/0/001.p/44", "tile/1/000.p/1", "checkpoint"])
def test_a_flipped_bit_on_the_disk_is_found_before_anything_is_signed(
    tmp_path: Path, file: str
) -> None:
    seal_up_to(opened(tmp_path), 300)
    raw = bytearray((tmp_path / file).read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / file).write_bytes(raw)
    with pytest.raises(SealError, match="stored_differs"):
        opened(tmp_path)


def test_a_flipped_bit_in_a_full_tile_spoils_its_proofs_only(tmp_path: Path) -> None:
    """The level above has the tile's own root, so the tree stays right; no proof is given."""
    seal_up_to(opened(tmp_path), 300)
    raw = bytearray((tmp_path / "tile/0/000").read_bytes())
    raw[100] ^= 1
    (tmp_path / "tile/0/000").write_bytes(raw)
    log = opened(tmp_path)
    assert Checkpoint.parse(seal_up_to(log, 600).text).root == root(600)
    with pytest.raises(ProofError):
        verify_consistency(200, 600, root(200), root(600), log.proof_since(200))


def test_a_tile_is_never_replaced_by_another(tmp_path: Path) -> None:
    tiles = Tiles(tmp_path)
    tiles.write(0, grow(Range(), leaf_hashes(entries(300))))
    with pytest.raises(TilesDiffer):
        tiles.write(0, grow(Range(), leaf_hashes([b"x", *entries(300)[1:]])))


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it, nothing runs after it."""


@pytest.fixture
def failing(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[int, type[BaseException]], None]]:
    """Makes the n-th call of the system's that touch the disk raise something, once."""
    state: dict[str, Any] = {"left": 0, "raises": None}

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            if state["raises"] is not None:
                state["left"] -= 1
                if state["left"] == 0:
                    error, state["raises"] = state["raises"], None
                    raise error(28, "No space left on device")
            return real(*args, **named)

        return call

    monkeypatch.setattr(os, "fsync", counted(os.fsync))
    monkeypatch.setattr(Path, "open", counted(Path.open))
    monkeypatch.setattr(Path, "replace", counted(Path.replace))
    monkeypatch.setattr(Path, "mkdir", counted(Path.mkdir))
    monkeypatch.setattr(Path, "read_bytes", counted(Path.read_bytes))

    def arm(at: int, error: type[BaseException]) -> None:
        state["left"], state["raises"] = at, error

    yield arm
    state["raises"] = None


@pytest.mark.parametrize("error", [Killed, OSError])
def test_dying_or_failing_at_any_call_leaves_one_truth(
    tmp_path: Path, failing: Callable[[int, type[BaseException]], None], error: type[BaseException]
) -> None:
    """Sizes 200 → 300 (a tile becomes full); the next process meets more postings: 330."""
    died = 0
    for at in range(1, 1000):
        folder = tmp_path / str(at)
        seen = [Checkpoint.parse(seal_up_to(opened(folder), 200).text)]
        log = opened(folder)
        failing(at, error)
        try:
            seen.append(Checkpoint.parse(seal_up_to(log, 300).text))
        except (Killed, OSError, SealError):
            died += 1
        failing(0, error)
        again = opened(folder)
        assert again.note is not None
        seen.append(Checkpoint.parse(again.note.text))
        seen.append(Checkpoint.parse(seal_up_to(again, 330).text))
        assert all(said == Checkpoint(KEY.name, said.size, root(said.size)) for said in seen)
        sizes = [said.size for said in seen]
        assert sizes == sorted(sizes)
        if died < at:
            break
    print(f"{died} calls tried")
    assert died > 20


def test_a_half_written_file_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    seal_up_to(opened(tmp_path), 200)
    for half in ("tile/0/.000.half", ".checkpoint.half", "tile/0/001.p/.44.half"):
        (tmp_path / half).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / half).write_bytes(b"torn")
    assert Checkpoint.parse(seal_up_to(opened(tmp_path), 300).text).root == root(300)
