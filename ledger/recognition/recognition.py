"""What service is recognised by: stars, points, commendations, certificates (docs/rules.md,
section 12). Nothing here ever changes a minute.
"""

from ledger.account.account import Account
from ledger.account.statements import (
    CERTIFICATE,
    COMMENDATION,
    OPEN,
    REDEMPTION,
    SPENT,
    Word,
    is_back,
    opened,
)
from ledger.catalogue.catalogue import Catalogue
from ledger.catalogue.policy import Policy
from ledger.hours.results import Result
from ledger.recognition.cases import begin, case_keys, case_of, count_of, refusal, take_back
from ledger.recognition.stars import apply_for, decide_star, star_keys
from schemas.events import (
    CaseKind,
    CertificateIssued,
    CertificateRevoked,
    CommendationAwarded,
    CommendationRevoked,
    PointsRedeemed,
    Recognition,
    RedemptionReversed,
    StarApplied,
    StarDecided,
)


def recognise(account: Account, event: Recognition, catalogue: Catalogue) -> Result:
    """Take down an award, a redemption, a certificate, or that it is taken back."""
    match event:
        case StarApplied():
            return apply_for(account, event, catalogue)
        case StarDecided():
            return decide_star(account, event, catalogue)
        case PointsRedeemed():
            return _redeem(account, event, catalogue)
        case CommendationAwarded() | CertificateIssued():
            return _give(account, event, catalogue)
        case RedemptionReversed() | CommendationRevoked() | CertificateRevoked():
            return _take_back(account, event, catalogue)


def recognition_keys(event: Recognition) -> tuple[str, ...]:
    """What a fact of recognition may make the account remember."""
    if isinstance(event, StarApplied | StarDecided):
        return star_keys(event)
    return case_keys(*case_named(event), SPENT)


def points_earned(minutes: int, policy: Policy) -> int:
    """Whole points for effective minutes."""
    return minutes // policy.point_minutes


def points_spent(account: Account) -> int:
    """Points redeemed and not returned."""
    return count_of(account, SPENT)


_Taken = (
    PointsRedeemed
    | RedemptionReversed
    | CommendationAwarded
    | CommendationRevoked
    | CertificateIssued
    | CertificateRevoked
)


def case_named(event: _Taken) -> tuple[CaseKind, str]:
    """The kind of a case and its id."""
    match event:
        case PointsRedeemed() | RedemptionReversed():
            return REDEMPTION, event.redemption_id
        case CommendationAwarded() | CommendationRevoked():
            return COMMENDATION, event.commendation_id
        case CertificateIssued() | CertificateRevoked():
            return CERTIFICATE, event.certificate_id


def _org(event: _Taken) -> str:
    """Who answers for it."""
    match event:
        case PointsRedeemed() | RedemptionReversed():
            return event.partner_org_id
        case CommendationAwarded() | CommendationRevoked():
            return event.granting_org_id
        case CertificateIssued() | CertificateRevoked():
            return event.issuer_org_id


def _redeem(account: Account, event: PointsRedeemed, catalogue: Catalogue) -> Result:
    """Spend points that are there, once for a redemption_id."""
    why = refusal(account, event.actor, event.partner_org_id, catalogue, own=True)
    if why is not None:
        return "refused", why, ()
    case = case_of(account, REDEMPTION, event.redemption_id)
    word = Word(
        event.volunteer_id,
        OPEN,
        event.partner_org_id,
        event.occurred_at,
        event.points,
        event.benefit_id or "",
    )
    first = opened(case)
    if first is not None:
        if _content(first) == _content(word):
            return "duplicate", "already_redeemed", ()
        return "refused", "redemption_conflict", ()
    policy = catalogue.default_policy(catalogue.local_day(None, event.occurred_at))
    there = points_earned(account.balance_minutes, policy) - points_spent(account)
    if event.points > there and not is_back(case, word.whose):
        return "refused", "points_short", ()
    return begin(account, case, word)


def _content(word: Word) -> tuple[str, int, str]:
    """Partner, points and benefit: what makes a redemption the same as another."""
    return word.whose, word.number, word.ref


def _take_back(
    account: Account,
    event: RedemptionReversed | CommendationRevoked | CertificateRevoked,
    catalogue: Catalogue,
) -> Result:
    """Return the points of a redemption, revoke a commendation or certificate, once."""
    why = refusal(account, event.actor, _org(event), catalogue)
    if why is not None:
        return "refused", why, ()
    case = case_of(account, *case_named(event))
    return take_back(account, case, event.volunteer_id, _org(event), event.occurred_at)


def _give(
    account: Account, event: CommendationAwarded | CertificateIssued, catalogue: Catalogue
) -> Result:
    """Take down a commendation or a certificate under an id that is not taken."""
    why = refusal(account, event.actor, _org(event), catalogue)
    if why is None:
        why = _not_givable(account, event)
    if why is not None:
        return "refused", why, ()
    case = case_of(account, *case_named(event))
    return begin(account, case, Word(event.volunteer_id, OPEN, _org(event), event.occurred_at))


def _not_givable(account: Account, event: CommendationAwarded | CertificateIssued) -> str | None:
    known = opened(case_of(account, *case_named(event))) is not None
    if isinstance(event, CommendationAwarded):
        return "commendation_exists" if known else None
    if known:
        return "certificate_exists"
    if event.end_on < event.start_on:
        return "end_before_start"
    replaced = event.supersedes_id
    if replaced is not None and opened(case_of(account, CERTIFICATE, replaced)) is None:
        return "unknown_certificate"
    return None
