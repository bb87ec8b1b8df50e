"""The questions about evaluations: which stand, how they came to, their means, who has none.

A mean is a quotient of whole numbers, shown with two decimals; the sums are beside it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from consumers.questions.facts.catalogue_view import catalogue
from consumers.questions.facts.persons import everybody
from consumers.questions.recognition.accepted_facts import Taken, first_of_each, taken
from consumers.trail.query import Query
from consumers.wording import moment
from ledger.catalogue.catalogue import Catalogue
from ledger.catalogue.people import People
from ledger.catalogue.policy import Policy
from ledger.recognition.evaluations import evaluated_late, evaluation_deadline
from schemas.events import (
    EvaluationRevised,
    EvaluationSubmitted,
    EvaluationWithdrawn,
    FeedbackDelivered,
    Score,
    VolunteerResponded,
)
from schemas.times import iso_date
from schemas.topics import EVALUATIONS

_RULES = ("PolicyPublished", "HolidaysPublished", "ProjectPublished", "ProjectClosed")


@dataclass(slots=True)
class _Told:
    """All that was said of one evaluation."""

    submitted: Taken | None = None
    revisions: list[Taken] = field(default_factory=list)
    withdrawn: Taken | None = None
    delivered: list[Taken] = field(default_factory=list)
    responses: list[Taken] = field(default_factory=list)

    def latest(self) -> Taken | None:
        """The judgement that stands: the latest revision by its own time, else the first."""
        return max(self.revisions, key=_when, default=self.submitted)


_Whose = tuple[str, str, str, str]
"""Volunteer, evaluation, project, organisation."""


def evaluations(
    query: Query,
    volunteer_id: str | None = None,
    project_id: str | None = None,
    org_id: str | None = None,
    as_of: int | None = None,
    limit: int = 1000,
    exact: bool = False,
) -> dict[str, Any]:
    """Evaluations of a volunteer, in a project, by an organisation, as known at `as_of` (UTC
    microseconds): each with its versions, whether the volunteer was told, and what they answered.

    `means` are of the scores that stand, by dimension; those of withdrawn ones count no more.
    `count` and `means` are of all that were asked for, the first `limit` are shown. Registrations
    of one person are one volunteer, named by the one that counts the hours; `exact`: each alone.
    """
    people = People() if exact else everybody(query, as_of)
    names = None if volunteer_id is None else people.registrations(volunteer_id)
    projects = None if project_id is None else [project_id]
    found = [
        (whose, told)
        for whose, told in _told(query, as_of, people, names, projects).items()
        if told.submitted is not None and org_id in (None, whose[3])
    ]
    standing = [told.latest() for _, told in found if told.withdrawn is None]
    return {
        "volunteer_id": None if volunteer_id is None else people.survivor(volunteer_id),
        "asked_for": volunteer_id,
        "project_id": project_id,
        "org_id": org_id,
        "as_of": moment(as_of),
        "count": len(found),
        "standing": len(standing),
        "means": _means(one.event.scores for one in standing if one is not None),
        "evaluations": [_shown(whose, told) for whose, told in found[:limit]],
    }


def unevaluated(query: Query, as_of: int, limit: int = 100) -> dict[str, Any]:
    """Who served in a closed project and has no evaluation that stands after the deadline, as
    known at an instant (UTC microseconds); by project the counts, then the `limit` longest due.

    The deadline is the project's policy's, 10 working days if it says nothing (Order 67,
    article 11); the projects whose deadline hangs on a year without a calendar are named.
    """
    known = catalogue(query, _RULES, as_of)
    today = known.local_day(None, as_of)
    passed = {
        project_id: evaluated_late(_policy(known, project_id, closed_on), closed_on, today, known)
        for project_id, closed_on in known.closed.items()
    }
    due = {
        project_id: _deadline(known, project_id, closed_on)
        for project_id, closed_on in known.closed.items()
        if passed[project_id]
    }
    judged = {
        (whose[2], whose[0])
        for whose, told in _told(query, as_of, everybody(query, as_of), None, list(due)).items()
        if told.submitted is not None and told.withdrawn is None
    }
    served = [row for row in _served(query, list(due), as_of)
              if (row["project_id"], row["volunteer_id"]) not in judged]  # fmt: skip
    served.sort(key=lambda row: (due[row["project_id"]], row["project_id"], row["volunteer_id"]))
    counts: defaultdict[str, int] = defaultdict(int)
    for row in served:
        counts[row["project_id"]] += 1
    return {
        "as_of": moment(as_of),
        "count": len(served),
        # Of these nobody can tell: the calendar lacks the year.
        "deadline_unknown": sorted(name for name, late in passed.items() if late is None),
        "projects": [
            {"project_id": project_id, "closed_on": iso_date(known.closed[project_id]),
             "deadline": iso_date(due[project_id]), "count": count}
            for project_id, count in counts.items()
        ],
        "rows": [
            row | {"deadline": iso_date(due[row["project_id"]]),
                   "days_over": today - due[row["project_id"]]}
            for row in served[:limit]
        ],
    }  # fmt: skip


def _policy(known: Catalogue, project_id: str, closed_on: int) -> Policy:
    return known.policy(project_id, closed_on) or known.default_policy(closed_on)


def _deadline(known: Catalogue, project_id: str, closed_on: int) -> int:
    return evaluation_deadline(_policy(known, project_id, closed_on), closed_on, known)


def _served(query: Query, projects: list[str], at: int) -> list[dict[str, Any]]:
    return query(
        "SELECT project_id, volunteer_id, sum(minutes) AS minutes FROM line "
        "WHERE project_id IN {projects:Array(String)} AND state = 'effective' "
        "AND kind != 'training' AND toUnixTimestamp64Micro(recorded_at) <= {at:Int64} "
        "GROUP BY project_id, volunteer_id HAVING minutes > 0",
        projects=projects, at=at,
    )  # fmt: skip


def _told(
    query: Query,
    as_of: int | None,
    people: People,
    names: Collection[str] | None,
    projects: list[str] | None,
) -> dict[_Whose, _Told]:
    """Every evaluation by whose it is, with all that was said of it."""
    found: defaultdict[_Whose, _Told] = defaultdict(_Told)
    for one in taken(query, EVALUATIONS, as_of, names, projects):
        event = one.event
        if not one.counts:
            continue
        told = found[
            people.survivor(event.volunteer_id),
            event.evaluation_id,
            event.project_id,
            event.evaluator_org_id,
        ]
        match event:
            case EvaluationSubmitted():
                told.submitted = first_of_each(
                    [*filter(None, [told.submitted]), one], "evaluation_id"
                )[0]
            case EvaluationRevised():
                told.revisions.append(one)
            case EvaluationWithdrawn() if told.withdrawn is None:
                told.withdrawn = one
            case FeedbackDelivered():
                told.delivered.append(one)
            case VolunteerResponded():
                told.responses.append(one)
    return found


def _when(one: Taken) -> tuple[int, str]:
    return one.event.occurred_at, one.event.event_id


def _shown(whose: _Whose, told: _Told) -> dict[str, Any]:
    volunteer_id, evaluation_id, project_id, org_id = whose
    first, latest = told.submitted, told.latest()
    assert first is not None
    return {
        "evaluation_id": evaluation_id,
        "volunteer_id": volunteer_id,
        "project_id": project_id,
        "evaluator_org_id": org_id,
        "stands": told.withdrawn is None,
        "late": None if first.reason == "deadline_unknown" else first.reason == "recorded_late",
        "versions": [
            {
                "event_id": one.event.event_id,
                "occurred_at": moment(one.event.occurred_at),
                "recorded_at": moment(one.recorded_at),
                "scores": {score.dimension: score.score for score in one.event.scores},
                "comment_ref": one.event.comment_ref,
                "latest": one is latest,
            }
            for one in (first, *sorted(told.revisions, key=_when))
        ],
        "withdrawn": None if told.withdrawn is None else {
            "event_id": told.withdrawn.event.event_id,
            "reason": told.withdrawn.event.reason,
            "recorded_at": moment(told.withdrawn.recorded_at),
        },
        "delivered_at": moment(min((one.event.occurred_at for one in told.delivered),
                                   default=None)),
        "responses": [
            {
                "agrees": one.event.agrees,
                "comment_ref": one.event.comment_ref,
                "occurred_at": moment(one.event.occurred_at),
            }
            for one in sorted(told.responses, key=_when)
        ],
    }  # fmt: skip


def _means(scored: Iterable[Iterable[Score]]) -> list[dict[str, Any]]:
    """Count, sum and mean of each dimension, and of all scores together under an empty name."""
    sums: defaultdict[str, list[int]] = defaultdict(list)
    for scores in scored:
        for score in scores:
            sums[score.dimension].append(score.score)
            sums[""].append(score.score)
    return [_mean(dimension, values) for dimension, values in sorted(sums.items())]


def _mean(dimension: str, values: list[int]) -> dict[str, Any]:
    count, total = len(values), sum(values)
    hundredths = (total * 200 + count) // (2 * count)
    return {
        "dimension": dimension,
        "count": count,
        "sum": total,
        "mean": f"{hundredths // 100}.{hundredths % 100:02}",
    }
