"""`make soak HOURS=n`: a whole deployment under load and under faults, for hours; then the judge.

`shilu up` as anybody runs it (the broker's time, two workers, sink, sealer), facts at a steady
rate, and at intervals something is killed, ended in order or paused, drawn from the seed. What
`up` started it has to start again: nobody else does. At the end nothing may be behind, the
commands that compare Kafka, trail and accounts must be green, and the reference model must find
nothing lost, nothing double and every balance right. Memory and descriptors of each role are a
slope an hour.

Last line: `soak hours H faults N slowest_gap_seconds S wrong W`; exit code 1 where W is not 0.
"""

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.output.bars import console
from bench.output.report import RESULTS, machine
from bench.watching.deployment import Deployment, roles_of
from bench.watching.gaps import Gaps
from bench.watching.positions import Offsets, Positions, by_partition, left, settled
from bench.watching.vitals import Vitals
from deploy.services.running import SEALER, TRAIL
from deploy.services.running import health as answer
from producers.simulator.simulate import Plan, Sending, simulate
from schemas.times import DAY, SECOND
from tests.faults.harness import Cluster, Sender, wait_until
from tests.judge import judge

WORKERS = 2
GROUP = "shilu-worker"
_POLL_SECONDS = 1.0
_SAMPLED_EVERY = 5
"""Polls."""
_BACK_SECONDS_MAX = 60.0
"""Within so long what was ended is there again, and everybody's earlier facts are folded."""
_ON_THEIR_WAY = 2_000
"""Under load the trail is always so many records behind, at most."""
_DRAIN_SECONDS = "180"
_HISTORY_DAYS, _HISTORY_DAYS_AGO = 2, 5

ROLES = roles_of(WORKERS)
SIGNALS = {"kill -9": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGSTOP": signal.SIGSTOP}


@dataclass(slots=True)
class Fault:
    """One fault and how long it took until its effects were over, in seconds; None: never.

    `back`: until a process of that role ran again; `recovered`: until every fact that was in the
    log when it struck had been folded; of the sink, until it says that the trail has
    all but what is just coming.
    """

    at: float
    role: str
    kind: str
    back: float | None = None
    recovered: float | None = None


@dataclass(slots=True)
class Found:
    """What was seen."""

    faults: list[Fault] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    slowest_gap: float = 0.0
    stalls: int = 0


def drawn(seed: int, spared: Sequence[str]) -> Iterator[tuple[str, str, float]]:
    """Role, kind and seconds of a pause, without end: every pair once before any comes again."""
    chance = random.Random(seed)
    pairs = [(role, kind) for role in ROLES if role not in spared for kind in SIGNALS]
    while True:
        for role, kind in chance.sample(pairs, len(pairs)):
            yield role, kind, round(chance.uniform(8, 16), 1)


def history(events: int, seed: int, now: float) -> Iterator[Sending]:
    """Two days of this week, as if a region came back online: the broker's time is now, and what is
    older than the late window would only be held."""
    start_on = int(now * SECOND // DAY) - _HISTORY_DAYS_AGO
    volunteers = max(events // 40, 50)
    return simulate(Plan(events, volunteers, _HISTORY_DAYS, seed, start_on))


class Watch:
    """The deployment watched second by second: its vitals, its commits, its faults."""

    def __init__(self, deployment: Deployment, positions: Positions, found: Found) -> None:
        self._deployment, self._positions, self._found = deployment, positions, found
        self._gaps, self._polls = Gaps(), 0
        self._members: frozenset[str] = frozenset()
        self._told: set[int] = set()
        self.vitals = Vitals(deployment.roles)
        self.committed: Offsets = {}
        self.ends: Offsets = {}

    def look(self) -> None:
        """One look at everything."""
        if self._polls % _SAMPLED_EVERY == 0:
            self.vitals.look()
        self._polls += 1
        both = self._positions.both()
        if both is None:
            return
        committed, ends = self.committed, self.ends = both
        calm = settled(self._positions.group(), self._members, WORKERS)
        rest = left(committed, ends)
        self._gaps.look(time.monotonic(), by_partition(committed), rest, settled=calm)
        self._found.slowest_gap = self._gaps.slowest
        for partition in self._gaps.stalled.keys() - self._told:
            self._told.add(partition)
            self._found.wrong.append(f"partition {partition} with {rest[partition]} facts stands")
            console.print(self._deployment.words(), markup=False)

    def disturbed(self) -> None:
        """The group may have to settle anew."""
        found = self._positions.group()
        self._members = found.members if found is not None else frozenset()
        self._gaps.disturb(time.monotonic())

    def strike(self, fault: Fault, pause: float) -> None:
        """Let one fault happen, and watch until it is over or has taken too long."""
        victim = self._deployment.roles().get(fault.role)
        if victim is None:
            self._found.wrong.append(f"{fault.role} was not there at {fault.at:.0f} s")
            return
        before, began = dict(self.ends), time.monotonic()
        if fault.role not in (TRAIL, SEALER):
            self.disturbed()
        victim.send_signal(SIGNALS[fault.kind])
        if fault.kind == "SIGSTOP":
            self._while(pause)
            victim.send_signal(signal.SIGCONT)
            if fault.role not in (TRAIL, SEALER):
                self.disturbed()
            began = time.monotonic()
        limit = began + _BACK_SECONDS_MAX
        while time.monotonic() < limit and None in (fault.back, fault.recovered):
            self._while(_POLL_SECONDS)
            took = round(time.monotonic() - began, 1)
            there = self._deployment.roles().get(fault.role)
            same = there is not None and there.pid == victim.pid
            if fault.back is None and there and same == (fault.kind == "SIGSTOP"):
                fault.back = took
            if fault.recovered is None and self._recovered(fault.role, before):
                fault.recovered = took
        for what in ("back", "recovered"):
            if getattr(fault, what) is None:
                said = f"{fault.kind} of {fault.role} at {fault.at:.0f} s: not {what}"
                self._found.wrong.append(f"{said} within {_BACK_SECONDS_MAX:.0f} s")
                console.print(self._deployment.words(), markup=False)

    def _recovered(self, role: str, before: Offsets) -> bool:
        if role == TRAIL:
            said = answer(self._deployment.settings, TRAIL) or {"state": "red"}
            return said["state"] in ("green", "behind") and said["behind"] < _ON_THEIR_WAY
        return not any(left(self.committed, before).values())

    def _while(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (rest := until - time.monotonic()) > 0:
            time.sleep(min(rest, _POLL_SECONDS))
            self.look()


def soak(
    deployment: Deployment,
    seconds: float,
    every: float,
    rate: int,
    seed: int,
    spared: Sequence[str],
) -> tuple[Found, dict[str, Any]]:
    """Load and faults for so long, then the judge."""
    found, events = Found(), int(seconds * rate * 1.2) + 10_000
    sender = Sender(deployment.bootstrap, history(events, seed, time.time()), rate)
    began, turns = time.monotonic(), drawn(seed, spared)
    sender.start()
    try:
        with Positions(deployment.bootstrap, GROUP) as positions:
            watch = Watch(deployment, positions, found)
            watch.disturbed()
            while (now := time.monotonic() - began) < seconds:
                if now >= every * (len(found.faults) + 1) and now + _BACK_SECONDS_MAX / 2 < seconds:
                    role, kind, pause = next(turns)
                    fault = Fault(round(now, 1), role, kind)
                    found.faults.append(fault)
                    watch.strike(fault, pause)
                    console.print(
                        f"{fault.at:7.0f} s  {kind} {role}: back after {fault.back} s, "
                        f"recovered after {fault.recovered} s"
                    )
                watch.look()
                time.sleep(_POLL_SECONDS)
    finally:
        sender.finish(early=True)
    found.wrong += judged(deployment)
    return found, {"sent": sender.sent, "vitals": watch.vitals.report()}


def judged(deployment: Deployment) -> list[str]:
    """What is wrong with a deployment once nothing more is sent."""
    wrong = []
    for arguments in (("status", "--wait", _DRAIN_SECONDS), ("reconcile", "--wait", "120")):
        done = deployment.shilu(*arguments)
        console.print(
            f"shilu {' '.join(arguments)}: {done.returncode}\n{done.stdout}", markup=False
        )
        if done.returncode:
            wrong.append(f"shilu {arguments[0]} ended with {done.returncode}: {done.stderr[-500:]}")
    return wrong


def modelled(home: Path) -> list[str]:
    """What the model finds in the log that a deployment has left, once all of it is folded.

    A worker that does not tick folds the ticks of those before it: one more would look lost.
    """
    with Cluster(home, producer_time=False, prepared=True) as cluster:
        cluster.worker("last")
        wait_until(lambda: cluster.behind() == 0, "the last worker has caught up")
        cluster.stop("last")
        return judge(cluster.broker.bootstrap)


def main() -> None:
    """Soak as asked; the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--every", type=float, default=300.0, help="seconds between two faults")
    parser.add_argument("--rate", type=int, default=200, help="events a second")
    parser.add_argument("--seed", type=int, default=None, help="repeats a run")
    parser.add_argument("--spare", nargs="*", default=[], choices=ROLES, help="roles left alone")
    parser.add_argument("--result", type=Path, default=RESULTS / "soak.json")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    seed = random.SystemRandom().randrange(10**6) if asked.seed is None else asked.seed
    print(f"seed {seed}", flush=True)
    where = machine("aiokafka", "faust-streaming", "kafka-python", "chdb")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with Deployment(home, WORKERS) as up:
            found, seen = soak(up, asked.hours * 3600, asked.every, asked.rate, seed, asked.spare)
            if found.wrong:
                console.print(up.words(), markup=False)
        found.wrong += modelled(home)
    for said in found.wrong:
        console.print(f"[bold red]✘[/] {said}")
    result = {"machine": where, "seed": seed, "hours": asked.hours, "every_seconds": asked.every,
              "rate": asked.rate, "spared": asked.spare} | seen | asdict(found)  # fmt: skip
    asked.result.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(
        f"soak hours {asked.hours:g} faults {len(found.faults)} "
        f"slowest_gap_seconds {found.slowest_gap:.1f} wrong {len(found.wrong)}"
    )
    raise SystemExit(bool(found.wrong))


if __name__ == "__main__":
    main()
