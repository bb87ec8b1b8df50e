"""No record of the input makes an output that stops its partition: sizes, defects, many of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import ledger.fold
import ledger.hours.presence
import ledger.rules
import streams.partitions.fold_batch
from ledger.catalogue.catalogue import Catalogue
from schemas.posting import Posting, Quarantined
from schemas.topics import CHECKINS, HOURS
from schemas.wire.codec import decode_output
from streams.partitions.fold_batch import KEY_BYTES_MAX, Folded, fold_chunk
from streams.state.accounts import Store
from tests.drawn.histories import check_in, check_out, log, served, tick, when
from tests.ledger.test_bounds import asks
from tests.streams.test_batches import Raw, raw

plain = pytest.mark.skipif(
    not ledger.rules.__file__.endswith(".py"),
    reason="a defect is planted in plain Python; `make test` runs this folder so, too",
)


def chunk(*events: Any) -> list[Raw]:
    """The records of one topic."""
    return [raw(record) for record in log(*events)]


def reasons(folded: Folded) -> dict[int, str]:
    """Offset -> reason of what was quarantined."""
    entries = [decode_output(value) for _, value, _ in folded.quarantined]
    return {e.source_offset: e.reason for e in entries if isinstance(e, Quarantined)}


def posted(folded: Folded) -> list[Posting]:
    found = [decode_output(value) for _, value, _ in folded.postings]
    return [posting for posting in found if isinstance(posting, Posting)]


def fold_all(
    store: Store, records: list[Raw], **limits: Any
) -> tuple[list[Folded], dict[int, str]]:
    """Every transaction of a chunk, each committed, and what is in quarantine."""
    made: list[Folded] = []
    found: dict[int, str] = {}
    while records:
        made.append(fold_chunk(store, CHECKINS, records, Catalogue(), 1, **limits))
        store.take(made[-1].changes)
        assert made[-1].working is not None
        made[-1].working.keep()
        found |= reasons(made[-1])
        records = records[made[-1].count :]
    return made, found


def test_a_record_with_a_key_of_a_million_bytes_has_a_small_place_in_quarantine() -> None:
    key = b"k" * 1_000_000
    records = [Raw(0, 1, key, b"x"), Raw(1, 1, b"k" * KEY_BYTES_MAX, b"x")]
    made = fold_chunk(Store(0), CHECKINS, records, Catalogue(), 1)
    (long, entry, _), (short, _, _) = made.quarantined
    assert long is not None
    assert long.startswith(b"sha256:")
    assert len(long) + len(entry) < 100_000
    assert short == b"k" * KEY_BYTES_MAX


def test_all_that_a_volunteer_can_ask_about_one_day_makes_no_record_of_half_a_megabyte() -> None:
    store = Store(0)
    records = chunk(*asks(32))
    for start in range(0, len(records), 500):
        made = fold_chunk(store, HOURS, records[start : start + 500], Catalogue(), 1)
        store.take(made.changes)
        assert max(len(value) for _, value, _, _ in made.changes) < 512 * 1024
        assert made.count == len(records[start : start + 500])
        assert not made.quarantined


def test_the_one_record_that_makes_an_account_too_large_is_quarantined_and_the_rest_is_posted() -> (
    None
):
    """A limit so low that a day's spans soon reach it stands for a page nobody foresaw."""
    small = [check_in("v2", f"t{n}", when("09:00") + n) for n in range(5)]
    large = [check_in("v1", f"s{n}", when("09:00") + n) for n in range(40)]
    records = chunk(*small, *large, *served("v3"))
    store = Store(0)
    made, found = fold_all(store, records, record_bytes_max=4_000)
    assert set(found.values()) == {"output_too_large"}
    assert min(found) > 10
    assert sum(len(each.postings) for each in made) + len(found) == len(records)
    assert {p.volunteer_id for each in made for p in posted(each)} == {"v1", "v2", "v3"}
    for value in store.records.values.values():  # type: ignore[attr-defined]
        assert len(value) < 4_000
    indexes = [posting.index for each in made for posting in posted(each)]
    assert indexes == list(range(len(indexes)))


@plain
def test_a_posting_that_is_too_large_is_left_out_with_all_that_its_record_did(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lines without end are planted: by the bounds of a day no rule makes so many."""
    right = ledger.fold.fold

    def endless(*arguments: Any) -> list[Posting]:
        made = right(*arguments)
        if made[0].event_type == "CheckedOut" and made[0].volunteer_id == "v1":
            return [replace(made[0], lines=made[0].lines * 500)]
        return made

    monkeypatch.setattr(streams.partitions.fold_batch, "fold", endless)
    records = chunk(check_in("v1"), check_out("v1"), *served("v2"), check_in("v1", "t", "15:00"))
    made = fold_chunk(Store(0), CHECKINS, records, Catalogue(), 1, record_bytes_max=20_000)
    assert reasons(made) == {1: "output_too_large"}
    assert [(p.volunteer_id, p.sequence) for p in posted(made)] == [
        ("v1", 1), ("v2", 1), ("v2", 2), ("v1", 2)
    ]  # fmt: skip


def defect(
    monkeypatch: pytest.MonkeyPatch, raises: Callable[[Any], BaseException | None]
) -> list[str]:
    """Plant a defect into check-ins; the sessions they were asked about."""
    right, asked = ledger.hours.presence.check_in, []

    def broken(*arguments: Any) -> object:
        done = right(*arguments)
        asked.append(arguments[1].session_id)
        if (error := raises(arguments[1])) is not None:
            # After the account was changed.
            raise error
        return done

    monkeypatch.setattr(ledger.rules, "check_in", broken)
    return asked


@plain
def test_what_a_failing_rule_did_before_it_failed_is_undone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = [*served("v1", "a"), *served("v1", "c", "13:00", "14:00"), tick("15:00")]
    right = fold_chunk(Store(0), CHECKINS, chunk(*good), Catalogue(), 1)
    defect(monkeypatch, lambda e: ValueError("defect") if e.session_id in "bn" else None)
    bad = [check_in("v1", "b", "12:00"), check_in("new", "n", "12:00")]
    records = chunk(*good[:2], *bad, *good[2:])
    made = fold_chunk(Store(0), CHECKINS, records, Catalogue(), 1)
    assert reasons(made) == {2: "internal_error", 3: "internal_error"}
    told = [(p.event_id, p.sequence, p.lines, p.balance_minutes, p.index) for p in posted(made)]
    assert told == [(p.event_id, p.sequence, p.lines, p.balance_minutes, p.index)
                    for p in posted(right)]  # fmt: skip
    # The partition's own record aside: it says how far the chunk went.
    assert made.changes[:-1] == right.changes[:-1]


@plain
def test_what_fails_once_only_is_posted(monkeypatch: pytest.MonkeyPatch) -> None:
    failed: set[str] = set()

    def once(event: Any) -> BaseException | None:
        if event.session_id in failed:
            return None
        failed.add(event.session_id)
        return RecursionError("a moment's")

    defect(monkeypatch, once)
    made = fold_chunk(Store(0), CHECKINS, chunk(*served("v1"), *served("v2")), Catalogue(), 1)
    assert not made.quarantined
    assert [posting.sequence for posting in posted(made)] == [1, 2, 1, 2]


@plain
def test_too_little_memory_is_no_verdict_on_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    defect(monkeypatch, lambda event: MemoryError())
    with pytest.raises(MemoryError):
        fold_chunk(Store(0), CHECKINS, chunk(*served("v1")), Catalogue(), 1)


@plain
def test_many_failing_records_cost_two_more_tries_each_and_no_fold_of_the_whole_chunk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = defect(monkeypatch, lambda e: KeyError("defect") if e.session_id[0] == "b" else None)
    events = [check_in(f"v{n}", f"{'b' if n % 2 else 'g'}{n}") for n in range(400)]
    made = fold_chunk(Store(0), CHECKINS, chunk(*events), Catalogue(), 1)
    assert len(made.quarantined) == len(made.postings) == 200
    assert len(asked) <= 2 * len(events) + 200
