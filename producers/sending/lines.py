"""JSON Lines in: bytes -> lines -> events, each fault with its field and what is allowed."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from producers.errors import UnknownZone
from producers.sending.shapes import LINE_BYTES_MAX, pieces
from producers.zones import utc_offsets
from schemas.events import Event, SitePublished
from schemas.personal import has_name, has_number
from schemas.times import instant, rfc3339
from schemas.validity import EARLIEST, Fault, quiet
from schemas.wire.jsonform import BadEvent, event_from_json
from schemas.wire.strictjson import RepeatedField, loads


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the input: its event, or why there is none.

    `number` counts from 1 and includes blank lines, as an editor does. `recorded_at` in
    microseconds since 1970 UTC, None where not given. `event_id` as far as it could be read.
    """

    number: int
    event_id: str | None
    event: Event | None
    recorded_at: int | None = None
    fault: Fault | None = None


def read_lines(stream: BinaryIO) -> Iterator[Line]:
    """Every event of a stream that is not blank, in bounded memory; raises UnreadableInput."""
    for number, raw in pieces(stream):
        if raw is None:
            allowed = f"at most {LINE_BYTES_MAX} bytes a line"
            yield Line(number, None, None, None, Fault("oversized", "", "", allowed))
        else:
            yield parse_line(number, raw)


def parse_line(number: int, raw: bytes) -> Line:
    """One line -> its event and `recorded_at`, or its first fault."""
    try:
        # utf-8-sig: editors on Windows put a byte order mark before the first line.
        given = loads(raw.decode("utf-8-sig"))
    except RepeatedField as twice:
        fault = Fault("repeated_field", twice.field, "", "each field once")
        return Line(number, None, None, None, quiet(fault))
    except ValueError as error:
        allowed = "a JSON object in UTF-8"
        if isinstance(error, UnicodeDecodeError) and _is_gbk(raw):
            allowed = "UTF-8, and this looks like GBK: iconv -f GBK -t UTF-8"
        return Line(number, None, None, None, Fault("not_json", "", str(error)[:200], allowed))
    event_id = given.get("event_id") if isinstance(given, dict) else None
    # Never again what may be personal: results are printed and kept.
    tells = isinstance(event_id, str) and (has_number(event_id) or has_name(event_id))
    named = event_id[:64] if isinstance(event_id, str) and not tells else None
    try:
        recorded_at = _take_recorded_at(given)
        return Line(number, named, event_of(given), recorded_at)
    except BadEvent as bad:
        return Line(number, named, None, None, bad.faults[0])


def _is_gbk(raw: bytes) -> bool:
    try:
        return has_name(raw.decode("gbk"))
    except UnicodeDecodeError:
        return False


def _take_recorded_at(given: Any) -> int | None:
    if not isinstance(given, dict) or "recorded_at" not in given:
        return None
    text = given.pop("recorded_at")
    try:
        recorded_at = instant(text)
    except (TypeError, ValueError, OverflowError):
        recorded_at = -1
    if recorded_at < EARLIEST:
        allowed = "2025-03-01T08:55:00+08:00, with offset, not before 2000"
        raise BadEvent([quiet(Fault("value_form", "recorded_at", str(text)[:200], allowed))])
    return recorded_at


def event_of(given: Any) -> Event:
    """A parsed JSON object -> its event, a site with its civil time; raises BadEvent."""
    # A type that is no text would be looked up as a dict key.
    if isinstance(given, dict) and not isinstance(given.get("type"), str | None):
        raise BadEvent([Fault("unknown_type", "type", "", "a name")])
    event = event_from_json(given)
    if not isinstance(event, SitePublished) or "utc_offsets" in given:
        return event
    try:
        return dataclasses.replace(event, utc_offsets=utc_offsets(event.timezone))
    except UnknownZone as unknown:
        allowed = f"did you mean {unknown.near}?" if unknown.near else "an IANA time zone"
        raise BadEvent([Fault("value_form", "timezone", unknown.zone, allowed)]) from None


def recorded_fault(recorded_at: int, latest: int) -> Fault | None:
    """The fault of a time that the broker would not take for a record; both in microseconds.

    Found here, because the broker would refuse the records beside it as well.
    """
    if recorded_at <= latest:
        return None
    return Fault("value_form", "recorded_at", rfc3339(recorded_at), f"until {rfc3339(latest)}")
