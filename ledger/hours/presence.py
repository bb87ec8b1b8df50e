"""Check-ins and check-outs: the two ends of a session (docs/rules.md, section 3)."""

from ledger.account.account import Account, put, span_of
from ledger.account.heard import alike, as_approved, with_begin, with_out
from ledger.account.parts import whole
from ledger.account.spans import Begin, Span
from ledger.catalogue.catalogue import Catalogue
from ledger.catalogue.policy import Policy
from ledger.hours.bounds import CHECK_INS_MAX, CHECK_OUTS_MAX, too_heavy, too_many
from ledger.hours.lateness import happened_at, is_late, lateness, policy_at
from ledger.hours.rating import set_due
from ledger.hours.results import Result, place_of, settle
from ledger.hours.settling import court_of
from schemas.events import CheckedIn, CheckedOut
from schemas.times import DAY, MINUTE


def check_in(account: Account, event: CheckedIn, recorded_at: int, catalogue: Catalogue) -> Result:
    """The earliest check-in begins a session and says where it is."""
    at, clock = happened_at(event, recorded_at, catalogue)
    policy = policy_at(event.project_id, event.site_id, at, catalogue)
    if is_late(at, recorded_at, policy):
        return "held", "too_late", ()
    old = span_of(account, "service", event.session_id)
    span = old or Span("service", event.session_id, at // DAY)
    begin = Begin(at, event.event_id, recorded_at, place_of(event), event.shift_id)
    new = span.copy()
    new.facts = with_begin(span.facts, begin)
    if len(new.facts.begins) >= CHECK_INS_MAX or too_heavy(account, new):
        return "refused", "too_many_facts", ()
    if old is not None and stands(old, at, event.event_id) and not _moved(old, new, catalogue):
        put(account, old, new)
        return "posted", old.reason if no_credit(old) else "redundant_check_in", ()
    if too_many(account, old, at // DAY):
        return "refused", "too_many_spans", ()
    # A closed orphan check-out has its check-in now; what is still open will be closed anew.
    new.closed = new.closed and whole(new).start is not None
    flag = _flag(event, at, clock, recorded_at, policy, catalogue)
    return settle(account, old, new, catalogue, flag)


def stands(span: Span, at: int, event_id: str) -> bool:
    """Is the check-in that a session has earlier than this one? On a tie the lower id stands."""
    start = span.facts.start
    return start is not None and (start, span.facts.start_event) <= (at, event_id)


def _moved(old: Span, new: Span, catalogue: Catalogue) -> bool:
    """Is something else approved of a session now, or does something else wait to be?"""
    before, after = whole(old), whole(new)
    if not before.acts:
        return False
    was, _, waits = as_approved(before, court_of(before, catalogue).standing)
    now, _, still_waits = as_approved(after, court_of(after, catalogue).standing)
    return waits != still_waits or not alike(was, now)


def no_credit(span: Span) -> bool:
    """Does a span credit nothing whatever its check-ins and check-outs say?"""
    return span.reason == "voided"


def check_out(
    account: Account, event: CheckedOut, recorded_at: int, catalogue: Catalogue
) -> Result:
    """The earliest check-out at or after the start ends a session."""
    at, clock = happened_at(event, recorded_at, catalogue)
    policy = policy_at(event.project_id, event.site_id, at, catalogue)
    if is_late(at, recorded_at, policy):
        return "held", "too_late", ()
    old = span_of(account, "service", event.session_id)
    begun = old is not None and old.facts.start is not None
    if not begun and too_many(account, old, at // DAY):
        return "refused", "too_many_spans", ()
    span = old or Span("service", event.session_id, at // DAY)
    before = whole(span)
    new = span.copy()
    new.facts = with_out(span.facts, at, recorded_at)
    if new.facts is span.facts:
        return _no_news(span, at)
    if len(new.facts.outs) > CHECK_OUTS_MAX or too_heavy(account, new):
        return "refused", "too_many_facts", ()
    after = whole(new)
    if after.start is None:
        new.day = after.outs[0] // DAY
        put(account, old, new)
        if span.state is None and not no_credit(span) and not span.closed:
            give_up_at = at + policy.late_event_window_minutes * MINUTE
            set_due(account, new.key, min(give_up_at, account.due.get(new.key, give_up_at)))
        return _no_news(new, at)
    if after.end == before.end and not _moved(span, new, catalogue):
        put(account, old, new)
        return _no_news(new, at)
    flag = _flag(event, at, clock, recorded_at, policy, catalogue)
    return settle(account, old, new, catalogue, flag)


def _no_news(span: Span, at: int) -> Result:
    """What to say of a check-out that changes neither start nor end."""
    if no_credit(span):
        return "posted", span.reason, ()
    start = whole(span).start
    if start is None:
        return "held", "awaiting_check_in", ()
    if at < start:
        return "held", "check_out_before_check_in", ()
    return "posted", "redundant_check_out", ()


def _flag(
    event: CheckedIn | CheckedOut,
    at: int,
    clock: str | None,
    recorded_at: int,
    policy: Policy,
    catalogue: Catalogue,
) -> str | None:
    """What is worth saying of an end that counts."""
    if clock is not None:
        return clock
    # A check-out at midnight ends the day before.
    since = at if isinstance(event, CheckedIn) else at - 1
    day = catalogue.last_day(event.site_id, since, at)
    late = lateness(day, recorded_at, policy, catalogue)
    if late is not None:
        return late
    if event.shift_id is not None and event.shift_id in catalogue.cancelled:
        return "shift_cancelled"
    return None
