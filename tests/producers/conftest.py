"""Brokers of this folder: one with the producers' time, one with its own, both with all topics."""

from collections.abc import Iterator

import pytest

from deploy.broker import Broker
from tests.conftest import create_topics


@pytest.fixture(scope="session")
def producer_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """All topics, created with `--timestamps producer`."""
    with Broker(tmp_path_factory.mktemp("producer-time"), tied_to_parent=True) as running:
        create_topics(running.bootstrap, producer_time=True)
        yield running


@pytest.fixture(scope="session")
def broker_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """All topics as they are by default."""
    with Broker(tmp_path_factory.mktemp("broker-time"), tied_to_parent=True) as running:
        create_topics(running.bootstrap, producer_time=False)
        yield running
