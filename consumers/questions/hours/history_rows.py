"""How postings, lines and events stand in an answer of `consumers.questions.hours.histories`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from consumers.trail.query import Query
from consumers.wording import moment, reason_texts
from schemas.events import HoursImported
from schemas.times import iso_date
from schemas.topics import POSTINGS
from schemas.wire.codec import decode_event

Source = tuple[str, int, int]
"""Topic, partition and offset of an input record."""

LOOKED_UP_AT_ONCE = 1_000


def effective_minutes(lines: Iterable[Mapping[str, Any]]) -> int:
    """What counts of some lines."""
    return sum(
        line["minutes"]
        for line in lines
        if line["state"] == "effective" and line["kind"] != "training"
    )


def with_lines(
    postings: Sequence[Mapping[str, Any]],
    lines: Iterable[Mapping[str, Any]],
    events: Mapping[Source, Mapping[str, Any]],
    left_out: Mapping[Source, dict[str, Any]],
) -> list[dict[str, Any]]:
    """The postings with their events, lines and left-out rows, as answers show them."""
    of_posting: defaultdict[tuple[int, int], list[Mapping[str, Any]]] = defaultdict(list)
    for line in lines:
        of_posting[line["partition"], line["offset"]].append(line)
    explained = []
    for posting in postings:
        own = of_posting[posting["partition"], posting["offset"]]
        event = events.get(posted_source(posting))
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
                "source": place_text(posted_source(posting)),
                "record": f"{POSTINGS}/{posting['partition']}/{posting['offset']}",
                "index": posting["posting_index"],
                "catalogue_offset": posting["catalogue_offset"],
                "change_minutes": effective_minutes(own),
                "balance_minutes": posting["balance_minutes"],
                "lines": [_line(line) for line in own],
                "left_out": left_out.get(posted_source(posting)),
            }
        )
    return explained


def left_out_of(
    query: Query, postings: Iterable[Mapping[str, Any]]
) -> dict[Source, dict[str, Any]]:
    """The rows of other systems that were not taken over: which they are, and of how much."""
    sources = [
        posted_source(posting)
        for posting in postings
        if posting["event_type"] == "HoursImported" and posting["outcome"] not in {"posted", "held"}
    ]
    found = {}
    for first in range(0, len(sources), LOOKED_UP_AT_ONCE):
        for row in query(
            "SELECT topic, partition, offset, hex(value) AS value_hex FROM event WHERE "
            "(topic, partition, offset) IN {sources:Array(Tuple(String, Int64, Int64))}",
            sources=sources[first : first + LOOKED_UP_AT_ONCE],
        ):
            event = decode_event(bytes.fromhex(row["value_hex"]))
            if not isinstance(event, HoursImported):
                continue
            found[source_of(row)] = {
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


def event_row(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event as answers show it."""
    names = ("volunteer_id", "session_id", "grant_id", "reason", "channel", "device_id", "app")
    return {
        "source": place_text(source_of(event)),
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


def source_of(event: Mapping[str, Any]) -> Source:
    """Where an event lies."""
    return event["topic"], event["partition"], event["offset"]


def posted_source(posting: Mapping[str, Any]) -> Source:
    """Where the event of a posting lies."""
    return posting["source_topic"], posting["source_partition"], posting["source_offset"]


def place_text(source: Source) -> str:
    """A position as `topic/partition/offset`."""
    return f"{source[0]}/{source[1]}/{source[2]}"
