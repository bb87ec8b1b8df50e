"""What an organisation opens once and may take back once, each under an id of its own.

Evaluations, commendations, redemptions and certificates are such cases (docs/rules.md, sections
10 and 12). What is taken back stays so, also if the taking back is recorded first: a revocation
must not be lost because an office sent it from another desk.
"""

from typing import Final

from ledger.account import Account, lookup, remember
from ledger.catalogue import Catalogue
from ledger.record import digest_of
from ledger.results import Result
from schemas.events import Actor

EVALUATION: Final = "ev"
COMMENDATION: Final = "cm"
REDEMPTION: Final = "rd"
CERTIFICATE: Final = "ct"


def case_keys(kind: str, case_id: str, whose: str) -> tuple[str, str]:
    """Under which the account remembers that a case is open, and that it was taken back.

    `whose` is who answers for it: an organisation, or an organisation in a project.
    """
    return f"{kind}/{case_id}", f"{kind}!/{case_id}/{whose}"


def refusal(
    account: Account, actor: Actor, org_id: str, catalogue: Catalogue, *, own: bool = False
) -> str | None:
    """The reason code if somebody acts who may not: the volunteer (unless `own`), or somebody who
    acts for another organisation than the one that answers for it or took it over."""
    if actor.id == account.volunteer_id:
        return None if own else "own_record"
    if actor.role == "regulator":
        return None
    org = "" if actor.role == "volunteer" else actor.org_id or ""
    if org == org_id or (org and catalogue.succeeds(org, org_id)):
        return None
    return "not_for_org"


def is_open(account: Account, kind: str, case_id: str) -> bool:
    """Is there a case of this id, taken back or not?"""
    return lookup(account, case_keys(kind, case_id, "")[0]) is not None


def is_whose(account: Account, kind: str, case_id: str, whose: str) -> bool:
    """Is a case theirs?"""
    return lookup(account, case_keys(kind, case_id, "")[0]) == digest_of(whose.encode())


def is_back(account: Account, kind: str, case_id: str, whose: str) -> bool:
    """Have they taken it back?"""
    return lookup(account, case_keys(kind, case_id, whose)[1]) is not None


def begin(account: Account, kind: str, case_id: str, whose: str) -> bool:
    """Open a case; False if it was taken back before it came."""
    remember(account, case_keys(kind, case_id, whose)[0], digest_of(whose.encode()))
    return not is_back(account, kind, case_id, whose)


def take_back(account: Account, kind: str, case_id: str, whose: str) -> Result:
    """Take a case back; `posted` without a reason the first time only."""
    known = is_open(account, kind, case_id)
    if known and not is_whose(account, kind, case_id, whose):
        return "refused", "other_case", ()
    if is_back(account, kind, case_id, whose):
        return "posted", "nothing_changed", ()
    remember(account, case_keys(kind, case_id, whose)[1], 1)
    return ("posted", None, ()) if known else ("held", "awaiting_target", ())
