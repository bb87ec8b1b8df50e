"""The worker with everything it writes, beside raw consume-and-decode, on the same bytes.

`make bench`: real Kafka, each contestant a process of its own, in turn, medians of several rounds.
Wall and CPU seconds are those of the whole process, start included.
"""

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from kafka.admin import KafkaAdminClient
from rich.console import Console
from rich.table import Table

from deploy.broker import Broker
from deploy.lag import worker_lag
from deploy.topics_admin import Wanted, create, describe
from producers.connection import require_topics
from producers.delivery import Delivery
from producers.emit import topics_of
from producers.record import Record
from producers.simulate import Plan, simulate
from schemas.times import day
from schemas.topics import ACCOUNTS, ALL, FACTS, POSTINGS, QUARANTINE

OUTPUTS = [POSTINGS, ACCOUNTS, QUARANTINE]
console = Console(stderr=True, highlight=False)


def produce(bootstrap: str, events: int, volunteers: int) -> int:
    """Send a simulated history; the number of records in the fact topics."""
    topics = require_topics(bootstrap, topics_of(catalogue_only=False))
    plan = Plan(events, volunteers, 60, 1, day("2025-03-01"))
    with Delivery(bootstrap, topics) as delivery:
        parcels = (
            (
                s.topic,
                [Record(s.topic, s.key, s.value, [], s.partition, s.recorded_at // 1000)],
            )
            for s in simulate(plan)
        )
        return sum(topic in FACTS for topic, _ in delivery.deliver(parcels))


def renew_outputs(bootstrap: str) -> None:
    """Empty ledger topics, so that each round starts from nothing."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.delete_topics(OUTPUTS)
    finally:
        admin.close()
    while set(OUTPUTS) & describe(bootstrap).keys():
        time.sleep(0.1)
    create(bootstrap, Wanted(8, True, 1), [topic for topic in ALL if topic.name in OUTPUTS])


def run_peer(module: str, bootstrap: str, records: int) -> dict[str, Any]:
    """One round of a peer."""
    done = subprocess.run(
        [sys.executable, "-m", module, bootstrap, str(records)],
        check=True,
        capture_output=True,
        text=True,
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def run_worker(home: Path, bootstrap: str, records: int, number: int) -> dict[str, Any]:
    """One round of the worker: from its start until everything is committed."""
    renew_outputs(bootstrap)
    app_id = f"bench-{number}"
    environment = {
        **os.environ,
        "SHILU_HOME": str(home),
        "SHILU_BOOTSTRAP": bootstrap,
        "SHILU_APP_ID": app_id,
    }
    began = time.monotonic()
    with (home / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "worker"],
            env=environment,
            stdout=log,
            stderr=log,
        )
    watched = psutil.Process(process.pid)
    while sum(lag.records for lag in worker_lag(bootstrap, app_id)):
        assert process.poll() is None, (home / "worker.log").read_text()[-2000:]
        time.sleep(0.2)
    wall = time.monotonic() - began
    times, peak = watched.cpu_times(), watched.memory_info().rss
    process.send_signal(signal.SIGTERM)
    process.wait(20)
    return {
        "events": records,
        "wall_seconds": wall,
        "cpu_seconds": times.user + times.system,
        "peak_mb": peak >> 20,
    }


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--volunteers", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    contestants = {
        "confluent-kafka + fastavro (limit)": "bench.peers.confluent_raw",
        "aiokafka + fastavro (limit)": "bench.peers.aiokafka_raw",
        "shilu worker": "",
    }
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in contestants}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with Broker(home / "kafka", tied_to_parent=True, heap="512m", jvm_options=()) as broker:
            create(broker.bootstrap, Wanted(8, True, 1), ALL)
            records = produce(broker.bootstrap, asked.events, asked.volunteers)
            console.print(f"{records:,} facts in the log")
            for number in range(asked.rounds):
                for name, module in contestants.items():
                    result = (
                        run_peer(module, broker.bootstrap, records)
                        if module
                        else run_worker(home, broker.bootstrap, records, number)
                    )
                    results[name].append(result)
                    wall = records / result["wall_seconds"]
                    console.print(f"round {number + 1}  {name}: {wall:,.0f} events/s")
    show(results)


def show(results: dict[str, list[dict[str, Any]]]) -> None:
    """The medians as a table."""
    table = Table(title=f"{platform.machine()}, {os.cpu_count()} cores, {sys.version.split()[0]}")
    for heading in ("", "events/s wall", "events/CPU-second", "peak MB"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, rounds in results.items():
        wall = statistics.median(r["events"] / r["wall_seconds"] for r in rounds)
        cpu = statistics.median(r["events"] / r["cpu_seconds"] for r in rounds)
        peak = statistics.median(r["peak_mb"] for r in rounds)
        table.add_row(name, f"{wall:,.0f}", f"{cpu:,.0f}", f"{peak:,.0f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
