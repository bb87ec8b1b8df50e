"""`shilu gateway` over real HTTP and a real broker: statuses, hostile bodies, killed brokers."""

import json
import os
import random
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from deploy.broker.broker import Broker
from deploy.host.pidfile import read_pidfile
from deploy.host.ports import free_port
from producers.gateway.apps import Apps, AppsError
from producers.gateway.intake import Intake
from producers.gateway.memory import Known, Memory, MemoryInUse
from producers.gateway.sender import Sender
from producers.gateway.service import Gateway, Limits, build
from producers.ids import new_event_id
from schemas.events import Actor, PolicyPublished
from schemas.times import instant
from schemas.topics import CATALOGUE, CHECKINS, HOURS
from schemas.wire.codec import decode_event
from schemas.wire.jsonform import to_json
from tests.producers.gateway_helpers import NOW, ROOT, Running, app, gateway_process
from tests.producers.helpers import (
    AT,
    as_line,
    check_in,
    event_ids,
    read_topic,
    transferred,
    void,
    wait_until,
)
from tests.producers.test_emit import org

pytestmark = pytest.mark.kafka
CE = "application/cloudevents+json"
CE_BATCH = "application/cloudevents-batch+json"


@pytest.fixture(scope="module")
def gateway(broker_time: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One gateway for the tests that do not stop it; its key speaks for sw1."""
    home = tmp_path_factory.mktemp("gateway")
    with gateway_process(home, broker_time.bootstrap) as running:
        running.key = app(home, "kiosk", "sw1")
        yield running


@contextmanager
def served(bootstrap: str, home: Path, limits: Limits) -> Iterator[Running]:
    """A gateway in this process, with limits of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    with (
        listener,
        closing(Memory(home / "memory.sqlite")) as memory,
        closing(Sender(bootstrap, give_up_seconds=3.0)) as sender,
    ):
        apps = Apps(home / "gateway" / "apps.json")
        gateway = Gateway(apps, Intake(sender, memory, wait_seconds=3.0), limits)
        config = uvicorn.Config(build(gateway, lambda: True), log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            yield Running(url, home, app(home, "kiosk", "sw1"))
        finally:
            server.should_exit = True
            thread.join(10)


def only(answer: httpx.Response) -> dict[str, Any]:
    """The one result of an answer."""
    (item,) = answer.json()["items"]
    return dict(item)


def positions(bootstrap: str, topic: str) -> dict[tuple[int, int], str]:
    """Where each event of a topic is; a worker's ticks are not told by headers."""
    records = [record for record in read_topic(bootstrap, topic) if record.headers]
    return {(r.partition, r.offset): i for r, i in zip(records, event_ids(records), strict=True)}


def test_an_accepted_event_is_in_kafka_as_the_answer_says_with_who_sent_it(
    gateway: Running, broker_time: Broker
) -> None:
    event = replace(check_in("v-1", 1), sent_at=AT)
    answer = gateway.events(event)
    assert answer.status_code == 200
    assert {n: answer.json()[n] for n in ("accepted", "duplicate", "rejected")} == {
        "accepted": 1, "duplicate": 0, "rejected": 0,
    }  # fmt: skip
    item = only(answer)
    assert (item["status"], item["topic"], item["code"]) == ("accepted", CHECKINS, None)
    (record,) = [
        r for r in read_topic(broker_time.bootstrap, CHECKINS)
        if (r.partition, r.offset) == (item["partition"], item["offset"])
    ]  # fmt: skip
    headers = dict(record.headers)
    assert decode_event(record.value) == event
    assert headers["ce_id"] == event.event_id.encode()
    kiosk = Apps(gateway.home / "gateway" / "apps.json").known_by(gateway.key)
    assert kiosk is not None
    assert headers["shilu_principal"].decode() == f"app/kiosk/{kiosk.key_id}"
    assert abs(instant(headers["shilu_received_at"].decode()) - time.time_ns() // 1000) < 60e6
    assert int(headers["shilu_skew_ms"]) > 0


def test_the_same_event_again_is_a_duplicate_and_other_content_a_conflict(
    gateway: Running, broker_time: Broker
) -> None:
    event = check_in("v-2", 2)
    first = only(gateway.events(event))
    later = replace(event, sent_at=AT + 1)
    again = gateway.events(later)
    assert again.status_code == 200
    assert only(again) == first | {"status": "duplicate"}
    other = replace(event, session_id="s-other")
    clash = gateway.events(other)
    assert clash.status_code == 409
    item = only(clash)
    assert (item["status"], item["code"], item["field"]) == (
        "rejected", "event_id_conflict", "event_id",
    )  # fmt: skip
    assert item["known"]["offset"] == first["offset"]
    assert item["fix"]["zh"] != item["fix"]["en"]
    stranger = app(gateway.home, "stranger", "sw1")
    assert only(gateway.events(other, key=stranger))["known"] is None
    assert list(positions(broker_time.bootstrap, CHECKINS).values()).count(event.event_id) == 1


def test_one_request_may_hold_an_event_twice_and_is_judged_as_if_they_came_apart(
    gateway: Running, broker_time: Broker
) -> None:
    event, other = check_in("v-3", 3), check_in("v-3", 4)
    clash = replace(event, session_id="s-x")
    answer = gateway.events(event, event, other, clash)
    assert answer.status_code == 207
    items = answer.json()["items"]
    assert [item["status"] for item in items] == ["accepted", "duplicate", "accepted", "rejected"]
    assert [item["index"] for item in items] == [0, 1, 2, 3]
    assert items[1]["offset"] == items[0]["offset"] < items[2]["offset"]
    found = positions(broker_time.bootstrap, CHECKINS)
    assert Counter(found.values())[event.event_id] == 1


def test_a_bad_event_stops_no_other_one(gateway: Running) -> None:
    good, bad = to_json(check_in("v-4")), to_json(check_in("v-4", 1))
    bad["occurred_at"] = "2025-03-01T09:00:00"
    answer = gateway.post("/v1/events", [bad, good, 7, {"type": "CheckdIn"}])
    assert answer.status_code == 207
    assert [item["code"] for item in answer.json()["items"]] == [
        "value_form", None, "not_json", "unknown_type",
    ]  # fmt: skip
    first = answer.json()["items"][0]
    assert (first["field"], first["event_id"]) == ("occurred_at", bad["event_id"])
    assert "with offset" in first["allowed"]
    assert gateway.post("/v1/events", bad).status_code == 422


def test_what_may_be_personal_is_never_said_again(gateway: Running) -> None:
    given = to_json(check_in("v-5")) | {"device_id": "13812345678", "event_id": "13912345678"}
    for body in (given, given | {"张伟": 1}, given | {"channel": "张伟"}):
        answer = gateway.post("/v1/events", body)
        assert answer.status_code == 422
        for told in ("13812345678", "13912345678", "张伟"):
            assert told not in answer.text
    assert only(gateway.post("/v1/events", given))["code"] == "personal_data"


def cloud(event: Any, **changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": event.event_id, "type": f"shilu.{type(event).__name__}.v1",
        "source": "/app", "datacontenttype": "application/json", "data": to_json(event),
    } | changes  # fmt: skip


def test_cloud_events_are_taken_one_at_a_time_and_in_batches(gateway: Running) -> None:
    one, two = check_in("v-6", 1), check_in("v-6", 2)
    bare = to_json(two)
    del bare["type"], bare["event_id"]
    assert gateway.post("/v1/events", cloud(one), content_type=CE).status_code == 200
    batch = gateway.post("/v1/events", [cloud(one), cloud(two, data=bare)], content_type=CE_BATCH)
    assert [item["status"] for item in batch.json()["items"]] == ["duplicate", "accepted"]
    assert batch.json()["items"][1]["event_id"] == two.event_id


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": "another"}, "id"),
        ({"type": "shilu.CheckedOut.v1"}, "type"),
        ({"type": {"a": 1}}, "type"),
        ({"id": None}, "id"),
        ({"specversion": "0.3"}, "specversion"),
        ({"data": "text"}, "data"),
        ({"subject": "v-other"}, "subject"),
        ({"datacontenttype": "application/avro"}, "datacontenttype"),
    ],
)
def test_a_cloud_event_that_says_two_things_is_refused(
    gateway: Running, changes: dict[str, Any], field: str
) -> None:
    answer = gateway.post("/v1/events", cloud(check_in("v-7"), **changes), content_type=CE)
    assert (answer.status_code, only(answer)["field"]) == (422, field)


LINE = as_line(check_in("v-8")).strip()


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", {}, 400, "not_json"),
        (b"{", {}, 400, "not_json"),
        (b"[]", {}, 400, "no_events"),
        (b"[" * 100_000, {}, 400, "not_json"),
        (b"[" * 200 + b"]" * 200, {}, 400, "too_deep"),
        (b'{"a":' * 17 + b"1" + b"}" * 17, {}, 400, "too_deep"),
        (LINE[:-1] + b', "channel": "qr"}', {}, 400, "repeated_field"),
        (b"[" + LINE[:-1] + b', "channel": "qr"}]', {}, 400, "repeated_field"),
        (LINE.replace(b"qr", b"\xff"), {}, 400, "not_utf8"),
        (LINE.decode().encode("utf-16"), {}, 400, "not_utf8"),
        (b'{"a": NaN}', {}, 400, "not_json"),
        (b'{"a": ' + b"9" * 5_000 + b"}", {}, 400, "not_json"),
        (b"[" + b",".join([b"1"] * 501) + b"]", {}, 413, "too_many_events"),
        (b" " * (1 << 20) + b"{}", {}, 413, "too_large"),
        (LINE, {"content_type": "application/x-www-form-urlencoded"}, 415, "content_type"),
        (LINE, {"content_type": "application/json; charset=gbk"}, 415, "content_type"),
        (LINE, {"content_encoding": "gzip"}, 415, "content_encoding"),
    ],
)
def test_a_hostile_body_is_refused_with_a_sentence_in_both_languages(
    gateway: Running, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = gateway.post("/v1/events", body, **headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["fix"]["zh"]
    assert answer.json()["fix"]["en"]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("offline", 2**53 + 1, "value_form"),
        ("offline", 1e999, "value_form"),
        ("session_id", "\ud800", "id_form"),
        ("session_id", 2**60, "value_form"),
        ("channel", "x" * 20_000, "oversized"),
        ("recorded_at", "2025-03-01T09:00:00+08:00", "unknown_field"),
        ("evidence", [[[[]]]], "value_form"),
        ("type", {"a": []}, "unknown_type"),
        ("occurred_at", 1740790500, "value_form"),
    ],
)
def test_a_hostile_field_is_named(gateway: Running, field: str, value: Any, code: str) -> None:
    raw = json.dumps(to_json(check_in("v-8")) | {field: value}).replace("Infinity", "1e999")
    answer = gateway.post("/v1/events", raw.encode())
    item = only(answer)
    assert (answer.status_code, item["code"]) == (422, code)
    assert item["field"].startswith(field)


def test_no_damaged_body_is_answered_with_a_fault_of_ours(gateway: Running) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    whole = [LINE, json.dumps([cloud(check_in("v-8"))]).encode(), b"[" + LINE + b"," + LINE + b"]"]
    kinds = ["application/json", CE, CE_BATCH]
    with httpx.Client(base_url=gateway.url, timeout=30) as client:
        for _ in range(100):
            body = bytearray(chance.choice(whole))
            for _ in range(chance.randint(1, 4)):
                at = chance.randrange(len(body))
                body[at : at + chance.randint(0, 3)] = chance.choice(
                    [b"", b"{", b"null", b'"', b"[[", b"\xff", b"-1", b"1e9", b"\\ud800", b"\0"]
                )
            headers = {
                "content-type": chance.choice(kinds), "authorization": f"Bearer {gateway.key}",
            }  # fmt: skip
            answer = client.post("/v1/events", content=bytes(body), headers=headers)
            assert answer.status_code in (200, 207, 400, 403, 409, 415, 422), (body, answer.text)
            assert answer.json()


def test_nobody_gets_in_without_a_key_that_is_valid_now(gateway: Running) -> None:
    event = check_in("v-9")
    bare = httpx.post(f"{gateway.url}/v1/events", content=as_line(event))
    assert (bare.status_code, bare.json()["code"]) == (401, "no_key")
    assert bare.headers["www-authenticate"] == "Bearer"
    apps = Apps(gateway.home / "gateway" / "apps.json")
    key = app(gateway.home, "short-lived", "sw1")
    for wrong in ("x", key[:-1] + ("A" if key[-1] != "A" else "B"), key + "A", key[7:]):
        assert gateway.events(event, key=wrong).status_code == 401
    assert gateway.events(event, key=key).status_code == 200
    _, new = apps.rotate("short-lived", NOW)
    assert gateway.events(event, key=key).status_code == 401
    assert gateway.events(event, key=new).json()["duplicate"] == 1
    apps.revoke("short-lived", NOW)
    assert gateway.events(event, key=new).status_code == 401
    kept = (gateway.home / "gateway" / "apps.json").read_text()
    assert key not in kept
    assert key[-43:] not in kept


def test_an_app_speaks_only_for_its_organisations(gateway: Running) -> None:
    other = check_in("v-10", 1, recording_org_id="sw2")
    host = check_in("v-10", 2, host_org_id="sw2")
    acting = check_in("v-10", 3, actor=Actor("u-1", "admin", "sw2"))
    nobody = void("v-10", "s-3")
    acts = replace(nobody, actor=Actor("u-1", "admin", "sw1"))
    answer = gateway.events(other, host, acting, nobody, acts)
    assert answer.status_code == 207
    assert [(i["code"], i["field"]) for i in answer.json()["items"]] == [
        ("not_entitled", "recording_org_id"), ("not_entitled", "host_org_id"),
        ("not_entitled", "actor.org_id"), ("not_entitled", "actor.org_id"), (None, None),
    ]  # fmt: skip
    assert gateway.events(other, host).status_code == 403
    both = app(gateway.home, "both", "sw1", "sw2")
    assert gateway.events(other, host, acting, key=both).json()["accepted"] == 3


def test_each_path_takes_its_own_events_from_apps_of_its_scope(
    gateway: Running, broker_time: Broker
) -> None:
    registers = replace(org(1), event_id=new_event_id(), org_id="sw1")
    policy = PolicyPublished(new_event_id(), "p-x", 1, 20_000, 720, 1440, 10080, 5, AT,
                             Actor("u-1", "admin", "sw1"))  # fmt: skip
    own = app(gateway.home, "own-catalogue", "sw1", scopes=("catalogue",))
    office = app(gateway.home, "office", "*", scopes=("catalogue", "events"))

    def catalogue(event: Any, key: str) -> httpx.Response:
        return gateway.post("/v1/catalogue", to_json(event), key)

    assert catalogue(registers, gateway.key).status_code == 403
    assert gateway.events(check_in("v-11"), key=own).status_code == 403
    assert catalogue(registers, own).json()["accepted"] == 1
    assert catalogue(replace(org(9), event_id=new_event_id()), own).status_code == 403
    assert only(catalogue(policy, own))["code"] == "not_entitled"
    assert catalogue(policy, office).json()["accepted"] == 1
    assert registers.event_id in event_ids(read_topic(broker_time.bootstrap, CATALOGUE))
    wrong = [gateway.events(registers, key=office), catalogue(check_in("v-11"), office)]
    wrong.append(gateway.events(transferred(), key=office))
    tick = {"type": "ClockTicked", "event_id": new_event_id(), "occurred_at": NOW}
    wrong.append(gateway.post("/v1/events", tick, office))
    assert [(a.status_code, only(a)["code"]) for a in wrong] == [(422, "wrong_path")] * 4


def test_events_that_are_sent_by_many_at_the_same_time_are_appended_once(
    gateway: Running, broker_time: Broker
) -> None:
    events = [check_in(f"v-many-{n}", n) for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: gateway.events(*events), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert sum(answer.json()["accepted"] for answer in answers) == 40
    assert sum(answer.json()["duplicate"] for answer in answers) == 7 * 40
    counts = Counter(event_ids(read_topic(broker_time.bootstrap, CHECKINS)))
    assert {counts[event.event_id] for event in events} == {1}


def test_facts_of_a_volunteer_go_in_order_also_from_topic_to_topic(
    gateway: Running, broker_time: Broker
) -> None:
    begun = [check_in("v-order", n) for n in range(3)]
    voids = [replace(void("v-order", f"s-{n}"), actor=Actor("u", "admin", "sw1")) for n in range(3)]
    mixed = [event for pair in zip(begun, voids, strict=True) for event in pair]
    assert gateway.events(*mixed).json()["accepted"] == 6
    for topic, sent in ((CHECKINS, begun), (HOURS, voids)):
        wanted = {event.event_id for event in sent}
        found = [i for i in event_ids(read_topic(broker_time.bootstrap, topic)) if i in wanted]
        assert found == [event.event_id for event in sent]


def test_what_needs_no_key_answers_without_one(gateway: Running) -> None:
    assert httpx.get(f"{gateway.url}/health").json() == {"state": "green", "kafka": True}
    described = httpx.get(f"{gateway.url}/openapi.json").json()
    assert {"/v1/events", "/v1/catalogue"} <= set(described["paths"])
    assert "http" not in json.dumps(described["paths"])
    gateway.events(check_in("v-12"))
    told = httpx.get(f"{gateway.url}/metrics").text
    assert 'shilu_gateway_events_total{path="events",status="accepted"}' in told
    for path in ("/docs", "/redoc", "/v1/nothing"):
        missing = httpx.get(f"{gateway.url}{path}")
        assert (missing.status_code, missing.json()["code"]) == (404, "no_such_path")
    assert httpx.get(f"{gateway.url}/v1/events").status_code == 405


def half_a_request(running: Running) -> socket.socket:
    """A request whose body does not go on."""
    half = socket.create_connection(("127.0.0.1", int(running.url.rpartition(":")[2])))
    half.sendall(
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer " + running.key.encode() + b"\r\nContent-Length: 10\r\n\r\n["
    )
    return half


def test_too_many_requests_at_a_time_are_told_to_come_again(
    broker_time: Broker, tmp_path: Path
) -> None:
    with served(broker_time.bootstrap, tmp_path, Limits(2, 20.0)) as running:
        event = check_in("v-13")
        with half_a_request(running), half_a_request(running):
            wait_until(lambda: running.events(event).status_code == 429)
            busy = running.events(event)
            assert (busy.json()["code"], busy.headers["retry-after"]) == ("busy", "1")
            # Nobody unknown takes a place, or learns that there is none.
            assert running.events(event, key="x").status_code == 401
        wait_until(lambda: running.events(event).status_code == 200)


def test_a_body_that_does_not_come_in_time_is_given_up(broker_time: Broker, tmp_path: Path) -> None:
    with served(broker_time.bootstrap, tmp_path, Limits(2, 0.2)) as running:
        with half_a_request(running) as half:
            half.settimeout(10)
            assert half.recv(100).startswith(b"HTTP/1.1 408")
        assert running.events(check_in("v-14")).status_code == 200


def test_the_first_call_of_the_page_is_accepted_as_it_stands(
    broker_time: Broker, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "gateway.md").read_text("utf-8")
    (script,) = re.findall(r"^```sh\n(.*?)^```", page, re.M | re.S)
    environment = os.environ | {
        "SHILU_HOME": str(tmp_path), "SHILU_BOOTSTRAP": broker_time.bootstrap,
        "SHILU_GATEWAY_PORT": str(free_port()), "no_proxy": "*",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    try:
        done = subprocess.run(
            ["bash", "-c", script.replace("gateway &", "gateway >/dev/null 2>&1 &")],
            env=environment, capture_output=True, timeout=60, check=True,
        )  # fmt: skip
    finally:
        noted = read_pidfile(tmp_path / "run" / "gateway.json")
        if noted is not None:
            noted[0].terminate()
    assert json.loads(done.stdout)["accepted"] == 1, done


def test_the_memory_is_bounded_and_forgets_what_was_longest_not_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "memory.sqlite"
    with closing(Memory(file, most=3)) as memory:
        with pytest.raises(MemoryInUse):
            Memory(file)
        for number in range(3):
            memory.remember([Known(f"e-{number}", b"d", "a", NOW, CHECKINS, 0, number)])
        assert list(memory.known(["e-0"])) == ["e-0"]
        memory.remember([Known("e-3", b"d", "a", NOW, CHECKINS, 0, 3)])
        assert sorted(memory.known([f"e-{n}" for n in range(4)])) == ["e-0", "e-2", "e-3"]
        for _ in range(5):
            memory.known(["e-3"])
        memory.remember([Known("e-4", b"d", "a", NOW, CHECKINS, 0, 4)])
        assert sorted(memory.known([f"e-{n}" for n in range(5)])) == ["e-2", "e-3", "e-4"]
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT count(*) FROM known").fetchone()[0] <= 3
    assert file.stat().st_mode & 0o077 == 0


def test_a_register_that_others_can_read_opens_nothing(tmp_path: Path) -> None:
    key = app(tmp_path, "kiosk", "sw1")
    file = tmp_path / "gateway" / "apps.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert Apps(file).known_by(key) is not None
    file.chmod(0o644)
    with pytest.raises(AppsError, match="open_to_others"):
        Apps(file).known_by(key)
    file.chmod(0o600)
    file.write_text("{")
    with pytest.raises(AppsError, match="damaged"):
        Apps(file).known_by(key)


def test_a_killed_broker_is_a_503_and_nothing_is_lost_or_doubled_by_sending_again(
    broker_time: Broker, tmp_path: Path
) -> None:
    key = app(tmp_path, "kiosk", "sw1")
    before = [check_in(f"v-{n}", n) for n in range(20)]
    after = [check_in(f"v-{n}", 100 + n) for n in range(20)]
    with gateway_process(tmp_path, broker_time.bootstrap) as running:
        running.key = key
        assert running.events(*before).json()["accepted"] == 20
        broker_time.kill()
        away = running.events(*before, *after)
        assert (away.status_code, away.json()["code"]) == (503, "kafka_away")
        assert int(away.headers["retry-after"]) > 0
        assert httpx.get(f"{running.url}/health").status_code == 503
        broker_time.start()
        wait_until(lambda: running.events(*before, *after).status_code == 200)
        assert running.events(*before, *after).json()["duplicate"] == 40
    # What it knows outlives it.
    with gateway_process(tmp_path, broker_time.bootstrap) as running:
        running.key = key
        assert running.events(*before, *after).json()["duplicate"] == 40
    counts = Counter(event_ids(read_topic(broker_time.bootstrap, CHECKINS)))
    assert {counts[event.event_id] for event in before + after} == {1}


def test_a_killed_gateway_loses_nothing_and_doubles_nothing_that_it_accepted(
    broker_time: Broker, tmp_path: Path
) -> None:
    key = app(tmp_path, "kiosk", "sw1")
    batches = [[check_in(f"v-k{n}", b) for n in range(50)] for b in range(200)]
    answered: list[int] = []

    def upload(running: Running) -> None:
        for number, batch in enumerate(batches):
            try:
                if running.events(*batch, key=key).status_code != 200:
                    return
            except httpx.HTTPError:
                return
            answered.append(number)

    with (
        gateway_process(tmp_path, broker_time.bootstrap, killed=True) as running,
        ThreadPoolExecutor(1) as pool,
    ):
        uploading = pool.submit(upload, running)
        wait_until(lambda: len(answered) >= 5)
        running.process.kill()
        uploading.result()
    assert 5 <= len(answered) < len(batches)
    sent = batches[: len(answered) + 1]
    with gateway_process(tmp_path, broker_time.bootstrap) as running:
        again = [running.events(*batch, key=key).json() for batch in sent]
    assert [a["duplicate"] for a in again[:-1]] == [50] * len(answered)
    assert again[-1]["accepted"] + again[-1]["duplicate"] == 50
    counts = Counter(event_ids(read_topic(broker_time.bootstrap, CHECKINS)))
    assert {counts[event.event_id] for batch in sent[:-1] for event in batch} == {1}
    assert {counts[event.event_id] for event in sent[-1]} <= {1, 2}
