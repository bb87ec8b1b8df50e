"""A client that fails is replaced, a loop that stands still ends its process: nothing waits on."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from kafka import KafkaProducer

from consumers.kafka.reader import Log, LogError
from consumers.kafka.records import Place
from deploy.broker.broker import Broker
from schemas.topics import CHECKINS
from tests.conftest import create_topics
from tests.faults.harness import wait_until


def test_a_loop_that_stands_still_ends_its_process_and_says_where() -> None:
    code = (
        "import threading\n"
        "from consumers.watchdog import Watchdog\n"
        "def poll_that_never_returns(): threading.Event().wait()\n"
        "with Watchdog(0.5) as dog:\n"
        "    dog.alive()\n"
        "    poll_that_never_returns()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "poll_that_never_returns" in ended.stderr


def test_a_loop_that_goes_round_is_left_alone() -> None:
    code = (
        "import time\n"
        "from consumers.watchdog import Watchdog\n"
        "with Watchdog(1.0) as dog:\n"
        "    for _ in range(20):\n"
        "        dog.alive(); time.sleep(0.1)\n"
        "time.sleep(1.5)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.kafka
def test_a_reader_whose_broker_was_away_reads_on_with_a_new_client(tmp_path: Path) -> None:
    place = Place(CHECKINS, 0)

    def send(bootstrap: str, *values: bytes) -> None:
        producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
        for value in values:
            producer.send(CHECKINS, value, partition=0).get(timeout=30)
        producer.close()

    broker = Broker(tmp_path, tied_to_parent=True).start()
    try:
        create_topics(broker.bootstrap)
        send(broker.bootstrap, b"1", b"2")
        with Log(broker.bootstrap, follows=True, start_seconds=2) as log:
            first = log._consumer  # whether it is replaced shows nowhere else
            log.seek({place: 0})
            seen: list[bytes | None] = []

            def read() -> bool:
                with suppress(LogError):
                    for records in log.poll(0.2).values():
                        seen.extend(record.value for record in records)
                return len(seen) >= wanted

            wanted = 2
            wait_until(read, "the first two records")
            broker.stop()

            def refused() -> bool:
                try:
                    log.ends([place])
                except LogError as error:
                    return error.code == "kafka_unreachable"
                return False

            wait_until(refused, "the reader notices that the broker is away")
            broker = Broker(tmp_path, port=broker.port, tied_to_parent=True).start()
            send(broker.bootstrap, b"3")
            wanted = 3
            wait_until(read, "the record that came while it was away")
            assert seen == [b"1", b"2", b"3"]
            assert log._consumer is not first
    finally:
        broker.stop()
