"""`post`: what one event does to one account. The whole ledger is a fold of it.

The rules, with their sources, are in docs/rules.md; section numbers in this package are its. A
span's credit follows from the set of its facts and not from the order they came in: each event
settles the span it names, gives everybody near their minutes anew, and posts the differences.
"""

from typing import cast

from ledger.account.account import (
    Account,
    has_room,
    lookup_key,
    may_be_full,
    remember_key,
)
from ledger.account.index import key_of
from ledger.account.record import Record, digest_of, unsent
from ledger.catalogue.catalogue import Catalogue
from ledger.event_keys import keys_of
from ledger.hours.decisions import decide
from ledger.hours.entries import claim, day_entry, grant
from ledger.hours.presence import check_in, check_out
from ledger.hours.results import Result, posting
from ledger.merging.moving_cases import judge, pass_on, receive_case, send_on
from ledger.merging.moving_hours import named_by, receive
from ledger.recognition.evaluations import evaluate
from ledger.recognition.recognition import recognise
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
    RecordReplayed,
    SpanTransferred,
    TrainingRecorded,
    Transfer,
)
from schemas.posting import Posting


def post(
    account: Account, record: Record, catalogue: Catalogue, index: int
) -> tuple[Account, Posting]:
    """Fold one admitted fact into its volunteer's account; gives exactly one posting.

    Total: every well-formed fact gives a posting; an exception is a bug. `index` becomes the
    posting's. The account given is a working copy and is the one handed back.
    """
    event = cast(Fact, record.event)
    key = key_of("e/" + event.event_id)
    seen = lookup_key(account, key)
    digest = record.digest or digest_of(repr(unsent(event)).encode())
    if seen is not None:
        result = _seen_before(seen == digest)
    else:
        result = _first_seen(account, record, key, digest, catalogue)
    return account, posting(account, record, catalogue, index, result)


def _first_seen(
    account: Account, record: Record, key: bytes, digest: int, catalogue: Catalogue
) -> Result:
    event = cast(Fact, record.event)
    # Before anything changes: an event applied by half could not be taken back.
    if may_be_full(account) and not all(has_room(account, text) for text in keys_of(event)):
        return "refused", "clashing_ids", ()
    remember_key(account, key, digest)
    # What another account hands over was accepted before.
    if not isinstance(event, Transfer) and catalogue.people.is_erased(account.volunteer_id):
        return "refused", "volunteer_erased", ()
    if account.lent_to:
        return _kept_for_another(account, event, record.recorded_at, catalogue)
    return _apply(account, event, record.recorded_at, catalogue)


def _kept_for_another(
    account: Account, event: Fact, recorded_at: int, catalogue: Catalogue
) -> Result:
    """Section 11: an absorbed registration's events are kept here and counted there."""
    if isinstance(event, Evaluation | Recognition):
        return send_on(account, event)
    if isinstance(event, FactForwarded):
        return pass_on(account, event)
    old = named_by(account, event)
    result = _apply(account, event, recorded_at, catalogue)
    account.due.clear()
    if isinstance(event, Transfer) or result[0] in {"duplicate", "refused"}:
        return result
    if named_by(account, event) is old:
        return result
    return "posted", "forwarded", ()


def _seen_before(same_content: bool) -> Result:
    """Section 2.1: the first in log order stands."""
    if same_content:
        return "duplicate", "duplicate_event", ()
    return "refused", "event_id_conflict", ()


def _apply(account: Account, event: Fact, recorded_at: int, catalogue: Catalogue) -> Result:
    match event:
        case CheckedIn():
            return check_in(account, event, recorded_at, catalogue)
        case CheckedOut():
            return check_out(account, event, recorded_at, catalogue)
        case HoursGranted():
            return grant(account, event, recorded_at, catalogue)
        case HoursClaimed():
            return claim(account, event, recorded_at, catalogue)
        case HoursImported() | TrainingRecorded():
            return day_entry(account, event, recorded_at, catalogue)
        case SpanTransferred():
            return receive(account, event, catalogue)
        case CaseTransferred():
            return receive_case(account, event)
        case FactForwarded():
            return judge(account, event, catalogue)
        case RecordReplayed():
            # What was replayed follows as a record of its own; here is who did it, and why.
            return "posted", None, ()
        case _:
            if isinstance(event, Decision):
                return decide(account, event, catalogue)
            if isinstance(event, Recognition):
                return recognise(account, event, catalogue)
            return evaluate(account, event, recorded_at, catalogue)
