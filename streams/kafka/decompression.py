"""What aiokafka reads is opened by `schemas.wire.batches`: to a limit, and in every compression."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from schemas.wire.batches import Stretch, batches_of, is_plain, read_on


class _Batch:
    """A batch of aiokafka's that is read on where a header's name is no text."""

    def __init__(self, batch: Any, raw: Any) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        return read_on(self._batch, self._raw, lambda raw: MemoryRecords(raw).next_batch())


class _Plain:
    """A fetched stretch in which nothing is compressed."""

    def __init__(self, raw: bytes) -> None:
        self._records = MemoryRecords(raw)
        self._raw = raw
        self._number = 0

    def size_in_bytes(self) -> int:
        return int(self._records.size_in_bytes())

    def has_next(self) -> bool:
        return bool(self._records.has_next())

    def next_batch(self) -> Any:
        number, self._number = self._number, self._number + 1
        batch = self._records.next_batch()
        if batch is None or batch.is_control_batch:
            return batch
        return _Batch(batch, lambda: next(islice(batches_of(self._raw), number, None)))


def _batch(raw: bytes, _: bool) -> object:
    batch = MemoryRecords(raw).next_batch()
    return batch if batch.is_control_batch else _Batch(batch, lambda: raw)


def _records(raw: bytes) -> object:
    whole = bytes(raw)
    return _Plain(whole) if is_plain(whole) else Stretch(whole, calc_crc32c, _batch)


def guard() -> None:
    """Let every consumer of this process read so. aiokafka has no setting for it."""
    fetcher.MemoryRecords = _records
