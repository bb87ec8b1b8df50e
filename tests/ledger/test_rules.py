"""One test for each rule of docs/rules.md and each edge case: the name is the sentence.

Every book opened here is also judged by the reference in `tests.reference.model`.
"""

import itertools
from dataclasses import replace
from hashlib import blake2b

import pytest

from ledger.account.record import Record
from ledger.replay import replay
from schemas.events import Event
from schemas.posting import Posting
from schemas.times import MINUTE
from tests.drawn.histories import (
    BASICS,
    ORGANISER,
    TODAY,
    check_in,
    check_out,
    evaluate,
    grant,
    log,
    org,
    policy,
    project,
    received,
    served,
    shift,
    site,
    tick,
    void,
    when,
)
from tests.ledger.books import answer, answers, balance, book, lines, total

DAY_2 = "2025-03-02"
DAY_3 = "2025-03-03"
WEEK_LATER = "2025-03-08"
NEW_YORK = site("ny", ("2024-11-03T06:00:00Z", -300), ("2025-03-09T07:00:00Z", -240))


def test_a_session_is_credited_from_check_in_to_check_out() -> None:
    made = book(*served(start="09:00", end="11:30"))
    assert answers(made) == [("posted", None), ("posted", None)]
    assert lines(made.postings[0]) == []
    assert lines(made.postings[1]) == [("s1", TODAY, 150, "effective")]
    assert balance(made) == 150


def test_e15_what_happens_in_the_future_never_enters_the_ledger() -> None:
    on_time = received(check_in(at="09:05"), "09:00")
    too_early = received(check_in(session="s2", at=when("09:05") + 1), "09:00")
    made = book(on_time, too_early)
    assert [p.event_id for p in made.postings] == [on_time.event.event_id]
    assert [(r.event, code) for r, code, _ in made.refused_entry] == [
        (too_early.event, "in_the_future")
    ]


def test_a_grant_of_hours_still_to_come_never_enters_the_ledger() -> None:
    ahead = received(grant(start="09:00", end="11:00", occurred_at=when("08:00")), "10:00")
    made = book(ahead)
    assert made.postings == []
    assert [code for _, code, _ in made.refused_entry] == ["in_the_future"]


def test_a_tick_from_the_future_counts_as_of_when_it_was_recorded() -> None:
    made = book(check_in(at="08:00"), received(tick("20:00"), "19:59"))
    assert answer(made.postings[-1]) == ("posted", "nothing_due")
    made = book(check_in(at="08:00"), received(tick("09:06"), "20:00"))
    assert answer(made.postings[-1]) == ("held", "no_check_out")
    assert made.refused_entry == []


def test_the_allowed_clock_skew_is_that_of_the_policy_default() -> None:
    generous = policy("default", 1, skew_minutes=60)
    made = book(generous, received(check_in(at="10:00"), "09:00"))
    assert answers(made) == [("posted", None)]


@pytest.mark.parametrize(
    ("spoiled", "code"),
    [
        ({"key": "v2"}, "wrong_key"),
        ({"key": None}, "wrong_key"),
        ({"topic": "service.hours"}, "wrong_topic"),
        ({"event": check_in(project="p 1")}, "id_form"),
        ({"event": check_in(at="09:00", day="1999-12-31")}, "value_form"),
    ],
)
def test_a_malformed_record_is_quarantined_and_touches_no_account(
    spoiled: dict[str, object], code: str
) -> None:
    *catalogue, good = log(*BASICS, check_in())
    bad: Record = replace(good, **spoiled)  # type: ignore[arg-type]
    made = replay([*catalogue, bad])
    assert made.postings == []
    assert [(record, found) for record, found, _ in made.refused_entry] == [(bad, code)]
    assert made.accounts == {}


def test_e1_an_exact_duplicate_changes_nothing_whatever_its_age() -> None:
    start, end = served()
    made = book(
        start, end, received(end, "12:00", WEEK_LATER), received(start, "12:00", "2026-01-01")
    )
    assert answers(made)[2:] == [("duplicate", "duplicate_event")] * 2
    assert [lines(p) for p in made.postings[2:]] == [[], []]
    assert balance(made) == 120


def test_e1_a_repeated_refusal_is_a_duplicate_too() -> None:
    backwards = grant(start="11:00", end="09:00")
    made = book(backwards, backwards)
    assert answers(made) == [("refused", "end_before_start"), ("duplicate", "duplicate_event")]


def test_e2_other_content_under_a_used_event_id_is_refused_and_the_first_stands() -> None:
    start, end = served()
    other = replace(end, occurred_at=when("12:00"))
    made = book(start, end, other)
    assert answer(made.postings[2]) == ("refused", "event_id_conflict")
    assert balance(made) == 120


def test_e2_another_type_under_a_used_event_id_is_refused() -> None:
    start, end = served()
    made = book(start, end, void(session="s1", event_id=end.event_id))
    assert answer(made.postings[2]) == ("refused", "event_id_conflict")
    assert balance(made) == 120


def test_an_event_id_is_used_up_even_by_a_refused_event() -> None:
    backwards = grant(start="11:00", end="09:00")
    made = book(backwards, replace(backwards, end_at=when("12:00"), occurred_at=when("13:00")))
    assert answers(made) == [("refused", "end_before_start"), ("refused", "event_id_conflict")]


def test_the_same_event_id_of_two_volunteers_is_no_conflict() -> None:
    start, end = served(event_id="e1"), served("v2", event_id="e1")
    made = book(start[0], end[0])
    assert answers(made) == [("posted", None), ("posted", None)]


def test_every_record_gives_one_posting_numbered_without_gaps() -> None:
    made = book(*served(), *served("v2"), tick("12:00"), *served(session="s2"))
    assert [p.index for p in made.postings] == list(range(7))
    assert [(p.volunteer_id, p.sequence) for p in made.postings] == [
        ("v1", 1), ("v1", 2), ("v2", 1), ("v2", 2), ("", 0), ("v1", 3), ("v1", 4)
    ]  # fmt: skip


def test_a_posting_names_its_event_actor_times_and_place_in_the_log() -> None:
    made = book(received(check_in(at="09:00"), "09:30"))
    [posting] = made.postings
    event = check_in(at="09:00")
    assert posting == Posting(
        partition=0, index=0, source_topic="service.checkins", source_partition=0,
        source_offset=0, event_id=event.event_id, event_type="CheckedIn", volunteer_id="v1",
        sequence=1, occurred_at=when("09:00"), recorded_at=when("09:30"), actor_id="v1",
        catalogue_offset=len(BASICS), outcome="posted", reason=None, lines=(), balance_minutes=0,
    )  # fmt: skip


def test_e6_a_late_event_inside_the_window_counts_as_if_it_had_come_in_time() -> None:
    start, end = served()
    made = book(start, received(end, end.occurred_at + 7 * 1440 * MINUTE))
    assert answer(made.postings[1]) == ("posted", None)
    assert balance(made) == 120


def test_e6_a_late_earlier_session_takes_back_minutes_by_compensating_lines() -> None:
    first, last = served(session="s1", start="09:00", end="11:00")
    made = book(*served(session="s2", start="10:00", end="12:00"),
                received(first, "08:00", DAY_3), received(last, "08:01", DAY_3))  # fmt: skip
    assert lines(made.postings[3]) == [
        ("s1", TODAY, 120, "effective"), ("s2", TODAY, -60, "effective")
    ]  # fmt: skip
    assert balance(made) == 180


def test_e7_an_event_beyond_the_late_window_is_kept_but_pairs_with_nothing() -> None:
    start, end = served()
    made = book(start, received(end, end.occurred_at + 7 * 1440 * MINUTE + 1))
    assert answer(made.postings[1]) == ("held", "too_late")
    assert lines(made.postings[1]) == []
    assert balance(made) == 0


def test_e7_a_check_in_beyond_the_window_does_not_start_its_session() -> None:
    start, end = served()
    made = book(received(start, "09:01", WEEK_LATER), received(end, "10:00", WEEK_LATER))
    assert answers(made) == [("held", "too_late"), ("held", "awaiting_check_in")]


def test_e3_of_two_check_ins_the_earliest_stands() -> None:
    made = book(check_in(at="09:00"), check_in(at="09:10", org="vo1", project="p2"),
                check_out(at="11:00"))  # fmt: skip
    assert answer(made.postings[1]) == ("posted", "redundant_check_in")
    assert lines(made.postings[2]) == [("s1", TODAY, 120, "effective")]
    assert made.postings[2].lines[0].project_id == "p1"


def test_e3_an_earlier_check_in_that_comes_later_moves_the_start_and_says_where() -> None:
    made = book(check_in(at="09:10"), check_out(at="11:00"),
                check_in(at="09:00", org="vo1", host="sw1", project="p2"))  # fmt: skip
    assert answer(made.postings[2]) == ("posted", None)
    assert [(ln.project_id, ln.recording_org_id, ln.host_org_id, ln.minutes)
            for ln in made.postings[2].lines] == [
        ("p1", "sw1", "sw1", -110), ("p2", "vo1", "sw1", 120)
    ]  # fmt: skip


def test_e3_of_two_check_ins_at_one_instant_the_lower_event_id_says_where() -> None:
    made = book(check_in(event_id="e2"), check_in(event_id="e1", org="vo1", project="p2"),
                check_out())  # fmt: skip
    assert made.postings[2].lines[0].project_id == "p2"


def test_e4_of_two_check_outs_the_earliest_after_the_start_stands() -> None:
    made = book(check_in(), check_out(at="11:00"), check_out(at="12:00"))
    assert answer(made.postings[2]) == ("posted", "redundant_check_out")
    assert balance(made) == 120


def test_e4_an_earlier_check_out_that_comes_later_shortens_the_session() -> None:
    made = book(check_in(), check_out(at="12:00"), check_out(at="11:00"))
    assert answer(made.postings[2]) == ("posted", None)
    assert lines(made.postings[2]) == [("s1", TODAY, -60, "effective")]
    assert balance(made) == 120


def test_e5_a_check_out_waits_for_its_check_in() -> None:
    start, end = served()
    made = book(end, received(start, "18:00"))
    assert answers(made) == [("held", "awaiting_check_in"), ("posted", None)]
    assert lines(made.postings[1]) == [("s1", TODAY, 120, "effective")]


def test_e5_two_check_outs_at_one_instant_both_wait_for_their_check_in() -> None:
    made = book(check_out(event_id="e1"), check_out(event_id="e2"))
    assert answers(made) == [("held", "awaiting_check_in")] * 2


def test_a_check_out_before_the_start_waits_for_an_earlier_check_in() -> None:
    made = book(check_in(at="09:00"), check_out(at="08:30"), check_in(at="08:00"))
    assert answer(made.postings[1]) == ("held", "check_out_before_check_in")
    assert answer(made.postings[2]) == ("posted", None)
    assert lines(made.postings[2]) == [("s1", TODAY, 30, "effective")]


def test_a_check_out_at_the_very_start_is_its_end() -> None:
    made = book(check_in(at="09:00"), check_out(at="09:00"))
    assert answer(made.postings[1]) == ("posted", "under_a_minute")


def test_e9_an_open_session_does_not_end_where_another_begins() -> None:
    made = book(check_in(session="s1", at="09:00"), check_in(session="s2", at="10:00"),
                check_out(session="s2", at="11:00"))  # fmt: skip
    assert lines(made.postings[2]) == [("s2", TODAY, 60, "effective")]
    assert balance(made) == 60


def test_a_check_out_pairs_only_within_its_own_session() -> None:
    made = book(check_in(session="s1"), check_out(session="s2"))
    assert answers(made) == [("posted", None), ("held", "awaiting_check_in")]


def test_the_same_session_id_of_two_volunteers_is_two_sessions() -> None:
    made = book(check_in("v1"), check_out("v2"))
    assert answers(made) == [("posted", None), ("held", "awaiting_check_in")]


def test_the_65th_check_out_of_a_session_is_refused_even_if_it_was_the_earliest() -> None:
    many = [check_out(at=when("12:00") + n * MINUTE) for n in range(64)]
    made = book(check_in(), *many, check_out(at="11:00"))
    assert answer(made.postings[-2]) == ("posted", "redundant_check_out")
    assert answer(made.postings[-1]) == ("refused", "too_many_facts")
    assert balance(made) == 180


def test_at_most_500_spans_of_a_volunteer_begin_on_one_day() -> None:
    starts = [when("09:00") + n * MINUTE for n in range(501)]
    made = book(*(grant(grant_id=f"g{at}", start=at, end=at + MINUTE) for at in starts))
    assert answer(made.postings[499]) == ("posted", None)
    assert answer(made.postings[500]) == ("refused", "too_many_spans")
    assert lines(made.postings[500]) == []


def test_at_most_256_spans_of_a_volunteer_wait_at_once() -> None:
    made = book(*(check_in(session=f"s{n}") for n in range(257)), check_out(session="s7"))
    assert answer(made.postings[255]) == ("posted", None)
    assert answer(made.postings[256]) == ("refused", "too_many_spans")
    assert answer(made.postings[257]) == ("posted", None)


def test_ids_made_to_clash_stop_nothing() -> None:
    made_up = [evaluate(event_id=name) for name in clashing("e/", 2048)]
    [session] = clashing("s/", 1)
    made = replay(log(*BASICS, *made_up, check_in(session=session, event_id="e-1")))
    assert answer(made.postings[-1]) == ("refused", "clashing_ids")


def clashing(prefix: str, count: int) -> list[str]:
    """Ids that the index of seen ids keeps on its first page, found by trying."""
    numbers = map(str, itertools.count())
    return list(itertools.islice((n for n in numbers if is_on_first_page(prefix + n)), count))


def is_on_first_page(text: str) -> bool:
    """Are the low seven bits of its digest zero? (128 pages hold 4,096 entries)"""
    return blake2b(text.encode(), digest_size=8).digest()[0] % 128 == 0


def test_e8_a_session_longer_than_the_longest_open_time_waits_in_review() -> None:
    exactly = book(*served(start="08:00", end="20:00"))
    longer = book(*served(start="08:00", end=when("20:00") + 1))
    assert answer(exactly.postings[1]) == ("posted", None)
    assert answer(longer.postings[1]) == ("held", "over_max_open")
    assert lines(longer.postings[1]) == [("s1", TODAY, 720, "held_review")]
    assert balance(longer) == 0


def test_e13_a_session_longer_than_a_day_gets_no_minutes_at_all() -> None:
    made = book(*served(start="08:00", end=when("08:00", DAY_2) + 1))
    assert answer(made.postings[1]) == ("held", "over_max_session")
    assert lines(made.postings[1]) == []


def test_e13_a_grant_longer_than_a_day_gets_no_minutes_either() -> None:
    a_day = book(grant(start="08:00", end="08:00", end_day=DAY_2))
    longer = book(grant(start="08:00", end=when("08:00", DAY_2) + 1))
    assert answer(a_day.postings[0]) == ("posted", None)
    assert balance(a_day) == 1440
    assert answer(longer.postings[0]) == ("held", "over_max_session")


def test_e21_a_grant_with_evidence_and_a_second_person_counts_as_manual_hours() -> None:
    made = book(grant(start="09:00", end="23:00"))
    assert answer(made.postings[0]) == ("posted", None)
    assert lines(made.postings[0]) == [("g1", TODAY, 840, "effective")]
    assert made.postings[0].lines[0].kind == "manual"
    assert total(made, "manual", "effective") == 840


def test_e21_the_late_window_does_not_bind_grants() -> None:
    made = book(received(grant(), "09:00", "2025-03-12"))
    assert answer(made.postings[0]) == ("posted", None)


@pytest.mark.parametrize(
    "lacking",
    [
        grant(evidence=()),
        grant(approver=None),
        grant(approver=ORGANISER),
        grant(approver=replace(ORGANISER, role="admin", org_id="vo1")),
    ],
    ids=["no evidence", "no approver", "approved by its requester", "in another role"],
)
def test_e21_a_grant_without_evidence_or_a_second_person_is_held(lacking: Event) -> None:
    made = book(lacking)
    assert answer(made.postings[0]) == ("held", "no_second_person")
    assert lines(made.postings[0]) == [("g1", TODAY, 120, "held_org")]
    assert balance(made) == 0


def test_e17_a_grant_that_ends_before_it_starts_is_refused() -> None:
    made = book(grant(start="11:00", end="09:00"), grant(start="09:00", end="10:00"))
    assert answers(made) == [("refused", "end_before_start"), ("posted", None)]
    assert balance(made) == 60


def test_a_second_grant_under_a_taken_grant_id_is_refused_even_after_a_void() -> None:
    made = book(grant(), grant(end="12:00"), void(grant_id="g1"), grant(end="13:00"))
    assert answers(made) == [
        ("posted", None), ("refused", "grant_exists"), ("posted", "voided"),
        ("refused", "grant_exists"),
    ]  # fmt: skip
    assert balance(made) == 0


@pytest.mark.parametrize(
    ("place", "publication"),
    [
        ({"project": "p9"}, project("p9")),
        ({"org": "org9"}, org("org9")),
        ({"site": "site-9"}, site("site-9")),
        ({"project": "p8"}, policy("p8-rules", 1)),
        ({"project": "p7", "activity": "a7"}, shift("sh7", "p7", "a7")),
    ],
    ids=["project", "organisation", "site", "policy version", "shift naming the activity"],
)
def test_a_session_not_in_the_catalogue_waits_until_a_tick_sees_it_there(
    place: dict[str, str], publication: Event
) -> None:
    of_policy = type(publication).__name__ == "PolicyPublished"
    waits_for = "awaiting_policy" if of_policy else "unknown_activity"
    known = (project("p8", "p8-rules"), project("p7"), shift("sh6", "p7", "a6"))
    made = book(*known, *served(**place), tick("12:00"), publication, tick("13:00"), tick("14:00"))
    assert answers(made) == [
        ("posted", None), ("held", waits_for), ("posted", "nothing_due"),
        ("posted", None), ("posted", "nothing_due"),
    ]  # fmt: skip
    assert lines(made.postings[1]) == [("s1", TODAY, 120, "held_review")]
    assert lines(made.postings[3]) == [
        ("s1", TODAY, -120, "held_review"), ("s1", TODAY, 120, "effective")
    ]  # fmt: skip
    assert (made.postings[3].event_id, made.postings[3].volunteer_id) == (
        tick("13:00").event_id, "v1"
    )  # fmt: skip


def test_an_unknown_host_organisation_does_not_matter() -> None:
    assert balance(book(*served(host="stranger"))) == 120


def test_a_project_without_a_schedule_credits_all_its_activities() -> None:
    assert balance(book(*served(activity="whatever"))) == 120


def test_a_shift_of_another_project_names_no_activity_of_this_one() -> None:
    made = book(shift("sh1", "p1", "a1"), shift("sh2", "p2", "a2"), *served(activity="a2"))
    assert answer(made.postings[1]) == ("held", "unknown_activity")


def test_a_publication_alone_changes_no_span() -> None:
    start, end = served(project="p9")
    made = book(start, end, project("p9"), check_out(at="12:00", project="p9"))
    assert answers(made) == [
        ("posted", None), ("held", "unknown_activity"), ("posted", "redundant_check_out")
    ]  # fmt: skip
    assert balance(made) == 0


def test_an_own_fact_that_moves_the_span_settles_it_by_what_is_known_then() -> None:
    made = book(*served(project="p9"), project("p9"), check_out(at="10:00", project="p9"),
                tick("13:00"))  # fmt: skip
    assert answer(made.postings[2]) == ("posted", None)
    assert lines(made.postings[2]) == [
        ("s1", TODAY, -120, "held_review"), ("s1", TODAY, 60, "effective")
    ]  # fmt: skip
    assert answer(made.postings[3]) == ("posted", "nothing_due")


def test_a_span_held_for_its_length_is_not_released_by_the_catalogue() -> None:
    made = book(*served(start="06:00", end="20:00", project="p9"), project("p9"),
                tick("21:00"))  # fmt: skip
    assert answers(made)[1:] == [("held", "over_max_open"), ("posted", "nothing_due")]


def test_a_released_session_is_judged_by_the_policy_then_known() -> None:
    short = policy("short", 1, open_minutes=60)
    made = book(*served(project="p9"), short, project("p9", "short"), tick("12:00"))
    assert answer(made.postings[2]) == ("held", "over_max_open")
    assert [(ln.minutes, ln.state, ln.policy) for ln in made.postings[2].lines] == [
        (-120, "held_review", "default@0"), (120, "held_review", "short@1")
    ]  # fmt: skip


def test_e10_overlapping_service_at_two_organisations_counts_once() -> None:
    made = book(
        *served(session="s1", start="09:00", end="11:00"),
        *served(session="s2", start="10:00", end="12:00", org="vo1", project="p2"),
    )
    assert answer(made.postings[3]) == ("posted", "overlap_counted_once")
    assert lines(made.postings[3]) == [("s2", TODAY, 60, "effective")]
    assert balance(made) == 180


def test_e10_a_session_wholly_inside_another_gets_nothing() -> None:
    made = book(
        *served(session="s1", start="09:00", end="12:00"),
        *served(session="s2", start="10:00", end="11:00"),
    )
    assert answer(made.postings[3]) == ("posted", "overlap_counted_once")
    assert lines(made.postings[3]) == []


def test_e10_a_tie_goes_to_the_lower_session_id_whichever_came_first() -> None:
    for first, last in (("s1", "s2"), ("s2", "s1")):
        made = book(
            *served(session=first, org="vo1" if first == "s1" else "sw1"),
            *served(session=last, org="vo1" if last == "s1" else "sw1"),
        )
        net: dict[str | None, int] = {}
        for posting in made.postings:
            for name, _, minutes, _ in lines(posting):
                net[name] = net.get(name, 0) + minutes
        assert {name: minutes for name, minutes in net.items() if minutes} == {"s1": 120}


def test_e10_a_session_keeps_the_minute_before_a_grant_of_the_same_start_and_id() -> None:
    made = book(grant(grant_id="x1"), *served(session="x1"))
    assert total(made, "manual", "effective") == 0
    assert total(made, "service", "effective") == 120


def test_e10_touching_intervals_do_not_overlap() -> None:
    made = book(
        *served(session="s1", start="09:00", end="10:00"),
        *served(session="s2", start="10:00", end="11:00"),
    )
    assert answer(made.postings[3]) == ("posted", None)
    assert balance(made) == 120


def test_time_lost_to_overlap_is_said_even_when_no_whole_minute_is_lost() -> None:
    made = book(
        *served(session="s1", start="10:00:00", end="10:00:20"),
        *served(session="s2", start="10:00:00", end="11:00:30"),
    )
    assert answer(made.postings[3]) == ("posted", "overlap_counted_once")
    assert balance(made) == 60


def test_held_spans_never_take_time_from_effective_ones() -> None:
    made = book(
        *served(session="s1", start="06:00", end="20:00"),
        *served(session="s2", start="10:00", end="12:00"),
    )
    assert answer(made.postings[3]) == ("posted", None)
    assert lines(made.postings[3]) == [
        ("s2", TODAY, 120, "effective"), ("s1", TODAY, -120, "held_review")
    ]  # fmt: skip
    assert (balance(made), total(made, "service", "held_review")) == (120, 720)


def test_held_spans_share_what_is_left_among_themselves() -> None:
    made = book(
        grant(grant_id="g1", start="09:00", end="11:00", approver=None),
        grant(grant_id="g2", start="10:00", end="12:00", approver=None),
    )
    assert total(made, "manual", "held_org") == 180


def test_a_released_span_takes_its_minutes_from_later_effective_ones() -> None:
    made = book(
        *served(session="s1", start="09:00", end="11:00", project="p9"),
        *served(session="s2", start="10:00", end="12:00"),
        project("p9"),
        tick("13:00"),
    )
    assert answer(made.postings[4]) == ("posted", None)
    assert lines(made.postings[4]) == [
        ("s1", TODAY, -60, "held_review"), ("s1", TODAY, 120, "effective"),
        ("s2", TODAY, -60, "effective"),
    ]  # fmt: skip
    assert (balance(made), total(made, "service", "held_review")) == (180, 0)


def test_a_session_of_no_minutes_at_all_takes_none_from_others() -> None:
    made = book(
        *served(session="s1", start="08:00", end="09:00", end_day=DAY_2),
        *served(session="s2", start="10:00", end="12:00"),
    )
    assert answer(made.postings[1]) == ("held", "over_max_session")
    assert balance(made) == 120


def test_e12_a_session_over_midnight_is_one_session_in_two_days() -> None:
    made = book(*served(start="22:00", end="02:30", end_day=DAY_2))
    assert lines(made.postings[1]) == [
        ("s1", TODAY, 120, "effective"), ("s1", DAY_2, 150, "effective")
    ]  # fmt: skip


def test_e12_midnight_is_chinas_where_no_site_says_otherwise() -> None:
    made = book(*served(start="06:00", end="10:00", site="site-a"))
    assert lines(made.postings[1]) == [("s1", TODAY, 240, "effective")]


def test_e12_midnight_is_that_of_the_service_place() -> None:
    made = book(NEW_YORK, *served(start="22:00-05:00", end="01:00-05:00", end_day=DAY_2,
                                  site="ny"))  # fmt: skip
    assert lines(made.postings[1]) == [
        ("s1", TODAY, 120, "effective"), ("s1", DAY_2, 60, "effective")
    ]  # fmt: skip


def test_e12_the_night_the_clock_goes_forward_has_an_hour_less() -> None:
    made = book(NEW_YORK, *served(start="23:00-05:00", end="04:00-04:00", day="2025-03-08",
                                  end_day="2025-03-09", site="ny"))  # fmt: skip
    assert lines(made.postings[1]) == [
        ("s1", "2025-03-08", 60, "effective"), ("s1", "2025-03-09", 180, "effective")
    ]  # fmt: skip


def test_e12_the_day_after_the_clock_change_ends_at_its_new_midnight() -> None:
    made = book(NEW_YORK, *served(start="23:00-04:00", end="01:00-04:00", day="2025-03-09",
                                  end_day="2025-03-10", site="ny"))  # fmt: skip
    assert lines(made.postings[1]) == [
        ("s1", "2025-03-09", 60, "effective"), ("s1", "2025-03-10", 60, "effective")
    ]  # fmt: skip


def test_e12_a_midnight_that_strikes_twice_gives_each_minute_the_date_on_the_clock() -> None:
    back = site("back", ("2024-01-01T00:00:00Z", 120), ("2025-03-01T22:00:00Z", 60))
    made = book(back, *served(start="23:00+02:00", end="01:00+01:00", end_day=DAY_2,
                              site="back"))  # fmt: skip
    assert lines(made.postings[1]) == [
        ("s1", TODAY, 120, "effective"), ("s1", DAY_2, 60, "effective")
    ]  # fmt: skip


def test_e12_a_date_that_a_place_skipped_gets_no_minutes() -> None:
    skips = site("skips", ("2024-01-01T00:00:00Z", -600), ("2025-03-02T10:00:00Z", 840))
    made = book(skips, *served(start="23:00-10:00", end="01:00+14:00", end_day=DAY_3,
                               site="skips"))  # fmt: skip
    assert lines(made.postings[1]) == [
        ("s1", TODAY, 60, "effective"), ("s1", DAY_3, 60, "effective")
    ]  # fmt: skip


def test_e30_a_session_under_a_minute_is_valid_with_0_minutes() -> None:
    made = book(
        *served(session="s1", start="09:00", end="09:00"),
        *served(session="s2", start="10:00:00", end="10:00:59.999999"),
        *served(session="s3", start="11:00", end="11:01"),
    )
    assert answers(made)[1::2] == [
        ("posted", "under_a_minute"), ("posted", "under_a_minute"), ("posted", None)
    ]  # fmt: skip
    assert balance(made) == 1


def test_seconds_are_floored_once_for_the_whole_span_not_once_a_day() -> None:
    made = book(*served(start="23:58:30", end="00:01:30", end_day=DAY_2))
    assert lines(made.postings[1]) == [
        ("s1", TODAY, 1, "effective"), ("s1", DAY_2, 2, "effective")
    ]  # fmt: skip


def test_seconds_of_two_sessions_are_not_added_up() -> None:
    made = book(
        *served(session="s1", start="09:00:00", end="09:01:30"),
        *served(session="s2", start="10:00:00", end="10:01:30"),
    )
    assert balance(made) == 2


def test_lines_carry_only_differences_and_none_of_0_minutes() -> None:
    made = book(*served(start="22:00", end="02:00", end_day=DAY_2), check_out(at="23:00"))
    assert lines(made.postings[2]) == [
        ("s1", TODAY, -60, "effective"), ("s1", DAY_2, -120, "effective")
    ]  # fmt: skip
    assert [ln.line_no for ln in made.postings[2].lines] == [0, 1]


def test_the_balance_is_the_sum_of_the_effective_lines_only() -> None:
    made = book(
        *served(),
        grant(grant_id="g1", start="12:00", end="13:00"),
        grant(grant_id="g2", start="13:00", end="14:00", approver=None),
    )
    assert [p.balance_minutes for p in made.postings] == [0, 120, 180, 180]
    assert made.accounts["v1"].totals == {
        ("service", "effective"): 120, ("manual", "effective"): 60, ("manual", "held_org"): 60
    }  # fmt: skip


def test_e11_minutes_lost_to_a_session_come_back_when_it_is_void() -> None:
    made = book(
        *served(session="s1", start="09:00", end="11:00"),
        *served(session="s2", start="10:00", end="12:00"),
        void(session="s1"),
    )
    assert answer(made.postings[4]) == ("posted", "voided")
    assert lines(made.postings[4]) == [
        ("s1", TODAY, -120, "effective"), ("s2", TODAY, 60, "effective")
    ]  # fmt: skip
    assert balance(made) == 120


def test_e11_minutes_lost_to_an_end_come_back_when_the_end_moves() -> None:
    made = book(
        *served(session="s1", start="09:00", end="11:00"),
        *served(session="s2", start="10:00", end="12:00"),
        check_out(session="s1", at="10:30"),
    )
    assert lines(made.postings[4]) == [
        ("s1", TODAY, -30, "effective"), ("s2", TODAY, 30, "effective")
    ]  # fmt: skip


def test_e11_of_two_losers_the_first_gets_the_minutes_back() -> None:
    made = book(
        *served(session="s1", start="09:00", end="12:00"),
        *served(session="s2", start="10:00", end="12:00"),
        *served(session="s3", start="11:00", end="12:00"),
        void(session="s1"),
    )
    assert lines(made.postings[6]) == [
        ("s1", TODAY, -180, "effective"), ("s2", TODAY, 120, "effective")
    ]  # fmt: skip


def test_e18_a_void_may_come_before_what_it_voids() -> None:
    made = book(void(session="s1", at="08:00"), *served())
    assert answers(made) == [("posted", "voided")] * 3
    assert balance(made) == 0
    early = book(void(grant_id="g1", at="08:00"), grant())
    assert answers(early) == [("posted", "voided")] * 2
    assert balance(early) == 0


def test_e18_a_second_void_changes_nothing() -> None:
    made = book(*served(), void(session="s1"), void(session="s1", at="20:01"))
    assert answer(made.postings[3]) == ("posted", "already_voided")
    assert lines(made.postings[3]) == []


def test_e18_a_void_session_stays_void_whatever_else_comes() -> None:
    made = book(*served(), void(session="s1"), check_in(at="08:00"), check_out(at="08:30"))
    assert balance(made) == 0
    assert [lines(p) for p in made.postings[3:]] == [[], []]


def test_e18_a_void_of_a_session_leaves_a_grant_of_the_same_id_alone() -> None:
    made = book(grant(grant_id="x1"), void(session="x1"))
    assert balance(made) == 120


def test_e18_a_void_of_a_held_span_takes_its_held_minutes_back() -> None:
    made = book(grant(approver=None), void(grant_id="g1"))
    assert lines(made.postings[1]) == [("g1", TODAY, -120, "held_org")]


def test_e17_a_correction_is_a_void_and_a_new_grant_and_the_old_value_stays_readable() -> None:
    made = book(*served(), void(session="s1"), grant(start="09:00", end="12:00"))
    assert [p.balance_minutes for p in made.postings] == [0, 120, 0, 180]
    assert total(made, "service", "effective") == 0
    assert total(made, "manual", "effective") == 180


def test_e8_a_missing_check_out_closes_at_the_longest_open_time_with_0_minutes() -> None:
    made = book(check_in(at="09:00"), tick(when("21:00") - 1), tick("21:00"), tick("22:00"))
    assert answers(made)[1:] == [
        ("posted", "nothing_due"), ("held", "no_check_out"), ("posted", "nothing_due")
    ]  # fmt: skip
    assert lines(made.postings[2]) == []
    assert (made.postings[2].volunteer_id, made.postings[2].sequence) == ("v1", 2)


def test_e8_a_check_out_after_the_closing_still_pairs() -> None:
    made = book(check_in(), tick("22:00"), received(check_out(), "22:30"))
    assert answer(made.postings[2]) == ("posted", None)
    assert balance(made) == 120


def test_e8_a_check_out_after_the_closing_that_is_too_long_waits_in_review() -> None:
    made = book(check_in(at="09:00"), tick("22:00"), check_out(at="23:00"))
    assert answer(made.postings[2]) == ("held", "over_max_open")


def test_the_time_of_a_tick_is_when_it_was_recorded() -> None:
    made = book(check_in(at="09:00"), received(tick("09:01"), "21:00"))
    assert answer(made.postings[1]) == ("held", "no_check_out")


def test_one_tick_gives_a_posting_for_each_session_it_closes() -> None:
    made = book(check_in("v1", "s1"), check_in("v1", "s2"), check_in("v2", "s1"), tick("23:00"))
    assert [(p.index, p.volunteer_id, p.reason) for p in made.postings[3:]] == [
        (3, "v1", "no_check_out"), (4, "v1", "no_check_out"), (5, "v2", "no_check_out")
    ]  # fmt: skip


def test_a_void_session_is_not_closed_by_a_tick() -> None:
    made = book(check_in(), void(session="s1"), tick("23:00"))
    assert answer(made.postings[2]) == ("posted", "nothing_due")


def test_e5_a_check_out_whose_check_in_never_comes_is_given_up_after_the_window() -> None:
    due = when("11:00") + 7 * 1440 * MINUTE
    made = book(check_out(at="11:00"), tick(due - 1), tick(due), tick(due + MINUTE))
    assert answers(made)[1:] == [
        ("posted", "nothing_due"), ("held", "no_check_in"), ("posted", "nothing_due")
    ]  # fmt: skip


def test_e5_a_check_in_after_the_giving_up_still_pairs() -> None:
    due = when("11:00") + 7 * 1440 * MINUTE
    start = check_in(at="10:00")
    generous = policy("default", 1, late_minutes=20_000)
    made = book(check_out(at="11:00"), tick(due), generous, received(start, due + MINUTE))
    assert answers(made)[1:] == [("held", "no_check_in"), ("posted", None)]
    assert balance(made) == 60


def test_each_orphan_check_out_is_given_up_by_its_own_window() -> None:
    hasty = (policy("hasty", 1, late_minutes=60), project("p-hasty", "hasty"))
    made = book(*hasty, check_out(at="11:00", project="p-hasty"), check_out(at="10:00"),
                tick("12:00"))  # fmt: skip
    assert answer(made.postings[2]) == ("held", "no_check_in")


def test_e29_a_span_follows_the_version_of_its_local_start_day() -> None:
    new = policy("default", 7, effective_from=DAY_2, open_minutes=60)
    made = book(
        new,
        *served(session="s1", start="23:00", end="01:00", end_day=DAY_2),
        *served(session="s2", start="02:00", end="04:00", day=DAY_2),
    )
    assert [(ln.state, ln.policy) for p in made.postings for ln in p.lines] == [
        ("effective", "default@0"), ("effective", "default@0"), ("held_review", "default@7")
    ]  # fmt: skip


def test_e29_the_start_day_is_that_of_the_service_place() -> None:
    new = policy("default", 7, effective_from=DAY_2, open_minutes=60)
    made = book(new, NEW_YORK, *served(start="20:00-05:00", end="22:00-05:00", site="ny"))
    assert [ln.policy for ln in made.postings[1].lines] == ["default@0"]


def test_e29_a_line_keeps_its_policy_when_a_new_version_comes() -> None:
    strict = policy("default", 2, open_minutes=60)
    made = book(*served(session="s1"), strict, *served(session="s2", start="08:00", end="09:30"))
    assert balance(made) == 120
    assert answer(made.postings[3]) == ("held", "over_max_open")


def test_of_two_versions_from_the_same_day_the_higher_rules() -> None:
    made = book(policy("default", 3), policy("default", 2), *served())
    assert [ln.policy for ln in made.postings[1].lines] == ["default@3"]


def test_a_policy_version_is_immutable() -> None:
    made = book(policy("default", 1), policy("default", 1, open_minutes=60), *served())
    assert balance(made) == 120


@pytest.mark.parametrize(
    "absurd",
    [policy(session_minutes=1441), policy(open_minutes=721, session_minutes=720),
     policy(open_minutes=0), policy(late_minutes=-1), policy(skew_minutes=-1)],
)  # fmt: skip
def test_a_value_out_of_range_is_not_taken(absurd: Event) -> None:
    made = book(absurd, *served())
    assert [ln.policy for ln in made.postings[1].lines] == ["default@0"]


def test_a_project_follows_its_own_policy() -> None:
    strict = (policy("strict", 1, open_minutes=60), project("p-strict", "strict"))
    made = book(*strict, *served(session="s1", project="p-strict"), *served(session="s2"))
    assert answers(made)[1::2] == [("held", "over_max_open"), ("posted", None)]


def test_hours_wait_for_a_version_of_their_projects_policy_and_say_so() -> None:
    later = (policy("later", 1, effective_from=DAY_2), project("p-later", "later"))
    made = book(*later, *served(project="p-later"), *served(session="s2", day=DAY_2,
                                                           project="p-later"))  # fmt: skip
    assert answers(made)[1::2] == [("held", "awaiting_policy"), ("posted", None)]
    assert [ln.policy for ln in made.postings[1].lines] == ["default@0"]


def test_a_tighter_late_window_binds_only_its_projects_events() -> None:
    hasty = (policy("hasty", 1, late_minutes=60), project("p-hasty", "hasty"))
    made = book(*hasty, received(check_in(session="s1", project="p-hasty"), "10:01"),
                received(check_in(session="s2"), "10:01"))  # fmt: skip
    assert answers(made) == [("held", "too_late"), ("posted", None)]


def test_an_event_of_an_unknown_project_is_judged_by_the_policy_default() -> None:
    hasty = policy("default", 1, late_minutes=60, open_minutes=120)
    made = book(hasty, received(check_in(session="s1", project="p9"), "10:01"),
                check_in(session="s2", project="p9"), tick("11:00"))  # fmt: skip
    assert answers(made) == [("held", "too_late"), ("posted", None), ("held", "no_check_out")]
