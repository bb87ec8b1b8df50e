"""The rules of an hour as data: versions of a policy, immutable once published."""

from dataclasses import dataclass
from typing import Final

from schemas.events import PolicyPublished

PERCENT_MAX: Final = 100
WORKING_DAYS_MAX: Final = 366
AGE_MAX: Final = 18


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of the rules of an hour; lengths in minutes, `effective_from` a day number.

    Parameters and their sources: docs/rules.md, section 9.
    """

    policy_id: str = "default"
    version: int = 0
    effective_from: int = 0
    max_open_minutes: int = 720
    max_session_minutes: int = 1440
    late_event_window_minutes: int = 10_080
    max_clock_skew_minutes: int = 5
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

    @property
    def label(self) -> str:
        """As it stands on lines: policy_id@version."""
        return f"{self.policy_id}@{self.version}"

    @property
    def tiered(self) -> bool:
        """Does a long day wait for somebody's approval?"""
        return self.org_tier_minutes is not None or self.province_tier_minutes is not None


BUILT_IN: Final = Policy()


def policy_of(event: PolicyPublished) -> Policy | None:
    """The version that an event publishes; None if a parameter is out of range."""
    policy = Policy(
        event.policy_id,
        event.version,
        event.effective_from,
        event.max_open_minutes,
        event.max_session_minutes,
        event.late_event_window_minutes,
        event.max_clock_skew_minutes,
        event.clamp_to_shift,
        event.org_tier_minutes,
        event.province_tier_minutes,
        event.min_ratio_percent,
        event.record_deadline_days,
        event.calendar_id,
        event.consent_age_years,
        event.star_hours,
        event.star_basis,
        event.point_minutes,
        event.evaluation_deadline_days,
    )
    return policy if _in_range(policy) else None


def _in_range(policy: Policy) -> bool:
    org, province = policy.org_tier_minutes, policy.province_tier_minutes
    return (
        # A session of at most a day keeps the search for overlaps within two days.
        0 < policy.max_open_minutes <= policy.max_session_minutes <= 1440
        and policy.late_event_window_minutes >= 0
        and policy.max_clock_skew_minutes >= 0
        and (org is None or 0 < org <= 1440)
        and (province is None or 0 < province <= 1440)
        and (org is None or province is None or org <= province)
        and (policy.min_ratio_percent is None or 0 < policy.min_ratio_percent <= PERCENT_MAX)
        and 0 < policy.record_deadline_days <= WORKING_DAYS_MAX
        and 0 <= policy.consent_age_years <= AGE_MAX
        and policy.point_minutes > 0
        and 0 < policy.evaluation_deadline_days <= WORKING_DAYS_MAX
    )
