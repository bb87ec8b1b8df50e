"""What fault tests share: a seed, a cluster under either time, and facts streaming in."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import LONG
from tests.faults.harness import Cluster, Sender, history, lately

RATE = 400
TIMES = ("broker", "producer") if LONG else ("broker",)
"""Whose time the facts bear: the broker's is what a deployment has unless it says otherwise."""


@pytest.fixture
def seed() -> int:
    """The run's seed, printed so that it can be repeated."""
    chosen = int(os.environ.get("SHILU_SEED", random.SystemRandom().randrange(10**6)))
    print(f"SHILU_SEED={chosen}")
    return chosen


@pytest.fixture(params=TIMES)
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    """A broker with topics, and no workers yet; under each of the two times in turn."""
    with Cluster(tmp_path, producer_time=request.param == "producer") as running:
        yield running


@pytest.fixture
def sender(cluster: Cluster, seed: int) -> Iterator[Sender]:
    """Facts streaming in for as long as the test lasts."""
    facts = history(500_000, seed) if cluster.producer_time else lately(200_000, seed)
    sending = Sender(cluster.broker.bootstrap, facts, RATE)
    sending.start()
    yield sending
    if sending.is_sending:
        sending.finish(early=True)
