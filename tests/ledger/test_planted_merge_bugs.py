"""Bugs planted in merges: the law of one person's hours must find every one."""

from random import Random
from typing import Any

import pytest
from hypothesis import find
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from ledger import rules
from ledger.account import parts, statements
from ledger.account.spans import Facts, Span
from ledger.catalogue import people
from ledger.hours import rating
from ledger.merging import moving_cases, moving_hours, transfers
from tests.drawn.histories import Arrival
from tests.drawn.histories import words as told_as
from tests.drawn.strategies import merging_histories
from tests.drawn.strategies_honours import KNOWN_HERE, honoured_people
from tests.drawn.town import Town, judge
from tests.drawn.town_honours import answers_wrong, parted_wrong
from tests.ledger.test_planted_bugs import SEARCH, SEED, TRIES, Plant, everywhere, method

pytestmark = pytest.mark.skipif(
    not rules.__file__.endswith(".py"),
    reason="bugs are planted in plain Python; `make test` runs this folder so, too",
)

parts_union = parts.union
Told = transfers.Told
told_tell = Told.tell


def _the_later_beginning_stands(own: Facts, other: Facts) -> Facts:
    joined = parts_union(own, other)
    if own.start is not None and other.start is not None:
        late = max((own, other), key=lambda facts: (facts.start, facts.start_event))
        joined.start, joined.start_event, joined.place = late.start, late.start_event, late.place
    return joined


def _other_ends_are_lost(own: Facts, other: Facts) -> Facts:
    joined = parts_union(own, other)
    joined.outs = own.outs or other.outs
    return joined


def _one_hop(self: people.People, name: str) -> str:
    return self.into.get(name, name)


def _nothing_is_taken_back(self: Any, to: str, span: Span, facts: Facts, **how: bool) -> None:
    if not how.get("withdrawn"):
        told_tell(self, to, span, facts)


BUGS: dict[str, Plant] = {
    "the absorbed one keeps its hours": everywhere(rating.uncredit, lambda *_: ()),
    "what is handed over does not arrive": everywhere(
        moving_hours.receive, lambda *_: ("posted", "nothing_changed", ())
    ),
    "late events stay where they came": everywhere(moving_hours.forward, lambda *_: []),
    "a chain ends at its first link": method(people.People, "survivor", _one_hop),
    "the later of two beginnings stands": everywhere(parts.union, _the_later_beginning_stands),
    "an end under the other registration is lost": everywhere(parts.union, _other_ends_are_lost),
    "only own facts are settled": everywhere(parts.whole, lambda span: span.facts),
    "an unmerge leaves a copy": method(Told, "tell", _nothing_is_taken_back),
    "an unmerged one gets nothing back": everywhere(
        moving_hours._taken_home, lambda *_: ("posted", "unmerged", ())
    ),
}


def search() -> tuple[list[Arrival], int] | None:
    """The first made-up history and order of transfers that come out wrong."""
    histories = st.booleans().flatmap(lambda unmerges: merging_histories(unmerges=unmerges))
    both = st.tuples(histories, st.integers(0, 2**16))
    try:
        return find(both, lambda case: judge(*case) != [], settings=SEARCH, random=Random(SEED))
    except NoSuchExample:
        return None


@pytest.mark.parametrize("bug", BUGS)
def test_the_law_of_one_person_finds_the_planted_bug(bug: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        BUGS[bug](patch)
        case = search()
    assert case is not None, f"{bug!r} survived {TRIES} histories of seed {SEED}"
    assert judge(*case) == [], f"the core gets this wrong without a bug:\n{told_as(case[0])}"


def _under_that_name_alone(self: people.People, name: str) -> set[str]:
    return {name}


HONOUR_BUGS: dict[str, Plant] = {
    "what was spent stays with the absorbed one": everywhere(
        moving_cases.hand_over, lambda *_: None
    ),
    "an absorbed one is judged by its own hours": everywhere(
        moving_cases.send_on, lambda *_: ("posted", None, ())
    ),
    "what is judged for an absorbed one is not told it": everywhere(
        moving_cases.answer, lambda *_: []
    ),
    "an unmerge leaves what was spent": everywhere(moving_cases.take_home, lambda *_: None),
    "an unmerge takes all words of a case": everywhere(
        statements.without_origin, lambda case, _: statements.Case(case.kind, case.id)
    ),
    "of one redemption under two registrations both count": everywhere(
        statements.standing, lambda case: _each_counts(case)
    ),
    "somebody under another registration is somebody else": method(
        people.People, "registrations", _under_that_name_alone
    ),
}  # fmt: skip


def _each_counts(case: statements.Case) -> statements.Standing | None:
    if case.kind != statements.REDEMPTION:
        return words_standing(case)
    first = statements.opened(case)
    if first is None or statements.is_back(case, first.whose):
        return None
    return statements.SPENT, sum(word.number for word in case.words if word.what == statements.OPEN)


words_standing = statements.standing


def honours_wrong(history: list[Arrival], seed: int) -> bool:
    """Is a person not recognised as one, or not parted again?"""
    if answers_wrong([*KNOWN_HERE, *history]):
        return True
    return parted_wrong(Town(3, seed).take([*KNOWN_HERE, *history]).settle()) != []


@pytest.mark.parametrize("bug", HONOUR_BUGS)
def test_the_laws_of_one_persons_honours_find_the_planted_bug(bug: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        HONOUR_BUGS[bug](patch)
        both = st.tuples(honoured_people(), st.integers(0, 2**16))
        try:
            case = find(both, lambda it: honours_wrong(*it), settings=SEARCH, random=Random(SEED))
        except NoSuchExample:
            pytest.fail(f"{bug!r} survived {TRIES} histories of seed {SEED}")
    assert not honours_wrong(*case), f"the core gets this wrong without a bug:\n{told_as(case[0])}"
