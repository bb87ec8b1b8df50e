"""A shelf is what the log says, or it is thrown away."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.posting import PartitionState, Position
from schemas.wire.codec import encode
from streams.state import restore
from streams.state import state_store as module
from streams.state.accounts import Change, InMemory, Store
from streams.state.state_store import Shelf, ShelfFailed
from streams.state.wakes import Wakes

STATE = encode(PartitionState(3, 7, 2, (Position("service.hours", 5),)))
CHANGES: list[Change] = [
    ("v-1", b"one", "900", ""),
    ("v-1/d20201", b"a day", "", ""),
    ("v-2", b"two", "", "v-1"),
    ("v-4", b"four", "0 - o/org-1 p/shelter", ""),
    ("@3", STATE, "", ""),
]


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """A shelf that follows a log and has some records."""
    made = Shelf(tmp_path / "3", 3)
    made.store().take(CHANGES, 40)
    made.follow("log-1")
    yield made
    made._env.close()


def again(shelf: Shelf, folder: Path) -> Shelf:
    """The same folder, opened by somebody else after this one ended."""
    shelf.close()
    return Shelf(folder / "3", 3)


def as_it_is(store: Store, *keys: str) -> object:
    """Everything that a store says."""
    values = [store.records.get(key) for key in keys]
    return (store.wakes, store.lent, store.next_index, store.catalogue_offset, store.positions,
            values)  # fmt: skip


KEYS = ("v-1", "v-1/d20201", "v-2", "@3", "v-3", "v-4")


def test_what_was_put_is_there_when_it_is_opened_again(shelf: Shelf, tmp_path: Path) -> None:
    in_memory = Store(3)
    in_memory.take(CHANGES)
    opened = again(shelf, tmp_path)
    assert (opened.born, opened.read_from) == ("log-1", 40)
    assert as_it_is(opened.store(), *KEYS) == as_it_is(in_memory, *KEYS)
    opened.close()


_names = st.sampled_from(["v-1", "v-2", "v-3"])
_wakes = st.sampled_from(["", "7", "8", "0", "0 - p/a", "0 9 o/a p/a", "0 9 p/b", "0 - *"])
_account = st.tuples(_names, st.binary(max_size=9), _wakes, st.just("") | _names)
_page = st.tuples(_names.map("{}/d1".format), st.binary(max_size=9), st.just(""), st.just(""))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.one_of(_account, _page), max_size=6), max_size=6))
def test_a_shelf_and_memory_say_the_same(batches: list[list[Change]]) -> None:
    with TemporaryDirectory() as folder:
        opened, in_memory = Shelf(Path(folder), 0), Store(0, InMemory())
        for number, changes in enumerate(batches):
            opened.store().take(changes, number)
            in_memory.take(changes)
        opened.follow("log")
        opened.close()
        opened = Shelf(Path(folder), 0)
        keys = [key for changes in batches for key, *_ in changes]
        assert as_it_is(opened.store(), *keys) == as_it_is(in_memory, *keys)
        opened.close()


class Read(NamedTuple):
    """A record as it is read from the log."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    offset: int = 0


_batch = st.lists(st.one_of(_account, _page), max_size=6)


@settings(max_examples=50, deadline=None)
@given(st.lists(_batch, max_size=2), st.lists(_batch, max_size=5), st.integers(1, 60))
def test_a_shelf_filled_in_the_order_of_keys_says_the_same(
    before: list[list[Change]], read: list[list[Change]], run_bytes: int
) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(restore, "RUN_BYTES", run_bytes)
        patch.setattr(module, "_FILLED_AT_ONCE", 2)
        shelf, in_memory = Shelf(Path(folder), 0), Store(0, InMemory())
        for changes in before:
            shelf.store().take(changes, 7)
            in_memory.take(changes)
            shelf.follow("log")
        run = restore._Run(shelf, b"@0", 8)
        for changes in read:
            in_memory.take(changes)
            run.take(
                [
                    Read(change[0].encode(), change[1], restore.headers_of(change, "log"))
                    for change in changes
                ]
            )
            run.put_much()
            # Until all of it is there, it is read again from where it was.
            assert shelf.read_from == (7 if before else 0)
        run.put_all()
        assert shelf.read_from == 8
        keys = [key for changes in before + read for key, *_ in changes]
        assert as_it_is(shelf.store(), *keys) == as_it_is(in_memory, *keys)
        shelf.close()


def test_a_shelf_that_follows_no_log_yet_is_empty_again(tmp_path: Path) -> None:
    half = Shelf(tmp_path / "3", 3)
    half.store().take(CHANGES, 40)
    opened = again(half, tmp_path)
    assert (opened.born, opened.read_from, opened.get("v-1")) == (None, 0, None)
    assert opened.store().wakes == Wakes()
    opened.close()


def test_whoever_opens_it_later_owns_it(shelf: Shelf, tmp_path: Path) -> None:
    # The other one is a process of its own, as a worker that thinks it still owns a partition is.
    other = "import sys; from pathlib import Path; from streams.state.state_store import Shelf; " \
            "Shelf(Path(sys.argv[1]), 3).follow('log-2')"  # fmt: skip
    subprocess.run([sys.executable, "-c", other, str(tmp_path / "3")], check=True)
    with pytest.raises(ShelfFailed, match="taken over"):
        shelf.put([("v-1", b"late", "", "")], {}, 50)
    # Nor does it say that all is well in somebody else's name.
    opened = again(shelf, tmp_path)
    assert (opened.born, opened.get("v-1")) == ("log-2", b"one")
    opened.close()


def test_after_a_power_failure_nothing_of_it_is_believed(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf._env.close()
    monkeypatch.setattr(module, "_booted", lambda: b"another boot")
    opened = Shelf(tmp_path / "3", 3)
    assert (opened.born, opened.get("v-1")) == (None, None)
    opened.close()


def test_one_closed_cleanly_outlives_a_restart_of_the_machine(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.close()
    monkeypatch.setattr(module, "_booted", lambda: b"another boot")
    opened = Shelf(tmp_path / "3", 3)
    assert (opened.born, opened.get("v-1")) == ("log-1", b"one")
    opened.close()


def test_one_that_was_opened_again_is_not_closed_cleanly_any_more(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.close()
    Shelf(tmp_path / "3", 3)._env.close()
    monkeypatch.setattr(module, "_booted", lambda: b"another boot")
    opened = Shelf(tmp_path / "3", 3)
    assert (opened.born, opened.get("v-1")) == (None, None)
    opened.close()


def test_one_whose_opening_was_cut_off_is_thrown_away(shelf: Shelf, tmp_path: Path) -> None:
    # That it is open again may not be on the disk yet, and so it must not be written to.
    shelf.close()
    opened = Shelf(tmp_path / "3", 3)
    opened._write(lambda txn: txn.put(module._BOOTED, module._BEING_OPENED, db=opened._meta))
    opened._env.close()
    opened = Shelf(tmp_path / "3", 3)
    assert (opened.born, opened.get("v-1")) == (None, None)
    opened.close()


def test_one_handed_over_goes_on_with_whoever_opens_it(shelf: Shelf, tmp_path: Path) -> None:
    shelf.hand_over()
    opened = Shelf(tmp_path / "3", 3)
    shelf.close()
    opened.put([("v-1", b"newer", "", "")], {}, 50)
    assert (opened.born, opened.get("v-1")) == ("log-1", b"newer")
    opened.close()


@pytest.mark.parametrize("left", [b"", b"no such file at all" * 1000, None])
def test_a_damaged_file_is_thrown_away(shelf: Shelf, tmp_path: Path, left: bytes | None) -> None:
    shelf.close()
    file = tmp_path / "3" / "data.mdb"
    file.write_bytes(file.read_bytes()[:5000] if left is None else left)
    opened = Shelf(tmp_path / "3", 3)
    assert opened.born is None
    opened.store().take(CHANGES, 40)
    assert opened.get("v-1") == b"one"
    opened.close()


def test_a_page_that_cannot_be_read_is_no_fault_of_a_record(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def get(self, *_: object, **__: object) -> bytes:
            raise lmdb.CorruptedError("a page of another kind")

        def abort(self) -> None: ...

    monkeypatch.setattr(shelf, "_reading", Broken())
    with pytest.raises(ShelfFailed, match="a page of another kind"):
        shelf.get("v-1")
    assert again(shelf, tmp_path).born is None


def test_it_grows_beyond_the_address_space_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAP_BYTES", 1 << 20)
    opened = Shelf(tmp_path / "3", 3)
    for number in range(40):
        opened.put([(f"v-{number}", bytes(100_000), "", "")], {}, number)
    assert all(opened.get(f"v-{number}") == bytes(100_000) for number in range(40))
    opened.close()


KILLED = """
import sys
from pathlib import Path
from streams.state.state_store import Shelf
shelf = Shelf(Path(sys.argv[1]), 3)
shelf.follow("log-1")
print("ready", flush=True)
for number in range(10**9):
    value = b"%d" % number
    names = [f"v-{n}" for n in range(20)]
    marks = {name: (str(number), "") for name in names}
    shelf.put([(name, value * 50, str(number), "") for name in names], marks, number)
    print(number, flush=True)
"""


def test_a_killed_process_leaves_whole_transactions(tmp_path: Path) -> None:
    folder = tmp_path / "3"
    worker = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert worker.stdout is not None
    for line in worker.stdout:
        if line.strip() == "300":
            os.kill(worker.pid, signal.SIGKILL)
            break
    said = [int(line) for line in worker.stdout] or [300]
    worker.wait()
    opened = Shelf(folder, 3)
    store = opened.store()
    # One more may be there than it lived to say.
    assert said[-1] <= opened.read_from <= said[-1] + 1
    value = b"%d" % opened.read_from * 50
    assert [opened.get(f"v-{n}") for n in range(20)] == [value] * 20
    assert set(store.wakes.texts.values()) == {str(opened.read_from)}
    opened.close()
