"""What another order of the facts promises, and what the order of the log alone decides."""

from collections import deque
from dataclasses import replace
from typing import Any, cast

from consumers.kafka.records import Record
from consumers.reconcile import replay
from ledger.account.record import Record as Entry
from schemas.events import Event
from schemas.posting import Posting
from schemas.topics import CATALOGUE, FACTS, POSTINGS
from schemas.wire.codec import encode
from tests.drawn.histories import BASICS, Arrival, erase, imported, served
from tests.drawn.town import Town


class Read:
    """What a reader has of a partition: records and postings of a town, as they lie in the log."""

    def __init__(self, *items: Event | Arrival) -> None:
        town = Town(1).take([*BASICS, *items])
        records: list[Entry] = town.records[0]
        self.partition = 0
        self.quarantined: set[tuple[str, int]] = set()
        self.facts: Any = {
            topic: deque(_raw(one) for one in records if one.topic == topic) for topic in FACTS
        }
        self.catalogue = deque(_raw(one) for one in records if one.topic == CATALOGUE)
        self.postings = [_posted(one) for one in town.books[0].postings]

    def entry(self, record: Record) -> Entry | None:
        return replay._entry(record)

    def is_astray(self, *_: object) -> bool:
        return False


def _raw(one: Entry) -> Record:
    key = None if one.key is None else one.key.encode()
    return Record(one.topic, 0, one.offset, one.recorded_at // 1000, key, encode(one.event))


def _posted(posting: Posting) -> Record:
    key = posting.volunteer_id.encode()
    return Record(POSTINGS, 0, posting.index, posting.recorded_at // 1000, key, encode(posting))


def differences(read: Read) -> list[str]:
    found = [replay._in_any_order(cast(Any, read), seed) for seed in range(8)]
    return [sentence for one in found for sentence in one.differences]


START, END = served()


def test_two_contents_under_one_id_are_no_difference_in_any_order() -> None:
    other = replace(END, occurred_at=END.occurred_at - 3_600_000_000)
    assert differences(Read(START, END, other)) == []
    assert differences(Read(START, other, END)) == []


def test_a_person_who_was_forgotten_is_no_difference_in_any_order() -> None:
    later = served(session="s2", start="13:00", end="14:00")
    assert differences(Read(START, END, erase("v1"), *later)) == []


def test_a_second_row_or_grant_under_a_taken_id_is_no_difference_either() -> None:
    first, second = imported(minutes=60), imported(minutes=90, at="21:00", row="row-2")
    assert differences(Read(first, second)) == []


def test_what_was_turned_away_without_its_reason_is_found() -> None:
    read = Read(START, END)
    said = [cast(Posting, replay._output(one)) for one in read.postings]
    for reason in ("event_id_conflict", "volunteer_erased"):
        lie = replace(said[1], outcome="refused", reason=reason, lines=(), balance_minutes=0)
        read.postings[1] = _posted(lie)
        assert differences(read) != []


def test_what_a_forgotten_person_is_still_given_is_found() -> None:
    read = Read(START, erase("v1"), END)
    said = [cast(Posting, replay._output(one)) for one in read.postings]
    read.postings[1] = _posted(replace(said[1], outcome="posted", reason=None))
    assert differences(read) != []
