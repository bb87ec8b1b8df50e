"""A partition's accounts as the log has them: from the shelf, and what the log has beyond it."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Final, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.topics import ACCOUNTS
from streams.kafka.bounded import ASK_SECONDS, Overdue, stop, within
from streams.state.accounts import (
    DUE_HEADER,
    LENT_HEADER,
    WAITS_HEADER,
    Change,
    Store,
    is_account,
    state_key,
)
from streams.state.state_store import Shelf

BORN_HEADER: Final = "born"
"""Header of a partition's own record: the log's name, by which a shelf knows it again.

Drawn by whoever opens the log first. The newest of these records is never compacted away, so there
always is one from where a shelf reads on.
"""

_FETCHED_BYTES: Final = 4 << 20

RUN_BYTES: Final = 128 << 20
"""Keys and values that are put on a shelf at once."""

MANY_RECORDS: Final = 50_000
"""More than this is a second's work: it is left to a process that does nothing else."""

Restoring = Callable[[int, int, int], None]
"""Told while a partition is restored: partition, records read, records to read (an estimate)."""

Filling = Callable[[Path, int, Restoring], Awaitable[None]]
"""Brings the shelf of a partition to the end of the log, as far as it can."""

Headers = Sequence[tuple[str, bytes]]


class Fetched(Protocol):
    """What we read of a record, in whichever form aiokafka has it."""

    @property
    def key(self) -> bytes: ...
    @property
    def value(self) -> bytes: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def offset(self) -> int: ...


class _OtherLog(Exception):
    """The log is not the one that the shelf has followed."""


class _Run:
    """What was read of a log and is not on the shelf yet.

    In a tree, records in the order of their keys cost a third of what they do as they come, and
    fill its pages: as many as may be in memory are put there at once.
    """

    def __init__(self, shelf: Shelf, own_key: bytes, begin: int) -> None:
        self._shelf = shelf
        self._own_key = own_key
        self._empty = shelf.born is None
        self._values: dict[bytes, bytes] = {}
        self._size = 0
        self._headers: dict[bytes, Headers] = {}
        self.named: str | None = None
        """What the log calls itself in the partition's newest record."""
        self._read_from = begin

    def take(self, records: Sequence[Fetched]) -> None:
        """Records as they follow in the log; the newest of a key counts."""
        values, marked, own_key = self._values, self._headers, self._own_key
        # An empty shelf has no marks that a record without any would have to take away.
        every, size = not self._empty, 0
        for record in records:
            key, value, headers = record.key, record.value, record.headers
            values[key] = value
            size += len(value)
            if headers or every or key in marked:
                marked[key] = headers
            if key == own_key:
                self.named, self._read_from = _born(headers), record.offset
        self._size += size

    def put_much(self) -> None:
        """Put it on the shelf if it is as much as may be in memory; raises ShelfFailed."""
        if self._size >= RUN_BYTES:
            self._put()

    def put_all(self) -> None:
        """Put it on the shelf: that is all the log has. Raises ShelfFailed."""
        self._put()
        told = {key.decode(): headers for key, headers in self._headers.items()}
        marks = {key: _headed(said) for key, said in told.items() if is_account(key)}
        self._shelf.mark(marks, self._read_from)

    def _put(self) -> None:
        self._shelf.fill(sorted(self._values.items(), key=itemgetter(0)))
        self._values.clear()
        self._size = 0


async def restored(
    folder: Path,
    partition: int,
    *,
    bootstrap: str,
    restoring: Restoring,
    filling: Filling | None = None,
) -> tuple[Shelf, Store]:
    """The shelf in a folder, open and at the end of ledger.accounts, and the store over it.

    Where there is much to read, `filling` is asked to bring it there first. Raises KafkaError, or
    ShelfFailed where the shelf cannot be written; then nothing is left open.
    """
    shelf = Shelf(folder, partition)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=_FETCHED_BYTES,
    )
    tp = TopicPartition(ACCOUNTS, partition)
    try:
        await within(ASK_SECONDS, consumer.start(), "connecting to restore")
        while True:
            begin, end = await _span(consumer, tp, shelf)
            if filling is not None and end - begin > MANY_RECORDS:
                shelf.hand_over()
                await filling(folder, partition, restoring)
                filling, shelf = None, Shelf(folder, partition)
                continue
            try:
                await _read_on(consumer, tp, begin, end, shelf, restoring)
                return shelf, shelf.store()
            except _OtherLog:
                shelf.forget()
    except BaseException:
        shelf.close()
        raise
    finally:
        await stop(consumer, f"the consumer that restored partition {partition}")


async def _span(consumer: AIOKafkaConsumer, tp: TopicPartition, shelf: Shelf) -> tuple[int, int]:
    """From where to where the log has what the shelf may not have."""
    what = f"where {tp.topic}/{tp.partition} begins and ends"
    end = (await within(ASK_SECONDS, consumer.end_offsets([tp]), what))[tp]
    begin = (await within(ASK_SECONDS, consumer.beginning_offsets([tp]), what))[tp]
    return max(begin, shelf.read_from), end


async def _read_on(
    consumer: AIOKafkaConsumer,
    tp: TopicPartition,
    begin: int,
    end: int,
    shelf: Shelf,
    restoring: Restoring,
) -> None:
    """Take over what the log has between two offsets; raises _OtherLog."""
    known = shelf.born
    run = _Run(shelf, state_key(tp.partition).encode(), begin)
    consumer.assign([tp])
    # The explicit offset: seek_to_beginning loses a race against the reset policy.
    consumer.seek(tp, begin)
    what = f"reading {tp.topic}/{tp.partition}"
    loop = asyncio.get_running_loop()
    reached, moved_at = begin, loop.time()
    while (at := await within(ASK_SECONDS, consumer.position(tp), what)) < end:
        if at > reached:
            reached, moved_at = at, loop.time()
        elif loop.time() - moved_at > ASK_SECONDS:
            raise Overdue(f"{what}: nothing from {at} on, {end} is its end")
        restoring(tp.partition, at - begin, end - begin)
        fetched = await within(ASK_SECONDS, consumer.getmany(tp, timeout_ms=200), what)
        run.take(fetched.get(tp, ()))
        if known is None or known == run.named:
            run.put_much()
        elif run.named is not None:
            raise _OtherLog
    if known != run.named and known is not None:
        raise _OtherLog
    run.put_all()
    restoring(tp.partition, max(end - begin, 0), max(end - begin, 0))
    if known is None:
        shelf.follow(run.named or secrets.token_hex(16))


def _headed(headers: Headers) -> tuple[str, str]:
    """When a tick must look at an account, and who counts its hours."""
    said = dict(headers)
    words = [said[name] for name in (DUE_HEADER, WAITS_HEADER) if name in said]
    return b" ".join(words).decode(), said.get(LENT_HEADER, b"").decode()


def _born(headers: Headers) -> str:
    """The name that a partition's own record gives its log; empty before there were names."""
    return dict(headers).get(BORN_HEADER, b"").decode()


def headers_of(change: Change, born: str) -> list[tuple[str, bytes]]:
    """The headers of a record, from which a restoring worker need not decode it."""
    key, _, wake, lent_to = change
    if key[0] == "@":
        return [(BORN_HEADER, born.encode())]
    due, _, waits = wake.partition(" ")
    said = ((DUE_HEADER, due), (WAITS_HEADER, waits), (LENT_HEADER, lent_to))
    return [(name, text.encode()) for name, text in said if text]
