"""Hostile bytes against the running pipeline: after each, a good event is credited, memory stays.

What each is refused for is the contract tests' matter (tests/contract/test_hostile_bytes.py).
"""

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from confluent_kafka import Producer

from consumers.api.trail_client import At, find_owner
from consumers.kafka.reader import Log
from consumers.kafka.records import Place
from schemas.posting import Posting
from schemas.topics import CATALOGUE, CHECKINS, KEY_OF, PARTITIONS, POSTINGS, VALUE_BYTES_MAX
from schemas.wire.codec import LATEST, decode_output, encode
from streams.partitions.fold_batch import partition_of
from tests.drawn.histories import BASICS, arrival, check_in, served
from tests.faults.harness import Cluster, wait_until

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
    yield "a key of a million bytes", b"k" * 1_000_000, b"x"
    yield "a long key and a long value", b"k" * 950_000, bytes(90_000)
    yield "a formula for an id", b"=cmd|' /C calc'!A0", good
    yield "a key of control characters", b"v\n\0\xe2\x80\xae", good


BOMBS = {"gzip": 300 << 20, "zstd": 300 << 20, "lz4": 200 << 20, "snappy": 19 << 20}
"""Compression -> so many zeros that the broker takes them for less than a megabyte."""


Hostile = tuple[str, str, bytes | None, Sequence[bytes | None]]
"""Name, compression, key, values of one batch."""


def bombs() -> Iterator[tuple[str, str, list[bytes]]]:
    """Name, compression, values of one batch."""
    for compression, size in BOMBS.items():
        yield f"{size >> 20} MB of zeros in {compression}", compression, [bytes(size)]
    yield "20,000 values in one batch of zstd", "zstd", [bytes(VALUE_BYTES_MAX - 1)] * 20_000


def test_after_every_hostile_record_a_good_event_is_credited(
    tmp_path: Path, seen: Callable[[str], None]
) -> None:
    with Cluster(tmp_path) as cluster, Log(_up(cluster)) as log:
        producers = {name: _producer(cluster, name) for name in ("none", *BOMBS)}
        producer = producers["none"]
        slowest = 0.0
        for known in BASICS:
            name = getattr(known, KEY_OF[type(known).__name__])
            at = known.occurred_at // 1000
            producer.produce(CATALOGUE, encode(known), name.encode(), timestamp=at)
        _credited(producer, log, "v-first", seconds=90)  # the worker is still starting
        hostile: list[Hostile] = [(name, "none", key, [value]) for name, key, value in corpus()]
        hostile += [(name, compression, b"v-h", values) for name, compression, values in bombs()]
        for n, (name, compression, key, values) in enumerate(hostile):
            person = f"v-good-{n}"
            _deliver(producers[compression], values, key, partition_of(person, PARTITIONS))
            try:
                took = _credited(producers[compression], log, person, CREDITED_WITHIN_SECONDS)
            except TimeoutError:
                pytest.fail(f"no credit after {name}")
            slowest = max(slowest, took)
            wait_until(lambda: _trail_is_green(cluster), f"the sink to have {name}")
            for process in cluster.processes.values():
                assert process.poll() is None, f"a process ended at {name}"
                peak = _peak_bytes(process.pid)
                assert peak < MEMORY_BYTES_MAX, f"{peak / 2**20:.0f} MiB at {name}"
        peaks = {n: _peak_bytes(p.pid) >> 20 for n, p in cluster.processes.items()}
        seen(f"{len(hostile)} kinds: credited within {slowest:.1f} s, at most {peaks} MiB")
        wait_until(lambda: cluster.behind() == 0, "the worker has caught up")
        cluster.reconciled()


def _producer(cluster: Cluster, compression: str) -> Producer:
    """One that sends whatever it is given as one batch."""
    return Producer({
        "bootstrap.servers": cluster.broker.bootstrap, "compression.type": compression,
        "message.max.bytes": 500 << 20, "batch.size": 500 << 20, "batch.num.messages": 100_000,
        "queue.buffering.max.kbytes": 1 << 20, "linger.ms": 100, "log_level": 0,
    })  # fmt: skip


def _trail_is_green(cluster: Cluster) -> bool:
    owner = find_owner(At(cluster.home))
    assert owner is not None
    with owner.client as client:
        return bool(client.get("/health").json()["state"] == "green")


def _peak_bytes(pid: int) -> int:
    """The most memory that a process has had at once."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _deliver(
    producer: Producer, values: Sequence[bytes | None], key: bytes | None, home: int
) -> None:
    """Send them, and see that the broker takes all: else the test would show nothing."""
    errors: list[object] = []
    for value in values:
        producer.produce(
            CHECKINS, value, key, home, on_delivery=lambda error, _: errors.append(error)
        )
    producer.flush(60)
    assert errors == [None] * len(values)


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
