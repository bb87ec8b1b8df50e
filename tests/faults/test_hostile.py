"""Hostile bytes against the running pipeline: after each, a good event is credited, memory stays.

What each is refused for is the contract tests' matter (tests/contract/test_hostile_bytes.py).
"""

import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Producer

from consumers.log import Log
from consumers.rows import Place
from schemas.codec import LATEST, decode_output, encode
from schemas.posting import Posting
from schemas.topics import CATALOGUE, CHECKINS, KEY_OF, PARTITIONS, POSTINGS, VALUE_BYTES_MAX
from streams.batch import partition_of
from tests.faults.harness import Cluster, wait_until
from tests.histories import BASICS, arrival, check_in, served

pytestmark = [pytest.mark.kafka, pytest.mark.faults]

CREDITED_WITHIN_SECONDS = 10.0
MEMORY_BYTES_MAX = 1 << 30
FRAME = LATEST["CheckedIn"].frame


def corpus() -> Iterator[tuple[str, bytes | None, bytes | None]]:
    """Name, key, value."""
    good = encode(check_in("v-h"))
    yield "no value", b"v-h", None
    yield "nothing", b"v-h", b""
    yield "no key", None, good
    yield "unframed", b"v-h", b"hello"
    yield "an unknown schema", b"v-h", b"\0\x7f\xff\xff\xff" + good[5:]
    yield "an output on a fact topic", b"v-h", LATEST["Posting"].frame + good[5:]
    yield "trailing bytes", b"v-h", good + b"\0"
    yield "cut off", b"v-h", good[:-3]
    yield "a string of 2^62 bytes", b"v-h", FRAME + b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"
    yield "a number of 5,000 bytes", b"v-h", FRAME + b"\xff" * 5_000 + b"\1"
    yield "an array of 10^8", b"v-h", good[:-1] + b"\x80\xc2\xd7\x2f"
    yield "an array of -10^8 in no bytes", b"v-h", good[:-1] + b"\xff\xc1\xd7\x2f\0\0"
    yield "no UTF-8", b"v-h", FRAME + b"\x08\xff\xfe\xfd\xfc" + good[9:]
    yield "a negative union index", b"v-h", good.replace(b"\2", b"\1")
    yield "deep nesting", b"v-h", FRAME + b"\2" * (VALUE_BYTES_MAX - 5)
    yield "an Avro container of zeros", b"v-h", b"Obj\1" + zlib.compress(bytes(50 << 20), 9)
    yield "a value above the limit", b"v-h", FRAME + bytes(VALUE_BYTES_MAX)
    yield "nearly a megabyte", b"v-h", bytes(900_000)
    yield "a formula for an id", b"=cmd|' /C calc'!A0", good
    yield "a key of control characters", b"v\n\0\xe2\x80\xae", good
    yield "64 MB of zeros in a small batch", b"v-h", bytes(64 << 20)


def test_after_every_hostile_record_a_good_event_is_credited(tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster, Log(_up(cluster)) as log:
        producer = Producer(
            {"bootstrap.servers": cluster.broker.bootstrap, "compression.type": "gzip",
             "message.max.bytes": 500 << 20, "linger.ms": 0, "log_level": 0}
        )  # fmt: skip
        slowest = largest = 0.0
        for known in BASICS:
            name = getattr(known, KEY_OF[type(known).__name__])
            at = known.occurred_at // 1000
            producer.produce(CATALOGUE, encode(known), name.encode(), timestamp=at)
        _credited(producer, log, "v-first", seconds=90)  # the worker is still starting
        for n, (name, key, value) in enumerate(corpus()):
            person = f"v-good-{n}"
            _deliver(producer, value, key, partition_of(person, PARTITIONS))
            try:
                took = _credited(producer, log, person, CREDITED_WITHIN_SECONDS)
            except TimeoutError:
                pytest.fail(f"no credit after {name}")
            slowest = max(slowest, took)
            for process in cluster.processes.values():
                assert process.poll() is None, f"a process ended at {name}"
                largest = max(largest, psutil.Process(process.pid).memory_info().rss)
            assert largest < MEMORY_BYTES_MAX, f"{largest / 2**20:.0f} MiB at {name}"
        print(f"credited within {slowest:.1f} s, at most {largest / 2**20:.0f} MiB")
        wait_until(lambda: cluster.behind() == 0, "the worker has caught up")
        cluster.reconciled()


def _deliver(producer: Producer, value: bytes | None, key: bytes | None, home: int) -> None:
    """Send it, and see that the broker takes it: else the test would show nothing."""
    errors: list[object] = []
    producer.produce(CHECKINS, value, key, home, on_delivery=lambda error, _: errors.append(error))
    producer.flush(60)
    assert errors == [None]


def _credited(producer: Producer, log: Log, person: str, seconds: float) -> float:
    """An hour of a new volunteer counts; the seconds it took. Raises TimeoutError."""
    began = time.monotonic()
    for event in served(person, f"s-{person}", "09:00", "10:00"):
        fact = arrival(event)
        at = fact.recorded_at // 1000
        producer.produce(
            CHECKINS,
            encode(fact.event),
            person.encode(),
            partition_of(person, PARTITIONS),
            timestamp=at,
        )
    producer.flush(60)
    while _balance(log, person) != 60:
        if time.monotonic() - began > seconds:
            raise TimeoutError(person)
    return time.monotonic() - began


def _up(cluster: Cluster) -> str:
    cluster.worker("w")
    cluster.start("s", "sink")
    wait_until(cluster.trail_owned, "the sink owns the trail")
    wait_until(lambda: cluster.alive("w") and cluster.behind() == 0, "the worker")
    return cluster.broker.bootstrap


def _balance(log: Log, name: str) -> int | None:
    """The volunteer's balance after the newest posting, None without one."""
    place = Place(POSTINGS, partition_of(name, PARTITIONS))
    found = None
    for records in log.read(place, 0, log.ends([place])[place]):
        for record in records:
            posting = decode_output(record.value or b"")
            if isinstance(posting, Posting) and posting.volunteer_id == name:
                found = posting.balance_minutes
    return found
