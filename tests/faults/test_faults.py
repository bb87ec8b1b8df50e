"""Faults on live processes: after each, nothing is lost, nothing double, every balance right.

Short in `make test`; `make faults` repeats each fault as often as the release asks for. The seed
is printed; SHILU_SEED repeats a run.
"""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.host.pidfile import read_pidfile
from producers.simulator.simulate import Sending
from schemas.events import ClockTicked
from schemas.posting import Posting
from schemas.topics import PARTITIONS, POSTINGS
from schemas.wire.codec import decode_output
from tests.conftest import LONG
from tests.faults.conftest import RATE
from tests.faults.harness import SESSION_SECONDS, Cluster, Sender, lately, settle, wait_until
from tests.judge import judge, read

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


def test_killing_a_live_worker_loses_and_doubles_nothing_while_its_clock_ticks(
    tmp_path: Path, seed: int, seen: Seen
) -> None:
    """As a deployment is by default: the broker's time counts, and the worker writes the ticks."""
    chance = random.Random(seed)
    with Cluster(tmp_path, producer_time=False) as cluster:
        # Days that the late window takes: what is open was open too long before it came.
        sendings = lately(500_000, seed)
        sender = Sender(cluster.broker.bootstrap, without_ticks(sendings), RATE)
        sender.start()
        cluster.worker("w0", SHILU_TICK_SECONDS="0.5")
        for number in range(TIMES):
            cluster.moves("before the kill")
            time.sleep(chance.uniform(0, 2))
            cluster.kill(f"w{number}")
            cluster.worker(f"w{number + 1}", SHILU_TICK_SECONDS="0.5")
        cluster.moves("after the last kill")
        said = wait_until(lambda: ticked(cluster), "every partition has ticks, some that close")
        seen(f"{TIMES} kills, ticks in every partition, {said:.1f} s after the last")
        sender.finish(early=True)
        found = health(cluster, f"w{TIMES}")
        assert (found["ready"], found["reasons"]) == (True, [])
        assert abs(found["clock_skew_seconds"]) < 5
        assert cluster.stop(f"w{TIMES}") < 10
        # Whatever ticked last is in the ledger once somebody has folded it, who then ticks again.
        cluster.worker("last", SHILU_TICK_SECONDS="3600")
        wait_until(lambda: cluster.behind() == 0, "the worker has caught up")
        assert judge(cluster.broker.bootstrap) == []


def without_ticks(sendings: Iterator[Sending]) -> Iterator[Sending]:
    """A history that leaves time to the worker."""
    return (each for each in sendings if not isinstance(each.event, ClockTicked))


def ticked(cluster: Cluster) -> bool:
    """Have all partitions been ticked, and has a tick closed something?"""
    postings = [decode_output(raw.value) for raw in read(cluster.broker.bootstrap, POSTINGS)]
    ticks = [p for p in postings if isinstance(p, Posting) and p.event_type == "ClockTicked"]
    closed = any(posting.reason == "no_check_out" for posting in ticks)
    return closed and len({posting.partition for posting in ticks}) == PARTITIONS


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


def health(cluster: Cluster, name: str) -> dict[str, Any]:
    """What a worker says of itself; empty before it answers."""
    found = read_pidfile(cluster.home / "run" / f"{name}.json")
    if found is None:
        return {}
    answer: dict[str, Any] = httpx.get(f"http://127.0.0.1:{found[1]['port']}/health").json()
    return answer


def _partitions(cluster: Cluster, name: str) -> int:
    """How many partitions a worker says it has open."""
    return len(health(cluster, name).get("partitions", ()))
