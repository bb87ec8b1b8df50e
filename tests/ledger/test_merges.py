"""Two registrations of one person: their hours are one person's, and can be parted again."""

from hypothesis import given, note
from hypothesis import strategies as st

from schemas.events import Actor, SpanTransferred
from schemas.times import DAY
from tests.drawn.histories import (
    BASICS,
    Arrival,
    accept,
    appeal,
    ask,
    check_in,
    check_out,
    claim,
    confirm,
    consent,
    correct,
    erase,
    grant,
    imported,
    merge,
    no_consent,
    org,
    received,
    register,
    reinstate,
    served,
    shift,
    succeed,
    tick,
    unmerge,
    void,
    when,
    words,
)
from tests.drawn.strategies import LAW, merging_histories
from tests.drawn.town import Town, judge


def said(town: Town, volunteer: str) -> list[tuple[str, str | None, int]]:
    """Outcome, reason and balance of somebody's postings."""
    return [(p.outcome, p.reason, p.balance_minutes) for p in town.postings(volunteer)]


AFTERNOON = served("v2", "s2", "10:00", "12:00")


def test_e20_the_survivor_gets_all_sessions_and_shared_time_counts_once() -> None:
    town = Town().take([*BASICS, *served(), *AFTERNOON])
    assert town.balances() == {"v1": 120, "v2": 120}
    town.take([merge("v2", "v1"), tick("13:00")])
    assert town.balances() == {"v1": 180}
    assert said(town, "v2")[-1] == ("posted", "merged", 0)
    assert said(town, "v1")[-1] == ("posted", "overlap_counted_once", 180)
    assert town.account("v2").lent_to == "v1"
    assert town.replayed()


def test_i13_an_absorbed_registration_has_nothing_in_any_state() -> None:
    waiting = served("v2", "s3", "13:00", "14:00", project="nobody-knows")
    town = Town().take([*BASICS, *AFTERNOON, *waiting, merge("v2", "v1")]).settle()
    assert not any(town.account("v2").totals.values())
    assert town.account("v2").due == {}
    assert town.account("v1").totals == {("service", "effective"): 120,
                                         ("service", "held_review"): 60}  # fmt: skip


def test_a_merge_is_heard_of_at_the_next_tick() -> None:
    town = Town().take([*BASICS, *served("v2"), merge("v2", "v1"), *AFTERNOON])
    assert town.balances() == {"v2": 180}
    assert town.settle().balances() == {"v1": 180}


def test_e20_later_events_to_the_old_id_are_counted_by_the_survivor() -> None:
    town = Town().take([*BASICS, *served("v2"), merge("v2", "v1"), tick("13:00")])
    town.take([*served("v2", "s2", "14:00", "15:00"), check_in("v2", "s3", "16:00")])
    assert said(town, "v2")[-3:] == [("posted", "forwarded", 0)] * 3
    assert town.balances() == {"v1": 180}
    again = check_in("v2", "s3", "16:00")
    late = received(check_out("v2", "s3"), "11:01", "2025-03-08")
    town.take([again, void("v2", "s1"), late])
    assert [outcome for outcome, _, _ in said(town, "v2")[-3:]] == ["duplicate", "posted", "held"]
    assert town.balances() == {"v1": 60}
    assert town.replayed()


def test_one_session_of_one_person_is_one_session() -> None:
    """Whoever logged in anew between check-in and check-out has one session all the same."""
    town = Town().take([*BASICS, check_in("v2"), check_out("v1"), merge("v2", "v1")]).settle()
    assert town.balances() == {"v1": 120}
    assert town.take([unmerge("v2")]).settle().balances() == {}
    assert town.take([merge("v1", "v2")]).settle().balances() == {"v2": 120}


def test_a_decision_under_the_survivor_reaches_what_the_absorbed_one_served() -> None:
    town = Town().take([*BASICS, *served("v2", "s2"), merge("v2", "v1"), tick("13:00")])
    town.take([void("v1", "s2")])
    assert town.balances() == {}
    town.take([ask("v1", session="s3", actor=None), correct("v1", session="s3")])
    assert town.take([appeal("v1", session="s2")]).balances() == {"v1": 180}


def test_nobody_decides_their_own_hours_under_another_registration() -> None:
    own = Actor("v2", "organiser", "sw1")
    town = Town().take([*BASICS, merge("v2", "v1"), claim("v1"), confirm("v1", grant_id="c1",
                        actor=own), grant("v1", approver=own)])  # fmt: skip
    assert said(town, "v1")[1] == ("refused", "own_hours", 0)
    assert said(town, "v1")[2] == ("held", "no_second_person", 0)


def test_a_chain_leads_to_its_end_and_falls_apart_again() -> None:
    town = Town(3).take([*BASICS, *served("v3", "s3"), *served("v2", "s2", "10:00", "12:00"),
                         *served("v1", "s1", "13:00", "14:00")])  # fmt: skip
    town.take([merge("v3", "v2"), tick("15:00")])
    assert town.balances() == {"v2": 180, "v1": 60}
    assert town.take([merge("v2", "v1")]).settle().balances() == {"v1": 240}
    assert town.take([unmerge("v2")]).settle().balances() == {"v2": 180, "v1": 60}
    assert town.take([unmerge("v3")]).settle().balances() == {"v3": 120, "v2": 120, "v1": 60}
    assert town.replayed()


def test_a_circle_is_refused_and_changes_nothing() -> None:
    town = Town().take([*BASICS, *served("v1"), *served("v2", "s2", "12:00", "13:00")])
    town.take([merge("v1", "v2"), merge("v2", "v1"), merge("v1", "v1")]).settle()
    assert town.balances() == {"v2": 180}


def test_e20_an_unmerge_gives_back_what_came_and_nothing_else() -> None:
    town = Town().take([*BASICS, *served(), *AFTERNOON, merge("v2", "v1"), tick("13:00")])
    town.take([*served("v2", "s3", "14:00", "15:00"), *served("v1", "s4", "16:00", "17:00")])
    assert town.take([unmerge("v2")]).settle().balances() == {"v1": 180, "v2": 180}
    assert said(town, "v1")[-1] == ("posted", "given_back", 180)
    town.take([merge("v2", "v1")]).settle()
    assert town.balances() == {"v1": 300}
    assert town.replayed()


def test_what_the_survivor_did_is_untouched_by_what_goes() -> None:
    """A void of the survivor's word on a session of the other one goes with the survivor."""
    town = Town().take([*BASICS, *served("v2", "s2"), merge("v2", "v1"), tick("13:00")])
    town.take([void("v1", "s2"), unmerge("v2")]).settle()
    assert town.balances() == {"v2": 120}


def test_hours_without_a_check_out_are_closed_where_they_are_counted() -> None:
    town = Town().take([*BASICS, check_in("v2"), check_out("v2", "s2"), merge("v2", "v1")])
    town.settle().take([tick("22:00", "2025-03-01"), tick("22:00", "2025-03-09")])
    reasons = [reason for _, reason, _ in said(town, "v1")]
    assert reasons == [None, "awaiting_check_in", "no_check_out", "no_check_in"]
    town.take([unmerge("v2")]).settle()
    assert "no_check_in" not in [reason for _, reason, _ in said(town, "v2")[:4]]


def test_a_source_row_taken_over_under_both_registrations_counts_once() -> None:
    town = Town().take([*BASICS, imported("v1", minutes=90), imported("v2", "i2", minutes=90)])
    assert town.balances() == {"v1": 90, "v2": 90}
    town.take([merge("v2", "v1")]).settle()
    assert town.balances() == {"v1": 90}
    assert said(town, "v1")[-1] == ("posted", "overlap_counted_once", 90)
    assert town.take([void("v1", grant_id="i1")]).balances() == {"v1": 90}
    town.take([imported("v2", "i3", minutes=30, row="row-2")])
    assert town.balances() == {"v1": 120}
    assert town.take([unmerge("v2")]).settle().balances() == {"v2": 120}
    assert town.replayed()


def test_of_rows_that_read_alike_two_registrations_have_as_many_as_the_one_with_more() -> None:
    rows = [imported("v1", f"i{n}", minutes=60, at=f"20:0{n}") for n in range(2)]
    town = Town().take([*BASICS, *rows, imported("v2", "i7", minutes=60)])
    assert town.take([merge("v2", "v1")]).settle().balances() == {"v1": 120}
    assert town.replayed()


def test_a_roster_names_a_person_by_any_registration() -> None:
    town = Town().take([*BASICS, shift(), accept("v1"), *served("v2", shift_id="sh1")])
    assert town.balances() == {}
    assert town.take([merge("v2", "v1")]).settle().balances() == {"v1": 120}


def test_e24_a_guardian_consents_for_a_person_under_any_registration() -> None:
    town = Town().take([*BASICS, register("v2", "2012-01"), *served("v2"), merge("v2", "v1")])
    assert town.settle().balances() == {}
    assert said(town, "v1")[-1][:2] == ("held", "guardian_consent_missing")
    town.take([consent("v1")]).settle()
    assert town.balances() == {"v1": 120}
    town.take([no_consent("v2", "12:00"), *served("v1", "s2", "10:00", "11:30")])
    assert town.balances() == {"v1": 150}


def test_e25_erasure_takes_nothing_new_and_leaves_all_totals() -> None:
    town = Town().take(
        [
            *BASICS,
            register("v2", "2012-01"),
            *served("v2"),
            consent("v2"),
            tick("12:00"),
            merge("v2", "v1"),
            *served("v1", "s2", "13:00", "14:00"),
        ]
    )
    town.settle()
    before = town.net()
    town.take([erase("v1"), *served("v2", "s3", "15:00", "16:00")]).settle()
    assert said(town, "v2")[-1] == ("refused", "volunteer_erased", 0)
    assert town.net() == before


def test_i14_a_merge_published_before_an_erasure_moves_hours_whole() -> None:
    town = Town().take([*BASICS, *served("v2"), merge("v2", "v1"), erase("v1")]).settle()
    assert town.balances() == {"v1": 120}


def test_e25_what_waited_for_a_guardian_waits_on_after_an_erasure() -> None:
    town = Town().take([*BASICS, register("v1", "2012-01"), *served("v1"), erase("v1")]).settle()
    assert town.account("v1").totals == {("service", "held_review"): 120}


def test_e33_a_successor_corrects_and_the_old_organisation_stays_on_the_lines() -> None:
    heir = Actor("heir-1", "admin", "heir")
    town = Town().take([*BASICS, org("heir"), *served(), succeed("sw1", "heir"), ask(session="s1"),
                        correct(session="s1", actor=heir)])  # fmt: skip
    assert town.balances() == {"v1": 180}
    assert {share.place.recording_org_id for share in town.net()} == {"sw1"}


def test_many_requests_and_decisions_are_handed_over_in_several_transfers() -> None:
    told = [void("v2", "s1", at=f"20:{n:02}") for n in range(40)]
    town = Town().take([*BASICS, *served("v2"), *told, merge("v2", "v1")]).settle()
    acts = [len(r.event.acts) for rs in town.records for r in rs
            if isinstance(r.event, SpanTransferred)]  # fmt: skip
    assert acts == [16, 16, 8]
    assert town.balances() == {}
    reinstated = reinstate("v1", "s1", at="21:00")
    assert town.take([reinstated]).balances() == {"v1": 120}


def test_a_transfer_of_the_largest_session_is_no_larger_than_an_event_may_be() -> None:
    long = "x" * 64
    place = {"org": long, "project": long, "site": long, "activity": long}
    told = [
        ask(
            "v2",
            session=long,
            correction=f"{n:064}",
            event_id=f"{n:064}",
            at=f"20:{n:02}",
            actor=Actor(long, "organiser", long),
            **place,
        )
        for n in range(60)
    ]
    ends = [check_out("v2", long, f"11:{n:02}", **place) for n in range(60)]
    town = Town().take([*BASICS, check_in("v2", long, **place), *ends, *told, merge("v2", "v1")])
    town.settle()  # encodes and decodes every transfer
    assert len(town.account("v1").days.get(when("09:00") // DAY)) == 1


@given(merging_histories(unmerges=False), st.integers(0, 2**16))
@LAW
def test_a_merged_person_has_the_hours_of_one_registration(
    history: list[Arrival], seed: int
) -> None:
    note(words(history))
    assert judge(history, seed) == []


@given(merging_histories(unmerges=True), st.integers(0, 2**16))
@LAW
def test_an_unmerged_registration_has_its_own_hours_again(
    history: list[Arrival], seed: int
) -> None:
    note(words(history))
    assert judge(history, seed) == []
