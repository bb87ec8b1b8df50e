"""Stars: on application, in order, by hours reached; awarded by people (docs/rules.md, section 12).

An award is a fact that stays until its granting body decides anew: hours that are corrected later
never take a star away by themselves (edge case E27).
"""

from typing import Final

from ledger.account import Account, lookup, remember, spans_on
from ledger.cases import refusal
from ledger.catalogue import Catalogue
from ledger.policy import Policy
from ledger.record import digest_of
from ledger.results import Result
from schemas.events import StarApplied, StarDecided
from schemas.times import day

APPROVED: Final = 1
REJECTED: Final = 2
"""How an application stands; of two decisions of one microsecond the rejection counts."""


def apply_for(account: Account, event: StarApplied, catalogue: Catalogue) -> Result:
    """Take an application whose hours are reached; it waits for the granting body."""
    name = _name(event.application_id)
    why = _not_open(account, event, name, catalogue)
    if why is not None:
        return "refused", why, ()
    remember(account, "sa/" + name, event.star | (event.year or 0) << 5)
    remember(account, "sq/" + name, digest_of(event.actor.id.encode()))
    remember(account, f"st/{event.star}", int(name))
    return "held", "awaiting_decision", ()


def decide_star(account: Account, event: StarDecided, catalogue: Catalogue) -> Result:
    """Keep a decision on an application if it is the latest by when it was taken."""
    name = _name(event.application_id)
    applied = lookup(account, "sa/" + name)
    why = refusal(account, event.actor, event.granting_org_id, catalogue)
    if why is None:
        why = _not_decidable(account, event, name, applied)
    approves = event.decision == "approve"
    if why is None and approves and _standing(account, name) != APPROVED:
        why = _not_earned(account, event, name, applied or 0, catalogue)
    if why is not None:
        return "refused", why, ()
    remember(account, "sg/" + name, digest_of(event.granting_org_id.encode()))
    decided = decided_as(event)
    if decided <= (lookup(account, "sd/" + name) or 0):
        return "posted", "nothing_changed", ()
    remember(account, "sd/" + name, decided)
    if approves:
        remember(account, f"st/{(applied or 0) & 31}", int(name))
    return "posted", None, ()


def decided_as(event: StarDecided) -> int:
    """When and how it was decided, as one number: the greatest stands."""
    return event.occurred_at * 4 + (APPROVED if event.decision == "approve" else REJECTED)


def star_keys(event: StarApplied | StarDecided) -> tuple[str, ...]:
    """What an application or decision may make the account remember."""
    name = _name(event.application_id)
    if isinstance(event, StarApplied):
        return "sa/" + name, "sq/" + name, f"st/{event.star}"
    return "sg/" + name, "sd/" + name


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


def _name(application_id: str) -> str:
    return str(digest_of(application_id.encode()))


def _standing(account: Account, name: str) -> int:
    """APPROVED, REJECTED, or 0 while nobody has decided."""
    return (lookup(account, "sd/" + name) or 0) & 3


def _held(account: Account, star: int) -> bool:
    """Is a star awarded?"""
    name = lookup(account, f"st/{star}")
    return name is not None and _standing(account, str(name)) == APPROVED


def _not_open(account: Account, event: StarApplied, name: str, catalogue: Catalogue) -> str | None:
    """The reason code if a star cannot be applied for."""
    if lookup(account, "sa/" + name) is not None:
        return "application_exists"
    policy = _policy(event.occurred_at, catalogue)
    if event.star > len(policy.star_hours):
        return "unknown_star"
    if (event.year is None) != (policy.star_basis == "lifetime"):
        return "wrong_star_basis"
    return _taken(account, event.star, name) or _short(account, event.star, event.year, policy)


def _not_decidable(
    account: Account, event: StarDecided, name: str, applied: int | None
) -> str | None:
    """The reason code if somebody cannot decide on an application."""
    if applied is None:
        return "unknown_application"
    if lookup(account, "sq/" + name) == digest_of(event.actor.id.encode()):
        return "decider_is_requester"
    body = lookup(account, "sg/" + name)
    if body is not None and body != digest_of(event.granting_org_id.encode()):
        return "other_case"
    return None


def _not_earned(
    account: Account, event: StarDecided, name: str, applied: int, catalogue: Catalogue
) -> str | None:
    """The reason code if an application cannot be approved as things stand now."""
    star, year = applied & 31, applied >> 5
    policy = _policy(event.occurred_at, catalogue)
    if star > len(policy.star_hours):
        return "unknown_star"
    return _taken(account, star, name) or _short(account, star, year or None, policy)


def _taken(account: Account, star: int, name: str) -> str | None:
    other = lookup(account, f"st/{star}")
    if other is None or str(other) == name:
        return None
    standing = _standing(account, str(other))
    if standing == REJECTED:
        return None
    return "star_held" if standing == APPROVED else "star_pending"


def _short(account: Account, star: int, year: int | None, policy: Policy) -> str | None:
    if star > 1 and not _held(account, star - 1):
        return "star_out_of_order"
    return None if reached(policy, star, minutes_towards(account, year)) else "hours_not_reached"


def _policy(at: int, catalogue: Catalogue) -> Policy:
    """A lifetime's hours cross all projects, so the policy `default` says what they earn."""
    return catalogue.default_policy(catalogue.local_day(None, at))
