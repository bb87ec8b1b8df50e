#!/usr/bin/env bash
# Believed: a datetime field of a faust.Record holds the instant that the message's text names.
# Is so: the digits behind the point are read as a whole number of microseconds, however many they are. .5 is
#   5 microseconds, .900 (what every JavaScript client and most terminals write) is 900 microseconds. Six
#   digits alone come out right. No error; offset and second are right, so nothing looks amiss.
# Matters: times of check-in and check-out with milliseconds are moved by up to a second, in other amounts for
#   each; two events of one second change their order; a length that is floored to minutes can lose one; and
#   the instant passed on differs from the one received, under the same event id.
# Version, date: faust-streaming 0.15.3; seen 2026-11-30.
# Source of the right value: RFC 3339, section 5.6, time-secfrac: a decimal fraction of the second.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" -q --disable-pip-version-check install faust-streaming==0.15.3
"$work/v/bin/python" - <<'PY'
import json, sys
from datetime import datetime
from importlib.metadata import version

import faust

print("faust-streaming", version("faust-streaming"))


class CheckIn(faust.Record, coerce=True):
    event_id: str
    occurred_at: datetime


same = True
for text, microseconds, recorded in (
    ("2025-03-01T08:00:00.900Z", 900_000, 900),
    ("2025-03-01T08:00:00.5+08:00", 500_000, 5),
    ("2025-03-01T08:00:00.050Z", 50_000, 50),
    ("2025-03-01T08:00:00.900000Z", 900_000, 900_000),
):
    message = json.dumps({"event_id": "e1", "occurred_at": text}).encode()
    seen = CheckIn.loads(message, serializer="json").occurred_at
    print(f"{text}: expected {microseconds} us, seen {seen.microsecond} us")
    same &= seen.microsecond == recorded
early, late = (
    CheckIn.loads(json.dumps({"event_id": i, "occurred_at": t}).encode(), serializer="json").occurred_at
    for i, t in (("in", "2025-03-01T08:00:00.000250Z"), ("out", "2025-03-01T08:00:00.200Z"))
)
print("0.000250 s before 0.200 s: expected True, seen", early < late)
same &= not early < late
print("as recorded" if same else "CHANGED")
sys.exit(0 if same else 1)
PY
