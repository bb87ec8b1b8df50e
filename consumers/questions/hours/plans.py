"""Plan and actual: what was scheduled, who was expected, who came, what was served."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from consumers.questions.facts.catalogue_view import (
    PLACES,
    RULES,
    SHIFTS,
    catalogue,
    entity,
    published,
)
from consumers.questions.facts.sessions import Recorded, SpanKey, recorded
from consumers.questions.hours.totals import asked_for
from consumers.trail.query import Query, lines
from consumers.wording import moment
from ledger.catalogue.catalogue import Catalogue
from ledger.publish import publish
from schemas.events import CatalogueEvent, NoShowRecorded, ShiftScheduled
from schemas.times import MINUTE

_EVER_DAYS = 1 << 30
_SERVED = "l.kind != 'training' AND l.state != 'rejected'"
_SUMMED = ("planned_minutes", "minutes", "held_minutes", "attendances", "expected", "came",
          "absent", "no_shows", "walk_ins")  # fmt: skip


@dataclass(slots=True)
class _Shift:
    """A shift as planned, and what came of it; `None` stands for service outside all shifts."""

    event: ShiftScheduled | None
    cancelled: bool = False
    roster: set[str] | None = None
    no_shows: set[str] = field(default_factory=set)
    came: set[str] = field(default_factory=set)
    minutes: int = 0
    held_minutes: int = 0
    served: dict[tuple[str, str, int], int] = field(default_factory=lambda: defaultdict(int))


def plan(
    query: Query,
    project_id: str,
    now: int,
    as_of: int | None = None,
    from_date: int | None = None,
    to_date: int | None = None,
) -> dict[str, Any]:
    """A project's shifts and what was served in them, as known at `as_of`, for shifts that begin
    and service on local days in a span (days since 1970, both included); instants in UTC
    microseconds.

    `planned_minutes` = places × length, of shifts that have a number of places and were not
    cancelled. `expected` are those on the roster, `came` who has a session or an entry for the
    shift, `absent` who was expected, did not come, and the shift had ended `now`; `no_shows` are
    those recorded as such, `walk_ins` came to a shift with a roster they are not on. `minutes` and
    `attendances` are effective service (`consumers.questions.hours.measures`) of sessions that name
    the shift or, naming none of the project's, lie in it (`_nearest`); the row whose `shift_id` is
    null has the others.
    """
    known, shifts = _shifts(query, project_id, as_of)
    first = -_EVER_DAYS if from_date is None else from_date
    last = _EVER_DAYS if to_date is None else to_date
    chosen: dict[str | None, _Shift] = {
        shift_id: shift
        for shift_id, shift in shifts.items()
        if shift.event
        and first <= known.local_day(shift.event.site_id, shift.event.start_at) <= last
    }
    chosen[None] = _Shift(None)
    of_span = _join(query, project_id, known, chosen, shifts, as_of)
    _serve(query, project_id, chosen, of_span, as_of, first, last)
    rows = [_row(shift_id, shift, now) for shift_id, shift in chosen.items()]
    rows = [row for row in rows if row["shift_id"] or row["minutes"] or row["held_minutes"]]
    rows.sort(
        key=lambda row: (row["start_at"] is None, row["start_at"] or "", row["shift_id"] or "")
    )
    project = entity(query, "project", project_id, as_of)
    volunteers = {v for s in chosen.values() for (v, _, _), n in s.served.items() if n > 0}
    return {
        "project_id": project_id,
        "published": bool(project),
        "name": project.get("name"),
        **asked_for(as_of, from_date, to_date),
        "shift_count": len(chosen) - 1,
        "cancelled": sum(shift.cancelled for shift in chosen.values()),
        **_sums(rows),
        "volunteers": len(volunteers),
        "shifts": rows,
        "sites": [
            {"site_id": site, **_sums(row for row in rows if row["site_id"] == site)}
            for site in sorted({row["site_id"] for row in rows}, key=lambda site: site or "")
        ],
    }


def _shifts(
    query: Query, project_id: str, as_of: int | None
) -> tuple[Catalogue, dict[str, _Shift]]:
    """The places of the catalogue, and the project's shifts with their rosters."""
    known = catalogue(query, (*PLACES, *RULES), as_of)
    newest: dict[str, ShiftScheduled] = {}
    no_shows = defaultdict[str, set[str]](set)
    events: list[CatalogueEvent] = published(query, SHIFTS, as_of, project_id)
    for event in events:
        if publish(known, event) is None and isinstance(event, ShiftScheduled):
            newest[event.shift_id] = event
        if isinstance(event, NoShowRecorded):
            no_shows[event.shift_id].add(event.volunteer_id)
    return known, {
        shift_id: _Shift(
            event, shift_id in known.cancelled, known.rosters.get(shift_id), no_shows[shift_id]
        )
        for shift_id, event in newest.items()
        if event.project_id == project_id
    }


def _day(known: Catalogue, shift: _Shift) -> int:
    event = shift.event
    assert event is not None
    return known.local_day(event.site_id, event.start_at)


def _join(
    query: Query,
    project_id: str,
    known: Catalogue,
    chosen: dict[str | None, _Shift],
    shifts: dict[str, _Shift],
    as_of: int | None,
) -> dict[SpanKey, str | None]:
    """The shift of each session or entry; notes who came to which."""
    own = "project_id = {project_id:String}"
    spans = recorded(query, known, own, {"project_id": project_id}, as_of)
    of_span: dict[SpanKey, str | None] = {}
    for span in spans:
        shift_id = span.shift_id if span.shift_id in shifts else _nearest(span, shifts)
        of_span[span.key] = shift_id
        if shift_id in chosen and shift_id is not None:
            chosen[shift_id].came.add(span.key[0])
    return of_span


def _nearest(span: Recorded, shifts: Mapping[str, _Shift]) -> str | None:
    """The shift of its activity, at its site if both name one, that a session which names none
    shares most time with; of equals the earlier."""
    if span.end is None:
        return None
    found: list[tuple[int, int, str]] = []
    for shift_id, shift in shifts.items():
        event = shift.event
        if event is None or shift.cancelled or event.activity_id != span.activity_id:
            continue
        if span.site_id and event.site_id and span.site_id != event.site_id:
            continue
        shared = min(span.end, event.end_at) - max(span.start, event.start_at)
        if shared > 0:
            found.append((-shared, event.start_at, shift_id))
    return min(found)[2] if found else None


def _serve(
    query: Query,
    project_id: str,
    chosen: dict[str | None, _Shift],
    of_span: dict[SpanKey, str | None],
    as_of: int | None,
    first: int,
    last: int,
) -> None:
    """Add the project's lines to their shifts."""
    some = lines(as_of, project_id=project_id)
    rows = query(
        "SELECT l.volunteer_id AS volunteer_id, l.session_id AS session_id, "
        "l.grant_id AS grant_id, l.activity_id AS activity_id, toInt32(l.service_date) AS day, "
        "toString(l.state) AS state, sum(l.minutes) AS n FROM line AS l "
        f"WHERE {some.where(_SERVED)} "
        "GROUP BY volunteer_id, session_id, grant_id, activity_id, day, state HAVING n != 0",
        **some.values,
    )
    for row in rows:
        shift_id = of_span.get((row["volunteer_id"], row["session_id"], row["grant_id"]))
        # A shift takes all of its service, also what reaches into the next day.
        if shift_id is None and not first <= row["day"] <= last:
            continue
        shift = chosen.get(shift_id)
        if shift is None:
            continue
        if row["state"] == "effective":
            shift.minutes += row["n"]
            shift.served[row["volunteer_id"], row["activity_id"], row["day"]] += row["n"]
        else:
            shift.held_minutes += row["n"]


def _row(shift_id: str | None, shift: _Shift, now: int) -> dict[str, Any]:
    event, roster = shift.event, shift.roster
    length = 0 if event is None else (event.end_at - event.start_at) // MINUTE
    places = None if event is None or shift.cancelled else event.capacity
    over = event is not None and event.end_at <= now and not shift.cancelled
    return {
        "shift_id": shift_id,
        "activity_id": event and event.activity_id,
        "site_id": event and event.site_id,
        "start_at": event and moment(event.start_at),
        "end_at": event and moment(event.end_at),
        "cancelled": shift.cancelled,
        "places": places,
        "planned_minutes": (places or 0) * length,
        "minutes": shift.minutes,
        "held_minutes": shift.held_minutes,
        "attendances": sum(minutes > 0 for minutes in shift.served.values()),
        "expected": len(roster or ()),
        "came": len(shift.came),
        "absent": len((roster or set()) - shift.came) if over else 0,
        "no_shows": len(shift.no_shows),
        "walk_ins": 0 if roster is None else len(shift.came - roster),
    }


def _sums(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    kept = list(rows)
    return {name: sum(row[name] for row in kept) for name in _SUMMED}
