"""What service is recognised by: stars, points, commendations, certificates (docs/rules.md,
section 12). Nothing here ever changes a minute.
"""

from typing import Final

from ledger.account import Account, lookup, remember
from ledger.cases import (
    CERTIFICATE,
    COMMENDATION,
    REDEMPTION,
    begin,
    case_keys,
    is_back,
    is_open,
    is_whose,
    refusal,
    take_back,
)
from ledger.catalogue import Catalogue
from ledger.policy import Policy
from ledger.record import digest_of
from ledger.results import Result
from ledger.stars import apply_for, decide_star, star_keys
from schemas.events import (
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

SPENT: Final = "pt"
"""Under which the account remembers the points that are redeemed and not returned."""

_POINT_BITS: Final = 20
_BENEFIT_BITS: Final = 40


def recognise(account: Account, event: Recognition, catalogue: Catalogue) -> Result:
    """Take down an award, a redemption, a certificate, or that it is taken back."""
    match event:
        case StarApplied():
            return apply_for(account, event, catalogue)
        case StarDecided():
            return decide_star(account, event, catalogue)
        case PointsRedeemed():
            return _redeem(account, event, catalogue)
        case RedemptionReversed():
            return _reverse(account, event, catalogue)
        case CommendationAwarded() | CertificateIssued():
            return _give(account, event, catalogue)
        case CommendationRevoked() | CertificateRevoked():
            why = refusal(account, event.actor, _org(event), catalogue)
            if why is not None:
                return "refused", why, ()
            kind, case_id = _case(event)
            return take_back(account, kind, case_id, _org(event))


def recognition_keys(event: Recognition) -> tuple[str, ...]:
    """What a fact of recognition may make the account remember."""
    if isinstance(event, StarApplied | StarDecided):
        return star_keys(event)
    keys = case_keys(*_case(event), _org(event))
    if isinstance(event, PointsRedeemed):
        return (*keys, "rp/" + event.redemption_id, SPENT)
    return (*keys, SPENT) if isinstance(event, RedemptionReversed) else keys


def points_earned(minutes: int, policy: Policy) -> int:
    """Whole points for effective minutes."""
    return minutes // policy.point_minutes


def points_spent(account: Account) -> int:
    """Points redeemed and not returned."""
    return lookup(account, SPENT) or 0


_Taken = (
    PointsRedeemed
    | RedemptionReversed
    | CommendationAwarded
    | CommendationRevoked
    | CertificateIssued
    | CertificateRevoked
)


def _case(event: _Taken) -> tuple[str, str]:
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
    case_id, partner, content = event.redemption_id, event.partner_org_id, _content(event)
    if is_open(account, REDEMPTION, case_id):
        same = is_whose(account, REDEMPTION, case_id, partner)
        if same and lookup(account, "rp/" + case_id) == content:
            return "duplicate", "already_redeemed", ()
        return "refused", "redemption_conflict", ()
    back = is_back(account, REDEMPTION, case_id, partner)
    policy = catalogue.default_policy(catalogue.local_day(None, event.occurred_at))
    there = points_earned(account.balance_minutes, policy) - points_spent(account)
    if event.points > there and not back:
        return "refused", "points_short", ()
    begin(account, REDEMPTION, case_id, partner)
    remember(account, "rp/" + case_id, content)
    if back:
        return "posted", "taken_back_before", ()
    remember(account, SPENT, points_spent(account) + event.points)
    return "posted", None, ()


def _reverse(account: Account, event: RedemptionReversed, catalogue: Catalogue) -> Result:
    """Return the points of a redemption, once."""
    why = refusal(account, event.actor, event.partner_org_id, catalogue)
    if why is not None:
        return "refused", why, ()
    result = take_back(account, REDEMPTION, event.redemption_id, event.partner_org_id)
    if result[0] == "posted" and result[1] is None:
        points = _points_of(account, event.redemption_id)
        remember(account, SPENT, points_spent(account) - points)
    return result


def _points_of(account: Account, redemption_id: str) -> int:
    """The points of a redemption that is known."""
    return (lookup(account, "rp/" + redemption_id) or 0) & ((1 << _POINT_BITS) - 1)


def _content(event: PointsRedeemed) -> int:
    """Points, and in the bits above what tells benefits apart."""
    benefit = digest_of((event.benefit_id or "").encode()) & ((1 << _BENEFIT_BITS) - 1)
    return benefit << _POINT_BITS | event.points


def _give(
    account: Account, event: CommendationAwarded | CertificateIssued, catalogue: Catalogue
) -> Result:
    """Take down a commendation or a certificate under an id that is not taken."""
    why = refusal(account, event.actor, _org(event), catalogue)
    if why is None:
        why = _not_givable(account, event)
    if why is not None:
        return "refused", why, ()
    kind, case_id = _case(event)
    came_back = not begin(account, kind, case_id, _org(event))
    return "posted", "taken_back_before" if came_back else None, ()


def _not_givable(account: Account, event: CommendationAwarded | CertificateIssued) -> str | None:
    kind, case_id = _case(event)
    if isinstance(event, CommendationAwarded):
        return "commendation_exists" if is_open(account, kind, case_id) else None
    if is_open(account, kind, case_id):
        return "certificate_exists"
    if event.end_on < event.start_on:
        return "end_before_start"
    replaced = event.supersedes_id
    if replaced is not None and not is_open(account, CERTIFICATE, replaced):
        return "unknown_certificate"
    return None
