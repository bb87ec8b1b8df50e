"""A partition's accounts as the log has them: from the shelf, and what the log has beyond it."""

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from schemas.topics import ACCOUNTS
from streams.shelf import Shelf
from streams.store import DUE_HEADER, LENT_HEADER, Change, Store, state_key

BORN_HEADER: Final = "born"
"""Header of a partition's own record: the log's name, by which a shelf knows it again.

Drawn by whoever opens the log first. The newest of these records is never compacted away, so there
always is one from where a shelf reads on.
"""

_FETCHED_MAX = 20_000

Restoring = Callable[[int, int, int], None]
"""Told while a partition is restored: partition, records read, records to read (an estimate)."""

Headers = list[tuple[str, bytes]]


class _OtherLog(Exception):
    """The log is not the one that the shelf has followed."""


async def restored(
    folder: Path, partition: int, *, bootstrap: str, restoring: Restoring
) -> tuple[Shelf, Store]:
    """The shelf in a folder, open and at the end of ledger.accounts, and the store over it.

    Raises KafkaError, or ShelfFailed where the shelf cannot be written; then nothing is left open.
    """
    shelf = Shelf(folder, partition)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=8 << 20,
    )
    try:
        await consumer.start()
        try:
            return shelf, await _read_on(consumer, shelf, partition, restoring)
        except _OtherLog:
            shelf.forget()
            return shelf, await _read_on(consumer, shelf, partition, restoring)
    except BaseException:
        shelf.close()
        raise
    finally:
        await consumer.stop()


async def _read_on(
    consumer: AIOKafkaConsumer, shelf: Shelf, partition: int, restoring: Restoring
) -> Store:
    """Take over what the log has from where the shelf reads on; raises _OtherLog."""
    store, known, named = shelf.store(), shelf.born, None
    tp, own_key = TopicPartition(ACCOUNTS, partition), state_key(partition).encode()
    consumer.assign([tp])
    end = (await consumer.end_offsets([tp]))[tp]
    begin = max((await consumer.beginning_offsets([tp]))[tp], shelf.read_from)
    # The explicit offset: seek_to_beginning loses a race against the reset policy.
    consumer.seek(tp, begin)
    waiting: list[ConsumerRecord[bytes, bytes]] = []
    read_from = begin
    while (at := await consumer.position(tp)) < end:
        restoring(partition, at - begin, end - begin)
        fetched = await consumer.getmany(tp, timeout_ms=200, max_records=_FETCHED_MAX)
        for record in fetched.get(tp, ()):
            waiting.append(record)
            if record.key == own_key:
                named, read_from = _born(record.headers), record.offset
        if known is None or known == named:
            store.take([_change(record) for record in waiting], read_from)
            waiting.clear()
        elif named is not None:
            raise _OtherLog
    if known != named and known is not None:
        raise _OtherLog
    restoring(partition, max(end - begin, 0), max(end - begin, 0))
    if known is None:
        shelf.follow(named or secrets.token_hex(16))
    return store


def _change(record: "ConsumerRecord[bytes, bytes]") -> Change:
    assert record.key is not None
    assert record.value is not None
    return record.key.decode(), record.value, *_headed(record.headers)


def _headed(headers: Sequence[tuple[str, bytes]]) -> tuple[int | None, str]:
    """When an account is due, and who counts its hours."""
    said = dict(headers)
    due = said.get(DUE_HEADER)
    return None if due is None else int(due), said.get(LENT_HEADER, b"").decode()


def _born(headers: Sequence[tuple[str, bytes]]) -> str:
    """The name that a partition's own record gives its log; empty before there were names."""
    return dict(headers).get(BORN_HEADER, b"").decode()


def headers_of(change: Change, born: str) -> Headers:
    """The headers of a record, from which a restoring worker need not decode it."""
    key, _, due, lent_to = change
    if key[0] == "@":
        return [(BORN_HEADER, born.encode())]
    told = [] if due is None else [(DUE_HEADER, b"%d" % due)]
    return [*told, (LENT_HEADER, lent_to.encode())] if lent_to else told
