"""What the benches work on: a simulated history, folded by the worker's own code, in process.

Records are as a reader of the log would get them, with offsets of their own; nothing is sent.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import ClassVar

from consumers.kafka.records import Record
from ledger.catalogue.catalogue import Catalogue
from producers.simulator.simulate import Plan, Sending, simulate
from schemas.times import day
from schemas.topics import CATALOGUE, FACTS, PARTITIONS, POSTINGS
from streams.partitions import fold_batch
from streams.partitions.fold_batch import fold_chunk, partition_of
from streams.state.accounts import Store
from streams.worker.catalogue_follower import learn

CHUNK = 2_000
"""Records folded at once, about what a worker that is busy fetches."""


@dataclass(slots=True)
class Folded:
    """A history as records of the log: inputs, postings, and the changes of account records."""

    inputs: list[Record] = field(default_factory=list)
    postings: list[Record] = field(default_factory=list)
    stores: dict[int, Store] = field(default_factory=dict)
    fold_cpu_seconds: float = 0.0
    """What folding and encoding took, without simulating."""


class Sent(Record):
    """A record of the log as a worker fetches it."""

    __slots__ = ()
    headers: ClassVar[tuple[tuple[str, bytes | None], ...]] = ()


def history(events: int, volunteers: int, seed: int = 1, days: int = 60) -> Iterator[Sending]:
    """The simulated records of a province, in the order in which they reach the log."""
    return simulate(Plan(events, volunteers, days, seed, day("2025-03-01")))


def folded(sendings: Iterator[Sending], *, keep: bool = True) -> Folded:
    """Fold a history as eight partitions' workers would; without `keep` only the stores stay."""
    found = Folded(stores={number: Store(number) for number in range(PARTITIONS)})
    catalogue, offsets = Catalogue(), defaultdict[tuple[str, int], int](int)
    while some := list(islice(sendings, CHUNK * PARTITIONS)):
        waiting = defaultdict[tuple[str, int], list[Sent]](list)
        for sending in some:
            record = _record(sending, offsets)
            if keep:
                found.inputs.append(record)
            if record.topic == CATALOGUE:
                learn(catalogue, record)
            elif record.topic in FACTS:
                waiting[record.topic, record.partition].append(record)
        began = time.process_time()
        late: list[Sent] = []
        for (topic, partition), chunk in sorted(waiting.items()):
            done = fold_chunk(found.stores[partition], topic, chunk, catalogue, PARTITIONS)
            commit(found.stores[partition], done)
            late += _sent_on(topic, done, offsets)
            if keep:
                found.postings += _postings(partition, done.postings, offsets)
        for record in late:
            done = fold_chunk(
                found.stores[record.partition], record.topic, [record], catalogue, PARTITIONS
            )
            commit(found.stores[record.partition], done)
            if keep:
                found.inputs.append(record)
                found.postings += _postings(record.partition, done.postings, offsets)
        found.fold_cpu_seconds += time.process_time() - began
    return found


def _record(sending: Sending, offsets: dict[tuple[str, int], int]) -> Sent:
    partition = sending.partition
    if partition is None:
        single = sending.topic == CATALOGUE
        partition = 0 if single else partition_of(sending.key.decode(), PARTITIONS)
    place = sending.topic, partition
    offsets[place] += 1
    return Sent(*place, offsets[place] - 1, sending.recorded_at // 1000, sending.key, sending.value)


def _sent_on(
    topic: str, done: fold_batch.Folded, offsets: dict[tuple[str, int], int]
) -> Iterator[Sent]:
    """What a worker wrote once more, where it belongs."""
    for home, records in sorted(done.forwards.items()):
        for key, value, timestamp, _ in records:
            offsets[topic, home] += 1
            yield Sent(topic, home, offsets[topic, home] - 1, timestamp, key, value)


def commit(store: Store, done: fold_batch.Folded) -> None:
    """What a worker does in memory once a chunk's transaction is committed."""
    store.take(done.changes)
    if done.working is not None:
        done.working.keep()


def _postings(
    partition: int, postings: list[tuple[bytes, bytes, int]], offsets: dict[tuple[str, int], int]
) -> Iterator[Record]:
    place = POSTINGS, partition
    for key, value, timestamp in postings:
        offsets[place] += 1
        yield Record(*place, offsets[place] - 1, timestamp, key, value)
    # The transaction's marker takes one, too.
    offsets[place] += 1
