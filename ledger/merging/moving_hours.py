"""A merge in the ledger: who counts whose hours (docs/rules.md, section 11).

Facts never leave the account of the registration they were recorded under. What moves is who counts
them: a tick that finds that the catalogue names somebody else makes the absorbed account take all
its minutes back and hand its facts over, span by span; the account that receives them settles them
among its own. To undo it, the facts are taken back there and settled here anew.
"""

from collections.abc import Iterator

from ledger.account.account import Account, drop, span_of
from ledger.account.parts import day_of, said_anything, whole, with_part, without_part
from ledger.account.record import Record
from ledger.account.spans import NO_FACTS, Span
from ledger.catalogue.catalogue import Catalogue
from ledger.hours.bounds import RECEIVED_DAY_BYTES_MAX, too_heavy
from ledger.hours.rating import credit, set_due, uncredit
from ledger.hours.results import Result, posting, settle
from ledger.merging.moving_cases import forward_case, hand_over, take_home
from ledger.merging.transfers import Told, facts_of
from ledger.recognition.cases import has_cases
from schemas.events import (
    CaseTransferred,
    CheckedIn,
    CheckedOut,
    Decision,
    Evaluation,
    Fact,
    FactForwarded,
    HoursClaimed,
    HoursGranted,
    HoursImported,
    Recognition,
    SpanTransferred,
    TrainingRecorded,
    Transfer,
)
from schemas.posting import Kind, Posting
from schemas.times import DAY, MINUTE

Moved = tuple[list[Posting], list[Transfer]]
"""Postings, and what is handed to other accounts in the same transaction."""


def move(account: Account, record: Record, catalogue: Catalogue, index: int) -> Moved:
    """Let the hours of an account be counted where the catalogue now says: one posting for each
    span, the first with this index. The account is changed in place.

    What was said of its cases is handed over before any minute, and taken back after all: nowhere
    are there minutes without the points that were spent of them.
    """
    before = account.lent_to
    account.lent_to = catalogue.people.counted_by(account.volunteer_id)
    postings: list[Posting] = []
    handed: list[Transfer] = []

    def said(reason: str) -> Told:
        entry = posting(account, record, catalogue, index + len(postings), ("posted", reason, ()))
        postings.append(entry)
        return Told(account.volunteer_id, record, entry.sequence)

    if account.lent_to and has_cases(account):
        told = said("merged")
        hand_over(account, told)
        handed += told.transfers
    for span in list(_all_spans(account)):
        if account.lent_to:
            result: Result = "posted", "merged", uncredit(account, span)
        else:
            result = _taken_home(account, span, catalogue)
        entry = posting(account, record, catalogue, index + len(postings), result)
        postings.append(entry)
        if not said_anything(span.facts):
            continue
        told = Told(account.volunteer_id, record, entry.sequence)
        if before:
            told.tell(before, span, NO_FACTS, withdrawn=True)
        if account.lent_to:
            told.hand_over(account.lent_to, span, span.facts)
        handed += told.transfers
    if before and has_cases(account):
        told = said("merged" if account.lent_to else "unmerged")
        take_home(account, told, before)
        handed += told.transfers
    if account.lent_to:
        account.due.clear()
    return postings, handed


def _all_spans(account: Account) -> Iterator[Span]:
    """Every span of an account, by day and name."""
    for day in range(account.first_day, account.last_day + 1):
        page = account.days.get(day)
        yield from [page[key] for key in sorted(page)]


def _taken_home(account: Account, span: Span, catalogue: Catalogue) -> Result:
    outcome, reason, lines = settle(account, span, span.copy(), catalogue)
    if _waits_for_check_in(account, span, catalogue):
        return "held", "awaiting_check_in", lines
    if reason is None:
        return "posted", "unmerged", lines
    return outcome, reason, lines


def _waits_for_check_in(account: Account, span: Span, catalogue: Catalogue) -> bool:
    """A check-out without a check-in waits wherever it has come to, and is given up some time."""
    facts = whole(span)
    if facts.start is not None or not facts.outs or account.lent_to or span.reason is not None:
        return False
    day = catalogue.local_day(None, facts.outs[0])
    window = catalogue.default_policy(day).late_event_window_minutes * MINUTE
    set_due(account, span.key, facts.outs[0] + window)
    return True


def named_by(account: Account, event: Fact) -> Span | None:
    """The span that an event speaks of, None for an unknown one or none."""
    match event:
        case CheckedIn() | CheckedOut():
            return span_of(account, "service", event.session_id)
        case HoursGranted() | HoursClaimed() | HoursImported() | TrainingRecorded():
            return span_of(account, "manual", event.grant_id)
        case SpanTransferred():
            return _either(account, event.session_id, event.grant_id)
        case _:
            if isinstance(event, Decision):
                return _either(account, event.session_id, event.grant_id)
            return None


def _either(account: Account, session_id: str | None, grant_id: str | None) -> Span | None:
    if session_id is not None:
        return span_of(account, "service", session_id)
    return span_of(account, "manual", grant_id or "")


def forward(
    account: Account, record: Record, event: Fact, old: Span | None, entry: Posting
) -> list[Transfer]:
    """What an absorbed account hands on of an event that came to it: what it has added."""
    told = Told(account.volunteer_id, record, entry.sequence)
    if isinstance(event, Evaluation | Recognition | CaseTransferred | FactForwarded):
        forward_case(account, record, event, told)
        return told.transfers
    new = named_by(account, event)
    if new is None:
        return []
    known = {act.event_id for act in old.facts.acts} if old is not None else set()
    added = new.facts.copy()
    added.acts = tuple([act for act in new.facts.acts if act.event_id not in known])
    told.hand_over(account.lent_to, new, added)
    return told.transfers


def receive(account: Account, event: SpanTransferred, catalogue: Catalogue) -> Result:
    """Take what an absorbed account hands over, or give it back; settle the span anew."""
    kind: Kind = "service" if event.session_id is not None else "manual"
    span_id = event.session_id or event.grant_id or ""
    old = span_of(account, kind, span_id)
    origin = event.from_volunteer_id
    if event.withdrawn:
        new = None if old is None else without_part(old, origin)
        if old is None or new is None:
            return "posted", "nothing_changed", ()
    else:
        facts = facts_of(event)
        span = old or Span(kind, span_id, day_of(facts, event.occurred_at // DAY))
        new = with_part(span, origin, event.span_kind, facts)
    after = whole(new)
    new.day = day_of(after, new.day)
    if not event.withdrawn and too_heavy(account, new, RECEIVED_DAY_BYTES_MAX):
        # Nothing of it is kept here; the transfer itself stays in the log.
        return "held", "too_many_facts", ()
    new.closed = new.closed and old is not None and after.start == whole(old).start
    if not said_anything(after):
        return _forget(account, old, new, catalogue)
    outcome, reason, lines = settle(account, old, new, catalogue)
    now = span_of(account, kind, span_id)
    if now is not None and _waits_for_check_in(account, now, catalogue) and reason is None:
        return "held", "awaiting_check_in", lines
    if event.withdrawn and reason is None:
        return "posted", "given_back", lines
    return outcome, reason, lines


def _forget(account: Account, old: Span | None, new: Span, catalogue: Catalogue) -> Result:
    """Nobody says anything of this span any more: its minutes go back to its neighbours."""
    bare = Span(new.kind, new.id, new.day if old is None else old.day)
    bare, lines, _ = credit(account, old, bare, catalogue)
    set_due(account, bare.key, None)
    drop(account, bare)
    return "posted", "given_back", lines
