"""What aiokafka reads is opened by `schemas.batches`: to a limit, and in every compression."""

from collections import deque

from aiokafka.consumer import fetcher
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from schemas.batches import STRETCH_BYTES, batches_of, is_plain, opened


class _Opened:
    """A fetched stretch with compressed batches, each of them opened when its turn comes."""

    def __init__(self, raw: bytes) -> None:
        self._size = len(raw)
        self._left = STRETCH_BYTES
        self._batches = deque(batches_of(raw))

    def size_in_bytes(self) -> int:
        return self._size

    def has_next(self) -> bool:
        return bool(self._batches)

    def next_batch(self) -> object:
        if not self._batches:
            return None
        batch = opened(self._batches.popleft(), calc_crc32c)
        self._left -= len(batch)
        if self._left <= 0:
            self._batches.clear()
        return MemoryRecords(batch).next_batch()


def _records(raw: bytes) -> object:
    return MemoryRecords(raw) if is_plain(raw) else _Opened(raw)


def guard() -> None:
    """Let every consumer of this process read so. aiokafka has no setting for it."""
    fetcher.MemoryRecords = _records
