"""What kafka-python reads is opened by `schemas.batches`: to a limit, and in every compression."""

from kafka.consumer import fetcher
from kafka.record import MemoryRecords
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.util import calc_crc32c

from schemas.batches import Stretch, is_plain


class _Opened(DefaultRecordBatch):  # type: ignore[misc]
    """A batch that was opened: its CRC was that of the bytes as they were sent."""

    __slots__ = ()

    def validate_crc(self) -> bool:
        return True


def _batch(raw: bytes, was_opened: bool) -> object:
    return _Opened(raw) if was_opened else MemoryRecords(raw).next_batch()


def guard(*, checks_crcs: bool) -> None:
    """Let every consumer of this process read so. kafka-python has no setting for it."""
    crc = calc_crc32c if checks_crcs else None

    def records(raw: bytes | memoryview) -> object:
        whole = bytes(raw)
        return MemoryRecords(whole) if is_plain(whole) else Stretch(whole, crc, _batch)

    fetcher.MemoryRecords = records
