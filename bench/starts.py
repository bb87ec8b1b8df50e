"""`make bench-starts`: do worker processes that come and go behind a backlog ever stand still?

Each start is a whole new deployment: a copy of one broker's data with the facts in it and nothing
else, so that its ledger, its consumer group and its transactional ids are all new. Two or three
`shilu worker` start at random; in every second start one of them is killed, stopped or paused while
they fold, and comes back. Then every fact must have been answered once and every balance be right.

Last line: `starts N stalled 0 slowest_gap_seconds S wrong 0`; exit code 1 where it is not 0.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.contest.exactly import Source, differing, look, sources
from bench.contest.ground import Ground
from bench.contest.log import Log, entries
from bench.contest.rounds import write_log
from bench.output.bars import console
from bench.output.report import RESULTS, machine
from bench.watching.comings import Fault, Plan, plans
from bench.watching.gaps import Gaps
from bench.watching.positions import Offsets, Positions, by_partition, left, settled
from deploy.broker.broker import Broker
from schemas.topics import PARTITIONS, TRANSFERS
from tests.faults.harness import SESSION_SECONDS, Cluster, wait_until
from tests.judge import judge

GROUP = "shilu-worker"
POLL_SECONDS = 0.25
END_SECONDS_MAX = 10.0
"""Within so long a worker ends on SIGTERM."""


@dataclass(slots=True)
class Outcome:
    """What was seen of one start: seconds until all was folded, and with copying and judging."""

    plan: Plan
    seconds: float = 0.0
    seconds_in_all: float = 0.0
    slowest_gap: float = 0.0
    stalled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    words: str = ""


class Start:
    """One start on a cluster that is there already, watched until all is folded or it stands."""

    def __init__(self, cluster: Cluster, plan: Plan, positions: Positions, ends: Offsets) -> None:
        self._cluster, self._plan, self._positions = cluster, plan, positions
        self._ends = {place: end for place, end in ends.items() if place[0] != TRANSFERS}
        self._gaps = Gaps()
        self._live: set[str] = set()
        self._paused: set[str] = set()
        self._members: frozenset[str] = frozenset()
        self._due: list[tuple[float, Callable[[], None]]] = []
        self._fault = plan.fault
        self._wrong: list[str] = []

    def run(self, seconds_max: float) -> Outcome:
        """Watch to the end; the workers are still there unless they ended by themselves."""
        found, began = Outcome(self._plan), time.monotonic()
        for number, delay in enumerate(self._plan.delays):
            self._due.append((began + delay, lambda name=f"w{number}": self._begin(name)))  # type: ignore[misc]
        while not self._done_or_not(found):
            now = time.monotonic()
            for at, act in [one for one in self._due if one[0] <= now]:
                self._due.remove((at, act))
                act()
            if now - began > seconds_max:
                found.stalled.append(f"not done in {seconds_max:.0f} s")
            if found.stalled or found.wrong:
                found.words = self._cluster.words()
                break
            time.sleep(POLL_SECONDS)
        found.seconds = time.monotonic() - began
        found.slowest_gap = self._gaps.slowest
        for name in self._paused:
            self._cluster.processes[name].send_signal(signal.SIGCONT)
        return found

    def _done_or_not(self, found: Outcome) -> bool:
        """Look once, note who stands still or has ended, and act where enough is folded."""
        committed = self._positions.committed()
        if committed is None:
            return False
        calm = settled(self._positions.group(), self._members, len(self._live - self._paused))
        rest = left(committed, self._ends)
        self._gaps.look(time.monotonic(), by_partition(committed), rest, settled=calm)
        found.stalled += [
            f"partition {p} with {rest[p]:,} facts left: no commit for {gap:.0f} s"
            for p, gap in sorted(self._gaps.stalled.items())
        ]
        found.wrong += self._wrong
        found.wrong += [
            f"{name} ended by itself with code {self._cluster.processes[name].returncode}"
            for name in sorted(self._live)
            if not self._cluster.alive(name)
        ]
        folded = 1 - sum(rest.values()) / sum(self._ends.values())
        if self._fault is not None and folded >= self._fault.share:
            self._strike(self._fault)
        return not any(rest.values())

    def _strike(self, fault: Fault) -> None:
        name = f"w{fault.victim}"
        if name not in self._live:  # it has yet to start
            return
        self._fault = None
        self._note_members()
        if fault.kind == "SIGSTOP":
            self._cluster.processes[name].send_signal(signal.SIGSTOP)
            self._paused.add(name)
            again = self._wake
        else:
            # A SIGTERM ends in its own time: what it takes is looked at when all ends.
            number = signal.SIGKILL if fault.kind == "kill -9" else signal.SIGTERM
            self._cluster.processes[name].send_signal(number)
            self._live.discard(name)
            again = self._begin
        self._due.append((time.monotonic() + fault.again_seconds, lambda: again(name)))

    def _begin(self, name: str) -> None:
        """Start a worker; under its old name once the one before has ended."""
        old = self._cluster.processes.get(name)
        if old is not None:
            try:
                old.wait(END_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._wrong.append(f"{name} did not end on SIGTERM")
                self._cluster.kill(name)
        self._note_members()
        self._cluster.worker(name)
        self._live.add(name)

    def _wake(self, name: str) -> None:
        self._note_members()
        self._cluster.processes[name].send_signal(signal.SIGCONT)
        self._paused.discard(name)

    def _note_members(self) -> None:
        """From now on the group has to be another one than it is."""
        found = self._positions.group()
        self._members = found.members if found is not None else frozenset()
        self._gaps.disturb(time.monotonic())


class Bench:
    """A prepared broker's data, and what every ledger over it must come to."""

    def __init__(self, folder: Path, facts: int) -> None:
        self._data = folder / "prepared" / "kafka"
        with Broker(self._data, tied_to_parent=True) as broker:
            path = write_log(Ground(broker.bootstrap), Log(facts))
        self._inputs: dict[Source, bool] = sources(entries(path))
        self._balances: dict[str, int] | None = None
        self._unjudged = list(range(PARTITIONS))

    def start(self, plan: Plan, home: Path, seconds_max: float) -> Outcome:
        """One start in a home of its own."""
        began = time.monotonic()
        # Index files are mostly holes.
        subprocess.run(["cp", "-a", "--sparse=always", self._data, home / "kafka"], check=True)
        with Cluster(home, prepared=True) as cluster:
            with Positions(cluster.broker.bootstrap, GROUP) as positions:
                wait_until(lambda: positions.ends() is not None, "the broker tells its ends")
                found = Start(cluster, plan, positions, positions.ends() or {}).run(seconds_max)
            for name in list(cluster.processes):
                if cluster.alive(name):
                    found.wrong += self._end(cluster, name, expected=not found.stalled)
            if not found.stalled:
                found.wrong += self._judge(cluster.broker.bootstrap)
            # Nobody needs these data any more.
            cluster.broker.kill()
        found.seconds_in_all = time.monotonic() - began
        return found

    def _end(self, cluster: Cluster, name: str, *, expected: bool) -> list[str]:
        process, began = cluster.processes[name], time.monotonic()
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return [f"{name} did not end within {time.monotonic() - began:.0f} s"] * expected
        return [f"{name} ended with {code}"] * (expected and code != 0)

    def _judge(self, bootstrap: str) -> list[str]:
        """Every ledger is whole and comes to the same balances; the model, which is slow, judges
        another partition each time until it has judged all of them."""
        found = look(bootstrap, self._inputs)
        wrong = found.wrong
        if self._balances is not None:
            wrong += differing(found.balances, self._balances)
        if self._unjudged:
            partition = self._unjudged.pop()
            wrong += [f"model: {said}" for said in judge(bootstrap, only=(partition,))]
        if not wrong:
            self._balances = found.balances
        return wrong


def main() -> None:
    """Start after start, a line for each; the result as JSON, too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--facts", type=int, default=200_000)
    parser.add_argument(
        "--stagger", type=float, default=5.0, help="seconds that a worker waits at most"
    )
    parser.add_argument("--seconds", type=float, default=180.0, help="of one start, at most")
    parser.add_argument("--seed", type=int, default=None, help="repeats a run")
    parser.add_argument("--save", action="store_true", help="into bench/results/starts.json")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    seed = random.SystemRandom().randrange(10**6) if asked.seed is None else asked.seed
    print(f"seed {seed}", flush=True)
    where, began = machine("aiokafka", "faust-streaming", "kafka-python"), time.monotonic()
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="shilu-starts-") as folder:
        bench = Bench(Path(folder), asked.facts)
        for number, plan in enumerate(plans(seed, asked.starts, asked.stagger, SESSION_SECONDS), 1):
            home = Path(folder) / f"start-{number}"
            home.mkdir()
            found = bench.start(plan, home, asked.seconds)
            outcomes.append(found)
            tell(f"start {number}/{asked.starts}", found)
            shutil.rmtree(home)
    summary = summed(outcomes) | {"seed": seed, "facts": asked.facts, "machine": where}
    summary["seconds"] = round(time.monotonic() - began)
    if asked.save:
        text = json.dumps(summary | {"each": [_plain(one) for one in outcomes]}, indent=1)
        (RESULTS / "starts.json").write_text(text + "\n", "utf-8")
    print(last_line(summary))
    raise SystemExit(bool(summary["stalled"] or summary["wrong"]))


def summed(outcomes: list[Outcome]) -> dict[str, Any]:
    """How many starts there were, how many stood still and how many went wrong."""
    return {
        "starts": len(outcomes),
        "stalled": sum(bool(one.stalled) for one in outcomes),
        "slowest_gap_seconds": round(max(one.slowest_gap for one in outcomes), 1),
        "wrong": sum(bool(one.wrong) for one in outcomes),
    }


def last_line(summary: dict[str, Any]) -> str:
    """What the run ends with."""
    names = ("starts", "stalled", "slowest_gap_seconds", "wrong")
    return " ".join(f"{name} {summary[name]}" for name in names)


def _plain(outcome: Outcome) -> dict[str, Any]:
    return {name: value for name, value in asdict(outcome).items() if name != "words"}


def tell(name: str, found: Outcome) -> None:
    """One start in a line, and all there is to know of one that went wrong."""
    fault = found.plan.fault
    what = f", {fault.kind} of w{fault.victim} at {fault.share:.0%}" if fault else ""
    console.print(
        f"{name}: {len(found.plan.delays)} workers{what}: {found.seconds:.1f} s "
        f"({found.seconds_in_all:.0f} s in all), slowest gap {found.slowest_gap:.1f} s"
    )
    for said in (*found.stalled, *found.wrong):
        console.print(f"  [bold red]✘[/] {said}")
    if found.words:
        console.print(found.words, markup=False)


if __name__ == "__main__":
    main()
