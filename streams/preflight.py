"""What must be true of the cluster before a worker starts; found out once, said in words."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from schemas.topics import ACCOUNTS, ALL, CATALOGUE, CHECKINS, FACTS, POSTINGS, QUARANTINE
from streams.bounded import STOP_SECONDS, within

LOOK_SECONDS: Final = 30.0

NEEDED = (*FACTS, CATALOGUE, POSTINGS, ACCOUNTS, QUARANTINE)


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
    """What a worker stands on: partitions of the fact topics, and whose time their records bear."""

    partitions: int
    producer_time: bool


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
    resource = ConfigResource(ConfigResourceType.TOPIC, CHECKINS)
    answers = await admin.describe_configs([resource])
    settings = {
        entry[0]: entry[1] for answer in answers for found in answer.resources
        for entry in found[4]
    }  # fmt: skip
    producer_time = settings.get("message.timestamp.type") == "CreateTime"
    return Ground(counts[CHECKINS], producer_time)
