"""The limit of our client: the same job as confluent_raw, with aiokafka."""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.peers.job import Tally
from schemas.topics import FACTS, PARTITIONS


async def main(bootstrap: str, records: int) -> None:
    """Consume so many records."""
    tally = Tally()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    tps = [TopicPartition(topic, number) for topic in FACTS for number in range(PARTITIONS)]
    consumer.assign(tps)
    for tp in tps:
        consumer.seek(tp, 0)
    while tally.seen < records:
        for batch in (await consumer.getmany(timeout_ms=500, max_records=10_000)).values():
            for message in batch:
                tally.take(message.key, message.value)
    await consumer.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
