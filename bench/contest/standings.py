"""Figures as text: the table of docs/performance.md, and the line that bench-quick ends with."""

import os
import platform
import re
import statistics
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from operator import itemgetter
from pathlib import Path

from bench.contest.contestants import Contestant
from bench.watching.watch import Measured
from deploy.broker.jars import KAFKA_VERSION

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
MARKERS = ("<!-- make bench -->", "<!-- /make bench -->")

_PACKAGES = ("faust-streaming", "aiokafka", "confluent-kafka", "fastavro")

Rounds = Mapping[Contestant, Sequence[Measured]]


@dataclass(frozen=True, slots=True)
class Medians:
    """What counts of a contestant's rounds: rates in events a second, the facts of a round."""

    facts: int
    wall: float
    cpu: float
    warm: float | None
    peak_mb: int

    @classmethod
    def of(cls, rounds: Sequence[Measured]) -> "Medians":
        """The medians of at least one round; `warm` only if every round has it."""
        warm = [rate for run in rounds if (rate := run.warm_events_per_cpu_second) is not None]
        return cls(
            int(statistics.median(run.end.events for run in rounds)),
            statistics.median(run.events_per_second for run in rounds),
            statistics.median(run.events_per_cpu_second for run in rounds),
            statistics.median(warm) if len(warm) == len(rounds) else None,
            int(statistics.median(run.peak_mb for run in rounds)),
        )


def table(results: Rounds) -> str:
    """One shape of log as a Markdown table."""
    lines = [
        "| | events/s | events/CPU-second | warm | peak MB | facts | |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for contestant, rounds in results.items():
        m = Medians.of(rounds)
        warm = "" if m.warm is None else f"{m.warm:,.0f}"
        lines.append(
            f"| {contestant.title} | {m.wall:,.0f} | {m.cpu:,.0f} | {warm} "
            f"| {m.peak_mb:,} | {m.facts:,} | {contestant.note} |"
        )
    return "\n".join(lines)


def ratio_line(results: Rounds) -> str:
    """The worker's best rates over the best of Kafka Streams: by the clock, and per CPU-second."""
    ours = [Medians.of(runs) for who, runs in results.items() if who.ours]
    theirs = [Medians.of(runs) for who, runs in results.items() if who.kafka_streams]
    wall = max(m.wall for m in ours) / max(m.wall for m in theirs)
    cpu = max(m.cpu for m in ours) / max(m.cpu for m in theirs)
    return f"worker/kafka-streams wall {wall:.2f} cpu {cpu:.2f}"


def ahead(results: Rounds) -> str:
    """Where a peer that does the job is ahead of the worker's best, in a sentence; limits apart."""
    ours = [Medians.of(runs) for who, runs in results.items() if who.ours]
    peers = {w.title: Medians.of(r) for w, r in results.items() if not (w.ours or w.ends)}
    if not ours or not peers:
        return ""
    measures: dict[str, tuple[float, dict[str, float]]] = {
        "events/s": (max(m.wall for m in ours), {t: m.wall for t, m in peers.items()}),
        "events/CPU-second": (max(m.cpu for m in ours), {t: m.cpu for t, m in peers.items()}),
        "memory": (
            1 / min(m.peak_mb for m in ours),
            {title: 1 / m.peak_mb for title, m in peers.items()},
        ),
    }
    found = [
        f"{name}: " + ", ".join(f"{t} ({rate / best:.2f}×)" for t, rate in rates if rate > best)
        for name, (best, by_title) in measures.items()
        if (rates := sorted(by_title.items(), key=itemgetter(1), reverse=True))[0][1] > best
    ]
    where = "; ".join(found) or "nowhere"
    return f"Best of the worker against the peers that do the job; a peer is ahead in: {where}."


def circumstances(rounds: int, java: str | None) -> str:
    """Machine, versions, date and commit, in Markdown."""
    versions = [f"Python {platform.python_version()}", f"Kafka {KAFKA_VERSION}"]
    versions += [f"{name} {found}" for name in _PACKAGES if (found := _version(name))]
    versions += [java] if java else []
    return (
        f"Taken on {datetime.now(UTC):%Y-%m-%d} at commit {_commit()}: {rounds} rounds, "
        f"{os.cpu_count()} cores ({_processor()}), load {os.getloadavg()[1]:.1f} at the end; "
        f"{', '.join(versions)}."
    )


def write(page: Path, text: str) -> None:
    """Put text between the page's markers; raises ValueError where they are missing."""
    begin, end = MARKERS
    old = page.read_text("utf-8")
    if old.count(begin) != 1 or old.count(end) != 1:
        raise ValueError(f"{page} has not one {begin} and one {end}")
    head, _, rest = old.partition(begin)
    page.write_text(f"{head}{begin}\n{text.strip()}\n{end}{rest.partition(end)[2]}", "utf-8")


def sections(shapes: Iterable[tuple[str, Rounds]]) -> str:
    """The tables of several shapes of log, each under its name."""
    return "\n\n".join(
        f"### {name}\n\n{table(results)}\n\n{ahead(results)}" for name, results in shapes
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    """The commit, and whether the tree differs from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        cwd=PAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def _processor() -> str:
    """The processor's name, where the system tells."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    return found[1].strip() if found else platform.machine()
