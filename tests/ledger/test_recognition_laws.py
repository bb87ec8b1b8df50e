"""What holds for every made-up history of recognition, and bugs planted in it on purpose.

See `test_laws` and `test_planted_bugs`; here histories are dense in what service is recognised by.
"""

import itertools
from random import Random
from typing import Any

import pytest
from hypothesis import find, given, note
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

import ledger.replay  # every module of the core is loaded before a bug is planted
from ledger import cases, evaluations, recognition, rules, stars
from ledger.account import Account
from schemas.events import Evaluation, Event, Recognition
from schemas.times import DAY
from tests.histories import Arrival, arrival, grant, log, project, succeed, void, when, words
from tests.honours import close, recognised_by
from tests.ledger.test_planted_bugs import SEARCH, SEED, TRIES, Plant, everywhere
from tests.model import check
from tests.strategies import KNOWN, LAW
from tests.strategies_honours import honours

plain = pytest.mark.skipif(
    not rules.__file__.endswith(".py"), reason="bugs are planted in plain Python"
)

_BEGIN = when("08:00", "2025-03-09")
_volunteers = st.just("v1")
_instants = st.builds(lambda hours: _BEGIN + hours * 3_600_000_000, st.integers(0, 40))
KNOWN_HERE = (
    *KNOWN,
    project("p-open"),
    close("p-tiers", "2025-02-20"),
    recognised_by(9, (1, 2, 4), point_minutes=40),
)
_YEARLY = recognised_by(10, (1, 2), "yearly", 30)
_CHANGES: tuple[Event, ...] = (
    recognised_by(11, (3, 5), point_minutes=60),
    close("p1", "2025-03-10"),
    succeed("sw1", "heir"),
)


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


@given(honoured())
@LAW
def test_the_ledger_says_of_recognition_what_the_reference_says(history: list[Arrival]) -> None:
    note(words(history))
    records = log(*KNOWN_HERE, *history)
    assert check(records, ledger.replay.replay(records).postings) == []


@given(honoured())
@LAW
def test_i12_no_recognition_and_no_evaluation_ever_moves_a_minute(history: list[Arrival]) -> None:
    note(words(history))
    kept = [a for a in history if not isinstance(a.event, Evaluation | Recognition)]
    whole, bare = (ledger.replay.replay(log(*KNOWN_HERE, *told)) for told in (history, kept))
    lines = [[p.lines for p in book.postings if p.lines] for book in (whole, bare)]
    assert lines[0] == lines[1]


@given(honoured())
@LAW
def test_points_are_never_spent_before_they_are_earned(history: list[Arrival]) -> None:
    """Redeemed and not returned, they pass what is earned only where hours were taken back."""
    note(words(history))
    book = ledger.replay.replay(log(*KNOWN_HERE, *history))
    for name, account in book.accounts.items():
        own = [p for p in book.postings if p.volunteer_id == name]
        most = max(p.balance_minutes for p in own)
        assert 0 <= recognition.points_spent(account) <= most // 30


def _begins_anyway(own: Account, kind: str, case_id: str, whose: str) -> bool:
    cases_begin(own, kind, case_id, whose)
    return True


_arrived = itertools.count(2**60)


def _as_it_arrives(event: Any) -> int:
    number = next(_arrived) * 4
    return number + (stars.APPROVED if event.decision == "approve" else stars.REJECTED)


def _never_rejected(own: Account, name: str) -> int:
    return min(stars_standing(own, name), stars.APPROVED)


cases_begin = cases.begin
stars_standing = stars._standing

BUGS: dict[str, Plant] = {
    "an open project is evaluated": everywhere(evaluations._not_closed, lambda *_: None),
    "who was not there is evaluated": everywhere(evaluations._attended, lambda *_: True),
    "an evaluation is never late": everywhere(
        evaluations.evaluation_deadline, lambda *_: 2**31
    ),
    "two evaluations of one organisation stand": everywhere(
        evaluations._stands, lambda *_: False
    ),
    "anybody awards and reverses": everywhere(cases.refusal, lambda *_, **__: None),
    "what was taken back before it came counts": everywhere(cases.begin, _begins_anyway),
    "points are spent that are not there": everywhere(
        recognition.points_earned, lambda *_: 1_000_000
    ),
    "part of a point counts": everywhere(
        recognition.points_earned, lambda minutes, rules: -(-minutes // rules.point_minutes)
    ),
    "a reversal returns nothing": everywhere(recognition._points_of, lambda *_: 0),
    "a redemption is known by its points alone": everywhere(
        recognition._content, lambda event: int(event.points)
    ),
    "a star's hours must be passed": everywhere(
        stars.reached, lambda rules, star, minutes: minutes > rules.star_hours[star - 1] * 60
    ),
    "stars come in any order": everywhere(stars._held, lambda *_: True),
    "a lifetime's hours count for a year": everywhere(
        stars.minutes_towards, lambda own, year: own.balance_minutes
    ),
    "the decision on a star that arrives last counts": everywhere(
        stars.decided_as, _as_it_arrives
    ),
    "a rejected star is held": everywhere(stars._standing, _never_rejected),
}  # fmt: skip


def found_wrong(history: list[Arrival]) -> bool:
    """Does the reference disagree with what the core makes of a history?"""
    records = log(*KNOWN_HERE, *history)
    return check(records, ledger.replay.replay(records).postings) != []


def search() -> list[Arrival] | None:
    """The first made-up history that the core gets wrong, None if it gets all right."""
    try:
        return find(honoured(), found_wrong, settings=SEARCH, random=Random(SEED))
    except NoSuchExample:
        return None


@plain
@pytest.mark.parametrize("bug", BUGS)
def test_the_reference_finds_the_planted_bug(bug: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        BUGS[bug](patch)
        history = search()
    assert history is not None, f"{bug!r} survived {TRIES} histories of seed {SEED}"
    assert not found_wrong(history), f"the core gets this wrong without a bug:\n{words(history)}"
