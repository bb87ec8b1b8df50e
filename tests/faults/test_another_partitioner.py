"""Events of a client with another partitioner: each counts once, by when it was recorded first.

The producer is the genuine librdkafka with its settings as they come, which puts keys elsewhere
than Java and kafka-python do; the topics carry the broker's time, as deployments do.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from ledger.account.record import Record
from schemas.events import Event
from schemas.posting import Posting
from schemas.times import HOUR, MINUTE, SECOND
from schemas.topics import CATALOGUE, CHECKINS, KEY_OF, PARTITIONS, TOPIC_OF
from schemas.wire.codec import encode
from schemas.wire.headers import ORIGIN
from streams.partitions.fold_batch import partition_of
from tests.drawn.histories import BASICS, grant, served
from tests.faults.harness import Cluster, wait_until
from tests.judge import judge, take

pytestmark = [pytest.mark.kafka, pytest.mark.faults]

PEOPLE = [f"v-{number}" for number in range(200)]


def stock(cluster: Cluster) -> Producer:
    """A producer as confluent-kafka makes it; nothing is said of a partitioner."""
    return Producer({"bootstrap.servers": cluster.broker.bootstrap, "log_level": 0})


def send(producer: Producer, *events: Event, **more: Any) -> None:
    """Send events keyed as documented, and see that the broker took all of them."""
    errors: list[object] = []
    for event in events:
        name = type(event).__name__
        key = getattr(event, KEY_OF.get(name, "volunteer_id"))
        producer.produce(
            TOPIC_OF[name], encode(event), key, on_delivery=lambda error, _: errors.append(error),
            **more,
        )  # fmt: skip
        producer.poll(0)
    producer.flush(60)
    assert errors == [None] * len(events)


def run(cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        env={**os.environ, "SHILU_HOME": str(cluster.home),
             "SHILU_BOOTSTRAP": cluster.broker.bootstrap, "SHILU_LANG": "en"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def postings_of(cluster: Cluster) -> list[Posting]:
    return [p for postings in take(cluster.broker.bootstrap).postings.values() for p in postings]


def test_every_event_of_a_stock_producer_counts_once_through_kills(
    tmp_path: Path, seen: Callable[[str], None]
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    now = int(time.time()) * SECOND
    with Cluster(tmp_path, producer_time=False) as cluster:
        producer = stock(cluster)
        send(producer, *BASICS)
        cluster.start("s", "sink")
        first = [
            event
            for name in PEOPLE
            for event in served(name, f"a-{name}", now - 3 * HOUR, now - 2 * HOUR)
        ]
        send(producer, *first)
        strangers = [s for s, r in take(cluster.broker.bootstrap).inputs.items() if astray(r)]
        assert len(strangers) > len(first) // 2
        # No worker yet: what is sent on is recorded later than what it is a copy of.
        time.sleep(2)
        cluster.worker("w0")
        for number in range(4):
            some = [event for name in PEOPLE for event in (
                *served(name, f"{number}-{name}", now - HOUR + number * 10 * MINUTE,
                        now - HOUR + (number * 10 + 5) * MINUTE),
                grant(name, f"g{number}-{name}", now - 10 * HOUR + number * HOUR,
                      now - 9 * HOUR + number * HOUR),
            )]  # fmt: skip
            chance.shuffle(some)
            send(producer, *some)
            cluster.moves(f"before kill {number}")
            time.sleep(chance.random())
            cluster.kill(f"w{number}")
            cluster.worker(f"w{number + 1}")
        wait_until(lambda: cluster.behind() == 0, "everything is folded")
        assert judge(cluster.broker.bootstrap) == []
        log = take(cluster.broker.bootstrap)
        assert log.quarantined == []
        balances = {n: a.balance_minutes for n, a in log.accounts.items()}
        assert balances == dict.fromkeys(PEOPLE, 60 + 4 * 5 + 4 * 60)
        # Dated by the first record, not by its copy.
        recorded = {(p.source_topic, p.source_partition, p.source_offset): p.recorded_at
                    for p in postings_of(cluster) if p.volunteer_id}  # fmt: skip
        for source in strangers:
            [copy] = log.copies[source]
            original = log.inputs[source]
            assert original is not None
            assert recorded[copy] == original.recorded_at
        cluster.reconciled()
        told = run(cluster, "replay", "--json")
        assert json.loads(told.stdout)["state"] == "green", told.stdout
        assert run(cluster, "replay", "--json", "--shuffle", "3").returncode == 0
        someone = next(r.event.event_id for s in strangers if (r := log.inputs[s]) is not None)
        traced = json.loads(run(cluster, "trace", someone, "--json").stdout)
        assert len(traced["copies"]) == 2
        explained = json.loads(run(cluster, "explain", PEOPLE[0], "--json").stdout)
        assert explained["waiting"] == []
        assert explained["balance_minutes"] == balances[PEOPLE[0]]
        seen(f"seed {seed}: 4 kills, {len(log.inputs):,} records, {len(strangers)} of the first "
             "were astray: each counts once; replay green")  # fmt: skip


def test_with_murmur2_random_librdkafka_needs_no_detour(
    tmp_path: Path, seen: Callable[[str], None]
) -> None:
    with Cluster(tmp_path) as cluster:
        producer = Producer({
            "bootstrap.servers": cluster.broker.bootstrap, "partitioner": "murmur2_random",
        })  # fmt: skip
        send(producer, *(event for name in PEOPLE for event in served(name)))
        inputs = take(cluster.broker.bootstrap).inputs.values()
        assert len(inputs) == 2 * len(PEOPLE)
        assert not any(astray(record) for record in inputs)
        seen(f"murmur2_random: none of {len(inputs)} astray")


def astray(record: Record | None) -> bool:
    """Does a record's key belong in another partition?"""
    if record is None or not record.key or record.topic == CATALOGUE:
        return False
    return partition_of(record.key, PARTITIONS) != record.partition


def test_nobody_dates_an_event_back_with_a_header(
    tmp_path: Path, seen: Callable[[str], None]
) -> None:
    now = int(time.time()) * SECOND
    with Cluster(tmp_path, producer_time=False) as cluster:
        producer = stock(cluster)
        send(producer, *BASICS)
        old, other = served("v-1", "old", now - 3 * HOUR, now - 2 * HOUR)
        home = partition_of("v-1", PARTITIONS)
        send(producer, old, partition=home)
        time.sleep(2)
        words = [f"{home}/0", f"{home}/999999", f"{(home + 1) % 8}/0", f"{home}/2", "99/0", "x"]
        for number, word in enumerate(words):
            event = served("v-1", f"n{number}", now - HOUR + number, now)[0]
            send(producer, event, partition=home, headers=[(ORIGIN, word.encode())])
        send(producer, other, partition=home)
        # The same bytes again, with true words: it is a duplicate, of the time of the first.
        send(producer, old, partition=home, headers=[(ORIGIN, f"{home}/0".encode())])
        cluster.worker("w")
        wait_until(lambda: cluster.behind() == 0, "everything is folded")
        assert judge(cluster.broker.bootstrap) == []
        log = take(cluster.broker.bootstrap)
        said = {p.source_offset: p for p in log.postings[home] if p.source_topic == CHECKINS}
        for offset in range(1, len(words) + 1):
            assert said[offset].recorded_at >= said[0].recorded_at + 1_500_000
        last = said[len(words) + 2]
        assert (last.outcome, last.recorded_at) == ("duplicate", said[0].recorded_at)
        seen(f"{len(words)} forged origins: none dates an event back")
