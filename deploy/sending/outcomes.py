"""What the ledger made of records that were sent: read from its own topics, not from the trail."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from schemas.posting import Posting, Quarantined
from schemas.topics import POSTINGS, QUARANTINE
from schemas.wire.codec import Undecodable, decode_output

_POLL_SECONDS = 0.25

Position = tuple[str, int, int]
"""Topic, partition and offset of a record."""


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome of one record; `minutes` is what it moved of the effective ones."""

    outcome: str
    reason: str | None
    detail: str
    minutes: int


class Outcomes:
    """Opened before anything is sent: from there on every outcome is seen. Raises LogError."""

    def __init__(self, bootstrap: str) -> None:
        # Here, because who only sends need not have what the log is read with.
        from consumers.kafka.reader import Log

        self._log = Log(bootstrap, follows=True)
        try:
            self._starts = self._log.ends(self._log.places((POSTINGS, QUARANTINE)))
        except BaseException:
            self._log.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._log.close()

    def of(
        self, awaited: Mapping[Position, str], seconds: float
    ) -> Iterator[tuple[Position, Found]]:
        """The outcome of each record (position -> event_id) as it comes.

        Ends when all are there, or when for so many seconds none has come.
        """
        # The ledger answers in the partition in which it was told.
        partitions = {partition for _, partition, _ in awaited}
        self._log.seek({p: start for p, start in self._starts.items() if p.partition in partitions})
        left, heard_at = len(awaited), time.monotonic()
        while left and time.monotonic() - heard_at < seconds:
            for records in self._log.poll(_POLL_SECONDS).values():
                for record in records:
                    found = _found(record.value)
                    if found is None or found[0] not in awaited:
                        continue
                    position, event_id, told = found
                    # A tick's postings name what they close; a forged id is not ours.
                    if event_id is not None and event_id != awaited[position]:
                        continue
                    left, heard_at = left - 1, time.monotonic()
                    yield position, told


def _found(value: bytes | None) -> tuple[Position, str | None, Found] | None:
    if value is None:
        return None
    try:
        said = decode_output(value)
    except Undecodable:
        return None
    if isinstance(said, Posting):
        minutes = sum(line.minutes for line in said.lines if line.state == "effective")
        at = (said.source_topic, said.source_partition, said.source_offset)
        return at, said.event_id, Found(said.outcome, said.reason, "", minutes)
    if isinstance(said, Quarantined):
        at = (said.source_topic, said.source_partition, said.source_offset)
        return at, None, Found("quarantined", said.reason, said.detail, 0)
    return None
