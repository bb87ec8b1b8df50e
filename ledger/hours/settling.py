"""A span's state: what its own facts and the catalogue make of it (docs/rules.md, section 4)."""

from typing import Final

from ledger.account.acts import ANYWHERE, ORG, PROVINCE, SELF, Act, Court, Standing
from ledger.account.heard import as_approved
from ledger.account.parts import whole
from ledger.account.spans import Facts, Span
from ledger.catalogue.catalogue import Catalogue, Place, Shift
from ledger.catalogue.policy import Policy
from schemas.posting import State
from schemas.times import DAY, MINUTE

Verdict = tuple[State | None, str | None]
"""State and reason code."""

NOTHING = Standing()

WAITS = frozenset(
    {"unknown_activity", "awaiting_policy", "recorder_not_organiser", "guardian_consent_missing"}
)
"""Reasons that a later publication can take away: ticks look at such spans."""

HELD = WAITS | frozenset(
    {"over_max_session", "over_max_open", "no_second_person", "awaiting_organiser"}
    | {"not_on_roster", "changed_after_decision"}
)
"""Reasons under which a posting is `held`."""


class _Case:
    """A span with both ends, as it is to be judged; `length` is before any clamping."""

    def __init__(
        self,
        span: Span,
        volunteer_id: str,
        facts: Facts,
        now: Standing,
        place: Place,
        start: int,
        length: int,
        day: int,
        block: bool,
        corrected: bool,
        policy: Policy,
        has_policy: bool,
    ) -> None:
        self.span: Final = span
        self.volunteer_id: Final = volunteer_id
        self.facts: Final = facts
        self.now: Final = now
        self.place: Final = place
        self.start: Final = start
        self.length: Final = length
        self.day: Final = day
        self.block: Final = block
        self.corrected: Final = corrected
        self.policy: Final = policy
        self.has_policy: Final = has_policy


def court_of(facts: Facts, catalogue: Catalogue) -> Court:
    """The fold of those acts that people who have a say about this service have done."""
    return Court(
        tuple([act for act in facts.acts if entitled(act, facts, catalogue)]), facts.requester
    )


def tiers_of(policy: Policy) -> tuple[int, ...]:
    """The levels that hold what is above a policy's tiers."""
    org, province = policy.org_tier_minutes, policy.province_tier_minutes
    return tuple([level for level, tier in ((ORG, org), (PROVINCE, province)) if tier is not None])


def entitled(act: Act, facts: Facts, catalogue: Catalogue) -> bool:
    """Has whoever acts a say about the service? Service at an unknown place tells nothing."""
    if act.org in (ANYWHERE, SELF):
        return True
    places = [facts.place]
    if act.what == "ask":
        places.append(act.place)
    elif act.what in ("correct", "refuse"):
        # Whoever moves hours to another place answers for that one, too.
        places += [ask.place for ask in facts.acts if ask.what == "ask" and ask.ref == act.ref]
    for place in places:
        if place is not None:
            day = catalogue.local_day(place.site_id, act.at if facts.start is None else facts.start)
            if not catalogue.has_a_say(act.org, place, day):
                return False
    return True


def settled(span: Span, volunteer_id: str, catalogue: Catalogue) -> Span:
    """The span with its state, reason, policy, interval and civil days, as its own facts and the
    catalogue have it; its minutes are given out by `ledger.hours.rating`."""
    all_facts = whole(span)
    now = court_of(all_facts, catalogue).standing if all_facts.acts else NOTHING
    facts, released, changed = as_approved(all_facts, now)
    if now.voided:
        return _without_credit(span, facts, now, reason="voided")
    case = _case(span, volunteer_id, facts, now, catalogue)
    if case is None:
        return _without_credit(span, facts, now, reason=None)
    low = high = case.day * DAY
    if not case.block:
        low, high = case.start, case.start + case.length
    shift = _shift(case, catalogue)
    if shift is not None and case.policy.clamp_to_shift:
        low = min(max(low, shift.start), max(high, low))
        high = max(min(high, shift.end), low)
    state, reason = _gate(case, catalogue)
    if state == "effective" and shift is not None and _too_little(case.policy, shift, low, high):
        state, reason = None, "under_min_ratio"
    if state is not None and reason is None:
        reason = _waits_again(changed)
    days: tuple[tuple[int, int], ...] = ()
    if state is not None and case.block:
        days = ((low, case.day),)
    elif state is not None:
        days = catalogue.civil_days(case.place.site_id, low, high)
    return Span(
        span.kind,
        span.id,
        case.day if case.block else low // DAY,
        span.facts,
        span.closed,
        state,
        reason,
        case.policy.label,
        case.place,
        low,
        high,
        case.block,
        case.corrected,
        released,
        days,
        parts=span.parts,
        withheld=now.withheld,
    )


def _waits_again(changed: bool) -> str | None:
    return "changed_after_decision" if changed else None


def _case(
    span: Span, volunteer_id: str, facts: Facts, now: Standing, catalogue: Catalogue
) -> _Case | None:
    """What is to be judged; None while an end or the place is not known."""
    start, end, place = facts.start, facts.end, facts.place
    # Training is learning time without an interval of its own: it is voided and entered again.
    ask = now.correction if span.kind != "training" else None
    if ask is not None:
        start, end, place = ask.start, ask.end, ask.place
    if place is None or start is None or end is None:
        return None
    block = facts.minutes is not None and ask is None
    day = catalogue.local_day(place.site_id, start)
    if block and facts.date is not None:
        day = facts.date
    found = catalogue.labelled.get(now.policy) or catalogue.policy(place.project_id, day)
    policy = found or catalogue.default_policy(day)
    corrected = ask is not None
    return _Case(
        span, volunteer_id, facts, now, place, start, end - start, day, block, corrected,
        policy, found is not None,
    )  # fmt: skip


def _without_credit(span: Span, facts: Facts, now: Standing, *, reason: str | None) -> Span:
    """Nothing to credit; the span stays on the page of its start."""
    day = span.day if facts.start is None else facts.start // DAY
    return Span(
        span.kind,
        span.id,
        day,
        span.facts,
        span.closed,
        None,
        reason,
        approved=now.approved,
        parts=span.parts,
    )


def _gate(case: _Case, catalogue: Catalogue) -> Verdict:
    """The table of section 4: the first condition that holds."""
    policy, now, facts = case.policy, case.now, case.facts
    session = case.span.kind == "service"
    decided = now.approved > 0
    if not case.block:
        if case.length > policy.max_session_minutes * MINUTE:
            return None, "over_max_session"
        if session and not decided and case.length > policy.max_open_minutes * MINUTE:
            return "held_review", "over_max_open"
    if now.rejected or any(level not in tiers_of(policy) for level in now.withheld):
        return "rejected", "rejected"
    if facts.claimed and not decided:
        return _whole(now, ("held_org", "awaiting_organiser"))
    if not facts.signed and not (decided and (now.sure or case.corrected)):
        return _whole(now, ("held_org", "no_second_person"))
    if not catalogue.knows(case.place):
        return "held_review", "unknown_activity"
    if not case.has_policy:
        return "held_review", "awaiting_policy"
    entered = not session or case.corrected
    if entered and not catalogue.may_record(case.place, case.day):
        return "held_review", "recorder_not_organiser"
    age = policy.consent_age_years
    if catalogue.people.needs_consent(case.volunteer_id, case.day, case.start, age):
        return "held_review", "guardian_consent_missing"
    expected = decided or not session
    names = catalogue.people.registrations(case.volunteer_id)
    if not expected and catalogue.walks_in(names, case.place, facts.shift_id):
        return _whole(now, ("held_org", "not_on_roster"))
    return "effective", None


def _whole(now: Standing, held: Verdict) -> Verdict:
    """What waits for people as a whole is rejected as a whole."""
    return ("rejected", "rejected") if now.withheld else held


def _shift(case: _Case, catalogue: Catalogue) -> Shift | None:
    """The planned shift of a session that counts as its devices recorded it."""
    if case.span.kind != "service" or case.corrected or case.facts.shift_id is None:
        return None
    return catalogue.shifts.get(case.facts.shift_id)


def _too_little(policy: Policy, shift: Shift, low: int, high: int) -> bool:
    """Was less than the least share of the planned shift served?"""
    percent = policy.min_ratio_percent
    return percent is not None and (high - low) * 100 < percent * (shift.end - shift.start)
