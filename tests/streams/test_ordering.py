"""What comes after what in one partition: facts of recognition after the service they rest on."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.topics import CHECKINS, EVALUATIONS, HOURS, RECOGNITION, TRANSFERS
from streams.partitions.ordering import TOPIC_DEPENDENCIES, positions_before, runnable_prefix


@dataclass
class Record:
    """A record of the log; None for a key means the marker of a transaction."""

    offset: int
    timestamp: int
    key: bytes | None = b"v1"
    value: bytes | None = b""
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass
class Log:
    """One partition's topics, asked as the broker answers: markers have offsets and no records.

    It is also the open partition: `folded` is how many offsets of a topic are in the ledger.
    """

    topics: dict[str, list[Record]]
    folded: dict[str, int] = field(default_factory=dict)
    folded_until: dict[str, int] = field(default_factory=dict)
    partition: int = 0
    more: int = 0

    def position(self, topic: str, /) -> int:
        return self.folded.get(topic, 0)

    def fold(self, topic: str, count: int = 1) -> None:
        for record in self.topics[topic][self.position(topic) :][:count]:
            self.folded[topic] = record.offset + 1
            self.folded_until[topic] = record.timestamp

    async def first_record(self, topic: str, _: int, offset: int, /) -> tuple[int, int] | None:
        later = [r for r in self.topics.get(topic, []) if r.offset >= offset and r.key is not None]
        return (later[0].offset, later[0].timestamp) if later else None

    async def is_past(self, topic: str, _: int, offset: int, timestamp: int, /) -> bool:
        records = self.topics.get(topic, [])
        if offset >= len(records):
            return True
        young = [r.offset for r in records if r.timestamp >= timestamp and r.key is not None]
        return bool(young) and young[0] <= offset

    async def ends(self, places: Iterable[tuple[str, int]], /) -> dict[tuple[str, int], int]:
        return {place: len(self.topics.get(place[0], [])) + self.more for place in places}


def log(**topics: list[int]) -> Log:
    """Timestamps by topic."""
    names = {
        "checkins": CHECKINS,
        "hours": HOURS,
        "transfers": TRANSFERS,
        "recognition": RECOGNITION,
    }
    return Log(
        {
            names[name]: [Record(offset, at) for offset, at in enumerate(times)]
            for name, times in topics.items()
        }
    )


def runnable(there: Log, topic: str, seen: tuple[int, ...] | None = None) -> list[int]:
    """Timestamps of what may be folded now."""
    found = asyncio.run(runnable_prefix(there, topic, there.topics[topic], seen, there))
    return [record.timestamp for record in found]


def test_no_topic_waits_for_one_that_waits_for_it() -> None:
    def behind(topic: str) -> set[str]:
        return {topic}.union(*(behind(earlier) for earlier in TOPIC_DEPENDENCIES.get(topic, ())))

    for topic, before in TOPIC_DEPENDENCIES.items():
        assert all(topic not in behind(earlier) for earlier in before)
    assert {TRANSFERS, HOURS, CHECKINS} < behind(EVALUATIONS) < behind(RECOGNITION)


def test_a_redemption_waits_for_service_that_was_handed_over_before_it() -> None:
    there = log(transfers=[10, 30], recognition=[20, 25, 40])
    assert runnable(there, RECOGNITION) == []
    there.fold(TRANSFERS)
    assert runnable(there, RECOGNITION, positions_before(there, RECOGNITION)) == [20, 25]
    there.fold(TRANSFERS)
    assert runnable(there, RECOGNITION) == [20, 25, 40]


def test_what_is_handed_over_waits_for_earlier_service_of_its_partition() -> None:
    there = log(checkins=[10, 12], hours=[14], transfers=[13, 20])
    assert runnable(there, TRANSFERS) == []
    there.fold(CHECKINS, 2)
    assert runnable(there, TRANSFERS, positions_before(there, TRANSFERS)) == [13]


def test_a_redemption_does_not_wait_for_the_marker_of_a_transaction() -> None:
    """However busy the others are: a topic that ends in a marker is never folded to its end."""
    there = log(checkins=[5, 15, 25, 35], transfers=[10], recognition=[20])
    there.topics[TRANSFERS].append(Record(1, 10, None))
    there.fold(TRANSFERS)
    there.fold(CHECKINS)
    before = positions_before(there, RECOGNITION)
    there.fold(CHECKINS, 2)
    assert runnable(there, RECOGNITION, before) == [20]
