"""What the log is made of: partitions, and records in them."""

from typing import NamedTuple


class Place(NamedTuple):
    """A topic's partition."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


class Record(NamedTuple):
    """One record of the log; `timestamp` in milliseconds since 1970 UTC.

    `origin` is where it says that it was before it was sent on, partition and offset.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    origin: tuple[int, int] | None = None
