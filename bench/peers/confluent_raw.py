"""The limit: consume the fact topics with librdkafka, decode each event, count per volunteer."""

import sys

from confluent_kafka import Consumer, TopicPartition

from bench.peers.job import Tally
from schemas.topics import FACTS, PARTITIONS


def main(bootstrap: str, records: int) -> None:
    """Consume so many records."""
    tally = Tally()
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "bench-limit", "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition(t, p, 0) for t in FACTS for p in range(PARTITIONS)])
    while tally.seen < records:
        for message in consumer.consume(10_000, timeout=1.0):
            tally.take(message.key(), message.value())
    consumer.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
