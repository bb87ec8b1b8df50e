"""Records of one partition that were fetched and are not in the ledger yet, by topic."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas.topics import FACTS
from streams.partitions.fold_batch import Fetched

BATCHES_AHEAD: Final = 2
"""Fetched batches of a topic at hand: the one that is worked on, and the next."""


@dataclass(slots=True)
class Deferred:
    """The records at the head wait for others that come before them.

    `seen` is how far the topics they wait for were folded when they were looked at, `look_again_at`
    when they are looked at next (seconds of the loop's clock).
    """

    seen: tuple[int, ...]
    look_again_at: float


@dataclass(slots=True)
class _Queue:
    batches: deque[Sequence[Fetched]] = field(default_factory=deque)
    deferred: Deferred | None = None
    dropped: bool = False


class Backlog:
    """What is at hand of each fact topic, oldest first; so much and no more.

    What finds no room is dropped, and the topic says so until it is read again from the last that
    was kept.
    """

    def __init__(self) -> None:
        self._queues = {topic: _Queue() for topic in FACTS}

    def add(self, topic: str, batch: Sequence[Fetched]) -> None:
        """Keep a fetched batch if there is room, and nothing before it was dropped."""
        queue = self._queues[topic]
        if len(queue.batches) >= BATCHES_AHEAD or queue.dropped:
            queue.dropped = True
        elif batch:
            queue.batches.append(batch)

    def is_full(self, topic: str) -> bool:
        """Is there no room for another batch?"""
        return len(self._queues[topic].batches) >= BATCHES_AHEAD

    def was_dropped(self, topic: str) -> bool:
        """Was a batch dropped behind what is kept?"""
        return self._queues[topic].dropped

    def head(self, topic: str) -> Sequence[Fetched]:
        """The oldest batch that is kept, or nothing."""
        batches = self._queues[topic].batches
        return batches[0] if batches else ()

    def replace_head(
        self, topic: str, rest: Sequence[Fetched], deferred: Deferred | None = None
    ) -> None:
        """What is left of the oldest batch; nothing left lets the next one be the oldest."""
        queue = self._queues[topic]
        queue.deferred = deferred if rest else None
        if rest:
            queue.batches[0] = rest
        else:
            queue.batches.popleft()

    def next_offset(self, topic: str, position: int) -> int:
        """Where to read on: behind the last that is kept, or where the ledger is."""
        batches = self._queues[topic].batches
        return max(position, batches[-1][-1].offset + 1) if batches else position

    def read_again(self, topic: str) -> None:
        """What was dropped is being read again."""
        self._queues[topic].dropped = False

    def clear(self, topic: str | None = None) -> None:
        """Forget what is kept, of one topic or of all."""
        for name in [topic] if topic else list(self._queues):
            self._queues[name] = _Queue()

    def deferred(self, topic: str) -> Deferred | None:
        """How the records at the head wait, if they do."""
        return self._queues[topic].deferred

    def ready(self, now: float) -> list[str]:
        """Topics with something to look at now, in the order in which they are folded."""
        return [
            topic
            for topic, queue in self._queues.items()
            if queue.batches and (queue.deferred is None or queue.deferred.look_again_at <= now)
        ]

    def seconds_until_ready(self, now: float) -> float | None:
        """How long until something that waits is looked at again; None if nothing waits."""
        times = [q.deferred.look_again_at for q in self._queues.values() if q.deferred]
        return max(0.0, min(times) - now) if times else None

    @property
    def is_empty(self) -> bool:
        """Is nothing at hand?"""
        return not any(queue.batches for queue in self._queues.values())
