"""Two registrations of one person are recognised and evaluated as one, and can be parted again."""

from ledger.merging import moving_cases
from ledger.recognition.recognition import points_spent
from schemas.events import Actor, CaseTransferred, Event, FactForwarded, SpanTransferred
from tests.drawn.histories import (
    BASICS,
    Arrival,
    evaluate,
    merge,
    project,
    served,
    tick,
    unmerge,
    void,
)
from tests.drawn.honours import (
    apply_star,
    certify,
    close,
    commend,
    decide_star,
    recognised_by,
    redeem,
    respond,
    reverse,
    revise,
    take_back,
    uncommend,
)
from tests.drawn.town import Town

MERGED = (merge("v2", "v1"), tick("13:00"))


def town(*told: Event | Arrival) -> Town:
    """v1 and v2 have served two hours each, an hour of them together."""
    basics = (*BASICS, recognised_by(1, (1, 2, 3)), close("p1", "2025-03-01"))
    return Town().take([*basics, *served(), *served("v2", "s2", "10:00", "12:00"), *told])


def last(town: Town, volunteer: str) -> tuple[str, str | None]:
    """What was said in the end of a fact about somebody."""
    said = [p for p in town.postings(volunteer) if p.event_type != "CaseTransferred"][-1]
    return said.outcome, said.reason


def spent(town: Town, *volunteers: str) -> list[int]:
    return [points_spent(town.account(name)) for name in volunteers]


def test_e20_points_of_all_registrations_are_one_balance() -> None:
    made = town(redeem("v1", 1, "r1"), redeem("v2", 1, "r2"), *MERGED)
    assert spent(made, "v1") == [2]  # of 180 minutes
    made.take([redeem("v1", 2, "r3", at="18:00")])
    assert last(made, "v1") == ("refused", "points_short")
    made.take([redeem("v2", 1, "r4", at="18:10")])
    assert last(made, "v2") == ("posted", "forwarded")
    assert last(made, "v1") == ("posted", None)
    assert spent(made, "v1") == [3]
    assert made.take([redeem("v2", 1, "r5", at="18:20")]).replayed()
    assert last(made, "v1") == ("refused", "points_short")


def test_e20_a_redemption_id_spends_once_under_all_registrations() -> None:
    made = town(redeem("v2", 1, "r1"), *MERGED, redeem("v1", 1, "r1", at="18:00"))
    assert last(made, "v1") == ("duplicate", "already_redeemed")
    made.take([redeem("v2", 2, "r1", at="18:10")])
    assert last(made, "v1") == ("refused", "redemption_conflict")
    made.take([redeem("v1", 1, "r2", at="18:20"), redeem("v2", 1, "r2", at="18:30")])
    assert last(made, "v1") == ("duplicate", "already_redeemed")
    assert spent(made, "v1") == [2]


def test_e28_hours_that_overlap_after_a_merge_leave_fewer_points_than_were_spent() -> None:
    made = town(redeem("v1", 2, "r1"), redeem("v2", 2, "r2"), *MERGED)
    assert spent(made, "v1") == [4]
    made.take([redeem("v1", 1, "r3", at="18:00")])
    assert last(made, "v1") == ("refused", "points_short")
    made.take([reverse("v1", "r2", "18:10"), reverse("v2", "r1", "18:20")])
    assert spent(made, "v1") == [0]


def test_one_redemption_told_under_both_registrations_before_the_merge_counts_once() -> None:
    made = town(redeem("v1", 1, "r1"), redeem("v2", 1, "r1"), *MERGED)
    assert spent(made, "v1") == [1]
    assert spent(made.take([unmerge("v2")]).settle(), "v1", "v2") == [1, 1]


def test_e20_an_unmerge_gives_each_its_own_points() -> None:
    made = town(redeem("v1", 1, "r1"), redeem("v2", 1, "r2"), *MERGED)
    made.take([redeem("v2", 1, "r3", at="18:00"), reverse("v1", "r2", "18:10")])
    assert spent(made, "v1") == [2]
    made.take([unmerge("v2")]).settle()
    # The reversal was told of v1: of v2's redemption nobody has said anything but v2.
    assert spent(made, "v1", "v2") == [1, 2]
    made.take([redeem("v1", 1, "r4", at="19:00"), redeem("v2", 1, "r5", at="19:00")])
    assert last(made, "v1") == ("posted", None)
    assert last(made, "v2") == ("refused", "points_short")
    assert made.take([merge("v2", "v1")]).settle().replayed()
    assert spent(made, "v1") == [3]


def test_e20_one_evaluation_of_a_person_stands_whichever_registration_it_names() -> None:
    made = town(evaluate("v2", at="12:00", evaluation_id="e1"), *MERGED)
    made.take([evaluate("v1", at="13:10", evaluation_id="e2")])
    assert last(made, "v1") == ("refused", "already_evaluated")
    made.take([revise("v1", evaluation="e1", at="13:20")])
    assert last(made, "v1") == ("posted", None)
    made.take([respond("v1", evaluation="e1", at="13:30", actor=Actor("v2", "volunteer"))])
    assert last(made, "v1") == ("posted", None)
    made.take([take_back("v1", evaluation="e1", at="13:40"), evaluate("v2", at="13:50")])
    assert last(made, "v1") == ("posted", None)
    # What was taken back under v1 stands again for v2, which has two evaluations now.
    made.take([unmerge("v2")]).settle()
    made.take([revise("v2", evaluation="e1", at="14:00")])
    assert last(made, "v2") == ("posted", None)
    assert made.replayed()


def test_whoever_has_attended_under_one_registration_is_evaluated_under_any() -> None:
    served_there = served("v2", "s3", "13:00", "14:00", project="p2")
    told = (project("p2"), close("p2", "2025-03-01"), *served_there, *MERGED)
    made = town(*told, evaluate("v1", "p2", at="15:00"))
    assert last(made, "v1") == ("posted", None)


def test_stars_go_on_from_what_either_registration_was_awarded() -> None:
    made = town(apply_star("v2", 1), decide_star("v2", 1), *MERGED)
    made.take([apply_star("v1", 1, "again", "14:00")])
    assert last(made, "v1") == ("refused", "star_held")
    made.take([apply_star("v2", 3, "sa-3", "14:00"), apply_star("v2", 2, "sa-2", "14:10")])
    assert last(made, "v1") == ("held", "awaiting_decision")
    made.take([decide_star("v1", 2, "sa-2", "14:20"), apply_star("v1", 3, "sa-3", "14:30")])
    assert last(made, "v1") == ("held", "awaiting_decision")
    # v2's own words: two stars applied for, one awarded.
    made.take([unmerge("v2")]).settle().take([apply_star("v2", 2, "sa-4", "15:00")])
    assert last(made, "v2") == ("refused", "star_pending")


def test_commendations_and_certificates_of_either_registration_are_the_persons() -> None:
    made = town(commend("v2", "cm1"), certify("v2", "c-1"), *MERGED)
    made.take([commend("v1", "cm1", "19:00")])
    assert last(made, "v1") == ("refused", "commendation_exists")
    made.take([certify("v1", "c-2", supersedes_id="c-1", at="19:10")])
    assert last(made, "v1") == ("posted", None)
    made.take([uncommend("v2", "cm1", "19:20")])
    assert last(made, "v1") == ("posted", None)


def test_nobody_recognises_themselves_under_another_registration() -> None:
    own = Actor("v2", "organiser", "sw1")
    made = town(*MERGED, commend("v1", actor=own))
    assert last(made, "v1") == ("refused", "own_record")


def test_minutes_are_nowhere_without_the_points_that_were_spent_of_them() -> None:
    made = town(redeem("v2", 2, "r1"), *MERGED, unmerge("v2"), tick("14:00"))
    came = [r.event for records in made.records for r in records]
    order = [
        (type(event), event.withdrawn)
        for event in came
        if isinstance(event, CaseTransferred | SpanTransferred)
    ]
    assert order == [
        (CaseTransferred, False),
        (SpanTransferred, False),
        (SpanTransferred, True),
        (CaseTransferred, True),
    ]


def test_a_registration_that_had_nothing_before_a_merge_hears_of_it_with_its_first_event() -> None:
    made = town(merge("v4", "v1"), redeem("v4", 2, "r1"))
    assert last(made, "v4") == ("posted", "forwarded")
    assert spent(made, "v1") == [2]
    made.take([void("v1", "s1"), redeem("v4", 1, "r2", at="21:00")])
    assert last(made, "v1") == ("refused", "points_short")


def test_a_fact_that_comes_to_an_account_absorbed_meanwhile_goes_back_and_on() -> None:
    """v2 is one with v1, and v1 with v3, which v2's partition has not heard of yet."""
    made = Town(3)
    made.take([*BASICS, *served("v2"), merge("v2", "v1"), tick("13:00")])
    first = made.account("v1")
    first.lent_to = "v3"
    made.take([redeem("v2", 1, "r1")])
    assert last(made, "v1") == ("posted", "given_back")
    assert last(made, "v2") == ("refused", "volunteer_absorbed")
    made.account("v2").lent_to = "v3"
    sent = next(r.event for r in made.records[2] if isinstance(r.event, FactForwarded))
    assert moving_cases.pass_on(made.account("v2"), sent) == ("posted", "forwarded", ())
