"""A broker that takes less than it said when the worker began: one record is left out, not all."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.errors import MessageSizeTooLargeError, UnknownError
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from deploy.broker.broker import Broker
from deploy.broker.topics_admin import describe
from ledger.catalogue.catalogue import Catalogue
from schemas.posting import Posting, Quarantined
from schemas.topics import (
    ACCOUNTS,
    CHECKINS,
    OUTPUT_BATCH_BYTES_MAX,
    PARTITIONS,
    POSTINGS,
    QUARANTINE,
)
from schemas.wire.codec import decode_output
from streams.kafka.preflight import look_around
from streams.partitions.fold_batch import partition_of
from streams.partitions.partition import Partition, open_partition
from streams.partitions.refusals import TIMES_MAX, Refusals
from tests.conftest import create_topics
from tests.drawn.histories import check_in, log, served, when
from tests.faults.harness import wait_until
from tests.judge import read
from tests.streams.test_batches import Raw, raw

HOME = 3
NAMES = [f"v{n}" for n in range(1_000) if partition_of(f"v{n}", PARTITIONS) == HOME][:3]


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of these tests."""
    with Broker(tmp_path_factory.mktemp("strict"), tied_to_parent=True) as running:
        create_topics(running.bootstrap)
        yield running


def limit(broker: Broker, topic: str, size: int) -> None:
    """Let the broker take no larger batch on a topic from now on."""
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    try:
        admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(size)})]
        )
        wait_until(lambda: _limit(broker, topic) == size, f"{size} bytes on {topic}", 15)
    finally:
        admin.close()


def _limit(broker: Broker, topic: str) -> int:
    return int(describe(broker.bootstrap)[topic].config["max.message.bytes"])


@pytest.mark.kafka
def test_the_worker_asks_what_the_broker_takes(strict: Broker) -> None:
    assert asyncio.run(look_around(strict.bootstrap)).batch_bytes_max == OUTPUT_BATCH_BYTES_MAX
    limit(strict, QUARANTINE, 500_000)
    assert asyncio.run(look_around(strict.bootstrap)).batch_bytes_max == 500_000
    limit(strict, QUARANTINE, OUTPUT_BATCH_BYTES_MAX)


@pytest.mark.kafka
def test_what_a_broker_does_not_take_is_quarantined_alone_and_all_else_is_posted(
    strict: Broker, tmp_path: Path
) -> None:
    light = [event for name in NAMES[1:] for event in served(name)]
    heavy = [check_in(NAMES[0], f"s{n}", when("09:00") + n) for n in range(60)]
    events = [*light[:2], *heavy, *light[2:]]
    records = [raw(record) for record in log(*events)]
    limit(strict, ACCOUNTS, 6_000)
    refusals, failures = Refusals(), 0

    async def opened() -> Partition:
        return await open_partition(
            HOME,
            bootstrap=strict.bootstrap,
            app_id="refusals",
            shelves=tmp_path,
            restoring=lambda *_: None,
            refusals=refusals,
        )

    async def run() -> None:
        nonlocal failures
        owned = await opened()
        while (at := owned.position(CHECKINS)) < len(records):
            # As whoever owns the partition does: after any error it is opened and read again.
            try:
                await owned.apply(CHECKINS, records[at:], Catalogue(), PARTITIONS)
            except MessageSizeTooLargeError:
                failures += 1
                await owned.close()
                owned = await opened()
        await owned.close()

    asyncio.run(asyncio.wait_for(run(), 120))
    assert failures
    postings = [decode_output(each.value) for each in read(strict.bootstrap, POSTINGS)]
    left_out = [decode_output(each.value) for each in read(strict.bootstrap, QUARANTINE)]
    posted = [p for p in postings if isinstance(p, Posting)]
    assert [p.index for p in posted] == list(range(len(posted)))
    assert {e.reason for e in left_out if isinstance(e, Quarantined)} == {"output_too_large"}
    offsets = Counter(p.source_offset for p in posted)
    offsets.update(e.source_offset for e in left_out if isinstance(e, Quarantined))
    assert offsets == Counter(range(len(records)))
    assert {p.volunteer_id for p in posted} == set(NAMES)
    assert len([p for p in posted if p.volunteer_id != NAMES[0]]) == len(light)


def tried(count: int, start: int = 0) -> list[Raw]:
    """Records of which nothing but their offsets matters."""
    return [Raw(start + n, 0, None, None) for n in range(count)]


def test_a_moments_trouble_of_the_broker_is_no_verdict_on_a_record() -> None:
    refusals, one = Refusals(), tried(1)
    for _ in range(TIMES_MAX - 1):
        refusals.refused(CHECKINS, 0, one, UnknownError())
    assert refusals.verdicts(CHECKINS, 0) == {}
    refusals.taken(CHECKINS, 0, one)
    refusals.refused(CHECKINS, 0, tried(1, 1), UnknownError())
    assert refusals.verdicts(CHECKINS, 0) == {}
    for _ in range(TIMES_MAX):
        refusals.refused(CHECKINS, 0, tried(1, 2), UnknownError())
    assert {o: why for o, (why, _) in refusals.verdicts(CHECKINS, 0).items()} == {
        2: "output_refused"
    }


def test_after_a_refusal_chunks_grow_again_and_another_partition_never_shrinks() -> None:
    refusals, chunk = Refusals(), tried(8_000)
    refusals.refused(CHECKINS, 0, chunk, MessageSizeTooLargeError())
    assert len(refusals.part(CHECKINS, 0, chunk)) == 4_000
    assert len(refusals.part(CHECKINS, 1, chunk)) == 8_000
    refusals.refused(CHECKINS, 0, chunk[:4_000], MessageSizeTooLargeError())
    assert len(refusals.part(CHECKINS, 0, chunk)) == 2_000
    for _ in range(3):
        refusals.taken(CHECKINS, 0, refusals.part(CHECKINS, 0, chunk))
    assert len(refusals.part(CHECKINS, 0, chunk)) == 8_000
