"""The questions about recognition: stars, points, commendations, certificates, benefits, training.

Nothing here is stored: it follows from a volunteer's lines, the facts of service.recognition and
the policy `default`, as known at any moment.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from consumers.questions.facts.persons import registrations
from consumers.questions.recognition.accepted_facts import Taken, first_of_each
from consumers.questions.recognition.stars import awarded, stars
from consumers.questions.recognition.volunteer import Volunteer, volunteer
from consumers.trail.query import Query
from consumers.wording import moment
from ledger.recognition.recognition import points_earned
from schemas.events import (
    CertificateIssued,
    CertificateRevoked,
    CommendationAwarded,
    CommendationRevoked,
    PointsRedeemed,
    RedemptionReversed,
)
from schemas.times import iso_date
from schemas.topics import HOURS
from schemas.validity import LATEST
from schemas.wire.codec import decode_event

_NEED = r"(?:star|hours|points):[0-9]{1,7}"
NEEDS = f"^{_NEED}(?:,{_NEED})*$"
"""What a benefit may need."""


def recognition(
    query: Query, volunteer_id: str, as_of: int | None = None, exact: bool = False
) -> dict[str, Any]:
    """Stars, points, commendations, certificates and training as known at `as_of` (UTC
    microseconds; the newest posting's time if none is given).

    `stars.changes` are the postings with which the star that the hours would reach rose or fell
    (edge case E27); an award whose hours are no longer there has status `in_review` until its
    granting body decides anew. Of a registration that another one absorbed the person's are told,
    all registrations together, and `asked_for` is whom was asked for; `exact`: what was said of
    that very registration.
    """
    counted_by, own = registrations(query, volunteer_id, as_of, exact=exact)
    who = volunteer(query, counted_by, own, as_of)
    return {
        "volunteer_id": counted_by,
        "asked_for": volunteer_id,
        "as_of": moment(as_of),
        "policy": who.policy.label,
        "minutes": who.minutes(),
        "postings": who.postings,
        "stars": stars(who),
        "points": _points(who),
        "commendations": list(_given(who, CommendationAwarded, CommendationRevoked)),
        "certificates": list(_given(who, CertificateIssued, CertificateRevoked)),
        "training": _training(query, counted_by, own, as_of),
    }


def benefit(
    query: Query,
    volunteer_id: str,
    needs: Annotated[str, Field(pattern=NEEDS)],
    as_of: int | None = None,
    exact: bool = False,
) -> dict[str, Any]:
    """Does a volunteer meet every need of `star:N`, `hours:N`, `points:N` (joined by commas)?

    The answer is yes or no and the policy version it rests on: no hours, no name, no id. An award
    whose hours are no longer there is none until its body has decided anew: `reason` says
    `under_review` where nothing else is wanting, `not_met` where something is. All registrations
    of a person are one; `exact`: that very registration.
    """
    wanted = [need.split(":") for need in needs.split(",")]
    who = volunteer(query, *registrations(query, volunteer_id, as_of, exact=exact), as_of)
    held = awarded(who)
    there = {
        "star": max((star for star, in_review in held.items() if not in_review), default=0),
        "hours": who.minutes() // 60,
        "points": _points(who)["balance"],
    }
    # As it would be if every award in review were confirmed.
    hoped = there | {"star": max(held, default=0)}
    eligible, at_best = (
        all(found[what] >= int(number) for what, number in wanted) for found in (there, hoped)
    )
    return {
        "eligible": eligible,
        "reason": None if eligible else "under_review" if at_best else "not_met",
        "needs": needs,
        "policy": who.policy.label,
        "as_of": moment(as_of),
    }


def _points(who: Volunteer) -> dict[str, Any]:
    """Earned, redeemed, returned, and what is left; below 0 after a correction (edge case E28)."""
    given = [one for one in who.facts if one.is_taken and isinstance(one.event, PointsRedeemed)]
    redeemed = {one.event.redemption_id: one for one in first_of_each(given, "redemption_id")}
    back: dict[str, Taken] = {}
    for one in who.of(RedemptionReversed):
        name = one.event.redemption_id
        if name in redeemed and redeemed[name].event.partner_org_id == one.event.partner_org_id:
            back.setdefault(name, one)
    # What was taken back before it came was never spent.
    for name in [name for name in back if redeemed[name].reason == "taken_back_before"]:
        del redeemed[name], back[name]
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


def _given(who: Volunteer, given: type, revoked: type) -> Iterator[dict[str, Any]]:
    """What was given, and whether it was taken back."""
    field_name, fields = _GIVEN[given]
    back = {getattr(one.event, field_name): one for one in who.of(revoked)}
    for one in first_of_each(who.of(given), field_name):
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


def _training(
    query: Query, volunteer_id: str, own: Collection[str], as_of: int | None
) -> dict[str, Any]:
    """The transcript: what was learned, when, with whom (Order 67, article 8); never added to
    service."""
    values = {
        "volunteer_id": volunteer_id,
        "own": sorted(own),
        "as_of": LATEST if as_of is None else as_of,
    }
    counted = query(
        "SELECT l.grant_id AS grant_id, sum(l.minutes) AS minutes FROM line AS l "
        "WHERE l.volunteer_id = {volunteer_id:String} AND l.kind = 'training' "
        "AND l.state = 'effective' AND toUnixTimestamp64Micro(l.recorded_at) <= {as_of:Int64} "
        "GROUP BY grant_id HAVING minutes > 0",
        **values,
    )
    minutes = {row["grant_id"]: row["minutes"] for row in counted}
    rows = query(
        "SELECT hex(value) AS value_hex FROM event WHERE topic = {topic:String} "
        "AND volunteer_id IN {own:Array(String)} AND type = 'TrainingRecorded' "
        "AND toUnixTimestamp64Micro(recorded_at) <= {as_of:Int64} "
        "ORDER BY partition, offset DESC",
        topic=HOURS, **values,
    )  # fmt: skip
    # The first under a grant_id stands: it is read last.
    told: dict[str, Any] = {}
    for row in rows:
        event: Any = decode_event(bytes.fromhex(row["value_hex"]))
        told[event.grant_id] = event
    entries = [
        {
            "grant_id": grant_id,
            "name": event.name,
            "content_ref": event.content_ref,
            "recording_org_id": event.recording_org_id,
            "service_date": iso_date(event.service_date),
            "minutes": minutes[grant_id],
        }
        for grant_id, event in told.items()
        if grant_id in minutes
    ]
    entries.sort(key=lambda one: (one["service_date"], one["grant_id"]))
    return {"minutes": sum(minutes.values()), "entries": entries}
