"""One assigned partition at work: a task of its own that opens it, feeds it and closes it.

It moves by the table in `streams.partitions.lifecycle`. Nobody waits for it but a revocation, and
that with a bound; what it waits for itself has a bound in `streams.kafka.bounded`. Order and
completeness are judged by the position stored with the partition's state, never by what Faust or
the consumer group remember: older records are skipped, and where records seem to be missing the log
itself is asked before anything is posted.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from logging import getLogger
from typing import Final, Protocol

from aiokafka.errors import KafkaError

from ledger.catalogue.catalogue import Catalogue
from schemas.topics import FACTS
from streams.kafka.bounded import Overdue
from streams.partitions.backlog import Backlog, Deferred
from streams.partitions.fold_batch import Fetched
from streams.partitions.lifecycle import State, move
from streams.partitions.ordering import Lookup, positions_before, runnable_prefix
from streams.partitions.partition import Partition
from streams.state.accounts import Store

log = getLogger(__name__)

CHUNK_RECORDS: Final = 8_000
"""Records of one transaction at most. An account is written once per transaction however many of
its events are in it, so behind a backlog long ones are cheap; otherwise they are as short as what
has come since the last."""

CHUNK_RECORDS_MIN: Final = 60

DEFER_SECONDS: Final = 0.3
"""How long records wait before they are looked at again."""

REST_SECONDS: Final = 2.0
"""How long a partition rests after a failure before it is opened anew."""

DRAIN_SECONDS: Final = 3.0
"""How long a revocation lets a transaction in flight go on."""

CLOSE_SECONDS: Final = 3.0
"""How long it then waits for producer and state store to close."""


class LogShorter(KafkaError):  # type: ignore[misc]
    """A fact topic ends before what the ledger has of it: whatever came there next would be taken
    for something known."""

    def __init__(self, topic: str, partition: int, position: int, end: int) -> None:
        super().__init__(
            f"{topic}/{partition} ends at {end}, the ledger has it up to {position}: restore the "
            "topic from a backup, or see `shilu accept-gap`"
        )


class Flow(Protocol):
    """The consumer, as far as a partition steers it; each call comes back at once."""

    def pause(self, topic: str, partition: int) -> None: ...
    def resume(self, topic: str, partition: int) -> None: ...
    def seek(self, topic: str, partition: int, offset: int) -> None: ...


class Opening(Protocol):
    """Opens a partition; calls `fenced` once no predecessor can commit any more."""

    def __call__(self, partition: int, fenced: Callable[[], None]) -> Awaitable[Partition]: ...


@dataclass(slots=True)
class WorkerMetrics:
    """What the worker has done, for /metrics and /health."""

    events: int = 0
    transactions: int = 0
    failures: int = 0
    outcomes: dict[str, int] = field(default_factory=lambda: defaultdict(int))


class PartitionTask:
    """The life of one partition in this worker, from its assignment to its revocation."""

    def __init__(
        self,
        partition: int,
        open_one: Opening,
        catalogue: Callable[[int], Awaitable[Catalogue]],
        flow: Flow,
        lookup: Lookup,
        partitions: int,
        metrics: WorkerMetrics,
    ) -> None:
        self.partition = partition
        self.state = State.UNASSIGNED
        self.failure = ""
        """Why it rests, or rested last; empty once a transaction was committed again."""
        self.progressed_at = time.monotonic()
        """When something was last committed, or it was found that there is nothing to commit."""
        self.restoring = (0, 0)
        """Records read of those to read, while its accounts are restored."""
        self._open_one = open_one
        self._catalogue = catalogue
        self._flow = flow
        self._lookup = lookup
        self._partitions = partitions
        self._metrics = metrics
        self._backlog = Backlog()
        self._owned: Partition | None = None
        self._chunk_records = CHUNK_RECORDS
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to open it."""
        self._task = asyncio.create_task(self._run(), name=f"partition {self.partition}")

    def submit(self, topic: str, batch: Sequence[Fetched]) -> None:
        """Take a fetched batch; comes back at once, and has the consumer pause where it is much."""
        self._backlog.add(topic, batch)
        if self._backlog.is_full(topic) or self.state is State.RESTING:
            self._flow.pause(topic, self.partition)
        self._wake.set()

    def position(self, topic: str) -> int | None:
        """The next offset of a topic that is not in the ledger; None while it is not open."""
        return None if self._owned is None else self._owned.position(topic)

    @property
    def store(self) -> Store | None:
        """Its accounts; None while it is not open."""
        return None if self._owned is None else self._owned.store

    @property
    def is_idle(self) -> bool:
        """Is it open with nothing at hand?"""
        return self.state is State.RUNNING and self._backlog.is_empty

    async def stop(self) -> None:
        """Close it: after the transaction in flight, or at once where there is none."""
        task = self._task
        if task is None or task.done():
            return
        if self.state is State.RUNNING:
            self._to(State.DRAINING)
            self._wake.set()
            await asyncio.wait({task}, timeout=DRAIN_SECONDS)
        task.cancel()
        await asyncio.wait({task}, timeout=CLOSE_SECONDS)
        if not task.done():
            log.error("partition %s: still at work after its revocation", self.partition)

    def read_again(self) -> None:
        """Fetch every topic anew from where the ledger is."""
        for topic in FACTS:
            self._backlog.clear(topic)
            self._read_on(topic)

    def _to(self, state: State) -> None:
        self.state = move(self.state, state)
        log.info("partition %s: %s", self.partition, state.value)

    async def _run(self) -> None:
        try:
            while self.state is not State.DRAINING:
                try:
                    await self._open()
                    await self._serve()
                except Exception as error:
                    await self._rest(error)
        finally:
            if self.state is State.RUNNING:
                self._to(State.DRAINING)
            await self._close()
            self._to(State.CLOSED)

    async def _open(self) -> None:
        self._to(State.FENCING)
        owned = await self._open_one(self.partition, lambda: self._to(State.RESTORING))
        self._owned = owned
        ends = await self._lookup.ends((topic, self.partition) for topic in FACTS)
        for (topic, _), end in ends.items():
            if owned.position(topic) > end:
                raise LogShorter(topic, self.partition, owned.position(topic), end)
        self._to(State.RUNNING)
        for topic in FACTS:
            if self._backlog.was_dropped(topic) or not self._backlog.head(topic):
                self._read_on(topic)

    async def _rest(self, error: Exception) -> None:
        """Fenced, aborted or unreachable: whether the transaction was committed is known only to
        the log, so what is in memory is worth nothing now. Anything else is a bug: this partition
        says so again and again, the others go on."""
        if self.state is State.DRAINING:
            return
        expected = isinstance(error, KafkaError | OSError)
        log.warning(
            "partition %s: %r; opening it anew", self.partition, error, exc_info=not expected
        )
        self._to(State.RESTING)
        self.failure = f"{type(error).__name__}: {error}"[:300]
        self._metrics.failures += 1
        if isinstance(error, Overdue):
            # On a machine that is so slow a transaction of the same size would be late again.
            self._chunk_records = max(self._chunk_records // 4, CHUNK_RECORDS_MIN)
        for topic in FACTS:
            self._flow.pause(topic, self.partition)
        self._backlog.clear()
        await self._close()
        await asyncio.sleep(REST_SECONDS)

    async def _close(self) -> None:
        owned, self._owned = self._owned, None
        if owned is not None:
            try:
                await owned.close()
            except OSError as error:
                log.warning("partition %s: closing its state store: %r", self.partition, error)

    async def _serve(self) -> None:
        """Fold what comes until there is a failure, or it is to close."""
        assert self._owned is not None
        loop = asyncio.get_running_loop()
        while self.state is State.RUNNING:
            ready = self._backlog.ready(loop.time())
            for topic in ready:
                await self._fold_head(self._owned, topic)
                if self.state is not State.RUNNING:
                    return
            if not ready:
                wait = self._backlog.seconds_until_ready(loop.time())
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
            self._wake.clear()

    async def _fold_head(self, owned: Partition, topic: str) -> None:
        """Fold what may be folded of the oldest batch of a topic."""
        position = owned.position(topic)
        todo = [record for record in self._backlog.head(topic) if record.offset >= position]
        if todo and await self._is_gap(topic, position, todo[0].offset):
            self._backlog.clear(topic)
            self._read_on(topic)
            return
        runnable: Sequence[Fetched] = todo
        if todo:
            deferred = self._backlog.deferred(topic)
            seen = None if deferred is None else deferred.seen
            runnable = await runnable_prefix(owned, topic, todo, seen, self._lookup)
        done = 0
        while done < len(runnable) and self.state is State.RUNNING:
            chunk = runnable[done : done + self._chunk_records]
            await self._fold(owned, topic, chunk)
            done += len(chunk)
        if self.state is not State.RUNNING:
            return
        again = asyncio.get_running_loop().time() + DEFER_SECONDS
        deferral = Deferred(positions_before(owned, topic), again)
        self._backlog.replace_head(topic, todo[len(runnable) :], deferral)
        self._make_room(topic)

    async def _is_gap(self, topic: str, position: int, offset: int) -> bool:
        """Are records missing between the ledger and what was fetched?

        A hole is real where a producer's transaction markers lie, or where records were deleted; it
        is a lost batch where one was dropped in a rebalance.
        """
        if offset <= position:
            return False
        first = await self._lookup.first_record(topic, self.partition, position)
        return first is None or first[0] != offset

    async def _fold(self, owned: Partition, topic: str, chunk: Sequence[Fetched]) -> None:
        catalogue = await self._catalogue(owned.store.catalogue_offset)
        folded = await owned.apply(topic, chunk, catalogue, self._partitions)
        self.progressed_at, self.failure = time.monotonic(), ""
        self._chunk_records = min(self._chunk_records * 2, CHUNK_RECORDS)
        self._metrics.events += len(chunk)
        self._metrics.transactions += 1
        for outcome, count in folded.outcomes.items():
            self._metrics.outcomes[outcome] += count

    def _make_room(self, topic: str) -> None:
        """Let the consumer fetch a topic again if there is room for more."""
        if self._backlog.was_dropped(topic) and not self._backlog.is_full(topic):
            self._read_on(topic)
        elif not self._backlog.is_full(topic):
            self._flow.resume(topic, self.partition)

    def _read_on(self, topic: str) -> None:
        """Fetch a topic from behind what is at hand."""
        assert self._owned is not None
        offset = self._backlog.next_offset(topic, self._owned.position(topic))
        self._backlog.read_again(topic)
        self._flow.seek(topic, self.partition, offset)
        self._flow.resume(topic, self.partition)
