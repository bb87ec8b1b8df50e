"""The invariants of the ledger, each read off made-up histories of every event type by itself.

`test_laws.py` compares with the reference; here nothing is asked but the postings and the log.
"""

from collections import Counter, defaultdict

from hypothesis import given

from ledger.replay import Book
from schemas.events import (
    AppealDecided,
    ClockTicked,
    CorrectionDecided,
    HoursClaimed,
    HoursDecided,
    SessionConfirmed,
)
from schemas.posting import Line, Posting
from tests.drawn.histories import Arrival, erase
from tests.drawn.strategies import LAW, histories
from tests.ledger.test_laws import balances, net_lines, opened


def lines_of(book: Book) -> list[tuple[Posting, Line]]:
    return [(posting, line) for posting in book.postings for line in posting.lines]


def counts(line: Line) -> bool:
    return line.state == "effective" and line.kind != "training"


@given(histories())
@LAW
def test_i1_every_total_is_the_sum_of_its_effective_lines_by_any_breakdown(
    history: list[Arrival],
) -> None:
    _, book = opened(history)
    for dimension in ("recording_org_id", "project_id", "site_id", "service_date", "kind"):
        sums: dict[str, Counter[object]] = defaultdict(Counter)
        for posting, line in lines_of(book):
            if counts(line):
                sums[posting.volunteer_id][getattr(line, dimension)] += line.minutes
        for name, account in book.accounts.items():
            assert sum(sums[name].values()) == account.balance_minutes
            assert min(sums[name].values(), default=0) >= 0


@given(histories())
@LAW
def test_i4_every_line_names_its_event_actor_and_policy_version(history: list[Arrival]) -> None:
    records, book = opened(history)
    logged = {record.event.event_id: record.event for record in records}
    for posting, line in lines_of(book):
        event = logged[posting.event_id]
        assert (posting.actor_id is None) == isinstance(event, ClockTicked)
        name, version = line.policy.rsplit("@", 1)
        assert name
        assert int(version) >= 0


@given(histories())
@LAW
def test_i7_no_share_and_no_state_is_ever_negative(history: list[Arrival]) -> None:
    _, book = opened(history)
    net: Counter[tuple[object, ...]] = Counter()
    for posting in book.postings:
        for line in posting.lines:
            span = (posting.volunteer_id, line.session_id, line.grant_id)
            net[*span, line.service_date, line.state, line.policy, line.project_id] += line.minutes
        assert posting.balance_minutes >= 0
    assert min(net.values(), default=0) >= 0


@given(histories())
@LAW
def test_i8_nothing_is_credited_without_both_ends_or_an_approved_decision(
    history: list[Arrival],
) -> None:
    records, book = opened(history)
    events = [record.event for record in records]
    ended: Counter[tuple[object, str]] = Counter()
    for event in events:
        kind = type(event).__name__
        session = getattr(event, "session_id", None)
        if kind in ("CheckedIn", "CheckedOut"):
            ended[getattr(event, "volunteer_id", ""), f"{session} {kind}"] += 1
    corrected = {(e.volunteer_id, e.session_id, e.grant_id) for e in events
                 if isinstance(e, CorrectionDecided) and e.decision == "approve"}  # fmt: skip
    for (name, session, grant_id, *_), _ in net_lines(book).items():
        if session is None or (name, session, grant_id) in corrected:
            continue
        assert ended[name, f"{session} CheckedIn"] > 0
        assert ended[name, f"{session} CheckedOut"] > 0


@given(histories())
@LAW
def test_i9_recorded_and_entered_hours_are_always_distinguishable(history: list[Arrival]) -> None:
    _, book = opened(history)
    for _, line in lines_of(book):
        assert (line.session_id is None) != (line.grant_id is None)
        if line.kind == "service":
            assert line.session_id is not None
        if line.grant_id is not None:
            assert line.kind in ("manual", "import", "training")


@given(histories())
@LAW
def test_i10_a_claim_counts_only_after_somebody_else_decided(history: list[Arrival]) -> None:
    records, book = opened(history)
    claims: dict[tuple[object, object], str] = {}
    for event in (record.event for record in records):
        if isinstance(event, HoursClaimed):
            claims[event.volunteer_id, event.grant_id] = event.actor.id
    entered = {(getattr(r.event, "volunteer_id", ""), getattr(r.event, "grant_id", None))
               for r in records if not isinstance(r.event, HoursClaimed)
               and hasattr(r.event, "recording_org_id")}  # fmt: skip
    said: dict[tuple[object, object], set[str]] = defaultdict(set)
    for record in records:
        event = record.event
        if isinstance(event, SessionConfirmed | HoursDecided | CorrectionDecided | AppealDecided):
            said[event.volunteer_id, event.grant_id].add(event.actor.id)
    for (name, _, grant_id, *rest), _ in net_lines(book).items():
        if (name, grant_id) in claims and (name, grant_id) not in entered and "effective" in rest:
            assert said[name, grant_id] - {claims[name, grant_id], str(name)}


@given(histories())
@LAW
def test_i14_erasure_leaves_every_line_as_it_is(history: list[Arrival]) -> None:
    _, book = opened(history)
    end = max(a.recorded_at for a in history)
    _, erased = opened([*history, Arrival(erase("v1"), end)])
    assert erased.postings == book.postings
    assert net_lines(erased) == net_lines(book)


@given(histories())
@LAW
def test_i15_what_is_held_or_rejected_is_in_no_total(history: list[Arrival]) -> None:
    _, book = opened(history)
    effective: Counter[str] = Counter()
    for posting, line in lines_of(book):
        effective[posting.volunteer_id] += line.minutes if counts(line) else 0
    assert {name: minutes for name, minutes in effective.items() if minutes} == balances(book)


@given(histories())
@LAW
def test_i16_every_number_is_a_whole_one(history: list[Arrival]) -> None:
    _, book = opened(history)
    for posting, line in lines_of(book):
        assert type(line.minutes) is int
        assert type(posting.balance_minutes) is int
