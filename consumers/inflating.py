"""What kafka-python reads is opened by `schemas.batches`: to a limit, and in every compression."""

from collections import deque

from kafka.consumer import fetcher
from kafka.record import MemoryRecords
from kafka.record.util import calc_crc32c

from schemas.batches import STRETCH_BYTES, Crc, batches_of, is_plain, opened


class _Opened:
    """A fetched stretch with compressed batches, each of them opened when its turn comes."""

    def __init__(self, raw: bytes, crc: Crc | None) -> None:
        self._size = len(raw)
        self._left = STRETCH_BYTES
        self._crc = crc
        self._batches = deque(batches_of(raw))

    def size_in_bytes(self) -> int:
        return self._size

    def has_next(self) -> bool:
        return bool(self._batches)

    def next_batch(self) -> object:
        if not self._batches:
            return None
        batch = opened(self._batches.popleft(), self._crc)
        self._left -= len(batch)
        if self._left <= 0:
            self._batches.clear()
        return MemoryRecords(batch).next_batch()


def guard(*, checks_crcs: bool) -> None:
    """Let every consumer of this process read so. kafka-python has no setting for it."""
    crc = calc_crc32c if checks_crcs else None

    def records(raw: bytes | memoryview) -> object:
        whole = bytes(raw)
        return MemoryRecords(whole) if is_plain(whole) else _Opened(whole, crc)

    fetcher.MemoryRecords = records
