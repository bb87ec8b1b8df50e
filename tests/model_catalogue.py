"""The reference's view of the catalogue, and of civil time; no part of `ledger` is used.

Every question is asked as of a number of catalogue records seen. LOG ORDER counts here and only
here by way of that number: docs/rules.md settles a span by the catalogue known at that moment.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

from ledger.record import Record
from schemas.events import (
    OrgRegistered,
    PolicyPublished,
    ProjectPublished,
    ShiftScheduled,
    SitePublished,
    UtcOffset,
)
from schemas.times import DAY, MINUTE

T = TypeVar("T")

BUILT_IN = PolicyPublished("built-in", "default", 0, -(10**9), 720, 1440, 10_080, 5, 0, None)
CHINA_MINUTES = 480


class Place(NamedTuple):
    """Where a span was served and who records it."""

    recording_org_id: str
    host_org_id: str
    project_id: str
    site_id: str | None
    activity_id: str


class Registry:
    """Everything ever published, each thing with the catalogue offset at which it was."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.orgs: dict[str, int] = {}
        self.projects: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self.sites: dict[str, list[tuple[int, tuple[UtcOffset, ...]]]] = defaultdict(list)
        self.activities: dict[str, dict[str, int]] = defaultdict(dict)
        self.policies: dict[str, list[tuple[int, PolicyPublished]]] = defaultdict(list)
        self.policies["default"].append((-1, BUILT_IN))
        for record in sorted(records, key=lambda r: r.offset):
            self._publish(record.offset, record.event)

    def _publish(self, offset: int, event: object) -> None:
        match event:
            case OrgRegistered():
                self.orgs.setdefault(event.org_id, offset)
            case ProjectPublished():
                self.projects[event.project_id].append((offset, event.policy_id or "default"))
            case SitePublished():
                self.sites[event.site_id].append((offset, event.utc_offsets))
            case ShiftScheduled() if event.start_at < event.end_at:
                self.activities[event.project_id].setdefault(event.activity_id, offset)
            case PolicyPublished() if self._is_new_version(event):
                self.policies[event.policy_id].append((offset, event))

    def _is_new_version(self, event: PolicyPublished) -> bool:
        """Versions are immutable: the first one published under a number stands."""
        taken = {known.version for _, known in self.policies[event.policy_id]}
        in_range = 0 < event.max_open_minutes <= event.max_session_minutes <= 1440
        windows = event.late_event_window_minutes >= 0 and event.max_clock_skew_minutes >= 0
        return in_range and windows and event.version not in taken

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
        named = _latest(self.projects.get(project_id, ()), seen)
        own = None if named is None else self._version(named, day, seen)
        return own or self.default_policy(day, seen), own is not None

    def offsets(self, site_id: str | None, seen: int) -> tuple[UtcOffset, ...]:
        """The civil time of a site, empty where nothing is known."""
        return _latest(self.sites.get(site_id or "", ()), seen) or ()

    def knows(self, place: Place, day: int, seen: int) -> bool:
        """Are organisation, project, site, policy version and activity all registered?"""
        scheduled = self.activities.get(place.project_id, {})
        shifts = {activity for activity, offset in scheduled.items() if offset < seen}
        no_site = place.site_id is None
        return (
            self.orgs.get(place.recording_org_id, seen) < seen
            and self.policy(place.project_id, day, seen)[1]
            and (no_site or _latest(self.sites.get(place.site_id or "", ()), seen) is not None)
            and (not shifts or place.activity_id in shifts)
        )


def _latest(published: Sequence[tuple[int, T]], seen: int) -> T | None:
    """What was published last among the first `seen` catalogue records; None if nothing was."""
    return next((what for offset, what in reversed(published) if offset < seen), None)


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
    for date in sorted(time):
        minutes[date] = (so_far + time[date]) // MINUTE - so_far // MINUTE
        so_far += time[date]
    return minutes
