"""Bounds on what a broken or hostile device can make one account hold (docs/rules.md, section 3).

A state page must stay a small record, and an event must not get dear.
"""

from typing import Final

from ledger.account import Account
from ledger.evaluations import evaluation_keys
from ledger.recognition import recognition_keys
from ledger.spans import Span, span_key
from schemas.events import (
    CheckedIn,
    CheckedOut,
    CorrectionRequested,
    Decision,
    Fact,
    HoursClaimed,
    HoursGranted,
    HoursImported,
    Recognition,
    TrainingRecorded,
    Transfer,
)

CHECK_OUTS_MAX: Final = 64
SPANS_A_DAY_MAX: Final = 500
"""Sessions and grants that may begin on one UTC day, so that a state page stays a small record."""
ACTS_MAX: Final = 64
"""Requests and decisions about one span."""
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
        case HoursImported():
            return seen, grant_key(event.grant_id), "p/" + event.project_id, row_key(event)
        case HoursGranted() | HoursClaimed() | TrainingRecorded():
            return seen, grant_key(event.grant_id), "p/" + event.project_id
        case _:
            if isinstance(event, Transfer):
                # What the ledger itself says is never turned back; nobody chooses these ids.
                return ()
            if isinstance(event, Decision):
                return seen, *_keys_of_act(event)
            if isinstance(event, Recognition):
                return seen, *recognition_keys(event)
            return seen, *evaluation_keys(event)


def _keys_of_act(event: Decision) -> tuple[str, ...]:
    key = _target_key(event)
    return (key, "p/" + event.project_id) if isinstance(event, CorrectionRequested) else (key,)


def _target_key(event: Decision) -> str:
    if event.session_id is not None:
        return span_key("service", event.session_id)
    return grant_key(event.grant_id or "")


def grant_key(grant_id: str) -> str:
    """The key of a grant, claim, imported row or training record; they share their ids."""
    return span_key("manual", grant_id)


def row_key(event: HoursImported) -> str:
    """A row of another system's record is taken over once."""
    return f"i/{event.source_system}/{event.row_hash}"
