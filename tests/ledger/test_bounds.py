"""Bounds in bytes (docs/rules.md, sections 3 and 11): what one account holds of one day."""

from collections.abc import Iterator
from dataclasses import replace

from ledger.account.account import Account
from ledger.hours.bounds import DAY_BYTES_MAX, RECEIVED_DAY_BYTES_MAX, weight
from ledger.merging.moving_cases import receive_case
from schemas.events import CaseTransferred, CorrectionRequested, MovedWord
from schemas.times import DAY
from streams.state.page_codec import pack_cases, pack_day
from tests.drawn.histories import BASICS, ask, check_in, merge, served, unmerge, when
from tests.drawn.town import Town
from tests.ledger.books import answer, balance, book


def long(name: str) -> str:
    """An id of the greatest length."""
    return name.ljust(64, "x")


def asks(sessions: int, volunteer: str = "v1", each: int = 64) -> Iterator[CorrectionRequested]:
    """So many corrections as one volunteer may ask for, of sessions that nobody knows."""
    for session in range(sessions):
        for n in range(each):
            yield ask(
                volunteer,
                long(f"s-{volunteer}-{session}-"),
                correction=long(f"k{session}-{n}-"),
                event_id=long(f"e{volunteer}-{session}-{n}-"),
                activity_id=long("a"), project_id=long("p"), site_id=long("t"),
                recording_org_id=long("o"), host_org_id=long("h"),
            )  # fmt: skip


def test_what_is_asked_about_one_day_is_refused_before_its_page_is_a_large_record() -> None:
    made = book(*asks(32))
    said = [answer(posting) for posting in made.postings]
    assert said[0] == ("held", "awaiting_decision")
    assert said[-1] == ("refused", "too_many_facts")
    assert len(pack_day(made.accounts["v1"].days.get(when("19:00") // DAY))) <= DAY_BYTES_MAX


def test_a_full_day_takes_no_further_request_and_the_next_day_takes_them_all() -> None:
    more = list(asks(33))[-1:]
    next_day = [
        replace(event, event_id=f"n{n}", session_id="next", occurred_at=event.occurred_at + DAY)
        for n, event in enumerate(asks(1))
    ]
    made = book(*asks(32), *more, *next_day, *served(start="09:00", end="11:00"))
    assert answer(made.postings[32 * 64]) == ("refused", "too_many_facts")
    assert {answer(posting) for posting in made.postings[-66:-2]} == {("held", "awaiting_decision")}
    assert balance(made) == 120


def test_a_span_weighs_at_least_what_it_takes_in_a_page() -> None:
    made = book(*asks(5), *served(), check_in(session="open", at="15:00"))
    page = made.accounts["v1"].days.get(when("19:00") // DAY)
    for key, span in page.items():
        assert len(pack_day({key: span})) - 3 <= weight(span)
    assert sum(weight(span) for span in page.values()) < 1.2 * len(pack_day(page))


def test_what_absorbed_registrations_hand_over_is_held_before_a_page_outgrows_its_record() -> None:
    names = [f"v{number}" for number in range(1, 20)]
    town = Town().take([*BASICS, *(each for name in names for each in asks(7, name))])
    town.take([*served("v0"), *(merge(name, "v0") for name in names)]).settle()
    said = [answer(posting) for posting in town.postings("v0")]
    assert ("held", "too_many_facts") in said
    page = town.account("v0").days.get(when("19:00") // DAY)
    assert RECEIVED_DAY_BYTES_MAX * 3 // 4 < len(pack_day(page)) <= RECEIVED_DAY_BYTES_MAX
    assert town.balances() == {"v0": 120}
    # What was held was never kept: to take it back changes nothing, and all else is given back.
    town.take([unmerge(name) for name in names]).settle()
    assert town.balances() == {"v0": 120}
    assert len(town.account("v0").days.get(when("19:00") // DAY)) == 1
    assert town.replayed()


def test_words_about_a_case_from_many_registrations_are_held_before_a_page_outgrows() -> None:
    account = Account("v0")
    said = []
    for number in range(20):
        backs = tuple(
            MovedWord("back", long(f"o{number}-{n}"), when("19:00"), None, None) for n in range(32)
        )
        said.append(receive_case(account, CaseTransferred(
            f"t{number}", "v0", f"v{number}", "cause", f"v{number}", "redemption", long("r"),
            False, backs, when("19:00"), None,
        )))  # fmt: skip
    assert [outcome for outcome, _, _ in said] == ["posted"] * 16 + ["held"] * 4
    assert len(pack_cases(account.cases.get(0))) < 128 * 1024
