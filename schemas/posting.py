"""What the ledger says about each input record: postings, their lines, accounts, quarantine.

Units as in `schemas.events`. These are outputs of the worker and public to subscribers.
"""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["posted", "held", "duplicate", "refused"]
Kind = Literal["service", "manual", "import", "training"]
State = Literal["effective", "held_org", "held_province", "held_review", "rejected"]


@dataclass(frozen=True, slots=True)
class Line:
    """A signed difference of minutes of one session or grant on one local day."""

    line_no: int
    session_id: str | None
    grant_id: str | None
    recording_org_id: str
    host_org_id: str
    project_id: str
    site_id: str | None
    activity_id: str
    service_date: int
    minutes: int
    kind: Kind
    state: State
    policy: str


@dataclass(frozen=True, slots=True)
class Posting:
    """What one input record did. `index` is dense per partition, `sequence` per volunteer from 1.

    `balance_minutes` is the volunteer's effective service time after this posting.
    `volunteer_id` is empty only for a tick that found nothing due.
    """

    partition: int
    index: int
    source_topic: str
    source_partition: int
    source_offset: int
    event_id: str
    event_type: str
    volunteer_id: str
    sequence: int
    occurred_at: int
    recorded_at: int
    actor_id: str | None
    catalogue_offset: int
    outcome: Outcome
    reason: str | None
    lines: tuple[Line, ...]
    balance_minutes: int


@dataclass(frozen=True, slots=True)
class Total:
    """Minutes of one kind in one state."""

    kind: Kind
    state: State
    minutes: int


@dataclass(frozen=True, slots=True)
class Due:
    """A session that a tick must look at once the log's time has reached `at`."""

    at: int
    key: str


@dataclass(frozen=True, slots=True)
class InlinePage:
    """A state page carried inside the account record."""

    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Account:
    """A volunteer's totals now, and what the worker must remember; the latest record counts."""

    volunteer_id: str
    sequence: int
    balance_minutes: int
    totals: tuple[Total, ...]
    index_entries: int
    due: tuple[Due, ...]
    pages: tuple[InlinePage, ...]


@dataclass(frozen=True, slots=True)
class StatePage:
    """A page of an account that has outgrown its account record; private to the worker.

    `page` is d and a UTC day number (its spans) or b and a number (a page of its id index).
    """

    volunteer_id: str
    page: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Position:
    """The next offset to be applied from one source topic."""

    topic: str
    next_offset: int


@dataclass(frozen=True, slots=True)
class PartitionState:
    """Where one ledger partition stands; written in every transaction."""

    partition: int
    next_index: int
    catalogue_offset: int
    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An input record that could not enter the ledger, with its bytes (cut at 64 KiB)."""

    source_topic: str
    source_partition: int
    source_offset: int
    recorded_at: int
    reason: str
    detail: str
    key: bytes | None
    value: bytes | None
    value_size: int


Output = Posting | Account | StatePage | PartitionState | Quarantined
