"""The shell around the fold: any split into batches, any restart between them, the same ledger."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ledger.hours.presence
import ledger.rules
from ledger.account.record import Record
from ledger.catalogue.catalogue import Catalogue
from ledger.publish import publish
from ledger.replay import replay
from schemas.events import CheckedIn, Event
from schemas.posting import Posting, Quarantined
from schemas.times import DAY
from schemas.topics import CATALOGUE, CHECKINS, TRANSFERS
from schemas.wire.binary import write_whole
from schemas.wire.codec import decode_event, decode_output, encode
from schemas.wire.headers import origin_of
from streams.partitions.fold_batch import Folded, Origin, fold_chunk, partition_of
from streams.state.account_codec import INLINE_BYTES, empty, pack, unpack
from streams.state.accounts import Change, InMemory, Marks, Store
from streams.state.page_codec import _OLDER, unpack_day
from tests.drawn.histories import (
    BASICS,
    Arrival,
    check_in,
    check_out,
    log,
    merge,
    served,
    tick,
    when,
)
from tests.drawn.strategies import EXAMPLES, KNOWN, LAW, histories
from tests.drawn.strategies_honours import all_of_a_person
from tests.drawn.town import Town


@dataclass(frozen=True, slots=True)
class Raw:
    """A fetched record."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def raw(record: Record) -> Raw:
    """A record as Kafka hands it over; times in whole milliseconds."""
    key = None if record.key is None else record.key.encode()
    return Raw(record.offset, record.recorded_at // 1000, key, encode(record.event))


def chunks(records: Sequence[Record], sizes: Iterator[int]) -> Iterator[tuple[str, list[Record]]]:
    """The facts in recorded order, as runs of one topic no longer than the sizes drawn."""
    run: list[Record] = []
    size = next(sizes)
    for record in records:
        if run and (record.topic != run[0].topic or len(run) >= size):
            yield run[0].topic, run
            run, size = [], next(sizes)
        run.append(record)
    if run:
        yield run[0].topic, run


def restored(store: Store) -> Store:
    """What a new worker reads back: the records and their headers, nothing else."""
    again = Store(store.partition)
    assert isinstance(store.records, InMemory)
    again.take(
        [
            (key, value, store.wakes.texts.get(key, ""), store.lent.get(key, ""))
            for key, value in store.records.values.items()
        ]
    )
    return again


def folded(records: Sequence[Record], sizes: Iterator[int], *, restarts: bool) -> list[Posting]:
    """The postings of a log through chunks, with a restart after each if asked for."""
    return folded_with_transfers(records, sizes, restarts=restarts)[0]


def folded_with_transfers(
    records: Sequence[Record], sizes: Iterator[int], *, restarts: bool
) -> tuple[list[Posting], list[Event]]:
    """The same, and what accounts handed to each other."""
    store, catalogue, postings = Store(0), Catalogue(), []
    handed: list[Event] = []
    for topic, run in chunks(records, sizes):
        if topic == CATALOGUE:
            for record in run:
                publish(catalogue, record.event)  # type: ignore[arg-type]
                catalogue.next_offset = record.offset + 1
            continue
        made = fold_chunk(store, topic, [raw(record) for record in run], catalogue, 1)
        store.take(made.changes)
        postings += [decode_output(value) for _, value, _ in made.postings]
        handed += [decode_event(value) for _, value, _ in made.transfers.get(0, [])]
        if restarts:
            store = restored(store)
    return [posting for posting in postings if isinstance(posting, Posting)], handed


@LAW
@given(histories(), st.lists(st.integers(1, 9), min_size=1), st.booleans())
def test_any_split_into_batches_and_any_restart_give_the_same_postings(
    history: list[Arrival], sizes: list[int], restarts: bool
) -> None:
    records = [
        Record(r.topic, 0, r.offset, r.recorded_at // 1000 * 1000, r.key, r.event)
        for r in log(*history)
    ]
    size_after_size = (sizes[n % len(sizes)] for n in range(10**9))
    assert folded(records, size_after_size, restarts=restarts) == replay(records).postings


@settings(LAW, max_examples=max(EXAMPLES // 5, 1))
@given(all_of_a_person(unmerges=True), st.lists(st.integers(1, 9), min_size=1), st.booleans())
def test_merges_come_out_the_same_through_any_batches_and_restarts(
    history: list[Arrival], sizes: list[int], restarts: bool
) -> None:
    whole = [Arrival(a.event, a.recorded_at // 1000 * 1000) for a in history]
    town = Town(1).take([*KNOWN, *whole]).settle()
    size_after_size = (sizes[n % len(sizes)] for n in range(10**9))
    postings, handed = folded_with_transfers(town.records[0], size_after_size, restarts=restarts)
    assert postings == town.books[0].postings
    assert handed == [r.event for r in town.records[0] if r.topic == TRANSFERS]


@pytest.mark.parametrize("form", [b"\3", b"\4"])
def test_a_page_of_an_older_form_is_read(form: bytes) -> None:
    page = dict(replay(log(*BASICS, *served())).accounts["v1"].days.get(when("09:00") // DAY))
    older = write_whole(_OLDER[form], form, tuple(page.values()))
    assert unpack_day(older, when("09:00") // DAY)["s/s1"].facts.start == when("09:00")


def test_an_account_spills_its_pages_and_reads_them_back() -> None:
    visits: list[Any] = [
        served(
            session=f"s{number}",
            day=f"2025-03-{number % 28 + 1:02d}",
            start=f"{number // 28 + 8:02d}:00",
            end=f"{number // 28 + 8:02d}:50",
        )
        for number in range(60)
    ]
    records = log(*BASICS, *itertools.chain.from_iterable(visits))
    account = replay(records).accounts["v1"]
    account.days.written.update(account.days.loaded)
    account.buckets.written.update(account.buckets.loaded)
    written = dict(pack(account, {}))
    assert len(written) > 20
    spilled = {key.partition("/")[2]: value for key, value in written.items() if "/" in key}
    again, inline = unpack(
        written["v1"], lambda page: getattr(decode_output(spilled[page]), "value", None)
        if page in spilled else None
    )  # fmt: skip
    assert sum(map(len, inline.values())) <= 2 * INLINE_BYTES
    assert (again.balance_minutes, again.sequence, again.totals) == (
        account.balance_minutes, account.sequence, account.totals
    )  # fmt: skip
    for number, page in account.days.loaded.items():
        assert again.days.get(number) == page
    for number, bucket in account.buckets.loaded.items():
        assert again.buckets.get(number) == bucket


def test_a_page_never_written_is_empty() -> None:
    account = empty("v1", lambda page: None)
    assert account.days.get(3) == {}
    assert account.buckets.get(0) == b""
    assert account.cases.get(0) == ()


def test_what_cannot_enter_is_quarantined_with_its_bytes_and_the_rest_counts() -> None:
    records = [r for r in log(*BASICS, *served()) if r.topic != CATALOGUE]
    good = [raw(record) for record in records]
    bad = [Raw(90, good[0].timestamp, b"v1", b"\x00\x00\x00\x02\x8f garbage"),
           Raw(91, good[0].timestamp, b"v1", None),
           Raw(92, good[0].timestamp, b"v2", good[0].value),
           Raw(93, good[0].timestamp, b"v1", b"x" * 100_000)]  # fmt: skip
    made = fold_chunk(Store(0), records[0].topic, [*good, *bad], Catalogue(), 1)
    entries = [decode_output(value) for _, value, _ in made.quarantined]
    assert [e.reason for e in entries if isinstance(e, Quarantined)] == [
        "unknown_schema", "bad_framing", "wrong_key", "bad_framing"
    ]  # fmt: skip
    assert isinstance(entries[3], Quarantined)
    assert entries[3].value_size == 100_000
    assert len(made.postings) == len(good)


def test_a_record_in_a_strange_partition_is_sent_on_once_as_it_is_and_counts_nothing() -> None:
    record = next(r for r in log(check_in()) if isinstance(r.event, CheckedIn))
    home = partition_of("v1", 8)
    sent = replace(raw(record), headers=(("ce_id", b"1"),))
    for partition in range(8):
        made = fold_chunk(Store(partition), record.topic, [sent], Catalogue(), 8)
        [posting] = [decode_output(value) for _, value, _ in made.postings]
        assert isinstance(posting, Posting)
        assert not made.quarantined
        if partition == home:
            assert (posting.volunteer_id, posting.outcome) == ("v1", "posted")
            assert not made.forwards
            continue
        assert (posting.outcome, posting.reason) == ("duplicate", "wrong_partition")
        assert (posting.volunteer_id, posting.sequence, posting.lines) == ("", 0, ())
        [(to, [(key, value, timestamp, headers)])] = made.forwards.items()
        assert (to, key, value, timestamp) == (home, sent.key, sent.value, sent.timestamp)
        assert headers == [("shilu_origin", f"{partition}/{sent.offset}".encode()), ("ce_id", b"1")]
        assert [key for key, *_ in made.changes] == [f"@{partition}"]


def test_a_record_that_was_sent_on_is_judged_by_when_it_was_recorded_first() -> None:
    records = [raw(record) for record in log(*served()) if record.topic != CATALOGUE]
    late = [replace(each, timestamp=each.timestamp + 30 * DAY // 1000) for each in records]
    made = fold_chunk(Store(0), CHECKINS, late, Catalogue(), 1)
    assert {p.reason for p in postings_of(made)} == {"too_late"}
    origins = {each.offset: Origin(3, 77, each.timestamp) for each in records}
    made = fold_chunk(Store(0), CHECKINS, late, Catalogue(), 1, origins=origins)
    right = fold_chunk(Store(0), CHECKINS, records, Catalogue(), 1)
    assert postings_of(made) == postings_of(right)


def postings_of(folded: Folded) -> list[Posting]:
    found = [decode_output(value) for _, value, _ in folded.postings]
    return [posting for posting in found if isinstance(posting, Posting)]


def test_a_transfer_in_a_strange_partition_is_not_sent_on() -> None:
    """Only workers write there, and they know where it belongs."""
    town = Town().take([*BASICS, *served("v2"), merge("v2", "v1")]).settle()
    record = next(r for each in town.records for r in each if r.topic == TRANSFERS)
    strange = (partition_of("v1", 8) + 1) % 8
    made = fold_chunk(Store(strange), TRANSFERS, [raw(record)], Catalogue(), 8)
    assert not made.forwards
    [entry] = [decode_output(value) for _, value, _ in made.quarantined]
    assert isinstance(entry, Quarantined)
    assert entry.reason == "wrong_partition"


def test_headers_without_end_are_not_carried_along() -> None:
    record = next(r for r in log(check_in()) if isinstance(r.event, CheckedIn))
    long = replace(raw(record), headers=(("x", b"x" * 100_000), ("shilu_origin", b"1/1")))
    strange = (partition_of("v1", 8) + 1) % 8
    made = fold_chunk(Store(strange), CHECKINS, [long], Catalogue(), 8)
    [[(_, _, _, headers)]] = made.forwards.values()
    assert headers == [("shilu_origin", f"{strange}/{long.offset}".encode())]


@pytest.mark.parametrize(
    "value",
    [None, b"", b"1", b"/", b"1/", b"/1", b"-1/2", b"1/-2", b"1/2/3", b" 1/2", b"1/2 ", b"\xff/1",
     b"1/" + b"9" * 19, "1/٣".encode(), b"1" * 1_000_000],
)  # fmt: skip
def test_a_header_that_is_no_place_says_nothing(value: bytes | None) -> None:
    assert origin_of([("shilu_origin", value)]) is None


def test_only_the_first_header_says_where_a_record_was() -> None:
    assert origin_of([("shilu_origin", b"3/77"), ("shilu_origin", b"4/1")]) == (3, 77)
    assert origin_of([("ce_id", b"x"), ("shilu_origin", b"3/77")]) is None
    assert origin_of([]) is None


@pytest.mark.skipif(
    not ledger.rules.__file__.endswith(".py"),
    reason="a defect is planted in plain Python; `make test` runs this folder so, too",
)
def test_an_event_on_which_the_rules_raise_is_quarantined_and_the_rest_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = log(check_in(session="s1"), check_in(session="s2", at="10:00"),
                  check_out(session="s1", at="10:00"))  # fmt: skip
    right = ledger.hours.presence.check_in

    def broken(*arguments: object) -> object:
        if getattr(arguments[1], "session_id", "") == "s2":
            raise RuntimeError("a defect")
        return right(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ledger.rules, "check_in", broken)
    made = fold_chunk(Store(0), records[0].topic, [raw(r) for r in records], Catalogue(), 1)
    [entry] = [decode_output(value) for _, value, _ in made.quarantined]
    assert isinstance(entry, Quarantined)
    assert (entry.reason, entry.source_offset) == ("internal_error", records[1].offset)
    assert len(made.postings) == 2


def test_a_disk_that_cannot_be_read_is_not_taken_for_a_fault_of_the_event() -> None:
    class Broken:
        def get(self, key: str, /) -> bytes | None:
            raise OSError("no such page")

        def put(self, changes: Sequence[Change], marks: Marks, read_from: int, /) -> None:
            raise AssertionError("nothing is committed in this test")

    records = log(check_in())
    with pytest.raises(OSError, match="no such page"):
        fold_chunk(Store(0, Broken()), records[0].topic, [raw(r) for r in records], Catalogue(), 1)


def test_a_tick_closes_what_was_open_before_a_restart() -> None:
    records = log(*BASICS, check_in(at="08:00"), tick("21:00"))
    postings = folded(records, itertools.repeat(1), restarts=True)
    assert [posting.reason for posting in postings] == [None, "no_check_out"]
