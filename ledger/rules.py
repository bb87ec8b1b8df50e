"""`post`: what one event does to one account. The whole ledger is a fold of it.

The rules, with their sources, are in docs/rules.md; section numbers in this file are its. A span's
credit follows from the set of its facts and not from the order they came in: each event settles the
span it names, gives everybody near their minutes anew, and posts the differences.
"""

from bisect import insort
from typing import Final, assert_never, cast

from ledger.account import Account, has_room, lookup, may_be_full, put, remember, span_of
from ledger.bounds import CHECK_OUTS_MAX, evaluation_key, keys_of, too_many
from ledger.catalogue import Catalogue, Place, Policy
from ledger.rating import credit, set_due
from ledger.record import Record, digest_of
from ledger.spans import Span, end_of, settled
from schemas.events import (
    CheckedIn,
    CheckedOut,
    ClockTicked,
    EvaluationSubmitted,
    Fact,
    HoursGranted,
    SessionVoided,
)
from schemas.posting import Line, Outcome, Posting
from schemas.times import DAY, MINUTE

Result = tuple[Outcome, str | None, tuple[Line, ...]]
"""Outcome, reason code, lines."""

_HELD: Final = frozenset(
    {"over_max_session", "over_max_open", "no_second_person", "unknown_activity"}
)


def post(
    account: Account, record: Record, catalogue: Catalogue, index: int
) -> tuple[Account, Posting]:
    """Fold one admitted fact into its volunteer's account; gives exactly one posting.

    Total: every well-formed fact gives a posting; an exception is a bug. `index` becomes the
    posting's. The account given is a working copy and is the one handed back.
    """
    event = cast(Fact, record.event)
    seen = lookup(account, "e/" + event.event_id)
    digest = record.digest or digest_of(repr(event).encode())
    if seen is not None:
        result = _seen_before(seen == digest)
    else:
        result = _first_seen(account, record, digest, catalogue)
    return account, posting(account, record, catalogue, index, result)


def _first_seen(account: Account, record: Record, digest: int, catalogue: Catalogue) -> Result:
    event = cast(Fact, record.event)
    # Before anything changes: an event applied by half could not be taken back.
    if may_be_full(account) and not all(has_room(account, key) for key in keys_of(event)):
        return "refused", "clashing_ids", ()
    remember(account, "e/" + event.event_id, digest)
    return _apply(account, event, record.recorded_at, catalogue)


def posting(
    account: Account, record: Record, catalogue: Catalogue, index: int, result: Result
) -> Posting:
    """The posting of a result; counts up the account's sequence."""
    event = record.event
    outcome, reason, lines = result
    account.sequence += 1
    actor = None if isinstance(event, ClockTicked) else event.actor
    return Posting(
        record.partition,
        index,
        record.topic,
        record.partition,
        record.offset,
        event.event_id,
        type(event).__name__,
        account.volunteer_id,
        account.sequence,
        event.occurred_at,
        record.recorded_at,
        None if actor is None else actor.id,
        catalogue.next_offset,
        outcome,
        reason,
        lines,
        account.balance_minutes,
    )


def _seen_before(same_content: bool) -> Result:
    """Section 2.1: the first in log order stands."""
    if same_content:
        return "duplicate", "duplicate_event", ()
    return "refused", "event_id_conflict", ()


def _apply(account: Account, event: Fact, recorded_at: int, catalogue: Catalogue) -> Result:
    match event:
        case CheckedIn():
            return _check_in(account, event, recorded_at, catalogue)
        case CheckedOut():
            return _check_out(account, event, recorded_at, catalogue)
        case HoursGranted():
            return _grant(account, event, catalogue)
        case SessionVoided():
            return _void(account, event, catalogue)
        case EvaluationSubmitted():
            return _evaluate(account, event)
        case _:
            assert_never(event)


def place_of(event: CheckedIn | CheckedOut | HoursGranted) -> Place:
    """The dimensions an event names."""
    return Place(
        event.activity_id,
        event.project_id,
        event.site_id,
        event.recording_org_id,
        event.host_org_id,
    )


def _policy(event: CheckedIn | CheckedOut, catalogue: Catalogue) -> Policy:
    """The policy that judges lateness and auto-close, on the local day of the event."""
    day = catalogue.local_day(event.site_id, event.occurred_at)
    return catalogue.policy(event.project_id, day) or catalogue.default_policy(day)


def is_late(occurred_at: int, recorded_at: int, policy: Policy) -> bool:
    """Section 2.2: recorded after the late window."""
    return recorded_at - occurred_at > policy.late_event_window_minutes * MINUTE


def _check_in(account: Account, event: CheckedIn, recorded_at: int, catalogue: Catalogue) -> Result:
    policy = _policy(event, catalogue)
    if is_late(event.occurred_at, recorded_at, policy):
        return "held", "too_late", ()
    at = event.occurred_at
    old = span_of(account, "service", event.session_id)
    if old is not None and _stands(old, at, event.event_id):
        return "posted", "voided" if old.voided else "redundant_check_in", ()
    if too_many(account, old, at // DAY):
        return "refused", "too_many_spans", ()
    new = Span("service", event.session_id, at // DAY) if old is None else old.copy()
    # A closed orphan check-out has its check-in now; what is still open will be closed anew.
    new.closed = new.closed and new.start is not None
    new.day = at // DAY
    new.start = at
    new.start_event = event.event_id
    new.place = place_of(event)
    new.end = end_of(at, new.outs)
    return _settle(account, old, new, catalogue, at + policy.max_open_minutes * MINUTE)


def _stands(span: Span, at: int, event_id: str) -> bool:
    """Is the check-in that a session has earlier than this one? On a tie the lower id stands."""
    return span.start is not None and (span.start, span.start_event) <= (at, event_id)


def _check_out(
    account: Account, event: CheckedOut, recorded_at: int, catalogue: Catalogue
) -> Result:
    policy = _policy(event, catalogue)
    if is_late(event.occurred_at, recorded_at, policy):
        return "held", "too_late", ()
    at = event.occurred_at
    old = span_of(account, "service", event.session_id)
    if (old is None or old.start is None) and too_many(account, old, at // DAY):
        return "refused", "too_many_spans", ()
    span = old or Span("service", event.session_id, at // DAY)
    if at in span.outs:
        return _no_news(span, at)
    if len(span.outs) >= CHECK_OUTS_MAX:
        return "refused", "too_many_facts", ()
    outs = list(span.outs)
    insort(outs, at)
    new = span.copy()
    new.outs = tuple(outs)
    new.end = end_of(new.start, outs)
    if new.start is None:
        new.day = outs[0] // DAY
        put(account, old, new)
        if not span.voided and not span.closed:
            give_up_at = at + policy.late_event_window_minutes * MINUTE
            set_due(account, new.key, min(give_up_at, account.due.get(new.key, give_up_at)))
        return _no_news(new, at)
    if new.end == span.end:
        put(account, old, new)
        return _no_news(new, at)
    return _settle(account, old, new, catalogue, None)


def _no_news(span: Span, at: int) -> Result:
    """What to say of a check-out that changes neither start nor end."""
    if span.voided:
        return "posted", "voided", ()
    if span.start is None:
        return "held", "awaiting_check_in", ()
    if at < span.start:
        return "held", "check_out_before_check_in", ()
    return "posted", "redundant_check_out", ()


def _grant(account: Account, event: HoursGranted, catalogue: Catalogue) -> Result:
    if event.end_at < event.start_at:
        return "refused", "end_before_start", ()
    old = span_of(account, "manual", event.grant_id)
    if old is not None and old.start is not None:
        return "refused", "grant_exists", ()
    if too_many(account, old, event.start_at // DAY):
        return "refused", "too_many_spans", ()
    second = event.approver is not None and event.approver.id != event.actor.id
    new = Span("manual", event.grant_id, event.start_at // DAY) if old is None else old.copy()
    new.day = event.start_at // DAY
    new.start = event.start_at
    new.start_event = event.event_id
    new.place = place_of(event)
    new.outs = (event.end_at,)
    new.end = event.end_at
    new.signed = second and len(event.evidence) > 0
    return _settle(account, old, new, catalogue, None)


def _void(account: Account, event: SessionVoided, catalogue: Catalogue) -> Result:
    if event.session_id is not None:
        old = span_of(account, "service", event.session_id)
        span = old or Span("service", event.session_id, event.occurred_at // DAY)
    else:
        assert event.grant_id is not None
        old = span_of(account, "manual", event.grant_id)
        span = old or Span("manual", event.grant_id, event.occurred_at // DAY)
    if span.voided:
        return "posted", "already_voided", ()
    if too_many(account, old, span.day):
        return "refused", "too_many_spans", ()
    new = span.copy()
    new.voided = True
    return _settle(account, old, new, catalogue, None)


def _evaluate(account: Account, event: EvaluationSubmitted) -> Result:
    """Section 10; the score itself stays in the event, where auditors read it."""
    if not lookup(account, "p/" + event.project_id):
        return "refused", "not_attended", ()
    if lookup(account, evaluation_key(event)) is not None:
        return "refused", "already_evaluated", ()
    remember(account, evaluation_key(event), 1)
    return "posted", None, ()


def _settle(
    account: Account, old: Span | None, new: Span, catalogue: Catalogue, close_at: int | None
) -> Result:
    """Settle a span whose own facts changed, rate what is near, and say what came of it.

    `close_at` is when a tick must close it if it is still open.
    """
    new, lines, lost = credit(account, old, settled(new, catalogue))
    if new.reason == "unknown_activity":
        set_due(account, new.key, 0)
    elif new.end is not None or new.voided or new.closed:
        set_due(account, new.key, None)
    elif close_at is not None:
        set_due(account, new.key, close_at)
    return _outcome(new, lines, lost)


def _outcome(span: Span, lines: tuple[Line, ...], lost_micros: int) -> Result:
    if span.reason in _HELD:
        return "held", span.reason, lines
    if span.reason is not None or span.start is None or span.end is None:
        return "posted", span.reason, lines
    if span.end - span.start < MINUTE:
        return "posted", "under_a_minute", lines
    if lost_micros:
        return "posted", "overlap_counted_once", lines
    return "posted", None, lines
