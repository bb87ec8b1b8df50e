"""Who may say that an hour counts: claims, grants, walk-ins, long days (docs/rules.md, 4 and 7).

The name of a test is the sentence of its rule; every book is also judged by the reference.
"""

from dataclasses import replace

import pytest

from ledger.replay import Book
from schemas.events import Actor, Event
from tests.drawn.histories import (
    BASICS,
    CHIEF,
    ORGANISER,
    REGULATOR,
    TODAY,
    accept,
    check_in,
    check_out,
    claim,
    confirm,
    decide,
    deny,
    grant,
    heads,
    imported,
    merge,
    no_show,
    operator,
    org,
    policy,
    project,
    received,
    served,
    shift,
    site,
    succeed,
    tick,
    training,
    void,
    withdraw,
)
from tests.drawn.town import Town
from tests.ledger.books import answer, answers, balance, book, last, lines, total

STRANGER = Actor("stranger-1", "organiser", "elsewhere")
VOLUNTEER = Actor("v1", "organiser", "sw1")
TIERS = policy("default", 1, tiers=(480, 720))
LONG = served(start="08:00", end="17:00")
"""Nine hours."""


def test_e22_a_claim_is_held_until_the_organiser_confirms() -> None:
    made = book(claim(), confirm(grant_id="c1"))
    assert answer(made.postings[0]) == ("held", "awaiting_organiser")
    assert lines(made.postings[0]) == [("c1", TODAY, 120, "held_org")]
    assert answer(made.postings[1]) == ("posted", None)
    assert lines(made.postings[1]) == [
        ("c1", TODAY, -120, "held_org"), ("c1", TODAY, 120, "effective")
    ]  # fmt: skip
    assert total(made, "manual", "effective") == 120


def test_e22_a_claim_that_is_denied_stays_visible_and_counts_nothing() -> None:
    made = book(claim(), deny(grant_id="c1"))
    assert answer(made.postings[1]) == ("posted", "rejected")
    assert total(made, "manual", "rejected") == 120
    assert balance(made) == 0


def test_e22_a_confirmation_may_come_before_its_claim() -> None:
    made = book(confirm(grant_id="c1"), claim())
    assert answer(made.postings[0]) == ("held", "awaiting_target")
    assert answer(made.postings[1]) == ("posted", None)
    assert balance(made) == 120


@pytest.mark.parametrize("act", [confirm, deny, decide, void])
def test_i10_nobody_decides_about_their_own_hours(act: object) -> None:
    made = book(claim(), act(grant_id="c1", actor=VOLUNTEER))  # type: ignore[operator]
    assert answer(last(made)) == ("refused", "own_hours")
    assert total(made, "manual", "held_org") == 120


def test_i10_who_entered_a_grant_does_not_approve_it() -> None:
    entered = grant(approver=None)
    made = book(entered, decide(grant_id="g1", actor=ORGANISER), decide(grant_id="g1", at="20:31"))
    assert answer(made.postings[1]) == ("refused", "decider_is_requester")
    assert answer(made.postings[2]) == ("held", "no_second_person")


def test_i10_the_volunteer_is_no_second_person_for_a_grant() -> None:
    made = book(grant(approver=VOLUNTEER))
    assert answer(last(made)) == ("held", "no_second_person")


def test_e21_a_grant_without_evidence_is_released_by_a_decision_with_evidence() -> None:
    approved = decide(grant_id="g1", evidence=("sha256:2c",))
    made = book(grant(approver=None, evidence=()), approved)
    assert answer(last(made)) == ("posted", None)
    assert balance(made) == 120


def test_e21_a_grant_without_times_takes_no_time_from_a_session() -> None:
    made = book(*served(), grant(start="08:00", end="20:00", minutes=60))
    assert balance(made) == 180


def test_e21_a_grant_without_times_may_not_push_the_day_past_24_hours() -> None:
    night = served(start="00:00", end="11:00"), served(session="s2", start="11:00", end="22:00")
    block = grant(
        start="00:00", end="23:00", minutes=121, occurred_at=served(end="23:30")[1].occurred_at
    )
    made = book(*night[0], *night[1], block)
    assert answer(last(made)) == ("held", "over_day_cap")
    assert total(made, "manual", "held_review") == 121
    made = book(*night[0], *night[1], block, void(session="s2"))
    assert total(made, "manual", "effective") == 121


@pytest.mark.parametrize("minutes", [0, 121, 1441])
def test_a_grant_of_more_minutes_than_its_times_hold_is_refused(minutes: int) -> None:
    made = book(grant(minutes=minutes))
    assert answer(last(made)) == ("refused", "minutes_out_of_range")


def test_nobody_grants_hours_to_themselves() -> None:
    made = book(grant(actor=VOLUNTEER))
    assert answer(last(made)) == ("refused", "own_hours")


OUTSIDER, OTHER = Actor("x-1", "admin", "vo1"), Actor("x-2", "admin", "vo1")


def test_nobody_enters_hours_in_the_name_of_an_organisation_that_is_not_theirs() -> None:
    entered = grant(actor=OUTSIDER, approver=OTHER), imported(actor=OUTSIDER), training(
        actor=OUTSIDER)  # fmt: skip
    made = book(*entered)
    assert answers(made) == [("refused", "not_for_org")] * 3
    assert balance(made) == 0
    as_volunteer = Actor("x-3", "volunteer", "sw1")
    assert answers(book(grant(actor=as_volunteer))) == [("refused", "not_for_org")]


@pytest.mark.parametrize(
    "second", [OTHER, Actor("v9", "volunteer"), Actor("v9", "volunteer", "sw1")]
)
def test_a_second_person_is_of_the_organisation_and_in_a_role_that_may(second: Actor) -> None:
    made = book(grant(approver=second))
    assert answers(made) == [("held", "no_second_person")]
    assert balance(made) == 0


def test_who_is_above_an_organisation_or_took_it_over_enters_hours_for_it() -> None:
    tree = org("top"), org("mid", "top"), org("sw1", "mid")
    above = Actor("t-1", "admin", "top")
    assert (
        balance(book(*tree, grant(actor=above), imported(actor=REGULATOR, day="2025-02-01"))) == 240
    )
    heir = Actor("h-1", "organiser", "heir")
    assert balance(book(succeed("sw1", "heir"), grant(actor=heir, approver=above), *tree)) == 0
    assert balance(book(*tree, succeed("mid", "heir"), grant(actor=heir, approver=above))) == 120


def test_e36_who_does_not_organise_may_not_record_afterwards() -> None:
    made = book(org("elsewhere"), grant(org="elsewhere"))
    assert answer(last(made)) == ("refused", "recorder_not_organiser")
    assert balance(made) == 0


def test_e36_an_operator_may_record_at_its_site_on_its_days() -> None:
    runs = operator("site-a", "elsewhere", "2025-02-01", "2025-03-01")
    inside = grant(org="elsewhere", site="site-a")
    outside = grant(org="elsewhere", site="site-a", grant_id="g2", day="2025-03-02")
    made = book(org("elsewhere"), runs, inside, outside)
    assert [answer(p) for p in made.postings] == [
        ("posted", None), ("refused", "recorder_not_organiser")
    ]  # fmt: skip


def test_e36_the_owner_of_a_site_runs_it_until_somebody_is_assigned() -> None:
    mine = site("site-b", operator="elsewhere")
    recorded = grant(org="elsewhere", site="site-b")
    assert balance(book(org("elsewhere"), mine, recorded)) == 120
    given = operator("site-b", "vo1")
    assert answer(last(book(org("elsewhere"), mine, given, recorded))) == (
        "refused", "recorder_not_organiser",
    )  # fmt: skip


def test_e36_a_grant_for_a_project_nobody_knows_yet_is_judged_when_it_is_published() -> None:
    early = grant(org="elsewhere", project="p-late")
    made = book(org("elsewhere"), early, project("p-late"), tick("21:00"))
    assert answer(made.postings[0]) == ("held", "unknown_activity")
    assert answer(made.postings[1]) == ("held", "recorder_not_organiser")
    assert balance(made) == 0


def test_e14_the_piece_that_takes_the_day_past_eight_hours_is_held_whole() -> None:
    later = served(session="s2", start="18:00", end="20:00")
    made = book(TIERS, *served(start="08:00", end="15:00"), *later)
    assert lines(last(made)) == [("s2", TODAY, 120, "held_org")]
    assert answer(last(made)) == ("held", "over_org_tier")
    assert balance(made) == 420


def test_e14_past_twelve_hours_only_the_province_decides() -> None:
    made = book(TIERS, *LONG, *served(session="s2", start="17:00", end="21:00"),
                decide(session="s2", at="22:00"),
                decide(session="s2", at="22:10", level="province"))  # fmt: skip
    assert answer(made.postings[3]) == ("held", "over_province_tier")
    assert answer(made.postings[4]) == ("held", "over_province_tier")
    assert answer(made.postings[5]) == ("posted", None)
    assert total(made, "service", "held_org") == 540
    assert balance(made) == 240


def test_e14_the_organisation_releases_what_is_held_at_its_level() -> None:
    made = book(TIERS, *LONG, decide(session="s1"))
    assert answer(last(made)) == ("posted", None)
    assert balance(made) == 540


def test_e14_a_mere_confirmation_releases_no_tier() -> None:
    made = book(TIERS, *LONG, confirm(session="s1"))
    assert answer(last(made)) == ("held", "over_org_tier")
    assert balance(made) == 0


def test_e14_the_level_of_the_province_is_a_regulators() -> None:
    made = book(TIERS, *LONG, decide(session="s1", level="province", actor=CHIEF))
    assert answer(last(made)) == ("refused", "wrong_level")


def test_e14_an_earlier_session_that_comes_later_moves_the_day_past_its_tier() -> None:
    early = served(session="s2", start="01:00", end="03:00")
    made = book(TIERS, *served(start="08:00", end="15:00"), *early)
    assert lines(last(made)) == [
        ("s2", TODAY, 120, "effective"),
        ("s1", TODAY, -420, "effective"),
        ("s1", TODAY, 420, "held_org"),
    ]
    assert balance(made) == 120


NIGHT = (
    *served(start="08:00", end="13:00"),
    *served(session="s2", start="21:00", end="01:30", end_day="2025-03-02"),
)
"""Five hours, and a night of which three hours are of the same day."""


def test_a_tiers_rejection_is_of_the_pieces_that_it_holds() -> None:
    tiers = policy("default", 1, tiers=(300, 420))
    no = decide(session="s2", decision="reject", level="province", at="12:00", day="2025-03-03")
    made = book(tiers, *NIGHT, no)
    assert lines(made.postings[3]) == [
        ("s2", TODAY, 180, "held_province"), ("s2", "2025-03-02", 90, "effective")
    ]  # fmt: skip
    assert answer(last(made)) == ("posted", "rejected")
    assert lines(last(made)) == [
        ("s2", TODAY, -180, "held_province"), ("s2", TODAY, 180, "rejected")
    ]  # fmt: skip
    assert balance(made) == 390
    whole = replace(no, scope="span")
    made = book(tiers, *NIGHT, whole)
    assert total(made, "service", "rejected") == 270, "who means the session says so"
    assert balance(book(*NIGHT, no)) == 300, "no tier holds anything, so it is about the session"


def test_what_a_tier_rejects_is_approved_again_by_its_own_level_alone() -> None:
    tiers = policy("default", 1, tiers=(300, 420))
    no = decide(session="s2", decision="reject", level="province", at="12:00", day="2025-03-03")
    mere = decide(session="s2", at="13:00", day="2025-03-03")
    yes = decide(session="s2", level="province", at="14:00", day="2025-03-03")
    assert balance(book(tiers, *NIGHT, no, mere)) == 390
    assert balance(book(tiers, *NIGHT, no, mere, yes)) == 570


def test_a_claim_that_waits_as_a_whole_is_rejected_as_a_whole() -> None:
    tiers = policy("default", 1, tiers=(300, 420))
    no = decide(grant_id="c1", decision="reject")
    made = book(tiers, claim(), no)
    assert total(made, "manual", "rejected") == 120
    assert balance(book(tiers, claim(), no, decide(grant_id="c1", at="21:00"))) == 120


def test_what_is_rejected_of_a_day_does_not_fill_it() -> None:
    """After 300 minutes and 60 that were rejected, 60 more pass the first tier and not another."""
    tiers = policy("default", 1, tiers=(300, 400))
    more = (*served(session="s2", start="14:00", end="15:00"),
            *served(session="s3", start="16:00", end="17:00"))  # fmt: skip
    no = decide(session="s2", decision="reject")
    made = book(tiers, *NIGHT[:2], *more, no)
    assert total(made, "service", "held_province") == 0
    assert total(made, "service", "held_org") == 60
    assert total(made, "service", "rejected") == 60


def test_e14_each_civil_day_has_tiers_of_its_own() -> None:
    made = book(TIERS, *served(start="18:00", end="04:00", end_day="2025-03-02"))
    assert balance(made) == 600


def test_e14_a_tier_that_a_correction_takes_away_gives_the_later_minutes_back() -> None:
    made = book(TIERS, *served(start="08:00", end="15:00"),
                *served(session="s2", start="18:00", end="20:00"), void(session="s1"))  # fmt: skip
    assert balance(made) == 120


def test_e31_a_walk_in_is_held_until_confirmed() -> None:
    known = shift(), accept("v2")
    made = book(
        *known, *served(shift_id="sh1"), *served("v2", shift_id="sh1"), confirm(session="s1")
    )
    assert answer(made.postings[1]) == ("held", "not_on_roster")
    assert answer(made.postings[3]) == ("posted", None)
    assert answer(made.postings[4]) == ("posted", None)
    assert (balance(made), balance(made, "v2")) == (120, 120)


def test_an_approval_approves_what_was_there_and_what_comes_later_waits() -> None:
    """A walk-in of an hour is confirmed; then an older check-in comes from a phone."""
    walk_in = served(start="13:00", end="14:00", shift_id="sh1")
    known = shift(), accept("v2"), *walk_in, confirm(session="s1", at="20:00")
    older = check_in(at="01:30", shift_id="sh1", offline=True)
    made = book(*known, received(older, "09:00", "2025-03-02"))
    assert answer(last(made)) == ("held", "changed_after_decision")
    assert last(made).lines == ()
    assert balance(made) == 60
    near = check_in(at="12:30", shift_id="sh1", offline=True)
    made = book(*known, received(near, "09:00", "2025-03-02"))
    assert balance(made) == 60, "within the longest open time, too"
    again = confirm(session="s1", at="10:00", day="2025-03-02")
    made = book(*known, received(near, "09:00", "2025-03-02"), again)
    assert answer(last(made)) == ("posted", None)
    assert lines(last(made)) == [("s1", TODAY, 30, "effective")]
    assert balance(made) == 90, "a decision of its own"
    sooner = check_out(at="13:30", shift_id="sh1", offline=True)
    made = book(*known, received(sooner, "09:00", "2025-03-02"))
    assert balance(made) == 60, "nor is anything taken of what was approved"


def test_an_approval_is_of_what_was_recorded_by_then_in_whatever_order_it_is_read() -> None:
    start, end = served(start="13:00", end="14:00")
    late = received(check_in(at="12:00", offline=True), "09:00", "2025-03-02")
    yes = confirm(session="s1", at="20:00")
    assert balance(book(late, yes, end, start)) == balance(book(start, end, yes, late)) == 60
    first = confirm(session="s1", at="12:30")
    assert balance(book(start, first, end, late)) == 60, "it came before there was an end"


def test_what_a_decision_fixed_survives_a_merge() -> None:
    start, end = served("v7", start="13:00", end="14:00")
    late = received(check_in("v7", at="12:00", offline=True), "09:00", "2025-03-02")
    yes = confirm("v7", session="s1", at="20:00")
    town = Town(1).take([*BASICS, start, end, yes, merge("v7", "v1"), tick("21:00"), late])
    assert town.books[0].accounts["v1"].balance_minutes == 60


def test_e31_an_activity_without_a_roster_has_no_walk_ins() -> None:
    assert balance(book(shift(), *served(shift_id="sh1"))) == 120


def test_e31_who_withdraws_or_is_rejected_is_a_walk_in() -> None:
    for change in (withdraw("v1"), accept("v1", decision="reject")):
        made = book(shift(), accept("v1"), change, *served(shift_id="sh1"))
        assert answer(last(made)) == ("held", "not_on_roster")


def test_e31_the_roster_of_the_shift_counts_before_that_of_another_shift() -> None:
    two = shift(), shift("sh2", start="13:00", end="16:00"), accept("v1"), accept("v2", "sh2")
    assert answer(last(book(*two, *served(shift_id="sh2")))) == ("held", "not_on_roster")
    assert answer(last(book(*two, *served()))) == ("posted", None)


def test_e31_no_show_gives_no_line() -> None:
    made = book(shift(), accept("v1"), no_show("v1"), tick("23:00"))
    assert made.accounts == {}


def test_e23_heads_without_identity_are_nobodys_hours() -> None:
    made = book(heads(), *served(channel="roster"))
    assert set(made.accounts) == {"v1"}
    assert balance(made) == 120


def test_e8_the_organiser_confirms_a_session_longer_than_the_longest_open_time() -> None:
    made = book(*served(start="06:00", end="19:00"), confirm(session="s1"))
    assert answer(made.postings[1]) == ("held", "over_max_open")
    assert balance(made) == 780


def test_e13_no_confirmation_makes_a_session_of_more_than_a_day_count() -> None:
    made = book(*served(start="06:00", end="07:00", end_day="2025-03-02"),
                confirm(session="s1", day="2025-03-03"))  # fmt: skip
    assert answer(last(made)) == ("held", "over_max_session")


def test_a_stranger_decides_nothing() -> None:
    for act in (confirm, deny, void, decide):
        made = book(*served(), act(session="s1", actor=STRANGER))
        assert answer(last(made)) == ("refused", "not_authorised")
        assert balance(made) == 120


def test_a_strangers_decision_that_came_first_does_nothing_either() -> None:
    made = book(confirm(grant_id="c1", actor=STRANGER), claim())
    assert answer(last(made)) == ("held", "awaiting_organiser")


def test_the_organisation_above_and_a_successor_decide_in_its_place() -> None:
    above = org("sw1", parent="league"), org("league")
    made = book(*above, claim(), confirm(grant_id="c1", actor=Actor("l1", "admin", "league")))
    assert balance(made) == 120
    heir = Actor("h1", "admin", "heir")
    made = book(succeed("sw1", "merged"), succeed("merged", "heir"), claim(),
                confirm(grant_id="c1", actor=heir))  # fmt: skip
    assert balance(made) == 120


def test_e33_the_old_organisation_stays_on_the_lines() -> None:
    made = book(*served(), succeed("sw1", "heir"),
                void(session="s1", actor=Actor("h1", "admin", "heir")))  # fmt: skip
    assert [line.recording_org_id for line in last(made).lines] == ["sw1"]
    assert balance(made) == 0


def test_a_lower_level_undoes_nothing_that_a_higher_one_decided() -> None:
    made = book(claim(), deny(grant_id="c1", actor=REGULATOR), decide(grant_id="c1", at="21:00"))
    assert answer(last(made)) == ("refused", "decided_above")
    made = book(
        TIERS, *LONG, decide(session="s1", level="province"), deny(session="s1", at="21:00")
    )
    assert answer(last(made)) == ("refused", "decided_above")
    assert balance(made) == 540


def test_of_two_decisions_of_one_level_the_later_stands_whatever_came_first() -> None:
    yes, no = (
        decide(grant_id="c1", at="20:00"),
        decide(grant_id="c1", at="21:00", decision="reject"),
    )
    assert balance(book(claim(), yes, no)) == 0
    assert balance(book(claim(), no, yes)) == 0


def test_a_decision_that_changes_nothing_says_so() -> None:
    made = book(claim(), confirm(grant_id="c1"), confirm(grant_id="c1", at="21:00"))
    assert answer(last(made)) == ("posted", "nothing_changed")


def test_i15_held_and_rejected_minutes_are_in_no_total() -> None:
    held: list[Event] = [
        claim(), grant(grant_id="g1", start="12:00", end="13:00", approver=None),
        *served(start="14:00", end="15:00", project="p-unknown"),
        claim(grant_id="c2", start="16:00", end="17:00"), deny(grant_id="c2"),
    ]  # fmt: skip
    made = book(*held)
    assert balance(made) == 0
    assert sum(made.accounts["v1"].totals.values()) == 300


def test_the_65th_decision_about_one_span_is_refused() -> None:
    many = [decide(grant_id="c1", at=claim().occurred_at + n) for n in range(65)]
    made: Book = book(claim(), *many)
    assert answer(made.postings[-2])[1] == "nothing_changed"
    assert answer(last(made)) == ("refused", "too_many_facts")
    assert replace(last(made), lines=()) == last(made)
