"""Lines to the broker: a result for each, in order, accepted only when acknowledged."""

import io
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.broker.broker import Broker
from producers.connection import TopicState, require_topics
from producers.errors import BrokerUnreachable, TopicMissing
from producers.record import TICK_KEY
from producers.sending import delivery as delivery_module
from producers.sending.delivery import Delivery
from producers.sending.emit import Result, emit, result_json, topics_of
from producers.sending.lines import Line, read_lines
from schemas.events import (
    ClockTicked,
    EvaluationSubmitted,
    OrgRegistered,
    Score,
)
from schemas.reasons import REASONS
from schemas.times import DAY, HOUR, instant, rfc3339
from schemas.topics import CATALOGUE, CHECKINS, EVALUATIONS, HOURS, PARTITIONS
from schemas.wire.codec import encode
from schemas.wire.headers import ce_headers
from tests.producers.helpers import AT, as_line, check_in, event_ids, read_topic, transferred, void

ALL_TOPICS = topics_of(catalogue_only=False)


def run(broker: Broker, lines: list[bytes], **options: Any) -> list[Result]:
    """Emit lines and return their results."""
    topics = require_topics(broker.bootstrap, ALL_TOPICS)
    with Delivery(broker.bootstrap, topics) as delivery:
        stream = io.BytesIO(b"".join(lines))
        return list(emit(read_lines(stream), delivery, topics, **options))


def found(broker: Broker, topic: str, event_id: str) -> list[Any]:
    records = read_topic(broker.bootstrap, topic)
    return [r for r in records if dict(r.headers).get("ce_id") == event_id.encode()]


def tick(number: int) -> ClockTicked:
    return ClockTicked(f"tick-{number}", AT + number * HOUR)


def org(number: int) -> OrgRegistered:
    return OrgRegistered(f"org-{number}", f"o{number}", "volunteer", None, None, None, AT, None)


def evaluation(volunteer_id: str, number: int) -> EvaluationSubmitted:
    return EvaluationSubmitted(
        f"ev-{volunteer_id}-{number}", volunteer_id, f"e-{number}", "p-dcr", "sw1",
        (Score("skill", 5),), None, AT, None, "admin", None, None, False,
        check_in("u-1").actor, (),
    )  # fmt: skip


@pytest.mark.kafka
def test_an_accepted_line_says_where_it_lies(producer_time: Broker) -> None:
    event = check_in("v-where")
    (result,) = run(producer_time, [as_line(event)])
    (record,) = found(producer_time, CHECKINS, event.event_id)
    assert (result.line, result.status, result.event_id) == (1, "accepted", event.event_id)
    assert (result.topic, result.partition, result.offset) == (
        CHECKINS, record.partition, record.offset,
    )  # fmt: skip
    assert (record.key, record.value) == (b"v-where", encode(event))
    assert list(record.headers) == ce_headers(event)


@pytest.mark.kafka
def test_a_bad_line_between_good_ones_stops_neither(producer_time: Broker) -> None:
    good = [check_in(f"v-between-{number}") for number in range(3)]
    bad = as_line(good[0]).replace(b'"qr"', b'"pigeon"')
    results = run(
        producer_time, [as_line(good[0]), bad, as_line(good[1]), b"{\n", as_line(good[2])]
    )
    assert [r.line for r in results] == [1, 2, 3, 4, 5]
    assert [r.line for r in results if r.status == "refused"] == [2, 4]
    assert (results[1].code, results[1].field, results[1].value) == (
        "value_form", "channel", "pigeon",
    )  # fmt: skip
    assert results[3].code == "not_json"


@pytest.mark.kafka
def test_every_result_has_the_same_members_and_a_refusal_its_two_texts(
    producer_time: Broker,
) -> None:
    results = run(producer_time, [as_line(check_in("v-members")), b"{}\n", as_line(tick(0))])
    forms = [result_json(result) for result in results]
    members = ["line", "status", "event_id", "topic", "partition", "offset", "positions", "code"]
    members += ["field", "value", "allowed", "zh", "en"]
    assert [list(form) for form in forms] == [members] * 3
    assert forms[1]["zh"] == REASONS["unknown_type"].zh
    assert forms[1]["en"] == REASONS["unknown_type"].en
    assert forms[0]["zh"] is None
    json.dumps(forms)


@pytest.mark.kafka
def test_an_event_too_large_for_the_ledger_is_refused_here(producer_time: Broker) -> None:
    # Well-formed field by field; 16 references of 256 characters of 3 bytes are 12 KiB, so the
    # rest has to come from the offsets of a site.
    offsets = [
        {"from_at": rfc3339(AT + number * DAY), "offset_minutes": 480 + number % 2}
        for number in range(2500)
    ]
    site = {
        "type": "SitePublished", "event_id": "e-large", "site_id": "s-large",
        "occurred_at": rfc3339(AT), "utc_offsets": offsets,
    }  # fmt: skip
    (result,) = run(producer_time, [json.dumps(site).encode()])
    assert (result.status, result.code, result.event_id) == ("refused", "oversized", "e-large")


@pytest.mark.kafka
def test_a_tick_reaches_every_partition_under_one_id(producer_time: Broker) -> None:
    event = tick(1)
    (result,) = run(producer_time, [as_line(event)])
    records = found(producer_time, CHECKINS, event.event_id)
    assert [r.partition for r in records] == list(range(PARTITIONS))
    assert {(r.key, r.value) for r in records} == {(TICK_KEY, encode(event))}
    assert result.status == "accepted"
    assert list(result.positions) == [(r.partition, r.offset) for r in records]


@pytest.mark.kafka
def test_recorded_at_becomes_the_time_of_the_record(producer_time: Broker) -> None:
    event, ticked = check_in("v-recorded"), tick(2)
    at = "2025-03-02T20:15:01.250+08:00"
    results = run(producer_time, [as_line(event, at), as_line(ticked, at)])
    for topic, event_id in ((CHECKINS, event.event_id), (CHECKINS, ticked.event_id)):
        for record in found(producer_time, topic, event_id):
            assert record.timestamp * 1000 == instant(at)
    assert not any(result.recorded_at_ignored for result in results)


@pytest.mark.kafka
def test_without_recorded_at_the_time_is_now(producer_time: Broker) -> None:
    event, before = check_in("v-now"), check_in("v-before")
    run(producer_time, [as_line(before)])
    run(producer_time, [as_line(event)])
    ((first,), (second,)) = (
        found(producer_time, CHECKINS, one.event_id) for one in (before, event)
    )
    assert 0 <= second.timestamp - first.timestamp < 60_000
    assert second.timestamp > AT // 1000 + 365 * 86_400_000


@pytest.mark.kafka
def test_recorded_at_in_the_future_is_refused_alone(producer_time: Broker) -> None:
    """The broker would refuse the whole batch and leave the producer useless."""
    lines = [check_in(f"v-future-{number}") for number in range(3)]
    results = run(
        producer_time,
        [as_line(lines[0]), as_line(lines[1], "2199-01-01T00:00:00+08:00"), as_line(lines[2])],
    )
    assert [r.status for r in results] == ["accepted", "refused", "accepted"]
    assert (results[1].code, results[1].field) == ("value_form", "recorded_at")


@pytest.mark.kafka
def test_under_the_brokers_time_recorded_at_is_ignored_and_said_so(broker_time: Broker) -> None:
    event = check_in("v-ignored")
    given, free = run(
        broker_time, [as_line(event, "2025-03-02T20:15:01+08:00"), as_line(check_in("v-free"))]
    )
    (record,) = found(broker_time, CHECKINS, event.event_id)
    assert record.timestamp > instant("2025-12-31T00:00:00+08:00") // 1000
    assert (given.recorded_at_ignored, free.recorded_at_ignored) == (True, False)


@pytest.mark.kafka
def test_facts_are_not_for_the_catalogue_command(producer_time: Broker) -> None:
    facts, catalogue = run(
        producer_time, [as_line(check_in("v-1")), as_line(org(0))], catalogue_only=True
    )
    assert (facts.status, facts.code, facts.field) == ("refused", "wrong_topic", "type")
    assert (catalogue.status, catalogue.topic) == ("accepted", CATALOGUE)


@pytest.mark.kafka
def test_transfers_are_the_workers_alone(producer_time: Broker) -> None:
    told = transferred()
    (result,) = run(producer_time, [as_line(told)])
    assert (result.status, result.code, result.field) == ("refused", "wrong_topic", "type")


class Watching:
    """The real producer, and at each sending what was still under way."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer
        self._sent: list[tuple[str, bytes, Any]] = []
        self.under_way: list[tuple[str, bytes, list[tuple[str, bytes]]]] = []

    def send(self, topic: str, *, key: bytes, **rest: Any) -> Any:
        self._sent = [one for one in self._sent if not one[2].is_done]
        self.under_way.append((topic, key, [(t, k) for t, k, _ in self._sent]))
        future = self._producer.send(topic, key=key, **rest)
        self._sent.append((topic, key, future))
        return future

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)


def turn(topic: str, key: bytes) -> str:
    return "catalogue" if topic == CATALOGUE else "clock" if key == TICK_KEY else "facts"


@pytest.mark.kafka
def test_facts_ticks_and_the_catalogue_wait_for_one_another(producer_time: Broker) -> None:
    seed = 20250301
    draw = random.Random(seed)
    lines = []
    for number in range(400):
        match draw.randrange(12):
            case 0:
                lines.append(as_line(tick(100 + number)))
            case 1:
                lines.append(as_line(org(100 + number)))
            case 2:
                lines.append(as_line(void(f"v-{draw.randrange(5)}", f"s-{number}")))
            case 3:
                lines.append(as_line(evaluation(f"v-{draw.randrange(5)}", number)))
            case _:
                lines.append(as_line(check_in(f"v-{draw.randrange(5)}", number)))
    topics = require_topics(producer_time.bootstrap, ALL_TOPICS)
    with Delivery(producer_time.bootstrap, topics) as delivery:
        watching = Watching(delivery._producer)
        delivery._producer = watching
        results = list(emit(read_lines(io.BytesIO(b"".join(lines))), delivery, topics))
    assert all(result.status == "accepted" for result in results), f"seed {seed}"
    pipelined = 0
    for topic, key, under_way in watching.under_way:
        pipelined += bool(under_way)
        assert {turn(t, k) for t, k in under_way} <= {turn(topic, key)}, f"seed {seed}"
        assert all(t == topic for t, k in under_way if k == key), f"seed {seed}"
    assert pipelined > len(lines) // 4


@pytest.mark.kafka
def test_the_facts_of_a_volunteer_lie_in_the_order_of_the_lines(producer_time: Broker) -> None:
    events = [check_in(f"v-ordered-{number % 7}", number) for number in range(700)]
    run(producer_time, [as_line(event) for event in events])
    records = read_topic(producer_time.bootstrap, CHECKINS)
    for volunteer in range(7):
        key = f"v-ordered-{volunteer}"
        lying = event_ids([record for record in records if record.key == key.encode()])
        assert lying == [e.event_id for e in events if e.volunteer_id == key]


@pytest.mark.kafka
def test_lines_are_read_no_further_than_the_window(
    producer_time: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_module, "_WINDOW_RECORDS", 50)
    read = 0

    def lines() -> Iterator[Line]:
        nonlocal read
        for number in range(2_000):
            read += 1
            yield Line(number, "e", check_in(f"v-{number}"))

    topics = require_topics(producer_time.bootstrap, ALL_TOPICS)
    ahead = []
    with Delivery(producer_time.bootstrap, topics) as delivery:
        for count, result in enumerate(emit(lines(), delivery, topics), start=1):
            assert result.line == count - 1
            ahead.append(read - count)
            assert len(delivery._latest) <= 2 * 50
    assert 0 < max(ahead) <= 51


@pytest.mark.kafka
def test_a_dead_broker_leaves_every_line_with_a_result(cluster: Broker) -> None:
    topics = require_topics(cluster.bootstrap, ALL_TOPICS)

    events = [check_in(f"v-{number}") for number in range(201)]

    def lines() -> Iterator[Line]:
        for number, event in enumerate(events[:200]):
            if number == 100:
                cluster.kill()
            yield Line(number, event.event_id, event)

    with Delivery(cluster.bootstrap, topics, give_up_seconds=3.0) as delivery:
        results = list(emit(lines(), delivery, topics))
        later = Line(200, events[200].event_id, events[200])
        (last,) = emit([later], delivery, topics)
    assert [result.line for result in results] == list(range(200))
    unknown = [result for result in results if result.status != "accepted"]
    assert len(unknown) >= 100
    assert {(r.status, r.code) for r in unknown} == {("unknown", "unacknowledged")}
    assert (last.code, last.value) == (
        "unacknowledged", "not sent, because an earlier record failed",
    )  # fmt: skip
    cluster.start()
    there = set(event_ids(read_topic(cluster.bootstrap, CHECKINS)))
    assert {result.event_id for result in results if result.status == "accepted"} <= there
    assert events[200].event_id not in there


@pytest.mark.kafka
def test_a_missing_topic_is_named_before_anything_is_sent(broker: Broker) -> None:
    with pytest.raises(TopicMissing, match=r"no\.such\.topic"):
        require_topics(broker.bootstrap, ["no.such.topic"])


def test_nobody_at_the_address_is_named() -> None:
    with pytest.raises(BrokerUnreachable, match=r"127\.0\.0\.1:9"):
        require_topics("127.0.0.1:9", [CHECKINS])
    with pytest.raises(BrokerUnreachable, match=r"127\.0\.0\.1:9"):
        Delivery("127.0.0.1:9", {})
    with pytest.raises(BrokerUnreachable, match="no address at all"):
        require_topics("no address at all", [CHECKINS])


@pytest.mark.kafka
def test_the_states_of_topics_say_whose_time_they_carry(
    producer_time: Broker, broker_time: Broker
) -> None:
    hour_ms = 3_600_000
    assert require_topics(producer_time.bootstrap, [HOURS]) == {
        HOURS: TopicState(PARTITIONS, True, hour_ms)
    }
    states = require_topics(broker_time.bootstrap, [EVALUATIONS, CATALOGUE])
    assert [(s.partitions, s.producer_time) for s in states.values()] == [(8, False), (1, False)]
