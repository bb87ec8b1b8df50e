"""One ledger partition while this worker owns it: producer, restored accounts, transactions."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition

from ledger.catalogue import Catalogue
from schemas.topics import ACCOUNTS, POSTINGS, QUARANTINE, TRANSFERS
from streams.batch import Fetched, Folded, fold_chunk
from streams.restore import Filling, Restoring, headers_of, restored
from streams.shelf import Shelf
from streams.store import Store

BATCH_BYTES = 900_000
"""Largest produce batch; below the broker's default limit of a megabyte."""


async def open_partition(
    partition: int,
    *,
    bootstrap: str,
    app_id: str,
    shelves: Path,
    restoring: Restoring,
    filling: Filling | None = None,
) -> "Partition":
    """Fence whoever owned the partition before, then restore its accounts.

    The order matters: once the producer has started, no predecessor can commit any more, so what
    is read afterwards is final. Raises aiokafka's KafkaError or ShelfFailed; then nothing is left
    open.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        transactional_id=f"{app_id}-{partition}",
        max_batch_size=BATCH_BYTES,
        linger_ms=0,
    )
    try:
        await producer.start()
        shelf, store = await restored(
            shelves / str(partition),
            partition,
            bootstrap=bootstrap,
            restoring=restoring,
            filling=filling,
        )
    except BaseException:
        await producer.stop()
        raise
    return Partition(partition, app_id, producer, shelf, store)


class Partition:
    """An open partition: folds batches, one Kafka transaction for each."""

    def __init__(
        self, partition: int, app_id: str, producer: AIOKafkaProducer, shelf: Shelf, store: Store
    ) -> None:
        self.partition = partition
        self.store = store
        self._app_id = app_id
        self._producer = producer
        self._shelf = shelf
        self._born = shelf.born or ""
        self.folded_until: dict[str, int] = {}
        """Timestamp (ms) of the last record of each fact topic that was folded here."""

    def position(self, topic: str) -> int:
        """The next offset of a fact topic that is not in the ledger yet."""
        return self.store.positions.get(topic, 0)

    async def apply(
        self, topic: str, chunk: Sequence[Fetched], catalogue: Catalogue, partitions: int
    ) -> Folded:
        """Fold records that begin at `position(topic)` and commit everything in one transaction.

        Memory and shelf change only after the commit. Raises KafkaError or ShelfFailed: the
        transaction may or may not have been committed, and the partition must be closed and opened
        again to know.
        """
        folded = fold_chunk(self.store, topic, chunk, catalogue, partitions)
        source = TopicPartition(topic, self.partition)
        producer = self._producer
        await producer.begin_transaction()
        timestamp = chunk[-1].timestamp
        changes = (
            (change[0].encode(), change[1], timestamp, headers_of(change, self._born))
            for change in folded.changes
        )
        accounts = await self._send(ACCOUNTS, changes)
        sent = [
            *accounts,
            *await self._send(POSTINGS, ((*record, []) for record in folded.postings)),
            *await self._send(QUARANTINE, ((*record, []) for record in folded.quarantined)),
        ]
        for home, transfers in sorted(folded.transfers.items()):
            sent += await self._send(TRANSFERS, ((*record, []) for record in transfers), home)
        await asyncio.gather(*sent)
        offsets = {source: chunk[-1].offset + 1}
        await producer.send_offsets_to_transaction(offsets, self._app_id)
        await producer.commit_transaction()
        self.folded_until[topic] = timestamp
        self.store.take(folded.changes, min(sent.result().offset for sent in accounts))
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
        try:
            await asyncio.wait_for(self._producer.stop(), 3)
        finally:
            self._shelf.close()
