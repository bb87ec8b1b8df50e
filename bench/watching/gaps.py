"""How long a partition goes without a commit while it has records: judged from the log alone.

Whoever disturbs a consumer group says so; until it has settled nobody is blamed for standing still.
A group that does not settle is taken for settled after a while, else it could stand for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

GAP_SECONDS_MAX = 15.0
"""A partition with records that has committed nothing for longer stands still."""

SETTLE_SECONDS_MAX = 20.0
"""So long may a group take: a session that times out, then a rebalance, then a start."""


@dataclass(slots=True)
class Gaps:
    """The gaps of a run; all times are seconds of one monotonic clock.

    `stalled`: partitions with a gap above `limit`, each with the longest one that it had.
    """

    limit: float = GAP_SECONDS_MAX
    settle: float = SETTLE_SECONDS_MAX
    slowest: float = 0.0
    stalled: dict[int, float] = field(default_factory=dict)
    _disturbed: float | None = None
    _calm: float | None = None
    _since: dict[int, float] = field(default_factory=dict)
    _committed: dict[int, int] = field(default_factory=dict)

    def disturb(self, now: float) -> None:
        """A process was started, ended, paused or woken: the group has to settle anew."""
        self._disturbed, self._calm = now, None

    def look(
        self, now: float, committed: Mapping[int, int], left: Mapping[int, int], *, settled: bool
    ) -> None:
        """Note how much each partition has committed, and how many records it still has.

        `settled`: is the group, as its coordinator has it, what was last made of it?
        """
        late = self._disturbed is not None and now - self._disturbed > self.settle
        if self._calm is None and (settled or late):
            self._calm = now
        for partition, count in committed.items():
            if self._calm is not None:
                self._note(partition, now - max(self._since.get(partition, now), self._calm))
            moved = count != self._committed.get(partition)
            if moved or not left.get(partition, 0):
                self._since[partition] = now
            self._since.setdefault(partition, now)
            self._committed[partition] = count

    def _note(self, partition: int, gap: float) -> None:
        self.slowest = max(self.slowest, gap)
        if gap > self.limit:
            self.stalled[partition] = max(gap, self.stalled.get(partition, 0.0))
