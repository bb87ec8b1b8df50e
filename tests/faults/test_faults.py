"""Faults on live processes: after each, nothing is lost, nothing double, every balance right.

Short in `make test`; `make faults` repeats each fault as often as the release asks for. The seed
is printed; SHILU_SEED repeats a run.
"""

import random
import time
from collections.abc import Callable

import httpx
import pytest

from deploy.pidfile import read_pidfile
from tests.conftest import LONG
from tests.faults.harness import SESSION_SECONDS, Cluster, Sender, settle, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.faults]

Seen = Callable[[str], None]
TIMES = 5 if LONG else 2
PROGRESS_SECONDS = 15.0


def test_killing_a_live_worker_loses_and_doubles_nothing(
    cluster: Cluster, sender: Sender, seed: int, seen: Seen
) -> None:
    chance = random.Random(seed)
    cluster.worker("w0")
    for number in range(TIMES):
        cluster.moves("before the kill")
        time.sleep(chance.uniform(0, 2))
        # One with two processes every other time: those end with the one that is killed.
        cluster.kill(f"w{number}")
        cluster.worker(f"w{number + 1}", processes=2 - number % 2)
    cluster.moves("after the last kill")
    seen(f"{TIMES} kills, {settle(cluster, sender)}")
    assert cluster.stop(f"w{TIMES}") < 10


def test_killing_a_live_sink_loses_and_doubles_nothing(
    cluster: Cluster, sender: Sender, seed: int, seen: Seen
) -> None:
    chance = random.Random(seed)
    cluster.worker("a")
    cluster.start("s0", "sink")
    for number in range(TIMES):
        cluster.moves("before the kill")
        wait_until(cluster.trail_owned, "the sink owns the trail")
        time.sleep(chance.uniform(0, 2))
        cluster.kill(f"s{number}")
        cluster.start(f"s{number + 1}", "sink")
    seen(f"{TIMES} kills, {settle(cluster, sender)}")
    print(cluster.reconciled())
    seen("reconcile green")
    assert cluster.stop(f"s{TIMES}") < 10


def test_restarting_the_broker_loses_and_doubles_nothing(
    cluster: Cluster, sender: Sender, seed: int, seen: Seen
) -> None:
    slowest = 0.0
    cluster.worker("a")
    cluster.worker("b")
    for number in range(TIMES if LONG else 1):
        cluster.moves("before the restart")
        if number % 2:
            cluster.broker.kill()
            cluster.broker.start()
        else:
            cluster.broker.restart()
        slowest = max(slowest, cluster.moves("after the restart"))
    seen(f"{TIMES if LONG else 1} restarts and kills, commits again within {slowest:.1f} s")
    seen(settle(cluster, sender))
    assert cluster.alive("a")
    assert cluster.alive("b")


def test_workers_paused_past_their_session_lose_and_double_nothing(
    cluster: Cluster, sender: Sender, seed: int, seen: Seen
) -> None:
    cluster.worker("a")
    cluster.worker("b")
    for _ in range(TIMES if LONG else 1):
        for name in ("a", "b"):
            cluster.moves(f"before {name} pauses")
            with cluster.paused(name):
                time.sleep(2 * SESSION_SECONDS)
                cluster.moves(f"while {name} is paused")
            cluster.moves(f"after {name} woke")
    seen(f"{2 * (TIMES if LONG else 1)} pauses of {2 * SESSION_SECONDS:g} s")
    seen(settle(cluster, sender))
    assert cluster.alive("a")
    assert cluster.alive("b")


def test_two_three_and_one_worker_share_the_partitions(
    cluster: Cluster, sender: Sender, seed: int, seen: Seen
) -> None:
    slowest = 0.0
    cluster.worker("a")
    cluster.worker("b")
    cluster.moves("with two workers")
    for _ in range(TIMES if LONG else 1):
        cluster.worker("c")
        slowest = max(slowest, cluster.moves("with three workers", PROGRESS_SECONDS))
        wait_until(lambda: _partitions(cluster, "c") > 0, "the third worker has partitions")
        cluster.moves("after the third joined", PROGRESS_SECONDS)
        for name in ("b", "c"):
            assert cluster.stop(name) < 10
        slowest = max(slowest, cluster.moves("with one worker", PROGRESS_SECONDS))
        cluster.worker("b")
        cluster.moves("with two workers again", PROGRESS_SECONDS)
    seen(f"commits again within {slowest:.1f} s, {settle(cluster, sender)}")
    assert cluster.alive("a")
    assert cluster.alive("b")


def _partitions(cluster: Cluster, name: str) -> int:
    """How many partitions a worker says it has open."""
    found = read_pidfile(cluster.home / "run" / f"{name}.json")
    if found is None:
        return 0
    health = httpx.get(f"http://127.0.0.1:{found[1]['port']}/health").json()
    return len(health["partitions"])
