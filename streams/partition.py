"""One ledger partition while this worker owns it: producer, restored accounts, transactions."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from ledger.catalogue import Catalogue
from schemas.topics import ACCOUNTS, POSTINGS, QUARANTINE, TRANSFERS
from streams.batch import Fetched, Folded, fold_chunk
from streams.store import DUE_HEADER, LENT_HEADER, Store

BATCH_BYTES = 900_000
"""Largest produce batch; below the broker's default limit of a megabyte."""

Restoring = Callable[[int, int, int], None]
"""Told while a partition is restored: partition, records read, records to read (an estimate)."""


async def open_partition(
    partition: int, *, bootstrap: str, app_id: str, restoring: Restoring
) -> "Partition":
    """Fence whoever owned the partition before, then restore its accounts.

    The order matters: once the producer has started, no predecessor can commit any more, so what
    is read afterwards is final. Raises aiokafka's KafkaError; then nothing is left open.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        transactional_id=f"{app_id}-{partition}",
        max_batch_size=BATCH_BYTES,
        linger_ms=0,
    )
    try:
        await producer.start()
        store = await _restore(partition, bootstrap, restoring)
    except BaseException:
        await producer.stop()
        raise
    return Partition(partition, app_id, producer, store)


async def _restore(partition: int, bootstrap: str, restoring: Restoring) -> Store:
    """Read ledger.accounts of one partition to its end."""
    store = Store(partition)
    tp = TopicPartition(ACCOUNTS, partition)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=8 << 20,
    )
    await consumer.start()
    try:
        consumer.assign([tp])
        begin = (await consumer.beginning_offsets([tp]))[tp]
        end = (await consumer.end_offsets([tp]))[tp]
        # The explicit offset: seek_to_beginning loses a race against the reset policy.
        consumer.seek(tp, begin)
        while (at := await consumer.position(tp)) < end:
            restoring(partition, at - begin, end - begin)
            fetched = await consumer.getmany(tp, timeout_ms=200, max_records=20_000)
            for record in fetched.get(tp, ()):
                store.put(record.key.decode(), record.value, *_headed(record.headers))
        restoring(partition, end - begin, end - begin)
    finally:
        await consumer.stop()
    return store


def _headed(headers: Sequence[tuple[str, bytes]]) -> tuple[int | None, str]:
    """When an account is due, and who counts its hours."""
    said = dict(headers)
    due = said.get(DUE_HEADER)
    return None if due is None else int(due), said.get(LENT_HEADER, b"").decode()


def _headers(due: int | None, lent_to: str) -> list[tuple[str, bytes]]:
    """The inverse of `_headed`."""
    told = [] if due is None else [(DUE_HEADER, b"%d" % due)]
    return [*told, (LENT_HEADER, lent_to.encode())] if lent_to else told


class Partition:
    """An open partition: folds batches, one Kafka transaction for each."""

    def __init__(
        self, partition: int, app_id: str, producer: AIOKafkaProducer, store: Store
    ) -> None:
        self.partition = partition
        self.store = store
        self._app_id = app_id
        self._producer = producer
        self.folded_until: dict[str, int] = {}
        """Timestamp (ms) of the last record of each fact topic that was folded here."""

    def position(self, topic: str) -> int:
        """The next offset of a fact topic that is not in the ledger yet."""
        return self.store.positions.get(topic, 0)

    async def apply(
        self, topic: str, chunk: Sequence[Fetched], catalogue: Catalogue, partitions: int
    ) -> Folded:
        """Fold records that begin at `position(topic)` and commit everything in one transaction.

        Memory changes only after the commit. Raises KafkaError: the transaction may or may not
        have been committed, and the partition must be closed and opened again to know.
        """
        folded = fold_chunk(self.store, topic, chunk, catalogue, partitions)
        source = TopicPartition(topic, self.partition)
        producer = self._producer
        await producer.begin_transaction()
        timestamp = chunk[-1].timestamp
        changes = (
            (key.encode(), value, timestamp, _headers(due, lent_to))
            for key, value, due, lent_to in folded.changes
        )
        sent = [
            *await self._send(POSTINGS, ((*record, []) for record in folded.postings)),
            *await self._send(ACCOUNTS, changes),
            *await self._send(QUARANTINE, ((*record, []) for record in folded.quarantined)),
        ]
        for home, transfers in sorted(folded.transfers.items()):
            sent += await self._send(TRANSFERS, ((*record, []) for record in transfers), home)
        await asyncio.gather(*sent)
        offsets = {source: chunk[-1].offset + 1}
        await producer.send_offsets_to_transaction(offsets, self._app_id)
        await producer.commit_transaction()
        self.folded_until[topic] = timestamp
        for change in folded.changes:
            self.store.put(*change)
        if folded.working is not None:
            folded.working.keep()
        return folded

    async def _send(
        self, topic: str, records: Any, partition: int | None = None
    ) -> list[asyncio.Future[Any]]:
        """Hand records to the producer in as few batches as they fit into; to this partition unless
        another one is named."""
        to = self.partition if partition is None else partition
        sent: list[asyncio.Future[Any]] = []
        batch, size = self._producer.create_batch(), 0
        for key, value, timestamp, headers in records:
            record = {"key": key, "value": value, "timestamp": timestamp, "headers": headers}
            if batch.append(**record) is None:
                sent.append(await self._producer.send_batch(batch, topic, partition=to))
                batch, size = self._producer.create_batch(), 0
                batch.append(**record)
            size += 1
        if size:
            sent.append(await self._producer.send_batch(batch, topic, partition=to))
        return sent

    async def close(self) -> None:
        """Give the partition up; an open transaction is aborted by whoever opens it next."""
        await asyncio.wait_for(self._producer.stop(), 3)
