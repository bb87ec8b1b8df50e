"""Small words to write one partition's history; `tests.drawn.strategies` makes up hostile ones.

The same call makes the same event: an `event_id` follows from what the event says, so saying it
twice is a repetition, as when a phone sends again. Times are China's unless an offset is given.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from ledger.account.record import Record
from schemas import times
from schemas.events import (
    Actor,
    AppealDecided,
    AppealFiled,
    ApplicationDecided,
    AssignmentWithdrawn,
    CatalogueEvent,
    CheckedIn,
    CheckedOut,
    ClockTicked,
    CorrectionDecided,
    CorrectionRequested,
    EvaluationSubmitted,
    Event,
    GroupAttendanceRecorded,
    GuardianConsentRecorded,
    GuardianConsentWithdrawn,
    HolidaysPublished,
    HoursClaimed,
    HoursDecided,
    HoursGranted,
    HoursImported,
    HoursRerated,
    NoShowRecorded,
    OrgRegistered,
    OrgSucceeded,
    PolicyPublished,
    ProjectPublished,
    Score,
    SessionConfirmed,
    SessionDenied,
    SessionReinstated,
    SessionVoided,
    ShiftCancelled,
    ShiftScheduled,
    SiteOperatorAssigned,
    SitePublished,
    TrainingRecorded,
    UtcOffset,
    VolunteerErased,
    VolunteerMerged,
    VolunteerRegistered,
    VolunteerUnmerged,
)
from schemas.times import HOUR, SECOND
from schemas.topics import KEY_OF, TOPIC_OF

TODAY = "2025-03-01"
ORGANISER = Actor("organiser-1", "organiser", "sw1")
CHIEF = Actor("chief-1", "admin", "sw1")
REGULATOR = Actor("regulator-1", "regulator")


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event and when the log recorded it; both in UTC microseconds."""

    event: Event
    recorded_at: int


def when(at: str | int, day: str = TODAY) -> int:
    """`08:55`, `08:55:30` or `08:55+01:00` of a day -> UTC microseconds; integers stay."""
    if isinstance(at, int):
        return at
    moment, offset = re.fullmatch(r"([0-9:.]+)(.*)", at).groups()  # type: ignore[union-attr]
    seconds = "" if moment.count(":") == 2 else ":00"
    return times.instant(f"{day}T{moment}{seconds}{offset or '+08:00'}")


def _facts(actor: Actor, channel: str) -> dict[str, Any]:
    return {"sent_at": None, "channel": channel, "device_id": None, "app": None,
            "offline": False, "actor": actor, "evidence": ()}  # fmt: skip


def _presence(
    kind: type[Any], volunteer: str, session: str, at: str | int, day: str, **more: Any
) -> Any:
    occurred_at = when(at, day)
    org = more.pop("org", "sw1")
    named = {
        "event_id": f"{kind.__name__[7:].lower()}-{volunteer}-{session}-{occurred_at}",
        "activity_id": more.pop("activity", "a1"),
        "project_id": more.pop("project", "p1"),
        "site_id": more.pop("site", None),
        "shift_id": None,
        "recording_org_id": org,
        "host_org_id": more.pop("host", org),
    }
    fields = _facts(Actor(volunteer, "volunteer"), "qr") | named | more
    return kind(volunteer_id=volunteer, session_id=session, occurred_at=occurred_at, **fields)


def check_in(
    volunteer: str = "v1", session: str = "s1", at: str | int = "09:00", day: str = TODAY,
    **more: Any,
) -> CheckedIn:  # fmt: skip
    """A check-in; `org`, `host`, `project`, `site`, `activity` and any field may be given."""
    event: CheckedIn = _presence(CheckedIn, volunteer, session, at, day, **more)
    return event


def check_out(
    volunteer: str = "v1", session: str = "s1", at: str | int = "11:00", day: str = TODAY,
    **more: Any,
) -> CheckedOut:  # fmt: skip
    """A check-out; see `check_in`."""
    event: CheckedOut = _presence(CheckedOut, volunteer, session, at, day, **more)
    return event


def served(
    volunteer: str = "v1", session: str = "s1", start: str | int = "09:00",
    end: str | int = "11:00", day: str = TODAY, end_day: str | None = None, **more: Any,
) -> tuple[CheckedIn, CheckedOut]:  # fmt: skip
    """A check-in and its check-out."""
    return (
        check_in(volunteer, session, start, day, **more),
        check_out(volunteer, session, end, end_day or day, **more),
    )


def _of(org_id: str, who: Actor) -> Actor:
    """Somebody in the same office of another organisation."""
    return replace(who, org_id=org_id)


def grant(
    volunteer: str = "v1", grant_id: str = "g1", start: str | int = "09:00",
    end: str | int = "11:00", day: str = TODAY, end_day: str | None = None,
    approver: Actor | None = CHIEF, evidence: tuple[str, ...] = ("sha256:1f",), **more: Any,
) -> HoursGranted:  # fmt: skip
    """Hours taken down afterwards, by default with evidence and a second person."""
    start_at, end_at = when(start, day), when(end, end_day or day)
    org = more.pop("org", "sw1")
    approver = _of(org, CHIEF) if approver is CHIEF else approver
    named = {
        "event_id": f"grant-{volunteer}-{grant_id}-{start_at}-{end_at}",
        "activity_id": more.pop("activity", "a1"),
        "project_id": more.pop("project", "p1"),
        "site_id": more.pop("site", None),
        "shift_id": None,
        "recording_org_id": org,
        "host_org_id": more.pop("host", org),
        "reason": "phone_lost",
        "occurred_at": max(start_at, end_at) + HOUR,
        "evidence": evidence,
    }
    fields = _facts(_of(org, ORGANISER), "admin") | named | more
    return HoursGranted(volunteer_id=volunteer, grant_id=grant_id, start_at=start_at,
                        end_at=end_at, approver=approver, **fields)  # fmt: skip


def claim(
    volunteer: str = "v1", grant_id: str = "c1", start: str | int = "09:00",
    end: str | int = "11:00", day: str = TODAY, end_day: str | None = None, **more: Any,
) -> HoursClaimed:  # fmt: skip
    """Hours that a volunteer says they served."""
    start_at, end_at = when(start, day), when(end, end_day or day)
    named = _where(more) | {
        "event_id": f"claim-{volunteer}-{grant_id}-{start_at}-{end_at}",
        "reason": "phone_left_at_home",
        "occurred_at": max(start_at, end_at) + HOUR,
    }
    fields = _facts(Actor(volunteer, "volunteer"), "api") | named | more
    return HoursClaimed(volunteer_id=volunteer, grant_id=grant_id, start_at=start_at,
                        end_at=end_at, **fields)  # fmt: skip


def _where(more: dict[str, Any]) -> dict[str, Any]:
    """The dimensions that `org`, `host`, `project`, `site` and `activity` name."""
    org = more.pop("org", "sw1")
    return {
        "activity_id": more.pop("activity", "a1"),
        "project_id": more.pop("project", "p1"),
        "site_id": more.pop("site", None),
        "shift_id": None,
        "recording_org_id": org,
        "host_org_id": more.pop("host", org),
    }


def imported(
    volunteer: str = "v1", grant_id: str = "i1", minutes: int = 120, day: str = TODAY,
    at: str | int = "20:00", row: str = "row-1", **more: Any,
) -> HoursImported:  # fmt: skip
    """A row of another system's record."""
    occurred_at = when(at, day)
    named = _where(more) | {
        "event_id": f"import-{volunteer}-{grant_id}-{minutes}-{occurred_at}-{row}",
        "service_date": times.day(day),
        "minutes": minutes,
        "source_system": "old_platform",
        "batch_id": "b1",
        "row_hash": row,
        "occurred_at": occurred_at,
    }
    fields = _facts(_of(named["recording_org_id"], ORGANISER), "import") | named | more
    return HoursImported(volunteer_id=volunteer, grant_id=grant_id, **fields)


def training(
    volunteer: str = "v1", grant_id: str = "t1", minutes: int = 90, day: str = TODAY,
    at: str | int = "20:00", **more: Any,
) -> TrainingRecorded:  # fmt: skip
    """Learning time."""
    occurred_at = when(at, day)
    named = _where(more) | {
        "event_id": f"training-{volunteer}-{grant_id}-{minutes}-{occurred_at}",
        "service_date": times.day(day),
        "minutes": minutes,
        "name": "first aid",
        "content_ref": None,
        "occurred_at": occurred_at,
    }
    fields = _facts(_of(named["recording_org_id"], ORGANISER), "admin") | named | more
    return TrainingRecorded(volunteer_id=volunteer, grant_id=grant_id, **fields)


def _act(
    kind: type[Any], volunteer: str, session: str | None, grant_id: str | None, at: str | int,
    day: str, **more: Any,
) -> Any:  # fmt: skip
    occurred_at = when(at, day)
    named = {
        "event_id": f"{kind.__name__}-{volunteer}-{session}-{grant_id}-{occurred_at}",
        "occurred_at": occurred_at,
    }
    if kind is not SessionConfirmed:
        named["reason"] = "not_service"
    fields = _facts(ORGANISER, "admin") | named | more
    return kind(volunteer_id=volunteer, session_id=session, grant_id=grant_id, **fields)


def void(
    volunteer: str = "v1", session: str | None = None, grant_id: str | None = None,
    at: str | int = "20:00", day: str = TODAY, **more: Any,
) -> SessionVoided:  # fmt: skip
    """A session or a grant is void."""
    event: SessionVoided = _act(SessionVoided, volunteer, session, grant_id, at, day, **more)
    return event


def reinstate(
    volunteer: str = "v1", session: str | None = None, grant_id: str | None = None,
    at: str | int = "21:00", day: str = TODAY, **more: Any,
) -> SessionReinstated:  # fmt: skip
    """A void session or grant counts again."""
    event: SessionReinstated = _act(SessionReinstated, volunteer, session, grant_id, at, day,
                                    **more)  # fmt: skip
    return event


def confirm(
    volunteer: str = "v1", session: str | None = None, grant_id: str | None = None,
    at: str | int = "20:00", day: str = TODAY, **more: Any,
) -> SessionConfirmed:  # fmt: skip
    """The organiser confirms."""
    event: SessionConfirmed = _act(SessionConfirmed, volunteer, session, grant_id, at, day, **more)
    return event


def deny(
    volunteer: str = "v1", session: str | None = None, grant_id: str | None = None,
    at: str | int = "20:00", day: str = TODAY, **more: Any,
) -> SessionDenied:  # fmt: skip
    """The organiser denies."""
    event: SessionDenied = _act(SessionDenied, volunteer, session, grant_id, at, day, **more)
    return event


def decide(
    volunteer: str = "v1", session: str | None = None, grant_id: str | None = None,
    at: str | int = "20:30", day: str = TODAY, decision: str = "approve", level: str = "org",
    actor: Actor | None = None, **more: Any,
) -> HoursDecided:  # fmt: skip
    """A level above the organiser decides."""
    who = actor or (REGULATOR if level == "province" else CHIEF)
    event_id = f"decided-{volunteer}-{session}-{grant_id}-{decision}-{level}-{when(at, day)}"
    event: HoursDecided = _act(HoursDecided, volunteer, session, grant_id, at, day, actor=who,
                               **({"event_id": event_id, "decision": decision, "level": level}
                                  | more))  # fmt: skip
    return event


def ask(
    volunteer: str = "v1", session: str | None = None, grant_id: str | None = None,
    start: str | int = "09:00", end: str | int = "12:00", at: str | int = "19:00",
    day: str = TODAY, correction: str = "k1", actor: Actor | None = None, **more: Any,
) -> CorrectionRequested:  # fmt: skip
    """Somebody, by default the volunteer, says when it really was."""
    named = _where(more) | {
        "event_id": f"ask-{volunteer}-{session}-{grant_id}-{correction}-{when(at, day)}",
        "correction_id": correction,
        "start_at": when(start, day),
        "end_at": when(end, day),
        "actor": actor or Actor(volunteer, "volunteer"),
    }
    event: CorrectionRequested = _act(CorrectionRequested, volunteer, session, grant_id, at, day,
                                      **(named | more))  # fmt: skip
    return event


def correct(
    volunteer: str = "v1", session: str | None = None, grant_id: str | None = None,
    at: str | int = "20:00", day: str = TODAY, correction: str = "k1",
    decision: str = "approve", **more: Any,
) -> CorrectionDecided:  # fmt: skip
    """A correction is decided."""
    event_id = f"correct-{volunteer}-{session}-{grant_id}-{correction}-{decision}-{when(at, day)}"
    named = {"event_id": event_id, "correction_id": correction, "decision": decision}
    event: CorrectionDecided = _act(CorrectionDecided, volunteer, session, grant_id, at, day,
                                    **(named | more))  # fmt: skip
    return event


def appeal(
    volunteer: str = "v1", session: str | None = None, grant_id: str | None = None,
    at: str | int = "20:40", day: str = TODAY, appeal_id: str = "p1", **more: Any,
) -> AppealFiled:  # fmt: skip
    """The volunteer objects."""
    named = {"appeal_id": appeal_id, "actor": Actor(volunteer, "volunteer")}
    event: AppealFiled = _act(AppealFiled, volunteer, session, grant_id, at, day,
                              **(named | more))  # fmt: skip
    return event


def hear(
    volunteer: str = "v1", session: str | None = None, grant_id: str | None = None,
    at: str | int = "20:50", day: str = TODAY, appeal_id: str = "p1", decision: str = "approve",
    actor: Actor = REGULATOR, **more: Any,
) -> AppealDecided:  # fmt: skip
    """An appeal is decided."""
    named = {
        "appeal_id": appeal_id,
        "decision": decision,
        "actor": actor,
        "event_id": f"hear-{volunteer}-{session}-{grant_id}-{decision}-{when(at, day)}",
    }
    event: AppealDecided = _act(AppealDecided, volunteer, session, grant_id, at, day,
                                **(named | more))  # fmt: skip
    return event


def rerate(
    volunteer: str = "v1", session: str | None = None, grant_id: str | None = None,
    at: str | int = "22:00", day: str = TODAY, policy_id: str = "default", version: int = 1,
    **more: Any,
) -> HoursRerated:  # fmt: skip
    """From now on another version of the rules holds for it."""
    named = {"policy_id": policy_id, "version": version, "actor": CHIEF}
    event: HoursRerated = _act(HoursRerated, volunteer, session, grant_id, at, day,
                               **(named | more))  # fmt: skip
    return event


def evaluate(
    volunteer: str = "v1", project: str = "p1", org: str = "sw1", at: str | int = "21:00",
    day: str = TODAY, **more: Any,
) -> EvaluationSubmitted:  # fmt: skip
    """An organisation evaluates a volunteer."""
    occurred_at = when(at, day)
    actor = more.setdefault("actor", Actor(f"{org}-1", "organiser", org))
    fields = _facts(actor, "admin") | {
        "event_id": f"evaluation-{volunteer}-{project}-{org}-{occurred_at}-{actor.id}",
        "evaluation_id": f"ev-{volunteer}-{project}-{org}",
        "scores": (Score("quality", 5),),
        "comment_ref": None,
    }
    return EvaluationSubmitted(volunteer_id=volunteer, project_id=project, evaluator_org_id=org,
                               occurred_at=occurred_at, **(fields | more))  # fmt: skip


def tick(at: str | int, day: str = TODAY) -> ClockTicked:
    """The log's time is now this."""
    occurred_at = when(at, day)
    return ClockTicked(f"tick-{occurred_at}", occurred_at)


_PUBLISHED: dict[str, Any] = {"occurred_at": when("00:00", "2025-01-01"), "actor": None}


def org(org_id: str = "sw1", parent: str | None = None) -> OrgRegistered:
    """An organisation is registered."""
    return OrgRegistered(event_id=f"org-{org_id}-{parent}", org_id=org_id, kind="social_work",
                         name=None, parent_org_id=parent, region=None, **_PUBLISHED)  # fmt: skip


def succeed(org_id: str, successor: str) -> OrgSucceeded:
    """An organisation ends and another one takes over."""
    return OrgSucceeded(event_id=f"succeed-{org_id}-{successor}", org_id=org_id,
                        successor_org_id=successor, **_PUBLISHED)  # fmt: skip


def project(
    project_id: str = "p1", policy_id: str | None = None, org_id: str = "sw1",
    partners: tuple[str, ...] = ("sw1", "vo1"),
) -> ProjectPublished:  # fmt: skip
    """A project is published."""
    return ProjectPublished(event_id=f"project-{project_id}-{policy_id}", project_id=project_id,
                            org_id=org_id, name=None, brand_id=None, service_field=None,
                            policy_id=policy_id, start_on=None, end_on=None,
                            partner_org_ids=partners, **_PUBLISHED)  # fmt: skip


def site(
    site_id: str = "site-a", *offsets: tuple[str, int], operator: str | None = None
) -> SitePublished:
    """A site; `offsets` are (from when, UTC, minutes ahead of UTC), for example a summer time."""
    return SitePublished(event_id=f"site-{site_id}-{len(offsets)}", site_id=site_id, name=None,
                         operator_org_id=operator, region=None, timezone="Asia/Shanghai",
                         utc_offsets=tuple(UtcOffset(times.instant(f), m) for f, m in offsets),
                         **_PUBLISHED)  # fmt: skip


def operator(
    site_id: str, org_id: str, start: str = "2025-01-01", end: str | None = None
) -> SiteOperatorAssigned:
    """An organisation runs a site for a time."""
    return SiteOperatorAssigned(event_id=f"operator-{site_id}-{org_id}-{start}", site_id=site_id,
                                operator_org_id=org_id, start_on=times.day(start),
                                end_on=None if end is None else times.day(end),
                                **_PUBLISHED)  # fmt: skip


def shift(
    shift_id: str = "sh1", project_id: str = "p1", activity: str = "a1",
    start: str | int = "09:00", end: str | int = "12:00", day: str = TODAY,
) -> ShiftScheduled:  # fmt: skip
    """A shift of an activity is scheduled."""
    return ShiftScheduled(event_id=f"shift-{shift_id}", shift_id=shift_id, activity_id=activity,
                          project_id=project_id, site_id=None, start_at=when(start, day),
                          end_at=when(end, day), capacity=None, **_PUBLISHED)  # fmt: skip


def cancel(shift_id: str = "sh1") -> ShiftCancelled:
    """A shift is cancelled."""
    return ShiftCancelled(event_id=f"cancel-{shift_id}", shift_id=shift_id, reason="rain",
                          **_PUBLISHED)  # fmt: skip


def accept(volunteer: str, shift_id: str = "sh1", decision: str = "approve") -> ApplicationDecided:
    """A volunteer's application to a shift is decided."""
    return ApplicationDecided(event_id=f"accept-{volunteer}-{shift_id}-{decision}",
                              shift_id=shift_id, volunteer_id=volunteer, decision=decision,
                              **_PUBLISHED)  # fmt: skip


def withdraw(volunteer: str, shift_id: str = "sh1") -> AssignmentWithdrawn:
    """A volunteer leaves a roster."""
    return AssignmentWithdrawn(event_id=f"withdraw-{volunteer}-{shift_id}", shift_id=shift_id,
                               volunteer_id=volunteer, **_PUBLISHED)  # fmt: skip


def no_show(volunteer: str, shift_id: str = "sh1") -> NoShowRecorded:
    """Somebody on the roster did not come."""
    return NoShowRecorded(event_id=f"no-show-{volunteer}-{shift_id}", shift_id=shift_id,
                          volunteer_id=volunteer, **_PUBLISHED)  # fmt: skip


def heads(org_id: str = "sw1", headcount: int = 20) -> GroupAttendanceRecorded:
    """People counted without identity."""
    return GroupAttendanceRecorded(event_id=f"heads-{org_id}-{headcount}", recording_org_id=org_id,
                                   activity_id="a1", project_id="p1", headcount=headcount,
                                   start_at=when("09:00"), end_at=when("12:00"),
                                   **_PUBLISHED)  # fmt: skip


def holidays(
    off: tuple[str, ...] = (), on: tuple[str, ...] = (), calendar: str = "cn"
) -> HolidaysPublished:
    """Days off and make-up working days."""
    return HolidaysPublished(event_id=f"holidays-{calendar}-{len(off)}-{len(on)}",
                             calendar_id=calendar, holidays=tuple(map(times.day, off)),
                             workdays=tuple(map(times.day, on)), **_PUBLISHED)  # fmt: skip


def register(
    volunteer: str = "v1", born: str | None = None, identity: str | None = None
) -> VolunteerRegistered:
    """A person is registered."""
    return VolunteerRegistered(event_id=f"register-{volunteer}-{born}", volunteer_id=volunteer,
                               identity_hash=identity, birth_month=born, region=None,
                               **_PUBLISHED)  # fmt: skip


def merge(volunteer: str, into: str) -> VolunteerMerged:
    """Two registrations are one person."""
    return VolunteerMerged(event_id=f"merge-{volunteer}-{into}", volunteer_id=volunteer,
                           into_volunteer_id=into, **_PUBLISHED)  # fmt: skip


def unmerge(volunteer: str) -> VolunteerUnmerged:
    """They are two after all."""
    return VolunteerUnmerged(event_id=f"unmerge-{volunteer}", volunteer_id=volunteer, **_PUBLISHED)


def erase(volunteer: str) -> VolunteerErased:
    """A person asked to be forgotten."""
    return VolunteerErased(event_id=f"erase-{volunteer}", volunteer_id=volunteer, **_PUBLISHED)


def consent(volunteer: str = "v1") -> GuardianConsentRecorded:
    """A guardian consents."""
    return GuardianConsentRecorded(event_id=f"consent-{volunteer}", volunteer_id=volunteer,
                                   **_PUBLISHED)  # fmt: skip


def no_consent(
    volunteer: str = "v1", at: str | int = "12:00", day: str = TODAY
) -> GuardianConsentWithdrawn:
    """A guardian withdraws consent."""
    return GuardianConsentWithdrawn(event_id=f"no-consent-{volunteer}-{when(at, day)}",
                                    volunteer_id=volunteer, occurred_at=when(at, day),
                                    actor=None)  # fmt: skip


def policy(
    policy_id: str = "default", version: int = 1, effective_from: str = "2025-01-01", *,
    open_minutes: int = 720, session_minutes: int = 1440, late_minutes: int = 10_080,
    skew_minutes: int = 5, clamp: bool = False, tiers: tuple[int | None, int | None] = (None, None),
    ratio: int | None = None, deadline_days: int = 10, calendar: str | None = None,
    age: int = 14,
) -> PolicyPublished:  # fmt: skip
    """One version of a policy; `tiers` are the minutes of a day beyond which others decide."""
    return PolicyPublished(event_id=f"policy-{policy_id}-{version}-{open_minutes}",
                           policy_id=policy_id, version=version,
                           effective_from=times.day(effective_from),
                           max_open_minutes=open_minutes, max_session_minutes=session_minutes,
                           late_event_window_minutes=late_minutes,
                           max_clock_skew_minutes=skew_minutes, clamp_to_shift=clamp,
                           org_tier_minutes=tiers[0], province_tier_minutes=tiers[1],
                           min_ratio_percent=ratio, record_deadline_days=deadline_days,
                           calendar_id=calendar, consent_age_years=age, **_PUBLISHED)  # fmt: skip


BASICS: tuple[CatalogueEvent, ...] = (
    org("sw1"), org("vo1"), project("p1"), project("p2", org_id="vo1"), site("site-a"),
)  # fmt: skip
"""Two organisations, a project each, and a site in China."""


def received(event: Event, at: str | int, day: str = TODAY) -> Arrival:
    """An event that the log recorded at a time of its own, not shortly after it happened."""
    return Arrival(event, when(at, day))


def arrival(item: Event | Arrival) -> Arrival:
    """An event as recorded two seconds after all it speaks of has happened; ticks at once."""
    if isinstance(item, Arrival):
        return item
    ends: tuple[int, ...] = ()
    if isinstance(item, HoursGranted | HoursClaimed | CorrectionRequested):
        ends = (item.start_at, item.end_at)
    delay = 0 if isinstance(item, ClockTicked) else 2 * SECOND
    return Arrival(item, max(item.occurred_at, *ends, 0) + delay)


def log(*items: Event | Arrival) -> list[Record]:
    """Events in log order -> the records of partition 0 and of the catalogue."""
    offsets: Counter[str] = Counter()
    records = []
    for item in items:
        event, recorded_at = (arrived := arrival(item)).event, arrived.recorded_at
        name = type(event).__name__
        topic = TOPIC_OF[name]
        key = getattr(event, KEY_OF.get(name, "volunteer_id"), None)
        records.append(Record(topic, 0, offsets[topic], recorded_at, key, event))
        offsets[topic] += 1
    return records


def words(history: list[Arrival]) -> str:
    """A history as a person would read it aloud, one line for each record, times in UTC."""
    lines = []
    for event, recorded_at in ((a.event, a.recorded_at) for a in history):
        said = [type(event).__name__, event.event_id]
        for name in ("volunteer_id", "session_id", "grant_id", "project_id", "site_id",
                     "recording_org_id", "activity_id", "policy_id", "version"):  # fmt: skip
            if getattr(event, name, None) is not None:
                said.append(str(getattr(event, name)))
        for name in ("start_at", "end_at", "occurred_at"):
            if hasattr(event, name):
                said.append(f"{name} {times.rfc3339(getattr(event, name), 0)}")
        lines.append(f"{' '.join(said)}, recorded {times.rfc3339(recorded_at, 0)}")
    return "\n".join(lines)
