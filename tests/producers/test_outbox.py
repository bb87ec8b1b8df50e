"""The outbox keeps every event that is not acknowledged, and nothing else, whatever happens."""

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from producers.errors import EventIdTaken, OutboxInUse
from producers.outbox import Held, Outbox
from tests.small_disk import small_disk

ROOT = Path(__file__).parents[2]


def held(name: str, key: str = "v-1", value: bytes = b"x", topic: str = "t") -> Held:
    return Held(name, topic, key.encode(), value, (("ce_id", name.encode()),))


class Interleavings(RuleBasedStateMachine):
    """Any interleaving of putting, sending, acknowledging and crashing."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.crashes = 0
        self.outbox = Outbox(self.folder / "outbox.db")
        self.kept: dict[str, Held] = {}
        self.put_order: list[str] = []

    @rule(number=st.integers(0, 30), key=st.integers(0, 3), content=st.integers(0, 1))
    def put(self, number: int, key: int, content: int) -> None:
        one = held(f"e{number}", f"v-{key}", bytes([content]))
        known = self.kept.get(one.event_id)
        if known is None:
            assert self.outbox.put(one)
            self.kept[one.event_id] = one
            self.put_order.append(one.event_id)
        elif known == one:
            assert not self.outbox.put(one)
        else:
            with pytest.raises(EventIdTaken):
                self.outbox.put(one)

    @rule(acknowledged=st.sets(st.integers(0, 3)), limit=st.integers(1, 4))
    def round(self, acknowledged: set[int], limit: int) -> None:
        heads = self.outbox.heads(limit)
        gone = [one for place, one in enumerate(heads) if place in acknowledged]
        self.outbox.remove(one.event_id for one in gone)
        for one in gone:
            del self.kept[one.event_id]
            self.put_order.remove(one.event_id)

    @rule()
    def crash(self) -> None:
        """The files as they lie on disk at this moment are all that is left."""
        self.crashes += 1
        after = self.folder / f"after-{self.crashes}"
        after.mkdir()
        for file in Path(self.folder).rglob("outbox.db*"):
            if file.parent == self.home:
                shutil.copy(file, after / file.name)
        self.outbox.close()
        self.outbox = Outbox(after / "outbox.db")

    @property
    def home(self) -> Path:
        return self.folder / f"after-{self.crashes - 1}" if self.crashes > 1 else self.folder

    @invariant()
    def keeps_exactly_what_is_not_acknowledged(self) -> None:
        assert len(self.outbox) == len(self.kept)
        first: dict[bytes, Held] = {}
        for event_id in self.put_order:
            first.setdefault(self.kept[event_id].key, self.kept[event_id])
        assert self.outbox.heads(1000) == list(first.values())

    def teardown(self) -> None:
        self.outbox.close()
        shutil.rmtree(self.folder)


Interleavings.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, print_blob=True
)
test_any_interleaving_keeps_every_unacknowledged_event_and_nothing_else = Interleavings.TestCase


def test_a_head_is_the_oldest_event_of_its_key_and_nothing_overtakes_it(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    for name, key in (("a1", "a"), ("b1", "b"), ("a2", "a"), ("b2", "b")):
        outbox.put(held(name, key))
    assert [one.event_id for one in outbox.heads(10)] == ["a1", "b1"]
    outbox.remove(["b1"])
    assert [one.event_id for one in outbox.heads(10)] == ["a1", "b2"]
    outbox.close()


def test_a_missing_topic_holds_up_only_the_keys_that_go_there(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.put(held("a1", "a", topic="missing"))
    outbox.put(held("a2", "a", topic="there"))
    outbox.put(held("b1", "b", topic="there"))
    assert [one.event_id for one in outbox.heads(10, besides=["missing"])] == ["b1"]
    outbox.close()


def test_every_put_is_forced_to_disk_before_it_returns(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    mode = outbox._db.execute("PRAGMA journal_mode").fetchone()[0]
    synchronous = outbox._db.execute("PRAGMA synchronous").fetchone()[0]
    assert (mode, synchronous) == ("wal", 2)
    outbox.close()


def test_a_second_owner_is_refused_by_name(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    with pytest.raises(OutboxInUse, match=r"outbox\.db"):
        Outbox(tmp_path / "outbox.db")
    outbox.close()
    Outbox(tmp_path / "outbox.db").close()


def test_a_file_that_is_no_outbox_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").write_bytes(b"minutes of a meeting" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        Outbox(tmp_path / "outbox.db")


_PUT_UNTIL_FULL = """
import sys
from pathlib import Path
from producers.errors import OutboxFull
from producers.outbox import Held, Outbox
outbox = Outbox(Path(sys.argv[1]))
def put():
    number = len(outbox)
    outbox.put(Held(f"e-{number:06d}", "t", b"v-%d" % number, bytes(1000), ()))
try:
    while True:
        put()
except OutboxFull as error:
    print(len(outbox), error, flush=True)
try:
    outbox.remove([held.event_id for held in outbox.heads(len(outbox))])
except OutboxFull:
    pass
print(len(outbox), flush=True)
sys.stdin.readline()
put()
outbox.close()
again = Outbox(Path(sys.argv[1]))
print(*[held.event_id for held in again.heads(10**6)])
"""


def test_a_full_disk_refuses_an_event_by_name_and_loses_none_that_is_stored(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "disk", 8) as disk:
        disk.fill(free_bytes=1 << 20)
        with subprocess.Popen(
            [*disk.inside, sys.executable, "-c", _PUT_UNTIL_FULL, str(disk.mount / "outbox.db")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        ) as writer:  # fmt: skip
            assert writer.stdin is not None
            assert writer.stdout is not None
            stored, _, said = writer.stdout.readline().partition(" ")
            assert int(stored) > 10
            assert "is full; free space, then send again" in said
            # Forgetting takes room, too: all of them or none.
            assert writer.stdout.readline() in (f"{stored}\n", "0\n")
            disk.empty()
            rest, _ = writer.communicate("\n", timeout=30)
    held_now = rest.split()
    assert held_now in ([f"e-{n:06d}" for n in range(int(stored) + 1)], ["e-000000"])
