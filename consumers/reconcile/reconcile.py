"""Kafka = trail = accounts, or exactly where not.

Green needs all of it: the trail is a true copy of the log, every input record has exactly one
outcome, posting indexes are dense, and every account says what its postings and lines come to.
"""

import time
from collections.abc import Mapping
from typing import Protocol

from consumers.api.trail_client import Reader
from consumers.kafka.gaps import Gap, accepted
from consumers.kafka.reader import Log
from consumers.kafka.records import Place
from consumers.reconcile.account_diff import compare_accounts, read_accounts
from consumers.reconcile.findings import Difference, Findings, Report, report
from consumers.reconcile.lag import partition_states, position_of
from consumers.reconcile.outcomes import Outcomes
from consumers.reconcile.trail_diff import compare, cursors_of
from consumers.trail.sink import TOPICS
from schemas.topics import ACCOUNTS, FACTS, POSTINGS, QUARANTINE

_OUTPUTS = (POSTINGS, QUARANTINE)
_POLL_SECONDS = 0.25


class Watcher(Protocol):
    """Who is told how far a reconciliation is."""

    def told(self, done: int, total: int) -> None:
        """So many offsets of the log have been compared."""


def reconcile(reader: Reader, log: Log, watcher: Watcher, *, wait_seconds: float = 0.0) -> Report:
    """Compare everything, after waiting up to `wait_seconds` for worker and sink to catch up.

    Raises LogError, TrailError.
    """
    findings = Findings()
    snapshot = _Snapshot(reader, log)
    deadline = time.monotonic() + wait_seconds
    while True:
        snapshot.take()
        if not snapshot.is_behind or time.monotonic() >= deadline:
            break
        time.sleep(_POLL_SECONDS)
    gaps = snapshot.judge_gaps(findings)
    snapshot.compare_copies(watcher, findings)
    trail_behind = dict(snapshot.trail_behind)
    for partition in snapshot.partitions:
        late = _compare_partition(reader, log, partition, wait_seconds, findings)
        if late:
            trail_behind.setdefault(Place(POSTINGS, partition), late)
    return report(
        findings, _named(snapshot.worker_behind), _named(trail_behind),
        _named(snapshot.open), [gap.event_id for gap in gaps],
    )  # fmt: skip


class _Snapshot:
    """One moment of log, worker and trail, up to which everything is compared."""

    def __init__(self, reader: Reader, log: Log) -> None:
        self._reader = reader
        self._log = log
        self._places = log.places(TOPICS)
        # Records of an open transaction and those behind it are acknowledged, and in no answer yet.
        self._tops = log.tops([p for p in self._places if p.topic not in _OUTPUTS])
        self._begins = log.begins(self._places)
        self._inputs: dict[Place, int] = {}
        self._held: dict[Place, int] = {}
        self.open: dict[Place, int] = {}
        self.partitions = [p.partition for p in log.places([ACCOUNTS])]
        self.worker_behind: dict[Place, int] = {}
        self.trail_behind: dict[Place, int] = {}
        self._positions: dict[Place, int] = {}
        self._outputs: dict[Place, int] = {}
        self._is_judged = False
        self._below: dict[Place, int] = {}

    @property
    def is_behind(self) -> bool:
        """Is anything still to come, of what the log held at the start?"""
        return bool(self.worker_behind or self.trail_behind or self.open)

    def take(self) -> None:
        """Look where worker and trail are now; inputs are cut where they ended at the start."""
        ends = self._log.ends(self._tops)
        # What came later is not compared, so that there is an end to it.
        self._inputs = {place: min(top, ends[place]) for place, top in self._tops.items()}
        self.open = {p: ends[p] for p, top in self._tops.items() if ends[p] < top}
        states = partition_states(self._log)
        facts = {place: end for place, end in self._inputs.items() if place.topic in FACTS}
        self._positions = {p: position_of(states.get(p.partition), p) for p in facts}
        self.worker_behind = self._count(self._positions, facts)
        if not self._is_judged:
            # After the states: what they count as judged is in the log by now. Once everything is
            # judged the cut stays: while events keep coming, the end is never reached.
            self._outputs = self._log.ends([p for p in self._places if p.topic in _OUTPUTS])
            self._is_judged = not self.worker_behind
        ends = {**self._inputs, **self._outputs}
        heads = self._reader.ask("heads")
        self._held = held = {place: heads.get(str(place), 0) for place in ends}
        self.trail_behind = self._count(held, ends)
        self._below = {
            place: end if place not in self.trail_behind else min(end, held[place])
            for place, end in ends.items()
        }

    def _count(self, held: Mapping[Place, int], ends: Mapping[Place, int]) -> dict[Place, int]:
        """Records to come, and the offsets that wait for an open transaction."""
        starts = {place: max(offset, self._begins[place]) for place, offset in held.items()}
        found = self._log.count(starts, ends)
        for place in self.open.keys() & held.keys():
            late = self._tops[place] - max(self.open[place], starts[place])
            if late > 0:
                found[place] = found.get(place, 0) + late
        return found

    def judge_gaps(self, findings: Findings) -> list[Gap]:
        """Where the log does not begin with its first record: red unless somebody accepted it."""
        gaps = []
        for place, begin in self._begins.items():
            if begin:
                held = min(self._held[place], self._positions.get(place, begin), begin)
                gaps.append(Gap(place, held, begin))
        known = accepted(self._log, gaps)
        for gap in gaps:
            if gap not in known:
                lost = f"offsets {gap.first} to {gap.end - 1} are gone, ledger or trail lack them"
                if gap.first == gap.end:
                    lost = f"offsets before {gap.end} are gone, ledger and trail had them"
                findings.add(Difference("log_gap", f"{gap.place}/{gap.first}", "", "", lost))
        self._judge_ends(findings)
        return sorted(known)

    def _judge_ends(self, findings: Findings) -> None:
        """Nobody may hold what the log does not have any more."""
        tops = self._log.tops(self._held)
        for place, top in tops.items():
            held = max(self._held[place], self._positions.get(place, 0))
            if held > top:
                detail = f"the log ends at {top}, ledger or trail hold it up to {held}"
                findings.add(Difference("log_shorter", f"{place}/{top}", "", "", detail))

    def compare_copies(self, watcher: Watcher, findings: Findings) -> None:
        """The trail against the log, and the outcomes of every fact; outputs are read first."""
        outcomes = Outcomes({p: end for p, end in self._inputs.items() if p.topic in FACTS})
        begins = self._begins
        total = sum(max(0, end - begins[place]) for place, end in self._below.items())
        done = 0
        for place in sorted(self._below, key=lambda p: (p.topic not in _OUTPUTS, p)):
            below, start = self._below[place], begins[place]
            records = self._log.read(place, start, below)
            cursors = cursors_of(place, below, self._reader.stream)
            for cursor in cursors.values() if start else ():
                # The log cannot bear witness to what it has lost.
                cursor.up_to(start - 1)
            for chunk, rows in compare(place, records, cursors, findings):
                if place.topic in _OUTPUTS:
                    table = "posting" if place.topic == POSTINGS else "quarantine"
                    outcomes.take(place, rows[table], findings)
                elif place.topic in FACTS:
                    outcomes.judge(place, chunk, rows["event"], self._judged(place), findings)
                watcher.told(done + chunk[-1].offset + 1 - start, total)
            if place.topic in FACTS:
                outcomes.finish(place, start, below, findings)
            done += max(0, below - start)
        watcher.told(total, total)

    def _judged(self, place: Place) -> int:
        """Facts before this offset must have an outcome among the outputs that were compared."""
        late = {Place(topic, place.partition) for topic in _OUTPUTS} & self.trail_behind.keys()
        return 0 if late else self._positions[place]


def _compare_partition(
    reader: Reader, log: Log, partition: int, wait_seconds: float, findings: Findings
) -> int:
    """Accounts of one partition as they are now; returns how many postings the trail lacks."""
    accounts, state = read_accounts(log, partition)
    deadline = time.monotonic() + wait_seconds
    below = 0 if state is None else state.next_index
    while (there := reader.ask("indexes").get(str(partition), 0)) < below:
        if time.monotonic() >= deadline:
            return below - int(there)
        time.sleep(_POLL_SECONDS)
    if state is None and (there or accounts):
        place = f"{ACCOUNTS}/{partition}"
        detail = f"{there} postings, {len(accounts)} accounts, but no state of the partition"
        findings.add(Difference("state_missing", place, "", "", detail))
        below = int(there)
    rows = reader.stream("accounts", partition=partition, below_index=below)
    compare_accounts(partition, accounts, rows, findings)
    return 0


def _named(behind: Mapping[Place, int]) -> dict[str, int]:
    return {str(place): n for place, n in sorted(behind.items())}
