"""What an organisation opens once and may take back once, each under an id of its own.

Evaluations, stars, commendations, redemptions and certificates are such cases (docs/rules.md,
sections 10 to 12). What is taken back stays so, also if the taking back is recorded first: a
revocation must not be lost because an office sent it from another desk.

Cases lie on small pages in the order in which they were first heard of, so that a merge can hand
them over; the id index says where. What counts of them is kept beside as sums.
"""

from collections.abc import Iterator
from typing import Final

from ledger.account.account import Account, lookup, remember
from ledger.account.statements import (
    BACK,
    OPEN,
    Case,
    Word,
    is_back,
    opened,
    said_by,
    standing,
    with_words,
)
from ledger.catalogue.catalogue import Catalogue
from ledger.hours.results import Result
from schemas.events import Actor, CaseKind

CASES_A_PAGE: Final = 8
WORDS_MAX: Final = 32
"""What may be said of one case under one registration, so that a page stays a small record."""
RECEIVED_WORDS_MAX: Final = 512
"""The same under all registrations of a person together: sixteen of them filled to the brim."""

_COUNT: Final = "cn"
"""Under which the account remembers how many cases it has."""


def case_key(kind: CaseKind, case_id: str) -> str:
    """Under which the account remembers where a case lies."""
    return f"{kind}/{case_id}"


def case_keys(kind: CaseKind, case_id: str, *counted: str) -> tuple[str, ...]:
    """Everything that a word about a case may make the account remember."""
    return (case_key(kind, case_id), _COUNT, *counted)


def case_of(account: Account, kind: CaseKind, case_id: str) -> Case:
    """A case; without words if nothing is known of it."""
    number = lookup(account, case_key(kind, case_id))
    if number is not None:
        for case in account.cases.get(number // CASES_A_PAGE):
            if case.kind == kind and case.id == case_id:
                return case
    return Case(kind, case_id)


def all_cases(account: Account) -> Iterator[Case]:
    """Every case of an account, in the order in which they were first heard of."""
    for page in range(-(-(lookup(account, _COUNT) or 0) // CASES_A_PAGE)):
        yield from account.cases.get(page)


def has_cases(account: Account) -> bool:
    """Was anything ever said of a case here, or handed on from here?"""
    return lookup(account, _COUNT) is not None


def put_case(account: Account, old: Case, new: Case) -> None:
    """Keep the new version of a case, and count what it counts towards."""
    key = case_key(new.kind, new.id)
    number = lookup(account, key)
    if number is None:
        number = lookup(account, _COUNT) or 0
        remember(account, _COUNT, number + 1)
        remember(account, key, number)
    page = account.cases.get(number // CASES_A_PAGE)
    at = number % CASES_A_PAGE
    account.cases.put(number // CASES_A_PAGE, (*page[:at], new, *page[at + 1 :]))
    for case, sign in ((old, -1), (new, 1)):
        counted = standing(case)
        if counted is not None:
            name, count = counted
            remember(account, name, (lookup(account, name) or 0) + sign * count)


def count_of(account: Account, name: str) -> int:
    """How much counts under a name of `ledger.account.statements`."""
    return lookup(account, name) or 0


def refusal(
    account: Account, actor: Actor, org_id: str, catalogue: Catalogue, *, own: bool = False
) -> str | None:
    """The reason code if somebody acts who may not: the volunteer (unless `own`), or somebody who
    acts for another organisation than the one that answers for it or took it over."""
    if actor.id in catalogue.people.registrations(account.volunteer_id):
        return None if own else "own_record"
    if actor.role == "regulator":
        return None
    org = "" if actor.role == "volunteer" else actor.org_id or ""
    if org == org_id or (org and catalogue.succeeds(org, org_id)):
        return None
    return "not_for_org"


def say(account: Account, case: Case, word: Word) -> Case | None:
    """Keep what was said of a case; None if too much has been said of it."""
    new = with_words(case, (word,))
    if len(new.words) > len(case.words) and len(said_by(new, word.origin)) > WORDS_MAX:
        return None
    if new is not case:
        put_case(account, case, new)
    return new


def begin(account: Account, case: Case, word: Word) -> Result:
    """Open a case; it has no effect if it was taken back before it came."""
    assert word.what == OPEN
    new = say(account, case, word)
    if new is None:
        return "refused", "too_many_facts", ()
    return "posted", "taken_back_before" if is_back(new, word.whose) else None, ()


def take_back(account: Account, case: Case, origin: str, whose: str, at: int) -> Result:
    """Take a case back; `posted` without a reason the first time only."""
    known = opened(case)
    if known is not None and known.whose != whose:
        return "refused", "other_case", ()
    if say(account, case, Word(origin, BACK, whose, at)) is None:
        return "refused", "too_many_facts", ()
    if is_back(case, whose):
        return "posted", "nothing_changed", ()
    return ("posted", None, ()) if known is not None else ("held", "awaiting_target", ())
