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
from schemas.topics import CHECKINS, EVALUATIONS, HOURS, RECOGNITION, TRANSFERS
from streams.batch import Fetched
from streams.looker import Looker
from streams.partition import Partition

log = getLogger(__name__)

CHUNK_RECORDS = 8_000
"""Records of one transaction at most. An account is written once per transaction however many of
its events are in it, so behind a backlog long ones are cheap; otherwise they are as short as what
has come since the last."""

COMES_AFTER = {
    HOURS: (CHECKINS,),
    TRANSFERS: (CHECKINS, HOURS),
    EVALUATIONS: (CHECKINS, HOURS, TRANSFERS),
    RECOGNITION: (CHECKINS, HOURS, EVALUATIONS, TRANSFERS),
}
"""Topic -> those whose earlier records are folded first.

Kafka hands topics over in any order. Minutes do not depend on it, but behind a backlog an
evaluation or a redemption would meet a ledger without the service it is about; so would one that
another account handed over. Nothing waits for what another partition has yet to hand over: only for
records that are in this partition's log, and no topic waits for one that waits for it.
"""

BATCHES_AHEAD = 2
"""Batches that a partition may have at hand: the one it works on, and the next."""

REST_SECONDS = 0.3
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


@dataclass(slots=True)
class Rest:
    """Records of one topic-partition that wait for those that come before them.

    `seen` is how far the topics they wait for were folded then; `skipped` says that later records
    were fetched meanwhile and let go.
    """

    records: Sequence[Fetched]
    seen: tuple[int, ...]
    skipped: bool = False
    task: asyncio.Task[None] | None = None


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
        self._resting: dict[tuple[str, int], Rest] = {}
        self._room = defaultdict[int, asyncio.Semaphore](lambda: asyncio.Semaphore(BATCHES_AHEAD))
        self._running: dict[int, set[asyncio.Task[None]]] = defaultdict(set)
        self._revocations = 0
        self.open: dict[int, Partition] = {}
        self.figures = Figures()

    async def submit(
        self, topic: str, partition: int, batch: Sequence[Fetched], rest: Rest | None = None
    ) -> None:
        """Let a partition work on a fetched batch as soon as it is done with the ones before.

        Comes back at once while the partition has few of them, so that the others get theirs.
        """
        revocations, room = self._revocations, self._room[partition]
        await room.acquire()
        # What was fetched before a rebalance belongs to the past.
        if self._revocations != revocations:
            room.release()
            return

        def ended(task: asyncio.Task[None]) -> None:
            self._running[partition].discard(task)
            room.release()

        task = asyncio.create_task(self.take(topic, partition, batch, rest))
        self._running[partition].add(task)
        task.add_done_callback(ended)

    async def take(
        self, topic: str, partition: int, batch: Sequence[Fetched], rest: Rest | None = None
    ) -> None:
        """Bring a fetched or rested batch into the ledger, or arrange that it is fetched again."""
        again: int | None = None
        async with self._locks[partition]:
            try:
                again = await self._apply(topic, partition, batch, rest)
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

    async def _apply(
        self, topic: str, partition: int, batch: Sequence[Fetched], rest: Rest | None
    ) -> int | None:
        """Apply what is new in a batch; the offset to read again from if something is missing."""
        owned = self.open.get(partition)
        if owned is None:
            owned = self.open[partition] = await self._open_one(partition)
        position = owned.position(topic)
        todo = [record for record in batch if record.offset >= position]
        if todo and todo[0].offset > position:
            if (resting := self._resting.get((topic, partition))) is not None:
                resting.skipped = True
                return None
            # A hole is real where a producer's transaction markers lie; it is a lost batch where
            # Faust dropped one in a rebalance.
            first = await self._looker.first(topic, partition, position)
            if first is None or first[0] != todo[0].offset:
                return position
        ready = await self._in_order(owned, topic, todo, rest) if todo else todo
        await self._fold(owned, topic, ready)
        skipped = rest is not None and rest.skipped
        if len(ready) < len(todo):
            self._rest(topic, partition, Rest(todo[len(ready) :], _before(owned, topic), skipped))
            return None
        return owned.position(topic) if skipped else None

    async def _fold(self, owned: Partition, topic: str, ready: Sequence[Fetched]) -> None:
        for start in range(0, len(ready), CHUNK_RECORDS):
            chunk = ready[start : start + CHUNK_RECORDS]
            catalogue = await self._catalogue(owned.store.catalogue_offset)
            folded = await owned.apply(topic, chunk, catalogue, self._partitions)
            self.figures.events += len(chunk)
            self.figures.transactions += 1
            for outcome, count in folded.outcomes.items():
                self.figures.outcomes[outcome] += count

    async def _in_order(
        self, owned: Partition, topic: str, todo: Sequence[Fetched], rest: Rest | None
    ) -> Sequence[Fetched]:
        """The records before which everything is folded that was recorded earlier on the topics
        they come after.

        Where such a topic has moved on since the records came to rest, what was folded last tells
        how far; the log itself is searched only where it has not. One at a time: a topic that ends
        in the marker of a transaction never moves past it, however busy the others are.
        """
        limit: int | None = None
        for number, earlier in enumerate(COMES_AFTER.get(topic, ())):
            partition, position = owned.partition, owned.position(earlier)
            until = todo[-1].timestamp
            if await self._looker.nothing_before(earlier, partition, position, until):
                continue
            at = owned.folded_until.get(earlier, 0)
            if rest is not None and rest.seen[number] == position:
                following = await self._looker.first(earlier, partition, position)
                if following is None:
                    continue
                at = following[1]
            limit = at if limit is None else min(limit, at)
        if limit is None:
            return todo
        return list(takewhile(lambda record: record.timestamp < limit, todo))

    def _rest(self, topic: str, partition: int, rest: Rest) -> None:
        """Look at records again a little later; what is fetched behind them is let go until then.

        They are kept and not fetched again: behind a backlog they would be fetched a hundred times.
        """
        key = (topic, partition)

        async def later() -> None:
            await asyncio.sleep(REST_SECONDS)
            if self._resting.get(key) is rest:
                del self._resting[key]
                await self.submit(topic, partition, rest.records, rest)

        before = self._wake(key)
        # What was let go behind the ones before was let go behind these.
        rest.skipped = rest.skipped or (before is not None and before.skipped)
        self._resting[key] = rest
        rest.task = asyncio.create_task(later())

    def _wake(self, key: tuple[str, int]) -> Rest | None:
        """Let resting records go: they will be fetched again, or others rest in their stead."""
        rest = self._resting.pop(key, None)
        if rest is not None and rest.task is not None:
            rest.task.cancel()
        return rest

    async def revoke(self, partitions: set[int]) -> None:
        """Give partitions up in a rebalance, after the batches in flight."""
        self._revocations += 1
        for key in [key for key in self._resting if key[1] in partitions]:
            self._wake(key)
        await asyncio.gather(*(task for p in sorted(partitions) for task in self._running[p]))
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


def _before(owned: Partition, topic: str) -> tuple[int, ...]:
    """How far the topics are folded that a topic comes after."""
    return tuple(owned.position(earlier) for earlier in COMES_AFTER.get(topic, ()))
