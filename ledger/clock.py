"""What falls due when the log's time passes (docs/rules.md, section 8)."""

from ledger.account import Account, put, span_of
from ledger.catalogue import Catalogue
from ledger.parts import whole
from ledger.rating import credit, set_due
from ledger.record import Record
from ledger.results import Result, outcome_of, posting
from ledger.settling import WAITS, settled
from ledger.spans import Span
from schemas.posting import Posting


def due_at(account: Account) -> int | None:
    """When the next tick must look at this account; None if nothing waits in it."""
    return min(account.due.values()) if account.due else None


def fall_due(account: Account, record: Record, catalogue: Catalogue, index: int) -> list[Posting]:
    """What a tick does to one account: a posting for each session it closes or releases.

    `index` is the first posting's; the others follow densely. The account is changed in place.
    """
    postings: list[Posting] = []
    for key in sorted(key for key, at in account.due.items() if at <= record.recorded_at):
        span = span_of(account, "manual" if key.startswith("g/") else "service", key[2:])
        assert span is not None
        result = _released(account, span, catalogue) if span.reason in WAITS else None
        if span.reason not in WAITS:
            result = _closed(account, span)
        if result is not None:
            postings.append(posting(account, record, catalogue, index + len(postings), result))
    return postings


def _closed(account: Account, span: Span) -> Result:
    """Nobody checked out, or in: 0 minutes until people have looked (Order 67, article 3)."""
    new = span.copy()
    new.closed = True
    put(account, span, new)
    set_due(account, span.key, None)
    return "held", "no_check_in" if whole(span).start is None else "no_check_out", ()


def _released(account: Account, span: Span, catalogue: Catalogue) -> Result | None:
    """What the catalogue says now of a span that waits for it; None if nothing else than before."""
    now = settled(span, account.volunteer_id, catalogue)
    if now.reason == span.reason:
        return None
    if now.reason not in WAITS:
        set_due(account, span.key, None)
    now, lines, lost = credit(account, span, now, catalogue)
    return outcome_of(now, lines, lost)


def idle(record: Record, catalogue: Catalogue, index: int) -> Posting:
    """The posting of a tick that found nothing due in the whole partition."""
    nobody = Account("", sequence=-1)
    return posting(nobody, record, catalogue, index, ("posted", "nothing_due", ()))
