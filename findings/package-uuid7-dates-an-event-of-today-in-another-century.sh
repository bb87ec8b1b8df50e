#!/usr/bin/env bash
# Believed: uuid7() of the package of that name makes the version 7 of RFC 9562: the first 48 bits are the
#   milliseconds since 1970, so ids of all makers sort by time and the time can be read from the id.
# Is so: uuid7 0.1.0 lays out an older draft (36 bits of seconds, then fractions). Version and variant bits are
#   those of version 7, every check of the form passes, but read by the RFC the id of a moment in 2026 says
#   2203. The RFC's own ids (uuid6 2025.0.1) of an hour later sort BEFORE it.
# Matters: event ids are UUIDv7. Ids of such a client sort behind all others for 177 years, a reader that takes
#   the day from the id puts the hours there, and a check "id not in the future" refuses every one of them.
# Version, date: uuid7 0.1.0 beside uuid6 2025.0.1; seen 2026-11-30.
# Source of the right value: RFC 9562, section 5.7, unix_ts_ms: 48 bits, milliseconds.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" -q --disable-pip-version-check install uuid7==0.1.0 uuid6==2025.0.1
"$work/v/bin/python" - <<'PY'
import sys, time, uuid
from datetime import datetime, timedelta, timezone
from importlib.metadata import version

import uuid6
from uuid_extensions import uuid7

print("uuid7", version("uuid7"), "uuid6", version("uuid6"))
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def dated(identifier: uuid.UUID) -> datetime:
    return EPOCH + timedelta(milliseconds=identifier.int >> 80)


same = True
for instant in (datetime(2025, 3, 1, 8, 0, tzinfo=timezone.utc), datetime(2026, 11, 30, 8, 0, tzinfo=timezone.utc)):
    made = uuid7(int(instant.timestamp()) * 10**9)
    seen = dated(made)
    # 36 bits of seconds stand where the RFC has its milliseconds: seconds times 4096.
    recorded = EPOCH + timedelta(milliseconds=int(instant.timestamp()) * 4096)
    print(made, "version", made.version, "expected", instant.date(), "seen", seen.date())
    same &= made.version == 7 and made.variant == uuid.RFC_4122 and seen.replace(microsecond=0) == recorded.replace(microsecond=0)
late, now = uuid7(time.time_ns() - 3_600 * 10**9), uuid6.uuid7()
print("by the RFC now:", now, dated(now).date(), "; uuid7 an hour ago:", late, dated(late).date())
print("the older one sorts first: expected True, seen", str(late) < str(now))
same &= str(now) < str(late) and abs(dated(now).timestamp() - time.time()) < 60
print("as recorded" if same else "CHANGED")
sys.exit(0 if same else 1)
PY
