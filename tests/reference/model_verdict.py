"""The reference's view of what people asked for and decided about one session or grant.

Told from the events themselves, in the order in which they happened; docs/rules.md, section 7.
"""

from collections.abc import Sequence
from typing import NamedTuple

from schemas.events import (
    AppealDecided,
    AppealFiled,
    CorrectionDecided,
    CorrectionRequested,
    Decision,
    HoursDecided,
    HoursRerated,
    SessionConfirmed,
    SessionDenied,
    SessionReinstated,
    SessionVoided,
)


class Verdict(NamedTuple):
    """What stands after all decisions. Levels: 1 organiser, 2 organisation, 3 province, 0 none.

    `yes` are the approvals: when each was given, and which tier it releases; `withheld` are the
    levels that reject what their tier holds of a day.
    """

    void: bool = False
    approved: int = 0
    rejected: int = 0
    yes: tuple[tuple[int, int], ...] = ()
    withheld: frozenset[int] = frozenset()
    evidence: bool = False
    correction: CorrectionRequested | None = None
    policy: tuple[str, int] | None = None


def in_order(events: Sequence[Decision]) -> list[Decision]:
    """Decisions count in the order in which they happened, whatever order they came in."""
    return sorted(events, key=lambda event: (event.occurred_at, event.event_id))


def level_of(event: Decision) -> int:
    """How high somebody stands who decides."""
    if isinstance(event, HoursDecided):
        return 3 if event.level == "province" else 2
    return 3 if event.actor.role == "regulator" else 1


def verdict_of(events: Sequence[Decision], requester: str) -> Verdict:
    """What stands after all of them."""
    now = Verdict()
    ordered = in_order(events)
    for number, event in enumerate(ordered):
        if objection(ordered, number, requester, now) is None:
            now = _after(now, event, ordered)
    return now


def objection(ordered: Sequence[Decision], number: int, requester: str, now: Verdict) -> str | None:
    """Why a decision does nothing: the reason code; `waiting` if what it answers has not come."""
    event = ordered[number]
    by, level = event.actor.id, level_of(event)
    match event:
        case SessionConfirmed() | HoursDecided(decision="approve"):
            if by == requester:
                return "decider_is_requester"
            if level < now.rejected:
                return "decided_above"
        case SessionDenied() | HoursDecided():
            if by == requester:
                return "decider_is_requester"
            if level < max(now.rejected, *(given for _, given in now.yes), 0):
                return "decided_above"
        case CorrectionDecided():
            asked = request_of(event, ordered)
            if asked is None:
                return "waiting"
            if asked.actor.id == by:
                return "decider_is_requester"
        case AppealDecided():
            appealed = appeal_of(event, ordered)
            if appealed is None:
                return "waiting"
            if appealed.actor.id == by:
                return "decider_is_requester"
            if by in _against(ordered[:number], ordered, requester):
                return "same_decider"
            if level < max(now.rejected, *now.withheld, 0):
                return "decided_above"
    return None


def request_of(event: CorrectionDecided, ordered: Sequence[Decision]) -> CorrectionRequested | None:
    """The request a decision answers: the first of its name."""
    for other in ordered:
        if isinstance(other, CorrectionRequested) and other.correction_id == event.correction_id:
            return other
    return None


def appeal_of(event: AppealDecided, ordered: Sequence[Decision]) -> AppealFiled | None:
    """The appeal a decision answers: the first of its name."""
    for other in ordered:
        if isinstance(other, AppealFiled) and other.appeal_id == event.appeal_id:
            return other
    return None


def _against(before: Sequence[Decision], ordered: Sequence[Decision], requester: str) -> set[str]:
    """Who has decided against the volunteer so far, in a way that counted."""
    people = set()
    now = Verdict()
    for number, event in enumerate(before):
        if objection(ordered, number, requester, now) is not None:
            continue
        now = _after(now, event, ordered)
        match event:
            case SessionVoided() | SessionDenied():
                people.add(event.actor.id)
            case HoursDecided(decision="reject") | CorrectionDecided(decision="reject"):
                people.add(event.actor.id)
    return people


def _approved(now: Verdict, event: Decision) -> Verdict:
    """What a higher level withholds stays so, and a lower one then approves no more than pieces."""
    level = level_of(event)
    withheld = frozenset(other for other in now.withheld if other > level)
    approved = now.approved if withheld else max(now.approved, level)
    return now._replace(
        approved=approved, withheld=withheld, yes=(*now.yes, (event.occurred_at, level))
    )


def _after(now: Verdict, event: Decision, ordered: Sequence[Decision]) -> Verdict:
    level = level_of(event)
    match event:
        case SessionVoided():
            return now._replace(void=True)
        case SessionReinstated():
            return now._replace(void=False)
        case SessionConfirmed() | HoursDecided(decision="approve"):
            return _approved(now, event)._replace(
                rejected=0, evidence=now.evidence or len(event.evidence) > 0
            )
        case HoursDecided(scope="held"):
            yes = tuple((at, given) for at, given in now.yes if given < level)
            return now._replace(
                approved=min(now.approved, max((given for _, given in yes), default=0)),
                yes=yes,
                withheld=now.withheld | {level},
            )
        case SessionDenied() | HoursDecided():
            return now._replace(approved=0, rejected=level, yes=())
        case CorrectionDecided(decision="approve"):
            return _approved(now, event)._replace(correction=request_of(event, ordered))
        case AppealDecided(decision="approve"):
            return _approved(now, event)._replace(void=False, rejected=0, evidence=True)
        case HoursRerated():
            return now._replace(policy=(event.policy_id, event.version))
    return now
