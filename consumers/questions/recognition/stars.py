"""Stars as the trail knows them: what the hours reach, what was awarded, what is in review."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from consumers.questions.recognition.accepted_facts import Taken, first_of_each
from consumers.questions.recognition.volunteer import Volunteer
from consumers.wording import moment
from ledger.catalogue.policy import Policy
from ledger.recognition.stars import reached
from schemas.events import StarApplied, StarDecided


@dataclass(slots=True)
class Application:
    """A star that was applied for, and the decisions on it."""

    applied: Taken
    decisions: list[Taken] = field(default_factory=list)

    def decision(self) -> Taken | None:
        """The latest by its own time; at one instant a rejection before an approval."""
        return max(self.decisions, key=decided_at, default=None)


def decided_at(one: Taken) -> tuple[int, bool]:
    return one.event.occurred_at, one.event.decision == "reject"


def applications(who: Volunteer) -> list[Application]:
    """Every star that was applied for, in order."""
    found: dict[str, Application] = {}
    for one in first_of_each(who.of(StarApplied), "application_id"):
        found[one.event.application_id] = Application(one)
    for one in who.of(StarDecided):
        # What was decided under another registration stays behind after an unmerge.
        if one.event.application_id in found:
            found[one.event.application_id].decisions.append(one)
    return list(found.values())


def _eligible(policy: Policy, minutes: int) -> int:
    """The highest star whose hours are reached."""
    return sum(reached(policy, star, minutes) for star in range(1, len(policy.star_hours) + 1))


def stars(who: Volunteer) -> dict[str, Any]:
    """What the hours reach and how that changed, every application and how it stands."""
    year = who.year
    awards = [_award(who, one) for one in applications(who)]
    held = [one["star"] for one in awards if one["status"] in ("awarded", "in_review")]
    minutes = who.minutes(year)
    reaches = _eligible(who.policy, minutes)
    thresholds = who.policy.star_hours
    return {
        "basis": who.policy.star_basis,
        "year": year,
        "eligible": reaches,
        "awarded": max(held, default=0),
        "next_hours": thresholds[reaches] if reaches < len(thresholds) else None,
        "changes": list(_changes(who, year)),
        "applications": awards,
    }


def _changes(who: Volunteer, year: int | None) -> Iterator[dict[str, Any]]:
    minutes = before = 0
    for step in who.steps:
        minutes += step.minutes(year)
        now = _eligible(who.policy_on(step.recorded_at), minutes)
        if now != before:
            yield {
                "event_id": step.event_id,
                "recorded_at": moment(step.recorded_at),
                "from": before,
                "to": now,
                "minutes": minutes,
            }
        before = now


def awarded(who: Volunteer) -> dict[int, bool]:
    """Every star that is awarded -> is its award in review? Of several awards one in order is
    enough."""
    found: dict[int, bool] = {}
    for one in applications(who):
        last, star = one.decision(), one.applied.event.star
        if last is not None and last.event.decision == "approve":
            found[star] = _fell_short(who, one) and found.get(star, True)
    return found


def _award(who: Volunteer, one: Application) -> dict[str, Any]:
    event, last = one.applied.event, one.decision()
    status = "pending"
    if last is not None:
        status = "awarded" if last.event.decision == "approve" else "rejected"
    if status == "awarded" and _fell_short(who, one):
        status = "in_review"
    return {
        "application_id": event.application_id,
        "star": event.star,
        "year": event.year,
        "status": status,
        "applied_at": moment(event.occurred_at),
        "decisions": [
            {
                "event_id": each.event.event_id,
                "decision": each.event.decision,
                "granting_org_id": each.event.granting_org_id,
                "reason": each.event.reason,
                "occurred_at": moment(each.event.occurred_at),
            }
            for each in sorted(one.decisions, key=decided_at)
        ],
    }


def _fell_short(who: Volunteer, one: Application) -> bool:
    """Are the hours of an award gone, and has nobody decided since?"""
    event = one.applied.event
    # What was decided elsewhere before a merge was decided before all that the survivor posted.
    approvals = [
        each.sequence if each.judged_by == who.volunteer_id else 0
        for each in one.decisions
        if each.event.decision == "approve"
    ]
    decided, minutes, since = max(approvals), 0, 0
    for step in who.steps:
        minutes += step.minutes(event.year)
        short = not _still(who.policy, event.star, minutes)
        since = (since or step.sequence) if short else 0
    return since > decided


def _still(policy: Policy, star: int, minutes: int) -> bool:
    return star > len(policy.star_hours) or reached(policy, star, minutes)
