"""One partition's trouble is never another's, and none stands still while it has records."""

import itertools
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import lmdb
import pytest
from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient

from bench.recovery import fill
from bench.watching.positions import Positions, ends_of
from deploy.host.pidfile import read_pidfile
from schemas.topics import PARTITIONS, POSTINGS
from tests.conftest import LONG
from tests.faults.harness import PATIENCE_SECONDS, Cluster, Sender, settle, wait_until
from tests.faults.watching import GROUP, Watching

pytestmark = [pytest.mark.kafka, pytest.mark.faults]

Seen = Callable[[str], None]
TIMES = 3 if LONG else 1
PROGRESS_SECONDS = 15.0
RESTORED_ACCOUNTS = 150_000
SICK = 0
LOOKED_AT_SECONDS = 20.0 if LONG else 8.0


def test_one_three_and_one_worker_while_facts_come_in_leave_no_partition_standing(
    cluster: Cluster, sender: Sender, seed: int, seen: Seen
) -> None:
    chance, slowest = random.Random(seed), 0.0
    cluster.worker("a")
    with Watching(cluster, 1) as watching:
        # The catalogue comes first.
        watching.everyone_commits(PATIENCE_SECONDS)
        for number in range(TIMES):
            # Before they come: who is in the group already would else be taken for those before.
            watching.expect(3)
            for name in ("b", "c"):
                cluster.worker(name)
                time.sleep(chance.uniform(0, 3))
            slowest = max(slowest, watching.everyone_commits(PROGRESS_SECONDS))
            # The last two go, one in order and one not, in either order.
            first, second = chance.sample(("b", "c"), 2)
            cluster.stop(first)
            time.sleep(chance.uniform(0, 3))
            cluster.kill(second)
            watching.expect(1)
            slowest = max(slowest, watching.everyone_commits(PROGRESS_SECONDS))
            assert cluster.alive("a"), number
    assert watching.gaps.stalled == {}, cluster.words()
    seen(f"{TIMES} times 1→3→1: every partition commits within {slowest:.1f} s")
    seen(f"slowest gap {watching.gaps.slowest:.1f} s, {settle(cluster, sender)}")


@pytest.mark.skipif(not LONG, reason="a long restore takes minutes: make faults")
def test_a_second_worker_during_a_long_restore_expels_nobody(
    cluster: Cluster, sender: Sender, seed: int, seen: Seen
) -> None:
    fill(cluster.broker.bootstrap, RESTORED_ACCOUNTS)
    cluster.worker("a")
    address = cluster.broker.bootstrap
    with Positions(address, GROUP) as positions:
        wait_until(lambda: _restoring(cluster, "a"), "the first restores")
        (first,) = _members(positions)
        time.sleep(random.Random(seed).uniform(0, 1))
        cluster.worker("b")
        wait_until(lambda: len(_members(positions)) == 2, "both are in the group")
        with Watching(cluster, 2) as watching:
            took = watching.everyone_commits(90)
        both = _members(positions)
    # Who is expelled comes back under another name.
    assert first in both
    assert len(both) == 2
    seen(f"{RESTORED_ACCOUNTS:,} accounts: both work {took:.1f} s after the second had joined")
    seen(settle(cluster, sender))
    assert cluster.alive("a")
    assert cluster.alive("b")


def test_a_worker_that_is_asked_to_end_closes_its_partitions_in_order(
    cluster: Cluster, sender: Sender, seed: int, seen: Seen
) -> None:
    folder, slowest = cluster.home / "worker" / "accounts", 0.0
    cluster.worker("w0")
    for number in range(TIMES):
        with Watching(cluster, 1) as watching:
            watching.everyone_commits(PROGRESS_SECONDS if number else PATIENCE_SECONDS)
        slowest = max(slowest, cluster.stop(f"w{number}"))
        assert slowest < 10
        # An open transaction would hold up everybody who reads what is committed.
        assert _held_up(cluster.broker.bootstrap) == {}
        stores = {p: _closed(folder / str(p)) for p in range(PARTITIONS)}
        assert set(stores.values()) == {b"closed cleanly"}, stores
        cluster.worker(f"w{number + 1}")
    cluster.moves("after the last start", PROGRESS_SECONDS)
    seen(f"{TIMES} times: all partitions closed in order within {slowest:.1f} s")
    seen(settle(cluster, sender))


def test_a_partition_that_fails_does_not_slow_the_others(
    cluster: Cluster, sender: Sender, seed: int, seen: Seen
) -> None:
    folder = cluster.home / "worker" / "accounts" / str(SICK)
    folder.parent.mkdir(parents=True)
    # Where its folder should be there is a file: it cannot be opened, whoever tries.
    folder.write_bytes(b"")
    cluster.worker("w")
    with Watching(cluster, 1) as watching:
        others = [p for p in range(PARTITIONS) if p != SICK]
        # More than the first ticks: facts come once the sender has made up its history.
        wait_until(
            lambda: min(watching.committed.get(p, 0) for p in others) > 50, "the others commit"
        )
        sick = _slowest_of_the_others(watching)
        assert watching.committed[SICK] == 0
        folder.unlink()
        wait_until(lambda: watching.committed[SICK] > 0, "the one that failed goes on by itself")
        healthy = _slowest_of_the_others(watching)
    # It fails every two seconds; where the others wait for it they commit as seldom.
    assert sick < 2 * healthy + 0.5, (sick, healthy)
    seen(f"the others commit every {sick:.1f} s while one fails, every {healthy:.1f} s after")
    seen(settle(cluster, sender))


def _slowest_of_the_others(watching: Watching) -> float:
    """The longest of the others' median gaps between commits, over some time from now on."""
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > LOOKED_AT_SECONDS, "it goes on for so long")
    return max(_median_gap(watching.moved[p], began) for p in range(PARTITIONS) if p != SICK)


def _median_gap(moved: list[float], since: float) -> float:
    times = [since, *(at for at in moved if at >= since), time.monotonic()]
    return statistics.median(b - a for a, b in itertools.pairwise(times))


def _members(positions: Positions) -> frozenset[str]:
    found = positions.group()
    return found.members if found is not None and found.stable else frozenset()


def _restoring(cluster: Cluster, name: str) -> bool:
    """Does a worker say that it restores, and has not read half of any partition yet?"""
    found = read_pidfile(cluster.home / "run" / f"{name}.json")
    if found is None:
        return False
    health = httpx.get(f"http://127.0.0.1:{found[1]['port']}/health", trust_env=False).json()
    told = health["restoring"].values()
    return bool(told) and all(one["done"] * 2 < one["total"] for one in told)


def _held_up(bootstrap: str) -> dict[int, tuple[int, int]]:
    """{partition: (last stable offset, end)} of the postings where they differ."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    places = [TopicPartition(POSTINGS, p) for p in range(PARTITIONS)]
    stable = ends_of(admin, places, IsolationLevel.READ_COMMITTED)
    ends = ends_of(admin, places, IsolationLevel.READ_UNCOMMITTED)
    return {at[1]: (stable[at], end) for at, end in ends.items() if stable[at] != end}


def _closed(folder: Path) -> bytes | None:
    """What a state store says of how it was left."""
    with lmdb.open(str(folder), readonly=True, max_dbs=8, lock=False) as store:
        meta = store.open_db(b"meta", create=False)
        with store.begin(db=meta) as reading:
            found: bytes | None = reading.get(b"booted")
            return found
