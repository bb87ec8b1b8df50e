"""`shilu emit` as a process: what the ledger made of each line, and what is said when it breaks."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError
from kafka.future import Future

from deploy.broker.broker import Broker
from producers.ids import new_event_id
from schemas.times import DAY, MINUTE
from schemas.topics import CHECKINS
from tests.conftest import create_topics
from tests.producers.helpers import as_line, check_in, read_topic, wait_until
from tests.producers.test_emit import org


def environment(at: str, home: Path) -> dict[str, str]:
    ours = {"SHILU_BOOTSTRAP": at, "SHILU_HOME": str(home), "SHILU_LANG": "en"}
    return {**os.environ, **ours}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[str]:
    """A broker of its own with all topics under its own time, and a worker."""
    with Broker(tmp_path_factory.mktemp("judged"), tied_to_parent=True) as running:
        create_topics(running.bootstrap, producer_time=False)
        worker = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "worker", "--name", "worker-1"],
            env=environment(running.bootstrap, home),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield running.bootstrap
        finally:
            worker.kill()
            worker.wait()


def emit(at: str, home: Path, given: bytes, *options: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.start", "emit", "-", *options],
        input=given, env=environment(at, home), capture_output=True, timeout=240, check=False,
    )  # fmt: skip
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


@pytest.mark.kafka
def test_wait_says_what_the_ledger_made_of_each_line(judged: str, home: Path) -> None:
    now = time.time_ns() // 1000
    first = check_in("v-wait", occurred_at=now)
    other = check_in("v-wait", occurred_at=now - MINUTE, event_id=first.event_id)
    tomorrow = check_in("v-wait", occurred_at=now + DAY)
    lines = [*map(as_line, (first, first, other, tomorrow)), b"{}\n", as_line(org(1))]
    done = emit(judged, home, b"".join(lines), "--wait", "--json", "--timeout", "120")
    rows: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    told = {(row["line"], row["status"], row["outcome"], row["reason"]) for row in rows}
    assert told == {
        (1, "accepted", "posted", None),
        (2, "accepted", "duplicate", "duplicate_event"),
        (3, "accepted", "refused", "event_id_conflict"),
        (4, "accepted", "quarantined", "in_the_future"),
        (5, "refused", None, None),
        (6, "accepted", None, None),
    }
    assert done.returncode == 1
    assert "the ledger: posted 1 · held 0 · duplicate 1 · refused 1 · quarantined 1" in done.stderr


@pytest.mark.kafka
def test_a_person_reads_the_lines_that_do_not_count_and_why(judged: str, home: Path) -> None:
    now = time.time_ns() // 1000
    first = check_in("v-read", occurred_at=now)
    other = check_in("v-read", occurred_at=now - MINUTE, event_id=first.event_id)
    done = emit(judged, home, as_line(first) + as_line(other), "--wait", "--timeout", "120")
    line, accepted, ledger = done.stdout.splitlines()
    assert line.startswith(f"2\trefused\t{first.event_id}\t[event_id_conflict] ")
    assert accepted == "2 lines accepted, 0 refused"
    assert ledger == "the ledger: posted 1 · held 0 · duplicate 0 · refused 1 · quarantined 0"
    assert done.returncode == 1


@pytest.mark.kafka
def test_what_is_held_and_what_has_no_outcome_have_exit_codes_of_their_own(
    judged: str, home: Path, broker_time: Broker
) -> None:
    claim = {
        "type": "HoursClaimed", "event_id": new_event_id(), "volunteer_id": "v-held",
        "grant_id": "g-held", "activity_id": "a-1", "project_id": "p-1",
        "recording_org_id": "sw1", "host_org_id": "sw1", "reason": "forgot_phone",
        "start_at": "2025-03-01T09:00:00+08:00", "end_at": "2025-03-01T10:00:00+08:00",
        "occurred_at": "2025-03-01T11:00:00+08:00", "channel": "api",
        "actor": {"id": "v-held", "role": "volunteer", "org_id": None},
    }  # fmt: skip
    held = emit(judged, home, json.dumps(claim).encode(), "--wait", "--timeout", "120")
    assert (held.returncode, "held 1" in held.stdout) == (3, True), held.stdout
    # No worker runs there.
    alone = emit(broker_time.bootstrap, home, as_line(check_in("v-1")), "--wait", "--timeout", "1")
    assert alone.returncode == 4
    assert "1 lines have no outcome yet: they arrived and need not be sent again" in alone.stderr


@pytest.mark.kafka
@pytest.mark.parametrize("given", [b"", b"\n  \n\r\n", b"[]", b"\xef\xbb\xbf"])
def test_an_empty_input_is_said_and_not_0(broker_time: Broker, home: Path, given: bytes) -> None:
    done = emit(broker_time.bootstrap, home, given)
    assert (done.returncode, done.stdout) == (1, "")
    assert "There is no event in the input: it is empty." in done.stderr


@pytest.mark.kafka
def test_ctrl_c_says_how_many_arrived_and_that_sending_again_is_safe(
    producer_time: Broker, home: Path
) -> None:
    events = [check_in("v-stopped", number) for number in range(50)]
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.start", "emit", "-"],
        env=environment(producer_time.bootstrap, home),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(b"".join(map(as_line, events)))
    process.stdin.flush()

    def arrived() -> bool:
        records = read_topic(producer_time.bootstrap, CHECKINS)
        return len([record for record in records if record.key == b"v-stopped"]) == 50

    wait_until(arrived, 120)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    # All have arrived; of the last ones this process may not have heard that yet.
    accepted, refused, *unknown = out.decode().split(", ")
    known = int(accepted.split()[0])
    assert known + (int(unknown[0].split()[0]) if unknown else 0) == 50
    assert refused.startswith("0 refused")
    assert "Stopped by Ctrl-C" in err.decode()
    assert "counts once" in err.decode()
    assert "Traceback" not in err.decode()


_STARTING = """
import sys
from deploy.start import main

class Watching:
    def find_spec(self, name, path=None, target=None):
        if name == "deploy.cli":
            print("here", flush=True)

sys.meta_path.insert(0, Watching())
main()
"""
"""The command, saying when it is about to load what takes long."""


def test_ctrl_c_while_it_starts_is_no_traceback(home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _STARTING, "emit", "-"],
        env=environment("127.0.0.1:9", home),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"here\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (130, b"")


@pytest.mark.kafka
def test_a_lost_broker_is_one_sentence_and_not_one_for_each_line(
    cluster: Broker, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path
) -> None:
    from deploy.sending import sending
    from producers.sending.delivery import Delivery

    class Impatient(Delivery):
        def __init__(self, bootstrap: str, topics: Any) -> None:
            super().__init__(bootstrap, topics, give_up_seconds=3.0)
            cluster.kill()

    monkeypatch.setattr(sending, "Delivery", Impatient)
    monkeypatch.setenv("SHILU_LANG", "en")
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"".join(as_line(check_in(f"v-{n}", n)) for n in range(3_000)))
    assert sending.send_file(cluster.bootstrap, str(file)) == 4
    said = capsys.readouterr()
    assert said.out == "0 lines accepted, 0 refused, 3,000 unknown\n"
    assert said.err.startswith("Kafka stopped answering: of 3,000 lines nobody knows whether")
    assert said.err.count("\n") == 1


@pytest.mark.kafka
def test_a_broker_that_is_killed_on_the_way_is_given_up_within_twenty_seconds(
    cluster: Broker, home: Path, tmp_path: Path
) -> None:
    """Half of a pipe is acknowledged, the broker dies, the other half comes: one sentence."""
    told = tmp_path / "told.jsonl"
    with told.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.start", "emit", "-", "--json"],
            env=environment(cluster.bootstrap, home),
            stdin=subprocess.PIPE, stdout=out, stderr=subprocess.PIPE,
        )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(b"".join(as_line(check_in(f"v-{n}", n)) for n in range(6_000)))
    process.stdin.flush()
    # What the window does not hold back has come out: the broker acknowledged it.
    wait_until(lambda: told.stat().st_size > 0)
    cluster.kill()
    process.stdin.write(b"".join(as_line(check_in(f"v-{n}", n)) for n in range(6_000, 6_500)))
    killed_at = time.monotonic()
    _, err = process.communicate(timeout=60)
    seconds = time.monotonic() - killed_at
    lines = [json.loads(line)["status"] for line in told.read_text("utf-8").splitlines()]
    unknown = lines.count("unknown")
    assert (process.returncode, len(lines)) == (4, 6_500)
    assert lines[0] == "accepted"
    assert unknown >= 500
    assert f"Kafka stopped answering: of {unknown:,} lines nobody knows" in err.decode()
    assert seconds <= 20, seconds


def test_a_broker_that_goes_on_acknowledging_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten acknowledgements, each after half of the time to wait: slow is not lost."""
    from producers.connection import TopicState
    from producers.record import record_of
    from producers.sending import delivery

    slow = _Slow(pause=0.5)
    monkeypatch.setattr(delivery, "open_producer", lambda *_, **__: slow)
    monkeypatch.setattr(delivery, "shut", lambda *_: None)
    topics = {CHECKINS: TopicState(1, False, 0)}
    with delivery.Delivery("nowhere:1", topics, give_up_seconds=1.0) as open_one:
        time.sleep(1.1)  # no silence while nothing is under way
        parcels = [(n, [record_of(check_in(f"v-{n}", n))]) for n in range(10)]
        placed = list(open_one.deliver(parcels))
    assert [outcome.offset for _, (outcome,) in placed] == list(range(10))


class _Sent(Future):  # type: ignore[misc]  # kafka-python has no types
    def get(self, timeout: float) -> None:
        end = time.monotonic() + timeout
        while not self.is_done:
            if time.monotonic() >= end:
                raise KafkaTimeoutError
            time.sleep(0.01)


class _Slow:
    """A producer that acknowledges one record after the other, with a pause before each."""

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._sent: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=self._acknowledge, daemon=True).start()

    def send(self, *_: Any, **__: Any) -> Future:
        future = _Sent()
        self._sent.put(future)
        return future

    def _acknowledge(self) -> None:
        for offset in range(10):
            future = self._sent.get()
            time.sleep(self._pause)
            future.success(SimpleNamespace(partition=0, offset=offset))
