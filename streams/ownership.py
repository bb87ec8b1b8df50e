"""The partitions this worker owns now: opened on their first batch, dropped on any doubt.

Order and completeness are judged by the position stored with a partition's state, never by what
Faust or the consumer group remember: older records are skipped, and where records seem to be
missing the log itself is asked before anything is posted.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from logging import getLogger

from aiokafka.errors import KafkaError

from ledger.catalogue import Catalogue
from schemas.topics import CHECKINS, EVALUATIONS, HOURS
from streams.batch import Fetched
from streams.looker import Looker
from streams.partition import Partition

log = getLogger(__name__)

CHUNK_RECORDS = 2_000
"""Records of one transaction: enough to share its cost, few enough to answer quickly."""

COMES_AFTER = {HOURS: (CHECKINS,), EVALUATIONS: (CHECKINS, HOURS)}
"""Topic -> those whose earlier records are folded first.

Kafka hands topics over in any order. Minutes do not depend on it, but behind a backlog an
evaluation would meet a ledger without the service it is about.
"""

DEFER_SECONDS = 0.3
"""How long such records rest before they are looked at again."""

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
    """Opens, feeds and closes partitions; a batch and a revocation never run at the same time.

    Partitions work side by side: while one waits for its commit, another folds.
    """

    def __init__(
        self,
        open_one: Callable[[int], Awaitable[Partition]],
        catalogue: Callable[[int], Awaitable[Catalogue]],
        seek: Callable[[str, int, int], Awaitable[None]],
        *,
        looker: Looker,
        partitions: int,
    ) -> None:
        self._open_one = open_one
        self._catalogue = catalogue
        self._seek = seek
        self._looker = looker
        self._partitions = partitions
        self._locks: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._deferred: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._running: dict[int, asyncio.Task[None]] = {}
        self._revocations = 0
        self.open: dict[int, Partition] = {}
        self.figures = Figures()

    async def submit(self, topic: str, partition: int, batch: Sequence[Fetched]) -> None:
        """Let a partition work on a fetched batch as soon as it is done with the one before."""
        revocations = self._revocations
        if (running := self._running.get(partition)) is not None:
            await asyncio.shield(running)
        # What was fetched before a rebalance belongs to the past.
        if self._revocations == revocations:
            self._running[partition] = asyncio.create_task(self.take(topic, partition, batch))

    async def take(self, topic: str, partition: int, batch: Sequence[Fetched]) -> None:
        """Bring a fetched batch into the ledger, or arrange that it is fetched again."""
        again: int | None = None
        async with self._locks[partition]:
            try:
                again = await self._apply(topic, partition, batch)
            except Exception as error:
                # Fenced, aborted or unreachable: whether the transaction was committed is known
                # only to the log, so what is in memory is worth nothing now. Anything else is a
                # bug: this partition says so again and again, the others go on.
                expected = isinstance(error, KafkaError | OSError)
                log.warning("partition %s: %r; reading it again", partition, error,
                            exc_info=not expected)  # fmt: skip
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
        if todo[0].offset > position:
            if (topic, partition) in self._deferred:
                return None
            # A hole is real where a producer's transaction markers lie; it is a lost batch where
            # Faust dropped one in a rebalance.
            first = await self._looker.first(topic, partition, position)
            if first is None or first[0] != todo[0].offset:
                return position
        ready = await self._in_order(owned, topic, todo)
        for start in range(0, len(ready), CHUNK_RECORDS):
            chunk = ready[start : start + CHUNK_RECORDS]
            catalogue = await self._catalogue(owned.store.catalogue_offset)
            folded = await owned.apply(topic, chunk, catalogue, self._partitions)
            self.figures.events += len(chunk)
            self.figures.transactions += 1
            for outcome, count in folded.outcomes.items():
                self.figures.outcomes[outcome] += count
        if len(ready) < len(todo):
            self._defer(topic, partition, todo[len(ready)].offset)
        return None

    async def _in_order(
        self, owned: Partition, topic: str, todo: Sequence[Fetched]
    ) -> Sequence[Fetched]:
        """The records before which everything is folded that was recorded earlier on the topics
        they come after."""
        limit: int | None = None
        for earlier in COMES_AFTER.get(topic, ()):
            position = owned.position(earlier)
            following = await self._looker.first(earlier, owned.partition, position)
            if following is not None:
                limit = following[1] if limit is None else min(limit, following[1])
        if limit is None:
            return todo
        return list(takewhile(lambda record: record.timestamp < limit, todo))

    def _defer(self, topic: str, partition: int, offset: int) -> None:
        """Read a topic's partition again from an offset, a little later; until then it rests."""

        async def later() -> None:
            await asyncio.sleep(DEFER_SECONDS)
            self._deferred.pop((topic, partition), None)
            await self._seek(topic, partition, offset)

        self._deferred[topic, partition] = asyncio.create_task(later())

    async def revoke(self, partitions: set[int]) -> None:
        """Give partitions up in a rebalance, after the batches in flight."""
        self._revocations += 1
        running = [self._running.pop(p) for p in sorted(partitions) if p in self._running]
        await asyncio.gather(*running)
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
