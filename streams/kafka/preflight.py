"""What must be true of the cluster before a worker starts; found out once, said in words."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from schemas.topics import (
    ACCOUNTS,
    ALL,
    CATALOGUE,
    CHECKINS,
    FACTS,
    OUTPUT_BATCH_BYTES_MAX,
    POSTINGS,
    QUARANTINE,
)
from streams.kafka.bounded import STOP_SECONDS, within

LOOK_SECONDS: Final = 30.0

NEEDED = (*FACTS, CATALOGUE, POSTINGS, ACCOUNTS, QUARANTINE)


_OUTPUTS = (POSTINGS, ACCOUNTS, QUARANTINE)


class TopicMissing(Exception):
    """A topic that must exist does not; without this check the worker would wait for ever."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class PartitionsDiffer(Exception):
    """Topics that are folded together have different partition counts."""

    def __init__(self, counts: dict[str, int]) -> None:
        super().__init__(counts)
        self.counts = counts


@dataclass(frozen=True, slots=True)
class Ground:
    """What a worker stands on: partitions of the fact topics, whose time their records bear, and
    the largest batch that the broker takes on every topic that the worker writes to."""

    partitions: int
    producer_time: bool
    batch_bytes_max: int = OUTPUT_BATCH_BYTES_MAX


async def look_around(bootstrap: str) -> Ground:
    """Check the topics; raises TopicMissing, PartitionsDiffer, or KafkaError if nobody answers."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        return await within(LOOK_SECONDS, _look_around(admin), "looking at the topics")
    finally:
        with suppress(KafkaError):
            await within(STOP_SECONDS, admin.close(), "closing the admin client")


async def _look_around(admin: AIOKafkaAdminClient) -> Ground:
    await admin.start()
    known = {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics()}
    for name in NEEDED:
        if name not in known:
            raise TopicMissing(name)
    counts = {t.name: known[t.name] for t in ALL if not t.single}
    if len(set(counts.values())) > 1:
        raise PartitionsDiffer(counts)
    settings = await _settings(admin, (CHECKINS, *_OUTPUTS))
    producer_time = settings[CHECKINS].get("message.timestamp.type") == "CreateTime"
    sizes = [int(settings[name]["max.message.bytes"]) for name in _OUTPUTS]
    return Ground(counts[CHECKINS], producer_time, min(*sizes, OUTPUT_BATCH_BYTES_MAX))


async def _settings(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> dict[str, dict[str, str]]:
    """Topic -> its settings as the broker has them."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
    return {
        found[3]: {entry[0]: entry[1] for entry in found[4]}
        for answer in await admin.describe_configs(resources)
        for found in answer.resources
    }
