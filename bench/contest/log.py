"""The log that every contestant reads: simulated once, kept in the user's cache, produced fast.

The same plan gives the same bytes, so the file is named by a hash of the plan, of the schema lock
and of the simulator's source.
"""

import gzip
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from confluent_kafka import Producer

from bench.contest.hot import SHARE, crowd_on_one
from bench.output.cache import bench_cache, forget_older
from producers.record import partition_of
from producers.simulator.simulate import Plan, simulate
from schemas.times import day
from schemas.topics import CATALOGUE, FACTS, PARTITIONS

TOPICS = (*FACTS, CATALOGUE)

_ROOT = Path(__file__).parents[2]
_MADE_BY = (
    "schemas/ids.lock.json",
    "bench/contest/log.py",
    "bench/contest/hot.py",
    "producers/**/*.py",
)
_HEAD = struct.Struct("<BBqHI")
_TOLD_EVERY = 2_000

Told = Callable[[int, int], None]
"""Told how many records are there, and how many there will be."""


@dataclass(frozen=True, slots=True)
class Log:
    """A log of so many facts, and the catalogue's records; `hot`: nine of ten are one person's."""

    facts: int
    hot: bool = False

    @property
    def plan(self) -> Plan:
        """What is simulated; a quarter more, because the catalogue's records are in it."""
        facts = self.facts // SHARE if self.hot else self.facts
        return Plan(facts * 5 // 4 + 6_000, 10_000, 60, 1, day("2025-03-01"))

    @property
    def path(self) -> Path:
        """Where it is kept."""
        digest = sha256(repr(self).encode())
        for pattern in _MADE_BY:
            for source in sorted(_ROOT.glob(pattern)):
                digest.update(source.read_bytes())
        name = f"log-{'hot' if self.hot else 'even'}-{self.facts}-{digest.hexdigest()[:16]}.gz"
        return bench_cache() / name


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as it is produced."""

    topic: str
    partition: int
    timestamp_ms: int
    key: bytes
    value: bytes


def prepared(log: Log, told: Told) -> Path:
    """The file of a log, made first if it isn't there."""
    path = log.path
    if path.exists():
        return path
    partial = path.with_suffix(".partial")
    facts = 0
    with gzip.open(partial, "wb", compresslevel=1) as out:
        for entry in simulated(log):
            head = (TOPICS.index(entry.topic), entry.partition, entry.timestamp_ms)
            out.write(_HEAD.pack(*head, len(entry.key), len(entry.value)))
            out.write(entry.key + entry.value)
            facts += entry.topic in FACTS
            if facts % _TOLD_EVERY == 0:
                told(facts, log.facts)
    partial.replace(path)
    forget_older(path)
    return path


def simulated(log: Log) -> Iterator[Entry]:
    """The records of a log, in the order in which they are produced."""
    records = simulate(log.plan)
    facts = 0
    for sent in crowd_on_one(records) if log.hot else records:
        partition = sent.partition
        if sent.topic == CATALOGUE:
            partition = 0
        elif partition is None:
            partition = partition_of(sent.key, PARTITIONS)
        yield Entry(sent.topic, partition, sent.recorded_at // 1000, sent.key, sent.value)
        facts += sent.topic in FACTS
        if facts == log.facts:
            return
    raise ValueError(f"the plan of {log} gives only {facts} facts")


def entries(path: Path) -> Iterator[Entry]:
    """What a file holds."""
    with gzip.open(path, "rb") as stored:
        while head := stored.read(_HEAD.size):
            topic, partition, timestamp_ms, key_size, value_size = _HEAD.unpack(head)
            key = stored.read(key_size)
            yield Entry(TOPICS[topic], partition, timestamp_ms, key, stored.read(value_size))


def produce(bootstrap: str, records: Iterable[Entry], facts: int, told: Told) -> None:
    """Write records into their topics; raises RuntimeError if the broker refuses any."""
    refused: list[str] = []

    def acknowledged(error: object, _: object) -> None:
        if error is not None:
            refused.append(str(error))

    settings: dict[str, str | int | float | bool] = {
        "bootstrap.servers": bootstrap,
        "linger.ms": 50,
        "batch.size": 500_000,
        "queue.buffering.max.messages": 1_000_000,
        "enable.idempotence": True,
        # The coordinator of a new broker loads for a moment, and is asked again.
        "log_level": 2,
    }
    producer = Producer(settings)
    written = 0
    for record in records:
        while not _taken(producer, record, acknowledged):
            producer.poll(0.1)
        written += record.topic in FACTS
        if written % _TOLD_EVERY == 0:
            producer.poll(0)
            told(written, facts)
    producer.flush()
    if refused:
        raise RuntimeError(f"{len(refused)} records were not written: {refused[0]}")


def _taken(producer: Producer, record: Entry, acknowledged: Callable[..., None]) -> bool:
    """False while the producer's queue is full."""
    try:
        producer.produce(
            record.topic,
            record.value,
            record.key,
            record.partition,
            timestamp=record.timestamp_ms,
            on_delivery=acknowledged,
        )
    except BufferError:
        return False
    return True
