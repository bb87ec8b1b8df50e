"""Lines of events -> the broker -> one result a line, in the order of the lines."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from producers.connection import TopicState
from producers.errors import MalformedEvent
from producers.record import Record, record_of
from producers.sending.delivery import Delivery, Outcome
from producers.sending.lines import Line, recorded_fault
from schemas.events import CatalogueEvent, ClockTicked, Event, Transfer
from schemas.reasons import REASONS
from schemas.topics import CHECKINS, TOPIC_OF, TRANSFERS
from schemas.validity import Fault

_CATALOGUE_TYPES = get_args(CatalogueEvent)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one line. Accepted means acknowledged by the broker, in every partition;
    unknown, that it may be there or not, and can be sent again.

    `partition` and `offset` are None for a tick, which has one of each in `positions`.
    `recorded_at_ignored`: the line named a time, and the topic takes the broker's.
    """

    line: int
    status: Literal["accepted", "refused", "unknown"]
    event_id: str | None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    positions: tuple[tuple[int, int], ...] = ()
    code: str | None = None
    field: str | None = None
    value: str | None = None
    allowed: str | None = None
    recorded_at_ignored: bool = False


def result_json(result: Result) -> dict[str, Any]:
    """The machine-readable form; `zh` and `en` say what to do about a refusal."""
    reason = REASONS[result.code] if result.code is not None else None
    return {
        "line": result.line,
        "status": result.status,
        "event_id": result.event_id,
        "topic": result.topic,
        "partition": result.partition,
        "offset": result.offset,
        "positions": [list(position) for position in result.positions],
        "code": result.code,
        "field": result.field,
        "value": result.value,
        "allowed": result.allowed,
        "zh": reason.zh if reason else None,
        "en": reason.en if reason else None,
    }


def topics_of(*, catalogue_only: bool) -> list[str]:
    """The topics that `emit` may write to."""
    names = [kind.__name__ for kind in _CATALOGUE_TYPES] if catalogue_only else TOPIC_OF
    return sorted({TOPIC_OF[name] for name in names} - {TRANSFERS})


def emit(
    lines: Iterable[Line],
    delivery: Delivery,
    topics: Mapping[str, TopicState],
    *,
    catalogue_only: bool = False,
) -> Iterator[Result]:
    """Send the events of the lines; one result a line, in order. A bad line stops no other one."""
    parcels = (_parcel(line, topics, catalogue_only) for line in lines)
    for (line, fault), outcomes in delivery.deliver(parcels):
        yield _refused(line, fault) if fault else _result(line, outcomes, topics)


def _parcel(
    line: Line, topics: Mapping[str, TopicState], catalogue_only: bool
) -> tuple[tuple[Line, Fault | None], list[Record]]:
    if line.event is None:
        return (line, line.fault), []
    if isinstance(line.event, Transfer):
        allowed = "the worker alone writes transfers"
        return (line, Fault("wrong_topic", "type", type(line.event).__name__, allowed)), []
    if catalogue_only and not isinstance(line.event, _CATALOGUE_TYPES):
        allowed = ", ".join(kind.__name__ for kind in _CATALOGUE_TYPES)
        name = type(line.event).__name__
        return (line, Fault("wrong_topic", "type", name, allowed)), []
    try:
        fault, records = _records(line.event, line.recorded_at, topics)
    except MalformedEvent as malformed:
        return (line, malformed.faults[0]), []
    return (line, fault), records


def _records(
    event: Event, recorded_at: int | None, topics: Mapping[str, TopicState]
) -> tuple[Fault | None, list[Record]]:
    state = topics[TOPIC_OF[type(event).__name__]]
    timestamp_ms = None
    if state.producer_time and recorded_at is not None:
        latest = time.time_ns() // 1000 + state.ahead_ms_max * 1000
        if fault := recorded_fault(recorded_at, latest):
            return fault, []
        timestamp_ms = recorded_at // 1000
    record = record_of(event, timestamp_ms=timestamp_ms)
    if not isinstance(event, ClockTicked):
        return None, [record]
    # Time passes for every account, so every partition must hear of it.
    partitions = range(topics[CHECKINS].partitions)
    return None, [
        Record(record.topic, record.key, record.value, record.headers, partition, timestamp_ms)
        for partition in partitions
    ]


def _refused(line: Line, fault: Fault) -> Result:
    return Result(
        line.number,
        "refused",
        line.event_id,
        code=fault.code,
        field=fault.field,
        value=fault.value,
        allowed=fault.allowed,
    )


def _result(line: Line, outcomes: tuple[Outcome, ...], topics: Mapping[str, TopicState]) -> Result:
    topic = TOPIC_OF[type(line.event).__name__]
    ignored = line.recorded_at is not None and not topics[topic].producer_time
    positions = tuple(
        (o.partition, o.offset)
        for o in outcomes
        if o.partition is not None and o.offset is not None
    )
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    if errors:
        return Result(
            line.number,
            "unknown",
            line.event_id,
            topic,
            positions=positions,
            code="unacknowledged",
            value=errors[0][:200],
            recorded_at_ignored=ignored,
        )
    if isinstance(line.event, ClockTicked):
        return Result(line.number, "accepted", line.event_id, topic, None, None, positions,
                      recorded_at_ignored=ignored)  # fmt: skip
    partition, offset = positions[0]
    return Result(line.number, "accepted", line.event_id, topic, partition, offset,
                  recorded_at_ignored=ignored)  # fmt: skip
