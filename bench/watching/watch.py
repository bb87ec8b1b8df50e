"""Processes watched from outside, all alike: wall and CPU seconds, memory, and how far they are."""

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.watching.words import last_words

POLL_SECONDS = 0.2
STOP_SECONDS = 30.0
START_SECONDS = 30.0
"""A JVM or an interpreter on a busy machine may take so long until its first commit."""
STALL_SECONDS = 10.0
"""From then on, a run without progress for so long stands still, and is no result."""


class Failed(Exception):
    """A contestant ended or stood still before its work was done; says what it said last."""


@dataclass(frozen=True, slots=True)
class Start:
    """One process to be started; `home` is its SHILU_HOME, if it notes itself there."""

    command: tuple[str, ...]
    environment: dict[str, str]
    log: Path
    home: Path | None = None

    def last_words(self) -> str:
        """The end of its log, and /health if it answers."""
        return last_words(self.log, self.home)


@dataclass(frozen=True, slots=True)
class Sample:
    """So much was done by then: seconds since the start, CPU seconds of everybody."""

    events: int
    wall_seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: what was done at the last sample, and at the one half-way there."""

    end: Sample
    half: Sample
    peak_mb: int

    @property
    def events_per_second(self) -> float:
        """By the clock, start included."""
        return self.end.events / self.end.wall_seconds

    @property
    def events_per_cpu_second(self) -> float:
        """By the CPU time of all processes, start included."""
        return self.end.events / self.end.cpu_seconds

    @property
    def warm_events_per_cpu_second(self) -> float | None:
        """The second half alone: without the start, and with a warm JIT. None if too coarse."""
        events = self.end.events - self.half.events
        cpu = self.end.cpu_seconds - self.half.cpu_seconds
        return events / cpu if events * 4 > self.end.events and cpu > 1.0 else None


@dataclass(slots=True)
class Tree:
    """CPU seconds and memory of a process and its descendants, also of those that have ended."""

    root: psutil.Process
    peak_bytes: int = 0
    peak_own_bytes: int = 0
    _cpu: dict[tuple[int, float], float] = field(default_factory=dict)

    def look(self) -> float:
        """CPU seconds so far."""
        resident = own = 0
        with suppress(psutil.Error):
            for process in (self.root, *self.root.children(recursive=True)):
                with suppress(psutil.Error):
                    times = process.cpu_times()
                    identity = (process.pid, process.create_time())
                    self._cpu[identity] = times.user + times.system
                    resident += process.memory_info().rss
                    own += own_bytes(process.pid)
        self.peak_own_bytes = max(self.peak_own_bytes, own)
        self.peak_bytes = max(self.peak_bytes, resident)
        return sum(self._cpu.values())


def own_bytes(pid: int) -> int:
    """Memory of a process that is not the page of a file: nobody can take that back from it."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        said = dict(line.split(":", 1) for line in lines)
        # A process that has ended has neither.
        kinds = (said.get(kind, "0 kB") for kind in ("RssAnon", "RssShmem"))
        return sum(int(kind.split()[0]) << 10 for kind in kinds)
    return 0


def watch(
    start: Start,
    *,
    facts: int,
    done: Callable[[], int] | None,
    seconds_max: float,
    told: Callable[[int], None],
    stall_seconds: float = STALL_SECONDS,
) -> Measured:
    """Start a process, measure it and all it starts until all facts are done or the time is up.

    `done` says how many facts are; None: a contestant is done when it has ended. Raises Failed,
    also for one that stands still for `stall_seconds`: what it did before is no rate of anything.
    """
    began = time.monotonic()
    process = _spawn(start)
    try:
        if done is None:
            return _until_ended(start, process, facts, began)
        limits = _Limits(began, seconds_max, stall_seconds)
        return _until_done(start, process, facts, done, limits, told)
    finally:
        family = _children(process)
        process.terminate()
        _reap(process)
        for child in family:
            with suppress(psutil.NoSuchProcess):
                child.kill()


def _children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """All that a process has started: they outlive it if it does not see to them."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@dataclass(frozen=True, slots=True)
class _Limits:
    """When a run began (monotonic), how long it may take, and how long it may stand still."""

    began: float
    seconds_max: float
    stall_seconds: float


def _until_done(
    start: Start,
    process: subprocess.Popen[bytes],
    facts: int,
    done: Callable[[], int],
    limits: _Limits,
    told: Callable[[int], None],
) -> Measured:
    """The time is up only where something has moved: who stands still then has not done so much."""
    tree = Tree(psutil.Process(process.pid))
    samples = [Sample(0, 0.0, 0.0)]
    while (last := samples[-1]).events < facts:
        # Asked first: one that ends by itself may have done so since.
        events = done()
        now, cpu = time.monotonic() - limits.began, tree.look()
        if events > last.events:
            if now > limits.seconds_max and last.events:
                break
            samples.append(Sample(events, now, cpu))
            told(events)
        elif process.poll() is not None and done() < facts:
            raise Failed(start.last_words())
        elif now - last.wall_seconds > (
            limits.stall_seconds if last.events else max(START_SECONDS, limits.stall_seconds)
        ):
            raise Failed(_stalled(last, now, facts, start))
        elif not last.events and now > limits.seconds_max:
            raise Failed(f"nothing done in {limits.seconds_max:.0f} s\n{start.last_words()}")
        time.sleep(POLL_SECONDS)
    end = samples[-1]
    half = next(sample for sample in samples if sample.events * 2 >= end.events)
    return Measured(end, half, tree.peak_bytes >> 20)


def _stalled(last: Sample, now: float, facts: int, start: Start) -> str:
    return (
        f"stood still: {last.events:,} of {facts:,} facts after {last.wall_seconds:.1f} s, "
        f"and nothing in the {now - last.wall_seconds:.0f} s since\n{start.last_words()}"
    )


def _until_ended(
    start: Start, process: subprocess.Popen[bytes], facts: int, began: float
) -> Measured:
    """The kernel's own account of a process that has ended is exact."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failed(start.last_words())
    end = Sample(facts, time.monotonic() - began, used.ru_utime + used.ru_stime)
    return Measured(end, end, used.ru_maxrss >> 10)


def _spawn(start: Start) -> subprocess.Popen[bytes]:
    with start.log.open("ab") as log:
        return subprocess.Popen(
            start.command,
            env={**os.environ, **start.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _reap(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
