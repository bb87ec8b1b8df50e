"""The partitions that the group has given to this worker, each a task of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from ledger.catalogue.catalogue import Catalogue
from streams.partitions.fold_batch import Fetched
from streams.partitions.ordering import Lookup
from streams.partitions.partition_task import Flow, Opening, PartitionTask, WorkerMetrics


class AssignedPartitions:
    """Starts, feeds and closes partitions; none of them is ever waited for on another's behalf."""

    def __init__(
        self,
        open_one: Opening,
        catalogue: Callable[[int], Awaitable[Catalogue]],
        flow: Flow,
        *,
        lookup: Lookup,
        partitions: int,
    ) -> None:
        self._open_one = open_one
        self._catalogue = catalogue
        self._flow = flow
        self._lookup = lookup
        self._partitions = partitions
        self.tasks: dict[int, PartitionTask] = {}
        self.metrics = WorkerMetrics()

    def assign(self, partitions: Iterable[int]) -> None:
        """Begin to open partitions; those that are at work already go on."""
        for partition in sorted(set(partitions) - set(self.tasks)):
            task = PartitionTask(
                partition,
                self._open_one,
                self._catalogue,
                self._flow,
                self._lookup,
                self._partitions,
                self.metrics,
            )
            self.tasks[partition] = task
            task.start()

    def submit(self, topic: str, partition: int, batch: Sequence[Fetched]) -> None:
        """Hand a fetched batch over; comes back at once.

        What was fetched before a rebalance belongs to the past.
        """
        task = self.tasks.get(partition)
        if task is not None:
            task.submit(topic, batch)

    async def revoke(self, partitions: Iterable[int]) -> None:
        """Close partitions side by side; takes as long as one of them may take, at most."""
        closing = [
            self.tasks.pop(partition) for partition in set(partitions) if partition in self.tasks
        ]
        await asyncio.gather(*(task.stop() for task in closing))

    async def close(self) -> None:
        """Close all of them."""
        await self.revoke(list(self.tasks))
