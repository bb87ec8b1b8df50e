"""What a worker stands on fails it: its disk, its clock, its sealer; and it is asked too much."""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from confluent_kafka import Producer

from consumers.kafka.reader import Log
from consumers.seal.published import unsealed
from consumers.signing import keyring
from consumers.signing.notes import Checkpoint, Note
from schemas.events import Event
from schemas.posting import Posting, Quarantined
from schemas.times import DAY, SECOND, iso_date
from schemas.topics import CHECKINS, CHECKPOINTS, PARTITIONS, POSTINGS, QUARANTINE
from schemas.wire.codec import decode_output
from streams.partitions.fold_batch import partition_of
from tests.conftest import LONG
from tests.drawn.histories import BASICS, ask, check_in, served
from tests.faults.harness import Cluster, Sender, settle, wait_until
from tests.faults.test_merges import Pen
from tests.judge import judge, read
from tests.small_disk import small_disk

pytestmark = [pytest.mark.kafka, pytest.mark.faults]

Seen = Callable[[str], None]
_Output = TypeVar("_Output", Posting, Quarantined)
TIMES = 5 if LONG else 2
DISK_MEGABYTES = 48
KEY_BYTES = 1_000_000
REQUESTS, SESSIONS = 64, 30
TICKS_WITHIN_SECONDS = 60.0

AHEAD = """
import time
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + 600
time.time_ns = lambda: _time_ns() + 600 * 10**9
"""
"""A clock ten minutes fast, for a Python process that starts with this."""


def test_killing_a_live_sealer_forks_nothing(
    cluster: Cluster, sender: Sender, seed: int, seen: Seen
) -> None:
    chance = random.Random(seed)
    cluster.worker("w")
    cluster.sealer("z0")
    before = 0
    for number in range(TIMES):
        wait_until(lambda n=before: len(_checkpoints(cluster)) > n, "something new is sealed")  # type: ignore[misc]
        time.sleep(chance.uniform(0, 1.5))
        before = len(_checkpoints(cluster))
        cluster.kill(f"z{number}")
        cluster.sealer(f"z{number + 1}")
    seen(f"{TIMES} kills, {settle(cluster, sender)}")
    wait_until(lambda: not _unsealed(cluster), "all is sealed")
    assert cluster.alive(f"z{TIMES}")
    sealed: dict[tuple[str, int], bytes] = {}
    sizes: dict[str, int] = {}
    for found in _checkpoints(cluster):
        # A tree of one size has one root, and no tree becomes smaller.
        assert sealed.setdefault((found.origin, found.size), found.root) == found.root
        assert sizes.get(found.origin, 0) <= found.size
        sizes[found.origin] = found.size
    seen(f"{len(_checkpoints(cluster))} checkpoints of {len(sizes)} trees, none forked")
    assert cluster.stop(f"z{TIMES}") < 10


def _unsealed(cluster: Cluster) -> bool:
    keys = keyring.public_keys(cluster.home / "keys").keys
    with Log(cluster.broker.bootstrap) as log:
        return any(unsealed(log, keys[0].name, keys).values())


def _checkpoints(cluster: Cluster) -> list[Checkpoint]:
    values = (raw.value.decode() for raw in read(cluster.broker.bootstrap, CHECKPOINTS))
    return [Checkpoint.parse(Note.parse(value).text) for value in values]


def test_a_worker_whose_disk_is_full_goes_on_when_there_is_space(
    cluster: Cluster, sender: Sender, seed: int, seen: Seen, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", DISK_MEGABYTES) as disk:
        cluster.worker("w", inside=disk.inside, SHILU_HOME=str(disk.mount / "home"))
        try:
            cluster.moves("before the disk is full")
            disk.fill(free_bytes=0)
            log = cluster.log_of("w")
            wait_until(lambda: "No space left" in log.read_text("utf-8", "replace"), "it says so")
            assert cluster.alive("w")
            disk.empty()
            took = cluster.moves("once there is space")
            seen(f"goes on {took:.1f} s after there is space, {settle(cluster, sender)}")
        finally:
            cluster.stop("w")


def test_a_worker_whose_clock_is_fast_does_not_stop_time(
    tmp_path: Path, seed: int, seen: Seen
) -> None:
    folder = tmp_path / "fast"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(AHEAD, "utf-8")
    # The clock ticks under the broker's time alone.
    with Cluster(tmp_path, producer_time=False) as cluster:
        pen = Pen(cluster.broker.bootstrap)
        pen.write(*BASICS)
        # Left open three days ago: it is closed by time itself.
        day = iso_date(int(time.time() * SECOND) // DAY - 3)
        pen.write(check_in("v-open", "s-open", "09:00", day))
        pen.flush()
        cluster.worker("w", PYTHONPATH=str(folder), SHILU_TICK_SECONDS="2")
        took = wait_until(lambda: _closed_by_time(cluster), "it is closed", TICKS_WITHIN_SECONDS)
        refused = [one.reason for one in _outputs(cluster, QUARANTINE, Quarantined)]
        assert refused == []
        seen(f"ten minutes ahead: what was due fell due within {took:.0f} s")


def _closed_by_time(cluster: Cluster) -> bool:
    return any(
        posting.volunteer_id == "v-open" and posting.event_type == "ClockTicked"
        for posting in _outputs(cluster, POSTINGS, Posting)
    )


def _outputs(cluster: Cluster, topic: str, kind: type[_Output]) -> list[_Output]:
    values = (decode_output(raw.value) for raw in read(cluster.broker.bootstrap, topic))
    return [value for value in values if isinstance(value, kind)]


def test_a_key_of_a_megabyte_does_not_stop_its_partition(cluster: Cluster, seen: Seen) -> None:
    pen = Pen(cluster.broker.bootstrap)
    pen.write(*BASICS)
    pen.flush()
    cluster.worker("w")
    producer = Producer(
        {
            "bootstrap.servers": cluster.broker.bootstrap,
            "message.max.bytes": 2_000_000,
            "log_level": 0,
        }
    )
    for partition in range(PARTITIONS):
        producer.produce(CHECKINS, b"x", b"k" * KEY_BYTES, partition)
    assert producer.flush(60) == 0
    took = _everybody_is_credited(cluster, pen)
    wait_until(lambda: cluster.behind() == 0, "every record is answered")
    reasons = [one.reason for one in _outputs(cluster, QUARANTINE, Quarantined)]
    assert len(reasons) == PARTITIONS
    assert judge(cluster.broker.bootstrap) == []
    seen(f"{PARTITIONS} keys of {KEY_BYTES:,} bytes quarantined; credited {took:.1f} s after")


def test_a_day_page_of_a_megabyte_does_not_stop_its_partition(cluster: Cluster, seen: Seen) -> None:
    pen = Pen(cluster.broker.bootstrap)
    pen.write(*BASICS)
    pen.flush()
    cluster.worker("w")
    for number in range(SESSIONS):
        pen.write(*_requests(number))
    pen.flush()
    took = _everybody_is_credited(cluster, pen)
    wait_until(lambda: cluster.behind() == 0, "every record is answered")
    assert judge(cluster.broker.bootstrap) == []
    seen(f"{SESSIONS * REQUESTS:,} requests of one day: others credited {took:.1f} s after")


def _requests(session: int) -> list[Event]:
    """As many requests of a volunteer for one session as a session takes, as long as can be."""

    def long(name: str) -> str:
        return name.ljust(64, "x")

    place: dict[str, Any] = {name: long(name) for name in ("activity", "project", "org", "site")}
    return [
        ask(
            long("v"),
            f"s-{session}",
            correction=long(f"c{session}-{number}-"),
            event_id=long(f"e{session}-{number}-"),
            **place,
        )
        for number in range(REQUESTS)
    ]


def _everybody_is_credited(cluster: Cluster, pen: Pen) -> float:
    """An hour of somebody in each partition counts; the seconds it took."""
    names: dict[int, str] = {}
    number = 0
    while len(names) < PARTITIONS:
        names.setdefault(partition_of(f"v-good-{number}", PARTITIONS), f"v-good-{number}")
        number += 1
    day = "2025-03-01" if cluster.producer_time else iso_date(int(time.time() * SECOND) // DAY - 1)
    for name in names.values():
        pen.write(*served(name, f"s-{name}", "09:00", "10:00", day))
    pen.flush()

    def credited() -> bool:
        there = {
            posting.volunteer_id
            for posting in _outputs(cluster, POSTINGS, Posting)
            if posting.balance_minutes == 60
        }
        return set(names.values()) <= there

    return wait_until(credited, "everybody is credited", 90.0)
