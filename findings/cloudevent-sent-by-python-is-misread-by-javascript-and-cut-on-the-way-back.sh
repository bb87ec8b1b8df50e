#!/usr/bin/env bash
# Believed: what the CloudEvents SDK of one language sends over HTTP, that of another reads: same subject, same
#   time.
# Is so: in binary mode the Python SDK writes the Chinese subject in percent form, as the binding says; the
#   JavaScript SDK hands the percent form on as the subject. A person or site in "subject" gets a second name.
#   And JavaScript makes the time anew in milliseconds of UTC: .123456 becomes .123Z and the +08:00 is gone.
# Matters: one event under one id has two contents after a hop through a Node service: ids compared with
#   contents give a conflict, totals by subject count one site twice, microseconds that ordered two events tie.
# Version, date: cloudevents 2.2.0 (Python), cloudevents 10.0.0 (npm); seen 2026-11-30.
# Source of the right value: CloudEvents HTTP protocol binding 1.0.2, 3.1.3.2: characters beyond printable ASCII
#   are percent-encoded in headers and decoded by the receiver; time is an RFC 3339 timestamp, passed as given.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v
v/bin/pip -q --disable-pip-version-check install cloudevents==2.2.0
npm init -y >/dev/null
npm install --silent --no-audit --no-fund cloudevents@10.0.0
cat >hop.cjs <<'JS'
const { HTTP } = require("cloudevents");
const event = HTTP.toEvent(JSON.parse(require("fs").readFileSync(0, "utf8")));
const out = HTTP.binary(event);
console.log(JSON.stringify({ subject: event.subject, held: event.time, sent: out.headers["ce-time"],
  version: require("cloudevents/package.json").version }));
JS
v/bin/python - <<'PY'
import json, subprocess, sys
from datetime import datetime, timedelta, timezone
from importlib.metadata import version

from cloudevents.core.bindings.http import from_binary_event, to_binary_event
from cloudevents.core.v1.event import CloudEvent

SITE = "康园站 甲"
moment = datetime(2025, 3, 1, 8, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
event = CloudEvent(
    {"specversion": "1.0", "id": "e1", "source": "/app", "type": "CheckedIn", "subject": SITE, "time": moment,
     "datacontenttype": "application/json"},
    {"minutes": 90},
)
message = to_binary_event(event)
hop = subprocess.run(
    ["node", "hop.cjs"], input=json.dumps({"headers": message.headers, "body": message.body.decode()}),
    check=True, capture_output=True, text=True,
)
seen = json.loads(hop.stdout)
print("cloudevents for Python", version("cloudevents"), "for JavaScript", seen["version"])
print("Python sends subject", message.headers["ce-subject"], "and reads it back as", from_binary_event(message).get_subject())
print(f"JavaScript: expected {SITE}, seen {seen['subject']}")
print(f"JavaScript sends the time on: expected {message.headers['ce-time']}, seen {seen['sent']}")
same = (
    from_binary_event(message).get_subject() == SITE
    and seen["subject"] == message.headers["ce-subject"] == "%E5%BA%B7%E5%9B%AD%E7%AB%99%20%E7%94%B2"
    and message.headers["ce-time"] == "2025-03-01T08:00:00.123456+08:00"
    and seen["held"] == seen["sent"] == "2025-03-01T00:00:00.123Z"
)
print("as recorded" if same else "CHANGED")
sys.exit(0 if same else 1)
PY
