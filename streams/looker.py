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
        tp = TopicPartition(topic, partition)
        try:
            consumer = await self._opened()
            end = (await consumer.end_offsets([tp]))[tp]
            if offset >= end:
                return None
            async with self._lock:
                return await self._read(consumer, tp, offset, end)
        except BaseException:
            await self.close()
            raise

    async def nothing_before(self, topic: str, partition: int, offset: int, timestamp: int) -> bool:
        """Is every committed record at or after an offset at least as young as this (ms)?

        One or two questions that the broker answers from its index. Where a topic's timestamps do
        not ascend, the answer goes by the first record that is as young. Raises KafkaError.
        """
        tp = TopicPartition(topic, partition)
        try:
            consumer = await self._opened()
            if offset >= (await consumer.end_offsets([tp]))[tp]:
                return True
            young = (await consumer.offsets_for_times({tp: timestamp}))[tp]
        except BaseException:
            await self.close()
            raise
        return young is not None and young.offset <= offset

    async def _opened(self) -> AIOKafkaConsumer:
        async with self._lock:
            if self._consumer is None:
                consumer = AIOKafkaConsumer(
                    bootstrap_servers=self._bootstrap,
                    isolation_level="read_committed",
                    enable_auto_commit=False,
                    auto_offset_reset="none",
                    fetch_max_wait_ms=100,
                )
                await consumer.start()
                self._consumer = consumer
            return self._consumer

    async def _read(
        self, consumer: AIOKafkaConsumer, tp: TopicPartition, offset: int, end: int
    ) -> tuple[int, int] | None:
        consumer.assign([tp])
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
