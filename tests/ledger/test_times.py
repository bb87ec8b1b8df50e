"""Clocks, deadlines, shifts and ages (docs/rules.md, sections 2, 4 and 9): the name says it."""

from dataclasses import replace

from deploy.commands.writing.calendar import events_of
from ledger.account.record import digest_of_event
from ledger.catalogue.workdays import Workdays
from schemas import times
from schemas.validity import faults
from schemas.wire.codec import BY_ID, encode, encode_as
from tests.drawn.histories import (
    TODAY,
    cancel,
    check_in,
    check_out,
    claim,
    confirm,
    consent,
    erase,
    grant,
    holidays,
    no_consent,
    policy,
    received,
    register,
    served,
    shift,
    site,
    tick,
    training,
    void,
    when,
)
from tests.ledger.books import answer, answers, balance, book, last, lines

FRIDAY, NEXT_FRIDAY = "2025-09-19", "2025-10-03"


def test_e15_both_ends_are_corrected_by_what_the_device_says_when_it_sends() -> None:
    start = check_in(at="11:00", sent_at=when("13:30"))
    end = check_out(at="13:00", sent_at=when("13:30"))
    made = book(received(start, "11:30"), received(end, "11:30"))
    assert answers(made) == [("posted", "clock_corrected")] * 2
    assert lines(last(made)) == [("s1", TODAY, 120, "effective")]
    assert last(made).occurred_at == when("13:00"), "what the device said is kept"


def test_e15_a_clock_within_the_allowed_skew_is_left_alone() -> None:
    start, end = check_in(sent_at=when("09:05")), check_out(sent_at=when("11:05"))
    made = book(received(start, "09:00"), received(end, "11:00"))
    assert answers(made) == [("posted", None)] * 2


def test_e15_a_corrected_time_decides_about_lateness_and_about_the_future() -> None:
    ahead = check_in(at="09:00", day="2025-03-09", sent_at=when("09:00", "2025-03-09"))
    made = book(received(ahead, "09:00"), check_out())
    assert balance(made) == 120
    beyond = replace(ahead, event_id="e9", occurred_at=ahead.occurred_at + 6 * times.MINUTE)
    made = book(received(beyond, "09:00"))
    assert [code for _, code, _ in made.refused_entry] == ["in_the_future"]


def test_on_the_first_morning_of_a_version_it_is_asked_by_the_civil_day() -> None:
    """At seven in the morning in China it is still yesterday in UTC."""
    may, june = policy("default", 1), policy("default", 2, "2025-06-01", skew_minutes=60)
    start, end = served(start="07:30", end="09:30", day="2025-06-01", site="site-a")
    made = book(may, june, received(start, "07:00", "2025-06-01"), end)
    assert made.refused_entry == []
    assert lines(last(made)) == [("s1", "2025-06-01", 120, "effective")]
    ahead = replace(start, occurred_at=when("00:30", "2025-06-01"), site_id=None)
    made = book(may, june, received(ahead, "23:59", "2025-05-31"))
    assert [code for _, code, _ in made.refused_entry] == ["in_the_future"]
    abroad = site("tokyo", ("2024-01-01T00:00:00Z", 540))
    made = book(may, june, abroad, received(replace(ahead, site_id="tokyo"), "23:59", "2025-05-31"))
    assert answers(made) == [("posted", None)], "in Tokyo it is June already"
    late_granted = grant(start="06:00", end="07:00", day="2025-06-01")
    made = book(may, june, received(late_granted, "07:00", "2025-06-01"))
    assert answers(made) == [("posted", None)], "what people enter is asked in the same way"


def test_a_delay_is_no_slow_clock_and_adds_no_minute() -> None:
    """The clock was right and the gateway down for two hours: to correct by what the record came
    late would credit 299 minutes for three hours."""
    start, end = served(end="12:00")
    sent = replace(end, sent_at=end.occurred_at + times.SECOND)
    made = book(replace(start, sent_at=start.occurred_at + times.SECOND), received(sent, "14:00"))
    assert answers(made) == [("posted", None), ("posted", "delayed_or_slow_clock")]
    assert balance(made) == 180
    within = replace(sent, sent_at=when("11:59"))
    assert answer(last(book(start, received(within, "12:04")))) == ("posted", None)
    slow = replace(sent, sent_at=when("11:59"))
    made = book(start, received(slow, "12:01", "2025-03-08"))
    assert answer(last(made)) == ("held", "too_late"), "its own time is in the late window or not"


def test_a_second_try_that_was_sent_at_another_time_is_a_duplicate() -> None:
    end = check_out(sent_at=when("11:00:01"))
    again, bare = replace(end, sent_at=when("11:30")), replace(end, sent_at=None)
    other = replace(again, occurred_at=again.occurred_at + times.MINUTE)
    made = book(check_in(), end, again, bare, other)
    assert answers(made)[2:] == [("duplicate", "duplicate_event")] * 2 + [
        ("refused", "event_id_conflict")
    ]
    assert balance(made) == 120


def test_the_bytes_of_a_second_try_stand_for_the_same() -> None:
    first = check_out(sent_at=when("11:00:01"))
    second, other = replace(first, sent_at=None), replace(first, session_id="s9")
    digests = [digest_of_event(event, encode(event)) for event in (first, second, other)]
    assert digests[0] == digests[1] != digests[2]
    whole = encode_as(first, BY_ID[int.from_bytes(encode(first)[1:5], "big")])
    assert digest_of_event(first, whole) == digests[0]


def test_e16_an_offline_phone_counts_inside_the_late_window_only() -> None:
    start, end = served(offline=True)
    assert (
        balance(book(received(start, "09:00", "2025-03-03"), received(end, "09:00", "2025-03-03")))
        == 120
    )
    assert (
        balance(book(received(start, "12:00", "2025-03-08"), received(end, "12:00", "2025-03-08")))
        == 0
    )


def test_what_is_recorded_after_ten_working_days_is_flagged_and_counts() -> None:
    in_time = received(grant(day="2025-03-07"), "23:00", "2025-03-21")
    late = received(grant(day="2025-03-07"), "00:30", "2025-03-22")
    assert answer(last(book(in_time))) == ("posted", None)
    made = book(late)
    assert answer(last(made)) == ("posted", "recorded_late")
    assert balance(made) == 120


def test_what_ends_at_midnight_is_of_the_day_that_ends() -> None:
    """Ten working days after Tuesday 4 March are over on the 18th; the 5th has one day more."""
    day, next_day = "2025-03-04", "2025-03-05"
    whole = grant(start="20:00", end="00:00", day=day, end_day=next_day)
    short = grant("v2", "g2", start="20:00", end="23:59:59", day=day)
    made = book(received(whole, "10:00", "2025-03-19"), received(short, "10:01", "2025-03-19"))
    assert answers(made) == [("posted", "recorded_late")] * 2
    assert lines(made.postings[0]) == [("g1", day, 240, "effective")]
    assert lines(made.postings[1]) == [("g2", day, 239, "effective")]
    assert answers(book(received(whole, "10:00", "2025-03-18"))) == [("posted", None)]
    nothing = grant(start="00:00", end="00:00", day=next_day)
    assert answers(book(received(nothing, "10:00", "2025-03-19"))) == [("posted", "under_a_minute")]
    strict = policy("default", 1, deadline_days=1)
    start, end = served(start="20:00", end="00:00", day=day, end_day=next_day)
    made = book(strict, start, received(end, "00:30", "2025-03-06"))
    assert answer(last(made)) == ("posted", "recorded_late"), "a check-out at 24:00, too"


def test_holidays_and_make_up_working_days_move_the_deadline() -> None:
    """Ten working days after Friday 19 September 2025: the 28th is worked, 1 to 8 October not."""
    year = holidays(tuple(f"2025-10-0{d}" for d in range(1, 9)), ("2025-09-28", "2025-10-11"))
    ours = policy("default", 1, calendar="cn")
    made = book(ours, year, received(grant(day=FRIDAY), "23:00", "2025-10-10"),
                received(grant(grant_id="g2", day=FRIDAY), "00:30", "2025-10-11"))  # fmt: skip
    assert answers(made) == [("posted", None), ("posted", "recorded_late")]
    made = book(received(grant(day=FRIDAY), "00:30", "2025-10-04"))
    assert answers(made) == [("posted", "recorded_late")], "Monday to Friday without a calendar"


def test_a_year_without_a_calendar_is_not_guessed() -> None:
    """Ten working days after Friday 13 February 2026: the Spring Festival moves them to 5 March."""
    ours = policy("default", 1, calendar="cn")
    late = received(grant(day="2026-02-13"), "10:00", "2026-03-05")
    in_2025, in_2026 = events_of("cn")
    assert answers(book(ours, in_2025, late)) == [("posted", "deadline_unknown")]
    assert answers(book(ours, late)) == [("posted", "deadline_unknown")]
    assert answers(book(ours, in_2026, late)) == [("posted", None)]
    later = received(grant(day="2026-02-13"), "10:00", "2026-03-06")
    assert answers(book(ours, in_2026, later)) == [("posted", "recorded_late")]
    # A policy that names no calendar goes by the plain week.
    assert answers(book(late)) == [("posted", "recorded_late")]
    assert balance(book(ours, in_2025, late)) == 120


def test_what_holds_whatever_an_unknown_year_brings_is_said() -> None:
    days = Workdays()
    days.add(events_of("cn")[0])
    at = times.day
    assert [days.passed(at("2025-12-29"), 2, at(on)) for on in (
        "2025-12-31", "2026-01-01", "2026-02-01")] == [False, True, True]  # fmt: skip
    # The 31st is one; the other may be New Year's Day, or lie anywhere in 2026.
    assert [days.passed(at("2025-12-30"), 2, at(on)) for on in (
        "2026-01-01", "2026-01-02", "2026-12-01")] == [False, None, None]  # fmt: skip
    days.add(holidays(("2027-01-01",)))
    assert days.passed(at("2025-12-30"), 2, at("2027-02-01")) is True


def test_the_calendars_that_come_along_have_the_deadlines_of_the_notices() -> None:
    days = Workdays()
    for event in events_of("cn"):
        assert list(faults(event)) == []
        days.add(event)
    assert times.iso_date(days.after(times.day("2025-01-24"), 10)) == "2025-02-13"
    assert times.iso_date(days.after(times.day("2026-02-13"), 10)) == "2026-03-05"
    for year, worked in (("2025", 248), ("2026", 248)):
        first, last = times.day(f"{year}-01-01"), times.day(f"{year}-12-31")
        assert sum(days.works(day) for day in range(first, last + 1)) == worked


def test_working_days_are_counted_by_the_later_of_two_publications() -> None:
    days = Workdays()
    days.add(holidays(("2025-10-06",)))
    assert days.after(times.day(NEXT_FRIDAY), 1) == times.day("2025-10-07")
    days.add(holidays((), ("2025-10-06",)))
    assert days.after(times.day(NEXT_FRIDAY), 1) == times.day("2025-10-06")


def test_a_late_claim_and_late_training_are_flagged_too() -> None:
    made = book(
        received(training(), "12:00", "2025-04-01"), received(claim(), "12:00", "2025-04-01")
    )
    assert answers(made) == [("posted", "recorded_late"), ("held", "awaiting_organiser")]


def test_time_outside_the_shift_does_not_count_where_the_policy_says_so() -> None:
    clamp = policy("default", 1, clamp=True), shift(start="09:00", end="12:00")
    made = book(*clamp, *served(start="08:30", end="12:20", shift_id="sh1"))
    assert balance(made) == 180
    assert balance(book(*clamp, *served(start="13:00", end="14:00", shift_id="sh1"))) == 0
    assert balance(book(*clamp, *served(start="08:30", end="12:20"))) == 230, "no shift named"
    assert balance(book(shift(), *served(start="08:30", end="12:20", shift_id="sh1"))) == 230


def test_less_than_the_least_share_of_the_shift_credits_nothing() -> None:
    sixty = policy("default", 1, ratio=60), shift(start="09:00", end="12:00")
    made = book(*sixty, *served(start="09:00", end="10:47", shift_id="sh1"))
    assert answer(last(made)) == ("posted", "under_min_ratio")
    assert balance(made) == 0
    assert balance(book(*sixty, *served(start="09:00", end="10:48", shift_id="sh1"))) == 108


def test_e35_what_was_served_in_a_cancelled_shift_still_counts() -> None:
    start, end = served(shift_id="sh1")
    made = book(shift(), start, cancel(), end)
    assert answer(last(made)) == ("posted", "shift_cancelled")
    assert balance(made) == 120


def test_e24_a_child_without_consent_is_held_until_a_guardian_consents() -> None:
    made = book(register(born="2012-01"), *served(), consent(), tick("21:00"))
    assert answer(made.postings[1]) == ("held", "guardian_consent_missing")
    assert answer(made.postings[2]) == ("posted", None)
    assert balance(made) == 120


def test_e24_from_the_month_after_the_fourteenth_birthday_no_consent_is_needed() -> None:
    assert balance(book(register(born="2011-02"), *served())) == 120
    assert balance(book(register(born="2011-03"), *served())) == 0


def test_e24_withdrawn_consent_stops_what_comes_after_and_leaves_what_was() -> None:
    made = book(register(born="2012-01"), consent(), *served(), no_consent(at="12:00"),
                *served(session="s2", start="13:00", end="14:00"),
                confirm(session="s1"))  # fmt: skip
    assert answer(made.postings[3]) == ("held", "guardian_consent_missing")
    assert balance(made) == 120


def test_e25_an_erased_volunteer_keeps_lines_and_gets_no_new_ones() -> None:
    made = book(*served(), erase("v1"), *served(session="s2", start="13:00", end="14:00"),
                void(session="s1"))  # fmt: skip
    assert answers(made)[2:] == [("refused", "volunteer_erased")] * 3
    assert balance(made) == 120
    assert [p.volunteer_id for p in made.postings] == ["v1"] * 5
