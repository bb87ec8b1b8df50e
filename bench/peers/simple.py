"""The peers' job in Python, for the peers that are Python: one record -> what it writes.

The same rules as the Kafka Streams peer's, simpler than the ledger's: a session is worth the whole
minutes from its earliest check-in to its earliest check-out. No overlap is counted once, no day is
split, no catalogue or policy is asked, no tick closes anything, and what decodes is not encoded
again to compare the bytes.
"""

import io
from dataclasses import dataclass
from typing import Any, Protocol
from zlib import crc32

from fastavro import schemaless_reader, schemaless_writer

from producers.record import partition_of
from schemas.times import DAY, HOUR, MINUTE
from schemas.topics import FACTS, PARTITIONS, TOPIC_OF, VALUE_BYTES_MAX
from schemas.wire.codec import BY_ID, LATEST

_FRAME_BYTES = 5
_CHINA_MICROS = 8 * HOUR
_PLACE = ("recording_org_id", "host_org_id", "project_id", "site_id", "activity_id")
_NEW: dict[str, Any] = {
    "start": None, "end": None, "minutes": 0, "signed": True, "voided": False, "place": ("",) * 5,
}  # fmt: skip


class State(Protocol):
    """What is kept of one volunteer, by name; values that JSON can carry."""

    def get(self, name: str) -> Any:
        """The value, None if there is none."""

    def set(self, name: str, value: Any) -> None:
        """Keep a value."""


class Barred(Exception):
    """A record that may not enter: reason code, and what was found."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a record came from; `timestamp_ms` its Kafka timestamp."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Written:
    """Values for ledger.postings, ledger.accounts and ledger.quarantine."""

    posting: bytes | None = None
    account: bytes | None = None
    quarantined: bytes | None = None


def fold(source: Source, key: bytes | None, value: bytes | None, state: State) -> Written:
    """One record: its posting and the account as it is then, or an entry in quarantine."""
    account = state.get("account")
    try:
        kind, event = _admitted(source, key, value, is_new=account is None)
    except Barred as fault:
        return Written(quarantined=_quarantined(source, key, value, *fault.args))
    assert value is not None
    if kind == "ClockTicked":
        return Written(
            _posting(source, kind, event, "", (0, 0), ("posted", "nothing_due", None)), None
        )
    volunteer_id = event["volunteer_id"]
    sequence, balance = account or (0, 0)
    outcome = _applied(kind, event, crc32(value), state)
    line = outcome[2]
    after = (sequence + 1, balance + (line["minutes"] if line else 0))
    state.set("account", after)
    posting = _posting(source, kind, event, volunteer_id, after, outcome)
    return Written(posting, _account(source, volunteer_id, after))


def _admitted(
    source: Source, key: bytes | None, value: bytes | None, *, is_new: bool
) -> tuple[str, dict[str, Any]]:
    if value is None or len(value) < _FRAME_BYTES or value[0] != 0:
        raise Barred("bad_framing", f"{0 if value is None else len(value)} bytes")
    if len(value) > VALUE_BYTES_MAX:
        raise Barred("oversized", f"{len(value)} bytes")
    schema = BY_ID.get(int.from_bytes(value[1:_FRAME_BYTES], "big"))
    if schema is None or TOPIC_OF.get(schema.name) not in FACTS:
        raise Barred("unknown_schema", f"id {int.from_bytes(value[1:_FRAME_BYTES], 'big')}")
    stream = io.BytesIO(value)
    stream.seek(_FRAME_BYTES)
    try:
        event: Any = schemaless_reader(stream, schema.parsed, None)
    except Exception as error:  # fastavro raises whatever it meets in hostile bytes
        raise Barred("undecodable", type(error).__name__) from error
    if stream.tell() != len(value):
        raise Barred("not_canonical", "bytes after the end")
    if TOPIC_OF[schema.name] != source.topic:
        raise Barred("wrong_topic", schema.name)
    if schema.name != "ClockTicked":
        if key is None or key != event["volunteer_id"].encode():
            raise Barred("wrong_key", event["volunteer_id"])
        # A producer with another partitioner would split a volunteer's account in two.
        if is_new and partition_of(key, PARTITIONS) != source.partition:
            raise Barred("wrong_partition", f"partition {source.partition}")
    return schema.name, event


_Outcome = tuple[str, str | None, dict[str, Any] | None]
"""Outcome, reason, and the one line there may be."""


def _applied(kind: str, event: dict[str, Any], digest: int, state: State) -> _Outcome:
    seen = "e" + event["event_id"]
    known = state.get(seen)
    if known is not None:
        same = known == digest
        return ("duplicate", "duplicate_event", None) if same else (
            "refused", "event_id_conflict", None,
        )  # fmt: skip
    state.set(seen, digest)
    if kind == "EvaluationSubmitted":
        return "posted", None, None
    is_grant = kind == "HoursGranted" or event.get("grant_id") is not None
    span_id = event["grant_id" if is_grant else "session_id"] or ""
    name = ("g" if is_grant else "s") + span_id
    session = dict(state.get(name) or _NEW)
    if kind == "HoursGranted" and session["start"] is not None:
        return "refused", "grant_exists", None
    _told(session, kind, event)
    change = _worth(session) - session["minutes"]
    session["minutes"] += change
    state.set(name, session)
    return "posted", None, _line(session, span_id, is_grant, change) if change else None


def _told(session: dict[str, Any], kind: str, event: dict[str, Any]) -> None:
    """Let the session have this fact."""
    match kind:
        case "CheckedIn":
            session["start"] = _earlier(session["start"], event["occurred_at"])
        case "CheckedOut":
            session["end"] = _earlier(session["end"], event["occurred_at"])
        case "HoursGranted":
            second = event["approver"]
            session["start"], session["end"] = event["start_at"], event["end_at"]
            signed = second is not None and second["id"] != event["actor"]["id"]
            session["signed"] = signed and bool(event["evidence"])
        case _:
            session["voided"] = True
            return
    session["place"] = tuple(event[name] for name in _PLACE)


def _earlier(one: int | None, other: int) -> int:
    return other if one is None else min(one, other)


def _worth(session: dict[str, Any]) -> int:
    start, end = session["start"], session["end"]
    if session["voided"] or not session["signed"] or start is None or end is None or end < start:
        return 0
    return int((end - start) // MINUTE)


def _line(session: dict[str, Any], span_id: str, is_grant: bool, minutes: int) -> dict[str, Any]:
    return {
        "line_no": 1,
        "session_id": None if is_grant else span_id,
        "grant_id": span_id if is_grant else None,
        **dict(zip(_PLACE, session["place"], strict=True)),
        "service_date": (session["start"] + _CHINA_MICROS) // DAY,
        "minutes": minutes,
        "kind": "manual" if is_grant else "service",
        "state": "effective",
        "policy": "default@0",
    }


def _posting(
    source: Source,
    kind: str,
    event: dict[str, Any],
    volunteer_id: str,
    account: tuple[int, int],
    outcome: _Outcome,
) -> bytes:
    """Its index is the source offset, not a dense count, which would be a further state."""
    actor = event.get("actor")
    return _encoded(
        "Posting",
        {
            "partition": source.partition,
            "index": source.offset,
            "source_topic": source.topic,
            "source_partition": source.partition,
            "source_offset": source.offset,
            "event_id": event["event_id"],
            "event_type": kind,
            "volunteer_id": volunteer_id,
            "sequence": account[0],
            "occurred_at": event["occurred_at"],
            "recorded_at": source.timestamp_ms * 1000,
            "actor_id": None if actor is None else actor["id"],
            "catalogue_offset": 0,
            "outcome": outcome[0],
            "reason": outcome[1],
            "lines": [] if outcome[2] is None else [outcome[2]],
            "balance_minutes": account[1],
        },
    )


def _account(source: Source, volunteer_id: str, account: tuple[int, int]) -> bytes:
    sequence, balance = account
    return _encoded(
        "Account",
        {
            "volunteer_id": volunteer_id,
            "sequence": sequence,
            "balance_minutes": balance,
            "totals": [{"kind": "service", "state": "effective", "minutes": balance}],
            "index_entries": sequence,
            "due": [],
            "pages": [{"key": source.topic, "value": source.offset.to_bytes(8, "big")}],
        },
    )


def _quarantined(
    source: Source, key: bytes | None, value: bytes | None, reason: str, detail: str
) -> bytes:
    return _encoded(
        "Quarantined",
        {
            "source_topic": source.topic,
            "source_partition": source.partition,
            "source_offset": source.offset,
            "recorded_at": source.timestamp_ms * 1000,
            "reason": reason,
            "detail": detail,
            "key": key,
            "value": value,
            "value_size": 0 if value is None else len(value),
        },
    )


def _encoded(name: str, raw: dict[str, Any]) -> bytes:
    schema = LATEST[name]
    out = io.BytesIO()
    out.write(schema.frame)
    schemaless_writer(out, schema.parsed, raw)
    return out.getvalue()
