"""One ledger partition while this worker owns it: producer, restored accounts, transactions."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from ledger.catalogue.catalogue import Catalogue
from schemas.topics import ACCOUNTS, OUTPUT_BATCH_BYTES_MAX, POSTINGS, QUARANTINE, TRANSFERS
from streams.kafka.bounded import ASK_SECONDS, stop, within
from streams.partitions.fold_batch import Fetched, Folded, fold_chunk
from streams.partitions.origins import Origins
from streams.partitions.refusals import Refusals
from streams.state.accounts import Store
from streams.state.restore import Filling, Restoring, headers_of, restored
from streams.state.state_store import Shelf

BATCH_BYTES = 900_000
"""Largest produce batch but for one record that is larger; below a broker's usual megabyte."""

COMMIT_SECONDS = 10.0
"""How long a transaction may take from its begin to its commit; an ordinary one takes a tenth."""


async def open_partition(
    partition: int,
    *,
    bootstrap: str,
    app_id: str,
    shelves: Path,
    restoring: Restoring,
    filling: Filling | None = None,
    fenced: Callable[[], None] = lambda: None,
    refusals: Refusals | None = None,
    batch_bytes_max: int = OUTPUT_BATCH_BYTES_MAX,
) -> "Partition":
    """Fence whoever owned the partition before, then restore its accounts.

    The order matters: once the producer has started, no predecessor can commit any more, so what
    is read afterwards is final; `fenced` is called in between. `refusals` are what earlier openings
    learned of the broker, which takes batches of `batch_bytes_max` at most. Raises aiokafka's
    KafkaError or ShelfFailed; then nothing is left open.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        transactional_id=f"{app_id}-{partition}",
        max_batch_size=min(BATCH_BYTES, batch_bytes_max),
        max_request_size=batch_bytes_max,
        linger_ms=0,
    )
    try:
        await within(ASK_SECONDS, producer.start(), f"fencing partition {partition}")
        fenced()
        shelf, store = await restored(
            shelves / str(partition),
            partition,
            bootstrap=bootstrap,
            restoring=restoring,
            filling=filling,
        )
    except BaseException:
        await stop(producer, f"the producer of partition {partition}")
        raise
    known = Refusals() if refusals is None else refusals
    origins = Origins(bootstrap)
    return Partition(partition, app_id, producer, shelf, store, origins, known, batch_bytes_max)


class Partition:
    """An open partition: folds batches, one Kafka transaction for each."""

    def __init__(
        self,
        partition: int,
        app_id: str,
        producer: AIOKafkaProducer,
        shelf: Shelf,
        store: Store,
        origins: Origins,
        refusals: Refusals,
        batch_bytes_max: int,
    ) -> None:
        self.partition = partition
        self.store = store
        self._app_id = app_id
        self._producer = producer
        self._shelf = shelf
        self._origins = origins
        self._refusals = refusals
        self._batch_bytes_max = batch_bytes_max
        self._born = shelf.born or ""
        self.folded_until: dict[str, int] = {}
        """Timestamp (ms) of the last record of each fact topic that was folded here."""

    def position(self, topic: str) -> int:
        """The next offset of a fact topic that is not in the ledger yet."""
        return self.store.positions.get(topic, 0)

    async def apply(
        self, topic: str, chunk: Sequence[Fetched], catalogue: Catalogue, partitions: int
    ) -> Folded:
        """Fold records that begin at `position(topic)` and commit everything in one transaction,
        or in several where one record's output is too large; the last one's, with the outcomes of
        all.

        Memory and shelf change only after the commit. Raises KafkaError or ShelfFailed: the
        transaction may or may not have been committed, and the partition must be closed and opened
        again to know.
        """
        outcomes: Counter[str] = Counter()
        origins = await self._origins.of(topic, chunk, partitions)
        rest = chunk
        while True:
            part = self._refusals.part(topic, self.partition, rest)
            folded = fold_chunk(
                self.store,
                topic,
                part,
                catalogue,
                partitions,
                origins=origins,
                verdicts=self._refusals.verdicts(topic, self.partition),
                record_bytes_max=self._batch_bytes_max,
            )
            part = part[: folded.count]
            try:
                read_from = await within(
                    COMMIT_SECONDS,
                    self._commit(topic, part, folded),
                    f"committing partition {self.partition}",
                )
            except KafkaError as error:
                self._refusals.refused(topic, self.partition, part, error)
                raise
            self._refusals.taken(topic, self.partition, part)
            self.folded_until[topic] = part[-1].timestamp
            self.store.take(folded.changes, read_from)
            if folded.working is not None:
                folded.working.keep()
            outcomes.update(folded.outcomes)
            rest = rest[folded.count :]
            if not rest:
                folded.outcomes = dict(outcomes)
                return folded

    async def _commit(self, topic: str, part: Sequence[Fetched], folded: Folded) -> int:
        """Write everything in one transaction; the offset of its first account record."""
        timestamp = part[-1].timestamp
        offsets = {TopicPartition(topic, self.partition): part[-1].offset + 1}
        producer = self._producer
        await producer.begin_transaction()
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
        for home, forwards in sorted(folded.forwards.items()):
            sent += await self._send(topic, forwards, home)
        for home, transfers in sorted(folded.transfers.items()):
            sent += await self._send(TRANSFERS, ((*record, []) for record in transfers), home)
        await asyncio.gather(*sent)
        await producer.send_offsets_to_transaction(offsets, self._app_id)
        await producer.commit_transaction()
        first: int = min(sent.result().offset for sent in accounts)
        return first

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
            await self._origins.close()
            await stop(self._producer, f"the producer of partition {self.partition}")
        finally:
            self._shelf.close()
