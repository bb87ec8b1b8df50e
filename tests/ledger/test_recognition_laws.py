"""What holds for every made-up history of recognition, and bugs planted in it on purpose.

See `test_laws` and `test_planted_bugs`; here histories are dense in what service is recognised by.
"""

from random import Random

import pytest
from hypothesis import find, given, note
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

import ledger.replay  # every module of the core is loaded before a bug is planted
from ledger import rules
from ledger.account import statements
from ledger.recognition import cases, evaluations, recognition, stars
from schemas.events import Evaluation, Recognition
from tests.drawn.histories import Arrival, log
from tests.drawn.histories import words as told_as
from tests.drawn.strategies import KNOWN, LAW
from tests.drawn.strategies_honours import KNOWN_HERE, all_of_a_person, honoured, honoured_people
from tests.drawn.town import Town, judge
from tests.drawn.town_honours import answers_wrong, parted_wrong
from tests.ledger.test_planted_bugs import SEARCH, SEED, TRIES, Plant, everywhere
from tests.reference.model import check

plain = pytest.mark.skipif(
    not rules.__file__.endswith(".py"), reason="bugs are planted in plain Python"
)


@given(honoured())
@LAW
def test_the_ledger_says_of_recognition_what_the_reference_says(history: list[Arrival]) -> None:
    note(told_as(history))
    records = log(*KNOWN_HERE, *history)
    assert check(records, ledger.replay.replay(records).postings) == []


@given(honoured())
@LAW
def test_i12_no_recognition_and_no_evaluation_ever_moves_a_minute(history: list[Arrival]) -> None:
    note(told_as(history))
    kept = [a for a in history if not isinstance(a.event, Evaluation | Recognition)]
    whole, bare = (ledger.replay.replay(log(*KNOWN_HERE, *told)) for told in (history, kept))
    lines = [[p.lines for p in book.postings if p.lines] for book in (whole, bare)]
    assert lines[0] == lines[1]


@given(honoured())
@LAW
def test_points_are_never_spent_before_they_are_earned(history: list[Arrival]) -> None:
    """Redeemed and not returned, they pass what is earned only where hours were taken back."""
    note(told_as(history))
    book = ledger.replay.replay(log(*KNOWN_HERE, *history))
    for name, account in book.accounts.items():
        own = [p for p in book.postings if p.volunteer_id == name]
        most = max(p.balance_minutes for p in own)
        assert 0 <= recognition.points_spent(account) <= most // 30


@given(honoured_people())
@LAW
def test_a_merged_person_is_recognised_as_one(history: list[Arrival]) -> None:
    note(told_as(history))
    assert answers_wrong([*KNOWN_HERE, *history]) == []


@given(honoured_people(), st.integers(0, 2**16))
@LAW
def test_each_registration_has_its_own_honours_however_transfers_come(
    history: list[Arrival], seed: int
) -> None:
    note(told_as(history))
    town = Town(3, seed).take([*KNOWN_HERE, *history]).settle()
    assert parted_wrong(town) == []
    assert town.replayed()


@given(st.booleans().flatmap(lambda way: all_of_a_person(unmerges=way)), st.integers(0, 2**16))
@LAW
def test_hours_and_honours_of_one_person_move_together(history: list[Arrival], seed: int) -> None:
    note(told_as(history))
    assert judge(history, seed) == []
    assert parted_wrong(Town(3, seed).take([*KNOWN, *history]).settle()) == []


def _never_back(_: statements.Case, __: str) -> bool:
    return False


def _the_last_that_comes(word: statements.Word, other: statements.Word) -> bool:
    return True


def _rejected_waits(case: statements.Case) -> statements.Standing | None:
    counted = words_standing(case)
    if (
        counted is None
        and case.kind == statements.STAR
        and (first := statements.opened(case)) is not None
    ):
        return statements.starred(first.number, True), 1
    return counted


words_standing = statements.standing


BUGS: dict[str, Plant] = {
    "an open project is evaluated": everywhere(evaluations._not_closed, lambda *_: None),
    "who was not there is evaluated": everywhere(evaluations._attended, lambda *_: True),
    "an evaluation is never late": everywhere(evaluations.evaluated_late, lambda *_: False),
    "two evaluations of one organisation stand": everywhere(
        evaluations._stands, lambda *_: False
    ),
    "anybody awards and reverses": everywhere(cases.refusal, lambda *_, **__: None),
    "what was taken back before it came counts": everywhere(statements.is_back, _never_back),
    "points are spent that are not there": everywhere(
        recognition.points_earned, lambda *_: 1_000_000
    ),
    "part of a point counts": everywhere(
        recognition.points_earned, lambda minutes, rules: -(-minutes // rules.point_minutes)
    ),
    "a reversal returns nothing": everywhere(cases.take_back, lambda *_: ("posted", None, ())),
    "a redemption is known by its points alone": everywhere(
        recognition._content, lambda word: word.number
    ),
    "a star's hours must be passed": everywhere(
        stars.reached, lambda rules, star, minutes: minutes > rules.star_hours[star - 1] * 60
    ),
    "stars come in any order": everywhere(stars._held, lambda *_: True),
    "a lifetime's hours count for a year": everywhere(
        stars.minutes_towards, lambda own, year: own.balance_minutes
    ),
    "the decision on a star that arrives last counts": everywhere(
        statements.later, _the_last_that_comes
    ),
    "a rejected star is held": everywhere(statements.standing, _rejected_waits),
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
    assert not found_wrong(history), f"the core gets this wrong without a bug:\n{told_as(history)}"
