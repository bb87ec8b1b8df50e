"""Fixtures that several test folders share: a real broker, and one with topics of its own."""

import logging
from collections.abc import Iterator

import pytest
from kafka.admin import KafkaAdminClient, NewTopic

from deploy.broker import Broker
from schemas.topics import ALL, PARTITIONS, broker_config

logging.getLogger("kafka").setLevel(logging.CRITICAL)


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
