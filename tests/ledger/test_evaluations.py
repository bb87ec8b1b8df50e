"""How those who served in a closed project are evaluated (docs/rules.md, section 10)."""

from schemas.events import Actor
from schemas.times import DAY
from tests.drawn.histories import (
    REGULATOR,
    erase,
    evaluate,
    grant,
    holidays,
    project,
    received,
    served,
    succeed,
    training,
    void,
    when,
)
from tests.drawn.honours import close, deliver, recognised_by, respond, revise, take_back
from tests.ledger.books import answer, answers, balance, book, last

SERVED = (*served(), close())
ORGANISER = Actor("sw1-1", "organiser", "sw1")


def test_e32_a_project_is_evaluated_once_it_is_closed() -> None:
    before = book(*served(), evaluate())
    after = book(*served(), close(), evaluate())
    assert answer(last(before)) == ("refused", "project_not_closed")
    assert answer(last(after)) == ("posted", None)


def test_e32_an_evaluation_made_before_the_last_day_is_refused_however_late_it_comes() -> None:
    early = received(evaluate(at="12:00", day="2025-03-04"), "10:00", "2025-03-07")
    made = book(*served(), close(on="2025-03-05"), early, evaluate(day="2025-03-05"))
    assert answers(made)[2:] == [("refused", "project_not_closed"), ("posted", None)]


def test_e32_only_who_has_effective_service_in_the_project_is_evaluated() -> None:
    made = book(*SERVED, close("p2"), evaluate(project="p1"), evaluate(project="p2"))
    assert answers(made)[2:] == [("posted", None), ("refused", "not_attended")]


def test_e32_held_or_void_service_is_no_attendance() -> None:
    held = book(close(), grant(approver=None), evaluate())
    voided = book(*SERVED, void(session="s1"), evaluate())
    learned = book(close(), training(), evaluate())
    for made in (held, voided, learned):
        assert answer(last(made)) == ("refused", "not_attended")


def test_an_effective_span_whose_minutes_all_went_to_another_is_attendance() -> None:
    made = book(*served(), *served(session="s2", start="10:00", project="p2"), close("p2"),
                evaluate(project="p2"))  # fmt: skip
    assert answer(last(made)) == ("posted", None)


def test_e32_an_evaluation_after_ten_working_days_counts_and_is_flagged() -> None:
    # Saturday 1 March: the tenth working day is Friday 14.
    intime = received(evaluate(), "23:59:59", "2025-03-14")
    late = received(evaluate(), "00:00", "2025-03-15")
    assert answer(last(book(*SERVED, intime))) == ("posted", None)
    assert answer(last(book(*SERVED, late))) == ("posted", "recorded_late")


def test_the_deadline_is_the_projects_policys_in_working_days_of_its_calendar() -> None:
    rules = recognised_by(days=1, policy_id="quick", event_id="quick-1", calendar_id="cn")
    days_off = holidays(("2025-03-03", "2025-03-04"), ("2025-03-08",))
    known = (rules, project("p1", "quick"), days_off, *served(), close())
    intime = received(evaluate(), "12:00", "2025-03-05")
    late = received(evaluate(), "00:00", "2025-03-06")
    assert answer(last(book(*known, intime))) == ("posted", None)
    assert answer(last(book(*known, late))) == ("posted", "recorded_late")


def test_one_evaluation_stands_per_project_and_organisation() -> None:
    made = book(*SERVED, evaluate(org="sw1"), evaluate(org="vo1"),
                evaluate(at="22:00", evaluation_id="ev-2"))  # fmt: skip
    assert answers(made)[2:] == [
        ("posted", None), ("posted", None), ("refused", "already_evaluated")
    ]  # fmt: skip


def test_an_id_of_an_evaluation_is_used_once() -> None:
    made = book(*SERVED, evaluate(org="sw1"), evaluate(org="vo1", evaluation_id="ev-v1-p1-sw1"))
    assert answer(last(made)) == ("refused", "evaluation_exists")


def test_a_withdrawn_evaluation_makes_room_for_another_and_cannot_be_revised() -> None:
    made = book(*SERVED, evaluate(), take_back(), revise(at="22:10"), take_back(at="22:11"),
                evaluate(at="22:12"), evaluate(at="22:13", evaluation_id="ev-2"))  # fmt: skip
    assert answers(made)[3:] == [
        ("posted", None), ("refused", "evaluation_withdrawn"), ("posted", "nothing_changed"),
        ("refused", "evaluation_exists"), ("posted", None),
    ]  # fmt: skip


def test_a_withdrawal_that_comes_first_holds_when_the_evaluation_comes() -> None:
    made = book(*SERVED, take_back(), evaluate(), evaluate(at="22:30", evaluation_id="ev-2"))
    assert answers(made)[2:] == [
        ("held", "awaiting_target"), ("posted", "taken_back_before"), ("posted", None)
    ]  # fmt: skip


def test_a_withdrawal_by_another_organisation_takes_nothing_back() -> None:
    elsewhere = take_back(org="vo1", evaluation="ev-v1-p1-sw1")
    before = book(*SERVED, elsewhere, evaluate())
    after = book(*SERVED, evaluate(), elsewhere, revise())
    assert answers(before)[2:] == [("held", "awaiting_target"), ("posted", None)]
    assert answers(after)[3:] == [("refused", "other_case"), ("posted", None)]


def test_feedback_is_delivered_and_the_volunteer_responds() -> None:
    made = book(*SERVED, respond(at="21:05"), evaluate(at="21:06"), deliver(), respond(),
                revise())  # fmt: skip
    assert answers(made)[2:] == [
        ("held", "awaiting_target"), ("posted", None), ("posted", None), ("posted", None),
        ("posted", None),
    ]  # fmt: skip


def test_only_the_volunteer_responds_and_never_judges() -> None:
    me = Actor("v1", "organiser", "sw1")
    made = book(*SERVED, evaluate(actor=me), evaluate(), respond(actor=ORGANISER),
                revise(actor=me), take_back(actor=me))  # fmt: skip
    assert answers(made)[2:] == [
        ("refused", "own_record"), ("posted", None), ("refused", "not_the_volunteer"),
        ("refused", "own_record"), ("refused", "own_record"),
    ]  # fmt: skip


def test_e33_who_evaluates_acts_for_the_organisation_its_successor_or_the_regulator() -> None:
    heir, stranger = Actor("h", "organiser", "vo1"), Actor("s", "organiser", "vo1")
    nobody = Actor("n", "volunteer", "sw1")
    made = book(*SERVED, evaluate(actor=stranger), evaluate(actor=nobody), succeed("sw1", "vo1"),
                evaluate(actor=heir), revise(actor=REGULATOR))  # fmt: skip
    assert answers(made)[2:] == [
        ("refused", "not_for_org"), ("refused", "not_for_org"), ("posted", None), ("posted", None)
    ]  # fmt: skip


def test_a_refused_evaluation_does_not_take_the_place_of_a_later_one() -> None:
    made = book(close(), evaluate(at="20:30"), *served(start="09:00"), evaluate())
    assert answer(made.postings[0]) == ("refused", "not_attended")
    assert answer(last(made)) == ("posted", None)


def test_an_evaluation_stands_when_the_service_is_voided_later() -> None:
    made = book(*SERVED, evaluate(), void(session="s1"), evaluate(at="22:00"))
    assert answers(made)[2:] == [
        ("posted", None), ("posted", "voided"), ("refused", "not_attended")
    ]  # fmt: skip


def test_a_project_closed_anew_has_the_new_last_day() -> None:
    made = book(*SERVED, close(on="2025-03-03"), evaluate(at="21:00"),
                evaluate(at=when("21:00") + 2 * DAY))  # fmt: skip
    assert answers(made)[2:] == [("refused", "project_not_closed"), ("posted", None)]


def test_nobody_evaluates_the_erased_and_no_evaluation_moves_a_minute() -> None:
    made = book(*SERVED, evaluate(), erase("v1"), revise())
    assert answer(last(made)) == ("refused", "volunteer_erased")
    assert [p.lines for p in made.postings[2:]] == [(), ()]
    assert balance(made) == 120
