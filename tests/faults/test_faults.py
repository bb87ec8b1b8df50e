"""Faults on live processes: after each, nothing is lost, nothing double, every balance right.

Short in `make test`; `make faults` repeats each fault as often as the release asks for. The seed
is printed; SHILU_SEED repeats a run.
"""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.pidfile import read_pidfile
from tests.faults.harness import SESSION_SECONDS, Cluster, Sender, history, wait_until
from tests.judge import judge

pytestmark = [pytest.mark.kafka, pytest.mark.faults]

LONG = os.environ.get("SHILU_FAULTS") == "long"
TIMES = 5 if LONG else 2
RATE = 400
PROGRESS_SECONDS = 15.0


@pytest.fixture
def seed() -> int:
    """The run's seed, printed so that it can be repeated."""
    chosen = int(os.environ.get("SHILU_SEED", random.SystemRandom().randrange(10**6)))
    print(f"SHILU_SEED={chosen}")
    return chosen


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A broker with topics, and no workers yet."""
    with Cluster(tmp_path) as running:
        yield running


@pytest.fixture
def sender(cluster: Cluster, seed: int) -> Iterator[Sender]:
    """Facts streaming in for as long as the test lasts."""
    sending = Sender(cluster.broker.bootstrap, history(500_000, seed), RATE)
    sending.start()
    yield sending
    if sending._thread.is_alive():
        sending.finish(early=True)


def settle(cluster: Cluster, sender: Sender) -> None:
    """Stop sending, let the workers catch up, and judge."""
    sender.finish(early=True)
    wait_until(lambda: cluster.behind() == 0, "the workers have caught up")
    assert judge(cluster.broker.bootstrap) == []
    print(f"{sender.sent} records sent, none lost, none double")


def test_killing_a_live_worker_loses_and_doubles_nothing(
    cluster: Cluster, sender: Sender, seed: int
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
    settle(cluster, sender)
    assert cluster.stop(f"w{TIMES}") < 10


def test_killing_a_live_sink_loses_and_doubles_nothing(
    cluster: Cluster, sender: Sender, seed: int
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
    settle(cluster, sender)
    print(cluster.reconciled())
    assert cluster.stop(f"s{TIMES}") < 10


def test_restarting_the_broker_loses_and_doubles_nothing(cluster: Cluster, sender: Sender) -> None:
    cluster.worker("a")
    cluster.worker("b")
    for number in range(TIMES if LONG else 1):
        cluster.moves("before the restart")
        if number % 2:
            cluster.broker.kill()
            cluster.broker.start()
        else:
            cluster.broker.restart()
        cluster.moves("after the restart")
    settle(cluster, sender)
    assert cluster.alive("a")
    assert cluster.alive("b")


def test_workers_paused_past_their_session_lose_and_double_nothing(
    cluster: Cluster, sender: Sender
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
    settle(cluster, sender)
    assert cluster.alive("a")
    assert cluster.alive("b")


def test_two_three_and_one_worker_share_the_partitions(cluster: Cluster, sender: Sender) -> None:
    cluster.worker("a")
    cluster.worker("b")
    cluster.moves("with two workers")
    for _ in range(TIMES if LONG else 1):
        cluster.worker("c")
        took = cluster.moves("with three workers", PROGRESS_SECONDS)
        print(f"three workers: progress after {took:.1f} s")
        wait_until(lambda: _partitions(cluster, "c") > 0, "the third worker has partitions")
        cluster.moves("after the third joined", PROGRESS_SECONDS)
        for name in ("b", "c"):
            assert cluster.stop(name) < 10
        took = cluster.moves("with one worker", PROGRESS_SECONDS)
        print(f"one worker: progress after {took:.1f} s")
        cluster.worker("b")
        cluster.moves("with two workers again", PROGRESS_SECONDS)
    settle(cluster, sender)
    assert cluster.alive("a")
    assert cluster.alive("b")


def _partitions(cluster: Cluster, name: str) -> int:
    """How many partitions a worker says it has open."""
    found = read_pidfile(cluster.home / "run" / f"{name}.json")
    if found is None:
        return 0
    health = httpx.get(f"http://127.0.0.1:{found[1]['port']}/health").json()
    return len(health["partitions"])
