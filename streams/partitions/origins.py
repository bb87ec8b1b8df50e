"""When a record that was sent on was recorded first: what its header says, if the log bears it out.

Whoever sends a record on (a worker to the partition where its key belongs, an operator out of
quarantine) says in a header where it was. The broker stamps the copy with the time of the copying;
but the first record is in the log, with the same bytes and the time at which they came. So the
header is a place to look at and never a claim: nobody can date anything back with it.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.wire.headers import origin_of
from streams.kafka.bounded import ASK_SECONDS, stop, within
from streams.partitions.fold_batch import Fetched, Origin

_HOP_RECORDS = 2_000
"""So many records are rather read than jumped over."""
_FETCH_BYTES = 256 * 1024


class Origins:
    """Looks first records up; its connection is opened at the first question and kept."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._consumer: AIOKafkaConsumer | None = None

    async def of(self, topic: str, chunk: Sequence[Fetched], partitions: int) -> dict[int, Origin]:
        """Offset -> origin of those records of a chunk whose header the log bears out.

        `partitions` is how many the topic has. Raises KafkaError when the log cannot be read in
        time.
        """
        said: dict[int, list[tuple[int, Fetched]]] = defaultdict(list)
        for fetched in chunk:
            origin = origin_of(fetched.headers)
            if origin is not None and origin[0] < partitions:
                said[origin[0]].append((origin[1], fetched))
        if not said:
            return {}
        seconds = ASK_SECONDS + len(chunk) / 100
        try:
            return await within(seconds, self._looked_up(topic, said), f"origins on {topic}")
        except BaseException:
            await self.close()
            raise

    async def _looked_up(
        self, topic: str, said: dict[int, list[tuple[int, Fetched]]]
    ) -> dict[int, Origin]:
        consumer = self._consumer
        if consumer is None:
            consumer = self._consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap,
                isolation_level="read_committed",
                enable_auto_commit=False,
                auto_offset_reset="none",
                fetch_max_wait_ms=100,
                max_partition_fetch_bytes=_FETCH_BYTES,
            )
            await consumer.start()
        found: dict[int, Origin] = {}
        for partition in sorted(said):
            tp = TopicPartition(topic, partition)
            consumer.assign([tp])
            begin = (await consumer.beginning_offsets([tp]))[tp]
            end = (await consumer.end_offsets([tp]))[tp]
            wanted = [(at, copy) for at, copy in said[partition] if begin <= at < end]
            firsts = await _read(consumer, tp, sorted({at for at, _ in wanted}))
            for at, copy in wanted:
                if (first := firsts.get(at)) is not None and _is_first(first, copy):
                    found[copy.offset] = Origin(partition, at, first.timestamp)
        return found

    async def close(self) -> None:
        """Close the connection; one that cannot be closed in time is left alone."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await stop(consumer, "the consumer that looks origins up")


def _is_first(first: Fetched, copy: Fetched) -> bool:
    """Was the same recorded there, and before?"""
    return first.key == copy.key and first.value == copy.value and first.timestamp <= copy.timestamp


async def _read(
    consumer: AIOKafkaConsumer, tp: TopicPartition, wanted: list[int]
) -> dict[int, Any]:
    """The records at these offsets, ascending; where a marker lies there is none."""
    found: dict[int, Any] = {}
    position = -_HOP_RECORDS
    for at in wanted:
        if at >= position + _HOP_RECORDS:
            consumer.seek(tp, at)
            position = at
        while position <= at:
            fetched = await consumer.getmany(tp, timeout_ms=200)
            for record in fetched.get(tp, ()):
                found[record.offset] = record
            position = await consumer.position(tp)
    return found
