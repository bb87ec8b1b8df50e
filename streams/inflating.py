"""What aiokafka reads is opened by `schemas.batches`: to a limit, and in every compression."""

from aiokafka.consumer import fetcher
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from schemas.batches import Stretch, is_plain


def _batch(raw: bytes, _: bool) -> object:
    return MemoryRecords(raw).next_batch()


def _records(raw: bytes) -> object:
    return MemoryRecords(raw) if is_plain(raw) else Stretch(raw, calc_crc32c, _batch)


def guard() -> None:
    """Let every consumer of this process read so. aiokafka has no setting for it."""
    fetcher.MemoryRecords = _records
