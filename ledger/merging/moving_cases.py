"""A merge for what service is recognised by, and for evaluations (docs/rules.md, section 11).

What was said of a case stays in the account of the registration it was said under; the account that
counts a person's hours holds copies by origin and judges with all of them. A fact about an absorbed
registration goes to that account to be judged; what it adds is copied back to where it belongs.
"""

from dataclasses import replace

from ledger.account.account import Account
from ledger.account.record import Record
from ledger.account.statements import EVALUATION, STAR, said_by, with_words, without_origin
from ledger.catalogue.catalogue import Catalogue
from ledger.hours.results import Result
from ledger.merging.transfers import Told, fact_of, words_of
from ledger.recognition.cases import RECEIVED_WORDS_MAX, all_cases, case_of, put_case
from ledger.recognition.evaluations import evaluate
from ledger.recognition.recognition import case_named, recognise
from schemas.events import (
    CaseKind,
    CaseTransferred,
    Evaluation,
    EvaluationRevised,
    EvaluationSubmitted,
    FactForwarded,
    FeedbackDelivered,
    Recognition,
    StarApplied,
    StarDecided,
    Transfer,
    VolunteerResponded,
)
from schemas.posting import Posting


def hand_over(account: Account, told: Told) -> None:
    """Tell the account that now counts the hours all that was said under this registration."""
    for case in all_cases(account):
        words = said_by(case, account.volunteer_id)
        if words:
            told.case(account.lent_to, account.volunteer_id, case, words)


def take_home(account: Account, told: Told, before: str) -> None:
    """Let the account that counted the hours forget what was said under this registration."""
    for case in all_cases(account):
        told.case(before, account.volunteer_id, case, (), withdrawn=True)


def send_on(account: Account, event: Evaluation | Recognition) -> Result:
    """A fact about an absorbed registration is judged by the account that counts its hours.

    The case is noted at once: an unmerge must take it back even if the answer is on its way.
    """
    case = case_of(account, *_named(event))
    put_case(account, case, case)
    return "posted", "forwarded", ()


def pass_on(account: Account, event: FactForwarded) -> Result:
    """A fact to be judged has come to an account that was absorbed itself: it goes back to the
    registration it is about, whose account knows who counts its hours, or will at its next tick."""
    if fact_of(event).volunteer_id != account.volunteer_id:
        return "posted", "given_back", ()
    if event.from_volunteer_id == account.lent_to:
        return "refused", "volunteer_absorbed", ()
    return "posted", "forwarded", ()


def judge(account: Account, event: FactForwarded, catalogue: Catalogue) -> Result:
    """Take down a fact about a registration whose hours are counted here."""
    fact = fact_of(event)
    if isinstance(fact, Recognition):
        return recognise(account, fact, catalogue)
    return evaluate(account, fact, event.received_at, catalogue)


def receive_case(account: Account, event: CaseTransferred) -> Result:
    """Take over words about a case, or forget those of an origin.

    What comes home to an absorbed registration goes on to the account that counts its hours now,
    which may be another one than that which sent it.
    """
    case = case_of(account, event.case_kind, event.case_id)
    if event.withdrawn:
        new = without_origin(case, event.origin_id)
    else:
        new = with_words(case, words_of(event))
        if len(new.words) > RECEIVED_WORDS_MAX:
            return "held", "too_many_facts", ()
    if new is case:
        return "posted", "nothing_changed", ()
    put_case(account, case, new)
    if event.withdrawn:
        return "posted", "given_back", ()
    own = event.origin_id == account.volunteer_id
    return "posted", "forwarded" if own and account.lent_to else None, ()


def forward_case(
    account: Account,
    record: Record,
    event: Evaluation | Recognition | CaseTransferred | FactForwarded,
    told: Told,
) -> None:
    """What an absorbed account hands on of an event about a case."""
    if isinstance(event, CaseTransferred):
        case = case_of(account, event.case_kind, event.case_id)
        told.case(account.lent_to, account.volunteer_id, case, words_of(event))
    elif isinstance(event, FactForwarded):
        told.fact(account.lent_to, fact_of(event), event.received_at)
    else:
        told.fact(account.lent_to, _bare(event), record.recorded_at)


def answer(
    account: Account, record: Record, event: FactForwarded, entry: Posting
) -> list[Transfer]:
    """What the account that a fact was handed to tells the one it came from: what was said by it,
    or the fact itself where another account must judge it."""
    fact = fact_of(event)
    told = Told(account.volunteer_id, record, entry.sequence)
    if entry.reason == "given_back":
        told.fact(fact.volunteer_id, fact, event.received_at)
    elif entry.outcome in {"posted", "held"} and not isinstance(fact, _SAYS_NOTHING):
        case = case_of(account, *_named(fact))
        words = said_by(case, fact.volunteer_id)
        if words and fact.volunteer_id != account.volunteer_id:
            told.case(fact.volunteer_id, fact.volunteer_id, case, words)
    return told.transfers


_SAYS_NOTHING = EvaluationRevised | FeedbackDelivered | VolunteerResponded
"""What may be said about an evaluation without a word for the ledger to keep."""


def _named(event: Evaluation | Recognition) -> tuple[CaseKind, str]:
    """The case that a fact is about."""
    if isinstance(event, Evaluation):
        return EVALUATION, event.evaluation_id
    if isinstance(event, StarApplied | StarDecided):
        return STAR, event.application_id
    return case_named(event)


def _bare(event: Evaluation | Recognition) -> Evaluation | Recognition:
    """A fact without what the ledger does not look at and what may be long."""
    if isinstance(event, EvaluationSubmitted | EvaluationRevised):
        return replace(event, scores=(), evidence=())
    return replace(event, evidence=())
