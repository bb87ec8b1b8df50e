"""What is registered: organisations, projects, sites, shifts, policies, people, asked by date."""

from dataclasses import dataclass, field
from typing import Final

from ledger.catalogue.changes import Changes
from ledger.catalogue.people import People
from ledger.catalogue.policy import BUILT_IN, Policy
from ledger.catalogue.workdays import PLAIN, UNKNOWN, Workdays
from schemas.events import Actor, UtcOffset
from schemas.times import DAY, MINUTE

CHINA_OFFSET_MINUTES: Final = 480

_STAFF: Final = frozenset({"organiser", "admin", "system"})
"""Roles in which people, and the systems they run, act for an organisation."""


@dataclass(slots=True, init=False, unsafe_hash=True)
class Place:
    """Where a span was served and who records it: the dimensions of its lines."""

    activity_id: Final[str]
    project_id: Final[str]
    site_id: Final[str | None]
    recording_org_id: Final[str]
    host_org_id: Final[str]

    def __init__(
        self,
        activity_id: str,
        project_id: str,
        site_id: str | None,
        recording_org_id: str,
        host_org_id: str,
    ) -> None:
        self.activity_id = activity_id
        self.project_id = project_id
        self.site_id = site_id
        self.recording_org_id = recording_org_id
        self.host_org_id = host_org_id

    def values(self) -> tuple[object, ...]:
        """Its fields in order."""
        return (
            self.activity_id,
            self.project_id,
            self.site_id,
            self.recording_org_id,
            self.host_org_id,
        )


@dataclass(frozen=True, slots=True)
class Operator:
    """Who runs a site from one day to another, both included."""

    org_id: str
    first_day: int
    last_day: int


@dataclass(frozen=True, slots=True)
class Shift:
    """A planned shift, in UTC microseconds."""

    project_id: str
    activity_id: str
    start: int
    end: int


@dataclass(slots=True)
class Catalogue:
    """The registered things after the first `next_offset` records of registry.catalogue."""

    next_offset: int = 0
    orgs: set[str] = field(default_factory=set)
    parents: dict[str, str] = field(default_factory=dict)
    successors: dict[str, str] = field(default_factory=dict)
    project_policy: dict[str, str] = field(default_factory=dict)
    project_orgs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    closed: dict[str, int] = field(default_factory=dict)
    site_offsets: dict[str, tuple[UtcOffset, ...]] = field(default_factory=dict)
    site_owner: dict[str, str] = field(default_factory=dict)
    operators: dict[str, tuple[Operator, ...]] = field(default_factory=dict)
    activities: dict[str, set[str]] = field(default_factory=dict)
    shifts: dict[str, Shift] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    rosters: dict[str, set[str]] = field(default_factory=dict)
    rostered: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    policies: dict[str, tuple[Policy, ...]] = field(default_factory=dict)
    labelled: dict[str, Policy] = field(default_factory=lambda: {BUILT_IN.label: BUILT_IN})
    tiered: bool = False
    calendars: dict[str, Workdays] = field(default_factory=dict)
    people: People = field(default_factory=People)
    changes: Changes = field(default_factory=Changes)

    def policy(self, project_id: str, day: int) -> Policy | None:
        """The version of the project's policy for a local day; None if it has none.

        An unknown project follows the policy `default`.
        """
        return self._version(self.project_policy.get(project_id, "default"), day)

    def default_policy(self, day: int) -> Policy:
        """The policy `default` for a day; the built-in one before its first version."""
        return self._version("default", day) or BUILT_IN

    def _version(self, policy_id: str, day: int) -> Policy | None:
        for policy in reversed(self.policies.get(policy_id, ())):
            if policy.effective_from <= day:
                return policy
        return BUILT_IN if policy_id == "default" else None

    def knows(self, place: Place) -> bool:
        """Are organisation, project, site and activity registered?

        A project that schedules shifts credits only the activities of its shifts; one without a
        schedule credits all its activities.
        """
        return (
            place.recording_org_id in self.orgs
            and place.project_id in self.project_policy
            and (place.site_id is None or place.site_id in self.site_offsets)
            and place.activity_id in self.activities.get(place.project_id, (place.activity_id,))
        )

    def may_record(self, place: Place, day: int) -> bool:
        """Is who records the organiser (V2 article 26): owner or partner of the project, or who
        runs the site on that day? True while the project is not known."""
        orgs = self.project_orgs.get(place.project_id)
        return (
            orgs is None
            or place.recording_org_id in orgs
            or place.recording_org_id in self.operators_of(place.site_id, day)
        )

    def has_a_say(self, org_id: str, place: Place, day: int) -> bool:
        """May an organisation decide about service at a place: the recorder, the organisation
        above it, the project's owner or partners, the site's operator, a successor of one of
        these?"""
        recorder = place.recording_org_id
        orgs = {recorder, *self.project_orgs.get(place.project_id, ())}
        orgs.update(self.operators_of(place.site_id, day))
        if recorder in self.parents:
            orgs.add(self.parents[recorder])
        return org_id in orgs or any(self.succeeds(org_id, org) for org in orgs)

    def speaks_for(self, actor: Actor, org_id: str) -> bool:
        """May somebody enter or sign hours in an organisation's name: a regulator, or one of its
        people, of an organisation above it or of a successor of one of these, whose role may?"""
        if actor.role == "regulator":
            return True
        acting = actor.org_id
        if acting is None or actor.role not in _STAFF:
            return False
        line = [org_id]
        while (above := self.parents.get(line[-1])) is not None and above not in line:
            line.append(above)
        return acting in line or any(self.succeeds(acting, one) for one in line)

    def succeeds(self, org_id: str, ended: str) -> bool:
        """Did an organisation take over what another one was, perhaps by way of others?"""
        met = {ended}
        while (next_id := self.successors.get(ended)) is not None and next_id not in met:
            if next_id == org_id:
                return True
            met.add(next_id)
            ended = next_id
        return False

    def operators_of(self, site_id: str | None, day: int) -> list[str]:
        """Who runs a site on a day; its owner unless somebody was assigned."""
        if site_id is None:
            return []
        named = [
            operator.org_id
            for operator in self.operators.get(site_id, ())
            if operator.first_day <= day <= operator.last_day
        ]
        return named or ([self.site_owner[site_id]] if site_id in self.site_owner else [])

    def walks_in(self, names: set[str], place: Place, shift_id: str | None) -> bool:
        """Is there a roster, and somebody under none of their registrations on it? The shift's own
        counts where it has one."""
        roster = self.rosters.get(shift_id) if shift_id is not None else None
        if roster is not None:
            return names.isdisjoint(roster)
        shifts = self.rostered.get((place.project_id, place.activity_id))
        return shifts is not None and all(names.isdisjoint(self.rosters[s]) for s in shifts)

    def calendar(self, calendar_id: str | None) -> Workdays:
        """The working days of a calendar; Monday to Friday where none is named."""
        return PLAIN if calendar_id is None else self.calendars.get(calendar_id, UNKNOWN)

    def offset_micros(self, site_id: str | None, at: int) -> int:
        """Civil time minus UTC at a site, in microseconds; China's where the site says nothing."""
        minutes = CHINA_OFFSET_MINUTES
        for offset in self._offsets(site_id):
            if offset.from_at > at:
                break
            minutes = offset.offset_minutes
        return minutes * MINUTE

    def local_day(self, site_id: str | None, at: int) -> int:
        """The civil day of an instant at a site, as a day number."""
        return (at + self.offset_micros(site_id, at)) // DAY

    def last_day(self, site_id: str | None, start: int, end: int) -> int:
        """The last civil day of [start, end) at a site: that of its last instant, so what ends at
        midnight is of the day that ends."""
        return self.local_day(site_id, max(start, end - 1))

    def civil_days(self, site_id: str | None, start: int, end: int) -> tuple[tuple[int, int], ...]:
        """The civil days of [start, end) at a site: (instant from which, day number), ascending.

        A day may come twice where a clock goes back over midnight.
        """
        changes = [offset.from_at for offset in self._offsets(site_id)]
        at, day = start, self.local_day(site_id, start)
        found = [(at, day)]
        while True:
            midnight = (day + 1) * DAY - self.offset_micros(site_id, at)
            at = min([midnight, *[change for change in changes if change > at]])
            if at >= end:
                return tuple(found)
            if (day := self.local_day(site_id, at)) != found[-1][1]:
                found.append((at, day))

    def _offsets(self, site_id: str | None) -> tuple[UtcOffset, ...]:
        return self.site_offsets.get(site_id, ()) if site_id is not None else ()
