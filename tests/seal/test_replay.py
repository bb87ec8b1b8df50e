"""The ledger is a function of the log: computed again elsewhere and otherwise, it is the same."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from kafka import KafkaProducer

from consumers.signing import keyring
from schemas.posting import Posting
from schemas.topics import POSTINGS
from schemas.wire.codec import decode_output, encode
from tests.faults.harness import Cluster, history, wait_until
from tests.seal.published import must_be_one_truth, values
from tests.trail.running import environment

pytestmark = pytest.mark.kafka

EVENTS = 2_500


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replay")


@pytest.fixture(scope="module")
def cluster(home: Path) -> Iterator[Cluster]:
    """A simulated history folded by a worker that was killed on the way, and sealed."""
    with Cluster(home) as running:
        producer = KafkaProducer(bootstrap_servers=running.broker.bootstrap, acks="all")
        running.worker("a")
        for n, sending in enumerate(islice(history(EVENTS, seed=20), EVENTS)):
            producer.send(
                sending.topic, key=sending.key, value=sending.value, partition=sending.partition,
                timestamp_ms=sending.recorded_at // 1000,
            )  # fmt: skip
            if n == EVENTS // 2:
                producer.flush()
                running.moves("before the kill")
                running.kill("a")
                running.worker("b")
        producer.send("service.checkins", key=b"v-1", value=b"\0hostile", partition=1)
        producer.flush()
        producer.close()
        wait_until(lambda: running.behind() == 0, "the worker has caught up")
        key = keyring.create(home / "keys", "example.org/hours")
        assert run(running, "seal", "--once").returncode == 0
        assert must_be_one_truth(running.broker.bootstrap, key) >= 1
        yield running


def run(cluster: Cluster, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        env=environment(cluster.home, cluster.broker.bootstrap) | changes,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def replayed(cluster: Cluster, *arguments: str, **changes: str) -> tuple[int, dict[str, Any]]:
    done = run(cluster, "replay", "--json", *arguments, **changes)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_it_is_the_same_under_any_clock_locale_hash_poll_and_number_of_processes(
    cluster: Cluster,
) -> None:
    code, first = replayed(cluster, PYTHONHASHSEED="0", TZ="UTC")
    assert (code, first["state"]) == (0, "green"), first["partitions"]
    written = values(cluster.broker.bootstrap, POSTINGS)
    assert {one["partition"]: one["postings"] for one in first["partitions"]} == {
        partition: len(written.get(partition, ())) for partition in range(8)
    }
    others = (
        (("--poll", "7"), {"TZ": "America/New_York", "PYTHONHASHSEED": "1"}),
        (("--jobs", "2"), {"TZ": "Asia/Kathmandu", "LC_ALL": "zh_CN.UTF-8", "PYTHONHASHSEED": "7"}),
        (("--jobs", "3", "--poll", "100"), {"LC_ALL": "tr_TR.UTF-8", "LANG": "C"}),
    )
    for arguments, changes in others:
        assert replayed(cluster, *arguments, **changes) == (0, first)


def test_in_any_order_the_facts_give_the_same_balances(cluster: Cluster) -> None:
    for seed in (1, 2):
        code, found = replayed(cluster, "--shuffle", str(seed))
        assert code == 0, [one["differences"] for one in found["partitions"]]


def test_a_posting_that_the_facts_do_not_give_is_found(cluster: Cluster) -> None:
    at = cluster.broker.bootstrap
    partition, own = next((p, rows) for p, rows in values(at, POSTINGS).items() if rows)
    last = decode_output(own[-1])
    assert isinstance(last, Posting)
    invented = replace(last, index=last.index + 1, balance_minutes=last.balance_minutes + 60)
    producer = Producer({"bootstrap.servers": at, "log_level": 0})
    producer.produce(POSTINGS, encode(invented), partition=partition)
    producer.flush()
    code, found = replayed(cluster)
    assert code == 1
    wrong = {one["partition"] for one in found["partitions"] if one["difference_count"]}
    assert wrong == {partition}
