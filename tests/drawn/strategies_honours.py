"""Made-up evaluations, stars, redemptions and certificates of one volunteer."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from schemas.events import Actor, Evaluation, Event, Recognition
from schemas.times import DAY, HOUR
from tests.drawn.histories import (
    CHIEF,
    REGULATOR,
    Arrival,
    arrival,
    evaluate,
    grant,
    project,
    succeed,
    void,
    when,
)
from tests.drawn.honours import (
    LIBRARY,
    apply_star,
    certify,
    close,
    commend,
    decide_star,
    deliver,
    recognised_by,
    redeem,
    respond,
    reverse,
    revise,
    revoke,
    take_back,
    uncommend,
)
from tests.drawn.strategies import KNOWN, REGISTRATIONS, changes, merging_histories

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


_BEGIN = when("08:00", "2025-03-09")
KNOWN_HERE = (
    *KNOWN,
    project("p-open"),
    close("p-tiers", "2025-02-20"),
    recognised_by(9, (1, 2, 4), point_minutes=40),
)
"""What is registered in these histories."""

_YEARLY = recognised_by(10, (1, 2), "yearly", 30)
_CHANGES: tuple[Event, ...] = (
    recognised_by(11, (3, 5), point_minutes=60),
    close("p1", "2025-03-10"),
    succeed("sw1", "heir"),
)
_volunteers = st.just("v1")
_instants = st.builds(lambda hours: _BEGIN + hours * HOUR, st.integers(0, 40))


@st.composite
def honoured(draw: st.DrawFn) -> list[Arrival]:
    """Service, what it is recognised by, hours that are voided, rules that change."""
    year = draw(st.sampled_from([None, None, 2025]))
    stories = [draw(honours(_volunteers, _instants, year)) for _ in range(draw(st.integers(1, 3)))]
    told = [one for story in stories for one in story]
    if year is not None:
        start = when("20:00", "2024-12-31")
        told.append(arrival(grant(grant_id="eve", start=start, end=start + DAY // 6)))
        told.append(Arrival(_YEARLY, start))
    if draw(st.integers(0, 2)) == 0:
        at = draw(_instants)
        told.append(arrival(void(grant_id=f"h{draw(st.integers(0, 3))}", at=at)))
    if draw(st.integers(0, 2)) == 0:
        told.append(Arrival(draw(st.sampled_from(_CHANGES)), draw(_instants)))
    told.sort(key=lambda one: one.recorded_at)
    if draw(st.integers(0, 2)) == 0:
        told = list(draw(st.permutations(told)))
    return told


@st.composite
def honoured_people(draw: st.DrawFn) -> list[Arrival]:
    """The same of a person who goes by several registrations, which are merged and parted.

    What is said of one span always goes by one of them: a grant that was refused stays refused.
    """
    told: list[Arrival] = []
    named: dict[str, str] = {}
    registrations = st.sampled_from(REGISTRATIONS)
    for arrived in draw(honoured()):
        event: Any = arrived.event
        if hasattr(event, "volunteer_id"):
            grant_id = getattr(event, "grant_id", None)
            name = draw(registrations)
            if grant_id is not None:
                name = named.setdefault(grant_id, name)
            event = replace(event, volunteer_id=name)
            if event.actor.id == "v1" and draw(st.integers(0, 3)):
                event = replace(event, actor=replace(event.actor, id=name))
        told.append(Arrival(event, arrived.recorded_at))
    for at, change in reversed(draw(changes(len(told), unmerges=True))):
        told.insert(at, Arrival(change, told[at - 1].recorded_at if at else _BEGIN))
    return told


@st.composite
def all_of_a_person(draw: st.DrawFn, *, unmerges: bool) -> list[Arrival]:
    """Hours of a person under several registrations, and what these are recognised by, mixed."""
    told = draw(merging_histories(unmerges=unmerges))
    for one in draw(honoured_people()):
        if isinstance(one.event, Evaluation | Recognition):
            told.insert(draw(st.integers(0, len(told))), one)
    return told
