"""What falls due when the log's time passes (docs/rules.md, section 8)."""

from typing import Final

from ledger.account.account import Account, put, span_of
from ledger.account.parts import whole
from ledger.account.record import Record
from ledger.account.spans import Span
from ledger.catalogue.catalogue import Catalogue
from ledger.catalogue.changes import ANYTHING, all_wait_in, org, person, project, site
from ledger.hours.rating import credit, set_due
from ledger.hours.results import Result, outcome_of, posting
from ledger.hours.settling import WAITS, settled
from schemas.posting import Posting

TOPICS_MAX: Final = 32
"""Topics that an account is said to wait for one by one."""


def due_at(account: Account) -> int | None:
    """When time itself next changes something of this account; None if it never does."""
    return min([at for at in account.due.values() if at], default=None)


def waits_for(account: Account) -> tuple[str, ...]:
    """The topics of the catalogue (`ledger.catalogue.changes`) that could let something of this
    account count which waits for them, in ascending order; its person's own topic is not among
    them."""
    topics: set[str] = set()
    for key, at in account.due.items():
        if at:
            continue
        span = _span(account, key)
        facts = whole(span)
        for place in (facts.place, *[act.place for act in facts.acts]):
            if place is not None:
                topics |= {project(place.project_id), org(place.recording_org_id)}
                if place.site_id is not None:
                    topics.add(site(place.site_id))
        if len(topics) > TOPICS_MAX:
            return (ANYTHING,)
    return tuple(sorted(topics))


def is_due(account: Account, at: int, changed: frozenset[str]) -> bool:
    """Must a tick look at this account, if these topics changed since one did?"""
    next_at = due_at(account)
    if next_at is not None and next_at <= at:
        return True
    topics = waits_for(account)
    if not topics or not changed:
        return False
    own = person(account.volunteer_id)
    return (
        all_wait_in(changed)
        or ANYTHING in topics
        or own in changed
        or not changed.isdisjoint(topics)
    )


def fall_due(account: Account, record: Record, catalogue: Catalogue, index: int) -> list[Posting]:
    """What a tick does to one account: a posting for each session it closes or releases.

    `index` is the first posting's; the others follow densely. The account is changed in place.
    """
    postings: list[Posting] = []
    for key in sorted(key for key, at in account.due.items() if at <= record.recorded_at):
        span = _span(account, key)
        result = _released(account, span, catalogue) if span.reason in WAITS else None
        if span.reason not in WAITS:
            result = _closed(account, span)
        if result is not None:
            postings.append(posting(account, record, catalogue, index + len(postings), result))
    return postings


def _span(account: Account, key: str) -> Span:
    """A span that the account knows to wait."""
    span = span_of(account, "manual" if key.startswith("g/") else "service", key[2:])
    assert span is not None
    return span


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
