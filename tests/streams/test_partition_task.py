"""A partition's life in a worker: it moves by its table, waits with a bound, holds nobody up."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from schemas.topics import CHECKINS, FACTS, HOURS
from streams.kafka import bounded
from streams.kafka.bounded import Overdue, within
from streams.partitions.assignment import AssignedPartitions
from streams.partitions.fold_batch import Folded
from streams.partitions.lifecycle import MOVES, State, move
from streams.partitions.partition_task import DRAIN_SECONDS, PartitionTask
from tests.streams.test_ordering import Log, Record, log

DOCS = Path(__file__).parents[2] / "docs"


class Consumer:
    """The consumer as a partition steers it: what is paused, and where it was told to read on."""

    def __init__(self) -> None:
        self.paused: set[tuple[str, int]] = set()
        self.seeks: list[tuple[str, int, int]] = []

    def pause(self, topic: str, partition: int) -> None:
        self.paused.add((topic, partition))

    def resume(self, topic: str, partition: int) -> None:
        self.paused.discard((topic, partition))

    def seek(self, topic: str, partition: int, offset: int) -> None:
        self.seeks.append((topic, partition, offset))


@dataclass
class Place:
    """An open partition: what it folded, what it waits for, what it fails with."""

    partition: int
    folded: list[list[int]] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    may: asyncio.Event | None = None
    fails: list[Exception] = field(default_factory=list)
    closed: bool = False
    folded_until: dict[str, int] = field(default_factory=dict)
    catalogue_offset = 0

    def position(self, topic: str, /) -> int:
        return self.positions.get(topic, 0)

    @property
    def store(self) -> Any:
        return self

    async def apply(self, topic: str, chunk: list[Record], *_: object) -> Folded:
        if self.may is not None:
            await self.may.wait()
        if self.fails:
            raise self.fails.pop()
        self.positions[topic] = chunk[-1].offset + 1
        self.folded.append([record.offset for record in chunk])
        return Folded()

    async def close(self) -> None:
        self.closed = True


class Worker:
    """Assigned partitions over places that a test holds in its hands."""

    def __init__(self, *places: Place, there: Log | None = None) -> None:
        self.places = {place.partition: place for place in places}
        self.consumer = Consumer()
        self.opened: list[int] = []
        self.before_open: Callable[[int], Awaitable[None]] | None = None
        lookup: Any = there or log()
        self.assigned = AssignedPartitions(
            self._open, self._catalogue, self.consumer, lookup=lookup, partitions=8
        )

    async def _open(self, partition: int, fenced: Callable[[], None]) -> Any:
        if self.before_open is not None:
            await self.before_open(partition)
        fenced()
        self.opened.append(partition)
        return self.places[partition]

    async def _catalogue(self, _: int) -> Any:
        return None

    def task(self, partition: int) -> PartitionTask:
        return self.assigned.tasks[partition]


async def until(true: Callable[[], bool]) -> None:
    """Give way until it is so."""
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.005)


def batch(*offsets: int) -> list[Record]:
    return [Record(offset, 0) for offset in offsets]


def test_a_partition_at_work_holds_nobody_else_up_and_is_paused_instead() -> None:
    async def run() -> None:
        busy, free = Place(0, may=asyncio.Event()), Place(1)
        worker = Worker(busy, free)
        worker.assigned.assign({0, 1})
        await until(lambda: worker.opened == [0, 1])
        for offset in range(3):
            worker.assigned.submit(CHECKINS, 0, batch(offset))
        worker.assigned.submit(CHECKINS, 1, batch(0))
        await until(lambda: free.folded == [[0]])
        assert not busy.folded
        assert worker.consumer.paused == {(CHECKINS, 0)}
        assert busy.may is not None
        busy.may.set()
        await until(lambda: busy.folded == [[0], [1]])
        # The third found no room; it is read again from behind what was kept.
        await until(lambda: (CHECKINS, 0, 2) in worker.consumer.seeks)
        assert not worker.consumer.paused
        worker.assigned.submit(CHECKINS, 0, batch(2))
        await until(lambda: busy.folded == [[0], [1], [2]])
        await worker.assigned.close()
        assert busy.closed
        assert free.closed

    asyncio.run(run())


def test_a_partition_that_fails_rests_paused_and_is_opened_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.partitions.partition_task.REST_SECONDS", 0.05)

    async def run() -> None:
        failing, free = Place(0, fails=[KafkaError("aborted")]), Place(1)
        worker = Worker(failing, free)
        worker.assigned.assign({0, 1})
        await until(lambda: worker.opened == [0, 1])
        worker.assigned.submit(CHECKINS, 0, batch(0))
        await until(lambda: worker.task(0).state is State.RESTING)
        assert worker.consumer.paused == {(topic, 0) for topic in FACTS}
        assert "aborted" in worker.task(0).failure
        worker.assigned.submit(CHECKINS, 1, batch(0))
        await until(lambda: free.folded == [[0]])
        await until(lambda: worker.task(0).state is State.RUNNING)
        assert worker.consumer.seeks[-len(FACTS) :] == [(topic, 0, 0) for topic in FACTS]
        assert not worker.consumer.paused
        worker.assigned.submit(CHECKINS, 0, batch(0))
        await until(lambda: failing.folded == [[0]])
        assert worker.task(0).failure == ""
        await worker.assigned.close()

    asyncio.run(run())


def test_where_a_transaction_is_too_slow_the_next_one_is_smaller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else a machine that is slow for a while would try the same for ever."""
    monkeypatch.setattr("streams.partitions.partition_task.REST_SECONDS", 0.01)

    class Slow(Place):
        async def apply(self, topic: str, chunk: list[Record], *rest: object) -> Folded:
            if len(chunk) > 1_000:
                raise Overdue("committing: no answer within 10 s")
            return await super().apply(topic, chunk, *rest)

    async def run() -> None:
        slow = Slow(0)
        worker = Worker(slow)
        worker.assigned.assign({0})
        for opened in (1, 2, 3):
            await until(lambda at_least=opened: len(worker.opened) >= at_least)  # type: ignore[misc]
            worker.assigned.submit(CHECKINS, 0, batch(*range(4_000)))
        await until(lambda: slow.position(CHECKINS) >= 500)
        assert [len(chunk) for chunk in slow.folded[:2]] == [500, 1_000]
        await worker.assigned.close()

    asyncio.run(run())


def test_a_revocation_cancels_an_opening_and_nothing_is_opened_afterwards() -> None:
    """Else a partition that belongs to another worker by now is taken away from it."""

    async def run() -> None:
        worker, may = Worker(Place(0)), asyncio.Event()

        async def stuck(_: int) -> None:
            await may.wait()

        worker.before_open = stuck
        worker.assigned.assign({0})
        task = worker.task(0)
        await until(lambda: task.state is State.FENCING)
        async with asyncio.timeout(1):
            await worker.assigned.revoke({0})
        assert task.state is State.CLOSED
        may.set()
        await asyncio.sleep(0.05)
        assert worker.opened == []
        assert worker.assigned.tasks == {}

    asyncio.run(run())


def test_a_revocation_lets_a_transaction_in_flight_end_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.partitions.partition_task.DRAIN_SECONDS", 0.3)

    async def run() -> None:
        ends, hangs = Place(0, may=asyncio.Event()), Place(1, may=asyncio.Event())
        worker = Worker(ends, hangs)
        worker.assigned.assign({0, 1})
        await until(lambda: len(worker.opened) == 2)
        for partition in (0, 1):
            worker.assigned.submit(CHECKINS, partition, batch(0))
        await asyncio.sleep(0.05)
        assert ends.may is not None
        asyncio.get_running_loop().call_later(0.1, ends.may.set)
        async with asyncio.timeout(DRAIN_SECONDS):
            await worker.assigned.close()
        assert ends.folded == [[0]]
        assert hangs.folded == []
        assert ends.closed
        assert hangs.closed

    asyncio.run(run())


def test_what_was_dropped_in_a_rebalance_is_read_again() -> None:
    async def run() -> None:
        there = log(checkins=[0, 1, 2, 3])
        place = Place(0)
        worker = Worker(place, there=there)
        worker.assigned.assign({0})
        await until(lambda: worker.opened == [0])
        worker.assigned.submit(CHECKINS, 0, batch(2, 3))
        await until(lambda: (CHECKINS, 0, 0) in worker.consumer.seeks[len(FACTS) :])
        assert place.folded == []
        worker.assigned.submit(CHECKINS, 0, batch(0, 1, 2, 3))
        await until(lambda: place.folded == [[0, 1, 2, 3]])
        await worker.assigned.close()

    asyncio.run(run())


def test_a_log_that_is_shorter_than_the_ledger_stops_its_partition_alone_and_is_named() -> None:
    """Else the next records that come there would be taken for those that were in the ledger."""

    async def run() -> None:
        ahead, whole = Place(0, positions={CHECKINS: 3}), Place(1, positions={CHECKINS: 2})
        worker = Worker(ahead, whole, there=log(checkins=[0, 1]))
        worker.assigned.assign({0, 1})
        await until(lambda: worker.task(0).state is State.RESTING)
        assert "ends at 2, the ledger has it up to 3" in worker.task(0).failure
        assert ahead.closed
        await until(lambda: worker.task(1).state is State.RUNNING)
        await worker.assigned.close()

    asyncio.run(run())


def test_a_hole_that_the_log_has_is_none() -> None:
    """Where a producer's transaction markers lie."""

    async def run() -> None:
        there = log(checkins=[0, 1, 2])
        there.topics[CHECKINS][0].key = there.topics[CHECKINS][1].key = None
        place = Place(0)
        worker = Worker(place, there=there)
        worker.assigned.assign({0})
        worker.assigned.submit(CHECKINS, 0, batch(2))
        await until(lambda: place.folded == [[2]])
        await worker.assigned.close()

    asyncio.run(run())


def test_deferred_records_do_not_hold_their_partition_up() -> None:
    async def run() -> None:
        there = log(checkins=[10], hours=[20])
        place = Place(0)
        worker = Worker(place, there=there)
        worker.assigned.assign({0})
        worker.assigned.submit(HOURS, 0, [there.topics[HOURS][0]])
        await asyncio.sleep(0.05)
        assert place.folded == []
        place.folded_until[CHECKINS] = 10
        worker.assigned.submit(CHECKINS, 0, [there.topics[CHECKINS][0]])
        await until(lambda: place.positions == {CHECKINS: 1, HOURS: 1})
        await worker.assigned.close()

    asyncio.run(run())


def test_a_wait_has_its_bound_whatever_becomes_of_what_it_waits_for() -> None:
    """A client may swallow the cancellation; asyncio's own time-outs then wait for ever."""

    async def run() -> None:
        may_end, ended = asyncio.Event(), asyncio.Event()

        async def swallows() -> None:
            while not may_end.is_set():
                try:
                    await may_end.wait()
                except asyncio.CancelledError:
                    continue
            ended.set()

        before = bounded.abandoned_count
        async with asyncio.timeout(5):
            with pytest.raises(Overdue):
                await within(0.05, swallows(), "a client that does not stop")
            waiting = asyncio.create_task(within(60, swallows(), "one that is cancelled"))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert bounded.abandoned_count == before + 2
        may_end.set()
        await ended.wait()

    asyncio.run(run())


def test_a_partition_moves_by_the_table_that_the_docs_show() -> None:
    page = (DOCS / "worker.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.+) \|$", page, re.M)
    assert rows == [
        (before.value, after.value, why)
        for before, moves in MOVES.items()
        for after, why in moves.items()
    ]
    with pytest.raises(ValueError, match="cannot go from closed to running"):
        move(State.CLOSED, State.RUNNING)
