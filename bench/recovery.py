"""How long a worker takes to have a million accounts back, and the memory it needs for them.

The accounts of a folded history are written again under the ids of other volunteers, page by page
as the worker wrote them, until there are enough; then a worker is started. Every partition has one
tick waiting, which its worker can post only once it has restored the partition. `make
bench-recovery`.
"""

import argparse
import random
import shutil
import statistics
import string
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka import Producer
from kafka import KafkaConsumer, TopicPartition
from rich.console import Console

from bench.material.histories import folded, history
from bench.output.report import machine, table, write
from bench.watching.processes import shilu
from bench.watching.watch import Tree
from deploy.broker.broker import Broker
from deploy.broker.topics_admin import Wanted, create
from producers.ids import event_id_at
from schemas.events import ClockTicked
from schemas.times import DAY, day
from schemas.topics import ACCOUNTS, ALL, CHECKINS, PARTITIONS, POSTINGS
from schemas.wire.codec import encode
from streams.partitions.fold_batch import partition_of
from streams.state.accounts import Change, InMemory, Store, state_key
from streams.state.restore import headers_of

TARGET_SECONDS, TARGET_MB = 10, 600
EVENTS_PER_ACCOUNT = 10
BASE_ACCOUNTS = 4_000
_TRANSACTION_RECORDS = 20_000
_TICK_AT = day("2025-01-01") * DAY
_LOOK_SECONDS = 0.1
console = Console(stderr=True, highlight=False)

Records = list[Change]
"""The records of one account: pages, then the account itself."""


def base_accounts() -> list[Records]:
    """The accounts of a history, as the worker writes them."""
    material = folded(history(BASE_ACCOUNTS * EVENTS_PER_ACCOUNT, BASE_ACCOUNTS), keep=False)
    found: dict[str, Records] = {}
    for store in material.stores.values():
        assert isinstance(store.records, InMemory)
        for key, value in store.records.values.items():
            if key == state_key(store.partition):
                continue
            name = key.partition("/")[0]
            found.setdefault(name, []).append(
                (key, value, store.wakes.texts.get(key, ""), store.lent.get(key, ""))
            )
    return list(found.values())


def accounts(base: list[Records], count: int) -> Iterator[Records]:
    """So many accounts under ids of their own, of the same length as the ones they copy."""
    rng = random.Random(1)
    for number in range(count):
        records = base[number % len(base)]
        old = records[0][0].partition("/")[0]
        new = "v-" + "".join(rng.choices(string.ascii_lowercase + string.digits, k=len(old) - 2))
        was, is_now = old.encode(), new.encode()
        yield [
            (key.replace(old, new), value.replace(was, is_now), wake, lent_to)
            for key, value, wake, lent_to in records
        ]


def fill(bootstrap: str, count: int) -> dict[str, int]:
    """Write so many accounts and each partition's state, in transactions; what was written."""
    producer = Producer(
        {"bootstrap.servers": bootstrap, "linger.ms": 50, "transactional.id": "bench-accounts"}
    )
    producer.init_transactions(60)
    written = Counter[str]()
    producer.begin_transaction()
    states = [(n, [Store(n).state(0, 0, {}, 0)]) for n in range(PARTITIONS)]
    named = (
        (partition_of(records[-1][0].partition("/")[0], PARTITIONS), records)
        for records in accounts(base_accounts() if count else [], count)
    )
    for partition, records in chain(named, states):
        written["accounts"] += 1
        for key, value, wake, lent_to in records:
            # The first tick would look at all who wait, and this is about restoring.
            later = str(max(int(wake.split(" ")[0]), _TICK_AT + 1)) if wake else ""
            headers: list[tuple[str, str | bytes | None]] = [
                *headers_of((key, value, later, lent_to), "bench")
            ]
            while True:
                try:
                    producer.produce(ACCOUNTS, value, key.encode(), partition, headers=headers)
                    break
                except BufferError:
                    producer.poll(0.1)
            written["records"] += 1
            written["bytes"] += len(key) + len(value)
            if written["records"] % _TRANSACTION_RECORDS == 0:
                producer.commit_transaction()
                producer.begin_transaction()
    producer.commit_transaction()
    return dict(written)


def tick(bootstrap: str) -> None:
    """One tick for every partition, from before the history, when nothing was due."""
    value = encode(ClockTicked(event_id_at(_TICK_AT // 1000, 1), _TICK_AT))
    producer = Producer({"bootstrap.servers": bootstrap})
    for partition in range(PARTITIONS):
        producer.produce(CHECKINS, value, b"tick", partition, timestamp=_TICK_AT // 1000)
    producer.flush()


def recover(bootstrap: str, home: Path, name: str) -> dict[str, Any]:
    """A worker, from its start until every partition has posted its tick."""
    tick(bootstrap)
    tps = [TopicPartition(POSTINGS, partition) for partition in range(PARTITIONS)]
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
    before = consumer.end_offsets(tps)
    began = time.monotonic()
    with shilu(home, bootstrap, "worker", "--name", name) as worker:
        tree, first = Tree(psutil.Process(worker.process.pid)), None
        while True:
            worker.require_alive()
            tree.look()
            done = sum(end > before[tp] for tp, end in consumer.end_offsets(tps).items())
            if done and first is None:
                first = time.monotonic() - began
            if done == PARTITIONS:
                break
            time.sleep(_LOOK_SECONDS)
        found = {
            "seconds": time.monotonic() - began,
            "first_partition_seconds": first,
            "cpu_seconds": tree.look(),
            "own_mb": tree.peak_own_bytes >> 20,
            "resident_mb": tree.peak_bytes >> 20,
        }
        worker.stop()
    consumer.close()
    return found


def main() -> None:
    """Fill, restart the worker several times, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    where = machine("aiokafka", "faust-streaming", "fastavro")
    with tempfile.TemporaryDirectory() as folder:
        found = {"empty": measured(Path(folder), 0, asked.rounds)["cold"]}
    with tempfile.TemporaryDirectory() as folder:
        found |= measured(Path(folder), asked.accounts, asked.rounds)
    result = {"machine": where, "accounts": asked.accounts, **found}
    write("recovery", result, "重启恢复 · Recovery", page(result))


def measured(home: Path, accounts: int, rounds: int) -> dict[str, Any]:
    """Workers that begin with nothing but the log (cold), and ones that were here before (warm)."""
    found: dict[str, Any] = {"cold": [], "warm": []}
    with Broker(home / "kafka", tied_to_parent=True, heap="1g", jvm_options=()) as broker:
        create(broker.bootstrap, Wanted(8, True, 1), ALL)
        found["written"] = fill(broker.bootstrap, accounts)
        console.print(found["written"])
        for number in range(rounds):
            for case in ("cold", "warm"):
                if case == "cold":
                    shutil.rmtree(home / "worker", ignore_errors=True)
                found[case].append(recover(broker.bootstrap, home, f"{case}-{number}"))
                console.print(case, found[case][-1])
    return found


def page(result: dict[str, Any]) -> str:
    """The section of docs/performance.md."""
    accounts = f"{result['accounts']:,} accounts"
    labels = {
        "empty": "no accounts (start of the process, joining the group)",
        "warm": f"{accounts}, restarted on its machine",
        "cold": f"{accounts}, on a machine that has only the log",
    }
    rows = []
    for case, label in labels.items():
        seconds, cpu, own, resident = (
            statistics.median(run[key] for run in result[case])
            for key in ("seconds", "cpu_seconds", "own_mb", "resident_mb")
        )
        met = seconds < TARGET_SECONDS and own < TARGET_MB
        said = "" if case == "empty" else "reached" if met else "**not reached**"
        rows.append(
            (label, f"{seconds:.1f}", f"{cpu:.1f}", f"{own:,.0f}", f"{resident:,.0f}", said)
        )
    written = result["written"]
    heads = ("", "s wall", "CPU-s", "own MB", "resident MB", f"{TARGET_SECONDS} s, {TARGET_MB} MB")
    return (
        f"{written['records']:,} records, {written['bytes'] / 2**20:,.0f} MiB in `ledger.accounts` "
        f"(about {EVENTS_PER_ACCOUNT} events an account); one `shilu worker` and the processes it "
        f"starts to fill shelves, from its start until every one of {PARTITIONS} partitions has "
        "posted an event; medians. Memory is of all of them together, looked at "
        f"{1 / _LOOK_SECONDS:.0f} times a second, its peak: *own* is what they hold themselves "
        "(`RssAnon` and `RssShmem` of `/proc/PID/status`), to which the target applies; *resident* "
        "counts the pages of files too that are mapped, most of them the shelves', which the "
        "system takes back when it needs them.\n\n" + table(heads, rows)
    )


if __name__ == "__main__":
    main()
