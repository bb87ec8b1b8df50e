"""Bounds on what a broken or hostile device can make one account hold (docs/rules.md, section 3).

A state page must stay a small record, and an event must not get dear.
"""

from typing import Final

from ledger.account.account import Account
from ledger.account.acts import Act
from ledger.account.parts import day_of, whole
from ledger.account.spans import Facts, Span, span_key
from ledger.catalogue.catalogue import Place
from schemas.events import (
    HoursImported,
)

CHECK_OUTS_MAX: Final = 64
CHECK_INS_MAX: Final = 64
"""Check-ins of one session, each earlier than all that were recorded before it."""
SPANS_A_DAY_MAX: Final = 500
"""Sessions and grants that may begin on one UTC day, so that a state page stays a small record."""
ACTS_MAX: Final = 64
"""Requests and decisions about one span."""
WAITING_MAX: Final = 256
"""Spans of one volunteer that may be open, orphaned or unknown to the catalogue at once."""
DAY_BYTES_MAX: Final = 256 * 1024
"""What is known of the spans of one UTC day, by `weight`: an event rewrites all of it."""
RECEIVED_DAY_BYTES_MAX: Final = 4 * 1024 * 1024
"""The same where other accounts hand their spans over: sixteen registrations filled to the brim."""

_PIECES_AT_EASE: Final = 5
"""Spans and parts that fit on a day whatever is said of them: 64 acts and 64 check-outs each."""
_SETTLED_BYTES: Final = 512
"""What settling may add to a span: its policy, and the place of a correction."""


def too_many(account: Account, old: Span | None, day: int) -> bool:
    """Would keeping a span on this day overfill the day, or the list of what waits?"""
    if old is None and len(account.due) >= WAITING_MAX:
        return True
    moves = old is None or old.day != day
    return moves and len(account.days.get(day)) >= SPANS_A_DAY_MAX


def too_heavy(account: Account, new: Span, most: int = DAY_BYTES_MAX) -> bool:
    """Would the day of this new version of a span weigh more than so many bytes?"""
    page = account.days.get(day_of(whole(new), new.day))
    others = [span for key, span in page.items() if key != new.key]
    pieces = 1 + len(new.parts) + len(others)
    for span in others:
        pieces += len(span.parts)
    if pieces <= _PIECES_AT_EASE:
        return False
    total = _SETTLED_BYTES + weight(new)
    for span in others:
        total += weight(span)
    return total > most


def weight(span: Span) -> int:
    """Bytes that a span takes in a state page, at most; a little more than it does."""
    total = 96 + len(span.id) + len(span.reason or "") + len(span.policy)
    total += _facts_weight(span.facts) + _place_weight(span.place)
    total += 12 * len(span.days) + 16 * len(span.minutes)
    for part in span.parts:
        total += 16 + len(part.origin) + _facts_weight(part.facts)
    return total


def _facts_weight(facts: Facts) -> int:
    total = 64 + len(facts.start_event) + len(facts.shift_id or "") + len(facts.requester)
    # A row's hash is text of another system, of up to four bytes a character.
    total += 4 * len(facts.row) + _place_weight(facts.place) + 10 * len(facts.outs)
    for act in facts.acts:
        total += _act_weight(act)
    return total


def _act_weight(act: Act) -> int:
    texts = len(act.event_id) + len(act.what) + len(act.by) + len(act.org) + len(act.ref)
    return 64 + texts + _place_weight(act.place)


def _place_weight(place: Place | None) -> int:
    if place is None:
        return 0
    return (
        16
        + len(place.activity_id)
        + len(place.project_id)
        + len(place.site_id or "")
        + len(place.recording_org_id)
        + len(place.host_org_id)
    )


def grant_key(grant_id: str) -> str:
    """The key of a grant, claim, imported row or training record; they share their ids."""
    return span_key("manual", grant_id)


def row_key(event: HoursImported) -> str:
    """How many rows that read like this one were taken over."""
    return f"i/{event.source_system}/{event.row_hash}"


def batch_key(event: HoursImported) -> str:
    """How many rows that read like this one came with its batch."""
    return f"ib/{event.source_system}/{event.row_hash}/{event.batch_id}"
