"""The reference's view of evaluations, stars, points, commendations and certificates.

LOG ORDER counts all through this page: an evaluation is of who has attended by then, a redemption
spends what is there by then (docs/rules.md, sections 10 and 12). Only of two decisions on a star
does the later by its own time stand, and what is taken back stays so whichever came first.

What was taken down once stays so: `Honours.take` needs no order, so a person's honours are what all
their registrations' facts come to (`tests.reference.model_people`).
"""

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from schemas.events import (
    Actor,
    CertificateIssued,
    CertificateRevoked,
    CommendationAwarded,
    CommendationRevoked,
    EvaluationRevised,
    EvaluationSubmitted,
    EvaluationWithdrawn,
    FeedbackDelivered,
    PointsRedeemed,
    PolicyPublished,
    RedemptionReversed,
    StarApplied,
    StarDecided,
    VolunteerResponded,
)
from schemas.times import DAY, MINUTE
from tests.reference.model_catalogue import CHINA_MINUTES, EPOCH, Registry
from tests.reference.model_spans import Answer, Entry

POSTED: Answer = ("posted", None)


@dataclass
class Application:
    """A star applied for. `decisions` are (when, approved, body), in any order."""

    star: int
    year: int | None
    by: str
    decisions: list[tuple[int, bool, str]]

    @property
    def is_awarded(self) -> bool:
        return bool(self.decisions) and self._last()[1]

    @property
    def is_rejected(self) -> bool:
        return bool(self.decisions) and not self._last()[1]

    @property
    def body(self) -> str | None:
        """Who decides on it: whoever did last."""
        return self._last()[2] if self.decisions else None

    def _last(self) -> tuple[int, bool, str]:
        # At one and the same instant the rejection counts.
        return max(self.decisions, key=lambda one: (one[0], not one[1]))


@dataclass
class Moment:
    """What the reference knows of the volunteer's service at an entry's turn."""

    attended: set[str]
    minutes_on: dict[int, int]

    def minutes(self, year: int | None = None) -> int:
        """Effective service minutes, of all days or those of a year."""
        return sum(
            minutes
            for day, minutes in self.minutes_on.items()
            if year is None or (EPOCH + timedelta(day)).year == year
        )


@dataclass
class Honours:
    """One person's, told from the start to the end of the log; `own` are their registrations."""

    own: Collection[str]
    registry: Registry
    evaluations: dict[str, tuple[str, str]] = field(default_factory=dict)
    given: dict[tuple[str, str], tuple[str, tuple[Any, ...]]] = field(default_factory=dict)
    back: set[tuple[str, ...]] = field(default_factory=set)
    applications: dict[str, Application] = field(default_factory=dict)
    decisions: dict[str, list[tuple[int, bool, str]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def answer(self, entry: Entry, moment: Callable[[], Moment]) -> Answer:
        """What the ledger must say to an entry; what is not refused is taken down."""
        said = self._judged(entry, moment)
        if said[0] in ("posted", "held"):
            self.take(entry.record.event)
        return said

    def take(self, event: Any) -> None:
        """Take down what was not refused, in any order; of two under one id the first stands."""
        match event:
            case EvaluationSubmitted():
                whose = (event.project_id, event.evaluator_org_id)
                self.evaluations.setdefault(event.evaluation_id, whose)
            case EvaluationWithdrawn():
                whose = (event.project_id, event.evaluator_org_id)
                self.back.add(("evaluation", event.evaluation_id, *whose))
            case StarApplied():
                decisions = self.decisions[event.application_id]
                application = Application(event.star, event.year, event.actor.id, decisions)
                self.applications.setdefault(event.application_id, application)
            case StarDecided():
                decision = (event.occurred_at, event.decision == "approve", event.granting_org_id)
                self.decisions[event.application_id].append(decision)
            case PointsRedeemed():
                content = (event.partner_org_id, (event.points, event.benefit_id))
                self.given.setdefault(("redemption", event.redemption_id), content)
            case CommendationAwarded() | CertificateIssued():
                name, case_id, org = self._named(event)
                self.given.setdefault((name, case_id), (org, ()))
            case RedemptionReversed() | CommendationRevoked() | CertificateRevoked():
                self.back.add(self._named(event))

    def spent(self) -> int:
        """Points redeemed and not returned."""
        return sum(
            content[0]
            for (kind, case_id), (partner, content) in self.given.items()
            if kind == "redemption" and (kind, case_id, partner) not in self.back
        )

    def _judged(self, entry: Entry, moment: Callable[[], Moment]) -> Answer:
        event: Any = entry.record.event
        match event:
            case EvaluationSubmitted():
                return self._submitted(event, entry, moment())
            case EvaluationRevised() | FeedbackDelivered():
                return self._may_act(event, event.evaluator_org_id, entry) or self._said(event)
            case EvaluationWithdrawn():
                return self._may_act(event, event.evaluator_org_id, entry) or self._to_take_back(
                    "evaluation", event.evaluation_id, self.evaluations.get(event.evaluation_id),
                    (event.project_id, event.evaluator_org_id))  # fmt: skip
            case VolunteerResponded():
                own = event.actor.id in self.own
                return self._said(event) if own else ("refused", "not_the_volunteer")
            case StarApplied():
                return self._applied(event, entry, moment())
            case StarDecided():
                return self._decided(event, entry, moment())
            case PointsRedeemed():
                return self._redeemed(event, entry, moment())
        name, case_id, org = self._named(event)
        wrong = self._may_act(event, org, entry)
        if wrong is not None:
            return wrong
        if isinstance(event, CommendationAwarded | CertificateIssued):
            return self._handed_over(event, name, case_id, org)
        there = self.given.get((name, case_id))
        return self._to_take_back(name, case_id, None if there is None else (there[0],), (org,))

    def _named(self, event: Any) -> tuple[str, str, str]:
        match event:
            case CommendationAwarded() | CommendationRevoked():
                return "commendation", event.commendation_id, event.granting_org_id
            case CertificateIssued() | CertificateRevoked():
                return "certificate", event.certificate_id, event.issuer_org_id
            case RedemptionReversed():
                return "redemption", event.redemption_id, event.partner_org_id
        raise AssertionError(event)

    def _may_act(self, event: Any, org: str, entry: Entry) -> Answer | None:
        """The refusal of somebody who may not act for an organisation."""
        actor: Actor = event.actor
        if actor.id in self.own:
            return "refused", "own_record"
        if actor.role == "regulator":
            return None
        heirs = {org}
        while (
            more := {s for one in heirs if (s := self.registry.successors.of(one, entry.seen))}
            - heirs
        ):
            heirs |= more
        if actor.role != "volunteer" and actor.org_id in heirs:
            return None
        return "refused", "not_for_org"

    def _submitted(self, event: EvaluationSubmitted, entry: Entry, now: Moment) -> Answer:
        wrong = self._may_act(event, event.evaluator_org_id, entry)
        if wrong is not None:
            return wrong
        closed = self.registry.closed.of(event.project_id, entry.seen)
        if closed is None or _china(event.occurred_at) < closed:
            return "refused", "project_not_closed"
        if event.project_id not in now.attended:
            return "refused", "not_attended"
        if event.evaluation_id in self.evaluations:
            return "refused", "evaluation_exists"
        whose = (event.project_id, event.evaluator_org_id)
        stands = [
            name
            for name, other in self.evaluations.items()
            if other == whose and ("evaluation", name, *whose) not in self.back
        ]
        if stands:
            return "refused", "already_evaluated"
        if ("evaluation", event.evaluation_id, *whose) in self.back:
            return "posted", "taken_back_before"
        policy, _ = self.registry.policy(event.project_id, closed, entry.seen)
        received, allowed = _china(entry.record.recorded_at), policy.evaluation_deadline_days
        calendar_id, seen = policy.calendar_id, entry.seen
        return "posted", self.registry.passed(calendar_id, closed, allowed, received, seen)

    def _said(self, event: Any) -> Answer:
        """Something about an evaluation that must stand."""
        whose = self.evaluations.get(event.evaluation_id)
        meant = (event.project_id, event.evaluator_org_id)
        if whose is None:
            return "held", "awaiting_target"
        if whose != meant:
            return "refused", "other_case"
        if ("evaluation", event.evaluation_id, *meant) in self.back:
            return "refused", "evaluation_withdrawn"
        return POSTED

    def _to_take_back(
        self, name: str, case_id: str, whose: tuple[str, ...] | None, meant: tuple[str, ...]
    ) -> Answer:
        if whose is not None and whose != meant:
            return "refused", "other_case"
        if (name, case_id, *meant) in self.back:
            return "posted", "nothing_changed"
        return POSTED if whose is not None else ("held", "awaiting_target")

    def _handed_over(self, event: Any, name: str, case_id: str, org: str) -> Answer:
        if (name, case_id) in self.given:
            return "refused", f"{name}_exists"
        if isinstance(event, CertificateIssued):
            if event.start_on > event.end_on:
                return "refused", "end_before_start"
            replaced = event.supersedes_id
            if replaced is not None and ("certificate", replaced) not in self.given:
                return "refused", "unknown_certificate"
        return ("posted", "taken_back_before") if (name, case_id, org) in self.back else POSTED

    def _redeemed(self, event: PointsRedeemed, entry: Entry, now: Moment) -> Answer:
        if event.actor.id not in self.own:
            wrong = self._may_act(event, event.partner_org_id, entry)
            if wrong is not None:
                return wrong
        name = ("redemption", event.redemption_id)
        content = (event.partner_org_id, (event.points, event.benefit_id))
        if name in self.given:
            same = self.given[name] == content
            return ("duplicate", "already_redeemed") if same else (
                "refused", "redemption_conflict")  # fmt: skip
        if (*name, event.partner_org_id) in self.back:
            return "posted", "taken_back_before"
        policy = self.registry.default_policy(_china(event.occurred_at), entry.seen)
        if now.minutes() // policy.point_minutes - self.spent() < event.points:
            return "refused", "points_short"
        return POSTED

    def _applied(self, event: StarApplied, entry: Entry, now: Moment) -> Answer:
        if event.application_id in self.applications:
            return "refused", "application_exists"
        policy = self.registry.default_policy(_china(event.occurred_at), entry.seen)
        if event.star > len(policy.star_hours):
            return "refused", "unknown_star"
        if (policy.star_basis == "yearly") != (event.year is not None):
            return "refused", "wrong_star_basis"
        wrong = self._unearned(event.star, event.year, None, policy, now)
        if wrong is not None:
            return "refused", wrong
        return "held", "awaiting_decision"

    def _decided(self, event: StarDecided, entry: Entry, now: Moment) -> Answer:
        wrong = self._may_act(event, event.granting_org_id, entry)
        if wrong is not None:
            return wrong
        own = self.applications.get(event.application_id)
        if own is None:
            return "refused", "unknown_application"
        if own.by == event.actor.id:
            return "refused", "decider_is_requester"
        if own.body not in (None, event.granting_org_id):
            return "refused", "other_case"
        approves = event.decision == "approve"
        if approves and not own.is_awarded:
            policy = self.registry.default_policy(_china(event.occurred_at), entry.seen)
            short: str | None = "unknown_star"
            if own.star <= len(policy.star_hours):
                short = self._unearned(own.star, own.year, event.application_id, policy, now)
            if short is not None:
                return "refused", short
        decision = (event.occurred_at, approves, event.granting_org_id)
        after = Application(own.star, own.year, own.by, [*own.decisions, decision])
        if own.decisions and own._last()[:2] == after._last()[:2]:
            return "posted", "nothing_changed"
        return POSTED

    def _unearned(
        self, star: int, year: int | None, own: str | None, policy: PolicyPublished, now: Moment
    ) -> str | None:
        """Why a star cannot be had: somebody else's turn, out of order, too few hours."""
        others = [
            other
            for name, other in self.applications.items()
            if other.star == star and name != own and not other.is_rejected
        ]
        if others:
            return "star_held" if any(other.is_awarded for other in others) else "star_pending"
        if star > 1 and not any(
            other.star == star - 1 and other.is_awarded for other in self.applications.values()
        ):
            return "star_out_of_order"
        enough = now.minutes(year) >= 60 * policy.star_hours[star - 1]
        return None if enough else "hours_not_reached"


def _china(at: int) -> int:
    """The day number of an instant in China."""
    return (at + CHINA_MINUTES * MINUTE) // DAY


def _works(day: date, calendar: dict[date, bool]) -> bool:
    return calendar.get(day, day.weekday() < 5)
