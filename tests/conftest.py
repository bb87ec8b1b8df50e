"""Fixtures that several test folders share: a real broker, and one with topics of its own."""

import importlib.machinery
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if os.environ.get("SHILU_PLAIN"):
    # Before anything of ours is imported: the sources count, also where they are compiled.
    for _folder in ("schemas", "ledger", "streams"):
        _path = str(Path(__file__).parent.parent / _folder)
        sys.path_importer_cache[_path] = importlib.machinery.FileFinder(
            _path, (importlib.machinery.SourceFileLoader, [".py"])
        )

from kafka.admin import KafkaAdminClient, NewTopic

from deploy.broker import Broker
from deploy.compiled import require_fresh
from schemas.topics import ALL, PARTITIONS, broker_config

logging.getLogger("kafka").setLevel(logging.CRITICAL)
if not os.environ.get("SHILU_PLAIN"):
    require_fresh()


def create_topics(bootstrap: str, *, producer_time: bool = True) -> None:
    """All topics of the contract, with the producers' time unless said otherwise."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics(
            [
                NewTopic(
                    name=topic.name,
                    num_partitions=1 if topic.single else PARTITIONS,
                    replication_factor=1,
                    topic_configs=broker_config(topic, producer_time=producer_time),
                )
                for topic in ALL
            ]
        )
    finally:
        admin.close()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A running broker for the whole session, without topics."""
    with Broker(tmp_path_factory.mktemp("kafka"), tied_to_parent=True) as running:
        yield running


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of the test's own, with all topics under the producers' time."""
    with Broker(tmp_path_factory.mktemp("cluster"), tied_to_parent=True) as running:
        create_topics(running.bootstrap)
        yield running
