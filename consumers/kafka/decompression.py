"""What kafka-python reads is opened by `schemas.wire.batches`: to a limit, however compressed."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from kafka.consumer import fetcher
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.util import calc_crc32c

from schemas.wire.batches import Stretch, batches_of, is_plain, read_on


class _Opened(DefaultRecordBatch):  # type: ignore[misc]
    """A batch that was opened: its CRC was that of the bytes as they were sent."""

    __slots__ = ()

    def validate_crc(self) -> bool:
        return True


class _Batch:
    """A batch of kafka-python's that is read on where a header's name is no text."""

    def __init__(self, batch: Any, raw: Callable[[], bytes]) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        return read_on(self._batch, self._raw, DefaultRecordBatch)


class _Plain:
    """A fetched stretch in which nothing is compressed."""

    def __init__(self, raw: bytes) -> None:
        self._records = MemoryRecords(raw)
        self._raw = raw
        self._number = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    def next_batch(self) -> Any:
        """The next batch, None after the last."""
        number, self._number = self._number, self._number + 1
        batch = self._records.next_batch()
        if batch is None or batch.is_control_batch:
            return batch
        return _Batch(batch, lambda: next(islice(batches_of(self._raw), number, None)))


def _batch(raw: bytes, was_opened: bool) -> object:
    batch = _Opened(raw) if was_opened else MemoryRecords(raw).next_batch()
    return batch if batch.is_control_batch else _Batch(batch, lambda: raw)


def guard(*, checks_crcs: bool) -> None:
    """Let every consumer of this process read so. kafka-python has no setting for it."""
    crc = calc_crc32c if checks_crcs else None

    def records(raw: bytes | memoryview) -> object:
        whole = bytes(raw)
        return _Plain(whole) if is_plain(whole) else Stretch(whole, crc, _batch)

    fetcher.MemoryRecords = records
