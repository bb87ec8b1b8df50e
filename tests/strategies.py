"""Made-up histories of a few volunteers in one partition, full of what goes wrong in the field.

Ids, places and times come from small pools, so that things collide. SHILU_LAW_EXAMPLES says how
many histories each law is tried on.
"""

import os
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from schemas.events import CatalogueEvent, Event, Fact, HoursGranted
from schemas.times import DAY, HOUR, MINUTE, SECOND
from tests.histories import (
    BASICS,
    CHIEF,
    ORGANISER,
    Arrival,
    arrival,
    check_in,
    check_out,
    evaluate,
    grant,
    org,
    policy,
    project,
    shift,
    site,
    tick,
    void,
    when,
)

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
places = _mostly(PLACES[:3], PLACES)
lengths = _mostly(USUAL_LENGTHS, ODD_LENGTHS)
instants = st.builds(
    lambda hours, micros: BEGIN + hours * HOUR + micros,
    _mostly([0, 1, 2, 3, 8, 9, 10, 11], list(range(31))),
    _mostly([0], [1, 20 * SECOND, 40 * SECOND, MINUTE - 1]),
)
delays = _mostly(USUAL_DELAYS, ODD_DELAYS)


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
    return [arrival(event)]


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
    arrivals = draw(_happenings([_grants(), _decisions(), _ticks, _publications, _releases()]))
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
def calm_histories(draw: st.DrawFn) -> list[Arrival]:
    """Only what no order may change: unique event ids, one grant for a grant_id, no evaluations,
    no policy or publication in the middle; late, odd and voided facts all the same."""
    drawn = draw(_happenings([_grants(), _decisions(), _ticks]))
    taken: set[tuple[str, str]] = set()
    arrivals = []
    for number, (event, recorded_at) in enumerate((a.event, a.recorded_at) for a in drawn):
        if isinstance(event, HoursGranted):
            name = (event.volunteer_id, event.grant_id)
            if name in taken:
                continue
            taken.add(name)
        if type(event).__name__ == "EvaluationSubmitted":
            continue
        unique = f"{draw(st.integers(0, 9))}-{number}"
        arrivals.append(Arrival(replace(event, event_id=unique), recorded_at))
    return arrivals
