"""Stars, points, commendations and certificates (docs/rules.md, section 12)."""

from ledger.catalogue.policy import BUILT_IN
from ledger.recognition.recognition import points_earned, points_spent
from ledger.replay import Book
from schemas.events import Actor
from tests.drawn.histories import (
    CHIEF,
    claim,
    confirm,
    decide,
    grant,
    received,
    served,
    succeed,
    training,
    void,
    when,
)
from tests.drawn.honours import (
    STAR_OFFICE,
    apply_star,
    certify,
    close,
    commend,
    decide_star,
    recognised_by,
    redeem,
    reverse,
    revoke,
    uncommend,
)
from tests.ledger.books import answer, answers, balance, book, last

RULES = recognised_by()
TWO_HOURS = served(start="09:00", end="11:00")
FOUR_HOURS = served(start="07:00", end="11:00")


def points(made: Book) -> int:
    """The balance of points at one point an hour."""
    account = made.accounts["v1"]
    return account.balance_minutes // 60 - points_spent(account)


def test_a_star_needs_its_hours_exactly_reached_counts() -> None:
    short = book(RULES, *served(start="09:00", end="10:59"), apply_star())
    exact = book(RULES, *TWO_HOURS, apply_star())
    assert answer(last(short)) == ("refused", "hours_not_reached")
    assert answer(last(exact)) == ("held", "awaiting_decision")


def test_without_a_policy_the_first_star_is_at_100_hours() -> None:
    days = [f"2025-02-{day:02}" for day in range(1, 11)]
    ten = [grant(grant_id=f"g{d}", day=d, start="08:00", end="18:00") for d in days]
    almost = [*ten[:-1], grant(grant_id="gl", day=days[-1], start="08:00", end="17:59")]
    assert answer(last(book(*almost, apply_star()))) == ("refused", "hours_not_reached")
    assert answer(last(book(*ten, apply_star()))) == ("held", "awaiting_decision")


def test_stars_go_in_order_and_application_and_award_are_separate_facts() -> None:
    made = book(RULES, *FOUR_HOURS, apply_star(star=2), apply_star(),
                apply_star(star=2, at="12:01"), decide_star(), apply_star(star=2, at="13:01"),
                decide_star(star=2, at="13:02"),
                apply_star(star=4, at="13:03"), apply_star(star=1, application="x", at="13:04"),
                )  # fmt: skip
    assert answers(made)[2:] == [
        ("refused", "star_out_of_order"), ("held", "awaiting_decision"),
        ("refused", "star_out_of_order"), ("posted", None), ("held", "awaiting_decision"),
        ("posted", None), ("refused", "unknown_star"), ("refused", "star_held"),
    ]  # fmt: skip


def test_one_application_for_a_star_at_a_time_and_a_rejected_one_makes_room() -> None:
    again = apply_star(application="b", at="12:10")
    made = book(RULES, *TWO_HOURS, apply_star(), apply_star(at="12:01"), again,
                decide_star(decision="reject"), apply_star(application="b", at="14:00"),
                decide_star(application="b", at="14:10"), decide_star(at="14:20"))  # fmt: skip
    assert answers(made)[3:] == [
        ("refused", "application_exists"), ("refused", "star_pending"), ("posted", None),
        ("held", "awaiting_decision"), ("posted", None), ("refused", "star_held"),
    ]  # fmt: skip


def test_i10_who_applies_does_not_decide_and_nobody_awards_themselves() -> None:
    made = book(RULES, *TWO_HOURS, apply_star(actor=CHIEF), decide_star(actor=CHIEF),
                decide_star(actor=Actor("v1", "regulator")),
                decide_star(actor=Actor("u", "admin", "vo1")),
                decide_star(application="zz"), decide_star())  # fmt: skip
    assert answers(made)[3:] == [
        ("refused", "decider_is_requester"), ("refused", "own_record"), ("refused", "not_for_org"),
        ("refused", "unknown_application"), ("posted", None),
    ]  # fmt: skip


def test_of_two_decisions_the_later_by_its_own_time_stands_in_any_order() -> None:
    approve = received(decide_star(at="13:00"), "15:00")
    reject = received(decide_star(at="14:00", decision="reject"), "15:00")
    higher = apply_star(star=2, at="15:30")
    one = book(RULES, *FOUR_HOURS, apply_star(), approve, reject, higher)
    other = book(RULES, *FOUR_HOURS, apply_star(), reject, approve, higher)
    assert answers(one)[3:] == [
        ("posted", None), ("posted", None), ("refused", "star_out_of_order")
    ]  # fmt: skip
    assert answers(other)[3:] == [
        ("posted", None), ("posted", "nothing_changed"), ("refused", "star_out_of_order")
    ]  # fmt: skip


def test_at_one_instant_the_rejection_counts() -> None:
    decisions = [decide_star(), decide_star(decision="reject")]
    for told in (decisions, decisions[::-1]):
        made = book(RULES, *FOUR_HOURS, apply_star(), *told, apply_star(star=2, at="15:00"))
        assert answer(last(made)) == ("refused", "star_out_of_order")


def test_e27_a_correction_below_the_threshold_takes_no_star_away() -> None:
    made = book(RULES, *FOUR_HOURS, apply_star(), decide_star(), void(session="s1"),
                *served(session="s2", start="13:00", end="17:00"),
                apply_star(star=2, at="21:00"))  # fmt: skip
    assert answer(last(made)) == ("held", "awaiting_decision")


def test_e27_the_granting_body_keeps_or_withdraws_the_award_itself() -> None:
    told = (RULES, *FOUR_HOURS, apply_star(), decide_star(), void(session="s1"))
    keep = book(*told, decide_star(at="21:00"))
    withdraw = book(*told, decide_star(at="21:00", decision="reject"),
                    apply_star(application="b", at="21:30"))  # fmt: skip
    elsewhere = book(*told, decide_star(at="21:00", decision="reject", body="vo1"))
    assert answer(last(keep)) == ("posted", None)
    assert answers(withdraw)[-2:] == [("posted", None), ("refused", "hours_not_reached")]
    assert answer(last(elsewhere)) == ("refused", "other_case")


def test_a_star_whose_hours_are_gone_by_then_is_not_approved_for_the_first_time() -> None:
    made = book(RULES, *TWO_HOURS, apply_star(), void(session="s1"), decide_star(at="21:00"))
    assert answer(last(made)) == ("refused", "hours_not_reached")


def test_a_policy_may_count_a_calendar_years_hours() -> None:
    yearly = recognised_by(basis="yearly")
    new_years_eve = served(session="s1", start="22:00", end="02:00", day="2024-12-31",
                           end_day="2025-01-01")  # fmt: skip
    march = served(session="s2", start="09:00", end="09:59")
    made = book(yearly, *new_years_eve, *march, apply_star(), apply_star(year=2025, at="12:01"),
                apply_star(year=2024, at="12:02"))  # fmt: skip
    assert answers(made)[4:] == [
        ("refused", "wrong_star_basis"), ("held", "awaiting_decision"),
        ("refused", "application_exists"),
    ]  # fmt: skip
    lifetime = book(RULES, *TWO_HOURS, apply_star(year=2025))
    assert answer(last(lifetime)) == ("refused", "wrong_star_basis")


def test_a_year_has_the_minutes_of_its_local_days_alone() -> None:
    yearly = recognised_by(basis="yearly")
    eve = served(start="22:00", end="02:01", day="2024-12-31", end_day="2025-01-01")
    this_year = book(yearly, *eve, apply_star(year=2025))
    last_year = book(yearly, *served(start="22:01", end="02:01", day="2024-12-31",
                                     end_day="2025-01-01"), apply_star(year=2024))  # fmt: skip
    assert answer(last(this_year)) == ("held", "awaiting_decision")
    assert answer(last(last_year)) == ("refused", "hours_not_reached")


def test_i15_held_rejected_and_training_minutes_earn_no_star_and_no_point() -> None:
    held = (claim(start="09:00", end="13:00"), training(minutes=600),
            grant(approver=None, start="14:00", end="18:00"))  # fmt: skip
    made = book(RULES, *held, apply_star(at="20:00"), redeem(at="20:10"))
    assert answers(made)[3:] == [("refused", "hours_not_reached"), ("refused", "points_short")]
    counted = book(RULES, *held, confirm(grant_id="c1", at="20:00"), apply_star(at="20:30"),
                   redeem(points=4, at="20:40"))  # fmt: skip
    assert answers(counted)[-2:] == [("held", "awaiting_decision"), ("posted", None)]
    rejected = book(RULES, *TWO_HOURS, decide(session="s1", decision="reject"),
                    apply_star(at="21:00"))  # fmt: skip
    assert answer(last(rejected)) == ("refused", "hours_not_reached")


def test_points_are_whole_hours_by_default_and_a_parameter_of_the_policy() -> None:
    assert points_earned(119, BUILT_IN) == 1
    quick = recognised_by(point_minutes=30)
    served_119 = served(start="09:00", end="10:59")
    assert answer(last(book(*served_119, redeem(points=2)))) == ("refused", "points_short")
    assert answer(last(book(*served_119, redeem(points=1)))) == ("posted", None)
    assert answer(last(book(quick, *served_119, redeem(points=4)))) == ("refused", "points_short")
    assert answer(last(book(quick, *served_119, redeem(points=3)))) == ("posted", None)


def test_i12_redemption_never_changes_minutes() -> None:
    made = book(*FOUR_HOURS, redeem(points=3), reverse())
    assert [p.lines for p in made.postings[2:]] == [(), ()]
    assert {p.balance_minutes for p in made.postings[1:]} == {240}
    assert balance(made) == 240


def test_no_point_is_spent_twice() -> None:
    made = book(*FOUR_HOURS, redeem(points=3), redeem(points=2, case_id="r2"),
                redeem(points=1, case_id="r3"), redeem(points=1, case_id="r4"))  # fmt: skip
    assert answers(made)[2:] == [
        ("posted", None), ("refused", "points_short"), ("posted", None), ("refused", "points_short")
    ]  # fmt: skip
    assert points(made) == 0


def test_a_redemption_id_counts_once_under_any_event_id() -> None:
    made = book(*FOUR_HOURS, redeem(points=3), redeem(points=3), redeem(points=3, event_id="other"),
                redeem(points=2, event_id="o2"), redeem(points=3, benefit_id=None, event_id="o3"),
                redeem(points=3, partner="vo1", event_id="o4",
                       actor=Actor("u", "organiser", "vo1")))  # fmt: skip
    assert answers(made)[2:] == [
        ("posted", None), ("duplicate", "duplicate_event"), ("duplicate", "already_redeemed"),
        *[("refused", "redemption_conflict")] * 3,
    ]  # fmt: skip
    assert points(made) == 1


def test_a_redemption_refused_for_want_of_points_may_come_again() -> None:
    made = book(*TWO_HOURS, redeem(points=3), *served(session="s2", start="13:00", end="14:00"),
                redeem(points=3, at="18:00"))  # fmt: skip
    assert answer(made.postings[2]) == ("refused", "points_short")
    assert answer(last(made)) == ("posted", None)


def test_a_reversal_returns_the_points_once_in_any_order() -> None:
    after = book(*TWO_HOURS, redeem(points=2), reverse(), reverse(at="17:30"),
                 redeem(points=2, case_id="r2", at="18:00"))  # fmt: skip
    before = book(*TWO_HOURS, reverse(), redeem(points=2), redeem(points=2, case_id="r2"))
    assert answers(after)[3:] == [("posted", None), ("posted", "nothing_changed"), ("posted", None)]
    assert answers(before)[2:] == [
        ("held", "awaiting_target"), ("posted", "taken_back_before"), ("posted", None)
    ]  # fmt: skip
    assert points(after) == points(before) == 0


def test_only_the_partner_reverses_and_volunteer_or_partner_redeems() -> None:
    me, stranger = Actor("v1", "volunteer"), Actor("u", "organiser", "vo1")
    made = book(*FOUR_HOURS, redeem(actor=stranger), redeem(actor=me), reverse(actor=me),
                reverse(actor=stranger),
                reverse(partner="vo1", actor=stranger, at="17:10"))  # fmt: skip
    assert answers(made)[2:] == [
        ("refused", "not_for_org"), ("posted", None), ("refused", "own_record"),
        ("refused", "not_for_org"), ("refused", "other_case"),
    ]  # fmt: skip


def test_e28_points_spent_then_hours_voided_refuse_redemption_until_there_are_some() -> None:
    spent = (*FOUR_HOURS, redeem(points=4), void(session="s1"))
    made = book(*spent, redeem(points=1, case_id="r2", at="20:30"),
                *served(session="s2", start="12:00", end="16:00"),
                redeem(points=1, case_id="r2", at="21:00"),
                *served(session="s3", start="16:00", end="17:00"),
                redeem(points=1, case_id="r2", at="21:30"))  # fmt: skip
    assert points(book(*spent)) == -4
    assert answers(made)[4:] == [
        ("refused", "points_short"), ("posted", None), ("posted", None),
        ("refused", "points_short"), ("posted", None), ("posted", None), ("posted", None),
    ]  # fmt: skip


def test_a_commendation_is_given_once_and_revoked_by_its_body() -> None:
    other = Actor("u", "admin", "vo1")
    made = book(*TWO_HOURS, commend(), commend(at="14:01"), uncommend(body="vo1", actor=other),
                uncommend(), uncommend(at="15:01"), commend(case_id="cm2", actor=other),
                commend(case_id="cm3", actor=Actor("v1", "admin", "sw1")))  # fmt: skip
    assert answers(made)[2:] == [
        ("posted", None), ("refused", "commendation_exists"), ("refused", "other_case"),
        ("posted", None), ("posted", "nothing_changed"), ("refused", "not_for_org"),
        ("refused", "own_record"),
    ]  # fmt: skip


def test_a_commendation_of_tomorrow_is_quarantined() -> None:
    made = book(*TWO_HOURS, commend(awarded_on=when("00:00", "2025-03-03") // 86_400_000_000 + 1))
    assert [code for _, code, _ in made.refused_entry] == ["in_the_future"]


def test_a_certificate_number_is_used_once_and_replaces_a_known_one() -> None:
    made = book(*TWO_HOURS, certify(supersedes_id="c-0", at="17:59"), certify(),
                certify(at="18:01"),
                certify(case_id="c-2", supersedes_id="c-1"), revoke(), revoke(at="19:01"),
                certify(case_id="c-3", start_on=20_200, end_on=20_100))  # fmt: skip
    assert answers(made)[2:] == [
        ("refused", "unknown_certificate"), ("posted", None), ("refused", "certificate_exists"),
        ("posted", None), ("posted", None), ("posted", "nothing_changed"),
        ("refused", "end_before_start"),
    ]  # fmt: skip


def test_a_revocation_that_comes_first_is_not_lost() -> None:
    made = book(*TWO_HOURS, revoke(), certify(at="19:30"))
    assert answers(made)[2:] == [("held", "awaiting_target"), ("posted", "taken_back_before")]


def test_e33_a_successor_revokes_what_the_ended_organisation_certified() -> None:
    heir = Actor("h", "organiser", "vo1")
    made = book(*TWO_HOURS, certify(), revoke(actor=heir), succeed("sw1", "vo1"),
                revoke(actor=heir, at="19:30"))  # fmt: skip
    assert answers(made)[3:] == [("refused", "not_for_org"), ("posted", None)]


def test_what_is_recognised_does_not_need_a_closed_project() -> None:
    made = book(RULES, *TWO_HOURS, close(), apply_star(), decide_star(actor=STAR_OFFICE))
    assert answer(last(made)) == ("posted", None)
