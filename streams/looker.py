"""Looks single records up in the log, beside the stream: what comes at or after an offset."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

_PATIENCE_SECONDS = 30.0


class Looker:
    """One consumer without a group, opened at the first question and kept."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._consumer: AIOKafkaConsumer | None = None
        self._lock = asyncio.Lock()

    async def first(self, topic: str, partition: int, offset: int) -> tuple[int, int] | None:
        """(offset, timestamp in ms) of the first committed record at or after an offset.

        None where the log ends before one. Raises KafkaError when the log cannot be read.
        """
        async with self._lock:
            try:
                return await self._first(TopicPartition(topic, partition), offset)
            except BaseException:
                await self._close()
                raise

    async def _first(self, tp: TopicPartition, offset: int) -> tuple[int, int] | None:
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap,
                isolation_level="read_committed",
                enable_auto_commit=False,
                auto_offset_reset="none",
                fetch_max_wait_ms=100,
            )
            await self._consumer.start()
        consumer = self._consumer
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        consumer.seek(tp, offset)
        # Transaction markers take offsets, too: the end may be reached without a record.
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while await consumer.position(tp) < end:
                fetched = await consumer.getmany(tp, timeout_ms=200, max_records=1)
                for record in fetched.get(tp, ()):
                    return record.offset, record.timestamp
        return None

    async def _close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def close(self) -> None:
        """Close the connection."""
        async with self._lock:
            await self._close()
