"""When something happened, by whose clock, and whether it was recorded in time (section 2)."""

from ledger.catalogue import CHINA_OFFSET_MINUTES, Catalogue
from ledger.policy import Policy
from schemas.events import CheckedIn, CheckedOut
from schemas.times import DAY, MINUTE
from schemas.validity import EARLIEST


def happened_at(
    event: CheckedIn | CheckedOut, recorded_at: int, catalogue: Catalogue
) -> tuple[int, bool]:
    """When an end of a session was, in UTC microseconds, and whether its clock was corrected.

    A device that says when it sent says how wrong its clock is: what `sent_at` differs from the
    time of receipt, beyond the allowed skew, is taken off. The event keeps what the device said.
    """
    if event.sent_at is None:
        return event.occurred_at, False
    ahead = event.sent_at - recorded_at
    if abs(ahead) <= skew_micros(recorded_at, catalogue):
        return event.occurred_at, False
    return event.occurred_at - ahead, True


def skew_micros(recorded_at: int, catalogue: Catalogue) -> int:
    """How far clocks may differ."""
    return catalogue.default_policy(recorded_at // DAY).max_clock_skew_minutes * MINUTE


def policy_at(project_id: str, site_id: str | None, at: int, catalogue: Catalogue) -> Policy:
    """The policy that judges lateness and auto-close, on the local day of an instant."""
    day = catalogue.local_day(site_id, at)
    return catalogue.policy(project_id, day) or catalogue.default_policy(day)


def is_late(at: int, recorded_at: int, policy: Policy) -> bool:
    """Section 2.2: recorded after the late window, or from before all service of ours."""
    return at < EARLIEST or recorded_at - at > policy.late_event_window_minutes * MINUTE


def overdue(day: int, recorded_at: int, policy: Policy, catalogue: Catalogue) -> bool:
    """Was service of a local day recorded after its deadline, by China's date of the receipt?"""
    recorded_on = (recorded_at + CHINA_OFFSET_MINUTES * MINUTE) // DAY
    # Without a calendar at hand this many days hold that many working days.
    if recorded_on - day <= policy.record_deadline_days:
        return False
    return recorded_on > catalogue.deadline(policy, day)
