"""Hours that people enter: grants, claims, imported rows, training (docs/rules.md, section 4)."""

from ledger.account.account import Account, lookup, remember, span_of
from ledger.account.spans import Facts, Span
from ledger.catalogue.catalogue import Catalogue, Place
from ledger.hours.bounds import batch_key, row_key, too_heavy, too_many
from ledger.hours.lateness import lateness
from ledger.hours.results import Result, place_of, settle
from schemas.events import HoursClaimed, HoursGranted, HoursImported, TrainingRecorded
from schemas.posting import Kind
from schemas.times import DAY, MINUTE

DAY_MINUTES = 1440

Entry = HoursGranted | HoursClaimed | HoursImported | TrainingRecorded


def grant(account: Account, event: HoursGranted, recorded_at: int, catalogue: Catalogue) -> Result:
    """Hours the organiser takes down afterwards: with evidence and a second person they count."""
    own = catalogue.people.registrations(account.volunteer_id)
    if (why := _not_theirs(account, event, catalogue)) is not None:
        return "refused", why, ()
    facts = _facts(event, event.start_at, event.end_at)
    approver = event.approver
    second = (
        approver is not None
        and approver.id not in {event.actor.id, *own}
        and catalogue.speaks_for(approver, event.recording_org_id)
    )
    facts.signed = second and len(event.evidence) > 0
    if event.minutes is not None:
        if not 1 <= event.minutes <= min(DAY_MINUTES, (event.end_at - event.start_at) // MINUTE):
            return "refused", "minutes_out_of_range", ()
        facts.minutes = event.minutes
    return _enter(account, event, "manual", facts, recorded_at, catalogue)


def claim(account: Account, event: HoursClaimed, recorded_at: int, catalogue: Catalogue) -> Result:
    """Hours a volunteer says they served: they wait for the organiser."""
    facts = _facts(event, event.start_at, event.end_at)
    facts.claimed = True
    return _enter(account, event, "manual", facts, recorded_at, catalogue)


def day_entry(
    account: Account,
    event: HoursImported | TrainingRecorded,
    recorded_at: int,
    catalogue: Catalogue,
) -> Result:
    """Minutes of one day without times: a row of another system's record, or learning time."""
    if (why := _not_theirs(account, event, catalogue)) is not None:
        return "refused", why, ()
    if not 1 <= event.minutes <= DAY_MINUTES:
        return "refused", "minutes_out_of_range", ()
    if isinstance(event, HoursImported):
        return _imported(account, event, recorded_at, catalogue)
    return _enter(account, event, "training", _block(event), recorded_at, catalogue)


def _not_theirs(
    account: Account, event: HoursGranted | HoursImported | TrainingRecorded, catalogue: Catalogue
) -> str | None:
    """The reason code if somebody enters hours who may not: the volunteer, or somebody who does not
    act for the organisation in whose name they are entered."""
    if event.actor.id in catalogue.people.registrations(account.volunteer_id):
        return "own_hours"
    return None if catalogue.speaks_for(event.actor, event.recording_org_id) else "not_for_org"


def _imported(
    account: Account, event: HoursImported, recorded_at: int, catalogue: Catalogue
) -> Result:
    """A source row counts once, and of rows that read alike each one: the n-th of its batch is the
    same as the n-th of any other batch."""
    place = (lookup(account, batch_key(event)) or 0) + 1
    row = f"{event.source_system}/{event.row_hash}"
    taken = span_of(account, "manual", event.grant_id)
    if taken is not None and (taken.facts.row == row or taken.facts.row.startswith(f"{row}#")):
        return "duplicate", "already_imported", ()
    if place <= (lookup(account, row_key(event)) or 0):
        remember(account, batch_key(event), place)
        return "duplicate", "already_imported", ()
    facts = _block(event)
    facts.row = row if place == 1 else f"{row}#{place}"
    result = _enter(account, event, "import", facts, recorded_at, catalogue)
    if result[0] != "refused":
        remember(account, batch_key(event), place)
        remember(account, row_key(event), place)
    return result


def _block(event: HoursImported | TrainingRecorded) -> Facts:
    """Minutes of a day without times."""
    at = event.service_date * DAY
    facts = _facts(event, at, at)
    facts.minutes = event.minutes
    facts.date = event.service_date
    return facts


def _facts(event: Entry, start: int, end: int) -> Facts:
    return Facts(
        start, event.event_id, place_of(event), event.shift_id, (end,), requester=event.actor.id
    )


def _enter(
    account: Account,
    event: Entry,
    kind: Kind,
    facts: Facts,
    recorded_at: int,
    catalogue: Catalogue,
) -> Result:
    """Keep an entry under its own id, which nobody may use again."""
    start, place = facts.start, facts.place
    assert start is not None
    assert place is not None
    if facts.end is None:
        return "refused", "end_before_start", ()
    day = catalogue.local_day(place.site_id, start) if facts.date is None else facts.date
    if not catalogue.may_record(place, day):
        return "refused", "recorder_not_organiser", ()
    old = span_of(account, "manual", event.grant_id)
    if old is not None and old.facts.start is not None:
        return "refused", "grant_exists", ()
    if too_many(account, old, start // DAY):
        return "refused", "too_many_spans", ()
    new = Span(kind, event.grant_id, start // DAY)
    if old is not None:
        new.day, new.state, new.minutes = old.day, old.state, old.minutes
        new.parts = old.parts
        facts.acts = old.facts.acts
    new.facts = facts
    if too_heavy(account, new):
        return "refused", "too_many_facts", ()
    flag = _flag(event, facts, place, day, recorded_at, catalogue)
    return settle(account, old, new, catalogue, flag)


def _flag(
    event: Entry, facts: Facts, place: Place, day: int, recorded_at: int, catalogue: Catalogue
) -> str | None:
    """Late entries count all the same (V2 article 11 sets a deadline, not a sanction)."""
    if isinstance(event, HoursImported):
        return None
    start, end = facts.start, facts.end
    assert start is not None
    assert end is not None
    last_day = day if facts.date is not None else catalogue.last_day(place.site_id, start, end)
    policy = catalogue.policy(place.project_id, day) or catalogue.default_policy(day)
    late = lateness(last_day, recorded_at, policy, catalogue)
    if late is not None:
        return late
    if event.shift_id is not None and event.shift_id in catalogue.cancelled:
        return "shift_cancelled"
    return None
