"""Memory and open files of roles over hours, through the deaths of their processes.

A process that is new is small, so a line through all samples of a role would say little. The slope
is that within the lives of its processes: each life counts by how long it was, around its own mean.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import psutil

WARM_SECONDS = 60.0
"""What a process takes before it is as large as its work makes it; no part of a slope."""

Life = Sequence[tuple[float, float]]
"""Samples of one process: seconds of its age, value."""


class Sample(NamedTuple):
    """One look at a role: seconds since the run began, age of its process, bytes, descriptors."""

    at: float
    pid: int
    age: float
    rss: int
    descriptors: int


@dataclass(slots=True)
class Vitals:
    """Looks at the processes of some roles; `roles` says who they are now."""

    roles: Callable[[], Mapping[str, psutil.Process]]
    began: float = field(default_factory=time.monotonic)
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def look(self) -> None:
        """One sample of each role that lives."""
        for role, process in self.roles().items():
            try:
                with process.oneshot():
                    found = Sample(
                        time.monotonic() - self.began,
                        process.pid,
                        time.time() - process.create_time(),
                        process.memory_info().rss,
                        process.num_fds(),
                    )
            except psutil.Error:
                continue
            self.samples.setdefault(role, []).append(found)

    def report(self, warm: float = WARM_SECONDS) -> dict[str, dict[str, float | int | None]]:
        """By role: peak and last of both, and their slopes an hour; None where no process lived for
        long enough to tell."""
        return {role: _of_role(these, warm) for role, these in sorted(self.samples.items())}


def _of_role(samples: Sequence[Sample], warm: float) -> dict[str, float | int | None]:
    lives: dict[int, list[Sample]] = {}
    for one in samples:
        if one.age >= warm:
            lives.setdefault(one.pid, []).append(one)

    def slope(value: Callable[[Sample], float]) -> float | None:
        return slope_per_hour([(one.age, value(one)) for one in life] for life in lives.values())

    rss = slope(lambda one: one.rss / 2**20)
    descriptors = slope(lambda one: float(one.descriptors))
    return {
        "processes": len({one.pid for one in samples}),
        "peak_mb": max(one.rss for one in samples) >> 20,
        "last_mb": samples[-1].rss >> 20,
        "mb_per_hour": None if rss is None else round(rss, 1),
        "peak_descriptors": max(one.descriptors for one in samples),
        "last_descriptors": samples[-1].descriptors,
        "descriptors_per_hour": None if descriptors is None else round(descriptors, 1),
    }


def slope_per_hour(lives: Iterable[Life]) -> float | None:
    """Least squares with one slope for all lives and a level for each; None without two samples
    of one life at different times."""
    above = below = 0.0
    for life in lives:
        if len(life) < 2:
            continue
        mean_at = sum(at for at, _ in life) / len(life)
        mean = sum(value for _, value in life) / len(life)
        above += sum((at - mean_at) * (value - mean) for at, value in life)
        below += sum((at - mean_at) ** 2 for at, _ in life)
    return above / below * 3600 if below else None
