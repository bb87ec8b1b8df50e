"""Puts a folded history into a real Kafka: facts plainly, postings and accounts in transactions."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice

from confluent_kafka import Producer

from consumers.kafka.records import Record

_TRANSACTION_RECORDS = 5_000
_TRANSACTIONAL = "bench-feed"


def send_facts(bootstrap: str, records: Iterable[Record]) -> int:
    """Send input records to the partitions they name, in order; how many."""
    producer = Producer(
        {"bootstrap.servers": bootstrap, "linger.ms": 20, "enable.idempotence": True}
    )
    return _send(producer, records)


def send_outputs(bootstrap: str, records: Iterable[Record]) -> int:
    """Send the worker's records in transactions, as it does; how many.

    The markers lie elsewhere than the worker's, so offsets differ: only their order is the same.
    """
    producer = Producer(
        {"bootstrap.servers": bootstrap, "linger.ms": 20, "transactional.id": _TRANSACTIONAL}
    )
    producer.init_transactions(60)
    sent = 0
    for some in _cut(records, _TRANSACTION_RECORDS):
        producer.begin_transaction()
        sent += _send(producer, some)
        producer.commit_transaction()
    return sent


def _send(producer: Producer, records: Iterable[Record]) -> int:
    sent = 0
    for record in records:
        while True:
            try:
                producer.produce(
                    record.topic, record.value, record.key, record.partition,
                    timestamp=record.timestamp,
                )  # fmt: skip
                break
            except BufferError:
                producer.poll(0.1)
        sent += 1
    producer.flush()
    return sent


def _cut(records: Iterable[Record], size: int) -> Iterator[list[Record]]:
    """Lists of at most so many records, partition by partition so that batches are large."""
    rest = iter(records)
    while some := list(islice(rest, size * 8)):
        places = defaultdict[tuple[str, int], list[Record]](list)
        for record in some:
            places[record.topic, record.partition].append(record)
        for records_of_place in places.values():
            for at in range(0, len(records_of_place), size):
                yield records_of_place[at : at + size]
