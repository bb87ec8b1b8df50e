"""`shilu status` is judged from outside: no light is green while something is missing."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from kafka.admin import KafkaAdminClient

from deploy.broker.broker import Broker
from deploy.host.pidfile import write_pidfile
from deploy.settings import Settings
from deploy.trail.asking import EXIT_NOT_THERE
from schemas.topics import ALL, CHECKINS, HOURS, PARTITIONS, QUARANTINE
from tests.trail.book import Book, line
from tests.trail.fill import Sender
from tests.trail.running import copied, health, shilu_here, sink_process, until

pytestmark = pytest.mark.kafka


def status(home: Path, cluster: Broker, *more: str) -> tuple[int, dict[str, Any]]:
    done = shilu_here(home, cluster.bootstrap, "status", "--json", *more)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["in_step"] is (done.returncode == 0)
    return done.returncode, found


def shown(home: Path, cluster: Broker) -> str:
    return str(shilu_here(home, cluster.bootstrap, "status").stdout)


@pytest.fixture
def sender(cluster: Broker) -> Sender:
    return Sender(cluster.bootstrap)


@pytest.fixture
def book() -> Book:
    book = Book()
    book.org("org-a", "name")
    for n in range(6):
        book.serve(f"v-{n}", f"s-{n}", line(60))
    return book


def test_a_sink_that_was_killed_is_missed_and_its_lag_counted_whoever_started_it(
    cluster: Broker, book: Book, sender: Sender, tmp_path: Path
) -> None:
    sender.send(book)
    with sink_process(tmp_path, cluster.bootstrap) as sink:
        copied(tmp_path, cluster.bootstrap)
        # No worker ever committed for the group: what the ledger holds is what counts.
        code, found = status(tmp_path, cluster, "--wait", "20")
        assert (code, found["worker_behind"], found["trail_behind"]) == (0, 0, 0)
        sink.send_signal(signal.SIGKILL)
        sink.wait()
        code, found = status(tmp_path, cluster)
        assert (code, found["states"]) == (1, {"trail": "gone"})
        book.serve("v-0", "s-new", line(30))
        sender.send(book)
        code, found = status(tmp_path, cluster)
        assert (code, found["trail_behind"], found["behind"]) == (1, 4, 4)
    assert "do not answer: trail" in shown(tmp_path, cluster)
    # Ended in order by `down`, it is not missed any more; the lag still is.
    shilu_here(tmp_path, cluster.bootstrap, "down")
    code, found = status(tmp_path, cluster)
    assert (code, found["states"], found["trail_behind"]) == (1, {}, 4)


def test_what_the_group_committed_says_nothing_about_how_far_the_ledger_is(
    cluster: Broker, book: Book, sender: Sender, tmp_path: Path
) -> None:
    """Offsets of a group expire and can be deleted; the ledger's own positions are what counts."""
    sender.send(book)
    group = Settings().app_id
    places = [TopicPartition(CHECKINS, n) for n in range(PARTITIONS)]
    with sink_process(tmp_path, cluster.bootstrap):
        for offset in (0, 1):
            worker = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": group})
            worker.commit(offsets=[TopicPartition(CHECKINS, p.partition, offset) for p in places],
                          asynchronous=False)  # fmt: skip
            worker.close()
            code, found = status(tmp_path, cluster, "--wait", "20")
            assert (found["worker_behind"], found["partitions"]) == (0, [])
            assert found["trail_behind"] == 0
        admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
        admin.delete_consumer_groups([group])[group].result()
        code, found = status(tmp_path, cluster, "--wait", "20")
        assert (code, found["worker_behind"], found["behind"]) == (0, 0, 0)


def test_a_home_without_sink_and_key_says_so(
    cluster: Broker, book: Book, sender: Sender, tmp_path: Path
) -> None:
    code, found = status(tmp_path, cluster)
    assert (code, found["has_trail"], found["has_key"]) == (0, False, False)
    sender.send(book)
    records = len(book.inputs) + len(book.postings)
    code, found = status(tmp_path, cluster)
    assert (code, found["trail_behind"], found["worker_behind"]) == (1, records, 0)
    said = shown(tmp_path, cluster)
    assert "no trail here" in said
    assert "no key here" in said


def test_a_red_sink_is_no_green_light(
    cluster: Broker, book: Book, sender: Sender, tmp_path: Path
) -> None:
    sender.send(book)
    sender.raw(QUARANTINE, 3, b"junk")
    with sink_process(tmp_path, cluster.bootstrap):
        until(lambda: (health(tmp_path) or {}).get("state") == "red", "the sink to turn red")
        code, found = status(tmp_path, cluster)
        assert (code, found["states"]) == (1, {"trail": "red"})
        assert "unreadable_output" in shown(tmp_path, cluster)


@contextmanager
def answering(code: int, said: dict[str, Any]) -> Iterator[int]:
    """A process's /health on a port of its own."""

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Health)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_worker_that_is_not_ready_or_died_is_no_green_light(
    cluster: Broker, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    note = tmp_path / "run" / "worker-7.json"
    stalled = {"code": "stalled", "partition": 4, "seconds": 21, "text": "running: disk full"}
    with answering(503, {"ready": False, "reasons": [stalled]}) as port:
        write_pidfile(note, psutil.Process(), port=port)
        code, found = status(tmp_path, cluster)
        assert (code, found["states"]) == (1, {"worker-7": "not_ready"})
        said = " ".join(shown(tmp_path, cluster).split())
        assert "partition 4 for 21 s: running: disk full" in said
    with answering(200, {"ready": True}) as port:
        write_pidfile(note, psutil.Process(), port=port)
        assert status(tmp_path, cluster)[0] == 0
    dead = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    write_pidfile(note, psutil.Process(dead.pid), port=1)
    dead.kill()
    dead.wait()
    code, found = status(tmp_path, cluster)
    assert (code, found["states"]) == (1, {"worker-7": "gone"})


def test_a_missing_topic_is_named(
    cluster: Broker, book: Book, sender: Sender, tmp_path: Path
) -> None:
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    for gone in (HOURS, QUARANTINE):
        admin.delete_topics([gone])
        until(lambda name=gone: name not in admin.list_topics(), "the topic to go")  # type: ignore[misc]
        code, found = status(tmp_path, cluster)
        assert code == 1
        assert gone in found["missing_topics"]
        assert gone in shown(tmp_path, cluster)
    admin.delete_topics([topic.name for topic in ALL if topic.name not in (HOURS, QUARANTINE)])
    until(lambda: not {t.name for t in ALL} & set(admin.list_topics()), "all topics to go")
    admin.close()
    code, found = status(tmp_path, cluster)
    assert (code, len(found["missing_topics"])) == (1, len(ALL))


def test_markers_are_nothing_behind_and_an_open_transaction_is_named(
    cluster: Broker, book: Book, sender: Sender, tmp_path: Path
) -> None:
    sender.send(book)
    field = Producer({"bootstrap.servers": cluster.bootstrap, "transactional.id": "field-7"})
    field.init_transactions(30)
    with sink_process(tmp_path, cluster.bootstrap):
        for topic in (topic.name for topic in ALL):
            field.begin_transaction()
            field.produce(topic, b"never", b"x", 0)
            field.flush()
            field.abort_transaction()
        code, found = status(tmp_path, cluster, "--wait", "30")
        assert (code, found["behind"], found["open_transactions"]) == (0, 0, [])

        field.begin_transaction()
        field.produce(HOURS, b"held up", b"x", 5)
        field.flush()
        sender._inputs.produce(HOURS, b"behind it", b"x", 5)
        sender._inputs.flush()
        code, found = status(tmp_path, cluster)
        assert (code, found["worker_behind"], found["trail_behind"]) == (1, 2, 2)
        (held,) = found["open_transactions"]
        assert (held["topic"], held["partition"], held["from"], held["to"]) == (HOURS, 5, 0, 2)
        assert held["transactional_id"] == "field-7"
        assert f"{HOURS}/5 waits from offset 0 on" in shown(tmp_path, cluster)
        done = shilu_here(tmp_path, cluster.bootstrap, "reconcile", "--json", "--wait", "0")
        report = json.loads(done.stdout)
        assert (done.returncode, report["state"]) == (3, "behind")
        assert report["open_transactions"] == {f"{HOURS}/5": 0}
        late = shilu_here(tmp_path, cluster.bootstrap, "trace", "e-behind-it")
        assert late.returncode == EXIT_NOT_THERE
        assert "not yet" in late.stderr
        assert f"{HOURS}/5" in late.stderr

        field.abort_transaction()
        until(lambda: status(tmp_path, cluster)[1]["open_transactions"] == [], "the end of it")
        code, found = status(tmp_path, cluster)
        # The one behind it is there now, and no worker runs to fold it.
        assert (code, found["worker_behind"]) == (1, 1)
