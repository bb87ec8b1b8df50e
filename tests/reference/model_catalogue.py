"""The reference's view of the catalogue, and of civil time; no part of `ledger` is used.

Every question is asked as of a number of catalogue records seen. LOG ORDER counts here and only
here by way of that number: docs/rules.md settles a span by the catalogue known at that moment.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Generic, NamedTuple, TypeVar

from ledger.account.record import Record
from schemas.events import (
    Actor,
    ApplicationDecided,
    AssignmentWithdrawn,
    GuardianConsentRecorded,
    GuardianConsentWithdrawn,
    HolidaysPublished,
    OrgRegistered,
    OrgSucceeded,
    PolicyPublished,
    ProjectClosed,
    ProjectPublished,
    ShiftCancelled,
    ShiftScheduled,
    SiteOperatorAssigned,
    SitePublished,
    UtcOffset,
    VolunteerErased,
    VolunteerMerged,
    VolunteerRegistered,
    VolunteerUnmerged,
)
from schemas.times import DAY, MINUTE

T = TypeVar("T")

BUILT_IN = PolicyPublished("built-in", "default", 0, -(10**9), 720, 1440, 10_080, 5, 0, None)
CHINA_MINUTES = 480
EPOCH = date(1970, 1, 1)
NO_END = date(9999, 12, 31)


class Place(NamedTuple):
    """Where a span was served and who records it."""

    recording_org_id: str
    host_org_id: str
    project_id: str
    site_id: str | None
    activity_id: str


class Known(Generic[T]):
    """What was published about each thing, and at which offset."""

    def __init__(self) -> None:
        self.said: dict[Any, list[tuple[int, T]]] = defaultdict(list)

    def say(self, thing: Any, offset: int, what: T) -> None:
        """From this offset on it is so."""
        self.said[thing].append((offset, what))

    def of(self, thing: Any, seen: int) -> T | None:
        """What was published last among the first `seen` catalogue records; None if nothing."""
        told = self.said.get(thing, ())
        return next((what for offset, what in reversed(told) if offset < seen), None)

    def last(self, thing: Any) -> T | None:
        """What is so at the end of all that was published."""
        return self.of(thing, 2**62)


class Registry:
    """Everything ever published, each thing with the catalogue offset at which it was."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.orgs: dict[str, int] = {}
        self.parents: Known[str | None] = Known()
        self.successors: Known[str] = Known()
        self.projects: Known[ProjectPublished] = Known()
        self.closed: Known[int] = Known()
        self.sites: Known[SitePublished] = Known()
        self.owners: Known[str] = Known()
        self.operators: Known[list[SiteOperatorAssigned]] = Known()
        self.activities: dict[str, dict[str, int]] = defaultdict(dict)
        self.shifts: Known[ShiftScheduled] = Known()
        self.cancelled: Known[bool] = Known()
        self.rosters: Known[frozenset[str]] = Known()
        self.rostered: Known[frozenset[str]] = Known()
        self.calendars: Known[dict[date, bool]] = Known()
        self.born: Known[date] = Known()
        self.consents: Known[int] = Known()
        self.erased: Known[bool] = Known()
        self.merged: Known[str | None] = Known()
        self.policies: dict[str, list[tuple[int, PolicyPublished]]] = defaultdict(list)
        self.policies["default"].append((-1, BUILT_IN))
        for record in sorted(records, key=lambda r: r.offset):
            self._publish(record.offset, record.event)

    def _publish(self, offset: int, event: object) -> None:
        match event:
            case OrgRegistered():
                self.orgs.setdefault(event.org_id, offset)
                self.parents.say(event.org_id, offset, event.parent_org_id)
            case OrgSucceeded() if event.org_id != event.successor_org_id:
                self.successors.say(event.org_id, offset, event.successor_org_id)
            case ProjectPublished():
                self.projects.say(event.project_id, offset, event)
            case ProjectClosed():
                self.closed.say(event.project_id, offset, event.closed_on)
            case SitePublished():
                self.sites.say(event.site_id, offset, event)
                if event.operator_org_id is not None:
                    self.owners.say(event.site_id, offset, event.operator_org_id)
            case SiteOperatorAssigned() if event.end_on is None or event.end_on >= event.start_on:
                so_far = self.operators.last(event.site_id) or []
                self.operators.say(event.site_id, offset, [*so_far, event])
            case ShiftScheduled() if event.start_at < event.end_at:
                self.activities[event.project_id].setdefault(event.activity_id, offset)
                self.shifts.say(event.shift_id, offset, event)
            case ShiftCancelled() if self.shifts.last(event.shift_id):
                self.cancelled.say(event.shift_id, offset, True)
            case ApplicationDecided() | AssignmentWithdrawn():
                self._enrol(offset, event)
            case PolicyPublished() if self._is_new_version(event):
                self.policies[event.policy_id].append((offset, event))
            case HolidaysPublished():
                days = dict(self.calendars.last(event.calendar_id) or {})
                days |= {EPOCH + timedelta(day): False for day in event.holidays}
                days |= {EPOCH + timedelta(day): True for day in event.workdays}
                self.calendars.say(event.calendar_id, offset, days)
            case _:
                self._publish_person(offset, event)

    def _enrol(self, offset: int, event: ApplicationDecided | AssignmentWithdrawn) -> None:
        shift = self.shifts.last(event.shift_id)
        roster = self.rosters.last(event.shift_id)
        if shift is None:
            return
        if isinstance(event, ApplicationDecided) and event.decision == "approve":
            if roster is None:
                activity = (shift.project_id, shift.activity_id)
                shifts = self.rostered.last(activity) or frozenset()
                self.rostered.say(activity, offset, shifts | {event.shift_id})
            roster = (roster or frozenset()) | {event.volunteer_id}
            self.rosters.say(event.shift_id, offset, roster)
        elif roster is not None:
            self.rosters.say(event.shift_id, offset, roster - {event.volunteer_id})

    def _publish_person(self, offset: int, event: object) -> None:
        name = getattr(event, "volunteer_id", None)
        if name is None or self.erased.last(name):
            return
        match event:
            case VolunteerRegistered(birth_month=str(month)):
                self.born.say(name, offset, date.fromisoformat(month + "-01"))
            case GuardianConsentRecorded():
                self.consents.say(name, offset, 2**62)
            case GuardianConsentWithdrawn() if self.consents.last(name) is not None:
                until = min(event.occurred_at, self.consents.last(name) or 0)
                self.consents.say(name, offset, until)
            case VolunteerErased():
                self.erased.say(name, offset, True)
            case VolunteerMerged() if self.merged.last(name) is None:
                into: str | None = event.into_volunteer_id
                if self.erased.last(into):
                    return
                end = into
                while self.merged.last(end) is not None:
                    end = self.merged.last(end)
                if end != name:
                    self.merged.say(name, offset, into)
            case VolunteerUnmerged() if self.merged.last(name) is not None:
                self.merged.say(name, offset, None)

    def _is_new_version(self, event: PolicyPublished) -> bool:
        """Versions are immutable: the first one published under a number stands."""
        taken = {known.version for _, known in self.policies[event.policy_id]}
        in_range = 0 < event.max_open_minutes <= event.max_session_minutes <= 1440
        windows = event.late_event_window_minutes >= 0 and event.max_clock_skew_minutes >= 0
        tiers = [
            tier
            for tier in (event.org_tier_minutes, event.province_tier_minutes)
            if tier is not None
        ]
        tiered = tiers == sorted(tiers) and all(0 < tier <= 1440 for tier in tiers)
        share = event.min_ratio_percent is None or 0 < event.min_ratio_percent <= 100
        days = 0 < event.record_deadline_days <= 366 and 0 <= event.consent_age_years <= 18
        # So many minutes make a point, so many working days an evaluation in time.
        days = days and 0 < event.evaluation_deadline_days <= 366 and event.point_minutes > 0
        return in_range and windows and tiered and share and days and event.version not in taken

    def _version(self, policy_id: str, day: int, seen: int) -> PolicyPublished | None:
        published = self.policies.get(policy_id, [])
        fit = [p for offset, p in published if offset < seen and p.effective_from <= day]
        return max(fit, key=lambda p: (p.effective_from, p.version), default=None)

    def default_policy(self, day: int, seen: int) -> PolicyPublished:
        """The policy `default` for a day."""
        return self._version("default", day, seen) or BUILT_IN

    def policy(self, project_id: str, day: int, seen: int) -> tuple[PolicyPublished, bool]:
        """The version that rules a local day of a project, and whether the project has its own.

        `default` rules where the project is unknown or its policy has no version for the day.
        """
        project = self.projects.of(project_id, seen)
        named = None if project is None else project.policy_id or "default"
        own = None if named is None else self._version(named, day, seen)
        return own or self.default_policy(day, seen), own is not None

    def labelled(self, policy_id: str, version: int, seen: int) -> PolicyPublished | None:
        """A version by its name."""
        published = self.policies.get(policy_id, [])
        return next((p for o, p in published if o < seen and p.version == version), None)

    def offsets(self, site_id: str | None, seen: int) -> tuple[UtcOffset, ...]:
        """The civil time of a site, empty where nothing is known."""
        site = self.sites.of(site_id, seen)
        return () if site is None else site.utc_offsets

    def knows(self, place: Place, day: int, seen: int) -> bool:
        """Are organisation, project, site, policy version and activity all registered?"""
        scheduled = self.activities.get(place.project_id, {})
        shifts = {activity for activity, offset in scheduled.items() if offset < seen}
        return (
            self.orgs.get(place.recording_org_id, seen) < seen
            and self.projects.of(place.project_id, seen) is not None
            and (place.site_id is None or self.sites.of(place.site_id, seen) is not None)
            and (not shifts or place.activity_id in shifts)
        )

    def organisers(self, place: Place, day: int, seen: int) -> set[str] | None:
        """Who may record at a place: the project's own and who runs the site that day.

        None while the project is not known.
        """
        project = self.projects.of(place.project_id, seen)
        if project is None:
            return None
        return {project.org_id, *project.partner_org_ids} | self._runs(place.site_id, day, seen)

    def _runs(self, site_id: str | None, day: int, seen: int) -> set[str]:
        if site_id is None:
            return set()
        assigned = {
            o.operator_org_id
            for o in self.operators.of(site_id, seen) or ()
            if o.start_on <= day and (o.end_on is None or day <= o.end_on)
        }
        owner = self.owners.of(site_id, seen)
        return assigned or ({owner} if owner else set())

    def may_decide(self, actor: Actor, place: Place, day: int, seen: int) -> bool:
        """Has this person a say about service at this place?"""
        if actor.role == "regulator":
            return True
        orgs = self.organisers(place, day, seen) or self._runs(place.site_id, day, seen)
        orgs = orgs | {place.recording_org_id}
        if above := self.parents.of(place.recording_org_id, seen):
            orgs.add(above)
        while more := {s for o in orgs if (s := self.successors.of(o, seen))} - orgs:
            orgs |= more
        return actor.role != "volunteer" and actor.org_id in orgs

    def speaks_for(self, actor: Actor, org_id: str, seen: int) -> bool:
        """Is this one of the organisation's people, of those above it or after it, with a role?"""
        if actor.role == "regulator":
            return True
        orgs: list[str] = []
        above: str | None = org_id
        while above is not None and above not in orgs:
            orgs.append(above)
            above = self.parents.of(above, seen)
        known = set(orgs)
        while more := {s for o in known if (s := self.successors.of(o, seen))} - known:
            known |= more
        return actor.role in ("organiser", "admin", "system") and actor.org_id in known

    def walks_in(self, volunteer_id: str, place: Place, shift_id: str | None, seen: int) -> bool:
        """Is there a roster without this volunteer?"""
        roster = self.rosters.of(shift_id, seen)
        if roster is None:
            shifts = self.rostered.of((place.project_id, place.activity_id), seen)
            if shifts is None:
                return False
            roster = frozenset().union(*(self.rosters.of(s, seen) or () for s in shifts))
        return volunteer_id not in roster

    def lateness(
        self, policy: PolicyPublished, day: int, recorded_at: int, seen: int
    ) -> str | None:
        """Have more working days than allowed passed between a day and the receipt?"""
        received = (recorded_at + CHINA_MINUTES * MINUTE) // DAY
        return self.passed(policy.calendar_id, day, policy.record_deadline_days, received, seen)

    def passed(
        self, calendar_id: str | None, day: int, allowed: int, received: int, seen: int
    ) -> str | None:
        """Late, in time, or not to be told: as the days of unknown years may all be worked or
        none."""
        calendar = self.calendars.of(calendar_id, seen) or {}
        between = [EPOCH + timedelta(number) for number in range(day + 1, received)]
        years = {on.year for on in calendar}
        unknown = [on for on in between if calendar_id is not None and on.year not in years]
        worked = sum(calendar.get(on, on.weekday() < 5) for on in between if on not in set(unknown))
        if worked >= allowed:
            return "recorded_late"
        return "deadline_unknown" if worked + len(unknown) >= allowed else None

    def is_young(self, volunteer_id: str, day: int, at: int, years: int, seen: int) -> bool:
        """Is somebody under age on a day without a guardian's consent?"""
        born = self.born.of(volunteer_id, seen)
        if born is None:
            return False
        on = EPOCH + timedelta(day)
        # Of age at the latest on the last day of the month of birth: so from the month after.
        months = (on.year - born.year) * 12 + on.month - born.month
        return months <= years * 12 and at >= (self.consents.of(volunteer_id, seen) or 0)


def civil_date(at: int, offsets: tuple[UtcOffset, ...]) -> int:
    """The date on a clock at the service place; UTC+8 where no offset is given, or none yet."""
    minutes = next((o.offset_minutes for o in reversed(offsets) if o.from_at <= at), CHINA_MINUTES)
    return (at + minutes * MINUTE) // DAY


def minutes_by_date(
    parts: Iterable[tuple[int, int]], offsets: tuple[UtcOffset, ...]
) -> dict[int, int]:
    """Stretches of time -> whole minutes per local date, what is left over goes to the next."""
    time: Counter[int] = Counter()
    for start, end in parts:
        # Cutting too often does no harm: each change of offset, each midnight of each offset.
        cuts = {start, end} | {o.from_at for o in offsets if start < o.from_at < end}
        for ahead in {CHINA_MINUTES} | {o.offset_minutes for o in offsets}:
            next_midnight = -(-(start + ahead * MINUTE) // DAY) * DAY - ahead * MINUTE
            cuts.update(range(next_midnight, end, DAY))
        for begin, stop in pairwise(sorted(cuts)):
            time[civil_date(begin, offsets)] += stop - begin
    minutes = {}
    so_far = 0
    for day in sorted(time):
        minutes[day] = (so_far + time[day]) // MINUTE - so_far // MINUTE
        so_far += time[day]
    return minutes
