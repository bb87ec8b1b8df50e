"""The client of field apps against a real broker: offline, killed, refused, and in order."""

import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer

from deploy.broker.broker import Broker
from deploy.host.ports import free_port
from producers.attendance import Device, Place
from producers.client import Client
from producers.courier import Courier
from producers.errors import (
    BrokerUnreachable,
    EventIdTaken,
    MalformedEvent,
    OutboxInUse,
    TopicMissing,
)
from producers.outbox import Held, Outbox
from producers.record import partition_of, record_of
from schemas.events import (
    Actor,
    CheckedIn,
    CheckedOut,
    ClockTicked,
    OrgRegistered,
)
from schemas.topics import CATALOGUE, CHECKINS, HOURS, PARTITIONS
from schemas.wire.codec import decode_event, encode
from schemas.wire.headers import ce_headers
from tests.conftest import create_topics
from tests.producers.helpers import (
    AT,
    check_in,
    event_ids,
    read_topic,
    transferred,
    void,
    wait_until,
)

NOWHERE = f"127.0.0.1:{free_port()}"


@pytest.mark.kafka
def test_an_event_arrives_as_the_contract_says(producer_time: Broker, tmp_path: Path) -> None:
    event = check_in("v-arrives")
    with Client(producer_time.bootstrap, tmp_path / "outbox.db") as client:
        client.send(event)
        client.flush()
        assert client.pending == 0
    (record,) = [r for r in read_topic(producer_time.bootstrap, CHECKINS) if r.key == b"v-arrives"]
    assert record.value == encode(event)
    assert list(record.headers) == ce_headers(event)
    assert record.partition == partition_of(b"v-arrives", PARTITIONS)


@pytest.mark.kafka
def test_the_partition_is_the_one_of_a_plain_producer(broker: Broker) -> None:
    # Seven, because with a power of two only the last bits of the hash would matter.
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.create_topics(
        {"of.seven": {"num_partitions": 7, "replication_factor": 1}}, wait_for_metadata=True
    )
    admin.close()
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap)
    for number in range(50):
        key = f"v-{number:x}".encode() * (number % 4 + 1)
        sent = producer.send("of.seven", key=key, value=b"plain").get(timeout=10)
        assert sent.partition == partition_of(key, 7)
    producer.close()


@pytest.mark.kafka
def test_a_round_without_acknowledgement_removes_nothing(cluster: Broker, tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    courier = Courier(cluster.bootstrap, outbox, give_up_seconds=2.0)

    def put(volunteer_id: str) -> None:
        event = check_in(volunteer_id)
        record = record_of(event)
        headers = tuple(record.headers)
        outbox.put(Held(event.event_id, record.topic, record.key, record.value, headers))

    put("v-0")
    assert courier.round(lambda: False) is None
    cluster.kill()
    for number in range(1, 21):
        put(f"v-{number}")
    trouble = courier.round(lambda: False)
    assert isinstance(trouble, BrokerUnreachable)
    assert trouble.address == cluster.bootstrap
    assert len(outbox) == 20
    cluster.start()
    assert courier.round(lambda: False) is None
    assert len(outbox) == 0
    courier.close()
    outbox.close()
    keys = {record.key.decode() for record in read_topic(cluster.bootstrap, CHECKINS)}
    assert keys == {f"v-{number}" for number in range(21)}


@pytest.mark.kafka
def test_check_in_and_check_out_make_one_session(producer_time: Broker, tmp_path: Path) -> None:
    place = Place("a-visit", "p-dcr", "vo1", host_org_id="sw1", site_id="site-a")
    device = Device(app="kiosk/1.1", device_id="d-1")
    with Client(producer_time.bootstrap, tmp_path / "outbox.db", device=device) as client:
        begun = client.check_in("v-session", place, occurred_at=AT, channel="kiosk")
        ended = client.check_out("v-session", place, session_id=begun.session_id, channel="kiosk")
        client.flush()
    records = [r for r in read_topic(producer_time.bootstrap, CHECKINS) if r.key == b"v-session"]
    found = [decode_event(record.value) for record in records]
    assert found == [begun, ended]
    assert isinstance(begun, CheckedIn)
    assert isinstance(ended, CheckedOut)
    assert begun.session_id == ended.session_id
    assert begun.event_id < ended.event_id
    assert (begun.occurred_at, begun.device_id, begun.app) == (AT, "d-1", "kiosk/1.1")
    assert (begun.host_org_id, begun.actor) == ("sw1", Actor("v-session", "volunteer"))


def test_offline_events_are_kept_and_counted(tmp_path: Path) -> None:
    client = Client(NOWHERE, tmp_path / "outbox.db")
    for number in range(3):
        client.send(check_in("v-1", number))
    assert client.pending == 3
    with pytest.raises(BrokerUnreachable, match=NOWHERE):
        client.flush(timeout=0.5)
    client.close(timeout=0)
    assert len(Outbox(tmp_path / "outbox.db")) == 3


@pytest.mark.kafka
def test_the_next_client_sends_what_the_last_one_left(
    producer_time: Broker, tmp_path: Path
) -> None:
    event = check_in("v-left")
    offline = Client(NOWHERE, tmp_path / "outbox.db")
    offline.send(event)
    offline.close(timeout=0)
    with Client(producer_time.bootstrap, tmp_path / "outbox.db") as client:
        client.flush()
    found = [r.value for r in read_topic(producer_time.bootstrap, CHECKINS) if r.key == b"v-left"]
    assert found == [encode(event)]


@pytest.mark.kafka
def test_a_crash_between_acknowledgement_and_removal_sends_the_same_bytes_again(
    producer_time: Broker, tmp_path: Path
) -> None:
    class Forgetful(Outbox):
        """An outbox of a process that dies before it can remove anything."""

        def remove(self, event_ids: Any) -> None:
            pass

    event = check_in("v-crash")
    record = record_of(event)
    outbox = Forgetful(tmp_path / "outbox.db")
    outbox.put(Held(event.event_id, record.topic, record.key, record.value, tuple(record.headers)))
    courier = Courier(producer_time.bootstrap, outbox, give_up_seconds=30.0)
    assert courier.round(lambda: False) is None
    courier.close()
    outbox.close()
    with Client(producer_time.bootstrap, tmp_path / "outbox.db") as client:
        assert client.pending == 1
        client.flush()
    found = [r for r in read_topic(producer_time.bootstrap, CHECKINS) if r.key == b"v-crash"]
    assert [r.value for r in found] == [encode(event)] * 2
    assert found[0].headers == found[1].headers


@pytest.mark.kafka
def test_a_killed_broker_loses_doubles_and_reorders_nothing(tmp_path: Path) -> None:
    events = [check_in(f"v-{number % 40}", number) for number in range(400)]
    with Broker(tmp_path / "kafka", tied_to_parent=True) as broker:
        create_topics(broker.bootstrap)
        with Client(broker.bootstrap, tmp_path / "outbox.db") as client:
            for event in events[:200]:
                client.send(event)
            wait_until(lambda: client.pending < 150)
            broker.kill()
            for event in events[200:]:
                client.send(event)
            with pytest.raises(BrokerUnreachable, match=broker.bootstrap):
                client.flush(timeout=0.5)
            assert client.pending >= 200
            broker.start()
            client.flush(timeout=90)
            assert client.pending == 0
        records = read_topic(broker.bootstrap, CHECKINS)
    wanted = {event.event_id: encode(event) for event in events}
    found: dict[str, set[bytes]] = defaultdict(set)
    order: dict[bytes, list[str]] = defaultdict(list)
    for record, event_id in zip(records, event_ids(records), strict=True):
        if event_id not in found:
            order[record.key].append(event_id)
        found[event_id].add(record.value)
    assert found == {event_id: {value} for event_id, value in wanted.items()}
    for volunteer in range(40):
        key = f"v-{volunteer}"
        assert order[key.encode()] == [e.event_id for e in events if e.volunteer_id == key]


@pytest.mark.kafka
def test_a_missing_topic_is_named_and_holds_up_nobody_else(tmp_path: Path) -> None:
    with Broker(tmp_path / "kafka", tied_to_parent=True) as broker:
        admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
        admin.create_topics(
            {CHECKINS: {"num_partitions": 8, "replication_factor": 1}}, wait_for_metadata=True
        )
        with Client(broker.bootstrap, tmp_path / "outbox.db") as client:
            client.send(void("v-1", "s-1"))
            client.send(check_in("v-1"))
            client.send(check_in("v-2"))
            with pytest.raises(TopicMissing, match=HOURS) as missing:
                client.flush(timeout=60)
            assert missing.value.topic == HOURS
            assert client.pending == 2
            assert [r.key for r in read_topic(broker.bootstrap, CHECKINS)] == [b"v-2"]
            assert HOURS not in admin.list_topics()
            admin.create_topics(
                {HOURS: {"num_partitions": 8, "replication_factor": 1}}, wait_for_metadata=True
            )
            client.flush(timeout=60)
            assert client.pending == 0
        admin.close()
        assert [r.key for r in read_topic(broker.bootstrap, CHECKINS)].count(b"v-1") == 1
        assert [r.key for r in read_topic(broker.bootstrap, HOURS)] == [b"v-1"]


@pytest.mark.kafka
def test_catalogue_events_go_to_the_registry_under_their_entity(
    producer_time: Broker, tmp_path: Path
) -> None:
    org = OrgRegistered("e-org-1", "org-of-client", "volunteer", None, None, None, AT, None)
    with Client(producer_time.bootstrap, tmp_path / "outbox.db") as client:
        client.send(org)
        client.flush()
    keys = [record.key for record in read_topic(producer_time.bootstrap, CATALOGUE)]
    assert b"org-of-client" in keys


@pytest.mark.kafka
def test_closing_while_the_broker_is_dead_leaves_no_thread_behind(
    cluster: Broker, tmp_path: Path
) -> None:
    before = set(threading.enumerate())
    client = Client(cluster.bootstrap, tmp_path / "outbox.db")
    client.send(check_in("v-1"))
    client.flush()
    rounds = client._begun
    cluster.kill()
    client.send(check_in("v-2"))
    wait_until(lambda: client._begun > rounds)
    client.close(timeout=0.5)
    wait_until(lambda: set(threading.enumerate()) <= before, seconds=10)
    assert len(Outbox(tmp_path / "outbox.db")) == 1


def test_the_same_event_is_kept_once_and_another_under_its_id_is_refused(tmp_path: Path) -> None:
    client = Client(NOWHERE, tmp_path / "outbox.db")
    event = check_in("v-1")
    client.send(event)
    client.send(event)
    assert client.pending == 1
    with pytest.raises(EventIdTaken, match=event.event_id):
        client.send(check_in("v-1", event_id=event.event_id, occurred_at=AT + 1))
    assert client.pending == 1
    client.close(timeout=0)


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"volunteer_id": "v 1"}, "id_form", "volunteer_id"),
        ({"occurred_at": 0}, "value_form", "occurred_at"),
        ({"channel": "pigeon"}, "value_form", ""),
        ({"actor": Actor("u 1", "Admin")}, "id_form", "actor.id"),
        ({"evidence": ("x" * 300,)}, "value_form", "evidence"),
    ],
)
def test_a_malformed_event_is_refused_before_it_is_kept(
    tmp_path: Path, changes: dict[str, Any], code: str, field: str
) -> None:
    client = Client(NOWHERE, tmp_path / "outbox.db")
    with pytest.raises(MalformedEvent) as refused:
        client.send(check_in(**({"volunteer_id": "v-1"} | changes)))
    assert (refused.value.faults[0].code, refused.value.faults[0].field) == (code, field)
    assert client.pending == 0
    client.close(timeout=0)


def test_a_value_of_another_type_is_refused_before_it_is_kept(tmp_path: Path) -> None:
    client = Client(NOWHERE, tmp_path / "outbox.db")
    # Compiled, the event itself refuses it already.
    with pytest.raises((MalformedEvent, TypeError)):
        client.send(check_in("v-1", event_id=17))
    assert client.pending == 0
    client.close(timeout=0)


def test_a_tick_is_not_for_one_partition(tmp_path: Path) -> None:
    client = Client(NOWHERE, tmp_path / "outbox.db")
    with pytest.raises(MalformedEvent, match="wrong_topic"):
        client.send(ClockTicked("e-1", AT))  # type: ignore[arg-type]
    client.close(timeout=0)


def test_transfers_are_the_workers_alone(tmp_path: Path) -> None:
    client = Client(NOWHERE, tmp_path / "outbox.db")
    told = transferred()
    with pytest.raises(MalformedEvent, match="wrong_topic"):
        client.send(told)
    client.close(timeout=0)


def test_an_outbox_belongs_to_one_client(tmp_path: Path) -> None:
    client = Client(NOWHERE, tmp_path / "outbox.db")
    with pytest.raises(OutboxInUse):
        Client(NOWHERE, tmp_path / "outbox.db")
    client.close(timeout=0)
    client.close()
