"""Which fetched records of a topic may be folded now: those before which nothing is missing."""

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Final, Protocol

from schemas.topics import CHECKINS, EVALUATIONS, HOURS, RECOGNITION, TRANSFERS
from streams.partitions.fold_batch import Fetched

TOPIC_DEPENDENCIES: Final = {
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


class Folded(Protocol):
    """How far the topics of a partition are folded."""

    @property
    def partition(self) -> int: ...
    @property
    def folded_until(self) -> dict[str, int]: ...
    def position(self, topic: str, /) -> int: ...


class Lookup(Protocol):
    """What is asked of the log; see `streams.kafka.offset_lookup`."""

    async def first_record(
        self, topic: str, partition: int, offset: int, /
    ) -> tuple[int, int] | None: ...
    async def is_past(self, topic: str, partition: int, offset: int, timestamp: int, /) -> bool: ...
    async def ends(self, places: Iterable[tuple[str, int]], /) -> dict[tuple[str, int], int]: ...


def positions_before(folded: Folded, topic: str) -> tuple[int, ...]:
    """How far the topics are folded that a topic waits for."""
    return tuple(folded.position(earlier) for earlier in TOPIC_DEPENDENCIES.get(topic, ()))


async def runnable_prefix(
    folded: Folded,
    topic: str,
    records: Sequence[Fetched],
    seen: tuple[int, ...] | None,
    lookup: Lookup,
) -> Sequence[Fetched]:
    """The records before which everything is folded that was recorded earlier on the topics they
    come after.

    `seen` is how far those topics were folded when the records were looked at before. Where such a
    topic has moved on since, what was folded last tells how far; the log itself is searched only
    where it has not. One at a time: a topic that ends in the marker of a transaction never moves
    past it, however busy the others are. Raises KafkaError.
    """
    limit: int | None = None
    for number, earlier in enumerate(TOPIC_DEPENDENCIES.get(topic, ())):
        partition, position = folded.partition, folded.position(earlier)
        if await lookup.is_past(earlier, partition, position, records[-1].timestamp):
            continue
        at = folded.folded_until.get(earlier, 0)
        if seen is not None and seen[number] == position:
            following = await lookup.first_record(earlier, partition, position)
            if following is None:
                continue
            at = following[1]
        limit = at if limit is None else min(limit, at)
    if limit is None:
        return records
    return list(takewhile(lambda record: record.timestamp < limit, records))
