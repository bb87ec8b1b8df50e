#!/usr/bin/env bash
# Believed: an event that carries no time is read as an event without a time.
# Is so: the Python SDK puts the reader's clock in: get_time() of a Kafka message or an HTTP request without the
#   attribute says the moment of reading, a new one at each reading, and the attribute is written out again when
#   the event is passed on. Nothing tells it from a time that the sender gave.
# Matters: "when it happened" is a fact of the sender. Here an event of March that is replayed in May happened
#   in May; read twice it has two times under one id, which is a conflict for whoever compares contents; and a
#   rule "no time, refuse" never fires.
# Version, date: cloudevents 2.2.0 (Python); seen 2026-11-30.
# Source of the right value: CloudEvents 1.0.2, "time": optional, the timestamp of when the occurrence happened;
#   the Kafka and HTTP bindings map attributes that are there, and add none.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" -q --disable-pip-version-check install cloudevents==2.2.0
"$work/v/bin/python" - <<'PY'
import sys, time
from datetime import datetime, timezone
from importlib.metadata import version

from cloudevents.core.bindings import http, kafka

print("cloudevents", version("cloudevents"))
attributes = {"specversion": "1.0", "id": "e1", "source": "/app", "type": "CheckedIn"}
message = kafka.KafkaMessage(
    headers={**{f"ce_{k}": v.encode() for k, v in attributes.items()}, "content-type": b"application/json"},
    key=None,
    value=b'{"minutes":90}',
)
request = http.HTTPMessage(
    headers={"content-type": "application/cloudevents+json"},
    body=b'{"specversion":"1.0","id":"e1","source":"/app","type":"CheckedIn","data":{"minutes":90}}',
)
same = True
for name, read in (("Kafka", lambda: kafka.from_binary_event(message)), ("HTTP", lambda: http.from_structured_event(request))):
    first = read()
    time.sleep(0.01)
    second = read()
    age = (datetime.now(timezone.utc) - first.get_time()).total_seconds() if first.get_time() else None
    print(f"{name}: expected None, seen {first.get_time()}, at the next reading {second.get_time()}")
    same &= age is not None and 0 <= age < 60 and second.get_time() > first.get_time()
    passed_on = kafka.to_binary_event(first).headers
    print("   passed on with ce_time:", passed_on.get("ce_time"))
    same &= "ce_time" in passed_on
print("as recorded" if same else "CHANGED")
sys.exit(0 if same else 1)
PY
