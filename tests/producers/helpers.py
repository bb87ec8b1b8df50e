"""What the tests of producers/ share: events to send, and what a topic holds."""

import json
import time
from collections.abc import Callable
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from producers.ids import new_event_id
from schemas.events import Actor, CheckedIn, SessionVoided, SpanTransferred
from schemas.times import MINUTE, instant
from schemas.wire.jsonform import to_json

AT = instant("2025-03-01T08:55:00+08:00")


def check_in(volunteer_id: str, number: int = 0, **changes: Any) -> CheckedIn:
    """A check-in under a new event_id, `number` minutes after AT."""
    fields: dict[str, Any] = {
        "event_id": new_event_id(),
        "volunteer_id": volunteer_id,
        "session_id": f"s-{number}",
        "activity_id": "a-visit",
        "project_id": "p-dcr",
        "site_id": None,
        "shift_id": None,
        "recording_org_id": "sw1",
        "host_org_id": "sw1",
        "occurred_at": AT + number * MINUTE,
        "sent_at": None,
        "channel": "qr",
        "device_id": None,
        "app": "shift-app/2.3",
        "offline": False,
        "actor": Actor(volunteer_id, "volunteer"),
        "evidence": (),
    }
    return CheckedIn(**(fields | changes))


def void(volunteer_id: str, session_id: str) -> SessionVoided:
    """A void under a new event_id."""
    return SessionVoided(
        new_event_id(), volunteer_id, session_id, None, "test_entry", AT, None, "admin", None,
        None, False, Actor("u-1", "admin"), (),
    )  # fmt: skip


def as_line(event: Any, recorded_at: str | None = None) -> bytes:
    """The line of a file that stands for the event."""
    given = to_json(event) | ({"recorded_at": recorded_at} if recorded_at else {})
    return json.dumps(given, ensure_ascii=False).encode() + b"\n"


def read_topic(bootstrap: str, topic: str) -> list[Any]:
    """Every record that the topic holds now, partition by partition in order of offset."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    try:
        parts = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic))]
        ends = consumer.end_offsets(parts)
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        found: list[Any] = []
        while any(consumer.position(part) < ends[part] for part in parts):
            for records in consumer.poll(timeout_ms=1000).values():
                found += records
        return sorted(found, key=lambda record: (record.partition, record.offset))
    finally:
        consumer.close()


def event_ids(records: list[Any]) -> list[str]:
    """The event ids as the headers name them."""
    return [dict(record.headers)["ce_id"].decode() for record in records if record.headers]


def wait_until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    """Until a condition holds; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def transferred() -> SpanTransferred:
    """What only a worker may write."""
    return SpanTransferred("t-1", "v-1", "v-2", "e-1", "s-1", None, True, "service", None, None,
                           None, None, (), None, None, None, True, False, None, (), AT,
                           None)  # fmt: skip
