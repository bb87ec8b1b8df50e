"""Corrections, voids, appeals, re-rating (docs/rules.md, section 7): the name is the sentence."""

import pytest

from schemas.events import Actor, Event
from tests.drawn.histories import (
    CHIEF,
    ORGANISER,
    REGULATOR,
    TODAY,
    appeal,
    ask,
    check_in,
    check_out,
    confirm,
    correct,
    decide,
    deny,
    grant,
    hear,
    imported,
    org,
    policy,
    project,
    received,
    reinstate,
    rerate,
    served,
    tick,
    training,
    void,
    when,
)
from tests.ledger.books import answer, answers, balance, book, last, lines, total


def test_e17_a_correction_is_asked_for_decided_and_posted_as_compensating_lines() -> None:
    made = book(*served(), ask(session="s1", end="12:00"), correct(session="s1"))
    assert answer(made.postings[2]) == ("held", "awaiting_decision")
    assert answer(made.postings[3]) == ("posted", None)
    assert [(ln.minutes, ln.kind) for ln in last(made).lines] == [
        (-120, "service"), (180, "manual")
    ]  # fmt: skip
    assert [p.balance_minutes for p in made.postings] == [0, 120, 120, 180]


def test_i9_corrected_minutes_are_manual_and_can_be_told_from_recorded_ones() -> None:
    made = book(*served(), ask(session="s1"), correct(session="s1"))
    assert (total(made, "service", "effective"), total(made, "manual", "effective")) == (0, 180)


def test_e17_a_correction_that_ends_before_it_starts_is_refused() -> None:
    made = book(*served(), ask(session="s1", start="12:00", end="11:00"))
    assert answer(last(made)) == ("refused", "end_before_start")


def test_e17_a_rejected_correction_changes_nothing() -> None:
    made = book(*served(), ask(session="s1"), correct(session="s1", decision="reject"))
    assert answer(last(made)) == ("posted", "correction_rejected")
    assert balance(made) == 120


def test_e17_a_correction_of_any_age_works() -> None:
    made = book(*served(), *served(session="s2", day="2025-06-01"),
                ask(session="s1", at="19:00", start=when("09:00"), end=when("10:00"),
                    day="2026-03-01"),
                correct(session="s1", day="2026-03-02"))  # fmt: skip
    assert balance(made) == 60 + 120


def test_i10_who_asks_for_a_correction_does_not_decide_it() -> None:
    made = book(*served(), ask(session="s1", actor=ORGANISER), correct(session="s1"))
    assert answer(last(made)) == ("refused", "decider_is_requester")
    assert balance(made) == 120


def test_a_decision_waits_for_the_correction_it_answers() -> None:
    made = book(*served(), correct(session="s1"), ask(session="s1"))
    assert answers(made)[2:] == [("held", "awaiting_request"), ("posted", None)]
    assert balance(made) == 180


def test_of_two_corrections_the_one_decided_later_stands() -> None:
    made = book(*served(), ask(session="s1"), correct(session="s1"),
                ask(session="s1", end="10:00", correction="k2"),
                correct(session="s1", correction="k2", at="20:30"))  # fmt: skip
    assert balance(made) == 60


def test_e7_only_a_correction_credits_what_came_too_late() -> None:
    start, end = served()
    late = received(start, "12:00", "2025-04-01"), received(end, "12:01", "2025-04-01")
    made = book(*late, ask(session="s1", end="11:00"), correct(session="s1"))
    assert answers(made)[:2] == [("held", "too_late")] * 2
    assert answer(last(made)) == ("posted", None)
    assert balance(made) == 120


def test_e8_a_correction_gives_a_session_that_was_closed_its_end() -> None:
    made = book(check_in(), tick("21:00"), ask(session="s1", end="11:00"), correct(session="s1"))
    assert answer(made.postings[1]) == ("held", "no_check_out")
    assert balance(made) == 120


def test_e13_a_correction_makes_a_session_of_more_than_a_day_count_what_was_served() -> None:
    made = book(*served(start="06:00", end="07:00", end_day="2025-03-02"),
                ask(session="s1", start="06:00", end="12:00", day="2025-03-02"),
                correct(session="s1", day="2025-03-02"))  # fmt: skip
    assert balance(made) == 360


def test_a_check_out_that_comes_after_a_correction_changes_nothing_in_it() -> None:
    made = book(check_in(), ask(session="s1", end="11:00"), correct(session="s1"),
                check_out(at="15:00"))  # fmt: skip
    assert balance(made) == 120


def test_who_moves_hours_to_another_organisation_must_have_a_say_there() -> None:
    elsewhere = org("far"), project("p-far", org_id="far", partners=())
    moved = ask(session="s1", org="far", project="p-far")
    made = book(*elsewhere, *served(), moved, correct(session="s1"))
    assert answer(last(made)) == ("refused", "not_authorised")
    assert balance(made) == 120


def test_training_is_not_corrected_but_voided_and_recorded_again() -> None:
    made = book(training(), ask(grant_id="t1"))
    assert answer(last(made)) == ("refused", "not_correctable")


def test_e18_a_reinstatement_posts_the_minutes_again() -> None:
    made = book(*served(), void(session="s1"), reinstate(session="s1"))
    assert lines(last(made)) == [("s1", TODAY, 120, "effective")]
    assert balance(made) == 120


def test_e18_an_open_session_that_is_reinstated_is_still_closed_by_the_clock() -> None:
    made = book(check_in(), void(session="s1", at="10:00"), reinstate(session="s1", at="11:00"),
                tick("21:00"))  # fmt: skip
    assert answer(last(made)) == ("held", "no_check_out")


def test_e18_an_appeal_is_decided_by_somebody_who_had_no_part_in_it() -> None:
    made = book(*served(), void(session="s1"), appeal(session="s1"),
                hear(session="s1", actor=ORGANISER),
                hear(session="s1", actor=CHIEF, at="20:55"))  # fmt: skip
    assert answer(made.postings[3]) == ("held", "awaiting_decision")
    assert answer(made.postings[4]) == ("refused", "same_decider")
    assert answer(made.postings[5]) == ("posted", None)
    assert balance(made) == 120


def test_e18_an_appeal_against_a_rejection_makes_the_claim_count() -> None:
    made = book(grant(approver=None), deny(grant_id="g1", actor=CHIEF), appeal(grant_id="g1"),
                hear(grant_id="g1"))  # fmt: skip
    assert answer(made.postings[1]) == ("posted", "rejected")
    assert balance(made) == 120


def test_e18_a_dismissed_appeal_changes_nothing() -> None:
    made = book(*served(), void(session="s1"), appeal(session="s1"),
                hear(session="s1", decision="reject"))  # fmt: skip
    assert answer(last(made)) == ("posted", "appeal_dismissed")
    assert balance(made) == 0


def test_e18_an_appeal_to_a_lower_level_is_decided_above() -> None:
    made = book(*served(), deny(session="s1", actor=REGULATOR), appeal(session="s1"),
                hear(session="s1", actor=CHIEF))  # fmt: skip
    assert answer(last(made)) == ("refused", "decided_above")


def test_e18_what_is_decided_counts_in_the_order_in_which_it_happened() -> None:
    made = book(*served(), reinstate(session="s1", at="21:00"), void(session="s1", at="20:00"))
    assert answer(last(made)) == ("posted", "nothing_changed")
    assert balance(made) == 120


def test_e11_a_reinstated_winner_takes_its_minutes_back() -> None:
    made = book(*served(), *served(session="s2", start="10:00", end="12:00"), void(session="s1"),
                reinstate(session="s1"))  # fmt: skip
    assert [p.balance_minutes for p in made.postings[3:]] == [180, 120, 180]
    assert lines(last(made)) == [("s1", TODAY, 120, "effective"), ("s2", TODAY, -60, "effective")]


def test_e26_an_activity_that_was_no_service_loses_all_its_hours_and_nothing_else() -> None:
    sales = served(session="s1"), served("v2", "s2")
    cause = "inspection-2025-7"
    voids = [void(v, session=s, evidence=(cause,), actor=REGULATOR, reason="not_volunteer_service")
             for v, s in (("v1", "s1"), ("v2", "s2"))]  # fmt: skip
    made = book(*sales[0], *sales[1], *served(session="s3", start="14:00", end="15:00"), *voids)
    assert (balance(made), balance(made, "v2")) == (60, 0)


def test_e29_hours_are_rated_anew_only_by_an_explicit_event() -> None:
    long = served(start="08:00", end="18:00")
    strict = policy("default", 1, tiers=(480, None))
    made = book(*long, strict, tick("23:00"), rerate(session="s1"))
    assert answer(made.postings[2]) == ("posted", "nothing_due")
    assert answer(last(made)) == ("held", "over_org_tier")
    assert [(ln.minutes, ln.state, ln.policy) for ln in last(made).lines] == [
        (-600, "effective", "default@0"), (600, "held_org", "default@1")
    ]  # fmt: skip


@pytest.mark.parametrize("first", ["check-in", "re-rating"])
def test_an_open_session_is_closed_by_the_policy_it_was_re_rated_to(first: str) -> None:
    told: list[Event] = [check_in(at="09:00"), rerate(session="s1", policy_id="strict", at="09:30")]
    made = book(
        policy("strict", 1, open_minutes=90),
        *(told if first == "check-in" else reversed(told)),
        tick(when("10:30") - 1), tick("10:30"), tick("23:00"),
    )  # fmt: skip
    assert answers(made)[2:] == [
        ("posted", "nothing_due"), ("held", "no_check_out"), ("posted", "nothing_due")
    ]  # fmt: skip


def test_an_open_session_stays_open_as_long_as_the_policy_it_was_re_rated_to_says() -> None:
    generous = policy("generous", 1, open_minutes=1000)
    made = book(
        generous, check_in(at="09:00"), rerate(session="s1", policy_id="generous", at="20:00"),
        tick("21:00"), check_out(at="22:00"),
    )  # fmt: skip
    assert answers(made)[1:] == [("posted", None), ("posted", "nothing_due"), ("posted", None)]
    assert balance(made) == 780


def test_what_is_closed_stays_closed_when_it_is_re_rated() -> None:
    generous = policy("generous", 1, open_minutes=800)
    told: list[Event] = [rerate(session="s1", policy_id="generous", at="21:30"), tick("22:30")]
    made = book(generous, check_in(at="09:00"), tick("21:00"), *told)
    assert answers(made)[1:] == [
        ("held", "no_check_out"), ("posted", None), ("posted", "nothing_due")
    ]  # fmt: skip


def test_e29_a_re_rating_names_a_version_that_exists() -> None:
    made = book(*served(), rerate(session="s1", version=7))
    assert answer(last(made)) == ("refused", "unknown_policy")


def test_e34_an_imported_row_counts_once_and_apart() -> None:
    first = imported(minutes=300)
    made = book(first, imported(grant_id="i2", minutes=300, at="21:00", batch_id="b2"))
    assert answers(made) == [("posted", None), ("duplicate", "already_imported")]
    assert total(made, "import", "effective") == 300
    assert balance(made) == 300


def test_two_real_rows_that_read_alike_count_both_and_come_once() -> None:
    rows = [imported(grant_id=f"i{n}", minutes=60, at=f"20:0{n}") for n in range(2)]
    again = [imported(grant_id=f"i{n}", minutes=60, at=f"21:0{n}", batch_id="b2")
             for n in range(5, 7)]  # fmt: skip
    made = book(*rows, *again)
    assert answers(made) == [("posted", None)] * 2 + [("duplicate", "already_imported")] * 2
    assert balance(made) == 120
    third = imported(grant_id="i9", minutes=60, at="21:09", batch_id="b2")
    assert balance(book(*rows, *again, third)) == 180, "the next batch has one more of them"
    retried = imported(grant_id="i1", minutes=60, at="20:30", event_id="another-try")
    assert answer(last(book(*rows, retried))) == ("duplicate", "already_imported")


def test_a_row_that_is_wrong_by_itself_is_refused_also_where_it_was_imported_before() -> None:
    own = Actor("v1", "admin", "sw1")
    made = book(imported(minutes=300), imported(grant_id="i2", minutes=0, at="21:00"),
                imported(grant_id="i3", minutes=300, at="21:00", actor=own))  # fmt: skip
    assert answers(made) == [
        ("posted", None), ("refused", "minutes_out_of_range"), ("refused", "own_hours")
    ]  # fmt: skip


def test_e34_a_bad_row_is_refused_alone_and_may_come_again() -> None:
    made = book(imported(minutes=1441), imported(grant_id="i2", row="row-2"),
                imported(minutes=140, at="21:00"))  # fmt: skip
    assert answers(made) == [
        ("refused", "minutes_out_of_range"), ("posted", None), ("posted", None)
    ]  # fmt: skip


def test_training_minutes_are_kept_apart_from_service_minutes() -> None:
    made = book(*served(), training(minutes=90))
    assert balance(made) == 120
    assert total(made, "training", "effective") == 90


def test_training_takes_no_part_in_the_tiers_of_a_day() -> None:
    made = book(policy("default", 1, tiers=(120, None)), training(minutes=600), *served())
    assert balance(made) == 120


@pytest.mark.parametrize("act", [reinstate, correct, hear, rerate])
def test_i10_nobody_lifts_what_stands_against_themselves(act: object) -> None:
    own = Actor("v1", "organiser", "sw1")
    made = book(policy(), *served(), void(session="s1"), act(session="s1", actor=own))  # type: ignore[operator]
    assert answer(last(made)) == ("refused", "own_hours")


def test_a_confirmed_and_then_corrected_session_counts_as_corrected() -> None:
    made = book(*served(start="06:00", end="19:00"), confirm(session="s1"),
                ask(session="s1", start="06:00", end="18:00"), correct(session="s1"),
                decide(session="s1", decision="reject"))  # fmt: skip
    assert [p.balance_minutes for p in made.postings] == [0, 0, 780, 780, 720, 0]
