"""Every event of the contract as a frozen value.

Times (`*_at`) are microseconds since 1970 UTC, dates (`*_on`, `effective_from`) days since 1970,
lengths whole minutes. A class has the fields of its Avro file, in its order; tests hold the two
together. The events that come most have an `__init__` of their own, as in `schemas.posting`.
"""

from dataclasses import dataclass
from typing import Final, Literal

from schemas.posting import Kind


@dataclass(slots=True, init=False, unsafe_hash=True)
class Actor:
    """Who did something, in which role, and for which organisation."""

    id: Final[str]
    role: Final[str]
    org_id: Final[str | None]

    def __init__(self, id: str, role: str, org_id: str | None = None) -> None:
        self.id = id
        self.role = role
        self.org_id = org_id


@dataclass(slots=True, init=False, unsafe_hash=True)
class CheckedIn:
    """A volunteer began serving."""

    event_id: Final[str]
    volunteer_id: Final[str]
    session_id: Final[str]
    activity_id: Final[str]
    project_id: Final[str]
    site_id: Final[str | None]
    shift_id: Final[str | None]
    recording_org_id: Final[str]
    host_org_id: Final[str]
    occurred_at: Final[int]
    sent_at: Final[int | None]
    channel: Final[str]
    device_id: Final[str | None]
    app: Final[str | None]
    offline: Final[bool]
    actor: Final[Actor]
    evidence: Final[tuple[str, ...]]

    def __init__(
        self,
        event_id: str,
        volunteer_id: str,
        session_id: str,
        activity_id: str,
        project_id: str,
        site_id: str | None,
        shift_id: str | None,
        recording_org_id: str,
        host_org_id: str,
        occurred_at: int,
        sent_at: int | None,
        channel: str,
        device_id: str | None,
        app: str | None,
        offline: bool,
        actor: Actor,
        evidence: tuple[str, ...],
    ) -> None:
        self.event_id = event_id
        self.volunteer_id = volunteer_id
        self.session_id = session_id
        self.activity_id = activity_id
        self.project_id = project_id
        self.site_id = site_id
        self.shift_id = shift_id
        self.recording_org_id = recording_org_id
        self.host_org_id = host_org_id
        self.occurred_at = occurred_at
        self.sent_at = sent_at
        self.channel = channel
        self.device_id = device_id
        self.app = app
        self.offline = offline
        self.actor = actor
        self.evidence = evidence


@dataclass(slots=True, init=False, unsafe_hash=True)
class CheckedOut:
    """A volunteer stopped serving."""

    event_id: Final[str]
    volunteer_id: Final[str]
    session_id: Final[str]
    activity_id: Final[str]
    project_id: Final[str]
    site_id: Final[str | None]
    shift_id: Final[str | None]
    recording_org_id: Final[str]
    host_org_id: Final[str]
    occurred_at: Final[int]
    sent_at: Final[int | None]
    channel: Final[str]
    device_id: Final[str | None]
    app: Final[str | None]
    offline: Final[bool]
    actor: Final[Actor]
    evidence: Final[tuple[str, ...]]

    def __init__(
        self,
        event_id: str,
        volunteer_id: str,
        session_id: str,
        activity_id: str,
        project_id: str,
        site_id: str | None,
        shift_id: str | None,
        recording_org_id: str,
        host_org_id: str,
        occurred_at: int,
        sent_at: int | None,
        channel: str,
        device_id: str | None,
        app: str | None,
        offline: bool,
        actor: Actor,
        evidence: tuple[str, ...],
    ) -> None:
        self.event_id = event_id
        self.volunteer_id = volunteer_id
        self.session_id = session_id
        self.activity_id = activity_id
        self.project_id = project_id
        self.site_id = site_id
        self.shift_id = shift_id
        self.recording_org_id = recording_org_id
        self.host_org_id = host_org_id
        self.occurred_at = occurred_at
        self.sent_at = sent_at
        self.channel = channel
        self.device_id = device_id
        self.app = app
        self.offline = offline
        self.actor = actor
        self.evidence = evidence


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
    minutes: int | None = None


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
    partner_org_ids: tuple[str, ...] = ()


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
    clamp_to_shift: bool = False
    org_tier_minutes: int | None = None
    province_tier_minutes: int | None = None
    min_ratio_percent: int | None = None
    record_deadline_days: int = 10
    calendar_id: str | None = None
    consent_age_years: int = 14
    star_hours: tuple[int, ...] = (100, 300, 600, 1000, 1500)
    star_basis: str = "lifetime"
    point_minutes: int = 60
    evaluation_deadline_days: int = 10


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


@dataclass(frozen=True, slots=True)
class SessionConfirmed:
    """The organiser confirms a session or a claim that waits for it."""

    event_id: str
    volunteer_id: str
    session_id: str | None
    grant_id: str | None
    occurred_at: int
    sent_at: int | None
    channel: str
    device_id: str | None
    app: str | None
    offline: bool
    actor: Actor
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SessionDenied:
    """The organiser denies a session or a claim."""

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
class HoursClaimed:
    """A volunteer says when they served; it waits for the organiser."""

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


@dataclass(frozen=True, slots=True)
class HoursDecided:
    """A level above the organiser decides on held hours."""

    event_id: str
    volunteer_id: str
    session_id: str | None
    grant_id: str | None
    decision: str
    level: str
    reason: str
    occurred_at: int
    sent_at: int | None
    channel: str
    device_id: str | None
    app: str | None
    offline: bool
    actor: Actor
    evidence: tuple[str, ...]
    scope: str = "held"


@dataclass(frozen=True, slots=True)
class HoursImported:
    """Hours of one day taken over from another system's record."""

    event_id: str
    volunteer_id: str
    grant_id: str
    activity_id: str
    project_id: str
    site_id: str | None
    shift_id: str | None
    recording_org_id: str
    host_org_id: str
    service_date: int
    minutes: int
    source_system: str
    batch_id: str
    row_hash: str
    occurred_at: int
    sent_at: int | None
    channel: str
    device_id: str | None
    app: str | None
    offline: bool
    actor: Actor
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrainingRecorded:
    """Learning time, kept apart from service time (Order 67, article 8)."""

    event_id: str
    volunteer_id: str
    grant_id: str
    activity_id: str
    project_id: str
    site_id: str | None
    shift_id: str | None
    recording_org_id: str
    host_org_id: str
    service_date: int
    minutes: int
    name: str
    content_ref: str | None
    occurred_at: int
    sent_at: int | None
    channel: str
    device_id: str | None
    app: str | None
    offline: bool
    actor: Actor
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CorrectionRequested:
    """Somebody says when and where a session or grant really was."""

    event_id: str
    volunteer_id: str
    correction_id: str
    session_id: str | None
    grant_id: str | None
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


@dataclass(frozen=True, slots=True)
class CorrectionDecided:
    """A second person decides on a requested correction."""

    event_id: str
    volunteer_id: str
    correction_id: str
    session_id: str | None
    grant_id: str | None
    decision: str
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
class SessionReinstated:
    """A void session or grant counts again."""

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
class AppealFiled:
    """Somebody objects to a void or a rejection."""

    event_id: str
    volunteer_id: str
    appeal_id: str
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
class AppealDecided:
    """Somebody who had no part in it decides on an appeal; approve restores the hours."""

    event_id: str
    volunteer_id: str
    appeal_id: str
    session_id: str | None
    grant_id: str | None
    decision: str
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
class HoursRerated:
    """A session or grant follows another version of the rules from now on."""

    event_id: str
    volunteer_id: str
    session_id: str | None
    grant_id: str | None
    policy_id: str
    version: int
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
class RecordReplayed:
    """Somebody replays a record out of quarantine: it is written to its topic once more, together
    with this event."""

    event_id: str
    volunteer_id: str
    source_topic: str
    source_partition: int
    source_offset: int
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
class SiteOperatorAssigned:
    """An organisation runs a site for a time and may record what is served there."""

    event_id: str
    site_id: str
    operator_org_id: str
    start_on: int
    end_on: int | None
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class ShiftCancelled:
    """A shift will not take place; what was served in it still counts."""

    event_id: str
    shift_id: str
    reason: str
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class ApplicationDecided:
    """A volunteer's application to a shift is decided; who is accepted is on its roster."""

    event_id: str
    shift_id: str
    volunteer_id: str
    decision: str
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class AssignmentWithdrawn:
    """A volunteer leaves the roster of a shift."""

    event_id: str
    shift_id: str
    volunteer_id: str
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class NoShowRecorded:
    """Somebody on the roster did not come; nothing is credited."""

    event_id: str
    shift_id: str
    volunteer_id: str
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class GroupAttendanceRecorded:
    """Heads counted without identity: a figure of the organisation, nobody's hours."""

    event_id: str
    recording_org_id: str
    activity_id: str
    project_id: str
    headcount: int
    start_at: int
    end_at: int
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class OrgSucceeded:
    """An organisation is merged or dissolved; its successor may decide in its place."""

    event_id: str
    org_id: str
    successor_org_id: str
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class HolidaysPublished:
    """Days off and make-up working days of a calendar, added to those it has."""

    event_id: str
    calendar_id: str
    holidays: tuple[int, ...]
    workdays: tuple[int, ...]
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class VolunteerMerged:
    """Two registrations are one person: the first is absorbed by the second."""

    event_id: str
    volunteer_id: str
    into_volunteer_id: str
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class VolunteerUnmerged:
    """A merge was a mistake: the absorbed registration stands by itself again."""

    event_id: str
    volunteer_id: str
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class VolunteerErased:
    """A person asked to be forgotten; their lines stay under a pseudonym nobody can resolve."""

    event_id: str
    volunteer_id: str
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class GuardianConsentRecorded:
    """A guardian consents to the service of a person under 14."""

    event_id: str
    volunteer_id: str
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class GuardianConsentWithdrawn:
    """A guardian withdraws consent; what was served before stays."""

    event_id: str
    volunteer_id: str
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class ProjectClosed:
    """A project has ended; from now on those who served in it are evaluated."""

    event_id: str
    project_id: str
    closed_on: int
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class EvaluationRevised:
    """The evaluating organisation changes its judgement; the earlier one stays readable."""

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
class EvaluationWithdrawn:
    """The evaluating organisation takes its judgement back."""

    event_id: str
    volunteer_id: str
    evaluation_id: str
    project_id: str
    evaluator_org_id: str
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
class VolunteerResponded:
    """The volunteer answers an evaluation."""

    event_id: str
    volunteer_id: str
    evaluation_id: str
    project_id: str
    evaluator_org_id: str
    agrees: bool
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
class FeedbackDelivered:
    """The volunteer has been told of an evaluation."""

    event_id: str
    volunteer_id: str
    evaluation_id: str
    project_id: str
    evaluator_org_id: str
    occurred_at: int
    sent_at: int | None
    channel: str
    device_id: str | None
    app: str | None
    offline: bool
    actor: Actor
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StarApplied:
    """Somebody asks for a star that the volunteer's hours have earned."""

    event_id: str
    volunteer_id: str
    application_id: str
    star: int
    year: int | None
    occurred_at: int
    sent_at: int | None
    channel: str
    device_id: str | None
    app: str | None
    offline: bool
    actor: Actor
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StarDecided:
    """The granting body decides on an application for a star, also once more after a correction."""

    event_id: str
    volunteer_id: str
    application_id: str
    granting_org_id: str
    decision: str
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
class CommendationAwarded:
    """A body commends a volunteer (Order 67, article 9)."""

    event_id: str
    volunteer_id: str
    commendation_id: str
    name: str
    granting_org_id: str
    awarded_on: int
    occurred_at: int
    sent_at: int | None
    channel: str
    device_id: str | None
    app: str | None
    offline: bool
    actor: Actor
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CommendationRevoked:
    """A commendation is taken back by the body that granted it."""

    event_id: str
    volunteer_id: str
    commendation_id: str
    granting_org_id: str
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
class PointsRedeemed:
    """Points are spent on a benefit; minutes stay as they are."""

    event_id: str
    volunteer_id: str
    redemption_id: str
    points: int
    partner_org_id: str
    benefit_id: str | None
    occurred_at: int
    sent_at: int | None
    channel: str
    device_id: str | None
    app: str | None
    offline: bool
    actor: Actor
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RedemptionReversed:
    """A redemption is taken back and its points return, once."""

    event_id: str
    volunteer_id: str
    redemption_id: str
    partner_org_id: str
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
class CertificateIssued:
    """A recording organisation certifies its own records (Order 67, articles 14 to 17)."""

    event_id: str
    volunteer_id: str
    certificate_id: str
    issuer_org_id: str
    start_on: int
    end_on: int
    minutes: int
    attendances: int
    snapshot_sha256: str
    supersedes_id: str | None
    checkpoint_origin: str | None
    checkpoint_size: int | None
    occurred_at: int
    sent_at: int | None
    channel: str
    device_id: str | None
    app: str | None
    offline: bool
    actor: Actor
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CertificateRevoked:
    """A certificate is withdrawn; what it said stays readable."""

    event_id: str
    volunteer_id: str
    certificate_id: str
    issuer_org_id: str
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
class VaultAccessed:
    """Somebody opened the vault of personal data; the entries are a chain of hashes."""

    event_id: str
    volunteer_id: str
    entry_no: int
    action: str
    purpose: str
    opened: tuple[str, ...]
    reason_hash: str | None
    previous_hash: str
    occurred_at: int
    actor: Actor


@dataclass(frozen=True, slots=True)
class MovedPlace:
    """Where a transferred session or grant was served, and who records it."""

    activity_id: str
    project_id: str
    site_id: str | None
    recording_org_id: str
    host_org_id: str


@dataclass(frozen=True, slots=True)
class MovedAct:
    """A request or decision about a transferred session or grant, as the ledger keeps it.

    `start_at`, `end_at` and `place` are those of a requested correction.
    """

    occurred_at: int
    event_id: str
    what: str
    actor_id: str
    org: str
    level: int
    ref: str
    evidenced: bool
    start_at: int | None
    end_at: int | None
    place: MovedPlace | None


@dataclass(frozen=True, slots=True)
class MovedStart:
    """A check-in that a session began with before an earlier one came, as the ledger keeps it."""

    started_at: int
    event_id: str
    recorded_at: int
    place: MovedPlace | None
    shift_id: str | None


@dataclass(frozen=True, slots=True)
class SpanTransferred:
    """What an absorbed registration's account hands to the one that counts its hours: facts of one
    session or grant, to be added to those handed over before; or all of them taken back.

    Written by the worker alone. `cause_event_id` is the event, or the tick, that made it do so.
    """

    event_id: str
    volunteer_id: str
    from_volunteer_id: str
    cause_event_id: str
    session_id: str | None
    grant_id: str | None
    withdrawn: bool
    span_kind: Kind
    started_at: int | None
    start_event_id: str | None
    place: MovedPlace | None
    shift_id: str | None
    ends: tuple[int, ...]
    minutes: int | None
    service_date: int | None
    source_row: str | None
    signed: bool
    claimed: bool
    requester_id: str | None
    acts: tuple[MovedAct, ...]
    occurred_at: int
    actor: Actor | None
    start_recorded_at: int | None = None
    ends_recorded: tuple[int, ...] = ()
    starts: tuple[MovedStart, ...] = ()


CaseKind = Literal["evaluation", "commendation", "redemption", "certificate", "star"]
"""What is opened once under an id, and may be taken back or decided."""

Said = Literal["open", "back", "approve", "reject"]
"""What may be said of such a case."""


@dataclass(frozen=True, slots=True)
class MovedWord:
    """One thing said of an evaluation, star, commendation, redemption or certificate, as the ledger
    keeps it: who answers for it, when it was said; points or star, benefit or year."""

    what: Said
    whose: str
    said_at: int
    number: int | None
    ref: str | None


@dataclass(frozen=True, slots=True)
class CaseTransferred:
    """What one account of a person tells another of an evaluation, star, commendation, redemption
    or certificate: words said under the registration `origin_id`, to be added to those it has; or
    that all of them are taken back.

    Written by the worker alone. `cause_event_id` is the event, or the tick, that made it do so.
    """

    event_id: str
    volunteer_id: str
    from_volunteer_id: str
    cause_event_id: str
    origin_id: str
    case_kind: CaseKind
    case_id: str
    withdrawn: bool
    words: tuple[MovedWord, ...]
    occurred_at: int
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class FactForwarded:
    """An evaluation or a fact of recognition about an absorbed registration, handed to the account
    that counts its hours, which judges it; or given back to the registration it is about.

    Written by the worker alone. `fact` is the event as a message, without scores and evidence;
    `received_at` is when the log recorded it.
    """

    event_id: str
    volunteer_id: str
    from_volunteer_id: str
    cause_event_id: str
    fact: bytes
    received_at: int
    occurred_at: int
    actor: Actor | None


Transfer = SpanTransferred | CaseTransferred | FactForwarded
"""What accounts of one person hand to each other; the worker alone writes them."""

Decision = (
    SessionConfirmed
    | SessionDenied
    | HoursDecided
    | CorrectionRequested
    | CorrectionDecided
    | SessionVoided
    | SessionReinstated
    | AppealFiled
    | AppealDecided
    | HoursRerated
)
"""What people ask for and decide about one session or grant."""

Evaluation = (
    EvaluationSubmitted
    | EvaluationRevised
    | EvaluationWithdrawn
    | VolunteerResponded
    | FeedbackDelivered
)
"""How somebody served in a project, and what came of saying so."""

Recognition = (
    StarApplied
    | StarDecided
    | CommendationAwarded
    | CommendationRevoked
    | PointsRedeemed
    | RedemptionReversed
    | CertificateIssued
    | CertificateRevoked
)
"""What service is recognised by; it never changes minutes."""

Fact = (
    CheckedIn
    | CheckedOut
    | HoursGranted
    | HoursClaimed
    | HoursImported
    | TrainingRecorded
    | Decision
    | Evaluation
    | Recognition
    | RecordReplayed
    | Transfer
)
"""What happened to one volunteer; travels on a service.* topic under the volunteer's key."""

CatalogueEvent = (
    OrgRegistered
    | OrgSucceeded
    | ProjectPublished
    | ProjectClosed
    | SitePublished
    | SiteOperatorAssigned
    | ShiftScheduled
    | ShiftCancelled
    | ApplicationDecided
    | AssignmentWithdrawn
    | NoShowRecorded
    | GroupAttendanceRecorded
    | PolicyPublished
    | HolidaysPublished
    | VolunteerRegistered
    | VolunteerMerged
    | VolunteerUnmerged
    | VolunteerErased
    | GuardianConsentRecorded
    | GuardianConsentWithdrawn
)
"""What is registered; travels on registry.catalogue, which is totally ordered."""

Event = Fact | ClockTicked | CatalogueEvent | VaultAccessed
