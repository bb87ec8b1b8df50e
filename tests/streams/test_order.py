"""What comes after what in one partition: facts of recognition after the service they rest on."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from schemas.topics import CHECKINS, EVALUATIONS, HOURS, RECOGNITION, TRANSFERS
from streams.batch import Folded
from streams.ownership import COMES_AFTER, Ownership, Rest


@dataclass
class Record:
    """A record of the log; None for a key means the marker of a transaction."""

    offset: int
    timestamp: int
    key: bytes | None = b"v1"
    value: bytes | None = b""


@dataclass
class Log:
    """One partition's topics, asked as the broker answers: markers have offsets and no records.

    It is also the open partition: `folded` is how many offsets of a topic are in the ledger.
    """

    topics: dict[str, list[Record]]
    folded: dict[str, int] = field(default_factory=dict)
    folded_until: dict[str, int] = field(default_factory=dict)
    partition: int = 0

    def position(self, topic: str) -> int:
        return self.folded.get(topic, 0)

    def fold(self, topic: str, count: int = 1) -> None:
        for record in self.topics[topic][self.position(topic) :][:count]:
            self.folded[topic] = record.offset + 1
            self.folded_until[topic] = record.timestamp

    async def first(self, topic: str, _: int, offset: int) -> tuple[int, int] | None:
        later = [r for r in self.topics.get(topic, []) if r.offset >= offset and r.key is not None]
        return (later[0].offset, later[0].timestamp) if later else None

    async def nothing_before(self, topic: str, _: int, offset: int, timestamp: int) -> bool:
        records = self.topics.get(topic, [])
        if offset >= len(records):
            return True
        young = [r.offset for r in records if r.timestamp >= timestamp and r.key is not None]
        return bool(young) and young[0] <= offset


def log(**topics: list[int]) -> Log:
    """Timestamps by topic."""
    names = {"checkins": CHECKINS, "hours": HOURS, "transfers": TRANSFERS,
             "recognition": RECOGNITION}  # fmt: skip
    return Log({
        names[name]: [Record(offset, at) for offset, at in enumerate(times)]
        for name, times in topics.items()
    })  # fmt: skip


def ready(there: Log, topic: str, rest: Rest | None = None) -> list[int]:
    """Timestamps of what may be folded now."""
    owner: Any = Ownership(None, None, None, looker=there, partitions=1)  # type: ignore[arg-type]
    found = asyncio.run(owner._in_order(there, topic, there.topics[topic], rest))
    return [record.timestamp for record in found]


def resting(there: Log, topic: str) -> Rest:
    """The records of a topic, come to rest as things are now."""
    seen = tuple(there.position(earlier) for earlier in COMES_AFTER[topic])
    return Rest(there.topics[topic], seen)


def test_no_topic_waits_for_one_that_waits_for_it() -> None:
    def behind(topic: str) -> set[str]:
        return {topic}.union(*(behind(earlier) for earlier in COMES_AFTER.get(topic, ())))

    for topic, before in COMES_AFTER.items():
        assert all(topic not in behind(earlier) for earlier in before)
    assert {TRANSFERS, HOURS, CHECKINS} < behind(EVALUATIONS) < behind(RECOGNITION)


def test_a_redemption_waits_for_service_that_was_handed_over_before_it() -> None:
    there = log(transfers=[10, 30], recognition=[20, 25, 40])
    assert ready(there, RECOGNITION) == []
    there.fold(TRANSFERS)
    assert ready(there, RECOGNITION, resting(there, RECOGNITION)) == [20, 25]
    there.fold(TRANSFERS)
    assert ready(there, RECOGNITION) == [20, 25, 40]


def test_what_is_handed_over_waits_for_earlier_service_of_its_partition() -> None:
    there = log(checkins=[10, 12], hours=[14], transfers=[13, 20])
    assert ready(there, TRANSFERS) == []
    there.fold(CHECKINS, 2)
    assert ready(there, TRANSFERS, resting(there, TRANSFERS)) == [13]


def test_a_redemption_does_not_wait_for_the_marker_of_a_transaction() -> None:
    """However busy the others are: a topic that ends in a marker is never folded to its end."""
    there = log(checkins=[5, 15, 25, 35], transfers=[10], recognition=[20])
    there.topics[TRANSFERS].append(Record(1, 10, None))
    there.fold(TRANSFERS)
    there.fold(CHECKINS)
    before = resting(there, RECOGNITION)
    there.fold(CHECKINS, 2)
    assert ready(there, RECOGNITION, before) == [20]


@dataclass
class Slow:
    """A partition at work; it folds nothing before it may."""

    may: asyncio.Event
    taken: list[list[int]]
    until: int = 0

    def position(self, _: str) -> int:
        return self.until

    @property
    def store(self) -> Any:
        return self

    catalogue_offset = 0

    async def apply(self, _: str, chunk: list[Record], *__: object) -> Folded:
        await self.may.wait()
        self.until = chunk[-1].offset + 1
        self.taken.append([record.offset for record in chunk])
        return Folded()

    async def close(self) -> None:
        """Nothing is open."""


def test_a_partition_at_work_holds_nobody_else_up() -> None:
    """Its next batch is at hand meanwhile, and taken in order; a third one waits outside."""

    async def run() -> None:
        may, taken, later, at_once = asyncio.Event(), [], asyncio.Event(), []  # type: ignore[var-annotated]
        at_any_time = asyncio.Event()
        at_any_time.set()
        places = {0: Slow(may, taken), 1: Slow(at_any_time, at_once)}

        async def open_one(partition: int) -> Any:
            return places[partition]

        async def catalogue(_: int) -> Any:
            return None

        owner = Ownership(open_one, catalogue, None, looker=log(), partitions=2)  # type: ignore[arg-type]
        one, two, three = ([Record(offset, 0)] for offset in range(3))

        async def third() -> None:
            await owner.submit(CHECKINS, 0, three)
            later.set()

        async with asyncio.timeout(30):
            await owner.submit(CHECKINS, 0, one)
            await owner.submit(CHECKINS, 0, two)
            waits = asyncio.create_task(third())
            await owner.submit(CHECKINS, 1, one)
            while not at_once:
                await asyncio.sleep(0)
            assert not taken
            assert not later.is_set()
            may.set()
            await waits
            await owner.revoke({0, 1})
        assert taken == [[0], [1], [2]]

    asyncio.run(run())


def test_what_was_let_go_behind_resting_records_is_not_forgotten() -> None:
    """When others rest in their stead: nobody would fetch it again."""

    async def run() -> None:
        owner: Any = Ownership(None, None, None, looker=log(), partitions=1)  # type: ignore[arg-type]
        records = [Record(3, 10)]
        owner._rest(HOURS, 0, Rest(records, (), skipped=True))
        owner._rest(HOURS, 0, Rest(records, ()))
        assert owner._resting[HOURS, 0].skipped
        owner._wake((HOURS, 0))

    asyncio.run(run())
