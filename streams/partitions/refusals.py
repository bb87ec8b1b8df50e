"""What a broker refused to take: chunks are tried in halves, down to the record it is about.

Sizes are known before anything is sent, so this is for what nobody foresaw: a broker with a limit
of its own, a rule for records that it was given meanwhile. A refusal costs the transaction and the
partition's producer; what is noted here outlives both.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from aiokafka.errors import (
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    UnknownError,
    UnsupportedForMessageFormatError,
)

from streams.partitions.fold_batch import Fetched, Verdicts

_TOO_LARGE: Final = (MessageSizeTooLargeError, RecordListTooLargeError)
_REFUSED: Final = (
    *_TOO_LARGE,
    InvalidTimestampError,
    PolicyViolationError,
    UnsupportedForMessageFormatError,
    # What aiokafka has no name for, INVALID_RECORD among them.
    UnknownError,
)

_MOST: Final = 8_000
"""A chunk's records: beyond them nothing is suspected any more."""

TIMES_MAX: Final = 3
"""How often one record alone is refused for another reason than its size before that is final."""


@dataclass(slots=True)
class _Suspect:
    """The next chunk's records at most, what is known of single ones, and how often the one that
    is tried now was refused alone."""

    most: int
    verdicts: Verdicts = field(default_factory=dict)
    times: int = 0


class Refusals:
    """What is known of each topic-partition whose output was refused."""

    def __init__(self) -> None:
        self._suspects: dict[tuple[str, int], _Suspect] = {}

    def part(self, topic: str, partition: int, chunk: Sequence[Fetched]) -> Sequence[Fetched]:
        """As many of the first records of a chunk as may be tried in one transaction."""
        suspect = self._suspects.get((topic, partition))
        return chunk if suspect is None else chunk[: suspect.most]

    def verdicts(self, topic: str, partition: int) -> Verdicts:
        """The records that are to be quarantined without another try."""
        suspect = self._suspects.get((topic, partition))
        return {} if suspect is None else suspect.verdicts

    def refused(
        self, topic: str, partition: int, tried: Sequence[Fetched], error: KafkaError
    ) -> None:
        """The transaction of these records failed; if they may be why, take half of them next."""
        if not isinstance(error, _REFUSED):
            return
        key = (topic, partition)
        suspect = self._suspects.setdefault(key, _Suspect(len(tried)))
        suspect.most = max(len(tried) // 2, 1)
        if len(tried) > 1:
            return
        suspect.times += 1
        # A broker may be at a loss for a moment; that is no verdict on a record.
        if isinstance(error, _TOO_LARGE) or suspect.times >= TIMES_MAX:
            suspect.verdicts[tried[0].offset] = _verdict(error)

    def taken(self, topic: str, partition: int, taken: Sequence[Fetched]) -> None:
        """The transaction of these records was committed; the next may have twice as many."""
        key = (topic, partition)
        if (suspect := self._suspects.get(key)) is None:
            return
        suspect.most, suspect.times = suspect.most * 2, 0
        for fetched in taken:
            suspect.verdicts.pop(fetched.offset, None)
        if suspect.most > _MOST:
            del self._suspects[key]


def _verdict(error: KafkaError) -> tuple[str, str]:
    if isinstance(error, _TOO_LARGE):
        return "output_too_large", f"{error!r}"
    return "output_refused", f"{error!r}"
