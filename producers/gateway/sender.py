"""Records to Kafka for many requests at a time; each is acknowledged, or the whole call fails."""

import threading
import time
from collections.abc import Sequence
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from producers.connection import TopicState, answers, open_producer, require_topics, shut
from producers.errors import BrokerUnreachable, ProducerError
from producers.record import Record, partition_of
from producers.sending.emit import topics_of

_LINGER_MS: Final = 5
_AWAY_SECONDS: Final = 0.5
_PROBE_SECONDS: Final = 1.0
Placed = tuple[int, int]
"""Partition and offset."""


class NotAllPlaced(Exception):
    """Kafka did not acknowledge everything in time: what is in `placed`, by place in the call, is
    there; of the rest nobody knows."""

    def __init__(self, placed: dict[int, Placed], cause: str) -> None:
        super().__init__(cause)
        self.placed = placed
        self.cause = cause


class Sender:
    """One idempotent producer for all threads, made anew after a failure. Close it in the end."""

    def __init__(self, bootstrap: str, *, give_up_seconds: float = 10.0) -> None:
        self._bootstrap = bootstrap
        self._give_up_seconds = give_up_seconds
        self._turn = threading.Lock()
        self._producer: KafkaProducer | None = None
        self._topics: dict[str, TopicState] = {}
        self._away_until = 0.0

    def send(self, records: Sequence[Record]) -> list[Placed]:
        """Where each record is, once all replicas have it. The order of each key is kept.

        Raises NotAllPlaced, or ProducerError if nothing was sent.
        """
        deadline = time.monotonic() + self._give_up_seconds
        producer = self._open()
        sent: list[Any] = []
        latest: dict[bytes, str] = {}
        try:
            for record in records:
                if latest.get(record.key, record.topic) != record.topic:
                    # Partitions of two topics keep no order between them.
                    self._settle(sent, deadline)
                    latest.clear()
                latest[record.key] = record.topic
                sent.append(self._handed_over(producer, record))
            self._settle(sent, deadline)
        except KafkaError as error:
            self._drop(producer)
            placed = {place: _placed(one) for place, one in enumerate(sent) if one.succeeded()}
            raise NotAllPlaced(placed, type(error).__name__) from error
        return [_placed(one) for one in sent]

    def close(self) -> None:
        """Let the connection go; what is not acknowledged is dropped."""
        if (producer := self._producer) is not None:
            self._drop(producer)

    def _open(self) -> KafkaProducer:
        with self._turn:
            if self._producer is None:
                if time.monotonic() < self._away_until:
                    # Many requests that each wait for a broker in turn would wait for minutes.
                    raise BrokerUnreachable(self._bootstrap)
                try:
                    self._producer = self._opened()
                except ProducerError:
                    self._away_until = time.monotonic() + _AWAY_SECONDS
                    raise
            return self._producer

    def _opened(self) -> KafkaProducer:
        self._topics = require_topics(self._bootstrap, topics_of(catalogue_only=False))
        producer = open_producer(
            self._bootstrap, give_up_seconds=self._give_up_seconds, linger_ms=_LINGER_MS
        )
        try:
            # Where all topics are is known before the first record, so `send` never waits for it.
            for topic in self._topics:
                producer.partitions_for(topic)
        except KafkaError as error:
            shut(producer, 0.0)
            raise BrokerUnreachable(self._bootstrap) from error
        return producer

    def _handed_over(self, producer: KafkaProducer, record: Record) -> Any:
        return producer.send(
            record.topic,
            key=record.key,
            value=record.value,
            headers=record.headers,
            partition=partition_of(record.key, self._topics[record.topic].partitions),
        )

    def _settle(self, sent: Sequence[Any], deadline: float) -> None:
        """Wait for all of them; shorter than until the deadline where no broker is there at all."""
        for one in sent:
            while not one.succeeded():
                left = deadline - time.monotonic()
                try:
                    one.get(timeout=max(0.0, min(_PROBE_SECONDS, left)))
                except KafkaTimeoutError:
                    if one.is_done or left <= _PROBE_SECONDS or not answers(self._bootstrap):
                        raise

    def _drop(self, producer: KafkaProducer) -> None:
        """After a failure an idempotent producer may be beyond repair; a new one never is."""
        with self._turn:
            if self._producer is not producer:
                return
            self._producer = None
        shut(producer, 0.0)


def _placed(one: Any) -> Placed:
    return one.value.partition, one.value.offset
