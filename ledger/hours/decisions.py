"""What people ask for and decide about a session or a grant (docs/rules.md, section 7)."""

from ledger.account.account import Account, put, span_of
from ledger.account.acts import ANYWHERE, ORG, ORGANISER, PROVINCE, SELF, Act, Court, with_act
from ledger.account.heard import alike, as_approved
from ledger.account.parts import whole
from ledger.account.spans import Span
from ledger.catalogue.catalogue import Catalogue
from ledger.hours.bounds import ACTS_MAX, too_heavy, too_many
from ledger.hours.presence import no_credit
from ledger.hours.results import Result, place_of, settle
from ledger.hours.settling import court_of, entitled
from schemas.events import (
    Actor,
    AppealDecided,
    AppealFiled,
    CorrectionDecided,
    CorrectionRequested,
    Decision,
    HoursDecided,
    HoursRerated,
    SessionConfirmed,
    SessionDenied,
    SessionReinstated,
    SessionVoided,
)
from schemas.times import DAY

REQUESTS = ("ask", "appeal")


def decide(account: Account, event: Decision, catalogue: Catalogue) -> Result:
    """Keep one act of its span, unless somebody acts who may not, and settle the span anew if
    something else stands now."""
    act = act_of(event, account.volunteer_id)
    old = _target(account, event)
    span = old or _unknown(event)
    why = _refused(account, event, act, span, catalogue)
    if why is None and too_many(account, old, span.day):
        why = "too_many_spans"
    if why is None and len(span.facts.acts) >= ACTS_MAX:
        why = "too_many_facts"
    if why is not None:
        return "refused", why, ()
    facts = whole(span)
    new = span.copy()
    new.facts = span.facts.copy()
    new.facts.acts = with_act(span.facts.acts, act)
    if too_heavy(account, new):
        return "refused", "too_many_facts", ()
    before, after = court_of(facts, catalogue), court_of(whole(new), catalogue)
    if act.event_id in after.barred:
        return "refused", after.barred[act.event_id], ()
    was, released, late = as_approved(facts, before.standing)
    now, releases, still_late = as_approved(whole(new), after.standing)
    same = (
        after.standing.same(before.standing)
        and alike(was, now)
        and (released, late) == (releases, still_late)
    )
    if not same:
        result = settle(account, old, new, catalogue)
        if result[1] is None and facts.start is None and after.standing.correction is None:
            return "held", "awaiting_target", result[2]
        return result
    put(account, old, new)
    return _nothing_new(act, span, before, after)


def act_of(event: Decision, volunteer_id: str) -> Act:
    """What an event adds to the acts of its span."""
    at, event_id, by = event.occurred_at, event.event_id, event.actor.id
    org = _for_whom(event.actor, volunteer_id)
    level = PROVINCE if event.actor.role == "regulator" else ORGANISER
    sure = len(event.evidence) > 0
    match event:
        case SessionConfirmed():
            return Act(at, event_id, "approve", by, org, level, sure=sure)
        case SessionDenied():
            return Act(at, event_id, "reject", by, org, level)
        case HoursDecided():
            own = PROVINCE if event.level == "province" else ORG
            pieces = event.decision == "reject" and event.scope == "held"
            return Act(
                at, event_id, "withhold" if pieces else event.decision, by, org, own, sure=sure
            )
        case CorrectionRequested():
            return Act(
                at, event_id, "ask", by, org, 0, event.correction_id, sure, event.start_at,
                event.end_at, place_of(event),
            )  # fmt: skip
        case CorrectionDecided():
            what = "correct" if event.decision == "approve" else "refuse"
            return Act(at, event_id, what, by, org, level, event.correction_id)
        case SessionVoided():
            return Act(at, event_id, "void", by, org, level)
        case SessionReinstated():
            return Act(at, event_id, "reinstate", by, org, level)
        case AppealFiled():
            return Act(at, event_id, "appeal", by, org, 0, event.appeal_id)
        case AppealDecided():
            what = "uphold" if event.decision == "approve" else "dismiss"
            return Act(at, event_id, what, by, org, level, event.appeal_id)
        case HoursRerated():
            label = f"{event.policy_id}@{event.version}"
            return Act(at, event_id, "rerate", by, org, level, label)


def _for_whom(actor: Actor, volunteer_id: str) -> str:
    if actor.id == volunteer_id:
        return SELF
    if actor.role == "regulator":
        return ANYWHERE
    return "" if actor.role == "volunteer" else actor.org_id or ""


def _target(account: Account, event: Decision) -> Span | None:
    if event.session_id is not None:
        return span_of(account, "service", event.session_id)
    assert event.grant_id is not None
    return span_of(account, "manual", event.grant_id)


def _unknown(event: Decision) -> Span:
    """The span an act speaks of before anything else is known of it."""
    day = event.occurred_at // DAY
    if event.session_id is not None:
        return Span("service", event.session_id, day)
    return Span("manual", event.grant_id or "", day)


def _refused(
    account: Account, event: Decision, act: Act, span: Span, catalogue: Catalogue
) -> str | None:
    """The reason code if somebody acts who may not, or in a way that cannot be."""
    actor = event.actor
    names = catalogue.people.registrations(account.volunteer_id)
    if (act.org == SELF or actor.id in names) and act.what not in REQUESTS:
        return "own_hours"
    if act.level == PROVINCE and actor.role != "regulator":
        return "wrong_level"
    if isinstance(event, CorrectionRequested):
        if event.end_at < event.start_at:
            return "end_before_start"
        if span.kind == "training":
            return "not_correctable"
    if isinstance(event, HoursRerated) and act.ref not in catalogue.labelled:
        return "unknown_policy"
    return None if entitled(act, whole(span), catalogue) else "not_authorised"


def _nothing_new(act: Act, span: Span, before: Court, after: Court) -> Result:
    """What to say of an act that leaves what stands as it is."""
    if act.event_id in after.waiting:
        return "held", "awaiting_request", ()
    match act.what:
        case "ask" | "appeal":
            return "held", "awaiting_decision", ()
        case "refuse":
            return "posted", "correction_rejected", ()
        case "dismiss":
            return "posted", "appeal_dismissed", ()
        case "void" if before.standing.voided:
            return "posted", "already_voided", ()
    if whole(span).start is None and not no_credit(span):
        return "held", "awaiting_target", ()
    return "posted", "nothing_changed", ()
