"""A request's events -> Kafka -> one result each: accepted, duplicate or rejected."""

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from producers.errors import MalformedEvent, ProducerError
from producers.gateway.apps import App, Scope
from producers.gateway.body import Item
from producers.gateway.entitled import not_entitled, wrong_path
from producers.gateway.memory import Known, Memory
from producers.gateway.sender import NotAllPlaced, Sender
from producers.gateway.sentences import fix_of
from producers.record import Record, record_of
from producers.sending.lines import event_of
from schemas.events import Event
from schemas.personal import has_name, has_number
from schemas.times import rfc3339
from schemas.validity import Fault
from schemas.wire.codec import encode
from schemas.wire.jsonform import BadEvent

PRINCIPAL: Final = "shilu_principal"
RECEIVED_AT: Final = "shilu_received_at"
SKEW: Final = "shilu_skew_ms"
"""Headers: who spoke, when the gateway received it, and how far the sender's clock is behind."""

_ALL_FOR_ONE: Final = {"not_entitled": 403, "event_id_conflict": 409}
"""HTTP statuses where every event is rejected for that reason."""

Status = Literal["accepted", "duplicate", "rejected"]


class KafkaAway(Exception):
    """Not everything was acknowledged; the same request may be sent again."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one event; `known` is what the gateway accepted before under its id."""

    index: int
    event_id: str | None
    status: Status
    fault: Fault | None = None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    known: Known | None = None


@dataclass(frozen=True, slots=True)
class _Wanted:
    index: int
    event: Event
    record: Record
    digest: bytes


class Intake:
    """Takes in the events of requests, from any thread."""

    def __init__(self, sender: Sender, memory: Memory, *, wait_seconds: float = 10.0) -> None:
        self._sender = sender
        self._memory = memory
        self._wait_seconds = wait_seconds

    def take(self, items: Sequence[Item], app: App, scope: Scope, now: int) -> list[Result]:
        """One result an event, in order; accepted means acknowledged by all replicas.

        `now` in microseconds since 1970 UTC. Raises KafkaAway.
        """
        results: dict[int, Result] = {}
        wanted: list[_Wanted] = []
        for index, item in enumerate(items):
            found = _looked_at(index, item, app, scope, now)
            if isinstance(found, Result):
                results[index] = found
            else:
                wanted.append(found)
        event_ids = list(dict.fromkeys(one.event.event_id for one in wanted))
        with self._memory.claim(event_ids, self._wait_seconds) as claimed:
            if not claimed:
                raise KafkaAway("the same events are still under way")
            results |= self._sent(wanted, event_ids, app, now)
        return [results[index] for index in range(len(items))]

    def _sent(
        self, wanted: list[_Wanted], event_ids: list[str], app: App, now: int
    ) -> dict[int, Result]:
        known = self._memory.known(event_ids)
        results: dict[int, Result] = {}
        new: dict[str, _Wanted] = {}
        again: list[_Wanted] = []
        for one in wanted:
            event_id = one.event.event_id
            before = known.get(event_id)
            digest = new[event_id].digest if event_id in new else before and before.digest
            if digest is not None and digest != one.digest:
                results[one.index] = _conflict(one, before, app)
            elif event_id in new:
                again.append(one)
            elif before is not None and before.partition is not None:
                results[one.index] = _duplicate(one, before)
            else:
                new[event_id] = one
        placed = self._deliver(list(new.values()), app, now)
        for event_id, one in new.items():
            partition, offset = placed[event_id].partition, placed[event_id].offset
            results[one.index] = Result(one.index, event_id, "accepted", None, one.record.topic,
                                        partition, offset)  # fmt: skip
        for one in again:
            results[one.index] = _duplicate(one, placed[one.event.event_id])
        return results

    def _deliver(self, new: list[_Wanted], app: App, now: int) -> dict[str, Known]:
        if not new:
            return {}
        about = [
            Known(one.event.event_id, one.digest, app.name, rfc3339(now), one.record.topic)
            for one in new
        ]
        # Before it is sent: whatever happens then, another content is told apart from it.
        self._memory.remember(about)
        failed: Exception | None = None
        try:
            placed = dict(enumerate(self._sender.send([one.record for one in new])))
        except NotAllPlaced as error:
            placed, failed = error.placed, error
        except ProducerError as error:
            placed, failed = {}, error
        there = [
            dataclasses.replace(about[place], partition=partition, offset=offset)
            for place, (partition, offset) in placed.items()
        ]
        self._memory.remember(there)
        if failed is not None:
            raise KafkaAway(str(failed)) from failed
        return {known.event_id: known for known in there}


def _looked_at(index: int, item: Item, app: App, scope: Scope, now: int) -> Result | _Wanted:
    event_id = _event_id(item.given)
    if item.fault is not None:
        return Result(index, event_id, "rejected", item.fault)
    try:
        event = event_of(item.given)
        record = record_of(event)
    except BadEvent as bad:
        return Result(index, event_id, "rejected", bad.faults[0])
    except MalformedEvent as malformed:
        return Result(index, event_id, "rejected", malformed.faults[0])
    if fault := wrong_path(event, scope) or not_entitled(event, app):
        return Result(index, event_id, "rejected", fault)
    headers = [*record.headers, *_headers(event, app, now)]
    return _Wanted(index, event, dataclasses.replace(record, headers=headers), _digest(event))


def _event_id(given: Any) -> str | None:
    """As far as it can be told; never again what may be personal."""
    event_id = given.get("event_id") if isinstance(given, dict) else None
    if not isinstance(event_id, str) or has_number(event_id) or has_name(event_id):
        return None
    return event_id[:64]


def _headers(event: Event, app: App, now: int) -> list[tuple[str, bytes]]:
    said = {PRINCIPAL: app.principal, RECEIVED_AT: rfc3339(now, 0)}
    sent_at = getattr(event, "sent_at", None)
    if sent_at is not None:
        said[SKEW] = str((now - sent_at) // 1000)
    return [(name, value.encode()) for name, value in said.items()]


def _digest(event: Event) -> bytes:
    """Of all that an event says, but when it was sent: that may differ when it is sent again."""
    if getattr(event, "sent_at", None) is not None:
        event = dataclasses.replace(event, sent_at=None)  # type: ignore[arg-type]
    return hashlib.sha256(type(event).__name__.encode() + b"\0" + encode(event)).digest()


def _duplicate(one: _Wanted, before: Known) -> Result:
    return Result(one.index, before.event_id, "duplicate", None, before.topic, before.partition,
                  before.offset)  # fmt: skip


def _conflict(one: _Wanted, before: Known | None, app: App) -> Result:
    fault = Fault("event_id_conflict", "event_id", one.event.event_id, "a new event_id")
    # Of another app's events no more is said than that the id is taken.
    known = before if before is not None and before.app == app.name else None
    return Result(one.index, one.event.event_id, "rejected", fault, known=known)


def result_json(result: Result) -> dict[str, Any]:
    """The machine-readable form; what does not apply is null."""
    fault, known = result.fault, result.known
    told = None
    if known is not None:
        told = {"topic": known.topic, "partition": known.partition, "offset": known.offset,
                "received_at": known.received_at}  # fmt: skip
    return {
        "index": result.index,
        "event_id": result.event_id,
        "status": result.status,
        "code": fault and fault.code,
        "field": (fault and fault.field) or None,
        "value": (fault and fault.value) or None,
        "allowed": (fault and fault.allowed) or None,
        "fix": fix_of(fault.code) if fault else None,
        "topic": result.topic,
        "partition": result.partition,
        "offset": result.offset,
        "known": told,
    }


def answer(results: Sequence[Result]) -> tuple[int, dict[str, Any]]:
    """HTTP status and body: 200 where everything is in, 207 for some of it, else 422, 403 or 409.

    A duplicate is in.
    """
    counts = Counter(result.status for result in results)
    codes = {result.fault.code for result in results if result.fault}
    if not counts["rejected"]:
        status = 200
    elif counts["rejected"] < len(results):
        status = 207
    else:
        status = _ALL_FOR_ONE.get(codes.pop(), 422) if len(codes) == 1 else 422
    body = {name: counts[name] for name in ("accepted", "duplicate", "rejected")}
    return status, body | {"items": [result_json(result) for result in results]}
