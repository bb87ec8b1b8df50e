"""One decoded input record: an event and where and when the log recorded it."""

from dataclasses import dataclass
from typing import Final

from ledger.index import digest
from schemas.events import Event


@dataclass(slots=True, init=False)
class Record:
    """`recorded_at` is the record's Kafka timestamp in UTC microseconds, `key` its record key.

    `digest` identifies the event's bytes (64 bits); 0 means: derive it from the event's content.
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
