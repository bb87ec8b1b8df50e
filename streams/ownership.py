"""The partitions this worker owns now: opened on their first batch, dropped on any doubt.

Order and completeness are judged by the position stored with a partition's state, never by what
Faust or the consumer group remember: older records are skipped, and where records seem to be
missing the log itself is asked before anything is posted.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from logging import getLogger

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from ledger.catalogue import Catalogue
from streams.batch import Fetched
from streams.partition import Partition

log = getLogger(__name__)

CHUNK_RECORDS = 2_000
"""Records of one transaction: enough to share its cost, few enough to answer quickly."""

RETRY_SECONDS = 2.0
"""How long a partition rests after a failed transaction before its batch is read again."""


@dataclass(slots=True)
class Figures:
    """What the worker has done, for /metrics and /health."""

    events: int = 0
    transactions: int = 0
    failures: int = 0
    outcomes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    restoring: dict[int, tuple[int, int]] = field(default_factory=dict)


class Ownership:
    """Opens, feeds and closes partitions; a batch and a revocation never run at the same time."""

    def __init__(
        self,
        open_one: Callable[[int], Awaitable[Partition]],
        catalogue: Callable[[int], Awaitable[Catalogue]],
        seek: Callable[[str, int, int], Awaitable[None]],
        *,
        bootstrap: str,
        partitions: int,
    ) -> None:
        self._open_one = open_one
        self._catalogue = catalogue
        self._seek = seek
        self._bootstrap = bootstrap
        self._partitions = partitions
        self._locks: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.open: dict[int, Partition] = {}
        self.figures = Figures()

    async def take(self, topic: str, partition: int, batch: Sequence[Fetched]) -> None:
        """Bring a fetched batch into the ledger, or arrange that it is fetched again."""
        again: int | None = None
        async with self._locks[partition]:
            try:
                again = await self._apply(topic, partition, batch)
            except (KafkaError, OSError) as error:
                # Fenced, aborted or unreachable: whether the transaction was committed is known
                # only to the log, so what is in memory is worth nothing now.
                log.warning("partition %s: %r; reading it again", partition, error)
                self.figures.failures += 1
                await self._drop(partition)
                again = batch[0].offset
                await asyncio.sleep(RETRY_SECONDS)
        if again is not None:
            await self._seek(topic, partition, again)

    async def _apply(self, topic: str, partition: int, batch: Sequence[Fetched]) -> int | None:
        """Apply what is new in a batch; the offset to read again from if something is missing."""
        owned = self.open.get(partition)
        if owned is None:
            owned = self.open[partition] = await self._open_one(partition)
        position = owned.position(topic)
        todo = [record for record in batch if record.offset >= position]
        if not todo:
            return None
        if todo[0].offset > position and todo[0].offset != await self._next(
            topic, partition, position
        ):
            return position
        for start in range(0, len(todo), CHUNK_RECORDS):
            chunk = todo[start : start + CHUNK_RECORDS]
            catalogue = await self._catalogue(owned.store.catalogue_offset)
            folded = await owned.apply(topic, chunk, catalogue, self._partitions)
            self.figures.events += len(chunk)
            self.figures.transactions += 1
            for outcome, count in folded.outcomes.items():
                self.figures.outcomes[outcome] += count
        return None

    async def _next(self, topic: str, partition: int, position: int) -> int:
        """The offset of the first record that the log shows at or after a position.

        A hole is real where a producer's transaction markers lie; it is a batch lost on the way
        when Faust dropped it in a rebalance.
        """
        tp = TopicPartition(topic, partition)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            consumer.assign([tp])
            consumer.seek(tp, position)
            record = await asyncio.wait_for(consumer.getone(tp), 30)
        except TimeoutError:
            return -1
        finally:
            await consumer.stop()
        return int(record.offset)

    async def revoke(self, partitions: set[int]) -> None:
        """Give partitions up in a rebalance, after the batch in flight."""
        for partition in sorted(partitions):
            async with self._locks[partition]:
                await self._drop(partition)

    async def _drop(self, partition: int) -> None:
        owned = self.open.pop(partition, None)
        if owned is None:
            return
        try:
            await owned.close()
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("partition %s: closing its producer: %r", partition, error)
