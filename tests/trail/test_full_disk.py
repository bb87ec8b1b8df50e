"""A disk that fills up under the trail: the sink says so and waits; no row is lost or doubled."""

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from consumers.api.trail_client import At, Opened
from consumers.kafka.reader import Log
from consumers.reconcile.reconcile import reconcile
from consumers.trail.disk_guard import ROOM_BYTES
from consumers.trail.rows import arrow, rows_of
from consumers.trail.store import Trail, TrailError, open_trail
from deploy.broker.broker import Broker
from tests.small_disk import small_disk
from tests.trail.book import Book, random_book
from tests.trail.fill import Sender
from tests.trail.lights.test_reconcile import Watching
from tests.trail.running import environment, health, shilu, until
from tests.trail.test_sink import counts, expected


@pytest.mark.kafka
@pytest.mark.faults
def test_a_sink_on_a_full_disk_says_so_waits_and_then_misses_nothing(
    cluster: Broker, tmp_path: Path, seen: Callable[[str], None]
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    book, sender = random_book(random.Random(seed), 400), Sender(cluster.bootstrap)
    sender.send(book)
    with small_disk(tmp_path / "disk", ROOM_BYTES // (1 << 20) + 100) as disk:
        # The owner's file is read from outside, where the disk has another name.
        home, outside = disk.mount / "home", disk.seen_from_outside / "home"
        log = tmp_path / "sink.log"
        with log.open("wb") as said:
            sink = subprocess.Popen(
                [*disk.inside, sys.executable, "-m", "deploy.cli", "sink"],
                env=environment(home, cluster.bootstrap), stdout=said, stderr=said,
            )  # fmt: skip
        try:
            until(lambda: (health(outside) or {}).get("state") == "green", "green")
            disk.fill(free_bytes=ROOM_BYTES - (20 << 20))
            for n in range(40):
                book.serve("v-0", f"late-{n}")
            sender.send(book)
            until(lambda: (health(outside) or {}).get("state") == "red", "the light to turn red")
            found = health(outside) or {}
            assert [fault["code"] for fault in found["faults"]] == ["trail_full"]
            assert sink.poll() is None
            disk.empty()
            until(lambda: (health(outside) or {}).get("state") == "green", "green again")
            sink.terminate()
            assert sink.wait(20) == 0
        finally:
            sink.kill()
            sink.wait()
        text = log.read_text("utf-8")
        assert text.count("磁盘已满,请腾出 256 MiB / the disk is full, free 256 MiB") == 1
        assert "trail_full: no longer" in text
        # To the same path on the disk below, as the trail has links of its own.
        shutil.copytree(At(outside).folder, At(home).folder, symlinks=True)
    with open_trail(At(home).folder) as trail:
        assert counts(trail) == expected(book)
        with Log(cluster.bootstrap) as reading:
            report = reconcile(Opened(trail), reading, Watching())
    assert (report.state, report.differences) == ("green", [])
    seen(f"red while full, green by itself after; no row missing or double (seed {seed})")


def one_event(trail: Trail, book: Book, number: int) -> None:
    book.serve("v-1", f"s-{number}")
    rows = [row for table, row in rows_of(book.inputs[-1]) if table == "event"]
    trail.insert("event", arrow("event", rows), f"event/{number}")


def cut_short(trail: Trail) -> None:
    """Do to the trail's newest part what a full disk does to it, see consumers.trail.disk_guard."""
    (part,) = trail.query(
        "SELECT path FROM system.parts WHERE active AND database = 'shilu' AND table = 'event' "
        "ORDER BY modification_time DESC, max_block_number DESC LIMIT 1"
    )
    (marks,) = Path(part["path"]).glob("data.cmrk*")
    marks.write_bytes(b"")


def test_rows_that_a_full_disk_has_swallowed_are_missed_at_the_next_insert(trail: Trail) -> None:
    book = Book()
    one_event(trail, book, 1)
    cut_short(trail)
    assert trail._room is not None
    trail._room.refused()
    with pytest.raises(TrailError) as raised:
        one_event(trail, book, 2)
    assert raised.value.code == "trail_damaged"


def test_after_a_refusal_whole_parts_are_read_and_the_trail_goes_on(trail: Trail) -> None:
    book = Book()
    one_event(trail, book, 1)
    assert trail._room is not None
    trail._room.refused()
    one_event(trail, book, 2)
    one_event(trail, book, 3)
    assert trail.query("SELECT count() AS n FROM event") == [{"n": 3}]


def test_a_trail_that_misses_rows_gives_no_answer_but_the_way_out(tmp_path: Path) -> None:
    with open_trail(At(tmp_path).folder, create=True) as trail:
        one_event(trail, Book(), 1)
        cut_short(trail)
    done = shilu(tmp_path, "127.0.0.1:1", "total", "v-1")
    assert done.returncode == 1
    assert "move it away and start `shilu sink`" in done.stderr
    assert "Traceback" not in done.stderr
