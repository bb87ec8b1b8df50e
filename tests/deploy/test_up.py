"""What `up` started stays up, the broker too; one port from start to start; `down` ends all."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from consumers.kafka.reader import Log
from deploy.broker.broker import Broker
from deploy.host.pidfile import lives
from schemas.topics import CHECKINS
from tests.trail.running import shilu, until

pytestmark = pytest.mark.kafka


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    shilu(tmp_path / "home", "", "down")


def log_of_up(home: Path) -> str:
    return (home / "log" / "up.log").read_text("utf-8")


def status(home: Path, wait: int = 60) -> tuple[int, dict[str, Any]]:
    done = shilu(home, "", "status", "--wait", str(wait), "--json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_broker_that_was_killed_is_started_again_on_its_port(home: Path) -> None:
    done = shilu(home, "", "up", "-d", "--timestamps", "producer")
    assert done.returncode == 0, done.stderr
    assert "1 replica(s) of each partition" in log_of_up(home)
    assert status(home)[0] == 0
    first = Broker.attach(home / "kafka")
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: "Kafka runs again" in log_of_up(home), "the broker to be started again")
    second = Broker.attach(home / "kafka")
    assert second is not None
    assert (second.port, second.pid != first.pid) == (first.port, True)
    said = [line for line in log_of_up(home).splitlines() if "Kafka ended" in line]
    assert len(said) == 1
    assert said[0].startswith("!")
    # Worker, sink and sealer go on with the new one.
    assert status(home)[0] == 0

    twice = shilu(home, "", "up", "-d")
    assert twice.returncode == 1
    assert "shilu down" in twice.stderr
    assert str(home / "log" / "up.log") in twice.stderr.replace("\n", "")

    # The services are ended by `up`, which is told to first: it starts none of them again.
    begun = len(re.findall("is started again", log_of_up(home)))
    noted = {path.stem: json.loads(path.read_text())["pid"] for path in (home / "run").glob("*")}
    assert set(noted) == {"up", "worker-1", "trail", "sealer"}
    down = shilu(home, "", "down")
    assert down.stdout.strip().startswith("✔ stopped: up,")
    assert down.stdout.strip().endswith("kafka")
    assert len(re.findall("is started again", log_of_up(home))) == begun
    assert not any(lives(psutil.Process(pid)) for pid in noted.values() if psutil.pid_exists(pid))
    assert list((home / "run").iterdir()) == []

    assert shilu(home, "", "up", "--kafka-only", "-d").returncode == 0
    third = Broker.attach(home / "kafka")
    assert third is not None
    assert third.port == first.port


def emit(home: Path, count: int) -> None:
    lines = home / "events.jsonl"
    lines.write_text("".join(
        json.dumps({
            "type": "CheckedIn", "event_id": f"e-{n}", "volunteer_id": f"v-{n}",
            "session_id": f"s-{n}", "activity_id": "a-1", "project_id": "p-1",
            "recording_org_id": "sw1", "host_org_id": "sw1", "channel": "qr",
            "actor": {"id": f"v-{n}", "role": "volunteer"}, "evidence": [],
            "occurred_at": "2026-03-02T09:00:00+08:00", "recorded_at": "2026-03-02T09:00:00+08:00",
        }) + "\n" for n in range(count)
    ), "utf-8")  # fmt: skip
    done = shilu(home, "", "emit", str(lines))
    assert done.returncode == 0, done.stdout + done.stderr


def test_worker_and_sink_stand_before_a_gap_until_somebody_accepts_it(home: Path) -> None:
    assert shilu(home, "", "up", "--kafka-only", "-d", "--timestamps", "producer").returncode == 0
    emit(home, 40)
    broker = Broker.attach(home / "kafka")
    assert broker is not None
    with Log(broker.bootstrap) as log:
        ends = log.ends(log.places([CHECKINS]))
    place, end = max(ends.items(), key=lambda one: one[1])
    assert end > 2
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.delete_records({TopicPartition(*place): end - 2})
    admin.close()
    assert shilu(home, "", "down").returncode == 0

    assert shilu(home, "", "up", "-d").returncode == 0
    lost = {"topic": CHECKINS, "partition": place.partition, "from": 0, "to": end - 2}

    def others_are_done() -> bool:
        return bool(status(home, 0)[1]["worker_behind"] == 2)

    until(others_are_done, "the other partitions to be folded")
    code, found = status(home, 0)
    assert code == 1
    assert {"holder": "ledger", **lost} in found["gaps"]
    assert "accept-gap" in (home / "log" / "trail.log").read_text("utf-8").replace("\n", " ")
    done = shilu(home, "", "accept-gap", "--reason", "deleted by mistake", "--by", "admin-1")
    assert done.returncode == 0, done.stderr
    # A process that ended several times is started again within a minute, not at once.
    until(lambda: status(home, 5)[0] == 0, "the trail to be started again")
    _, found = status(home)
    assert (found["gaps"], found["states"]["trail"]) == ([], "running")
    report = shilu(home, "", "reconcile", "--json", "--wait", "30")
    assert report.returncode == 0, report.stdout
    assert json.loads(report.stdout)["checked"]["posting"] == 40 - (end - 2) + 1
    assert shilu(home, "", "verify").returncode == 0
