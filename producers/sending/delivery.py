"""Records to the broker: many under way at a time, in order where order matters, outcomes in order.

Memory is bounded by the window: kafka-python itself would take in any number of records.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from kafka.errors import KafkaError, KafkaTimeoutError

from producers.connection import TopicState, open_producer, shut
from producers.record import TICK_KEY, Record, partition_of
from schemas.topics import CATALOGUE

T = TypeVar("T")
Turn = Literal["facts", "clock", "catalogue"]

_WINDOW_RECORDS = 5_000
_LINGER_MS = 100
_LOOK_SECONDS = 0.5
_SILENCE_SECONDS = 15.0
_RECORD_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a record was appended, or why it is not known to be: `error` in the client's words."""

    partition: int | None = None
    offset: int | None = None
    error: str | None = None


class Delivery:
    """An open producer that keeps the order of its input.

    The records of one key follow one another across topics, and catalogue events, ticks and facts
    wait for one another. Once a record fails, or for `give_up_seconds` none is acknowledged of
    those under way, nothing more is sent, because what follows would be out of order. A broker
    that is slow, but goes on acknowledging, is waited for. Raises BrokerUnreachable when opened.
    """

    def __init__(
        self,
        bootstrap: str,
        topics: dict[str, TopicState],
        *,
        give_up_seconds: float = _SILENCE_SECONDS,
    ) -> None:
        self._topics = topics
        self._give_up_seconds = give_up_seconds
        self._producer = open_producer(
            bootstrap,
            give_up_seconds=max(_RECORD_SECONDS, give_up_seconds),
            linger_ms=_LINGER_MS,
            block_seconds=give_up_seconds,
        )
        self._turn: Turn = "facts"
        self._latest: dict[bytes, tuple[str, Any]] = {}
        self._failed = False
        self._given, self._ended = 0, 0
        # Most records end in the producer's thread, one that fails at once in ours.
        self._counting = threading.Lock()
        self._heard_at = 0.0
        self._waiting: deque[list[Any]] = deque()

    def deliver(
        self, parcels: Iterable[tuple[T, Sequence[Record]]]
    ) -> Iterator[tuple[T, tuple[Outcome, ...]]]:
        """Send each parcel's records; yield each parcel, in order, with what became of them.

        A parcel without records only keeps its place.
        """
        items: deque[T] = deque()
        self._waiting.clear()
        under_way = 0
        for item, records in parcels:
            items.append(item)
            self._waiting.append([])
            # One by one, so that whoever is interrupted knows of each that was handed over.
            for record in records:
                self._waiting[-1].append(self._send(record))
            under_way += len(records)
            while items and (under_way > _WINDOW_RECORDS or _all_done(self._waiting[0])):
                under_way -= len(self._waiting[0])
                yield self._first(items)
        while items:
            yield self._first(items)

    def _first(self, items: deque[T]) -> tuple[T, tuple[Outcome, ...]]:
        outcomes = tuple(map(self._outcome, self._waiting[0]))
        self._waiting.popleft()
        return items.popleft(), outcomes

    def standing(self) -> tuple[int, int]:
        """Of the parcels that were sent and not yielded yet, after an interruption: how many are
        acknowledged, and of how many nobody knows."""
        sent = [parcel for parcel in self._waiting if parcel]
        there = sum(all(not isinstance(one, Outcome) and one.succeeded() for one in parcel)
                    for parcel in sent)  # fmt: skip
        return there, len(sent) - there

    def close(self) -> None:
        """Close the connection; what has no outcome yet is dropped."""
        shut(self._producer, 0.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, record: Record) -> Any:
        """The future of a record, or its Outcome if it could not even be handed over."""
        turn = _turn_of(record)
        before = self._latest.get(record.key)
        elsewhere = before is not None and before[0] != record.topic and not before[1].is_done
        if turn != self._turn or elsewhere:
            self._settle()
        self._turn = turn
        if self._failed:
            return Outcome(error="not sent, because an earlier record failed")
        partition = record.partition
        if partition is None:
            partition = partition_of(record.key, self._topics[record.topic].partitions)
        try:
            future = self._producer.send(
                record.topic,
                key=record.key,
                value=record.value,
                headers=record.headers,
                partition=partition,
                timestamp_ms=record.timestamp_ms,
            )
        except KafkaError as error:
            self._failed = True
            return Outcome(error=str(error))
        if self._given == self._ended:
            # Nothing was under way, so nobody was silent.
            self._heard_at = time.monotonic()
        self._given += 1
        future.add_callback(self._hear)
        future.add_errback(self._fail)
        self._remember(record, future)
        return future

    def _remember(self, record: Record, future: Any) -> None:
        self._latest[record.key] = (record.topic, future)
        if len(self._latest) > 2 * _WINDOW_RECORDS:
            self._latest = {k: v for k, v in self._latest.items() if not v[1].is_done}

    def _settle(self) -> None:
        """Wait until everything sent so far has its outcome."""
        while not self._gone_silent():
            try:
                self._producer.flush(timeout=_LOOK_SECONDS)
                break
            except KafkaTimeoutError:
                continue
        self._latest.clear()

    def _outcome(self, sent: Any) -> Outcome:
        if isinstance(sent, Outcome):
            return sent
        if sent.succeeded():
            return Outcome(sent.value.partition, sent.value.offset)
        while not sent.is_done:
            if self._gone_silent():
                return Outcome(error=f"no acknowledgement for {self._give_up_seconds:g} seconds")
            with suppress(KafkaError):  # of waiting, or of the record, which is asked below
                sent.get(timeout=_LOOK_SECONDS)
        if sent.succeeded():
            return Outcome(sent.value.partition, sent.value.offset)
        self._failed = True
        return Outcome(error=str(sent.exception))

    def _gone_silent(self) -> bool:
        """Has nothing been acknowledged for too long? Then everything under way has failed."""
        late = time.monotonic() - self._heard_at >= self._give_up_seconds
        silent = late and self._ended < self._given
        self._failed = self._failed or silent
        return silent

    def _hear(self, placed: object) -> None:
        with self._counting:
            self._ended += 1
        self._heard_at = time.monotonic()

    def _fail(self, error: BaseException) -> None:
        with self._counting:
            self._ended += 1
        self._failed = True


def _turn_of(record: Record) -> Turn:
    if record.topic == CATALOGUE:
        return "catalogue"
    return "clock" if record.key == TICK_KEY else "facts"


def _all_done(sent: list[Any]) -> bool:
    return all(isinstance(one, Outcome) or one.is_done for one in sent)
