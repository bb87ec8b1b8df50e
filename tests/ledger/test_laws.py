"""What holds for every history, tried on made-up ones (SHILU_LAW_EXAMPLES of each, 200 by default).

A failing law prints the history and a blob that repeats it; `--hypothesis-seed` repeats a run.
"""

from collections import Counter
from dataclasses import replace
from random import Random

from hypothesis import given, note
from hypothesis import strategies as st

from ledger.account.record import Record
from ledger.replay import Book, replay
from schemas.events import (
    CatalogueEvent,
    CheckedIn,
    CheckedOut,
    ClockTicked,
    Decision,
    HoursClaimed,
    HoursGranted,
    HoursImported,
    TrainingRecorded,
)
from schemas.posting import Line, Posting
from schemas.times import MINUTE
from tests.drawn.histories import BASICS, REGULATOR, Arrival, log, served, void, words
from tests.drawn.strategies import (
    KNOWN,
    LAW,
    calm_histories,
    changed_later,
    first_mornings,
    histories,
    left_open,
    long_nights,
    midnights,
)
from tests.reference.model import check, truth_of

Spoken = (
    CheckedIn
    | CheckedOut
    | HoursGranted
    | HoursClaimed
    | HoursImported
    | TrainingRecorded
    | Decision
)
"""Facts that speak of a session or a grant."""

Net = dict[tuple[object, ...], int]


def dimensions(volunteer_id: str, line: Line) -> tuple[object, ...]:
    """All that a line says apart from its number and its minutes."""
    return (volunteer_id, line.session_id, line.grant_id, line.recording_org_id, line.host_org_id,
            line.project_id, line.site_id, line.activity_id, line.service_date, line.kind,
            line.state, line.policy)  # fmt: skip


def net_lines(book: Book) -> Net:
    """Minutes per share after all lines, shares with none left out."""
    net: Counter[tuple[object, ...]] = Counter()
    for posting in book.postings:
        for line in posting.lines:
            net[dimensions(posting.volunteer_id, line)] += line.minutes
    return {share: minutes for share, minutes in net.items() if minutes}


def balances(book: Book) -> dict[str, int]:
    """Volunteer -> minutes, those with 0 left out."""
    return {name: a.balance_minutes for name, a in book.accounts.items() if a.balance_minutes}


def opened(history: list[Arrival]) -> tuple[list[Record], Book]:
    """A history after what is known as records and as a book; shown in words if a test fails."""
    note(words(history))
    records = log(*KNOWN, *history)
    return records, replay(records)


@given(histories())
@LAW
def test_the_ledger_says_what_the_reference_says(history: list[Arrival]) -> None:
    records, book = opened(history)
    assert check(records, book.postings) == []


@given(st.one_of(changed_later, long_nights))
@LAW
def test_an_approval_is_of_what_was_there_and_a_tiers_decision_of_what_it_holds(
    history: list[Arrival],
) -> None:
    records, book = opened(history)
    assert check(records, book.postings) == []


@given(st.one_of(changed_later, long_nights), st.randoms(use_true_random=False))
@LAW
def test_what_is_approved_does_not_depend_on_the_order_of_arrival(
    history: list[Arrival], chance: Random
) -> None:
    other = [
        Arrival(replace(each.event, event_id=f"e{number}"), each.recorded_at)
        for number, each in enumerate(history)
    ]
    _, book = opened(other)
    chance.shuffle(other)
    _, again = opened(other)
    assert net_lines(again) == net_lines(book)


@given(st.one_of(first_mornings, midnights))
@LAW
def test_versions_and_deadlines_go_by_the_civil_day(history: list[Arrival]) -> None:
    records, book = opened(history)
    assert check(records, book.postings) == []


@given(left_open)
@LAW
def test_what_nobody_ends_is_closed_when_the_reference_says(history: list[Arrival]) -> None:
    records, book = opened(history)
    assert check(records, book.postings) == []


@given(histories(), st.data())
@LAW
def test_the_ledger_was_right_at_every_earlier_moment_too(
    history: list[Arrival], data: st.DataObject
) -> None:
    until = data.draw(st.integers(0, len(history)))
    records, book = opened(history[:until])
    assert check(records, book.postings) == []


@given(histories(), st.data())
@LAW
def test_i3_what_is_posted_is_never_changed_by_what_comes_later(
    history: list[Arrival], data: st.DataObject
) -> None:
    until = data.draw(st.integers(0, len(history)))
    _, whole = opened(history)
    _, part = opened(history[:until])
    assert whole.postings[: len(part.postings)] == part.postings


@given(histories())
@LAW
def test_balances_and_totals_are_those_of_the_reference(history: list[Arrival]) -> None:
    records, book = opened(history)
    truth = truth_of(records)
    assert balances(book) == truth.balances()
    for name, account in book.accounts.items():
        totals = {key: minutes for key, minutes in account.totals.items() if minutes}
        assert totals == truth.totals(name)


@given(histories())
@LAW
def test_i6_a_replay_is_identical_to_the_first_run(history: list[Arrival]) -> None:
    records, book = opened(history)
    assert replay(records).postings == book.postings
    assert replay(iter(records)).refused_entry == book.refused_entry


@given(histories())
@LAW
def test_every_record_ends_as_a_posting_or_in_quarantine(history: list[Arrival]) -> None:
    records, book = opened(history)
    posted = Counter((p.source_topic, p.source_offset) for p in book.postings)
    quarantined = Counter((r.topic, r.offset) for r, _, _ in book.refused_entry)
    facts = [(r.topic, r.offset) for r in records if r.topic != "registry.catalogue"]
    ticks = {(r.topic, r.offset) for r in records if type(r.event).__name__ == "ClockTicked"}
    for source in facts:
        once = posted[source] == 1 or (source in ticks and posted[source] > 1)
        assert once != (quarantined[source] == 1)
    assert len(posted) + len(quarantined) == len(facts)


@given(calm_histories(), st.randoms(use_true_random=False))
@LAW
def test_i5_any_arrival_order_gives_the_same_minutes(
    history: list[Arrival], random: Random
) -> None:
    _, book = opened(history)
    facts = list(history)
    random.shuffle(facts)
    _, shuffled = opened(facts)
    assert balances(shuffled) == balances(book)
    assert net_lines(shuffled) == net_lines(book)


@given(histories(), st.data())
@LAW
def test_i5_sending_again_changes_nothing_but_adds_duplicates(
    history: list[Arrival], data: st.DataObject
) -> None:
    _, book = opened(history)
    # What lies in quarantine may come in when it is sent again: the future comes, clocks may differ
    # by more.
    entered = Counter(p.event_id for p in book.postings)
    sent = Counter(arrived.event.event_id for arrived in history)
    again = list(history)
    for _ in range(data.draw(st.integers(1, 4))):
        copied = again[data.draw(st.integers(0, len(again) - 1))]
        event = copied.event
        if isinstance(event, CatalogueEvent) or (
            not isinstance(event, ClockTicked) and entered[event.event_id] == sent[event.event_id]
        ):
            again.insert(data.draw(st.integers(again.index(copied) + 1, len(again))), copied)
    _, repeated = opened(again)
    assert balances(repeated) == balances(book)
    assert net_lines(repeated) == net_lines(book)
    assert said(repeated) == said(book)


def said(book: Book) -> list[tuple[object, ...]]:
    """What every posting says, copies and idle ticks left out, and without its numbers."""
    skipped = ("duplicate_event", "event_id_conflict", "nothing_due")
    return [
        (p.event_id, p.volunteer_id, p.outcome, p.reason, p.lines, p.balance_minutes)
        for p in book.postings
        if p.reason not in skipped
    ]


@given(histories())
@LAW
def test_volunteers_do_not_touch_each_other(history: list[Arrival]) -> None:
    _, book = opened(history)
    for name in book.accounts:
        alone = [a for a in history if getattr(a.event, "volunteer_id", name) == name]
        _, own = opened(alone)
        assert own_postings(own, name) == own_postings(book, name)


def own_postings(book: Book, name: str) -> list[tuple[object, ...]]:
    """One volunteer's postings without the numbers that depend on others."""
    return [
        (p.event_id, p.sequence, p.outcome, p.reason, p.lines, p.balance_minutes)
        for p in book.postings
        if p.volunteer_id == name
    ]


@given(histories())
@LAW
def test_i2_no_minute_counts_twice_and_none_is_lost(history: list[Arrival]) -> None:
    """The minutes of all spans with times that count, or wait for a tier, are those of the union
    of their intervals, less than a minute lost on each span."""
    records, book = opened(history)
    truth = truth_of(records)
    net = net_lines(book)
    for name, parts in truth.parts.items():
        minutes = sum(
            number
            for (who, session, grant_id, *_), number in net.items()
            if who == name and (("session", session) if session else ("grant", grant_id)) in parts
        )
        union, at = 0, 0
        stretches = sorted(stretch for each in parts.values() for stretch in each)
        for start, end in stretches:
            assert start >= at
            union, at = union + end - start, end
        spans = len(stretches) + len(parts)
        assert union // MINUTE - spans < minutes <= union // MINUTE


@given(histories())
@LAW
def test_the_balance_is_never_negative(history: list[Arrival]) -> None:
    _, book = opened(history)
    assert [p for p in book.postings if p.balance_minutes < 0] == []


@given(histories())
@LAW
def test_a_voided_history_comes_to_nothing(history: list[Arrival]) -> None:
    """After a void of every session and grant no minute is left in any state."""
    end = max(a.recorded_at for a in history) + MINUTE
    spans = {
        (getattr(event, "session_id", None), getattr(event, "grant_id", None), event.volunteer_id)
        for event in (a.event for a in history)
        if isinstance(event, Spoken)
    }
    voids = [
        Arrival(
            void(volunteer, session, grant_id, at=end, event_id=f"end-{number}", actor=REGULATOR),
            end,
        )
        for number, (session, grant_id, volunteer) in enumerate(sorted(spans, key=str))
    ]
    _, voided = opened([*history, *voids])
    assert balances(voided) == {}
    assert net_lines(voided) == {}


def test_the_reference_finds_each_kind_of_untruth() -> None:
    """The judge itself is tried: a posting lost, doubled, altered, reordered, or made up."""
    records = log(*BASICS, *served(), *served(session="s2", start="10:00", end="12:00"))
    good = replay(records).postings
    assert check(records, good) == []
    for bad in spoiled(good):
        assert check(records, bad) != []


def spoiled(good: list[Posting]) -> list[list[Posting]]:
    """The same postings, each time with something wrong."""
    first, second, third, fourth = good
    line = fourth.lines[0]

    def with_last(**changes: object) -> list[Posting]:
        return [first, second, third, replace(fourth, **changes)]  # type: ignore[arg-type]

    return [
        [first, second, third],
        [*good, fourth],
        [first, third, second, fourth],
        with_last(index=4),
        with_last(sequence=5),
        with_last(balance_minutes=181),
        with_last(outcome="held"),
        with_last(reason=None),
        with_last(actor_id="v2"),
        with_last(volunteer_id="v2", sequence=1),
        with_last(recorded_at=fourth.recorded_at + 1),
        with_last(source_offset=9),
        with_last(catalogue_offset=0),
        with_last(lines=()),
        with_last(lines=(line, line)),
        with_last(lines=(line, replace(line, line_no=1, minutes=0))),
        with_last(lines=(replace(line, minutes=61),), balance_minutes=181),
        with_last(lines=(replace(line, service_date=line.service_date + 1),)),
        with_last(lines=(replace(line, project_id="p2"),)),
        with_last(lines=(replace(line, policy="default@1"),)),
        with_last(lines=(replace(line, state="held_review"),), balance_minutes=120),
    ]
