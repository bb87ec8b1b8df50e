"""Small words about what service is recognised by; see `tests.drawn.histories`."""

from typing import Any

from schemas import times
from schemas.events import (
    Actor,
    CertificateIssued,
    CertificateRevoked,
    CommendationAwarded,
    CommendationRevoked,
    EvaluationRevised,
    EvaluationWithdrawn,
    FeedbackDelivered,
    PointsRedeemed,
    PolicyPublished,
    ProjectClosed,
    RedemptionReversed,
    Score,
    StarApplied,
    StarDecided,
    VolunteerResponded,
)
from tests.drawn.histories import TODAY, when

STAR_OFFICE = Actor("star-office-1", "regulator")
LIBRARY = Actor("desk-1", "organiser", "library")


def _said(kind: type[Any], case_id: str, volunteer: str, at: str | int, day: str, actor: Actor,
          **more: Any) -> Any:  # fmt: skip
    occurred_at = when(at, day)
    fields = {
        "event_id": f"{kind.__name__}-{volunteer}-{case_id}-{occurred_at}-{actor.id}",
        "sent_at": None,
        "channel": "admin",
        "device_id": None,
        "app": None,
        "offline": False,
        "actor": actor,
        "evidence": (),
    }
    return kind(volunteer_id=volunteer, occurred_at=occurred_at, **(fields | more))


def close(project: str = "p1", on: str = TODAY) -> ProjectClosed:
    """A project has ended."""
    return ProjectClosed(f"close-{project}-{on}", project, times.day(on), when("20:00", on), None)


def recognised_by(
    version: int = 1, star_hours: tuple[int, ...] = (2, 4, 6), basis: str = "lifetime",
    point_minutes: int = 60, days: int = 10, **more: Any,
) -> PolicyPublished:  # fmt: skip
    """A version of the policy `default` with stars that are quick to reach."""
    fields: dict[str, Any] = {
        "event_id": f"policy-default-{version}-{basis}",
        "policy_id": "default",
        "version": version,
        "effective_from": times.day("2025-01-01"),
        "max_open_minutes": 720,
        "max_session_minutes": 1440,
        "late_event_window_minutes": 10_080,
        "max_clock_skew_minutes": 5,
        "occurred_at": when("00:00", "2025-01-01"),
        "actor": None,
        "star_hours": star_hours,
        "star_basis": basis,
        "point_minutes": point_minutes,
        "evaluation_deadline_days": days,
    }
    return PolicyPublished(**(fields | more))


def _about(kind: type[Any], volunteer: str, project: str, org: str, at: str | int, day: str,
           **more: Any) -> Any:  # fmt: skip
    case_id = more.pop("evaluation", f"ev-{volunteer}-{project}-{org}")
    actor = more.pop("actor", None) or Actor(f"{org}-1", "organiser", org)
    return _said(kind, case_id, volunteer, at, day, actor, evaluation_id=case_id,
                 project_id=project, evaluator_org_id=org, **more)  # fmt: skip


def revise(
    volunteer: str = "v1", project: str = "p1", org: str = "sw1", at: str | int = "21:30",
    day: str = TODAY, **more: Any,
) -> EvaluationRevised:  # fmt: skip
    """The organisation changes its judgement."""
    more = {"scores": (Score("quality", 3),), "comment_ref": None} | more
    event: EvaluationRevised = _about(EvaluationRevised, volunteer, project, org, at, day, **more)
    return event


def take_back(
    volunteer: str = "v1", project: str = "p1", org: str = "sw1", at: str | int = "22:00",
    day: str = TODAY, **more: Any,
) -> EvaluationWithdrawn:  # fmt: skip
    """The organisation takes its judgement back."""
    more = {"reason": "wrong_person"} | more
    event: EvaluationWithdrawn = _about(EvaluationWithdrawn, volunteer, project, org, at, day,
                                        **more)  # fmt: skip
    return event


def deliver(
    volunteer: str = "v1", project: str = "p1", org: str = "sw1", at: str | int = "21:10",
    day: str = TODAY, **more: Any,
) -> FeedbackDelivered:  # fmt: skip
    """The volunteer is told."""
    event: FeedbackDelivered = _about(FeedbackDelivered, volunteer, project, org, at, day, **more)
    return event


def respond(
    volunteer: str = "v1", project: str = "p1", org: str = "sw1", at: str | int = "21:20",
    day: str = TODAY, agrees: bool = True, actor: Actor | None = None, **more: Any,
) -> VolunteerResponded:  # fmt: skip
    """The volunteer answers."""
    event: VolunteerResponded = _about(
        VolunteerResponded, volunteer, project, org, at, day, agrees=agrees, comment_ref=None,
        actor=actor or Actor(volunteer, "volunteer"), **more,
    )  # fmt: skip
    return event


def apply_star(
    volunteer: str = "v1", star: int = 1, application: str = "", at: str | int = "12:00",
    day: str = TODAY, year: int | None = None, actor: Actor | None = None, **more: Any,
) -> StarApplied:  # fmt: skip
    """Somebody, by default the volunteer, applies for a star."""
    case_id = application or f"sa-{star}"
    event: StarApplied = _said(StarApplied, case_id, volunteer, at, day,
                               actor or Actor(volunteer, "volunteer"), application_id=case_id,
                               star=star, year=year, **more)  # fmt: skip
    return event


def decide_star(
    volunteer: str = "v1", star: int = 1, application: str = "", at: str | int = "13:00",
    day: str = TODAY, decision: str = "approve", body: str = "sw1", actor: Actor = STAR_OFFICE,
    **more: Any,
) -> StarDecided:  # fmt: skip
    """The granting body decides."""
    case_id = application or f"sa-{star}"
    more = {"event_id": f"star-{decision}-{volunteer}-{case_id}-{when(at, day)}-{actor.id}"} | more
    event: StarDecided = _said(StarDecided, case_id, volunteer, at, day, actor,
                               application_id=case_id, granting_org_id=body, decision=decision,
                               reason="hours_reached", **more)  # fmt: skip
    return event


def commend(
    volunteer: str = "v1", case_id: str = "cm1", at: str | int = "14:00", day: str = TODAY,
    body: str = "sw1", actor: Actor = STAR_OFFICE, **more: Any,
) -> CommendationAwarded:  # fmt: skip
    """A body commends."""
    more = {"awarded_on": times.day(day)} | more
    event: CommendationAwarded = _said(CommendationAwarded, case_id, volunteer, at, day, actor,
                                       commendation_id=case_id, name="of the year",
                                       granting_org_id=body, **more)  # fmt: skip
    return event


def uncommend(
    volunteer: str = "v1", case_id: str = "cm1", at: str | int = "15:00", day: str = TODAY,
    body: str = "sw1", actor: Actor = STAR_OFFICE, **more: Any,
) -> CommendationRevoked:  # fmt: skip
    """A commendation is taken back."""
    event: CommendationRevoked = _said(CommendationRevoked, case_id, volunteer, at, day, actor,
                                       commendation_id=case_id, granting_org_id=body,
                                       reason="false_record", **more)  # fmt: skip
    return event


def redeem(
    volunteer: str = "v1", points: int = 1, case_id: str = "r1", at: str | int = "16:00",
    day: str = TODAY, partner: str = "library", actor: Actor = LIBRARY, **more: Any,
) -> PointsRedeemed:  # fmt: skip
    """Points are spent."""
    more = {"benefit_id": "card"} | more
    event: PointsRedeemed = _said(PointsRedeemed, case_id, volunteer, at, day, actor,
                                  redemption_id=case_id, points=points, partner_org_id=partner,
                                  **more)  # fmt: skip
    return event


def reverse(
    volunteer: str = "v1", case_id: str = "r1", at: str | int = "17:00", day: str = TODAY,
    partner: str = "library", actor: Actor = LIBRARY, **more: Any,
) -> RedemptionReversed:  # fmt: skip
    """A redemption is taken back."""
    event: RedemptionReversed = _said(RedemptionReversed, case_id, volunteer, at, day, actor,
                                      redemption_id=case_id, partner_org_id=partner,
                                      reason="not_given", **more)  # fmt: skip
    return event


def certify(
    volunteer: str = "v1", case_id: str = "c-1", minutes: int = 120, at: str | int = "18:00",
    day: str = TODAY, org: str = "sw1", actor: Actor | None = None, **more: Any,
) -> CertificateIssued:  # fmt: skip
    """A certificate is issued."""
    fields = {
        "start_on": times.day("2025-01-01"),
        "end_on": times.day(day),
        "minutes": minutes,
        "attendances": 1,
        "snapshot_sha256": "0" * 64,
        "supersedes_id": None,
        "checkpoint_origin": None,
        "checkpoint_size": None,
    }
    event: CertificateIssued = _said(CertificateIssued, case_id, volunteer, at, day,
                                     actor or Actor(f"{org}-1", "organiser", org),
                                     certificate_id=case_id, issuer_org_id=org,
                                     **(fields | more))  # fmt: skip
    return event


def revoke(
    volunteer: str = "v1", case_id: str = "c-1", at: str | int = "19:00", day: str = TODAY,
    org: str = "sw1", actor: Actor | None = None, **more: Any,
) -> CertificateRevoked:  # fmt: skip
    """A certificate is withdrawn."""
    event: CertificateRevoked = _said(CertificateRevoked, case_id, volunteer, at, day,
                                      actor or Actor(f"{org}-1", "organiser", org),
                                      certificate_id=case_id, issuer_org_id=org,
                                      reason="mistake", **more)  # fmt: skip
    return event
