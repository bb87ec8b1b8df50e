"""Bounds on what a broken or hostile device can make one account hold (docs/rules.md, section 3).

A state page must stay a small record, and an event must not get dear.
"""

from typing import Final, assert_never

from ledger.account import Account
from ledger.spans import Span, span_key
from schemas.events import (
    CheckedIn,
    CheckedOut,
    EvaluationSubmitted,
    Fact,
    HoursGranted,
    SessionVoided,
)

CHECK_OUTS_MAX: Final = 64
SPANS_A_DAY_MAX: Final = 500
"""Sessions and grants that may begin on one UTC day, so that a state page stays a small record."""
WAITING_MAX: Final = 256
"""Spans of one volunteer that may be open, orphaned or unknown to the catalogue at once."""


def too_many(account: Account, old: Span | None, day: int) -> bool:
    """Would keeping a span on this day overfill the day, or the list of what waits?"""
    if old is None and len(account.due) >= WAITING_MAX:
        return True
    moves = old is None or old.day != day
    return moves and len(account.days.get(day)) >= SPANS_A_DAY_MAX


def keys_of(event: Fact) -> tuple[str, ...]:
    """Everything under which an event may make the account remember something new."""
    seen = "e/" + event.event_id
    match event:
        case CheckedIn() | CheckedOut():
            return seen, span_key("service", event.session_id), "p/" + event.project_id
        case HoursGranted():
            return seen, span_key("manual", event.grant_id), "p/" + event.project_id
        case SessionVoided(session_id=str(session_id)):
            return seen, span_key("service", session_id)
        case SessionVoided():
            return seen, span_key("manual", event.grant_id or "")
        case EvaluationSubmitted():
            return seen, evaluation_key(event)
        case _:
            assert_never(event)


def evaluation_key(event: EvaluationSubmitted) -> str:
    """One evaluation per project and organisation stands."""
    return f"v/{event.project_id}/{event.evaluator_org_id}"
