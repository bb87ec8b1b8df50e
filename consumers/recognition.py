"""The questions about recognition: stars, points, commendations, certificates, benefits.

Nothing here is stored: it follows from a volunteer's lines, the facts of service.recognition and
the policy `default`, as known at any moment.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Annotated, Any

from pydantic import Field

from consumers.questions import Query
from consumers.taken import Taken, rules, taken
from consumers.wording import moment
from ledger.catalogue import Catalogue
from ledger.policy import Policy
from ledger.recognition import points_earned
from ledger.stars import reached
from schemas.events import (
    CertificateIssued,
    CertificateRevoked,
    CommendationAwarded,
    CommendationRevoked,
    PointsRedeemed,
    RedemptionReversed,
    StarApplied,
    StarDecided,
)
from schemas.times import iso_date
from schemas.topics import RECOGNITION
from schemas.validity import LATEST

_NEED = r"(?:star|hours|points):[0-9]{1,7}"
NEEDS = f"^{_NEED}(?:,{_NEED})*$"
"""What a benefit may need."""


@dataclass(frozen=True, slots=True)
class _Step:
    """Effective minutes that one posting gave or took, by service day (days since 1970)."""

    sequence: int
    recorded_at: int
    event_id: str
    by_day: tuple[tuple[int, int], ...]

    def minutes(self, year: int | None) -> int:
        """Those of a calendar year, or all."""
        return sum(n for day, n in self.by_day if year is None or iso_date(day)[:4] == str(year))


@dataclass(slots=True)
class _Application:
    """A star that was applied for, and the decisions on it."""

    applied: Taken
    decisions: list[Taken] = field(default_factory=list)

    def decision(self) -> Taken | None:
        """The latest by its own time; at one instant a rejection before an approval."""
        return max(self.decisions, key=_decided, default=None)


def _decided(one: Taken) -> tuple[int, bool]:
    return one.event.occurred_at, one.event.decision == "reject"


@dataclass(slots=True)
class _Volunteer:
    """What is known of one volunteer at a moment."""

    steps: Sequence[_Step]
    facts: Sequence[Taken]
    known: Catalogue
    at: int
    postings: int

    @property
    def policy(self) -> Policy:
        """The version of `default` in force on the day of the moment."""
        return self.policy_on(self.at)

    def policy_on(self, at: int) -> Policy:
        """The version of `default` in force on the day of an instant."""
        return self.known.default_policy(self.known.local_day(None, at))

    @property
    def year(self) -> int | None:
        """The calendar year whose hours count for stars; None where a lifetime's do."""
        if self.policy.star_basis == "lifetime":
            return None
        return int(iso_date(self.known.local_day(None, self.at))[:4])

    def minutes(self, year: int | None = None) -> int:
        """Effective service minutes."""
        return sum(step.minutes(year) for step in self.steps)

    def of(self, *kinds: type) -> Iterator[Taken]:
        """The facts of some kinds that are in force."""
        return (one for one in self.facts if one.counts and isinstance(one.event, kinds))


def recognition(query: Query, volunteer_id: str, as_of: int | None = None) -> dict[str, Any]:
    """A volunteer's stars, points, commendations and certificates as known at `as_of` (UTC
    microseconds; the newest posting's time if none is given).

    `stars.changes` are the postings with which the star that the hours would reach rose or fell
    (edge case E27); an award whose hours are no longer there has status `in_review` until its
    granting body decides anew.
    """
    who = _volunteer(query, volunteer_id, as_of)
    return {
        "volunteer_id": volunteer_id,
        "as_of": moment(as_of),
        "policy": who.policy.label,
        "minutes": who.minutes(),
        "postings": who.postings,
        "stars": _stars(who),
        "points": _points(who),
        "commendations": list(_given(who, CommendationAwarded, CommendationRevoked)),
        "certificates": list(_given(who, CertificateIssued, CertificateRevoked)),
    }


def benefit(
    query: Query,
    volunteer_id: str,
    needs: Annotated[str, Field(pattern=NEEDS)],
    as_of: int | None = None,
) -> dict[str, Any]:
    """Does a volunteer meet every need of `star:N`, `hours:N`, `points:N` (joined by commas)?

    The answer is yes or no and the policy version it rests on: no hours, no name, no id. An award
    in review is an award.
    """
    wanted = [need.split(":") for need in needs.split(",")]
    who = _volunteer(query, volunteer_id, as_of)
    awarded = {
        one.applied.event.star
        for one in _applications(who)
        if (last := one.decision()) is not None and last.event.decision == "approve"
    }
    there = {
        "star": max(awarded, default=0),
        "hours": who.minutes() // 60,
        "points": _points(who)["balance"],
    }
    return {
        "eligible": all(there[what] >= int(number) for what, number in wanted),
        "needs": needs,
        "policy": who.policy.label,
        "as_of": moment(as_of),
    }


def _volunteer(query: Query, volunteer_id: str, as_of: int | None) -> _Volunteer:
    at = LATEST if as_of is None else as_of
    rows = query(
        "SELECT l.sequence AS sequence, toUnixTimestamp64Micro(l.recorded_at) AS recorded, "
        "toInt32(l.service_date) AS day, sum(l.minutes) AS minutes FROM line AS l "
        "WHERE l.volunteer_id = {volunteer_id:String} AND l.state = 'effective' "
        "AND l.kind != 'training' AND toUnixTimestamp64Micro(l.recorded_at) <= {at:Int64} "
        "GROUP BY sequence, recorded, day ORDER BY sequence, day",
        volunteer_id=volunteer_id, at=at,
    )  # fmt: skip
    postings = query(
        "SELECT sequence, event_id, toUnixTimestamp64Micro(recorded_at) AS recorded FROM posting "
        "WHERE volunteer_id = {volunteer_id:String} "
        "AND toUnixTimestamp64Micro(recorded_at) <= {at:Int64}",
        volunteer_id=volunteer_id, at=at,
    )  # fmt: skip
    names = {row["sequence"]: row["event_id"] for row in postings}
    steps = [
        _Step(sequence, recorded, names.get(sequence, ""),
              tuple((row["day"], row["minutes"]) for row in group))
        for (sequence, recorded), group in groupby(
            rows, key=lambda row: (row["sequence"], row["recorded"]))
    ]  # fmt: skip
    newest = max((row["recorded"] for row in postings), default=0)
    return _Volunteer(
        steps,
        list(taken(query, RECOGNITION, as_of, volunteer_id)),
        rules(query, ("PolicyPublished",), as_of),
        newest if as_of is None else as_of,
        len(postings),
    )


def _applications(who: _Volunteer) -> list[_Application]:
    found: dict[str, _Application] = {}
    for one in who.of(StarApplied, StarDecided):
        name = one.event.application_id
        if isinstance(one.event, StarApplied):
            found[name] = _Application(one)
        else:
            found[name].decisions.append(one)
    return list(found.values())


def _eligible(policy: Policy, minutes: int) -> int:
    """The highest star whose hours are reached."""
    return sum(reached(policy, star, minutes) for star in range(1, len(policy.star_hours) + 1))


def _stars(who: _Volunteer) -> dict[str, Any]:
    year = who.year
    awards = [_award(who, one) for one in _applications(who)]
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


def _changes(who: _Volunteer, year: int | None) -> Iterator[dict[str, Any]]:
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


def _award(who: _Volunteer, one: _Application) -> dict[str, Any]:
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
            for each in sorted(one.decisions, key=_decided)
        ],
    }


def _fell_short(who: _Volunteer, one: _Application) -> bool:
    """Are the hours of an award gone, and has nobody decided since?"""
    event = one.applied.event
    approvals = [each.sequence for each in one.decisions if each.event.decision == "approve"]
    decided, minutes, since = max(approvals), 0, 0
    for step in who.steps:
        minutes += step.minutes(event.year)
        short = not _still(who.policy, event.star, minutes)
        since = (since or step.sequence) if short else 0
    return since > decided


def _still(policy: Policy, star: int, minutes: int) -> bool:
    return star > len(policy.star_hours) or reached(policy, star, minutes)


def _points(who: _Volunteer) -> dict[str, Any]:
    """Earned, redeemed, returned, and what is left; below 0 after a correction (edge case E28)."""
    redeemed = {one.event.redemption_id: one for one in who.of(PointsRedeemed)}
    back = {
        one.event.redemption_id: one
        for one in who.of(RedemptionReversed)
        if one.event.redemption_id in redeemed and one.reason != "nothing_changed"
    }
    earned = points_earned(who.minutes(), who.policy)
    spent = sum(one.event.points for one in redeemed.values())
    returned = sum(redeemed[name].event.points for name in back)
    return {
        "point_minutes": who.policy.point_minutes,
        "earned": earned,
        "redeemed": spent,
        "reversed": returned,
        "balance": earned - spent + returned,
        "redemptions": [
            {
                "redemption_id": name,
                "points": one.event.points,
                "partner_org_id": one.event.partner_org_id,
                "benefit_id": one.event.benefit_id,
                "recorded_at": moment(one.recorded_at),
                "reversed_at": moment(back[name].recorded_at) if name in back else None,
            }
            for name, one in redeemed.items()
        ],
    }


_GIVEN: Mapping[type, tuple[str, tuple[str, ...]]] = {
    CommendationAwarded: ("commendation_id", ("name", "granting_org_id")),
    CertificateIssued: (
        "certificate_id",
        ("issuer_org_id", "minutes", "attendances", "snapshot_sha256", "supersedes_id"),
    ),
}
_DATES = {
    CommendationAwarded: ("awarded_on",),
    CertificateIssued: ("start_on", "end_on"),
}


def _given(who: _Volunteer, given: type, revoked: type) -> Iterator[dict[str, Any]]:
    """What was given, and whether it was taken back."""
    field_name, fields = _GIVEN[given]
    back = {getattr(one.event, field_name): one for one in who.of(revoked)}
    for one in who.of(given):
        case_id = getattr(one.event, field_name)
        yield {
            field_name: case_id,
            **{name: getattr(one.event, name) for name in fields},
            **{name: iso_date(getattr(one.event, name)) for name in _DATES[given]},
            "recorded_at": moment(one.recorded_at),
            "revoked": None if case_id not in back else {
                "reason": back[case_id].event.reason,
                "recorded_at": moment(back[case_id].recorded_at),
            },
        }  # fmt: skip
