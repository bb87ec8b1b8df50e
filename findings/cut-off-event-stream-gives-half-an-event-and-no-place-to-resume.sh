#!/usr/bin/env bash
# Believed: a reader of server-sent events hands out whole events, and keeps the last id for the resumption.
# Is so: when the connection ends in the middle of an event, sseclient-py hands out the half that came as an
#   event of its own: of "data: 120" cut behind the 2 the program gets 12. An id sent without data, which moves
#   the place to resume, is dropped; an event without an id of its own has None where the last one stands.
#   httpx-sse holds the half back and gives the running id.
# Matters: postings are streamed so. A cut at the wrong byte is a wrong number of minutes that parses well, and
#   whoever stores event.id resumes from nowhere. A number alone as data is the worst form; JSON would break.
# Version, date: sseclient-py 1.9.0 beside httpx-sse 0.4.3; seen 2026-11-30.
# Source of the right value: HTML standard, 9.2.6 "Interpreting an event stream": at the end of the stream what
#   is pending is discarded; the id buffer sets the last event id also when the data is empty, and lasts.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" -q --disable-pip-version-check install sseclient-py==1.9.0 httpx-sse==0.4.3 httpx==0.28.1
"$work/v/bin/python" - <<'PY'
import sys
from importlib.metadata import version

import httpx, httpx_sse, sseclient

print("sseclient-py", version("sseclient-py"), "httpx-sse", version("httpx-sse"))
whole = b"id: 41\ndata: 60\n\ndata: 30\n\nid: 42\n\nid: 43\ndata: 120\n\n"
cut = whole[: whole.index(b"120") + 2]


def by_sseclient(stream):
    return [(event.id, event.data) for event in sseclient.SSEClient([stream]).events()]


def by_httpx(stream):
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=stream)
    return [(event.id, event.data) for event in httpx_sse.EventSource(response).iter_sse()]


print("whole: sseclient-py", by_sseclient(whole))
print("cut, expected:     [('41', '60'), ('41', '30')] and 42 as the place to resume")
print("cut: sseclient-py ", by_sseclient(cut))
print("cut: httpx-sse    ", by_httpx(cut))
same = (
    by_sseclient(whole) == [("41", "60"), (None, "30"), ("43", "120")]
    and by_sseclient(cut) == [("41", "60"), (None, "30"), ("43", "12")]
    and by_httpx(cut) == [("41", "60"), ("41", "30"), ("42", "")]
)
print("as recorded" if same else "CHANGED")
sys.exit(0 if same else 1)
PY
