"""Every event of the contract as a frozen value.

Times (`*_at`) are microseconds since 1970 UTC, dates (`*_on`, `effective_from`) days since 1970,
lengths whole minutes. A class has the fields of its Avro file, in its order; tests hold the two
together.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something, in which role, and for which organisation."""

    id: str
    role: str
    org_id: str | None = None


@dataclass(frozen=True, slots=True)
class CheckedIn:
    """A volunteer began serving."""

    event_id: str
    volunteer_id: str
    session_id: str
    activity_id: str
    project_id: str
    site_id: str | None
    shift_id: str | None
    recording_org_id: str
    host_org_id: str
    occurred_at: int
    sent_at: int | None
    channel: str
    device_id: str | None
    app: str | None
    offline: bool
    actor: Actor
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckedOut:
    """A volunteer stopped serving."""

    event_id: str
    volunteer_id: str
    session_id: str
    activity_id: str
    project_id: str
    site_id: str | None
    shift_id: str | None
    recording_org_id: str
    host_org_id: str
    occurred_at: int
    sent_at: int | None
    channel: str
    device_id: str | None
    app: str | None
    offline: bool
    actor: Actor
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClockTicked:
    """Time itself, written to every partition of service.checkins."""

    event_id: str
    occurred_at: int


@dataclass(frozen=True, slots=True)
class HoursGranted:
    """Service taken down after the fact by an administrator (backfill)."""

    event_id: str
    volunteer_id: str
    grant_id: str
    activity_id: str
    project_id: str
    site_id: str | None
    shift_id: str | None
    recording_org_id: str
    host_org_id: str
    start_at: int
    end_at: int
    reason: str
    occurred_at: int
    sent_at: int | None
    channel: str
    device_id: str | None
    app: str | None
    offline: bool
    actor: Actor
    evidence: tuple[str, ...]
    approver: Actor | None


@dataclass(frozen=True, slots=True)
class SessionVoided:
    """A session or a grant is void: none of its minutes count. Exactly one of the two is named."""

    event_id: str
    volunteer_id: str
    session_id: str | None
    grant_id: str | None
    reason: str
    occurred_at: int
    sent_at: int | None
    channel: str
    device_id: str | None
    app: str | None
    offline: bool
    actor: Actor
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """One dimension of an evaluation, 1 to 5."""

    dimension: str
    score: int


@dataclass(frozen=True, slots=True)
class EvaluationSubmitted:
    """An organisation's judgement of a volunteer's service in a project."""

    event_id: str
    volunteer_id: str
    evaluation_id: str
    project_id: str
    evaluator_org_id: str
    scores: tuple[Score, ...]
    comment_ref: str | None
    occurred_at: int
    sent_at: int | None
    channel: str
    device_id: str | None
    app: str | None
    offline: bool
    actor: Actor
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OrgRegistered:
    """An organisation takes part."""

    event_id: str
    org_id: str
    kind: str
    name: str | None
    parent_org_id: str | None
    region: str | None
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class ProjectPublished:
    """A project is open for service."""

    event_id: str
    project_id: str
    org_id: str
    name: str | None
    brand_id: str | None
    service_field: str | None
    policy_id: str | None
    start_on: int | None
    end_on: int | None
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class UtcOffset:
    """From this instant on, civil time is UTC plus so many minutes."""

    from_at: int
    offset_minutes: int


@dataclass(frozen=True, slots=True)
class SitePublished:
    """A service place; its civil time is data, so that replay needs no time zone database."""

    event_id: str
    site_id: str
    name: str | None
    operator_org_id: str | None
    region: str | None
    timezone: str
    utc_offsets: tuple[UtcOffset, ...]
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class ShiftScheduled:
    """A shift of an activity at a site."""

    event_id: str
    shift_id: str
    activity_id: str
    project_id: str
    site_id: str | None
    start_at: int
    end_at: int
    capacity: int | None
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class PolicyPublished:
    """One immutable version of the rules of an hour."""

    event_id: str
    policy_id: str
    version: int
    effective_from: int
    max_open_minutes: int
    max_session_minutes: int
    late_event_window_minutes: int
    max_clock_skew_minutes: int
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class VolunteerRegistered:
    """A person is registered under a random pseudonym."""

    event_id: str
    volunteer_id: str
    identity_hash: str | None
    birth_month: str | None
    region: str | None
    occurred_at: int
    actor: Actor | None


Fact = CheckedIn | CheckedOut | HoursGranted | SessionVoided | EvaluationSubmitted
"""What happened to one volunteer; travels on a service.* topic under the volunteer's key."""

CatalogueEvent = (
    OrgRegistered
    | ProjectPublished
    | SitePublished
    | ShiftScheduled
    | PolicyPublished
    | VolunteerRegistered
)
"""What is registered; travels on registry.catalogue, which is totally ordered."""

Event = Fact | ClockTicked | CatalogueEvent
