"""Kafka = trail = accounts, or exactly where not.

Green needs all of it: the trail is a true copy of the log, every input record has exactly one
outcome, posting indexes are dense, and every account says what its postings and lines come to.
"""

import time
from collections.abc import Mapping
from typing import Protocol

from consumers.ask import Reader
from consumers.balances import compare_accounts, newest_state, read_accounts
from consumers.copies import compare, cursors_of
from consumers.findings import Difference, Findings, Report, report
from consumers.log import Log
from consumers.outcomes import Outcomes
from consumers.rows import Place
from consumers.sink import TOPICS
from schemas.posting import PartitionState
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
    snapshot.compare_copies(watcher, findings)
    trail_behind = dict(snapshot.trail_behind)
    for partition in snapshot.partitions:
        late = _compare_partition(reader, log, partition, wait_seconds, findings)
        if late:
            trail_behind.setdefault(Place(POSTINGS, partition), late)
    return report(findings, _named(snapshot.worker_behind), _named(trail_behind))


class _Snapshot:
    """One moment of log, worker and trail, up to which everything is compared."""

    def __init__(self, reader: Reader, log: Log) -> None:
        self._reader = reader
        self._log = log
        self._places = log.places(TOPICS)
        self._inputs = log.ends([p for p in self._places if p.topic not in _OUTPUTS])
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
        return bool(self.worker_behind or self.trail_behind)

    def take(self) -> None:
        """Look where worker and trail are now; inputs are cut where they ended at the start."""
        states = {p: newest_state(self._log, p) for p in self.partitions}
        facts = {place: end for place, end in self._inputs.items() if place.topic in FACTS}
        self._positions = {place: _position(states.get(place.partition), place) for place in facts}
        self.worker_behind = self._log.count(self._positions, facts)
        if not self._is_judged:
            # After the states: what they count as judged is in the log by now. Once everything is
            # judged the cut stays: while events keep coming, the end is never reached.
            self._outputs = self._log.ends([p for p in self._places if p.topic in _OUTPUTS])
            self._is_judged = not self.worker_behind
        ends = {**self._inputs, **self._outputs}
        heads = self._reader.ask("heads")
        held = {place: heads.get(str(place), 0) for place in ends}
        self.trail_behind = self._log.count(held, ends)
        self._below = {
            place: end if place not in self.trail_behind else min(end, held[place])
            for place, end in ends.items()
        }

    def compare_copies(self, watcher: Watcher, findings: Findings) -> None:
        """The trail against the log, and the outcomes of every fact; outputs are read first."""
        outcomes = Outcomes({p: end for p, end in self._inputs.items() if p.topic in FACTS})
        begins = self._log.begins(self._below)
        total = sum(self._below[place] - begins[place] for place in self._below)
        done = 0
        for place in sorted(self._below, key=lambda p: (p.topic not in _OUTPUTS, p)):
            below, start = self._below[place], begins[place]
            records = self._log.read(place, start, below)
            cursors = cursors_of(place, below, self._reader.stream)
            for chunk, rows in compare(place, records, cursors, findings):
                if place.topic in _OUTPUTS:
                    table = "posting" if place.topic == POSTINGS else "quarantine"
                    outcomes.take(place, rows[table], findings)
                elif place.topic in FACTS:
                    outcomes.judge(place, chunk, rows["event"], self._judged(place), findings)
                watcher.told(done + chunk[-1].offset + 1 - start, total)
            if place.topic in FACTS:
                outcomes.finish(place, below, findings)
            done += below - start
        watcher.told(total, total)

    def _judged(self, place: Place) -> int:
        """Facts before this offset must have an outcome among the outputs that were compared."""
        late = {Place(topic, place.partition) for topic in _OUTPUTS} & self.trail_behind.keys()
        return 0 if late else self._positions[place]


def _position(state: PartitionState | None, place: Place) -> int:
    positions = () if state is None else state.positions
    return next((p.next_offset for p in positions if p.topic == place.topic), 0)


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
