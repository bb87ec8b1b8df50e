"""When something happened, by whose clock, and whether it was recorded in time (section 2)."""

from typing import Final

from ledger.catalogue.catalogue import CHINA_OFFSET_MINUTES, Catalogue
from ledger.catalogue.policy import Policy
from schemas.events import CheckedIn, CheckedOut
from schemas.times import DAY, MINUTE
from schemas.validity import EARLIEST

LATENESS: Final[dict[bool | None, str | None]] = {
    True: "recorded_late",
    False: None,
    None: "deadline_unknown",
}
"""Has a deadline gone by -> what is said of it."""


def happened_at(
    event: CheckedIn | CheckedOut, recorded_at: int, catalogue: Catalogue
) -> tuple[int, str | None]:
    """When an end of a session was, in UTC microseconds, and what is to be said of its clock."""
    skew = skew_micros(event.site_id, recorded_at, catalogue)
    return by_clock(event.occurred_at, event.sent_at, recorded_at, skew)


def by_clock(at: int, sent_at: int | None, recorded_at: int, skew: int) -> tuple[int, str | None]:
    """What a device's time comes to, and the reason code that says what its clock was.

    What was sent after it was recorded comes of a clock that is ahead, which no delay can make:
    beyond the allowed skew the difference is taken off. What was recorded long after it was sent
    may only have been delayed: its own time stands.
    """
    if sent_at is None:
        return at, None
    ahead = sent_at - recorded_at
    return at - ahead if ahead > skew else at, _clock(ahead, skew)


def _clock(ahead: int, skew: int) -> str | None:
    """The reason code that says what a clock was, if it was so far ahead."""
    if ahead > skew:
        return "clock_corrected"
    return "delayed_or_slow_clock" if -ahead > skew else None


def skew_micros(site_id: str | None, recorded_at: int, catalogue: Catalogue) -> int:
    """How far clocks may differ, by the version for the civil day of the receipt at a place."""
    day = catalogue.local_day(site_id, recorded_at)
    return catalogue.default_policy(day).max_clock_skew_minutes * MINUTE


def policy_at(project_id: str, site_id: str | None, at: int, catalogue: Catalogue) -> Policy:
    """The policy that judges lateness and auto-close, on the local day of an instant."""
    day = catalogue.local_day(site_id, at)
    return catalogue.policy(project_id, day) or catalogue.default_policy(day)


def is_late(at: int, recorded_at: int, policy: Policy) -> bool:
    """Section 2.2: recorded after the late window, or from before all service of ours."""
    return at < EARLIEST or recorded_at - at > policy.late_event_window_minutes * MINUTE


def lateness(day: int, recorded_at: int, policy: Policy, catalogue: Catalogue) -> str | None:
    """What is said of service of a local day that was recorded after its deadline, by China's date
    of the receipt (V2 article 11), or that may have been: nobody guesses a year's holidays."""
    recorded_on = (recorded_at + CHINA_OFFSET_MINUTES * MINUTE) // DAY
    # Without a calendar at hand this many days hold that many working days.
    if recorded_on - day <= policy.record_deadline_days:
        return None
    calendar = catalogue.calendar(policy.calendar_id)
    return LATENESS[calendar.passed(day, policy.record_deadline_days, recorded_on)]
