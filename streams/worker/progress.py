"""Watches that every partition of this worker commits what its log has, and says which does not.

Judged by the log's ends, not by what the worker believes: a partition that has records and has
committed nothing for a while is not ready, whatever the reason. One that is open with nothing at
hand is read again from where the ledger is; so nothing that was dropped on the way stays unread.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.errors import KafkaError
from faust import Service

from schemas.topics import FACTS
from streams.kafka.offset_lookup import OffsetLookup
from streams.partitions.assignment import AssignedPartitions
from streams.partitions.partition_task import PartitionTask

LOOK_SECONDS: Final = 2.0

UNREAD_SECONDS: Final = 3.0
"""Open, with nothing at hand and something in its log for so long: it is read again."""

STALLED_SECONDS: Final = 20.0
"""Something in its log and nothing committed for so long: this worker is not ready."""


@dataclass(frozen=True, slots=True)
class Stalled:
    """A partition that does not commit: for how many seconds, and why as far as is known."""

    partition: int
    seconds: int
    reason: str


class ProgressWatch(Service):
    """Looks at the log's ends every two seconds."""

    def __init__(
        self,
        assigned: AssignedPartitions,
        lookup: OffsetLookup,
        group_says: Callable[[], Iterable[int]],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._assigned = assigned
        self._lookup = lookup
        self._group_says = group_says
        self._agreed_at = time.monotonic()
        self._looked_at = time.monotonic()
        self._nothing_beyond: dict[tuple[str, int], tuple[int, int]] = {}
        self.behind: dict[int, str] = {}
        """Partition -> the topic and position where its log has something, as last seen."""

    def stalled(self) -> list[Stalled]:
        """The partitions that have not committed for too long."""
        now = time.monotonic()
        found = []
        for partition, task in sorted(self._assigned.tasks.items()):
            seconds = int(now - task.progressed_at)
            if partition in self.behind and seconds >= STALLED_SECONDS:
                why = task.failure or self.behind[partition]
                found.append(Stalled(partition, seconds, f"{task.state.value}: {why}"))
        return found

    def disagreement(self) -> str:
        """What this worker has beside what the group gave it, where they differ for long."""
        if time.monotonic() - self._agreed_at < STALLED_SECONDS:
            return ""
        return f"works on {sorted(self._assigned.tasks)}, was given {sorted(self._group_says())}"

    def blind_seconds(self) -> int:
        """For how long the log's ends could not be asked; 0 while they can."""
        blind = int(time.monotonic() - self._looked_at)
        return blind if blind >= STALLED_SECONDS else 0

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            await self.sleep(LOOK_SECONDS)
            if set(self._assigned.tasks) == set(self._group_says()):
                self._agreed_at = time.monotonic()
            try:
                await self.look()
            except (KafkaError, OSError) as error:
                self.log.warning("the log's ends cannot be asked: %r", error)

    async def look(self) -> None:
        """Ask where the logs end; raises KafkaError."""
        tasks = dict(self._assigned.tasks)
        ends = await self._lookup.ends((topic, p) for p in tasks for topic in FACTS)
        self._looked_at = time.monotonic()
        self.behind = {p: where for p, where in self.behind.items() if p in tasks}
        for partition, task in tasks.items():
            where = await self._first_unread(task, ends)
            if where is None:
                self.behind.pop(partition, None)
                task.progressed_at = time.monotonic()
            else:
                self.behind[partition] = where
                if task.is_idle and time.monotonic() - task.progressed_at >= UNREAD_SECONDS:
                    self.log.warning("partition %s: reading again, %s", partition, where)
                    task.read_again()

    async def _first_unread(
        self, task: PartitionTask, ends: dict[tuple[str, int], int]
    ) -> str | None:
        """Where the log has a record that is not in the ledger; transaction markers are none."""
        for topic in FACTS:
            place, end = (topic, task.partition), ends[topic, task.partition]
            position = task.position(topic)
            if position is None:
                return "not open yet"
            if position >= end or self._nothing_beyond.get(place) == (position, end):
                continue
            if not task.is_idle or await self._lookup.first_record(*place, position) is not None:
                return f"{topic} has records from {position} to {end}"
            self._nothing_beyond[place] = (position, end)
        return None
