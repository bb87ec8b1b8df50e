"""Made-up evaluations, stars, redemptions and certificates of one volunteer."""

from typing import Any

from hypothesis import strategies as st

from schemas.events import Actor, Event
from schemas.times import DAY, HOUR
from tests.histories import CHIEF, REGULATOR, Arrival, arrival, evaluate, grant
from tests.honours import (
    LIBRARY,
    apply_star,
    certify,
    close,
    commend,
    decide_star,
    deliver,
    redeem,
    respond,
    reverse,
    revise,
    revoke,
    take_back,
    uncommend,
)

_ACTORS = [
    REGULATOR,
    CHIEF,
    Actor("vo1-1", "organiser", "vo1"),
    Actor("heir-1", "organiser", "heir"),
    Actor("v1", "organiser", "sw1"),
    Actor("v2", "volunteer", "sw1"),
    LIBRARY,
]


@st.composite
def honours(
    draw: st.DrawFn,
    volunteers: st.SearchStrategy[str],
    instants: st.SearchStrategy[int],
    year: int | None = None,
) -> list[Arrival]:
    """A few facts about one evaluation, star, redemption, commendation or certificate."""
    volunteer = draw(volunteers)
    story: Any = draw(st.sampled_from([_evaluation, _stars, _stars, _points, _points, _papers]))
    at = draw(instants) + draw(st.sampled_from([0, DAY, DAY, 2 * DAY]))
    project = draw(st.sampled_from(["p1", "p1", "p-tiers", "p-open"]))
    told: list[Event] = draw(story(volunteer, at, project, year))
    if draw(st.integers(0, 3)):
        # Mostly there is some service to recognise.
        hours = draw(st.integers(1, 4))
        start = at - draw(st.sampled_from([6, 7, 7, 8])) * HOUR
        name = f"h{draw(st.integers(0, 3))}"
        told.insert(0, grant(volunteer, name, start, start + hours * HOUR, project=project))
    return [arrival(event) for event in told]


def _by(draw: st.DrawFn) -> dict[str, Any]:
    """Mostly whoever it should be, sometimes anybody."""
    if draw(st.integers(0, 4)):
        return {}
    return {"actor": draw(st.sampled_from(_ACTORS))}


@st.composite
def _evaluation(
    draw: st.DrawFn, volunteer: str, at: int, project: str, year: int | None
) -> list[Event]:
    told: list[Event] = []
    if draw(st.integers(0, 2)) == 0:
        days = ["2025-03-08", "2025-03-08", "2025-03-10", "2025-02-20", "2025-02-24"]
        told.append(close(project, draw(st.sampled_from(days))))
    kinds: list[Any] = [evaluate, evaluate, take_back, revise, respond, deliver]
    for number in range(draw(st.integers(1, 4))):
        kind = evaluate if number == 0 and draw(st.booleans()) else draw(st.sampled_from(kinds))
        org = draw(st.sampled_from(["sw1", "sw1", "vo1"]))
        name = {"evaluation_id" if kind is evaluate else "evaluation":
                draw(st.sampled_from(["ev-1", "ev-1", "ev-2"]))}  # fmt: skip
        told.append(kind(volunteer, project, org, at + number * HOUR, **name, **_by(draw)))
    return told


@st.composite
def _stars(draw: st.DrawFn, volunteer: str, at: int, project: str, year: int | None) -> list[Event]:
    told: list[Event] = []
    star = 1
    for number in range(draw(st.integers(1, 4))):
        application = f"sa-{star}-{draw(st.sampled_from([0, 0, 0, 1]))}"
        of_year = year if draw(st.integers(0, 7)) else 2025
        when = at + number * HOUR
        told.append(apply_star(volunteer, star, application, when, year=of_year, **_by(draw)))
        for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2]))):
            decision = draw(st.sampled_from(["approve", "approve", "approve", "reject"]))
            body = draw(st.sampled_from(["sw1", "sw1", "sw1", "vo1"]))
            decided = when + draw(st.integers(-1, 2)) * HOUR
            told.append(decide_star(volunteer, star, application, decided, decision=decision,
                                    body=body, **_by(draw)))  # fmt: skip
        star = draw(st.sampled_from([star, star + 1, star + 1, 1]))
    return told


@st.composite
def _points(
    draw: st.DrawFn, volunteer: str, at: int, project: str, year: int | None
) -> list[Event]:
    if draw(st.integers(0, 2)) == 0:
        # All that is there is spent, returned, and spent again.
        points = draw(st.integers(1, 6))
        return [redeem(volunteer, points, "r1", at), reverse(volunteer, "r1", at + HOUR),
                redeem(volunteer, points, "r2", at + 2 * HOUR)]  # fmt: skip
    told: list[Event] = []
    for number in range(draw(st.integers(1, 4))):
        case_id = draw(st.sampled_from(["r1", "r1", "r2", "r3"]))
        when, partner = at + number * HOUR, draw(st.sampled_from(["library"] * 4 + ["vo1"]))
        by: dict[str, Any] = {
            "actor": Actor("vo1-1", "organiser", "vo1") if partner == "vo1" else LIBRARY
        }
        by |= _by(draw)
        if draw(st.integers(0, 2)):
            points, event_id = draw(st.integers(1, 4)), f"redeem-{draw(st.integers(0, 400))}"
            benefit: dict[str, Any] = {"benefit_id": draw(st.sampled_from(["card", "card", None]))}
            told.append(redeem(volunteer, points, case_id, when, partner=partner,
                               event_id=event_id, **benefit, **by))  # fmt: skip
        else:
            told.append(reverse(volunteer, case_id, when, partner=partner, **by))
    return told


@st.composite
def _papers(
    draw: st.DrawFn, volunteer: str, at: int, project: str, year: int | None
) -> list[Event]:
    told: list[Event] = []
    for number in range(draw(st.integers(1, 4))):
        when, name = at + number * HOUR, draw(st.sampled_from(["1", "1", "2"]))
        by = _by(draw)
        kind: Any = draw(st.sampled_from([commend, uncommend, certify, certify, revoke]))
        if kind in (commend, uncommend):
            body = draw(st.sampled_from(["sw1", "sw1", "vo1"]))
            told.append(kind(volunteer, name, when, body=body, **by))
        elif kind is revoke:
            told.append(revoke(volunteer, name, when, org="sw1", **by))
        else:
            replaced = draw(st.sampled_from([None, None, "1", "9"]))
            told.append(certify(volunteer, name, at=when, supersedes_id=replaced, **by))
    return told
