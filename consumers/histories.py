"""The auditors' questions about single events: why a number is what it is, and what an event did.

Nothing that happened to a volunteer is left out: events that wait for the worker, and those in
quarantine, are part of the answer to "why is my hour missing?".
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from consumers.catalogued import outcomes, said_of
from consumers.persons import counted_by
from consumers.query import Query, as_known, if_asked
from consumers.questions import asked_for, decoded, quarantine_of, quarantine_with_key
from consumers.wording import moment, reason_texts
from schemas.codec import decode_event
from schemas.events import HoursImported
from schemas.times import DAY, HOUR, iso_date
from schemas.topics import CATALOGUE, FACTS, POSTINGS

Source = tuple[str, int, int]
"""Topic, partition and offset of an input record."""

_LOOKED_UP_AT_ONCE = 1_000
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
    by_source = {_source(event): event for event in events}
    judged = {_posted_source(posting) for posting in postings}
    by_source |= _events_at(query, judged - by_source.keys())
    quarantined = quarantine_with_key(query, volunteer_id, as_of)
    done = {_text(source) for source in judged} | {bad["source"] for bad in quarantined}
    late = [source for source in map(_source, events) if _text(source) not in done]
    done |= {_text(source) for source in _sent_on(query, late)}
    within = [line for line in lines if line["day"] in span]
    moved = {(line["partition"], line["offset"]) for line in lines}
    kept = {(line["partition"], line["offset"]) for line in within}
    return {
        "volunteer_id": volunteer_id,
        "asked_for": asked_id,
        **asked_for(as_of, from_date, to_date),
        "balance_minutes": _effective_minutes(within),
        "postings": _with_lines(
            [
                posting
                for posting in postings
                if (place := (posting["partition"], posting["offset"])) in kept
                or (place not in moved and _happened_in(span, posting))
            ],
            within,
            by_source,
            _left_out(query, postings),
        ),
        "waiting": [
            _event(event)
            for event in events
            if event["topic"] in FACTS
            and _text(_source(event)) not in done
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
    return [_posted_source(row) for row in rows]


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
    by_source = {_source(copy): copy for copy in copies}
    rows = _left_out(query, postings)
    explained = _with_lines(postings, _lines_of(query, postings), by_source, rows)
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
            _event(copy)
            | {
                "catalogue": said_of(found.get(source[2])) if source[0] == CATALOGUE else None,
                "event": decoded(copy["value_hex"]),
                "postings": posted.pop(_text(source), []),
                "quarantined": quarantined[_text(source)],
            }
            for source, copy in by_source.items()
        ],
        "postings_without_event": [posting for rest in posted.values() for posting in rest],
    }


def _effective_minutes(lines: Iterable[Mapping[str, Any]]) -> int:
    return sum(
        line["minutes"]
        for line in lines
        if line["state"] == "effective" and line["kind"] != "training"
    )


def _with_lines(
    postings: Sequence[Mapping[str, Any]],
    lines: Iterable[Mapping[str, Any]],
    events: Mapping[Source, Mapping[str, Any]],
    left_out: Mapping[Source, dict[str, Any]],
) -> list[dict[str, Any]]:
    of_posting: defaultdict[tuple[int, int], list[Mapping[str, Any]]] = defaultdict(list)
    for line in lines:
        of_posting[line["partition"], line["offset"]].append(line)
    explained = []
    for posting in postings:
        own = of_posting[posting["partition"], posting["offset"]]
        event = events.get(_posted_source(posting))
        explained.append(
            {
                "sequence": posting["sequence"],
                "volunteer_id": posting["volunteer_id"],
                "event_id": posting["event_id"],
                "event_type": posting["event_type"],
                "outcome": posting["outcome"],
                "reason": posting["reason"] or None,
                **(reason_texts(posting["reason"]) if posting["reason"] else {}),
                "actor": _actor(event or {}, "actor") or {"id": posting["actor_id"] or None},
                "approver": _actor(event or {}, "approver"),
                "occurred_at": moment(posting["occurred"]),
                "sent_at": moment(event["sent"]) if event else None,
                "recorded_at": moment(posting["recorded"]),
                "source": _text(_posted_source(posting)),
                "record": f"{POSTINGS}/{posting['partition']}/{posting['offset']}",
                "index": posting["posting_index"],
                "catalogue_offset": posting["catalogue_offset"],
                "change_minutes": _effective_minutes(own),
                "balance_minutes": posting["balance_minutes"],
                "lines": [_line(line) for line in own],
                "left_out": left_out.get(_posted_source(posting)),
            }
        )
    return explained


def _left_out(query: Query, postings: Iterable[Mapping[str, Any]]) -> dict[Source, dict[str, Any]]:
    """The rows of other systems that were not taken over: which they are, and of how much."""
    sources = [
        _posted_source(posting)
        for posting in postings
        if posting["event_type"] == "HoursImported" and posting["outcome"] not in {"posted", "held"}
    ]
    found = {}
    for first in range(0, len(sources), _LOOKED_UP_AT_ONCE):
        for row in query(
            "SELECT topic, partition, offset, hex(value) AS value_hex FROM event WHERE "
            "(topic, partition, offset) IN {sources:Array(Tuple(String, Int64, Int64))}",
            sources=sources[first : first + _LOOKED_UP_AT_ONCE],
        ):
            event = decode_event(bytes.fromhex(row["value_hex"]))
            if not isinstance(event, HoursImported):
                continue
            found[_source(row)] = {
                "source_system": event.source_system,
                "batch_id": event.batch_id,
                "row_hash": event.row_hash,
                "service_date": iso_date(event.service_date),
                "minutes": event.minutes,
            }
    return found


def _line(line: Mapping[str, Any]) -> dict[str, Any]:
    names = ("session_id", "grant_id", "recording_org_id", "host_org_id", "project_id")
    return {
        "line_no": line["line_no"],
        **{name: line[name] or None for name in (*names, "site_id", "activity_id")},
        "service_date": iso_date(line["day"]),
        **{name: line[name] for name in ("minutes", "kind", "state", "policy")},
    }


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    names = ("volunteer_id", "session_id", "grant_id", "reason", "channel", "device_id", "app")
    return {
        "source": _text(_source(event)),
        "type": event["type"],
        "event_id": event["event_id"],
        **{name: event[name] or None for name in names},
        "offline": event["offline"],
        "actor": _actor(event, "actor"),
        "approver": _actor(event, "approver"),
        "occurred_at": moment(event["occurred"]),
        "sent_at": moment(event["sent"]),
        "recorded_at": moment(event["recorded"]),
        "evidence": list(event["evidence"]),
    }


def _actor(event: Mapping[str, Any], who: str) -> dict[str, Any] | None:
    if not event.get(f"{who}_id"):
        return None
    return {part: event[f"{who}_{part}"] or None for part in ("id", "role", "org_id")}


def _events_at(query: Query, sources: Iterable[Source]) -> dict[Source, dict[str, Any]]:
    """The events at these positions; a tick, for one, is no volunteer's own."""
    found, wanted = {}, sorted(sources)
    for first in range(0, len(wanted), _LOOKED_UP_AT_ONCE):
        where = "(topic, partition, offset) IN {sources:Array(Tuple(String, Int64, Int64))}"
        rows = query(
            _EVENTS.format(also="", where=where),
            sources=wanted[first : first + _LOOKED_UP_AT_ONCE],
        )
        found.update({_source(row): row for row in rows})
    return found


def _lines_of(query: Query, postings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for first in range(0, len(postings), _LOOKED_UP_AT_ONCE):
        some = postings[first : first + _LOOKED_UP_AT_ONCE]
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


def _source(event: Mapping[str, Any]) -> Source:
    return event["topic"], event["partition"], event["offset"]


def _posted_source(posting: Mapping[str, Any]) -> Source:
    return posting["source_topic"], posting["source_partition"], posting["source_offset"]


def _text(source: Source) -> str:
    return f"{source[0]}/{source[1]}/{source[2]}"
