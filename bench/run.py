"""`make bench` and `make bench-quick`: real Kafka, every contestant a process of its own."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.contest import standings
from bench.contest.contestants import ALL, BY_KEY, QUICK_STREAMS, QUICK_WORKER, Contestant, Tools
from bench.contest.ground import Ground
from bench.contest.java import build
from bench.contest.log import Log
from bench.contest.rounds import Results, run_all, write_log
from bench.output.bars import console
from bench.watching.watch import Failed
from deploy.broker.broker import Broker
from deploy.errors import ShiluError
from deploy.lang import text

QUICK_SECONDS = 165.0
"""How long bench-quick may take in all, the last tidying apart."""

QUIX_PYTHON = Path(__file__).parents[1] / ".venv-quix" / "bin" / "python"

_CLEARING_SECONDS = 5.0
_QUICK_RUN_SECONDS_MIN = 8.0
_SHAPES = {False: "Keys as they come", True: "Nine of ten facts are one volunteer's"}


def main() -> None:
    """Measure as asked; an expected failure is one sentence and exit code 1."""
    began = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the worker beside Kafka Streams")
    parser.add_argument("--only", nargs="+", choices=sorted(BY_KEY), help="only these contestants")
    parser.add_argument("--facts", type=int, default=400_000, help="facts in the log (400,000)")
    parser.add_argument("--rounds", type=int, default=2, help="rounds (2)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of one run at most (60)")
    parser.add_argument("--shape", choices=("even", "hot", "both"), default="both")
    parser.add_argument("--print", action="store_true", help="leave docs/performance.md alone")
    asked = parser.parse_args()
    # Stopped from outside, it still ends what it has started.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        quick(asked, began) if asked.quick else full(asked)
    except (ShiluError, Failed) as error:
        said = text(error.zh, error.en) if isinstance(error, ShiluError) else str(error)
        console.print(f"[bold red]✘[/] {said}")
        raise SystemExit(1) from None


def quick(asked: argparse.Namespace, began: float) -> None:
    """A B A B of the worker and Kafka Streams within QUICK_SECONDS; ends with the ratio line."""
    contestants = [BY_KEY[key] for key in (QUICK_WORKER, QUICK_STREAMS)]

    def seconds_max(left: int) -> float:
        rest = QUICK_SECONDS - (time.monotonic() - began) - _CLEARING_SECONDS * left
        return max(rest / left, _QUICK_RUN_SECONDS_MIN)

    log = Log(asked.facts)
    results = measured(contestants, log, asked.rounds, seconds_max)
    print(standings.table(results))
    print(standings.ratio_line(results))


def full(asked: argparse.Namespace) -> None:
    """Everybody, over both shapes of log; the tables go into docs/performance.md."""
    contestants = [BY_KEY[key] for key in asked.only] if asked.only else list(ALL)
    rounds = asked.rounds
    shapes = []
    for hot in (False, True):
        if asked.shape in ("both", "hot" if hot else "even"):
            log = Log(asked.facts, hot)
            results = measured(contestants, log, rounds, lambda left: asked.seconds)
            shapes.append((_SHAPES[hot], results))
    found = f"{standings.circumstances(rounds, _java_version())}\n\n{standings.sections(shapes)}"
    print(found)
    if not asked.print:
        standings.write(standings.PAGE, found)


def measured(
    contestants: Sequence[Contestant], log: Log, rounds: int, seconds_max: Callable[[int], float]
) -> Results:
    """The rounds on a broker of their own."""
    tools = _tools(contestants)
    _tell_if_busy()
    with tempfile.TemporaryDirectory(prefix="shilu-bench-") as folder:
        kafka = Path(folder) / "kafka"
        with Broker(kafka, tied_to_parent=True, heap="1g", jvm_options=()) as broker:
            ground = Ground(broker.bootstrap)
            path = write_log(ground, log)
            return run_all(
                ground, log, path, contestants, tools, rounds=rounds, seconds_max=seconds_max
            )


def _tell_if_busy() -> None:
    """A machine that others use makes every start dear; it is the short runs that suffer."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > cores * 1.5:
        console.print(
            f"[yellow]{load:.0f} processes want {cores} cores: these figures say little.[/]"
        )


def _tools(contestants: Sequence[Contestant]) -> Tools:
    needs = {contestant.needs for contestant in contestants}
    return Tools(
        build(console.print) if "java" in needs else None,
        _quix_python() if "quix" in needs else None,
    )


def _quix_python() -> str:
    """Raises ShiluError `quix_missing` where its environment was not made."""
    if not QUIX_PYTHON.exists():
        raise ShiluError(
            "quix_missing",
            f"{QUIX_PYTHON} 不存在:请用 make bench 运行,它会先装好 Quix Streams。",
            f"{QUIX_PYTHON} does not exist: run `make bench`, which installs Quix Streams first.",
        )
    return str(QUIX_PYTHON)


def _java_version() -> str | None:
    try:
        said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return said.stderr.partition("\n")[0].replace('"', "") or None


if __name__ == "__main__":
    main()
