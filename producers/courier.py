"""Brings held events to the broker, round by round; each ends acknowledged or is kept.

A round carries at most one event of each volunteer: whatever fails, a later event of a volunteer
is never appended before an earlier one.
"""

import time
from collections.abc import Callable
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from producers.connection import TopicState, open_producer, shut, topic_states
from producers.errors import (
    BrokerUnreachable,
    NotAcknowledged,
    OutboxFull,
    ProducerError,
    TopicMissing,
)
from producers.outbox import Held, Outbox
from producers.record import partition_of

_ROUND_EVENTS = 500
_POLL_SECONDS = 0.1


class Courier:
    """The connection to the broker while there is one; opened by the first round that needs it."""

    def __init__(self, bootstrap: str, outbox: Outbox, *, give_up_seconds: float) -> None:
        self._bootstrap = bootstrap
        self._outbox = outbox
        self._give_up_seconds = give_up_seconds
        self._producer: KafkaProducer | None = None
        self._topics: dict[str, TopicState] = {}

    def round(self, stopping: Callable[[], bool]) -> ProducerError | None:
        """Send the heads of the outbox once and wait; None, or why something was left.

        Returns early, leaving what is not acknowledged, once `stopping()` is true.
        """
        try:
            heads, missing = self._sendable()
            failure = self._carry(heads, stopping)
        except OutboxFull as error:
            # What was acknowledged is sent again later; the ledger counts it once.
            return error
        except (BrokerUnreachable, KafkaError) as error:
            self.close()
            return BrokerUnreachable(self._bootstrap) if isinstance(error, KafkaError) else error
        return failure or (TopicMissing(missing) if missing else None)

    def close(self) -> None:
        """Let the connection go; what is not acknowledged stays in the outbox."""
        if self._producer is not None:
            shut(self._producer, 0.0)
            self._producer = None
        self._topics = {}

    def _sendable(self) -> tuple[list[Held], str | None]:
        """The heads whose topics exist, and a topic that is wanted and doesn't."""
        if self._producer is None:
            self._producer = open_producer(self._bootstrap, give_up_seconds=self._give_up_seconds)
        missing: list[str] = []
        while True:
            heads = self._outbox.heads(_ROUND_EVENTS, besides=missing)
            unknown = {held.topic for held in heads} - self._topics.keys()
            if unknown:
                self._topics |= topic_states(self._bootstrap, sorted(unknown))
            absent = sorted(unknown - self._topics.keys())
            if not absent:
                return heads, missing[0] if missing else None
            # One missing topic holds up only the volunteers whose next event goes there.
            missing += absent

    def _carry(self, heads: list[Held], stopping: Callable[[], bool]) -> ProducerError | None:
        assert self._producer is not None
        sent = [(held, self._send(held)) for held in heads]
        # kafka-python never gives up while it waits for a producer id, so we have to.
        deadline = time.monotonic() + self._give_up_seconds + _POLL_SECONDS
        while not all(future.is_done for _, future in sent):
            if stopping() or time.monotonic() > deadline:
                break
            try:
                self._producer.flush(timeout=_POLL_SECONDS)
            except KafkaTimeoutError:
                continue
        self._outbox.remove(held.event_id for held, future in sent if future.succeeded())
        left = [future for _, future in sent if not future.succeeded()]
        if not left:
            return None
        # An idempotent producer may be beyond repair after a failure; a new one never is.
        self.close()
        cause = next((future.exception for future in left if future.is_done), None)
        if cause is None or isinstance(cause, KafkaTimeoutError):
            return BrokerUnreachable(self._bootstrap)
        return NotAcknowledged(len(self._outbox), str(cause))

    def _send(self, held: Held) -> Any:
        assert self._producer is not None
        return self._producer.send(
            held.topic,
            key=held.key,
            value=held.value,
            headers=list(held.headers),
            partition=partition_of(held.key, self._topics[held.topic].partitions),
        )
