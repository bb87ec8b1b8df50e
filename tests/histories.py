"""Small words for writing histories of one partition; `tests.strategies` makes up hostile ones.

The same call makes the same event: an `event_id` follows from what the event says, so saying it
twice is a repetition, as when a phone sends again. Times are China's unless an offset is given.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ledger.record import Record
from schemas import times
from schemas.events import (
    Actor,
    CatalogueEvent,
    CheckedIn,
    CheckedOut,
    ClockTicked,
    EvaluationSubmitted,
    Event,
    HoursGranted,
    OrgRegistered,
    PolicyPublished,
    ProjectPublished,
    Score,
    SessionVoided,
    ShiftScheduled,
    SitePublished,
    UtcOffset,
)
from schemas.times import HOUR, SECOND
from schemas.topics import KEY_OF, TOPIC_OF

TODAY = "2025-03-01"
ORGANISER = Actor("organiser-1", "organiser", "sw1")
CHIEF = Actor("chief-1", "admin", "sw1")


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event and when the log recorded it; both in UTC microseconds."""

    event: Event
    recorded_at: int


def when(at: str | int, day: str = TODAY) -> int:
    """`08:55`, `08:55:30` or `08:55+01:00` of a day -> UTC microseconds; integers stay."""
    if isinstance(at, int):
        return at
    has_offset = any(sign in at for sign in "+-Z")
    return times.instant(f"{day}T{at}" + ("" if has_offset else "+08:00"))


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


def grant(
    volunteer: str = "v1", grant_id: str = "g1", start: str | int = "09:00",
    end: str | int = "11:00", day: str = TODAY, end_day: str | None = None,
    approver: Actor | None = CHIEF, evidence: tuple[str, ...] = ("sha256:1f",), **more: Any,
) -> HoursGranted:  # fmt: skip
    """Hours taken down afterwards, by default with evidence and a second person."""
    start_at, end_at = when(start, day), when(end, end_day or day)
    org = more.pop("org", "sw1")
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
    fields = _facts(ORGANISER, "admin") | named | more
    return HoursGranted(volunteer_id=volunteer, grant_id=grant_id, start_at=start_at,
                        end_at=end_at, approver=approver, **fields)  # fmt: skip


def void(
    volunteer: str = "v1", session: str | None = None, grant_id: str | None = None,
    at: str | int = "20:00", day: str = TODAY, **more: Any,
) -> SessionVoided:  # fmt: skip
    """A session or a grant is void."""
    occurred_at = when(at, day)
    fields = _facts(ORGANISER, "admin") | {
        "event_id": f"void-{volunteer}-{session}-{grant_id}-{occurred_at}",
        "reason": "not_service",
    }
    return SessionVoided(volunteer_id=volunteer, session_id=session, grant_id=grant_id,
                         occurred_at=occurred_at, **(fields | more))  # fmt: skip


def evaluate(
    volunteer: str = "v1", project: str = "p1", org: str = "sw1", at: str | int = "21:00",
    day: str = TODAY, **more: Any,
) -> EvaluationSubmitted:  # fmt: skip
    """An organisation evaluates a volunteer."""
    occurred_at = when(at, day)
    fields = _facts(ORGANISER, "admin") | {
        "event_id": f"evaluation-{volunteer}-{project}-{org}-{occurred_at}",
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


def org(org_id: str = "sw1") -> OrgRegistered:
    """An organisation is registered."""
    return OrgRegistered(event_id=f"org-{org_id}", org_id=org_id, kind="social_work", name=None,
                         parent_org_id=None, region=None, **_PUBLISHED)  # fmt: skip


def project(
    project_id: str = "p1", policy_id: str | None = None, org_id: str = "sw1"
) -> ProjectPublished:
    """A project is published."""
    return ProjectPublished(event_id=f"project-{project_id}-{policy_id}", project_id=project_id,
                            org_id=org_id, name=None, brand_id=None, service_field=None,
                            policy_id=policy_id, start_on=None, end_on=None,
                            **_PUBLISHED)  # fmt: skip


def site(site_id: str = "site-a", *offsets: tuple[str, int]) -> SitePublished:
    """A site; `offsets` are (from when, UTC, minutes ahead of UTC), for example a summer time."""
    return SitePublished(event_id=f"site-{site_id}-{len(offsets)}", site_id=site_id, name=None,
                         operator_org_id=None, region=None, timezone="Asia/Shanghai",
                         utc_offsets=tuple(UtcOffset(times.instant(f), m) for f, m in offsets),
                         **_PUBLISHED)  # fmt: skip


def shift(shift_id: str = "sh1", project_id: str = "p1", activity: str = "a1") -> ShiftScheduled:
    """A shift of an activity is scheduled."""
    return ShiftScheduled(event_id=f"shift-{shift_id}", shift_id=shift_id, activity_id=activity,
                          project_id=project_id, site_id=None, start_at=when("09:00"),
                          end_at=when("12:00"), capacity=None, **_PUBLISHED)  # fmt: skip


def policy(
    policy_id: str = "default", version: int = 1, effective_from: str = "2025-01-01", *,
    open_minutes: int = 720, session_minutes: int = 1440, late_minutes: int = 10_080,
    skew_minutes: int = 5,
) -> PolicyPublished:  # fmt: skip
    """One version of a policy."""
    return PolicyPublished(event_id=f"policy-{policy_id}-{version}-{open_minutes}",
                           policy_id=policy_id, version=version,
                           effective_from=times.day(effective_from),
                           max_open_minutes=open_minutes, max_session_minutes=session_minutes,
                           late_event_window_minutes=late_minutes,
                           max_clock_skew_minutes=skew_minutes, **_PUBLISHED)  # fmt: skip


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
    ends = (item.start_at, item.end_at) if isinstance(item, HoursGranted) else ()
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
