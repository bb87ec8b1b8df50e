"""What an organisation recorded and what counts of it: gross, net, and where the rest went.

Gross is each session from check-in to check-out and each entry as it was recorded, as if it were
all there is. Net is what the ledger credits. An overlap is therefore in the gross of both
organisations and in the net of one.
"""

from collections.abc import Iterable
from typing import Any, Literal

from consumers.questions.facts.catalogue_view import PLACES, RULES, catalogue, entity, published
from consumers.questions.facts.sessions import Recorded, recorded
from consumers.questions.hours.measures import By, breakdown, measures
from consumers.questions.hours.totals import asked_for
from consumers.trail.query import Column, Query, lines
from ledger.catalogue.catalogue import Catalogue
from schemas.events import GroupAttendanceRecorded
from schemas.times import DAY, HOUR, MINUTE

Role = Literal["recorder", "host"]

_COLUMNS: dict[Role, Column] = {"recorder": "recording_org_id", "host": "host_org_id"}
_EVER_DAYS = 1 << 30
_EARLIER_DAYS = 2
"""Civil days and clocks differ by less."""


def org(
    query: Query,
    org_id: str,
    as_of: int | None = None,
    from_date: int | None = None,
    to_date: int | None = None,
    by: By | list[By] | None = None,
) -> dict[str, Any]:
    """An organisation's service, as recorder and as host, as known at `as_of` (UTC microseconds),
    of service days in a span (days since 1970, both included).

    For each role `gross` and `net` have minutes, attendances, volunteers and training_minutes
    (`consumers.questions.hours.measures`). gross = net + held_minutes + rejected_minutes +
    reduced_minutes, where reduced is what overlap, voids, corrections and the policy took (below 0:
    a correction added). `open_sessions` have no end and are in neither. `anonymous_heads` are
    people that were counted without names (GroupAttendanceRecorded); nobody's hours. `breakdown` is
    of the recorder's net.
    """
    found = entity(query, "org", org_id, as_of)
    some = lines(as_of, from_date, to_date, recording_org_id=org_id)
    known = catalogue(query, (*PLACES, *RULES), as_of)
    spans = _spans(query, known, org_id, as_of, from_date, to_date)
    nets = {
        role: measures(query, lines(as_of, from_date, to_date, **{column: org_id}))
        for role, column in _COLUMNS.items()
    }
    return {
        "org_id": org_id,
        "name": found.get("name"),
        "kind": found.get("category"),
        "region": found.get("region"),
        "parent_org_id": found.get("parent_id"),
        **asked_for(as_of, from_date, to_date),
        **{
            role: _in_role(
                nets[role],
                [span for span in spans if getattr(span, column) == org_id],
                known,
                from_date,
                to_date,
            )
            for role, column in _COLUMNS.items()
        },
        "anonymous_heads": _heads(query, org_id, as_of, from_date, to_date),
        "breakdown": None if by is None else breakdown(query, some, by, as_of),
    }


def _in_role(
    net: dict[str, int],
    spans: Iterable[Recorded],
    known: Catalogue,
    from_date: int | None,
    to_date: int | None,
) -> dict[str, Any]:
    gross, open_sessions = _gross(spans, known, from_date, to_date)
    held, rejected = net.pop("held_minutes"), net.pop("rejected_minutes")
    return {
        "gross": gross,
        "net": net,
        "held_minutes": held,
        "rejected_minutes": rejected,
        "reduced_minutes": (
            gross["minutes"] + gross["training_minutes"]
            - net["minutes"] - net["training_minutes"] - held - rejected
        ),
        "open_sessions": open_sessions,
    }  # fmt: skip


def _spans(
    query: Query,
    known: Catalogue,
    org_id: str,
    as_of: int | None,
    from_date: int | None,
    to_date: int | None,
) -> list[Recorded]:
    """What was recorded by the organisation or at it, at least all of the service days asked for;
    both roles at once, for mostly they are one."""
    values: dict[str, object] = {"org_id": org_id}
    own = "(recording_org_id = {org_id:String} OR host_org_id = {org_id:String})"
    if from_date is not None:
        # What is recorded has happened: earlier records are of earlier days.
        own += " AND toUnixTimestamp64Micro(recorded_at) >= {since:Int64}"
        values["since"] = (from_date - _EARLIER_DAYS) * DAY
    if to_date is not None:
        # A session's ends come within its policy's late window, or are not taken; entries say when.
        late = max(p.late_event_window_minutes for p in known.labelled.values()) * MINUTE
        own += (
            " AND if(session_id != '', toUnixTimestamp64Micro(recorded_at) <= {until:Int64}, "
            "start_at IS NULL OR toUnixTimestamp64Micro(start_at) <= {begun:Int64})"
        )
        values["begun"] = (to_date + _EARLIER_DAYS) * DAY
        values["until"] = (to_date + _EARLIER_DAYS) * DAY + late
    return list(recorded(query, known, own, values, as_of))


def _gross(
    spans: Iterable[Recorded], known: Catalogue, from_date: int | None, to_date: int | None
) -> tuple[dict[str, int], int]:
    """The measures of everything recorded, and the sessions without an end."""
    first = -_EVER_DAYS if from_date is None else from_date
    last = _EVER_DAYS if to_date is None else to_date
    minutes = training = open_sessions = 0
    attended = set[tuple[str, str, int]]()
    for span in spans:
        if span.end is None and span.minutes is None:
            open_sessions += first <= known.local_day(span.site_id, span.start) <= last
        for day, served in span.by_day(known):
            if not first <= day <= last:
                continue
            if span.type == "TrainingRecorded":
                training += served
            else:
                minutes += served
                if served:
                    attended.add((span.key[0], span.activity_id, day))
    return {
        "minutes": minutes,
        "attendances": len(attended),
        "volunteers": len({volunteer_id for volunteer_id, _, _ in attended}),
        "training_minutes": training,
    }, open_sessions


def _heads(
    query: Query, org_id: str, as_of: int | None, from_date: int | None, to_date: int | None
) -> int:
    """Heads by China's date: a count of heads names no site."""
    first = -_EVER_DAYS if from_date is None else from_date
    last = _EVER_DAYS if to_date is None else to_date
    return sum(
        event.headcount
        for event in published(query, ("GroupAttendanceRecorded",), as_of)
        if isinstance(event, GroupAttendanceRecorded)
        and event.recording_org_id == org_id
        and first <= (event.start_at + 8 * HOUR) // DAY <= last
    )
