"""What the ledger says about each input record: postings, their lines, accounts, quarantine.

Units as in `schemas.events`. These are outputs of the worker and public to subscribers. Those
that every event makes have an `__init__` of their own, which mypyc compiles; one of dataclasses
takes ten times as long.
"""

from dataclasses import dataclass
from typing import Final, Literal

Outcome = Literal["posted", "held", "duplicate", "refused"]
Kind = Literal["service", "manual", "import", "training"]
State = Literal["effective", "held_org", "held_province", "held_review", "rejected"]


@dataclass(slots=True, init=False, unsafe_hash=True)
class Line:
    """A signed difference of minutes of one session or grant on one local day."""

    line_no: Final[int]
    session_id: Final[str | None]
    grant_id: Final[str | None]
    recording_org_id: Final[str]
    host_org_id: Final[str]
    project_id: Final[str]
    site_id: Final[str | None]
    activity_id: Final[str]
    service_date: Final[int]
    minutes: Final[int]
    kind: Final[Kind]
    state: Final[State]
    policy: Final[str]

    def __init__(
        self,
        line_no: int,
        session_id: str | None,
        grant_id: str | None,
        recording_org_id: str,
        host_org_id: str,
        project_id: str,
        site_id: str | None,
        activity_id: str,
        service_date: int,
        minutes: int,
        kind: Kind,
        state: State,
        policy: str,
    ) -> None:
        self.line_no = line_no
        self.session_id = session_id
        self.grant_id = grant_id
        self.recording_org_id = recording_org_id
        self.host_org_id = host_org_id
        self.project_id = project_id
        self.site_id = site_id
        self.activity_id = activity_id
        self.service_date = service_date
        self.minutes = minutes
        self.kind = kind
        self.state = state
        self.policy = policy

    def values(self) -> tuple[object, ...]:
        """Its fields in order."""
        return (
            self.line_no,
            self.session_id,
            self.grant_id,
            self.recording_org_id,
            self.host_org_id,
            self.project_id,
            self.site_id,
            self.activity_id,
            self.service_date,
            self.minutes,
            self.kind,
            self.state,
            self.policy,
        )


@dataclass(slots=True, init=False, unsafe_hash=True)
class Posting:
    """What one input record did. `index` is dense per partition, `sequence` per volunteer from 1.

    `balance_minutes` is the volunteer's effective service time after this posting.
    `volunteer_id` is empty only for a tick that found nothing due.
    """

    partition: Final[int]
    index: Final[int]
    source_topic: Final[str]
    source_partition: Final[int]
    source_offset: Final[int]
    event_id: Final[str]
    event_type: Final[str]
    volunteer_id: Final[str]
    sequence: Final[int]
    occurred_at: Final[int]
    recorded_at: Final[int]
    actor_id: Final[str | None]
    catalogue_offset: Final[int]
    outcome: Final[Outcome]
    reason: Final[str | None]
    lines: Final[tuple[Line, ...]]
    balance_minutes: Final[int]

    def __init__(
        self,
        partition: int,
        index: int,
        source_topic: str,
        source_partition: int,
        source_offset: int,
        event_id: str,
        event_type: str,
        volunteer_id: str,
        sequence: int,
        occurred_at: int,
        recorded_at: int,
        actor_id: str | None,
        catalogue_offset: int,
        outcome: Outcome,
        reason: str | None,
        lines: tuple[Line, ...],
        balance_minutes: int,
    ) -> None:
        self.partition = partition
        self.index = index
        self.source_topic = source_topic
        self.source_partition = source_partition
        self.source_offset = source_offset
        self.event_id = event_id
        self.event_type = event_type
        self.volunteer_id = volunteer_id
        self.sequence = sequence
        self.occurred_at = occurred_at
        self.recorded_at = recorded_at
        self.actor_id = actor_id
        self.catalogue_offset = catalogue_offset
        self.outcome = outcome
        self.reason = reason
        self.lines = lines
        self.balance_minutes = balance_minutes

    def values(self) -> tuple[object, ...]:
        """Its fields in order."""
        return (
            self.partition,
            self.index,
            self.source_topic,
            self.source_partition,
            self.source_offset,
            self.event_id,
            self.event_type,
            self.volunteer_id,
            self.sequence,
            self.occurred_at,
            self.recorded_at,
            self.actor_id,
            self.catalogue_offset,
            self.outcome,
            self.reason,
            self.lines,
            self.balance_minutes,
        )


@dataclass(slots=True, init=False, unsafe_hash=True)
class Total:
    """Minutes of one kind in one state."""

    kind: Final[Kind]
    state: Final[State]
    minutes: Final[int]

    def __init__(self, kind: Kind, state: State, minutes: int) -> None:
        self.kind = kind
        self.state = state
        self.minutes = minutes

    def values(self) -> tuple[object, ...]:
        """Its fields in order."""
        return (self.kind, self.state, self.minutes)


@dataclass(slots=True, init=False, unsafe_hash=True)
class Due:
    """A session that a tick must look at once the log's time has reached `at`."""

    at: Final[int]
    key: Final[str]

    def __init__(self, at: int, key: str) -> None:
        self.at = at
        self.key = key

    def values(self) -> tuple[object, ...]:
        """Its fields in order."""
        return (self.at, self.key)


@dataclass(slots=True, init=False, unsafe_hash=True)
class InlinePage:
    """A state page carried inside the account record."""

    key: Final[str]
    value: Final[bytes]

    def __init__(self, key: str, value: bytes) -> None:
        self.key = key
        self.value = value

    def values(self) -> tuple[object, ...]:
        """Its fields in order."""
        return (self.key, self.value)


@dataclass(slots=True, init=False, unsafe_hash=True)
class Account:
    """A volunteer's totals now, and what the worker must remember; the latest record counts.

    `lent_to` names the registration that absorbed this one: it counts the hours, here they are 0.
    Its sessions and grants lie on UTC days from `first_date` to `last_date`.
    """

    volunteer_id: Final[str]
    sequence: Final[int]
    balance_minutes: Final[int]
    totals: Final[tuple[Total, ...]]
    index_entries: Final[int]
    due: Final[tuple[Due, ...]]
    pages: Final[tuple[InlinePage, ...]]
    lent_to: Final[str | None]
    first_date: Final[int | None]
    last_date: Final[int | None]

    def __init__(
        self,
        volunteer_id: str,
        sequence: int,
        balance_minutes: int,
        totals: tuple[Total, ...],
        index_entries: int,
        due: tuple[Due, ...],
        pages: tuple[InlinePage, ...],
        lent_to: str | None = None,
        first_date: int | None = None,
        last_date: int | None = None,
    ) -> None:
        self.volunteer_id = volunteer_id
        self.sequence = sequence
        self.balance_minutes = balance_minutes
        self.totals = totals
        self.index_entries = index_entries
        self.due = due
        self.pages = pages
        self.lent_to = lent_to
        self.first_date = first_date
        self.last_date = last_date

    def values(self) -> tuple[object, ...]:
        """Its fields in order."""
        return (
            self.volunteer_id,
            self.sequence,
            self.balance_minutes,
            self.totals,
            self.index_entries,
            self.due,
            self.pages,
            self.lent_to,
            self.first_date,
            self.last_date,
        )


@dataclass(slots=True, init=False, unsafe_hash=True)
class StatePage:
    """A page of an account that has outgrown its account record; private to the worker.

    `page` is d and a UTC day number (its spans) or b and a number (a page of its id index).
    """

    volunteer_id: Final[str]
    page: Final[str]
    value: Final[bytes]

    def __init__(self, volunteer_id: str, page: str, value: bytes) -> None:
        self.volunteer_id = volunteer_id
        self.page = page
        self.value = value

    def values(self) -> tuple[object, ...]:
        """Its fields in order."""
        return (self.volunteer_id, self.page, self.value)


@dataclass(frozen=True, slots=True)
class Position:
    """The next offset to be applied from one source topic."""

    topic: str
    next_offset: int


@dataclass(frozen=True, slots=True)
class PartitionState:
    """Where one ledger partition stands; written in every transaction.

    `ticked_offset` is where registry.catalogue ended at the last tick: who waits was let count, or
    not, by that.
    """

    partition: int
    next_index: int
    catalogue_offset: int
    positions: tuple[Position, ...]
    ticked_offset: int = 0


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
