"""How somebody served in a project that has ended (docs/rules.md, section 10).

The scores stay in the events, where auditors read them; the account remembers who was judged by
whom, so that one judgement of each organisation stands.
"""

from ledger.account.account import Account, lookup
from ledger.account.statements import EVALUATION, OPEN, Word, evaluated, is_back, opened
from ledger.catalogue.catalogue import Catalogue
from ledger.catalogue.policy import Policy
from ledger.hours.lateness import LATENESS
from ledger.hours.results import Result
from ledger.recognition.cases import begin, case_keys, case_of, count_of, refusal, take_back
from schemas.events import (
    Evaluation,
    EvaluationRevised,
    EvaluationSubmitted,
    EvaluationWithdrawn,
    FeedbackDelivered,
    VolunteerResponded,
)


def evaluate(account: Account, event: Evaluation, recorded_at: int, catalogue: Catalogue) -> Result:
    """Take down a judgement, or what became of one."""
    match event:
        case EvaluationSubmitted():
            return _submit(account, event, recorded_at, catalogue)
        case EvaluationWithdrawn():
            return _withdraw(account, event, catalogue)
        case EvaluationRevised() | FeedbackDelivered():
            why = refusal(account, event.actor, event.evaluator_org_id, catalogue)
            return _about(account, event, why)
        case VolunteerResponded():
            return _about(account, event, _not_own(account, event, catalogue))


def evaluation_keys(event: Evaluation) -> tuple[str, ...]:
    """What an evaluation may make the account remember."""
    return case_keys(EVALUATION, event.evaluation_id, evaluated(_whose(event)))


def evaluation_deadline(policy: Policy, closed_on: int, catalogue: Catalogue) -> int:
    """The last day on which a project that ended then is evaluated in time (V2 article 11)."""
    calendar = catalogue.calendar(policy.calendar_id)
    return calendar.after(closed_on, policy.evaluation_deadline_days)


def evaluated_late(policy: Policy, closed_on: int, today: int, catalogue: Catalogue) -> bool | None:
    """Has that day gone by? None where it hangs on a year without a calendar."""
    calendar = catalogue.calendar(policy.calendar_id)
    return calendar.passed(closed_on, policy.evaluation_deadline_days, today)


def _whose(event: Evaluation) -> str:
    return f"{event.project_id}/{event.evaluator_org_id}"


def _submit(
    account: Account, event: EvaluationSubmitted, recorded_at: int, catalogue: Catalogue
) -> Result:
    why = _refused(account, event, catalogue)
    if why is not None:
        return "refused", why, ()
    case = case_of(account, EVALUATION, event.evaluation_id)
    word = Word(event.volunteer_id, OPEN, _whose(event), event.occurred_at)
    result = begin(account, case, word)
    if result[0] != "posted" or result[1] is not None:
        return result
    closed_on = catalogue.closed.get(event.project_id, 0)
    policy = catalogue.policy(event.project_id, closed_on) or catalogue.default_policy(closed_on)
    received = catalogue.local_day(None, recorded_at)
    return "posted", LATENESS[evaluated_late(policy, closed_on, received, catalogue)], ()


def _refused(account: Account, event: EvaluationSubmitted, catalogue: Catalogue) -> str | None:
    why = refusal(account, event.actor, event.evaluator_org_id, catalogue)
    if why is None:
        why = _not_closed(event, catalogue)
    if why is not None:
        return why
    if not _attended(account, event.project_id):
        return "not_attended"
    if opened(case_of(account, EVALUATION, event.evaluation_id)) is not None:
        return "evaluation_exists"
    return "already_evaluated" if _stands(account, event) else None


def _not_closed(event: EvaluationSubmitted, catalogue: Catalogue) -> str | None:
    """The reason code if the project had not ended when it was evaluated (edge case E32)."""
    closed_on = catalogue.closed.get(event.project_id)
    ended = closed_on is not None and catalogue.local_day(None, event.occurred_at) >= closed_on
    return None if ended else "project_not_closed"


def _attended(account: Account, project_id: str) -> bool:
    """Has the volunteer an effective span in the project?"""
    return bool(lookup(account, "p/" + project_id))


def _stands(account: Account, event: EvaluationSubmitted) -> bool:
    """Does an evaluation by this organisation in this project stand?"""
    return count_of(account, evaluated(_whose(event))) > 0


def _withdraw(account: Account, event: EvaluationWithdrawn, catalogue: Catalogue) -> Result:
    why = refusal(account, event.actor, event.evaluator_org_id, catalogue)
    if why is not None:
        return "refused", why, ()
    case = case_of(account, EVALUATION, event.evaluation_id)
    return take_back(account, case, event.volunteer_id, _whose(event), event.occurred_at)


def _not_own(account: Account, event: VolunteerResponded, catalogue: Catalogue) -> str | None:
    own = event.actor.id in catalogue.people.registrations(account.volunteer_id)
    return None if own else "not_the_volunteer"


def _about(
    account: Account, event: EvaluationRevised | FeedbackDelivered | VolunteerResponded,
    why: str | None,
) -> Result:  # fmt: skip
    """Something said about an evaluation that stands."""
    if why is not None:
        return "refused", why, ()
    case = case_of(account, EVALUATION, event.evaluation_id)
    first = opened(case)
    if first is None:
        return "held", "awaiting_target", ()
    if first.whose != _whose(event):
        return "refused", "other_case", ()
    if is_back(case, first.whose):
        return "refused", "evaluation_withdrawn", ()
    return "posted", None, ()
