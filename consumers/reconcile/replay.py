"""Replay: the ledger computed again from the facts and compared with what is written, byte by byte.

The recorded order of three topics is what the postings themselves say: each names its source and
the catalogue it saw. A fact that the postings pass over must be in quarantine.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from random import Random
from typing import Any

from consumers.kafka.gaps import GAP_ACCEPTED, GAP_REASON
from consumers.kafka.origins import first_recorded, partition_of
from consumers.kafka.reader import Log
from consumers.kafka.records import Place, Record
from consumers.reconcile.commuting import decided_by_order
from consumers.seal.log_names import log_of
from consumers.signing.notes import BadNote, Checkpoint, Note
from ledger.account.record import Record as Entry
from ledger.account.record import digest_of, digest_of_event
from ledger.catalogue.catalogue import Catalogue
from ledger.fold import fold, sent_on
from ledger.merkle import Range, grow, leaf_hashes
from ledger.publish import learn
from ledger.replay import Book
from schemas.events import EvaluationSubmitted, VolunteerErased, VolunteerMerged
from schemas.posting import Posting, Quarantined
from schemas.topics import CATALOGUE, CHECKPOINTS, FACTS, POSTINGS, QUARANTINE, TRANSFERS
from schemas.wire.codec import BY_ID, Undecodable, decode_event, decode_output, encode, encode_as

_KEPT = 20


@dataclass(slots=True)
class Replayed:
    """One partition computed again: how many postings, their root, and what differs.

    `balances` are the volunteers' minutes, those with 0 left out.
    """

    partition: int
    postings: int = 0
    root: str = ""
    differences: list[str] = field(default_factory=list)
    difference_count: int = 0
    balances: dict[str, int] = field(default_factory=dict)

    def say(self, difference: str) -> None:
        """Note a difference; beyond the first ones they are only counted."""
        self.difference_count += 1
        if len(self.differences) < _KEPT:
            self.differences.append(difference)


@dataclass(slots=True)
class Transfers:
    """What a partition's accounts handed to others, computed, and what its topic holds: event_id
    -> digest of the bytes. `sent_on` are the records that belong elsewhere, by topic, partition and
    offset, `arrived` those that came from such a place and are the same."""

    handed: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    sent_on: set[str] = field(default_factory=set)
    arrived: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Manner:
    """How to read and compute, which must not matter: records a poll, processes, order of facts.

    `shuffle` None is the recorded order; a number is the seed of another one.
    """

    poll_records: int = 2_000
    jobs: int = 1
    shuffle: int | None = None


def replay(bootstrap: str, manner: Manner) -> Iterator[Replayed]:
    """Every partition, in order; raises LogError."""
    with Log(bootstrap) as log:
        partitions = [place.partition for place in log.places([POSTINGS])]
    tasks = [(bootstrap, partition, manner) for partition in partitions]
    if manner.jobs <= 1:
        yield from _together(map(_partition, tasks), len(tasks))
        return
    with ProcessPoolExecutor(manner.jobs) as pool:
        yield from _together(pool.map(_partition, tasks), len(tasks))


def _together(results: Iterable[tuple[Replayed, Transfers]], count: int) -> Iterator[Replayed]:
    """Each partition's result; the last one also says what was handed over otherwise than taken."""
    all_handed = Transfers()
    for number, (found, transfers) in enumerate(results, 1):
        all_handed.handed |= transfers.handed
        all_handed.taken |= transfers.taken
        all_handed.sent_on |= transfers.sent_on
        all_handed.arrived |= transfers.arrived
        if number == count:
            handed, taken = all_handed.handed, all_handed.taken
            for event_id in sorted(handed.keys() | taken.keys()):
                if handed.get(event_id) != taken.get(event_id):
                    found.say(f"{TRANSFERS}: {event_id} is not what the accounts handed over")
            for source in sorted(all_handed.sent_on - all_handed.arrived):
                found.say(f"{source} was to be sent on and did not arrive")
        yield found


def _partition(task: tuple[str, int, Manner]) -> tuple[Replayed, Transfers]:
    bootstrap, partition, manner = task
    with Log(bootstrap) as log:
        read = _Reader(log, partition, manner.poll_records)
        if manner.shuffle is None:
            return _in_order(read)
        return _in_any_order(read, manner.shuffle), Transfers()


class _Reader:
    """The records of one partition's topics, up to where they end now."""

    def __init__(self, log: Log, partition: int, poll_records: int) -> None:
        self._log = log
        self._poll_records = poll_records
        self.partition = partition
        # Postings first: whatever they name is in the log before them.
        self.postings = self._all(POSTINGS)
        self.quarantined = {
            (entry.source_topic, entry.source_offset)
            for entry in map(_output, self._all(QUARANTINE))
            if isinstance(entry, Quarantined) and entry.reason != GAP_REASON
        }
        self.facts: Mapping[str, deque[Record]] = {t: deque(self._all(t)) for t in FACTS}
        self.catalogue = deque(self._all(CATALOGUE, 0))
        self.checkpoints = self._all(CHECKPOINTS)
        self.partitions = len(log.places([POSTINGS]))
        self.firsts = first_recorded(log, [r for topic in FACTS for r in self.facts[topic]])

    def entry(self, record: Record) -> Entry | None:
        """A fact as the worker sees it, dated by when it was recorded first."""
        return _entry(record, self.firsts.get((record.topic, record.offset)))

    def is_astray(self, entry: Entry, book: Book) -> bool:
        """Does a fact belong in another partition?"""
        volunteer_id = getattr(entry.event, "volunteer_id", None)
        if volunteer_id is None or entry.topic == TRANSFERS or volunteer_id in book.accounts:
            return False
        return partition_of(volunteer_id, self.partitions) != self.partition

    def _all(self, topic: str, partition: int | None = None) -> list[Record]:
        place = Place(topic, self.partition if partition is None else partition)
        begin, end = self._log.begins([place])[place], self._log.ends([place])[place]
        return [
            record
            for records in self._log.read(place, begin, end, self._poll_records)
            for record in records
        ]


def _output(record: Record) -> Any:
    try:
        return decode_output(record.value or b"")
    except Undecodable:
        return None


def _entry(record: Record, recorded_ms: int | None = None) -> Entry | None:
    """A fact or catalogue event as the worker sees it; None for what does not decode."""
    try:
        event = decode_event(record.value)
    except Undecodable:
        return None
    key = None if record.key is None else record.key.decode("utf-8", "replace")
    place = (record.topic, record.partition, record.offset)
    digest = digest_of_event(event, record.value or b"")
    at = record.timestamp if recorded_ms is None else recorded_ms
    return Entry(*place, at * 1000, key, event, digest)


def _learn(catalogue: Catalogue, record: Record) -> None:
    entry = _entry(record)
    if entry is None:
        catalogue.next_offset = record.offset + 1
    else:
        learn(catalogue, entry)


def _in_order(read: _Reader) -> tuple[Replayed, Transfers]:
    """Fold the facts in the order that the postings name, and compare every byte."""
    found, book, catalogue = Replayed(read.partition), Book(), Catalogue()
    written: list[bytes] = []
    transfers = Transfers(arrived=_arrived(read))
    for record in read.facts[TRANSFERS]:
        entry = _entry(record)
        if entry is not None and (TRANSFERS, record.offset) not in read.quarantined:
            transfers.taken[entry.event.event_id] = entry.digest

    def source(record: Record) -> tuple[str, int]:
        said = decode_output(record.value or b"")
        assert isinstance(said, Posting)
        return said.source_topic, said.source_offset

    for (topic, offset), group in groupby(read.postings, key=source):
        recorded = [record.value or b"" for record in group]
        first = decode_output(recorded[0])
        assert isinstance(first, Posting)
        if first.event_type == GAP_ACCEPTED:
            # No fact makes it: somebody says that facts are gone, which the totals then show.
            written += recorded
            continue
        while read.catalogue and read.catalogue[0].offset < first.catalogue_offset:
            _learn(catalogue, read.catalogue.popleft())
        fact = _next_fact(read, topic, offset, found)
        if fact is None:
            found.say(f"#{len(written)}: its source {topic}/{offset} is not in the log")
            written += recorded
            continue
        if read.is_astray(fact, book):
            folded = [sent_on(fact, catalogue, len(written))]
            transfers.sent_on.add(f"{topic}/{read.partition}/{offset}")
        else:
            folded = fold(book, fact, catalogue, len(written))
        version = BY_ID[int.from_bytes(recorded[0][1:5], "big")]
        computed = [encode_as(posting, version) for posting in folded]
        if computed != recorded:
            found.say(f"#{len(written)}: {topic}/{offset} gives another posting")
        written += computed
    for topic, rest in read.facts.items():
        for record in rest:
            if (topic, record.offset) not in read.quarantined:
                found.say(f"{topic}/{record.offset} has no posting yet")
    found.postings, found.balances = len(written), _balances(book)
    found.root = grow(Range(), leaf_hashes(written)).range.root.hex()
    _compare_roots(read, written, found)
    for told in book.transfers:
        transfers.handed[told.event_id] = digest_of(encode(told))
    return found, transfers


def _next_fact(read: _Reader, topic: str, offset: int, found: Replayed) -> Entry | None:
    """The fact at this offset; those passed over on the way must be in quarantine."""
    waiting = read.facts[topic]
    while waiting and waiting[0].offset < offset:
        passed = waiting.popleft()
        if (topic, passed.offset) not in read.quarantined:
            found.say(f"{topic}/{passed.offset} was passed over")
    if not waiting or waiting[0].offset != offset:
        return None
    return read.entry(waiting.popleft())


def _arrived(read: _Reader) -> set[str]:
    """Where the records were before that were sent on to this partition."""
    return {
        f"{topic}/{record.origin[0]}/{record.origin[1]}"
        for topic, records in read.facts.items()
        for record in records
        if record.origin is not None and (topic, record.offset) in read.firsts
    }


def _compare_roots(read: _Reader, written: list[bytes], found: Replayed) -> None:
    """The postings as computed must come to every published root; `verify` looks at signatures."""
    said = []
    own = log_of(Place(POSTINGS, read.partition))
    for record in read.checkpoints:
        try:
            checkpoint = Checkpoint.parse(Note.parse((record.value or b"").decode()).text)
            if checkpoint.origin.endswith(f"/{own}"):
                said.append(checkpoint)
        except (BadNote, UnicodeDecodeError):
            found.say(f"{CHECKPOINTS}/{record.offset} is no checkpoint")
    tree = Range()
    for checkpoint in sorted(said, key=lambda one: one.size):
        tree = grow(tree, leaf_hashes(written[tree.size : checkpoint.size])).range
        if (tree.size, tree.root) != (checkpoint.size, checkpoint.root):
            found.say(f"the checkpoint of {checkpoint.size} postings has another root")


def _in_any_order(read: _Reader, seed: int) -> Replayed:
    """The facts alone, in an order of their own: the balances must come out the same.

    The catalogue is there from the start, and what was said about attendance comes at the end: both
    are judgements about facts. Ticks keep the log's time and come where chance puts them. Those
    whom a merge names are left out: what they were handed belongs to the recorded order. Nobody is
    forgotten here: what the log's order alone decided is compared by its own rule.
    """
    found, book, catalogue = Replayed(read.partition), Book(), Catalogue()
    merged: set[str] = set()
    erased: dict[str, int] = {}
    for record in read.catalogue:
        entry = _entry(record)
        event: Any = None if entry is None else entry.event
        if getattr(event, "volunteer_id", None) in erased:
            continue
        if isinstance(event, VolunteerErased):
            erased[event.volunteer_id] = record.offset
            continue
        _learn(catalogue, record)
        if isinstance(event, VolunteerMerged):
            merged |= {event.volunteer_id, event.into_volunteer_id}
    entries = [
        entry
        for topic, records in read.facts.items()
        for record in records
        if (topic, record.offset) not in read.quarantined
        and (entry := read.entry(record)) is not None
        and getattr(entry.event, "volunteer_id", None) not in merged
        and not read.is_astray(entry, book)
    ]
    by_order, wrong = decided_by_order(
        [one for one in map(_output, read.postings) if isinstance(one, Posting)],
        {(one.topic, one.offset): one.digest for one in entries},
        erased,
    )
    for sentence in wrong:
        found.say(sentence)
    entries = [one for one in entries if (one.topic, one.offset) not in by_order]
    Random(f"{seed}/{read.partition}").shuffle(entries)
    entries.sort(key=lambda entry: isinstance(entry.event, EvaluationSubmitted))
    for entry in entries:
        found.postings += len(fold(book, entry, catalogue, found.postings))
    found.balances = _balances(book)
    recorded: defaultdict[str, int] = defaultdict(int)
    for record in read.postings:
        posting = decode_output(record.value or b"")
        if isinstance(posting, Posting) and posting.volunteer_id not in {"", *merged}:
            recorded[posting.volunteer_id] = posting.balance_minutes
    for name in sorted(recorded.keys() | found.balances.keys()):
        here, there = found.balances.get(name, 0), recorded.get(name, 0)
        if here != there:
            found.say(f"{name}: {here} minutes in this order, {there} in the recorded one")
    return found


def _balances(book: Book) -> dict[str, int]:
    return {n: a.balance_minutes for n, a in sorted(book.accounts.items()) if a.balance_minutes}
