"""What is registered: organisations, projects, sites, shifts, policies, folded in log order."""

from dataclasses import dataclass, field
from typing import Final, assert_never

from schemas.events import (
    CatalogueEvent,
    OrgRegistered,
    PolicyPublished,
    ProjectPublished,
    ShiftScheduled,
    SitePublished,
    UtcOffset,
    VolunteerRegistered,
)
from schemas.times import DAY, MINUTE

CHINA_OFFSET_MINUTES: Final = 480


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of the rules of an hour; lengths in minutes, `effective_from` a day number."""

    policy_id: str = "default"
    version: int = 0
    effective_from: int = 0
    max_open_minutes: int = 720
    max_session_minutes: int = 1440
    late_event_window_minutes: int = 10_080
    max_clock_skew_minutes: int = 5

    @property
    def label(self) -> str:
        """As it stands on lines: policy_id@version."""
        return f"{self.policy_id}@{self.version}"


BUILT_IN: Final = Policy()


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


@dataclass(slots=True)
class Catalogue:
    """The registered things after the first `next_offset` records of registry.catalogue."""

    next_offset: int = 0
    orgs: set[str] = field(default_factory=set)
    project_policy: dict[str, str] = field(default_factory=dict)
    site_offsets: dict[str, tuple[UtcOffset, ...]] = field(default_factory=dict)
    activities: dict[str, set[str]] = field(default_factory=dict)
    policies: dict[str, tuple[Policy, ...]] = field(default_factory=dict)

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

    def civil_days(self, site_id: str | None, start: int, end: int) -> tuple[tuple[int, int], ...]:
        """The civil days of [start, end) at a site: (instant from which, day number), ascending.

        A day may come twice where a clock goes back over midnight.
        """
        changes = [offset.from_at for offset in self._offsets(site_id)]
        at, day = start, self.local_day(site_id, start)
        found = [(at, day)]
        while True:
            midnight = (self.local_day(site_id, at) + 1) * DAY - self.offset_micros(site_id, at)
            at = min([midnight, *(change for change in changes if change > at)])
            if at >= end:
                return tuple(found)
            if (day := self.local_day(site_id, at)) != found[-1][1]:
                found.append((at, day))

    def _offsets(self, site_id: str | None) -> tuple[UtcOffset, ...]:
        return self.site_offsets.get(site_id, ()) if site_id is not None else ()


def publish(catalogue: Catalogue, event: CatalogueEvent) -> str | None:
    """Fold one event into the catalogue, in place; the reason code if it is refused.

    Publishing again replaces organisations, projects and sites; policy versions are immutable.
    """
    match event:
        case OrgRegistered():
            catalogue.orgs.add(event.org_id)
        case ProjectPublished():
            catalogue.project_policy[event.project_id] = event.policy_id or "default"
        case SitePublished():
            catalogue.site_offsets[event.site_id] = event.utc_offsets
        case ShiftScheduled():
            if event.end_at <= event.start_at:
                return "end_before_start"
            catalogue.activities.setdefault(event.project_id, set()).add(event.activity_id)
        case PolicyPublished():
            return _publish_policy(catalogue, event)
        case VolunteerRegistered():
            pass
        case _:
            assert_never(event)
    return None


def _publish_policy(catalogue: Catalogue, event: PolicyPublished) -> str | None:
    policy = Policy(
        event.policy_id,
        event.version,
        event.effective_from,
        event.max_open_minutes,
        event.max_session_minutes,
        event.late_event_window_minutes,
        event.max_clock_skew_minutes,
    )
    # A session of at most a day keeps the search for overlaps within two days.
    if (
        not 0 < policy.max_open_minutes <= policy.max_session_minutes <= 1440
        or policy.late_event_window_minutes < 0
        or policy.max_clock_skew_minutes < 0
    ):
        return "policy_out_of_range"
    versions = catalogue.policies.get(policy.policy_id, ())
    for known in versions:
        if known.version == policy.version:
            return None if known == policy else "version_exists"
    catalogue.policies[policy.policy_id] = tuple(
        sorted((*versions, policy), key=lambda p: (p.effective_from, p.version))
    )
    return None
