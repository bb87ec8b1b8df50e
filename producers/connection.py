"""The one place that opens Kafka clients for writing, with the settings that keep a promise.

Trap: kafka-python tells neither an unreachable broker nor a missing topic apart from slowness, so
both are asked for before anything is sent.
"""

import socket
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, KafkaTimeoutError

from producers.errors import BrokerUnreachable, TopicMissing

_BOOTSTRAP_SECONDS = 5.0
_CONNECT_SECONDS = 2.0
_RECONNECT_MS_MAX = 1_000
_BLOCK_SECONDS = 60.0
_REQUEST_MS = 10_000

TIMESTAMP_TYPE = "message.timestamp.type"
TIMESTAMP_AHEAD = "message.timestamp.after.max.ms"


@dataclass(frozen=True, slots=True)
class TopicState:
    """An existing topic: how many partitions, and whose clock its records carry.

    `ahead_ms_max` is how far in the future the broker lets a producer's time lie.
    """

    partitions: int
    producer_time: bool
    ahead_ms_max: int


def open_producer(
    bootstrap: str,
    *,
    give_up_seconds: float,
    linger_ms: int = 0,
    block_seconds: float = _BLOCK_SECONDS,
) -> KafkaProducer:
    """An idempotent producer that waits for all replicas; raises BrokerUnreachable.

    A record that is not acknowledged within `give_up_seconds` fails, and one that cannot be handed
    over within `block_seconds`. Close it with `shut`.
    """
    if not answers(bootstrap):
        raise BrokerUnreachable(bootstrap)
    try:
        return KafkaProducer(
            bootstrap_servers=bootstrap.split(","),
            bootstrap_timeout_ms=int(_BOOTSTRAP_SECONDS * 1000),
            enable_idempotence=True,
            acks="all",
            allow_auto_create_topics=False,
            delivery_timeout_ms=int(give_up_seconds * 1000),
            request_timeout_ms=min(_REQUEST_MS, int(give_up_seconds * 1000) - linger_ms - 1),
            reconnect_backoff_max_ms=_RECONNECT_MS_MAX,
            max_block_ms=int(block_seconds * 1000),
            linger_ms=linger_ms,
            batch_size=64 * 1024,
            # Without the C extension a checksum in Python costs more than everything else
            # together; compressed, there is a sixth of the bytes to sum up.
            compression_type=None if find_spec("crc32c") else "gzip",
            metrics_enabled=False,
        )
    except (KafkaError, ValueError) as error:
        raise BrokerUnreachable(bootstrap) from error


def shut(producer: KafkaProducer, seconds: float) -> None:
    """Close, waiting at most so long for acknowledgements; what has none by then is dropped."""
    try:
        producer.close(timeout=seconds)
    except KafkaTimeoutError:
        # close() gives up half way when the flush in it does: its thread would go on sending.
        producer._sender.force_close()
        producer._sender.join(seconds + 1.0)
        producer.close(timeout=1.0)


def answers(bootstrap: str) -> bool:
    """Does anything listen at one of the addresses? Quick, and no proof of a healthy broker."""
    for address in bootstrap.split(","):
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
        except (OSError, ValueError):
            continue
        return True
    return False


@contextmanager
def open_admin(bootstrap: str) -> Iterator[Any]:
    """A KafkaAdminClient; raises BrokerUnreachable, also for what fails while it is used."""
    if not answers(bootstrap):
        raise BrokerUnreachable(bootstrap)
    try:
        with closing(
            KafkaAdminClient(
                bootstrap_servers=bootstrap.split(","),
                bootstrap_timeout_ms=int(_BOOTSTRAP_SECONDS * 1000),
                request_timeout_ms=_REQUEST_MS,
            )
        ) as admin:
            yield admin
    except (KafkaError, ValueError) as error:
        raise BrokerUnreachable(bootstrap) from error


def topic_states(bootstrap: str, topics: Iterable[str]) -> dict[str, TopicState]:
    """Those of the topics that exist; raises BrokerUnreachable."""
    wanted = list(topics)
    with open_admin(bootstrap) as admin:
        counts = {
            topic["name"]: len(topic["partitions"])
            for topic in admin.describe_topics(wanted)
            if topic["error_code"] == 0
        }
        resources = [
            ConfigResource(ConfigResourceType.TOPIC, name, [TIMESTAMP_TYPE, TIMESTAMP_AHEAD])
            for name in counts
        ]
        configs = admin.describe_configs(resources, config_filter="all") if counts else {}
    return {
        name: TopicState(
            partitions=count,
            producer_time=configs["topic"][name][TIMESTAMP_TYPE]["value"] == "CreateTime",
            ahead_ms_max=int(configs["topic"][name][TIMESTAMP_AHEAD]["value"]),
        )
        for name, count in counts.items()
    }


def require_topics(bootstrap: str, topics: Iterable[str]) -> dict[str, TopicState]:
    """The states of all the topics; raises BrokerUnreachable, or TopicMissing for the first."""
    wanted = list(topics)
    states = topic_states(bootstrap, wanted)
    for name in wanted:
        if name not in states:
            raise TopicMissing(name)
    return states
