"""Stars: on application, in order, by hours reached; awarded by people (docs/rules.md, section 12).

An award is a fact that stays until its granting body decides anew: hours that are corrected later
never take a star away by themselves (edge case E27).
"""

from ledger.account.account import Account, spans_on
from ledger.account.statements import (
    APPROVE,
    OPEN,
    REJECT,
    STAR,
    Case,
    Word,
    decision,
    is_awarded,
    later,
    opened,
    standing,
    starred,
)
from ledger.catalogue.catalogue import Catalogue
from ledger.catalogue.policy import Policy
from ledger.hours.results import Result
from ledger.recognition.cases import case_keys, case_of, count_of, refusal, say
from schemas.events import Said, StarApplied, StarDecided
from schemas.times import day


def apply_for(account: Account, event: StarApplied, catalogue: Catalogue) -> Result:
    """Take an application whose hours are reached; it waits for the granting body."""
    case = case_of(account, STAR, event.application_id)
    why = _not_open(account, event, case, catalogue)
    if why is not None:
        return "refused", why, ()
    year = "" if event.year is None else str(event.year)
    word = Word(event.volunteer_id, OPEN, event.actor.id, event.occurred_at, event.star, year)
    if say(account, case, word) is None:
        return "refused", "too_many_facts", ()
    return "held", "awaiting_decision", ()


def decide_star(account: Account, event: StarDecided, catalogue: Catalogue) -> Result:
    """Keep a decision on an application if it is the latest by when it was taken."""
    case = case_of(account, STAR, event.application_id)
    why = refusal(account, event.actor, event.granting_org_id, catalogue)
    if why is None:
        why = _not_decidable(event, case)
    approves = event.decision == "approve"
    if why is None and approves and not is_awarded(case):
        why = _not_earned(account, event, case, catalogue)
    if why is not None:
        return "refused", why, ()
    word = Word(event.volunteer_id, decided_as(event), event.granting_org_id, event.occurred_at)
    if say(account, case, word) is None:
        return "refused", "too_many_facts", ()
    before = decision(case)
    if before is not None and not later(word, before):
        return "posted", "nothing_changed", ()
    return "posted", None, ()


def decided_as(event: StarDecided) -> Said:
    """What a decision says."""
    return APPROVE if event.decision == "approve" else REJECT


def star_keys(event: StarApplied | StarDecided) -> tuple[str, ...]:
    """What an application or decision may make the account remember."""
    if isinstance(event, StarDecided):
        return case_keys(STAR, event.application_id)
    counted = (starred(event.star, True), starred(event.star, False))
    return case_keys(STAR, event.application_id, *counted)


def minutes_towards(account: Account, year: int | None) -> int:
    """Effective service minutes of a lifetime, or of a calendar year by local service date."""
    if year is None:
        return account.balance_minutes
    first, last = day(f"{year}-01-01"), day(f"{year}-12-31")
    return sum([
        minutes
        # A piece lies at most two days from the page of its span.
        for span in spans_on(account, range(first - 2, last + 3))
        if span.kind != "training"
        for on, minutes, state in span.minutes
        if state == "effective" and first <= on <= last
    ])  # fmt: skip


def reached(policy: Policy, star: int, minutes: int) -> bool:
    """Are the hours of a star reached? Exactly reached counts (R16: inclusive)."""
    return minutes >= policy.star_hours[star - 1] * 60


def _held(account: Account, star: int) -> bool:
    """Is a star awarded?"""
    return count_of(account, starred(star, True)) > 0


def _not_open(account: Account, event: StarApplied, case: Case, catalogue: Catalogue) -> str | None:
    """The reason code if a star cannot be applied for."""
    if opened(case) is not None:
        return "application_exists"
    policy = _policy(event.occurred_at, catalogue)
    if event.star > len(policy.star_hours):
        return "unknown_star"
    if (event.year is None) != (policy.star_basis == "lifetime"):
        return "wrong_star_basis"
    return _taken(account, event.star, case) or _short(account, event.star, event.year, policy)


def _not_decidable(event: StarDecided, case: Case) -> str | None:
    """The reason code if somebody cannot decide on an application."""
    applied = opened(case)
    if applied is None:
        return "unknown_application"
    if applied.whose == event.actor.id:
        return "decider_is_requester"
    last = decision(case)
    if last is not None and last.whose != event.granting_org_id:
        return "other_case"
    return None


def _not_earned(
    account: Account, event: StarDecided, case: Case, catalogue: Catalogue
) -> str | None:
    """The reason code if an application cannot be approved as things stand now."""
    applied = opened(case)
    assert applied is not None
    star, year = applied.number, applied.ref
    policy = _policy(event.occurred_at, catalogue)
    if star > len(policy.star_hours):
        return "unknown_star"
    taken = _taken(account, star, case)
    return taken or _short(account, star, int(year) if year else None, policy)


def _taken(account: Account, star: int, case: Case) -> str | None:
    """The reason code if another application for the star is awarded, or waits."""
    if _others(account, starred(star, True), case):
        return "star_held"
    return "star_pending" if _others(account, starred(star, False), case) else None


def _others(account: Account, name: str, case: Case) -> int:
    """How many other applications count towards a name of the account's."""
    own = standing(case)
    return count_of(account, name) - (own[1] if own is not None and own[0] == name else 0)


def _short(account: Account, star: int, year: int | None, policy: Policy) -> str | None:
    if star > 1 and not _held(account, star - 1):
        return "star_out_of_order"
    return None if reached(policy, star, minutes_towards(account, year)) else "hours_not_reached"


def _policy(at: int, catalogue: Catalogue) -> Policy:
    """A lifetime's hours cross all projects, so the policy `default` says what they earn."""
    return catalogue.default_policy(catalogue.local_day(None, at))
