"""The program of docs/field-apps.md, run as it stands where the client alone is installed."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

from deploy.broker.broker import Broker
from deploy.host.ports import free_port
from schemas.events import CheckedIn, CheckedOut
from schemas.topics import CHECKINS, PARTITIONS
from schemas.wire.codec import decode_event

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "field-apps.md").read_text("utf-8")

pytestmark = pytest.mark.kafka


def run(python: Path, folder: Path, bootstrap: str, *, waits_seconds: int = 30) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert code.count("timeout=30") == 1
    file = folder / "app.py"
    file.write_text(code.replace("timeout=30", f"timeout={waits_seconds}"), "utf-8")
    done = subprocess.run(
        [python, file, bootstrap, folder / "outbox.db"],
        cwd=folder, env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def arrived(broker: Broker) -> list[object]:
    consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap)
    try:
        places = [TopicPartition(CHECKINS, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        ends = consumer.end_offsets(places)
        consumer.seek_to_beginning()
        found: list[object] = []
        while any(consumer.position(place) < ends[place] for place in places):
            for records in consumer.poll(timeout_ms=500).values():
                found += [decode_event(record.value) for record in records]
        return found
    finally:
        consumer.close()


def test_the_program_of_the_page_keeps_events_offline_and_delivers_them_later(
    client_python: Path, cluster: Broker, tmp_path: Path
) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    kept = run(client_python, tmp_path, nowhere, waits_seconds=2)
    assert kept == "2 kept for the next start"
    assert run(client_python, tmp_path, cluster.bootstrap) == "delivered"
    events = arrived(cluster)
    assert [type(one) for one in events] == [CheckedIn, CheckedOut] * 2
    ins = [one.session_id for one in events if isinstance(one, CheckedIn)]
    outs = [one.session_id for one in events if isinstance(one, CheckedOut)]
    assert ins == outs
    assert len(set(ins)) == 2
