"""A cluster's commits watched beside a test: which partition stands still, and whether the group of
workers has settled since they were last changed."""

import threading
import time
from types import TracebackType
from typing import Self

from bench.watching.gaps import Gaps
from bench.watching.positions import Positions, by_partition, left, settled
from tests.faults.harness import Cluster, wait_until

GROUP = "shilu-worker"
_LOOK_SECONDS = 0.2


class Watching:
    """Looks a few times a second, in a thread; a context manager."""

    def __init__(self, cluster: Cluster, workers: int) -> None:
        self._bootstrap = cluster.broker.bootstrap
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._members: frozenset[str] = frozenset()
        self._expected, self._asked, self._taken = workers, 1, 0
        self.gaps = Gaps()
        self.settled = False
        self.committed: dict[int, int] = {}
        self.moved: dict[int, list[float]] = {}
        """When each partition was seen to have committed something more."""

    def expect(self, workers: int) -> None:
        """The workers are no longer those they were: from now on so many share the partitions."""
        self._expected = workers
        self._asked += 1
        wait_until(lambda: self._taken == self._asked, "the watch knows")

    def everyone_commits(self, seconds: float) -> float:
        """Wait until the group has settled, then until each partition commits; how long that took.

        Each must have records all the time.
        """
        wait_until(lambda: self.settled, "the group has settled")
        before = dict(self.committed)
        return wait_until(
            lambda: all(self.committed[p] > count for p, count in before.items()),
            "every partition commits",
            seconds,
        )

    def _run(self) -> None:
        with Positions(self._bootstrap, GROUP) as positions:
            while not self._stop.wait(_LOOK_SECONDS):
                self._look(positions)

    def _look(self, positions: Positions) -> None:
        group, now = positions.group(), time.monotonic()
        if self._taken != self._asked:
            self._members = group.members if group is not None else frozenset()
            self.gaps.disturb(now)
            self.settled, self._taken = False, self._asked
        both = positions.both()
        if both is None:
            return
        committed, ends = both
        self.settled = self.settled or settled(group, self._members, self._expected)
        counts = by_partition(committed)
        self.gaps.look(now, counts, left(committed, ends), settled=self.settled)
        for partition, count in counts.items():
            if count > self.committed.get(partition, 0):
                self.moved.setdefault(partition, []).append(now)
        self.committed = counts

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
