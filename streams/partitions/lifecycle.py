"""The states of a partition in a worker, and what moves it from one to the next.

This table is the whole of it: `streams.partitions.partition_task` moves by it alone, and
docs/worker.md shows it. A partition waits for nobody but its own log, and for that with a bound.
"""

from enum import Enum
from typing import Final


class State(Enum):
    """Where a partition is; the value is its name in /health and in the docs."""

    UNASSIGNED = "unassigned"
    FENCING = "fencing"
    RESTORING = "restoring"
    RUNNING = "running"
    RESTING = "resting"
    DRAINING = "draining"
    CLOSED = "closed"


MOVES: Final[dict[State, dict[State, str]]] = {
    State.UNASSIGNED: {
        State.FENCING: "the group gave it to this worker",
    },
    State.FENCING: {
        State.RESTORING: "its transactional id is ours: no predecessor can commit any more",
        State.RESTING: "the cluster did not answer in time, or refused",
        State.CLOSED: "revoked, or the process ends",
    },
    State.RESTORING: {
        State.RUNNING: "its accounts are as ledger.accounts has them",
        State.RESTING: "log or disk did not answer in time, or the log is shorter than the ledger",
        State.CLOSED: "revoked, or the process ends",
    },
    State.RUNNING: {
        State.RESTING: "a transaction failed, or was late: only the log knows what became of it",
        State.DRAINING: "revoked, or the process ends",
    },
    State.RESTING: {
        State.FENCING: "it has rested",
        State.CLOSED: "revoked, or the process ends",
    },
    State.DRAINING: {
        State.CLOSED: "the transaction in flight has ended, or had its time",
    },
    State.CLOSED: {
        State.UNASSIGNED: "its producer and its state store are closed",
    },
}
"""State -> the states that may follow, and why."""


def move(before: State, after: State) -> State:
    """The state after; raises ValueError where the table has no such move, which is a bug here."""
    if after not in MOVES[before]:
        raise ValueError(f"a partition cannot go from {before.value} to {after.value}")
    return after
