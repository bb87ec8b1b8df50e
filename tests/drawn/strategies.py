"""Made-up histories of a few volunteers in one partition, full of what goes wrong in the field.

Ids, places and times come from small pools, so that things collide. SHILU_LAW_EXAMPLES says how
many histories each law is tried on.
"""

import os
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from schemas.events import (
    Actor,
    CatalogueEvent,
    EvaluationSubmitted,
    Event,
    Fact,
    HoursClaimed,
    HoursGranted,
    HoursImported,
    TrainingRecorded,
)
from schemas.times import DAY, HOUR, MINUTE, SECOND
from tests.drawn.histories import (
    BASICS,
    CHIEF,
    ORGANISER,
    REGULATOR,
    Arrival,
    accept,
    appeal,
    arrival,
    ask,
    cancel,
    check_in,
    check_out,
    claim,
    confirm,
    consent,
    correct,
    decide,
    deny,
    evaluate,
    grant,
    heads,
    hear,
    holidays,
    imported,
    merge,
    no_consent,
    no_show,
    operator,
    org,
    policy,
    project,
    register,
    reinstate,
    rerate,
    served,
    shift,
    site,
    succeed,
    tick,
    training,
    unmerge,
    void,
    when,
    withdraw,
)
from tests.drawn.honours import close

EXAMPLES = int(os.environ.get("SHILU_LAW_EXAMPLES", "200"))
LAW = settings(
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

BEGIN = when("22:00", "2025-03-08")
KNOWN: tuple[CatalogueEvent, ...] = (
    *BASICS,
    site("new-york", ("2024-11-03T06:00:00Z", -300), ("2025-03-09T07:00:00Z", -240)),
    site("clock-back", ("2024-01-01T00:00:00Z", 120), ("2025-03-08T22:00:00Z", 60)),
    site("day-lost", ("2024-01-01T00:00:00Z", -600), ("2025-03-09T10:00:00Z", 840)),
    policy("strict", 1, "2025-03-09", open_minutes=90, session_minutes=300, late_minutes=1440),
    project("p-strict", "strict"),
    project("p-shifts"),
    shift("sh1", "p-shifts", "a1"),
    policy("tiers", 1, "2025-01-01", tiers=(180, 300)),
    project("p-tiers", "tiers"),
    policy("clamp", 1, "2025-01-01", clamp=True, ratio=50),
    project("p-clamp", "clamp"),
    shift("sh-clamp", "p-clamp", "a1", BEGIN, BEGIN + 3 * HOUR),
    project("p-roster"),
    shift("sh-roster", "p-roster", "a1", BEGIN, BEGIN + 3 * HOUR),
    accept("v2", "sh-roster"),
    register("v2", "2015-03"),
    consent("v2"),
    org("above"),
    org("sw1", "above"),
    *(close(name, "2025-03-08") for name in ("p1", "p2", "p-strict", "p-shifts", "p-tiers",
                                             "p-clamp", "p-roster", "p-late")),
)  # fmt: skip
"""Published before anything happens. `strict` has no version for the first day."""

LATER: tuple[CatalogueEvent, ...] = (
    org("org-late"),
    project("p-late"),
    site("site-late", ("2024-01-01T00:00:00Z", 0)),
    shift("sh2", "p-shifts", "a2"),
    shift("sh3", "p2", "a2"),
    policy("strict", 2, "2025-03-01", open_minutes=300, session_minutes=600),
    policy("strict", 1, "2025-03-01", open_minutes=1, session_minutes=2),
    policy("default", 1, "2025-03-10", open_minutes=600, late_minutes=2880),
    policy("default", 2, "2025-03-09", open_minutes=1440, session_minutes=1500),
    project("p1", "strict"),
    site("new-york", ("2024-01-01T00:00:00Z", 540)),
    policy("tiers", 2, "2025-03-09", tiers=(60, None)),
    policy("tiers", 3, "2025-03-09", tiers=(300, 60)),
    accept("v1", "sh-roster"),
    withdraw("v2", "sh-roster"),
    cancel("sh-roster"),
    register("v1", "2012-03"),
    consent("v1"),
    no_consent("v2", BEGIN + 5 * HOUR),
    operator("site-a", "stranger", "2025-03-09", "2025-03-09"),
    holidays(("2025-03-10", "2025-03-11"), ("2025-03-15",)),
    policy("default", 3, "2025-03-08", deadline_days=1, calendar="cn", skew_minutes=30),
    succeed("sw1", "heir"),
    no_show("v1", "sh-roster"),
    heads("sw1"),
)
"""Published some time later, some of it against the rules (a version twice, a session too long)."""

PLACES: list[dict[str, Any]] = [
    {},
    {"org": "vo1", "project": "p2", "site": "site-a"},
    {"org": "vo1", "host": "sw1", "project": "p2", "site": "new-york", "activity": "a2"},
    {"project": "p1", "site": "clock-back"},
    {"project": "p1", "site": "day-lost"},
    {"project": "p-strict"},
    {"project": "p-shifts", "activity": "a2"},
    {"project": "p-late", "site": "site-late"},
    {"org": "org-late", "project": "p1"},
    {"org": "vo1", "project": "p1", "site": "site-late"},
    {"project": "p-tiers"},
    {"project": "p-tiers", "site": "site-a"},
    {"project": "p-clamp", "shift_id": "sh-clamp"},
    {"project": "p-roster", "shift_id": "sh-roster"},
    {"project": "p-roster"},
    {"org": "stranger", "project": "p1", "site": "site-a"},
]
MISSING: list[tuple[dict[str, Any], CatalogueEvent]] = [
    ({"org": "org-late"}, org("org-late")),
    ({"site": "site-late"}, site("site-late", ("2024-01-01T00:00:00Z", 0))),
    ({"project": "p-shifts", "activity": "a2"}, shift("sh2", "p-shifts", "a2")),
]
USUAL_LENGTHS = [30 * MINUTE, 90 * MINUTE, 2 * HOUR, 3 * HOUR, 5 * HOUR]
ODD_LENGTHS = [0, 20 * SECOND, MINUTE - 1, MINUTE, 61 * SECOND, 90 * MINUTE + 1, 9 * HOUR,
               12 * HOUR, 12 * HOUR + 1, 20 * HOUR, DAY, DAY + 1, 26 * HOUR, -HOUR]  # fmt: skip
USUAL_DELAYS = [2 * SECOND, HOUR]
ODD_DELAYS = [
    0,
    -6 * MINUTE,
    -5 * MINUTE - 2 * SECOND,
    DAY,
    DAY + HOUR,
    3 * DAY,
    7 * DAY,
    7 * DAY + 1,
    8 * DAY,
]


@st.composite
def _mostly(draw: st.DrawFn, usual: list[Any], odd: list[Any]) -> Any:
    """One of the usual values, in one case of six an odd one."""
    return draw(st.sampled_from(odd if draw(st.integers(0, 5)) == 5 else usual))


volunteers = st.sampled_from(["v1", "v1", "v2"])
sessions = st.sampled_from(["s1", "s2", "s3", "s4"])
grants = st.sampled_from(["g1", "g2", "s1"])
places = _mostly([*PLACES[:3], PLACES[10]], PLACES)
lengths = _mostly(USUAL_LENGTHS, ODD_LENGTHS)
instants = st.builds(
    lambda hours, micros: BEGIN + hours * HOUR + micros,
    _mostly([0, 1, 2, 3, 8, 9, 10, 11], list(range(31))),
    _mostly([0], [1, 20 * SECOND, 40 * SECOND, MINUTE - 1]),
)
delays = _mostly(USUAL_DELAYS, ODD_DELAYS)


def _sent(event: Any, ahead: int) -> Any:
    """An end of a session with the time at which a device says it sent it."""
    return replace(event, sent_at=event.occurred_at + 2 * SECOND + ahead)


@st.composite
def _visits(draw: st.DrawFn) -> list[Arrival]:
    """A check-in, a check-out, or both, of one session; one end may come late or never."""
    volunteer, session, place = draw(volunteers), draw(sessions), draw(places)
    start = draw(instants)
    end = start + draw(lengths)
    ends = draw(_mostly(["both"], ["in", "out", "twice", "granted"]))
    come: list[Event] = []
    if ends != "out":
        come.append(check_in(volunteer, session, start, **place))
    if ends != "in":
        come.append(check_out(volunteer, session, end, **place))
    if draw(st.integers(0, 11)) == 0:
        # A device that says when it sent, by a clock that is wrong.
        ahead = draw(st.sampled_from([-2 * HOUR, -20 * MINUTE, 4 * MINUTE, HOUR, 3 * DAY]))
        come = [_sent(event, ahead) for event in come]
        if draw(st.booleans()):
            # It did not hear that it was heard, and sends once more.
            come += [_sent(event, ahead + MINUTE) for event in come]
    if ends == "twice":
        come.append(check_out(volunteer, session, end + draw(lengths), **place))
        come.append(check_in(volunteer, session, start, **(draw(places) | {"event_id": "again"})))
    if ends == "granted":
        come.append(grant(volunteer, session, start, start + draw(lengths), **draw(places)))
    return [Arrival(event, arrival(event).recorded_at + draw(delays)) for event in come]


@st.composite
def _grants(draw: st.DrawFn) -> list[Arrival]:
    """Hours taken down afterwards, with or without evidence and a second person."""
    start = draw(instants)
    event = grant(
        draw(volunteers), draw(grants), start, start + draw(lengths),
        approver=draw(_mostly([CHIEF], [ORGANISER, None])),
        evidence=draw(_mostly([("sha256:1f",)], [()])),
        **draw(places),
    )  # fmt: skip
    if draw(st.integers(0, 5)) == 0:
        # In somebody's name: now and then by a person who does not act for them.
        event = replace(event, **{draw(st.sampled_from(["actor", "approver"])): draw(deciders)})
    return [arrival(event)]


DECIDERS = [
    ORGANISER,
    CHIEF,
    REGULATOR,
    Actor("above-1", "admin", "above"),
    Actor("vo1-1", "organiser", "vo1"),
    Actor("heir-1", "organiser", "heir"),
    Actor("stranger-1", "organiser", "stranger"),
    Actor("v1", "organiser", "sw1"),
    Actor("v2", "volunteer", "sw1"),
    Actor("nobody", "organiser"),
]
deciders = _mostly(DECIDERS[:3], DECIDERS)
ACTS: list[Any] = [
    void,
    reinstate,
    confirm,
    deny,
    decide,
    decide,
    ask,
    correct,
    appeal,
    hear,
    rerate,
]


@st.composite
def _one_act(draw: st.DrawFn, volunteer: str, target: dict[str, str], at: int) -> Event:
    """One request or decision about a session or a grant, by anybody."""
    kind = draw(st.sampled_from(ACTS))
    more: dict[str, Any] = {"at": at, "event_id": f"act-{draw(st.integers(0, 400))}"}
    if kind not in (ask, appeal) or draw(st.integers(0, 3)) == 0:
        more["actor"] = draw(deciders)
    if kind in (decide, correct, hear):
        more["decision"] = draw(st.sampled_from(["approve", "approve", "reject"]))
    if kind is decide:
        more["level"] = draw(st.sampled_from(["org", "org", "province"]))
        more["scope"] = draw(st.sampled_from(["held", "span"]))
    if kind in (ask, correct):
        more["correction"] = draw(st.sampled_from(["k1", "k1", "k2"]))
    if kind is ask:
        start = draw(instants)
        more |= {"start": start, "end": start + draw(lengths)} | draw(places)
        more.pop("shift_id", None)
    if kind is rerate:
        named = [("default", 0), ("tiers", 1), ("strict", 1), ("strict", 9), ("default", 2)]
        more["policy_id"], more["version"] = draw(st.sampled_from(named))
    if draw(st.integers(0, 3)) == 0:
        more["evidence"] = ("sha256:2c",)
    event: Event = kind(volunteer, **target, **more)
    return event


@st.composite
def _acts(draw: st.DrawFn) -> list[Arrival]:
    """Some requests and decisions about one session or grant."""
    volunteer = draw(volunteers)
    named = st.one_of(
        st.builds(lambda s: {"session": s}, sessions), st.builds(lambda g: {"grant_id": g}, grants)
    )
    target = draw(named)
    made = []
    for _ in range(draw(st.integers(1, 3))):
        at = draw(instants)
        made.append(arrival(draw(_one_act(volunteer, target, at))))
    return made


@st.composite
def _cases(draw: st.DrawFn) -> list[Arrival]:
    """A correction and its decision, or a void, an appeal and its decision; mostly as it should
    be, in any order."""
    volunteer, target = draw(volunteers), draw(st.one_of(
        st.builds(lambda s: {"session": s}, sessions), st.builds(lambda g: {"grant_id": g}, grants)
    ))  # fmt: skip
    at, number = draw(instants), draw(st.integers(0, 400))
    by, yes = draw(deciders), draw(_mostly(["approve"], ["reject"]))
    told: list[Event]
    if draw(st.booleans()):
        start = draw(instants)
        place = {k: v for k, v in draw(places).items() if k != "shift_id"}
        named = {"correction": f"k{number}"}
        asker = draw(st.sampled_from([None, None, by]))
        told = [
            ask(volunteer, **target, start=start, end=start + draw(lengths), at=at, actor=asker,
                **named, **place),
            correct(volunteer, **target, at=at + HOUR, decision=yes, actor=by, **named),
        ]  # fmt: skip
    else:
        against = draw(st.sampled_from([void, deny]))
        told = [
            against(volunteer, **target, at=at, actor=draw(_mostly([ORGANISER], [by]))),
            appeal(volunteer, **target, at=at + HOUR, appeal_id=f"p{number}"),
            hear(volunteer, **target, at=at + 2 * HOUR, appeal_id=f"p{number}", decision=yes,
                 actor=by),
        ]  # fmt: skip
        if draw(st.integers(0, 2)) == 0:
            told.append(reinstate(volunteer, **target, at=at + 3 * HOUR))
    return [arrival(event) for event in told]


@st.composite
def _corrections(draw: st.DrawFn) -> list[Arrival]:
    """A visit, a request to set it right, and the word of somebody who may decide, now and then of
    whoever asked."""
    volunteer, session, start = draw(volunteers), draw(sessions), draw(instants)
    number, right = draw(st.integers(0, 400)), start + draw(st.sampled_from([0, HOUR]))
    target: dict[str, Any] = {"session": session, "correction": f"k{number}"}
    by, yes = draw(st.sampled_from(DECIDERS[:3])), draw(_mostly(["approve"], ["reject"]))
    asker = draw(st.sampled_from([None, None, by]))
    told: list[Event] = [
        check_in(volunteer, session, start),
        check_out(volunteer, session, start + 90 * MINUTE),
        ask(volunteer, **target, start=right, end=right + 3 * HOUR, at=start + 4 * HOUR,
            actor=asker),
        correct(volunteer, **target, at=start + 5 * HOUR, actor=by, decision=yes),
    ]  # fmt: skip
    return [arrival(event) for event in told]


@st.composite
def _appeals(draw: st.DrawFn) -> list[Arrival]:
    """A visit, a void, an appeal, and its hearing, now and then by whoever voided."""
    volunteer, session, start = draw(volunteers), draw(sessions), draw(instants)
    named = {"session": session, "appeal_id": f"p{draw(st.integers(0, 400))}"}
    against, hearing = draw(st.sampled_from(DECIDERS[:3])), draw(st.sampled_from(DECIDERS[:3]))
    told: list[Event] = [
        check_in(volunteer, session, start),
        check_out(volunteer, session, start + 90 * MINUTE),
        void(volunteer, session, at=start + 4 * HOUR, actor=against),
        appeal(volunteer, **named, at=start + 5 * HOUR),
        hear(volunteer, **named, at=start + 6 * HOUR, actor=hearing),
    ]
    return [arrival(event) for event in told]


@st.composite
def _approved(draw: st.DrawFn) -> list[Arrival]:
    """A long or unexpected visit, or a claim, and somebody's word about it."""
    volunteer, place, start = draw(volunteers), draw(st.sampled_from(PLACES[10:])), draw(instants)
    end, session = start + draw(st.sampled_from([2 * HOUR, 4 * HOUR, 13 * HOUR])), draw(sessions)
    told: list[Event]
    if draw(st.integers(0, 3)):
        target = {"session": session}
        told = [check_in(volunteer, session, start, **place)]
        told.append(check_out(volunteer, session, end, **place))
    else:
        target = {"grant_id": draw(grants)}
        told = [claim(volunteer, **target, start=start, end=end, **place)]
    kind: Any = draw(st.sampled_from([confirm, decide, deny]))
    more: dict[str, Any] = {}
    if kind is decide:
        more = {"level": draw(st.sampled_from(["org", "province"]))}
        more["decision"] = draw(st.sampled_from(["approve", "reject"]))
    by = draw(deciders)
    told.append(kind(volunteer, **target, at=end + HOUR, actor=by, **more))
    return [arrival(event) for event in told]


@st.composite
def _entries(draw: st.DrawFn) -> list[Arrival]:
    """A claim, an imported row, a training record, or a grant without times."""
    volunteer, own_id, place = draw(volunteers), draw(grants), draw(places)
    start, delay = draw(instants), draw(_mostly([0, HOUR], [DAY, 11 * DAY, 12 * DAY, 13 * DAY]))
    kind: Any = draw(st.sampled_from([claim, claim, imported, training, grant]))
    more: dict[str, Any] = dict(place)
    if kind in (claim, grant):
        more |= {"start": start, "end": start + draw(lengths)}
        if kind is grant:
            more["minutes"] = draw(st.sampled_from([30, 100, 600, 0]))
    else:
        more |= {
            "day": draw(st.sampled_from(["2025-03-08", "2025-03-09", "2025-03-10"])),
            "minutes": draw(_mostly([60, 120, 240], [0, 1, 1440, 1441, 900])),
            "at": start,
        }
        if kind is imported:
            more["row"] = draw(st.sampled_from(["row-1", "row-2", "row-3"]))
    if draw(st.integers(0, 9)) == 0:
        more["actor"] = draw(deciders)
    event: Any = kind(volunteer, own_id, **more)
    told = arrival(event)
    once = Arrival(told.event, told.recorded_at + delay)
    if kind is not imported or draw(st.booleans()):
        return [once]
    # The same source row under another id, or another one that reads alike.
    again = replace(
        event,
        event_id=f"{event.event_id}-2",
        grant_id=draw(grants),
        batch_id=draw(st.sampled_from(["b1", "b2"])),
    )
    return [once, Arrival(again, once.recorded_at + HOUR)]


@st.composite
def _decisions(draw: st.DrawFn) -> list[Arrival]:
    """A void, an evaluation, or both in this order."""
    at, volunteer, place = draw(instants), draw(volunteers), draw(places)
    decided: list[Event] = []
    kind = draw(st.sampled_from(["session", "grant", "evaluation", "both"]))
    if kind in ("session", "both"):
        decided.append(void(volunteer, session=draw(sessions), at=at))
    if kind == "grant":
        decided.append(void(volunteer, grant_id=draw(grants), at=at))
    if kind in ("evaluation", "both"):
        decided.append(evaluate(volunteer, place.get("project", "p1"), at=at))
    return [Arrival(event, at + DAY) for event in decided]


_ticks = st.builds(
    lambda at, days: [arrival(tick(at + days * DAY))], instants, st.sampled_from([0, 1, 3, 8])
)
_publications = st.builds(lambda event, at: [Arrival(event, at)], st.sampled_from(LATER), instants)


@st.composite
def _releases(draw: st.DrawFn) -> list[Arrival]:
    """A visit to what is not in the catalogue yet, its publication, and a tick."""
    place, missing = draw(st.sampled_from(MISSING))
    volunteer, session, start = draw(volunteers), draw(sessions), draw(instants)
    end = start + draw(lengths)
    visit = [
        arrival(check_in(volunteer, session, start, **place)),
        arrival(check_out(volunteer, session, end, **place)),
    ]
    published = Arrival(missing, max(start, end) + HOUR)
    return [*visit, published, arrival(tick(published.recorded_at + HOUR))]


@st.composite
def _happenings(draw: st.DrawFn, others: list[st.SearchStrategy[Any]]) -> list[Arrival]:
    """Up to 14 happenings, about half of them visits."""
    kinds = st.booleans().flatmap(lambda visit: _visits() if visit else st.one_of(others))
    size = draw(st.integers(1, 14))
    return [a for group in draw(st.lists(kinds, min_size=size, max_size=size)) for a in group]


def _altered(event: Event, number: int) -> Event:
    """Another content under the same event_id: other times, or another volunteer."""
    if number % 3 == 0 and isinstance(event, Fact):
        return replace(event, volunteer_id="v2")
    if isinstance(event, HoursGranted):
        return replace(event, end_at=event.start_at + 5 * MINUTE)
    return replace(event, occurred_at=event.occurred_at - 7 * MINUTE)


@st.composite
def histories(draw: st.DrawFn) -> list[Arrival]:
    """What is logged after `KNOWN`, in log order: facts, ticks, publications.

    Facts come in recorded order or in any; some come twice, some come altered under their old id.
    """
    arrivals = draw(
        _happenings(
            [
                _grants(),
                _decisions(),
                _acts(),
                _acts(),
                _entries(),
                _ticks,
                _publications,
                _releases(),
            ]
        )
    )
    if draw(st.integers(0, 2)):
        arrivals.sort(key=lambda a: a.recorded_at)
    else:
        arrivals = draw(st.permutations(arrivals))
    numbers = st.integers(0, 40)
    for which, place, number in draw(st.lists(st.tuples(numbers, numbers, numbers), max_size=3)):
        facts = [a for a in arrivals if a.event not in LATER]
        if facts:
            again = facts[which % len(facts)]
            if number % 2 == 0:
                again = Arrival(_altered(again.event, number // 2), again.recorded_at)
            arrivals.insert(place % (len(arrivals) + 1), again)
    return arrivals


@st.composite
def _only(draw: st.DrawFn, *kinds: st.SearchStrategy[list[Arrival]]) -> list[Arrival]:
    """A short history of some kinds of happening alone, in recorded order."""
    told = draw(st.lists(st.one_of(*kinds), min_size=1, max_size=6))
    return sorted((a for each in told for a in each), key=lambda a: a.recorded_at)


@st.composite
def _left_open(draw: st.DrawFn) -> list[Arrival]:
    """A visit without an end that is re-rated, and ticks between what its policies allow."""
    session, start = draw(sessions), draw(instants)
    policy_id = draw(st.sampled_from(["strict", "tiers"]))
    told: list[Event] = [
        check_in("v1", session, start, **draw(st.sampled_from([{}, {"project": "p-strict"}]))),
        rerate("v1", session, at=start + draw(st.sampled_from([0, HOUR])), policy_id=policy_id),
        *(tick(start + hours * HOUR) for hours in (2, 13)),
    ]
    return [arrival(event) for event in told]


@st.composite
def _at_midnight(draw: st.DrawFn) -> list[Arrival]:
    """Hours that end at midnight or near it, or a visit that does, taken down some days later."""
    end = when("00:00", "2025-03-11") + draw(st.sampled_from([-1, 0, 0, 1]))
    received_at = end + draw(st.sampled_from([1, 2])) * DAY + draw(st.integers(-2, 2)) * HOUR
    told: list[Event] = [grant("v1", draw(grants), end - HOUR, end)]
    if draw(st.booleans()):
        told = [check_in("v1", "s1", end - HOUR), check_out("v1", "s1", end)]
    return [Arrival(event, received_at) for event in told]


@st.composite
def _first_mornings(draw: st.DrawFn) -> list[Arrival]:
    """Clocks that are half an hour wrong, around the midnight after which they may be so."""
    more: dict[str, Any] = draw(st.sampled_from([{}, {"site": "site-a"}, {"site": "new-york"}]))
    at = when("00:00", "2025-03-09") + draw(st.integers(-20, 20)) * HOUR
    told = check_in("v1", draw(sessions), at, **more)
    if draw(st.booleans()):
        told = replace(told, sent_at=at)
    return [Arrival(told, at - draw(st.sampled_from([-30, 30])) * MINUTE)]


@st.composite
def _changed_later(draw: st.DrawFn) -> list[Arrival]:
    """A visit, somebody's word about it, and ends that come before or after that word."""
    more: dict[str, Any] = draw(st.sampled_from([{}, {"project": "p-roster"}, _TIERED, _TIERED]))
    start = BEGIN + draw(st.integers(0, 3)) * HOUR
    visit: list[Event] = [
        check_in("v1", "s1", start, **more),
        check_out("v1", "s1", start + 2 * HOUR, **more),
    ]
    told = [arrival(event) for event in visit]
    hours = st.integers(-2, 14).map(lambda number: number * HOUR)
    for number, late in enumerate(draw(st.lists(hours, max_size=3))):
        end: Any = draw(st.sampled_from([check_in, check_out]))
        event = end("v1", "s1", start + late, **(more | {"event_id": f"late-{number}"}))
        told.append(Arrival(event, start + draw(hours) + 8 * HOUR))
    for number, at in enumerate(draw(st.lists(hours, min_size=1, max_size=3))):
        kind: Any = draw(st.sampled_from([confirm, confirm, decide, deny]))
        said: dict[str, Any] = {"at": start + at + 4 * HOUR, "event_id": f"word-{number}"}
        if kind is decide:
            said |= {
                "decision": draw(st.sampled_from(["approve", "reject"])),
                "level": draw(st.sampled_from(["org", "province"])),
                "scope": draw(st.sampled_from(["held", "held", "span"])),
            }
        told.append(arrival(kind("v1", "s1", **said)))
    return told


@st.composite
def _long_nights(draw: st.DrawFn) -> list[Arrival]:
    """A long evening that goes on past midnight, and what somebody decides about its pieces."""
    end = when("00:00", "2025-03-09") + draw(st.integers(0, 4)) * HOUR
    told: list[Event] = [
        *served("v1", "s1", end - 9 * HOUR, end - draw(st.integers(4, 6)) * HOUR, **_TIERED),
        *served("v1", "s2", end - 4 * HOUR, end, **_TIERED),
        *served("v1", "s3", end, end + HOUR, **_TIERED),
    ]
    for number in range(draw(st.integers(1, 3))):
        told.append(
            decide(
                "v1",
                "s2",
                at=end + number * HOUR,
                level=draw(st.sampled_from(["org", "province"])),
                decision=draw(st.sampled_from(["reject", "approve"])),
                scope=draw(st.sampled_from(["held", "held", "span"])),
            )
        )
    return draw(st.permutations([arrival(event) for event in told]))


_TIERED = {"project": "p-tiers"}
_LOOSE = Arrival(policy("default", 7, "2025-03-09", skew_minutes=60), BEGIN - DAY)
_STRICT = Arrival(policy("default", 8, "2025-03-01", deadline_days=1), BEGIN - DAY)

changed_later = _only(_changed_later())
"""Visits that somebody approved, and ends that are recorded before and after it."""

long_nights = _long_nights()
"""Days that pass a tier, and decisions about what it holds."""

first_mornings = _only(_first_mornings()).map(lambda told: [_LOOSE, *told])
"""What is recorded around the first morning of a version that lets clocks differ by more."""

midnights = _only(_at_midnight()).map(lambda told: [_STRICT, *told])
"""What ends around midnight, and a deadline of one working day."""

disputes = _only(_corrections(), _appeals())
"""Requests and appeals that somebody decides, now and then the wrong person."""

left_open = _only(_left_open(), _acts())
"""Visits that nobody ends, under one policy or another."""

entered = _only(_entries(), _publications)
"""What people enter, in time and late, and what is published meanwhile."""


@st.composite
def calm_histories(draw: st.DrawFn) -> list[Arrival]:
    """Only what no order may change: unique event ids, one entry for a grant_id and for a source
    row, no evaluations, no publication in the middle; late, odd, void and disputed facts all the
    same."""
    others = [_grants(), _decisions(), _acts(), _cases(), _approved(), _entries(), _ticks]
    taken: set[tuple[str, str]] = set()
    arrivals = []
    for number, (event, recorded_at) in enumerate(
        (a.event, a.recorded_at) for a in draw(_happenings(others))
    ):
        if isinstance(event, HoursGranted | HoursClaimed | HoursImported | TrainingRecorded):
            name = (event.volunteer_id, event.grant_id)
            if name in taken:
                continue
            taken.add(name)
        if isinstance(event, HoursImported):
            event = replace(event, row_hash=f"row-{number}")
        if isinstance(event, EvaluationSubmitted):
            continue
        unique = f"{draw(st.integers(0, 9))}-{number}"
        arrivals.append(Arrival(replace(event, event_id=unique), recorded_at))
    return arrivals


REGISTRATIONS = ("v1", "v3", "v4")
"""Under which one person of these histories is registered."""


@st.composite
def changes(draw: st.DrawFn, length: int, *, unmerges: bool) -> list[tuple[int, Event]]:
    """Merges of the registrations, and unmerges if they may be, with their places in a history."""
    registrations = st.sampled_from(REGISTRATIONS)
    absorbed: list[str] = []
    found: list[tuple[int, Event]] = []
    for number, at in enumerate(sorted(draw(st.lists(st.integers(0, length), max_size=5)))):
        change: Event
        if unmerges and absorbed and draw(st.booleans()):
            change = unmerge(draw(st.sampled_from(absorbed)))
        else:
            absorbed.append(draw(registrations))
            change = merge(absorbed[-1], draw(registrations))
        found.append((at, replace(change, event_id=f"change-{number}")))
    return found


@st.composite
def merging_histories(draw: st.DrawFn, *, unmerges: bool) -> list[Arrival]:
    """A calm history in which a person goes by several registrations, and these are merged, in
    chains and circles, at any time.

    Without unmerges each end of a session may be recorded under another registration. What is
    decided about one span always goes by one of them: an act that was refused stays refused.
    """
    told: list[Arrival] = []
    named: dict[tuple[str, str], str] = {}
    for arrived in draw(calm_histories()):
        event: Any = arrived.event
        if getattr(event, "volunteer_id", None) == "v1":
            what = type(event).__name__
            ends = what in ("CheckedIn", "CheckedOut") and not unmerges
            target = getattr(event, "session_id", None) or getattr(event, "grant_id", None)
            key = (event.event_id if ends else "", str(target))
            name = named.setdefault(key, draw(st.sampled_from(REGISTRATIONS)))
            event = replace(event, volunteer_id=name)
            if event.actor.id == "v1":
                event = replace(event, actor=replace(event.actor, id=name))
        told.append(Arrival(event, arrived.recorded_at))
    for at, change in reversed(draw(changes(len(told), unmerges=unmerges))):
        now = told[at - 1].recorded_at if at else BEGIN
        ticks = [arrival(tick(now))] if draw(st.integers(0, 3)) else []
        told[at:at] = [Arrival(change, now), *ticks]
    return told
