"""What people and devices recorded about sessions and grants, before anything was made of it.

Only facts that the ledger took: neither repetitions nor what it refused, and no check-in or
check-out that came after the late window (`too_late`). A session's ends are paired as in
docs/rules.md, section 3.
"""

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from consumers.trail.query import Query, as_known, if_asked
from ledger.account.spans import end_of, whole_minutes
from ledger.catalogue.catalogue import Catalogue
from ledger.hours.lateness import by_clock, skew_micros
from schemas.topics import CHECKINS, HOURS
from schemas.wire.codec import decode_event

SpanKey = tuple[str, str, str]
"""Volunteer, session, grant; of the last two one is empty."""

ENTRIES = ("HoursGranted", "HoursClaimed", "HoursImported", "TrainingRecorded")
"""What begins a grant, under an id that is given out once."""

_PLACE = (
    "event_id", "activity_id", "project_id", "site_id", "shift_id", "recording_org_id",
    "host_org_id",
)  # fmt: skip
_COLUMNS = ("session_id", "grant_id", "type", *_PLACE)
_MOMENTS = {"occurred_at": "occurred", "sent_at": "sent", "recorded_at": "recorded"}


@dataclass(slots=True)
class Recorded:
    """One session or grant as it was recorded: ends in UTC microseconds, `end` None while nobody
    checked out; `minutes` and `day` (days since 1970) of an entry without times."""

    key: SpanKey
    type: str
    start: int
    start_event: str
    end: int | None
    activity_id: str
    project_id: str
    site_id: str | None
    shift_id: str | None
    recording_org_id: str
    host_org_id: str
    minutes: int | None = None
    day: int | None = None

    def by_day(self, known: Catalogue) -> tuple[tuple[int, int], ...]:
        """(local day, whole minutes) if it were all there is of this volunteer."""
        if self.day is not None and self.minutes is not None:
            return ((self.day, self.minutes),)
        if self.minutes is not None:
            return ((known.local_day(self.site_id, self.start), self.minutes),)
        if self.end is None:
            return ()
        days = known.civil_days(self.site_id, self.start, self.end)
        return whole_minutes([(self.start, self.end)], days)


@dataclass(slots=True)
class Ends:
    """What check-ins and check-outs say of a session: the row of its earliest check-in with its
    start, all check-outs ascending, the newest row; instants in UTC microseconds."""

    last: Mapping[str, Any]
    first: Mapping[str, Any] | None = None
    start: int = 0
    outs: list[int] = field(default_factory=list)

    @property
    def end(self) -> int | None:
        """The earliest check-out at or after the start."""
        return end_of(None if self.first is None else self.start, self.outs)

    @property
    def is_open(self) -> bool:
        """Has it begun, and has nobody checked out?"""
        return self.first is not None and self.end is None


def recorded(
    query: Query,
    known: Catalogue,
    own: str,
    values: Mapping[str, object],
    as_of: int | None = None,
) -> Iterator[Recorded]:
    """The sessions and grants that some event names of which `own` is true: SQL of ours over
    `event`, and `values` is what it names.

    A session that has only check-outs is left out.
    """
    rows = query(_taken(own, as_of), **(dict(values) | as_known(as_of)))
    for row in rows:
        if row["grant_id"]:
            yield _entry(row)
    for key, ends in paired(rows, known).items():
        if ends.first is not None:
            yield _session(key, ends)


def _taken(own: str, as_of: int | None) -> str:
    """SQL: the facts of these spans that the ledger took.

    Events first: they alone name sessions, and few are of these. The bytes, which are most of the
    table, are read of entries alone: those are another topic, so they lie apart.
    """
    spans = (
        "(volunteer_id, session_id, grant_id) IN (SELECT volunteer_id, session_id, grant_id "
        f"FROM event WHERE topic IN ('{CHECKINS}', '{HOURS}') AND {own} "
        "AND (session_id != '' OR grant_id != ''))"
    )
    columns = ", ".join(("topic", "partition", "offset", *_COLUMNS, *_MOMENTS))
    entries = ", ".join(f"'{name}'" for name in ENTRIES)
    shown = [f"e.{name} AS {name}" for name in _COLUMNS]
    shown += [f"toUnixTimestamp64Micro(e.{name}) AS {short}" for name, short in _MOMENTS.items()]
    return (
        "SELECT p.volunteer_id AS volunteer_id, p.sequence AS sequence, "
        f"{', '.join(shown)}, hex(e.bytes) AS value_hex FROM ("
        "SELECT source_topic, source_partition, source_offset, volunteer_id, sequence FROM posting "
        f"WHERE outcome IN ('posted', 'held') AND reason != 'too_late'{if_asked(as_of)}) AS p "
        f"INNER JOIN (SELECT {columns}, '' AS bytes FROM event WHERE topic = '{CHECKINS}' "
        f"AND type IN ('CheckedIn', 'CheckedOut') AND {spans} "
        f"UNION ALL SELECT {columns}, assumeNotNull(value) AS bytes FROM event "
        f"WHERE topic = '{HOURS}' AND type IN ({entries}) AND {spans}) AS e "
        "ON p.source_topic = e.topic AND p.source_partition = e.partition "
        "AND p.source_offset = e.offset"
    )


def paired(rows: Iterable[Mapping[str, Any]], known: Catalogue) -> dict[SpanKey, Ends]:
    """Both ends of sessions, as far as they are known, from rows of check-ins and check-outs."""
    sessions: dict[SpanKey, Ends] = {}
    for row in rows:
        if row["grant_id"] or row["occurred"] is None:
            continue
        ends = sessions.setdefault(key_of(row), Ends(row))
        at = happened(row, known)
        if (row["recorded"], row["sequence"]) > (ends.last["recorded"], ends.last["sequence"]):
            ends.last = row
        if row["type"] == "CheckedOut":
            insort(ends.outs, at)
        elif ends.first is None or (at, row["event_id"]) < (ends.start, ends.first["event_id"]):
            ends.first, ends.start = row, at
    return sessions


def key_of(row: Mapping[str, Any]) -> SpanKey:
    """The session or grant that a row is about."""
    return row["volunteer_id"], row["session_id"], row["grant_id"]


def happened(row: Mapping[str, Any], known: Catalogue) -> int:
    """When a check-in or check-out was, by a clock that is corrected (`ledger.hours.lateness`)."""
    skew = skew_micros(row["site_id"] or None, row["recorded"], known)
    at, _ = by_clock(row["occurred"], row["sent"], row["recorded"], skew)
    return at


def _session(key: SpanKey, ends: Ends) -> Recorded:
    row = ends.first
    assert row is not None
    return Recorded(
        key, row["type"], ends.start, row["event_id"], ends.end,
        *_place(row),
    )  # fmt: skip


def _place(row: Mapping[str, Any]) -> tuple[Any, Any, Any, Any, Any, Any]:
    return (row["activity_id"], row["project_id"], row["site_id"] or None,
            row["shift_id"] or None, row["recording_org_id"], row["host_org_id"])  # fmt: skip


def _entry(row: Mapping[str, Any]) -> Recorded:
    event: Any = decode_event(bytes.fromhex(row["value_hex"]))
    entry = Recorded(
        key_of(row), row["type"], getattr(event, "start_at", 0), row["event_id"],
        getattr(event, "end_at", None), *_place(row),
    )  # fmt: skip
    entry.minutes = getattr(event, "minutes", None)
    entry.day = getattr(event, "service_date", None)
    return entry
