"""An empty trail in a folder of the test's own, and a cluster whose topics are made anew."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from consumers.kafka.reader import Log, LogError
from consumers.trail.store import Trail, open_trail
from deploy.broker.broker import Broker
from schemas.topics import ALL
from tests.conftest import create_topics
from tests.trail.running import until

TOPICS = [topic.name for topic in ALL]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "trail"


@pytest.fixture
def trail(folder: Path) -> Iterator[Trail]:
    with open_trail(folder, create=True) as opened:
        yield opened


@pytest.fixture(scope="session")
def trail_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("trail-kafka"), tied_to_parent=True) as running:
        yield running


@pytest.fixture
def cluster(trail_broker: Broker) -> Broker:
    """Faster than a broker for each test: all topics, empty."""
    make_anew(trail_broker.bootstrap, TOPICS)
    return trail_broker


def make_anew(bootstrap: str, topics: Sequence[str]) -> None:
    """Delete these topics if they are there, and create whatever is missing."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        there = set(admin.list_topics()) & set(topics)
        if there:
            admin.delete_topics(sorted(there))
        until(lambda: not there & set(admin.list_topics()), "the topics to be gone")
    finally:
        admin.close()
    until(lambda: _created(bootstrap), "the topics to be made")


def _created(bootstrap: str) -> bool:
    """Creating may be refused while a deletion still goes on."""
    try:
        create_topics(bootstrap)
    except KafkaError as error:
        if "AlreadyExists" not in type(error).__name__:
            return False
    with Log(bootstrap) as log:
        try:
            return bool(log.places(TOPICS))
        except LogError:
            return False
