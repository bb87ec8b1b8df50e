"""What contestants stand on: one broker's topics, empty outputs, and who has got how far."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from deploy.broker.topics_admin import Wanted, create
from schemas.topics import ACCOUNTS, ALL, FACTS, PARTITIONS, POSTINGS, QUARANTINE

OUTPUTS = (POSTINGS, ACCOUNTS, QUARANTINE)
WANTED = Wanted(PARTITIONS, producer_time=True, replication=1)

_ANSWER_SECONDS = 30.0


class Ground:
    """The topics of one running broker."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
        create(bootstrap, WANTED, ALL)

    def clear(self, app_id: str | None = None) -> None:
        """Empty the ledger's topics, and remove those that this contestant made for itself."""
        gone = set(OUTPUTS)
        if app_id is not None:
            gone |= {name for name in self._names() if name.startswith(app_id)}
        for future in self._admin.delete_topics(sorted(gone)).values():
            future.result(_ANSWER_SECONDS)
        while gone & self._names():
            time.sleep(0.1)
        create(self.bootstrap, WANTED, [topic for topic in ALL if topic.name in OUTPUTS])

    def _names(self) -> set[str]:
        return set(self._admin.list_topics(timeout=_ANSWER_SECONDS).topics)

    @contextmanager
    def following(self, group: str) -> Iterator[Callable[[], int]]:
        """What says how many facts a consumer group has done with, by the offsets it committed.

        A consumer that never joins, not the admin client: in librdkafka 2.16.1 that one crashes
        when it is asked for a group that is not there yet.
        """
        asked = [TopicPartition(topic, number) for topic in FACTS for number in range(PARTITIONS)]
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": group,
                # What is committed for good; the default would wait for open transactions.
                "isolation.level": "read_uncommitted",
                "enable.auto.commit": False,
                "log_level": 2,
            }
        )
        try:
            yield lambda: _sum_of(consumer, asked)
        finally:
            consumer.close()

    def read(self, topic: str) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of all committed records of an output topic."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "bench",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
            }
        )
        try:
            consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
            at_end: set[int | None] = set()
            while len(at_end) < PARTITIONS:
                for message in consumer.consume(10_000, timeout=1.0):
                    if message.error() is not None:
                        at_end.add(message.partition())
                    else:
                        yield message.key() or b"", message.value() or b""
        finally:
            consumer.close()


def _sum_of(consumer: Consumer, asked: list[TopicPartition]) -> int:
    try:
        found = consumer.committed(asked, timeout=_ANSWER_SECONDS)
    except KafkaException:  # its coordinator is not there yet
        return 0
    return sum(max(at.offset, 0) for at in found)
