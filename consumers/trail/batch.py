"""The rows that wait to be written together, and from which offsets they are."""

import time
from collections import defaultdict
from dataclasses import dataclass, field

from consumers.kafka.records import Place
from consumers.trail.rows import Row


@dataclass(frozen=True, slots=True)
class Limits:
    """When a batch is written: at so many rows, bytes of values or seconds, or when idle.

    A row of a block of 30,000 takes a third of the CPU of one of 3,000; a live sink's batches are
    ended by time.
    """

    rows: int = 30_000
    value_bytes: int = 16 << 20
    seconds: float = 1.0


@dataclass(slots=True)
class Batch:
    """Rows by table, with the first and last offset of every place they come from."""

    limits: Limits
    oldest_at: float
    """Timestamp of its first record, in seconds since 1970."""
    since: float = field(default_factory=time.monotonic)
    value_bytes: int = 0
    rows: defaultdict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    spans: defaultdict[str, dict[Place, tuple[int, int]]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def add(self, table: str, place: Place, offset: int, row: Row) -> None:
        """Take one row; the offsets of a place must ascend."""
        self.rows[table].append(row)
        first, _ = self.spans[table].get(place, (offset, offset))
        self.spans[table][place] = (first, offset)

    @property
    def is_full(self) -> bool:
        """Has it reached a limit?"""
        return (
            sum(map(len, self.rows.values())) >= self.limits.rows
            or self.value_bytes >= self.limits.value_bytes
            or time.monotonic() - self.since >= self.limits.seconds
        )

    def token(self, table: str) -> str:
        """`table/topic/partition/first-last;…`: what makes a repeated insert count once."""
        spans = self.spans[table].items()
        return f"{table}/" + ";".join(sorted(f"{p}/{first}-{last}" for p, (first, last) in spans))
