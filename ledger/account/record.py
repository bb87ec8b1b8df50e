"""One decoded input record: an event and where and when the log recorded it."""

from dataclasses import dataclass, replace
from typing import Any, Final

from ledger.account.index import digest
from schemas.events import Event
from schemas.wire.codec import encode_again


@dataclass(slots=True, init=False)
class Record:
    """`recorded_at` is the record's Kafka timestamp in UTC microseconds, `key` its record key.

    `digest` identifies what the event says (64 bits); 0 means: derive it from its content.
    """

    topic: Final[str]
    partition: Final[int]
    offset: Final[int]
    recorded_at: Final[int]
    key: Final[str | None]
    event: Final[Event]
    digest: Final[int]

    def __init__(
        self,
        topic: str,
        partition: int,
        offset: int,
        recorded_at: int,
        key: str | None,
        event: Event,
        digest: int = 0,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.recorded_at = recorded_at
        self.key = key
        self.event = event
        self.digest = digest


def digest_of(value: bytes) -> int:
    """64 bits that stand for these bytes, as a signed integer, never 0."""
    return int.from_bytes(digest(value), "little", signed=True) or 1


def digest_of_event(event: Event, value: bytes) -> int:
    """64 bits that stand for what an event says, given the bytes it came in; never 0.

    When it was sent is not part of it: a second try says the same at another time.
    """
    if getattr(event, "sent_at", None) is None:
        return digest_of(value)
    return digest_of(encode_again(unsent(event), value))


def unsent(event: Any) -> Any:
    """An event without the time at which it was sent."""
    return event if getattr(event, "sent_at", None) is None else replace(event, sent_at=None)
