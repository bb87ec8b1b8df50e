"""Every line becomes an event or says what is wrong with it; none stops the others."""

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.record import key_of
from producers.sending.lines import parse_line, read_lines
from producers.sending.shapes import LINE_BYTES_MAX
from producers.zones import utc_offsets
from schemas.events import SitePublished
from schemas.reasons import REASONS
from schemas.times import instant
from schemas.wire.codec import EVENT_TYPES
from tests.producers.helpers import as_line, check_in

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples" / "good"
GOOD = check_in("v-1", device_id=None)
SITE = {
    "type": "SitePublished",
    "event_id": "e-1",
    "site_id": "site-a",
    "occurred_at": "2025-03-01T09:00:00+08:00",
}


def line_of(**changes: Any) -> bytes:
    """GOOD as a line with some members changed; a value of ... leaves the member out."""
    given = json.loads(as_line(GOOD)) | changes
    return json.dumps({k: v for k, v in given.items() if v is not ...}).encode()


BAD = {
    "not JSON": (b"check in, please", "not_json", ""),
    "not UTF-8": (b'{"type": "\xff"}', "not_json", ""),
    "no object": (b'["CheckedIn"]', "not_json", ""),
    "too deep": (b"[" * 100_000, "not_json", ""),
    "a number too long to read": (b'{"type": ' + b"9" * 10_000 + b"}", "not_json", ""),
    "no type": (line_of(type=...), "unknown_type", "type"),
    "an unknown type": (line_of(type="CheckdIn"), "unknown_type", "type"),
    "a type that is a list": (line_of(type=["CheckedIn"]), "unknown_type", "type"),
    "a type that is an object": (line_of(type={"a": 1}), "unknown_type", "type"),
    "a field twice": (
        line_of()[:-1] + b', "occurred_at": "2025-03-01T06:00:00+08:00"}',
        "repeated_field", "occurred_at",
    ),
    "a field of the actor twice": (
        line_of().replace(b'"role":', b'"role": "admin", "role":'), "repeated_field", "actor.role",
    ),
    "a week date": (
        line_of(occurred_at="2025-W10-2T20:00+08:00"), "value_form", "occurred_at",
    ),
    "a time without colons": (
        line_of(occurred_at="20250304T200000+0800"), "value_form", "occurred_at",
    ),
    "a time without minutes": (
        line_of(recorded_at="2025-03-04 20+08:00"), "value_form", "recorded_at",
    ),
    "an unknown field": (line_of(volunter_id="v-1"), "unknown_field", "volunter_id"),
    "a missing field": (line_of(session_id=...), "missing_field", "session_id"),
    "an id with a space": (line_of(volunteer_id="v 1"), "id_form", "volunteer_id"),
    "an id that is a number": (line_of(event_id=17), "value_form", "event_id"),
    "a time without offset": (
        line_of(occurred_at="2025-03-01T08:55:00"), "value_form", "occurred_at",
    ),
    "a time before 2000": (
        line_of(occurred_at="1999-03-01T08:55:00+08:00"), "value_form", "occurred_at",
    ),
    "an unknown channel": (line_of(channel="pigeon"), "value_form", "channel"),
    "a half surrogate": (line_of(device_id="\ud800"), "id_form", "device_id"),
    "recorded_at without offset": (
        line_of(recorded_at="2025-03-01T08:55:00"), "value_form", "recorded_at",
    ),
    "recorded_at as a number": (line_of(recorded_at=1740000000), "value_form", "recorded_at"),
    "recorded_at before 2000": (
        line_of(recorded_at="1970-01-01T08:55:00+08:00"), "value_form", "recorded_at",
    ),
    "an unknown time zone": (
        json.dumps(SITE | {"timezone": "Asia/Tokio"}).encode(), "value_form", "timezone",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_line_says_code_field_and_what_is_allowed(kind: str) -> None:
    raw, code, field = BAD[kind]
    line = parse_line(7, raw)
    assert line.event is None
    assert line.fault is not None
    assert (line.number, line.fault.code, line.fault.field) == (7, code, field)
    assert line.fault.allowed
    assert code in REASONS


def test_no_bad_line_stops_the_others() -> None:
    lines = [item for raw, _, _ in BAD.values() for item in (raw + b"\n", as_line(GOOD))]
    found = list(read_lines(io.BytesIO(b"".join(lines))))
    assert [line.event for line in found] == [None, GOOD] * len(BAD)


def test_a_bad_line_keeps_its_event_id_where_it_can_be_read() -> None:
    assert parse_line(1, line_of(volunteer_id="v 1")).event_id == GOOD.event_id
    assert parse_line(1, line_of(event_id=17)).event_id is None


def test_recorded_at_is_taken_out_of_the_event() -> None:
    line = parse_line(1, as_line(GOOD, "2025-03-01T08:55:02.250+08:00"))
    assert line.event == GOOD
    assert line.recorded_at == instant("2025-03-01T08:55:02.250+08:00")


def test_numbers_count_as_an_editor_does_and_blank_lines_are_no_events() -> None:
    text = b"\xef\xbb\xbf" + as_line(GOOD) + b"\n  \r\n" + as_line(GOOD).strip() + b"\r\n\n"
    assert [(line.number, line.event) for line in read_lines(io.BytesIO(text))] == [
        (1, GOOD), (4, GOOD),
    ]  # fmt: skip


@given(st.binary(max_size=200))
def test_no_bytes_raise(raw: bytes) -> None:
    line = parse_line(1, raw)
    assert (line.event is None) != (line.fault is None)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=5,
    ),
    st.sampled_from([*sorted(json.loads(as_line(GOOD))), "recorded_at"]),
)
def test_no_value_of_a_member_raises(value: Any, name: str) -> None:
    line = parse_line(1, json.dumps(json.loads(as_line(GOOD)) | {name: value}).encode())
    assert (line.event is None) != (line.fault is None)


def test_an_endless_line_is_refused_in_bounded_memory() -> None:
    class Endless(io.RawIOBase):
        """100 MiB without a line end, then one good line."""

        def __init__(self) -> None:
            self.left = 100
            self.tail = io.BytesIO(b"\n" + as_line(GOOD))

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            size = min(len(buffer), 1 << 20)
            if self.left > 0:
                self.left -= 1
                buffer[:size] = b"x" * size
                return int(size)
            return self.tail.readinto(buffer)

    tracemalloc.start()
    first, second = read_lines(io.BufferedReader(Endless(), 1 << 20))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert first.fault is not None
    assert (first.fault.code, second.event, second.number) == ("oversized", GOOD, 2)
    assert peak < 16 * LINE_BYTES_MAX


def test_a_site_gets_its_civil_time_from_the_zone() -> None:
    line = parse_line(1, json.dumps(SITE | {"timezone": "Asia/Tokyo"}).encode())
    assert isinstance(line.event, SitePublished)
    assert line.event.utc_offsets == utc_offsets("Asia/Tokyo") != ()


def test_a_site_that_brings_its_own_offsets_keeps_them() -> None:
    own = [{"from_at": "2000-01-01T00:00:00+00:00", "offset_minutes": 60}]
    line = parse_line(1, json.dumps(SITE | {"timezone": "Mars/Base", "utc_offsets": own}).encode())
    assert isinstance(line.event, SitePublished)
    assert [offset.offset_minutes for offset in line.event.utc_offsets] == [60]


def test_a_site_without_a_zone_is_in_china() -> None:
    line = parse_line(1, json.dumps(SITE).encode())
    assert isinstance(line.event, SitePublished)
    assert (line.event.timezone, line.event.utc_offsets) == ("Asia/Shanghai", ())


@pytest.mark.parametrize("name", sorted(set(EVENT_TYPES) - {"ClockTicked"}))
def test_every_event_type_can_be_emitted_from_its_examples(name: str) -> None:
    for path in sorted((EXAMPLES / name).glob("*.json")):
        read = parse_line(1, json.dumps(json.loads(path.read_text("utf-8"))).encode())
        assert read.fault is None
        assert read.event is not None
        assert type(read.event).__name__ == name
        assert key_of(read.event)
