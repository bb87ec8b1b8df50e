"""What people and devices recorded about sessions and grants, before anything was made of it.

Only facts that the ledger took: neither repetitions nor what it refused, and no check-in or
check-out that came after the late window (`too_late`). A session's ends are paired as in
docs/rules.md, section 3.
"""

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from consumers.query import Query, as_known, if_asked
from ledger.catalogue import Catalogue
from ledger.lateness import skew_micros
from ledger.spans import end_of, whole_minutes
from schemas.codec import decode_event

SpanKey = tuple[str, str, str]
"""Volunteer, session, grant; of the last two one is empty."""

_ENTRIES = ("HoursGranted", "HoursClaimed", "HoursImported", "TrainingRecorded")
_TAKEN = (
    "SELECT p.volunteer_id AS volunteer_id, p.sequence AS sequence, p.partition AS partition, "
    "e.session_id AS session_id, e.grant_id AS grant_id, "
    "e.type AS type, e.event_id AS event_id, e.activity_id AS activity_id, "
    "e.project_id AS project_id, e.site_id AS site_id, e.shift_id AS shift_id, "
    "e.recording_org_id AS recording_org_id, e.host_org_id AS host_org_id, "
    "toUnixTimestamp64Micro(e.occurred_at) AS occurred, toUnixTimestamp64Micro(e.sent_at) AS sent, "
    "toUnixTimestamp64Micro(e.recorded_at) AS recorded, "
    "toUnixTimestamp64Micro(e.start_at) AS start, toUnixTimestamp64Micro(e.end_at) AS end, "
    "if(e.grant_id = '', '', hex(e.value)) AS value_hex "
    "FROM event AS e INNER JOIN (SELECT source_topic, source_partition, source_offset, "
    "volunteer_id, sequence, partition FROM posting WHERE volunteer_id IN ({volunteers}) "
    "AND outcome IN ('posted', 'held') AND reason != 'too_late'{known}) AS p "
    "ON p.source_topic = e.topic AND p.source_partition = e.partition "
    "AND p.source_offset = e.offset "
    "WHERE e.topic IN ('service.checkins', 'service.hours') AND e.type IN ({types}) AND {which}"
)


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


def recorded(
    query: Query,
    known: Catalogue,
    which: str,
    volunteers: str,
    values: Mapping[str, object],
    as_of: int | None = None,
) -> Iterator[Recorded]:
    """Sessions and grants: `which` is a condition on `event AS e`, `volunteers` a subquery of who
    may be meant; both are SQL of ours, and `values` is what they name.

    A session that has only check-outs is left out.
    """
    rows = _taken(query, ("CheckedIn", "CheckedOut", *_ENTRIES), which, volunteers, values, as_of)
    for row in rows:
        if row["grant_id"]:
            yield _entry(row)
    for key, ends in _paired(rows, known).items():
        if ends.first is not None:
            yield _session(key, ends)


def session_ends(
    query: Query,
    known: Catalogue,
    which: str,
    volunteers: str,
    values: Mapping[str, object],
    as_of: int | None = None,
) -> dict[SpanKey, Ends]:
    """Both ends of sessions, as far as they are known; arguments as for `recorded`."""
    types = ("CheckedIn", "CheckedOut")
    return _paired(_taken(query, types, which, volunteers, values, as_of), known)


def _taken(
    query: Query,
    types: Iterable[str],
    which: str,
    volunteers: str,
    values: Mapping[str, object],
    as_of: int | None,
) -> list[dict[str, Any]]:
    named = ", ".join(f"'{name}'" for name in types)
    return query(
        _TAKEN.format(volunteers=volunteers, types=named, which=which, known=if_asked(as_of)),
        **(dict(values) | as_known(as_of)),
    )


def _paired(rows: Iterable[Mapping[str, Any]], known: Catalogue) -> dict[SpanKey, Ends]:
    sessions: dict[SpanKey, Ends] = {}
    for row in rows:
        if row["grant_id"] or row["occurred"] is None:
            continue
        ends = sessions.setdefault(_key_of(row), Ends(row))
        at = happened(row, known)
        if row["sequence"] > ends.last["sequence"]:
            ends.last = row
        if row["type"] == "CheckedOut":
            insort(ends.outs, at)
        elif ends.first is None or (at, row["event_id"]) < (ends.start, ends.first["event_id"]):
            ends.first, ends.start = row, at
    return sessions


def _key_of(row: Mapping[str, Any]) -> SpanKey:
    return row["volunteer_id"], row["session_id"], row["grant_id"]


def happened(row: Mapping[str, Any], known: Catalogue) -> int:
    """When a check-in or check-out was, by a clock that is corrected (`ledger.lateness`)."""
    at: int = row["occurred"]
    if row["sent"] is None:
        return at
    ahead: int = row["sent"] - row["recorded"]
    return at if abs(ahead) <= skew_micros(row["recorded"], known) else at - ahead


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
        _key_of(row), row["type"], getattr(event, "start_at", 0), row["event_id"],
        getattr(event, "end_at", None), *_place(row),
    )  # fmt: skip
    entry.minutes = getattr(event, "minutes", None)
    entry.day = getattr(event, "service_date", None)
    return entry
