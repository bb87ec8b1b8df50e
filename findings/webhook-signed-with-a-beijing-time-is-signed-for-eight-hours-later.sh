#!/usr/bin/env bash
# Believed: Webhook.sign(id, timestamp, payload) signs the instant that the datetime names, whatever its zone.
# Is so: the zone of the datetime is thrown away and its clock face read as UTC. 08:00+08:00 and 00:00Z are one
#   instant and get two signatures; the one of 08:00+08:00 is made for 08:00Z, eight hours later. The header
#   webhook-timestamp that the sender makes from the same datetime says the true second, so verify() of the
#   same package refuses it. A naive local datetime comes out right, against the usual advice.
# Matters: postings are sent to subscribers as signed webhooks. Whoever passes China's time with its zone, as
#   is right everywhere else, has every delivery refused, and the retries fill the dead letters.
# Version, date: standardwebhooks 1.1.0 (Python); seen 2026-11-30.
# Source of the right value: the Standard Webhooks specification, "Signature scheme": signed are id, timestamp
#   and payload joined by full stops, the timestamp being the integer Unix seconds that the header carries.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" -q --disable-pip-version-check install standardwebhooks==1.1.0
"$work/v/bin/python" - <<'PY'
import base64, hashlib, hmac, sys
from datetime import datetime, timedelta, timezone
from importlib.metadata import version

from standardwebhooks import Webhook, WebhookVerificationError

print("standardwebhooks", version("standardwebhooks"))
key = b"a made-up key of thirty-two byte"
hook = Webhook("whsec_" + base64.b64encode(key).decode())
body = '{"posting":7,"minutes":90}'


def by_hand(seconds: int) -> str:
    mac = hmac.new(key, f"msg_7.{seconds}.{body}".encode(), hashlib.sha256).digest()
    return "v1," + base64.b64encode(mac).decode()


utc = datetime(2025, 3, 1, 0, 0, tzinfo=timezone.utc)
beijing = utc.astimezone(timezone(timedelta(hours=8)))
instant = int(utc.timestamp())
print("one instant:", utc == beijing, instant)
same = hook.sign("msg_7", utc, body) == by_hand(instant)
seen = hook.sign("msg_7", beijing, body)
print("expected", by_hand(instant), "for", beijing)
print("seen    ", seen, "which is the one of", instant + 8 * 3600)
same &= seen == by_hand(instant + 8 * 3600)

now = datetime.now(timezone(timedelta(hours=8)))
headers = {
    "webhook-id": "msg_7",
    "webhook-timestamp": str(int(now.timestamp())),
    "webhook-signature": hook.sign("msg_7", now, body),
}
try:
    hook.verify(body, headers)
    same = False
    print("verify: accepted")
except WebhookVerificationError as error:
    print("verify of what the same package signed a moment ago:", error)
print("as recorded" if same else "CHANGED")
sys.exit(0 if same else 1)
PY
