"""What came of an event: its posting, and what a posting says of a span."""

from ledger.account.account import Account
from ledger.account.parts import whole
from ledger.account.record import Record
from ledger.account.spans import Facts, Span
from ledger.catalogue.catalogue import Catalogue, Place
from ledger.catalogue.policy import Policy
from ledger.hours.lateness import policy_at
from ledger.hours.rating import credit, set_due
from ledger.hours.settling import HELD, WAITS, court_of, settled
from schemas.events import (
    CheckedIn,
    CheckedOut,
    ClockTicked,
    CorrectionRequested,
    HoursClaimed,
    HoursGranted,
    HoursImported,
    MovedPlace,
    TrainingRecorded,
)
from schemas.posting import Line, Outcome, Posting, State
from schemas.times import MINUTE

Result = tuple[Outcome, str | None, tuple[Line, ...]]
"""Outcome, reason code, lines."""

Placed = (
    CheckedIn
    | CheckedOut
    | HoursGranted
    | HoursClaimed
    | HoursImported
    | TrainingRecorded
    | CorrectionRequested
    | MovedPlace
)

_PIECES: tuple[tuple[State, str], ...] = (
    ("held_province", "over_province_tier"),
    ("held_org", "over_org_tier"),
    ("held_review", "over_day_cap"),
)
"""State of a piece of an effective span -> reason, the one that is said first."""


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


def place_of(event: Placed) -> Place:
    """The dimensions an event names."""
    return Place(
        event.activity_id,
        event.project_id,
        event.site_id,
        event.recording_org_id,
        event.host_org_id,
    )


def settle(
    account: Account,
    old: Span | None,
    new: Span,
    catalogue: Catalogue,
    flag: str | None = None,
) -> Result:
    """Settle a span whose own facts changed, rate what it bears on, and say what came of it.

    `flag` is what is said of the event if nothing graver is.
    """
    now = settled(new, account.volunteer_id, catalogue)
    new, lines, lost = credit(account, old, now, catalogue)
    _wait(account, new, catalogue)
    return outcome_of(new, lines, lost, flag)


def _wait(account: Account, span: Span, catalogue: Catalogue) -> None:
    """When a tick must look at a span: as the catalogue changes where it waits for that, once it
    has been open too long, or not at all."""
    facts = whole(span)
    if account.lent_to:
        pass  # the account that counts its hours looks after them
    elif span.reason in WAITS:
        set_due(account, span.key, 0)
    elif span.state is not None or span.reason is not None or span.closed:
        set_due(account, span.key, None)
    elif facts.start is not None and facts.place is not None and facts.end is None:
        policy = open_policy(facts, facts.place, facts.start, catalogue)
        set_due(account, span.key, facts.start + policy.max_open_minutes * MINUTE)


def open_policy(facts: Facts, place: Place, start: int, catalogue: Catalogue) -> Policy:
    """What says how long a session may be open (section 8): the version that it was re-rated to,
    else its project's policy for the local day of its start."""
    named = court_of(facts, catalogue).standing.policy if facts.acts else ""
    of_project = policy_at(place.project_id, place.site_id, start, catalogue)
    return catalogue.labelled.get(named, of_project)


def outcome_of(
    span: Span, lines: tuple[Line, ...], lost_micros: int, flag: str | None = None
) -> Result:
    """What a posting says of a span that was settled: the gravest first."""
    if span.reason in HELD:
        return "held", span.reason, lines
    if span.reason is not None:
        return "posted", span.reason, lines
    for state, reason in _PIECES:
        if any(found == state for _, _, found in span.minutes):
            return "held", reason, lines
    if any(found == "rejected" for _, _, found in span.minutes):
        return "posted", "rejected", lines
    if flag is not None or span.state is None:
        return "posted", flag, lines
    if not span.block and span.high - span.low < MINUTE:
        return "posted", "under_a_minute", lines
    if lost_micros:
        return "posted", "overlap_counted_once", lines
    return "posted", None, lines
