"""Kafka records -> rows of the trail. Pure: a record gives the same rows, however often it is read.

A record whose bytes do not decode becomes an `event` row of type '' with its bytes and a fault.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from importlib.abc import MetaPathFinder
from typing import Any, TypeVar

import pyarrow as pa

from consumers.kafka.records import Record
from consumers.signing.notes import BadNote, Checkpoint, Note
from schemas.events import CatalogueEvent, Event, VaultAccessed
from schemas.posting import Posting, Quarantined
from schemas.times import DAY
from schemas.topics import ACCESS, CATALOGUE, CHECKPOINTS, POSTINGS, QUARANTINE
from schemas.validity import EARLIEST, LATEST
from schemas.wire.codec import Undecodable, decode_event, decode_output

T = TypeVar("T")


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


def _do_without_pandas() -> None:
    """Let pyarrow find that there is no pandas, once and for all.

    Else the first `pa.array` imports it, to ask whether a list is one of its own: a second and
    50 MB of every process that makes a table, for nothing. Others may import it as ever.
    """
    absent = _NoPandas()
    sys.meta_path.insert(0, absent)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(absent)


_do_without_pandas()

Row = tuple[Any, ...]
"""The values of one row in the order of the table's columns."""


_TEXTS = (
    "event_id", "volunteer_id", "session_id", "grant_id", "evaluation_id", "activity_id",
    "project_id", "site_id", "shift_id", "recording_org_id", "host_org_id", "evaluator_org_id",
    "reason",
)  # fmt: skip
_TIMES = ("occurred_at", "sent_at", "start_at", "end_at")
_ACTOR = ("id", "role", "org_id")

_WHOLE, _BYTES, _FLAG, _DATE = pa.int64(), pa.binary(), pa.bool_(), pa.date32()
_TIME = pa.timestamp("us", "UTC")
_POSITION = {"partition": _WHOLE, "offset": _WHOLE}


def _schema(columns: Mapping[str, pa.DataType]) -> pa.Schema:
    return pa.schema(list(columns.items()))


TABLES: Mapping[str, pa.Schema] = {
    "event": _schema(
        {"topic": _BYTES, **_POSITION, "recorded_at": _TIME, "key": _BYTES, "value": _BYTES}
        | {"type": _BYTES, "fault": _BYTES}
        | dict.fromkeys(_TEXTS, _BYTES)
        | dict.fromkeys(_TIMES, _TIME)
        | {"channel": _BYTES, "device_id": _BYTES, "app": _BYTES, "offline": _FLAG}
        | {f"actor_{part}": _BYTES for part in _ACTOR}
        | {f"approver_{part}": _BYTES for part in _ACTOR}
        | {"evidence": pa.list_(_BYTES)}
    ),
    "posting": _schema(
        {**_POSITION, "posting_index": _WHOLE}
        | {"source_topic": _BYTES, "source_partition": _WHOLE, "source_offset": _WHOLE}
        | {"event_id": _BYTES, "event_type": _BYTES, "volunteer_id": _BYTES, "sequence": _WHOLE}
        | {"occurred_at": _TIME, "recorded_at": _TIME, "actor_id": _BYTES}
        | {"catalogue_offset": _WHOLE, "outcome": _BYTES, "reason": _BYTES}
        | {"line_count": _WHOLE, "balance_minutes": _WHOLE, "value": _BYTES}
    ),
    "line": _schema(
        {**_POSITION, "posting_index": _WHOLE, "line_no": _WHOLE}
        | {"volunteer_id": _BYTES, "sequence": _WHOLE, "recorded_at": _TIME}
        | {"session_id": _BYTES, "grant_id": _BYTES, "recording_org_id": _BYTES}
        | {"host_org_id": _BYTES, "project_id": _BYTES, "site_id": _BYTES, "activity_id": _BYTES}
        | {"service_date": _DATE, "minutes": _WHOLE}
        | {"kind": _BYTES, "state": _BYTES, "policy": _BYTES}
    ),
    "quarantine": _schema(
        {**_POSITION, "source_topic": _BYTES, "source_partition": _WHOLE, "source_offset": _WHOLE}
        | {"recorded_at": _TIME, "reason": _BYTES, "detail": _BYTES}
        | {"key": _BYTES, "value": _BYTES, "value_size": _WHOLE}
    ),
    "catalogue": _schema(
        {**_POSITION, "recorded_at": _TIME, "kind": _BYTES, "entity_id": _BYTES}
        | {"type": _BYTES, "event_id": _BYTES, "name": _BYTES, "category": _BYTES}
        | {"parent_id": _BYTES, "region": _BYTES, "activity_id": _BYTES, "site_id": _BYTES}
        | {"policy_id": _BYTES, "version": _WHOLE, "start_on": _DATE, "end_on": _DATE}
        | {"start_at": _TIME, "end_at": _TIME, "occurred_at": _TIME, "actor_id": _BYTES}
    ),
    "checkpoint": _schema(
        {**_POSITION, "recorded_at": _TIME, "origin": _BYTES, "size": _WHOLE}
        | {"root": _BYTES, "note": _BYTES}
    ),
    "access_log": _schema(
        {"asked_at": _TIME, "asker": _BYTES, "question": _BYTES, "arguments": _BYTES}
        | {**_POSITION, "recorded_at": _TIME, "volunteer_id": _BYTES}
    ),
}
"""Table -> its columns in order; the DDL has the same ones."""

_KINDS: Mapping[str, tuple[str, str, str]] = {
    "OrgRegistered": ("org", "parent_org_id", "kind"),
    "ProjectPublished": ("project", "org_id", "service_field"),
    "SitePublished": ("site", "operator_org_id", ""),
    "ShiftScheduled": ("shift", "project_id", ""),
    "PolicyPublished": ("policy", "", ""),
    "VolunteerRegistered": ("volunteer", "", ""),
}
"""Catalogue event -> kind of entity, field of its parent, field of its category."""


def tables_of(topic: str) -> tuple[str, ...]:
    """The tables that a topic's records go to, in the order in which they are to be written.

    The last one is written last: whoever sees a record there sees the others' rows too. It has a
    row for every record, except for unreadable ones of ledger.* topics: those are in `event`.
    """
    match topic:
        case "ledger.postings":
            return ("event", "line", "posting")
        case "ledger.quarantine":
            return ("event", "quarantine")
        case "ledger.checkpoints":
            return ("event", "checkpoint")
        case "registry.catalogue":
            return ("catalogue", "event")
        case "registry.access":
            return ("access_log", "event")
    return ("event",)


def rows_of(record: Record) -> list[tuple[str, Row]]:
    """One record -> (table, row) pairs; never raises on any bytes."""
    try:
        if record.topic == POSTINGS:
            return _posting_rows(record, _output(record, Posting))
        if record.topic == QUARANTINE:
            return [("quarantine", _quarantine_row(record, _output(record, Quarantined)))]
        if record.topic == CHECKPOINTS:
            return [("checkpoint", _checkpoint_row(record))]
        event = decode_event(record.value)
    except Undecodable as fault:
        return [("event", _event_row(record, None, fault.code))]
    rows = [("event", _event_row(record, event, ""))]
    if record.topic == CATALOGUE and type(event).__name__ in _KINDS:
        rows.append(("catalogue", _catalogue_row(record, event)))  # type: ignore[arg-type]
    if record.topic == ACCESS and isinstance(event, VaultAccessed):
        rows.append(("access_log", _access_row(record, event)))
    return rows


def arrow(table: str, rows: Iterable[Row]) -> pa.Table:
    """Rows of one table -> Arrow, texts as bytes."""
    schema = TABLES[table]
    columns = zip(*rows, strict=True)
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)],
        schema=schema,
    )


def _output(record: Record, kind: type[T]) -> T:
    output = decode_output(record.value or b"")
    if not isinstance(output, kind):
        raise Undecodable("wrong_topic", type(output).__name__)
    if isinstance(output, Posting) and output.partition != record.partition:
        raise Undecodable("wrong_partition", f"posting of partition {output.partition}")
    return output


def _time(at: int | None) -> int | None:
    """None for a time that the column cannot hold: hostile bytes must not stop the sink."""
    return at if at is not None and EARLIEST <= at < LATEST else None


def _day(day: int | None) -> int | None:
    return day if day is not None and EARLIEST <= day * DAY < LATEST else None


def _recorded_at(micros: int) -> int:
    return min(max(micros, 0), LATEST)


def _event_row(record: Record, event: Event | None, fault: str) -> Row:
    actor, approver = getattr(event, "actor", None), getattr(event, "approver", None)
    return (
        record.topic,
        record.partition,
        record.offset,
        _recorded_at(record.timestamp * 1000),
        record.key,
        record.value,
        "" if event is None else type(event).__name__,
        fault,
        *[getattr(event, field, None) or "" for field in _TEXTS],
        *[_time(getattr(event, field, None)) for field in _TIMES],
        getattr(event, "channel", ""),
        getattr(event, "device_id", None) or "",
        getattr(event, "app", None) or "",
        getattr(event, "offline", False),
        *[getattr(actor, part, None) or "" for part in _ACTOR],
        *[getattr(approver, part, None) or "" for part in _ACTOR],
        getattr(event, "evidence", ()),
    )


def _posting_rows(record: Record, posting: Posting) -> list[tuple[str, Row]]:
    recorded_at = _recorded_at(posting.recorded_at)
    rows: list[tuple[str, Row]] = [
        (
            "line",
            (
                record.partition,
                record.offset,
                posting.index,
                line.line_no,
                posting.volunteer_id,
                posting.sequence,
                recorded_at,
                line.session_id or "",
                line.grant_id or "",
                line.recording_org_id,
                line.host_org_id,
                line.project_id,
                line.site_id or "",
                line.activity_id,
                _day(line.service_date) or 0,
                line.minutes,
                line.kind,
                line.state,
                line.policy,
            ),
        )
        for line in posting.lines
    ]
    head = (record.partition, record.offset, posting.index)
    source = (posting.source_topic, posting.source_partition, posting.source_offset)
    event = (posting.event_id, posting.event_type, posting.volunteer_id, posting.sequence)
    times = (_time(posting.occurred_at), recorded_at, posting.actor_id or "")
    result = (posting.catalogue_offset, posting.outcome, posting.reason or "")
    count = (len(posting.lines), posting.balance_minutes, record.value)
    rows.append(("posting", (*head, *source, *event, *times, *result, *count)))
    return rows


def _quarantine_row(record: Record, bad: Quarantined) -> Row:
    return (
        record.partition,
        record.offset,
        bad.source_topic,
        bad.source_partition,
        bad.source_offset,
        _recorded_at(bad.recorded_at),
        bad.reason,
        bad.detail,
        bad.key,
        bad.value,
        bad.value_size,
    )


def _checkpoint_row(record: Record) -> Row:
    """Signatures are whoever verifies' matter: a sink knows no keys."""
    try:
        written = (record.value or b"").decode()
        found = Checkpoint.parse(Note.parse(written).text)
    except (BadNote, UnicodeDecodeError) as error:
        raise Undecodable("undecodable", str(error)) from error
    return (
        record.partition,
        record.offset,
        _recorded_at(record.timestamp * 1000),
        found.origin,
        found.size,
        found.root,
        record.value,
    )


def _access_row(record: Record, event: VaultAccessed) -> Row:
    """A look into the vault as a question of its own: `vault.unmask`, `vault.export` and so on."""
    kept = ("entry_no", "purpose", "opened", "reason_hash", "previous_hash")
    said = {name: getattr(event, name) for name in kept}
    said["actor"] = {part: getattr(event.actor, part) for part in _ACTOR}
    return (
        _time(event.occurred_at) or 0,
        event.actor.id,
        f"vault.{event.action}",
        json.dumps(said, ensure_ascii=False, sort_keys=True),
        record.partition,
        record.offset,
        _recorded_at(record.timestamp * 1000),
        event.volunteer_id,
    )


def _catalogue_row(record: Record, event: CatalogueEvent) -> Row:
    kind, parent, category = _KINDS[type(event).__name__]
    name: Any = getattr(event, "name", None)
    start_on = getattr(event, "start_on", None)
    return (
        record.partition,
        record.offset,
        _recorded_at(record.timestamp * 1000),
        kind,
        getattr(event, f"{kind}_id"),
        type(event).__name__,
        event.event_id,
        name or "",
        (getattr(event, category, None) or "") if category else "",
        (getattr(event, parent, None) or "") if parent else "",
        getattr(event, "region", None) or "",
        getattr(event, "activity_id", ""),
        getattr(event, "site_id", None) or "",
        getattr(event, "policy_id", None) or "",
        getattr(event, "version", 0),
        _day(getattr(event, "effective_from", start_on)),
        _day(getattr(event, "end_on", None)),
        _time(getattr(event, "start_at", None)),
        _time(getattr(event, "end_at", None)),
        _time(event.occurred_at),
        event.actor.id if event.actor else "",
    )
