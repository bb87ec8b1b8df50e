"""A log that has lost records: named, never passed over in silence, gone on from by a person."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from consumers.api.trail_client import At, Opened
from consumers.kafka.gaps import Gap, accepted
from consumers.kafka.reader import Log
from consumers.kafka.records import Place
from consumers.reconcile.lag import partition_states
from consumers.signing import keyring
from consumers.trail.resume import SinkError
from consumers.trail.store import open_trail
from deploy.broker.broker import Broker
from schemas.posting import PartitionState, Position
from schemas.topics import CHECKINS, POSTINGS
from schemas.wire.codec import encode
from tests.conftest import create_topics
from tests.trail.book import Book, line, partition_of
from tests.trail.fill import Sender
from tests.trail.running import copy_all, shilu, shilu_here

pytestmark = pytest.mark.kafka


def run(home: Path, cluster: Broker, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = shilu_here(home, cluster.bootstrap, *arguments, "--json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def minutes(home: Path, cluster: Broker, volunteer_id: str) -> int:
    return int(run(home, cluster, "total", volunteer_id)[1]["minutes"])


def lose(cluster: Broker, place: Place, before: int) -> None:
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    admin.delete_records({TopicPartition(*place): before})
    admin.close()


def test_a_gap_is_named_and_accepted_by_a_named_person_alone(
    cluster: Broker, tmp_path: Path
) -> None:
    book, sender = Book(), Sender(cluster.bootstrap, "shilu-worker-x")
    for n in range(3):
        book.serve("v-1", f"s-{n}", line(60))
    sender.send(book)
    folder = At(tmp_path).folder
    with open_trail(folder, create=True) as trail:
        copy_all(trail, cluster.bootstrap)
    place = Place(CHECKINS, partition_of("v-1"))
    # Three more that neither ledger nor trail will ever have.
    for _ in range(3):
        sender._inputs.produce(CHECKINS, b"lost", b"v-1", place.partition)
    sender._inputs.flush()
    lose(cluster, place, 9)

    code, found = run(tmp_path, cluster, "status")
    assert code == 1
    lost = {"topic": CHECKINS, "partition": place.partition, "from": 6, "to": 9}
    assert found["gaps"] == [{"holder": "ledger", **lost}, {"holder": "trail", **lost}]
    said = shilu_here(tmp_path, cluster.bootstrap, "status").stdout
    assert f"{place}: offsets 6 to 8 are gone" in said
    code, report = run(tmp_path, cluster, "reconcile", "--wait", "0")
    assert (code, report["state"]) == (1, "red")
    (named,) = report["differences"]
    assert (named["code"], named["record"]) == ("log_gap", f"{place}/6")
    assert "offsets 6 to 8" in named["detail"]
    with open_trail(folder) as trail, pytest.raises(SinkError, match="log_gap"):
        copy_all(trail, cluster.bootstrap)

    assert shilu_here(tmp_path, cluster.bootstrap, "accept-gap").returncode != 0
    done = shilu_here(tmp_path, cluster.bootstrap, "accept-gap", "--by", "head of operations",
                      "--reason", "disk 2 failed, no backup")  # fmt: skip
    assert done.returncode == 0, done.stderr
    gap = Gap(place, 6, 9)
    assert gap.event_id in done.stdout
    with Log(cluster.bootstrap) as log:
        assert accepted(log, [gap]) == {gap}
        state = partition_states(log)[place.partition]
        assert {p.topic: p.next_offset for p in state.positions}[CHECKINS] == 9
        assert state.next_index == 7

    with open_trail(folder) as trail:
        copy_all(trail, cluster.bootstrap)
        (row,) = Opened(trail).ask("quarantine_list", limit=5)
        assert "head of operations: disk 2 failed, no backup" in json.dumps(row)
        (posted,) = trail.query("SELECT event_id, actor_id, posting_index FROM posting "
                                "WHERE event_type = 'GapAccepted'")  # fmt: skip
        assert posted["event_id"] == gap.event_id
        assert posted["posting_index"] == 6
    code, found = run(tmp_path, cluster, "status")
    assert (code, found["gaps"], found["behind"]) == (0, [], 0)
    code, report = run(tmp_path, cluster, "reconcile", "--wait", "0")
    assert (code, report["state"], report["gaps"]) == (0, "green", [gap.event_id])
    assert minutes(tmp_path, cluster, "v-1") == 180
    again = shilu_here(tmp_path, cluster.bootstrap, "accept-gap", "--reason", "once more")
    assert again.returncode == 1
    assert "There is no gap" in again.stderr


def test_postings_that_are_gone_cannot_be_accepted(cluster: Broker, tmp_path: Path) -> None:
    book, sender = Book(), Sender(cluster.bootstrap)
    book.serve("v-1", "s-1", line(60))
    sender.send(book)
    lose(cluster, Place(POSTINGS, partition_of("v-1")), 1)
    done = shilu_here(tmp_path, cluster.bootstrap, "accept-gap", "--reason", "x")
    assert done.returncode == 1
    assert "that cannot be accepted" in done.stderr


def test_trail_and_seal_beyond_a_shorter_log_go_on_only_after_they_were_set_aside(
    tmp_path: Path,
) -> None:
    data, home = tmp_path / "kafka", tmp_path / "home"
    book, folder = Book(), At(home).folder
    with Broker(data, tied_to_parent=True) as broker:
        create_topics(broker.bootstrap)
        book.serve("v-1", "s-1", line(60))
        sender = Sender(broker.bootstrap)
        sender.send(book)
        keyring.create(home / "keys", "example.org/hours")
        assert shilu(home, broker.bootstrap, "seal", "--once").returncode == 0
        broker.stop()
        # What a power cut leaves of it: all that is written from here on is lost.
        shutil.copytree(data, tmp_path / "before")
        broker.start()
        book.serve("v-1", "s-2", line(30))
        sender.send(book)
        assert shilu(home, broker.bootstrap, "seal", "--once").returncode == 0
        with open_trail(folder, create=True) as trail:
            copy_all(trail, broker.bootstrap)
        assert run(home, broker, "status")[0] == 0
        assert minutes(home, broker, "v-1") == 90
        broker.stop()
        shutil.rmtree(data)
        (tmp_path / "before").rename(data)
        broker.start()

        code, found = run(home, broker, "status")
        assert code == 1
        assert {one["holder"] for one in found["ahead"]} == {"trail", "seal"}
        code, report = run(home, broker, "reconcile", "--wait", "0")
        assert code == 1
        assert {d["code"] for d in report["differences"]} == {"log_shorter"}
        sealing = shilu(home, broker.bootstrap, "seal", "--once")
        assert sealing.returncode == 1
        with open_trail(folder) as trail, pytest.raises(SinkError, match="foreign_log"):
            copy_all(trail, broker.bootstrap)

        done = shilu_here(
            home, broker.bootstrap, "set-aside", "--reason", "power cut", "--by", "me"
        )
        assert done.returncode == 0, done.stderr
        (aside,) = (home / "set-aside").iterdir()
        why = json.loads((aside / "why.json").read_text("utf-8"))
        assert (why["by"], why["reason"]) == ("me", "power cut")
        assert why["moved"] == ["trail", "seal", "keys"]
        partition = partition_of("v-1")
        assert why["seal"]["entries_lost"] == {f"p{partition}": 2}
        place = str(Place(POSTINGS, partition))
        assert why["trail"][place]["trail_up_to"] > why["trail"][place]["log_ends_at"]
        assert (aside / "keys" / "1.key").exists()
        assert any((aside / "seal").rglob("checkpoint"))
        with open_trail(aside / "trail") as evidence:
            assert Opened(evidence).ask("total", volunteer_id="v-1")["minutes"] == 90

        # From here on as on a new machine; the lost event is sent again.
        with open_trail(folder, create=True) as trail:
            copy_all(trail, broker.bootstrap)
        assert minutes(home, broker, "v-1") == 60
        assert shilu(home, broker.bootstrap, "seal", "--once").returncode == 0
        assert keyring.load(home / "keys").name == "example.org/hours-2"
        with open_trail(folder) as trail:
            copy_all(trail, broker.bootstrap)
        assert run(home, broker, "status")[0] == 0
        assert run(home, broker, "reconcile", "--wait", "0")[0] == 0
        verified = shilu(home, broker.bootstrap, "verify")
        assert verified.returncode == 0, verified.stdout
        again = shilu_here(home, broker.bootstrap, "set-aside", "--reason", "again")
        assert again.returncode == 1
        assert "nothing was moved" in again.stderr


def test_a_ledger_beyond_a_shorter_log_is_named_and_goes_back_to_its_end_once_accepted(
    cluster: Broker, tmp_path: Path
) -> None:
    book, sender = Book(), Sender(cluster.bootstrap, "shilu-worker-x")
    book.serve("v-1", "s-1", line(60))
    sender.send(book)
    with open_trail(At(tmp_path).folder, create=True) as trail:
        copy_all(trail, cluster.bootstrap)
    partition = partition_of("v-1")
    beyond = PartitionState(partition, 2, 0, (Position(CHECKINS, 7),))
    sender.account(partition, b"@%d" % partition, encode(beyond))
    code, found = run(tmp_path, cluster, "status")
    assert (code, found["behind"]) == (1, 0)
    span = {"topic": CHECKINS, "partition": partition, "from": 2, "to": 7}
    assert found["ahead"] == [{"holder": "ledger", **span}]
    code, report = run(tmp_path, cluster, "reconcile", "--wait", "0")
    assert code == 1
    assert [d["code"] for d in report["differences"]] == ["log_shorter"]

    done = shilu_here(tmp_path, cluster.bootstrap, "accept-gap", "--reason", "power cut")
    assert done.returncode == 0, done.stderr
    # What comes at these offsets now is folded, and counted once.
    book.postings.clear()
    book.indexes[partition] = 3
    sender._sent = (len(book.inputs), 0, 0)
    book.serve("v-1", "s-2", line(30))
    sender.send(book)
    with open_trail(At(tmp_path).folder) as trail:
        copy_all(trail, cluster.bootstrap)
    assert run(tmp_path, cluster, "status")[0] == 0
    code, report = run(tmp_path, cluster, "reconcile", "--wait", "0")
    assert (code, report["state"]) == (0, "green"), report["differences"]
    assert minutes(tmp_path, cluster, "v-1") == 90
