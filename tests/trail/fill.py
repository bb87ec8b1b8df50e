"""Getting a book into a trail, directly or by way of Kafka."""

from collections import defaultdict
from collections.abc import Iterable

from confluent_kafka import Producer

from consumers.kafka.records import Record
from consumers.trail.rows import Row, arrow, rows_of
from consumers.trail.sink import WRITE_ORDER
from consumers.trail.store import Trail
from schemas.posting import Posting
from schemas.topics import ACCOUNTS, POSTINGS, QUARANTINE
from schemas.wire.codec import encode
from tests.trail.book import Book


def fill(trail: Trail, records: Iterable[Record]) -> None:
    """Write the rows of some records as a sink would."""
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    for record in records:
        for table, row in rows_of(record):
            rows[table].append(row)
    for table in WRITE_ORDER:
        if rows[table]:
            trail.insert(table, arrow(table, rows[table]), f"{table}/{len(rows[table])}")


class Sender:
    """Sends what is new in a book: inputs plainly, the worker's outputs in one transaction."""

    def __init__(self, bootstrap: str, name: str = "worker") -> None:
        self._inputs = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "log_level": 0})
        self._outputs = Producer(
            {"bootstrap.servers": bootstrap, "transactional.id": name, "log_level": 0}
        )
        self._outputs.init_transactions(30)
        self._sent = (0, 0, 0)

    def send(self, book: Book) -> None:
        """Everything since the last call, and the accounts as they are now."""
        inputs, postings, bad = self._sent
        for record in book.inputs[inputs:]:
            self._inputs.produce(
                record.topic, record.value, record.key, record.partition,
                timestamp=record.timestamp,
            )  # fmt: skip
            self._inputs.poll(0)
        self._inputs.flush()
        self._outputs.begin_transaction()
        for posting in book.postings[postings:]:
            self.posting(posting)
        for one in book.quarantined[bad:]:
            self._outputs.produce(QUARANTINE, encode(one), one.key, one.source_partition,
                                  timestamp=one.recorded_at // 1000)  # fmt: skip
        for partition, key, value in book.accounts():
            self._outputs.produce(ACCOUNTS, value, key, partition)
        self._outputs.commit_transaction()
        self._sent = len(book.inputs), len(book.postings), len(book.quarantined)

    def posting(self, posting: Posting) -> None:
        """One posting into the open transaction."""
        self._outputs.poll(0)
        self._outputs.produce(
            POSTINGS, encode(posting), posting.volunteer_id.encode(), posting.partition,
            timestamp=posting.recorded_at // 1000,
        )  # fmt: skip

    def raw(self, topic: str, partition: int, *values: bytes) -> None:
        """Committed bytes, whatever they are."""
        self._outputs.begin_transaction()
        for value in values:
            self._outputs.produce(topic, value, b"x", partition)
        self._outputs.commit_transaction()

    def abort(self, *postings: Posting) -> None:
        """A transaction that comes to nothing, but takes offsets."""
        self._outputs.begin_transaction()
        for posting in postings:
            self.posting(posting)
        self._outputs.flush()
        self._outputs.abort_transaction()

    def account(self, partition: int, key: bytes, value: bytes) -> None:
        """A record of ledger.accounts by hand."""
        self._outputs.begin_transaction()
        self._outputs.produce(ACCOUNTS, value, key, partition)
        self._outputs.commit_transaction()
