"""The auditors' questions about single events: why a number is what it is, and what an event did.

Nothing that happened to a volunteer is left out: events that wait for the worker, and those in
quarantine, are part of the answer to "why is my hour missing?".
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from consumers.questions.facts.catalogued import outcomes, said_of
from consumers.questions.facts.persons import counted_by
from consumers.questions.hours.history_rows import (
    LOOKED_UP_AT_ONCE,
    Source,
    effective_minutes,
    event_row,
    left_out_of,
    place_text,
    posted_source,
    source_of,
    with_lines,
)
from consumers.questions.hours.totals import asked_for, decoded, quarantine_of, quarantine_with_key
from consumers.trail.query import Query, as_known, if_asked
from schemas.times import DAY, HOUR
from schemas.topics import CATALOGUE, FACTS

_EVER_DAYS = 1 << 30
_CHINA = 8 * HOUR

_EVENTS = (
    "SELECT topic, partition, offset, type, fault, event_id, volunteer_id, session_id, grant_id, "
    "toUnixTimestamp64Micro(recorded_at) AS recorded, toUnixTimestamp64Micro(occurred_at) "
    "AS occurred, toUnixTimestamp64Micro(sent_at) AS sent, reason, channel, device_id, app, "
    "offline, actor_id, actor_role, actor_org_id, approver_id, approver_role, approver_org_id, "
    "evidence{also} FROM event WHERE {where} ORDER BY topic, partition, offset"
)
_POSTINGS = (
    "SELECT partition, offset, posting_index, source_topic, source_partition, source_offset, "
    "event_id, event_type, volunteer_id, sequence, toUnixTimestamp64Micro(occurred_at) AS "
    "occurred, toUnixTimestamp64Micro(recorded_at) AS recorded, actor_id, catalogue_offset, "
    "outcome, reason, balance_minutes FROM posting WHERE {where} "
    "ORDER BY volunteer_id, sequence, partition, offset"
)
_LINES = (
    "SELECT partition, offset, line_no, session_id, grant_id, recording_org_id, host_org_id, "
    "project_id, site_id, activity_id, toInt32(service_date) AS day, minutes, kind, state, policy "
    "FROM line WHERE {where} ORDER BY partition, offset, line_no"
)


def explain(
    query: Query,
    volunteer_id: str,
    as_of: int | None = None,
    from_date: int | None = None,
    to_date: int | None = None,
    exact: bool = False,
) -> dict[str, Any]:
    """Everything that happened to one volunteer, in the ledger's order, as known at `as_of`.

    `postings` has every posting with its event, actor, three times, positions, reason and lines,
    also those without lines (held, refused, duplicate); the effective lines of service, manual
    and import sum to `balance_minutes`. `waiting` are events the worker has not judged yet,
    `quarantined` what never entered the ledger.

    `from_date` and `to_date` (days since 1970, both included) leave only lines of these service
    days, and postings that have such lines or, without any line, happened on these days in China;
    `balance_minutes` is the sum of what is left, as in `total`. Of a registration that another one
    absorbed the other one's are told, and `asked_for` is whom was asked for; `exact`: that very
    registration.
    """
    asked_id = volunteer_id
    if not exact:
        volunteer_id = counted_by(query, volunteer_id, as_of)
    span = range(
        -_EVER_DAYS if from_date is None else from_date,
        (_EVER_DAYS if to_date is None else to_date) + 1,
    )
    where = "volunteer_id = {volunteer_id:String}" + if_asked(as_of)
    asked: dict[str, Any] = {"volunteer_id": volunteer_id, **as_known(as_of)}
    postings = query(_POSTINGS.format(where=where), **asked)
    lines = query(_LINES.format(where=where), **asked)
    events = query(_EVENTS.format(also="", where=where), **asked)
    by_source = {source_of(event): event for event in events}
    judged = {posted_source(posting) for posting in postings}
    by_source |= _events_at(query, judged - by_source.keys())
    quarantined = quarantine_with_key(query, volunteer_id, as_of)
    done = {place_text(source) for source in judged} | {bad["source"] for bad in quarantined}
    late = [source for source in map(source_of, events) if place_text(source) not in done]
    done |= {place_text(source) for source in _sent_on(query, late)}
    within = [line for line in lines if line["day"] in span]
    moved = {(line["partition"], line["offset"]) for line in lines}
    kept = {(line["partition"], line["offset"]) for line in within}
    return {
        "volunteer_id": volunteer_id,
        "asked_for": asked_id,
        **asked_for(as_of, from_date, to_date),
        "balance_minutes": effective_minutes(within),
        "postings": with_lines(
            [
                posting
                for posting in postings
                if (place := (posting["partition"], posting["offset"])) in kept
                or (place not in moved and _happened_in(span, posting))
            ],
            within,
            by_source,
            left_out_of(query, postings),
        ),
        "waiting": [
            event_row(event)
            for event in events
            if event["topic"] in FACTS
            and place_text(source_of(event)) not in done
            and _happened_in(span, event)
        ],
        "quarantined": quarantined,
    }


def _sent_on(query: Query, sources: Sequence[Source]) -> list[Source]:
    """Those of some records that were sent on to another partition, and are judged there."""
    if not sources:
        return []
    rows = query(
        "SELECT source_topic, source_partition, source_offset FROM posting "
        "WHERE volunteer_id = '' AND reason = 'wrong_partition' "
        "AND (source_topic, source_partition, source_offset) "
        "IN {places:Array(Tuple(String, Int64, Int64))}",
        places=list(sources),
    )
    return [posted_source(row) for row in rows]


def _happened_in(span: range, row: Mapping[str, Any]) -> bool:
    """By China's date; what has no time that can be is in every span."""
    return row["occurred"] is None or (row["occurred"] + _CHINA) // DAY in span


def trace(query: Query, event_id: str) -> dict[str, Any]:
    """Every copy of an event in the log, and what each of them did to the ledger.

    A copy has its position, times, content as JSON, `postings` with lines and the change of the
    balance, and its quarantine records; one with neither waits for the worker. A copy on the
    catalogue has no postings: `catalogue` says whether it is in force, or refused and why. `copies`
    is empty for an event never heard of.
    """
    where = "event_id = {event_id:String}"
    also = ", hex(value) AS value_hex"
    copies = query(_EVENTS.format(also=also, where=where), event_id=event_id)
    postings = query(_POSTINGS.format(where=where), event_id=event_id)
    by_source = {source_of(copy): copy for copy in copies}
    rows = left_out_of(query, postings)
    explained = with_lines(postings, _lines_of(query, postings), by_source, rows)
    posted, quarantined = defaultdict(list), defaultdict(list)
    for posting in explained:
        posted[posting["source"]].append(posting)
    for bad in quarantine_of(query, by_source):
        quarantined[bad["source"]].append(bad)
    named = any(source[0] == CATALOGUE for source in by_source)
    found = {one.offset: one for one in outcomes(query)} if named else {}
    return {
        "event_id": event_id,
        "copies": [
            event_row(copy)
            | {
                "catalogue": said_of(found.get(source[2])) if source[0] == CATALOGUE else None,
                "event": decoded(copy["value_hex"]),
                "postings": posted.pop(place_text(source), []),
                "quarantined": quarantined[place_text(source)],
            }
            for source, copy in by_source.items()
        ],
        "postings_without_event": [posting for rest in posted.values() for posting in rest],
    }


def _events_at(query: Query, sources: Iterable[Source]) -> dict[Source, dict[str, Any]]:
    """The events at these positions; a tick, for one, is no volunteer's own."""
    found, wanted = {}, sorted(sources)
    for first in range(0, len(wanted), LOOKED_UP_AT_ONCE):
        where = "(topic, partition, offset) IN {sources:Array(Tuple(String, Int64, Int64))}"
        rows = query(
            _EVENTS.format(also="", where=where),
            sources=wanted[first : first + LOOKED_UP_AT_ONCE],
        )
        found.update({source_of(row): row for row in rows})
    return found


def _lines_of(query: Query, postings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for first in range(0, len(postings), LOOKED_UP_AT_ONCE):
        some = postings[first : first + LOOKED_UP_AT_ONCE]
        where = (
            "volunteer_id IN {volunteers:Array(String)} "
            "AND (partition, offset) IN {records:Array(Tuple(Int64, Int64))}"
        )
        lines += query(
            _LINES.format(where=where),
            volunteers=sorted({posting["volunteer_id"] for posting in some}),
            records=[(posting["partition"], posting["offset"]) for posting in some],
        )
    return lines
