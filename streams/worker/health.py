"""What /health says of a worker: ready, or every reason why not."""

from typing import Any

from streams.kafka import bounded
from streams.partitions.assignment import AssignedPartitions
from streams.partitions.lifecycle import State
from streams.worker.catalogue_follower import CatalogueFollower
from streams.worker.clock import Clock
from streams.worker.progress import ProgressWatch


class Health:
    """The worker's own view beside what the log and the group say."""

    def __init__(
        self,
        follower: CatalogueFollower,
        assigned: AssignedPartitions,
        watch: ProgressWatch,
        clock: Clock,
    ) -> None:
        self._follower = follower
        self._assigned = assigned
        self._watch = watch
        self._clock = clock

    def reasons(self) -> list[dict[str, Any]]:
        """Why it is not ready: code, and partition, seconds, text where there are any."""
        found: list[dict[str, Any]] = []
        if not self._follower.ready.is_set():
            found.append({"code": "catalogue_unread"})
        found += [
            {"code": "restoring", "partition": partition}
            for partition, task in sorted(self._assigned.tasks.items())
            if task.state in (State.FENCING, State.RESTORING)
        ]
        found += [
            {"code": "stalled", "partition": s.partition, "seconds": s.seconds, "text": s.reason}
            for s in self._watch.stalled()
        ]
        if disagreement := self._watch.disagreement():
            found.append({"code": "assignment_differs", "text": disagreement})
        if blind := self._watch.blind_seconds():
            found.append({"code": "log_unreachable", "seconds": blind})
        if (fault := self._clock.fault) is not None:
            found.append({"code": "clock_wrong", "text": fault})
        return found

    def report(self) -> dict[str, Any]:
        """Everything, as /health gives it."""
        tasks = sorted(self._assigned.tasks.items())
        metrics = self._assigned.metrics
        reasons = self.reasons()
        return {
            "ready": not reasons,
            "reasons": reasons,
            "clock_skew_seconds": self._clock.skew_seconds,
            "catalogue_offset": self._follower.catalogue.next_offset,
            "catalogue_left_out": dict(sorted(self._follower.left_out.items())),
            "partitions": [p for p, task in tasks if task.state is State.RUNNING],
            "states": {str(p): task.state.value for p, task in tasks},
            "restoring": {
                str(p): {"done": task.restoring[0], "total": task.restoring[1]}
                for p, task in tasks
                if task.state is State.RESTORING
            },
            "resting": {str(p): task.failure for p, task in tasks if task.state is State.RESTING},
            "events": metrics.events,
            "transactions": metrics.transactions,
            "failures": metrics.failures,
            "abandoned": bounded.abandoned_count,
            "outcomes": dict(sorted(metrics.outcomes.items())),
        }
