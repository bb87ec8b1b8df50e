"""Questions to the log beside the stream: where it ends, and what comes at or after an offset."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.kafka.bounded import ASK_SECONDS, stop, within

T = TypeVar("T")


class OffsetLookup:
    """One consumer without a group, opened at the first question.

    One that fails to answer, or not in time, is spent: the next question opens another.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._consumer: AIOKafkaConsumer | None = None
        self._opening = asyncio.Lock()
        self._reading = asyncio.Lock()

    async def first_record(self, topic: str, partition: int, offset: int) -> tuple[int, int] | None:
        """(offset, timestamp in ms) of the first committed record at or after an offset.

        None where the log ends before one. Raises KafkaError when the log cannot be read.
        """
        tp = TopicPartition(topic, partition)

        async def answer(consumer: AIOKafkaConsumer) -> tuple[int, int] | None:
            end = (await consumer.end_offsets([tp]))[tp]
            return None if offset >= end else await _read(consumer, tp, offset, end)

        async with self._reading:
            return await self._ask(answer, f"{topic}/{partition} at {offset}")

    async def is_past(self, topic: str, partition: int, offset: int, timestamp: int) -> bool:
        """Is every committed record at or after an offset at least as young as this (ms)?

        One or two questions that the broker answers from its index. Where a topic's timestamps do
        not ascend, the answer goes by the first record that is as young. Raises KafkaError.
        """
        tp = TopicPartition(topic, partition)

        async def answer(consumer: AIOKafkaConsumer) -> bool:
            if offset >= (await consumer.end_offsets([tp]))[tp]:
                return True
            young = (await consumer.offsets_for_times({tp: timestamp}))[tp]
            return young is not None and young.offset <= offset

        return await self._ask(answer, f"{topic}/{partition} before {timestamp}")

    async def ends(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Where the committed part of each (topic, partition) ends; raises KafkaError."""
        tps = [TopicPartition(*place) for place in places]

        async def answer(consumer: AIOKafkaConsumer) -> dict[tuple[str, int], int]:
            ends = await consumer.end_offsets(tps)
            return {(tp.topic, tp.partition): end for tp, end in ends.items()}

        return await self._ask(answer, "ends of the fact topics")

    async def _ask(self, answer: Callable[[Any], Awaitable[T]], what: str) -> T:
        consumer = await self._opened()
        try:
            return await within(ASK_SECONDS, answer(consumer), what)
        except Exception:
            if self._consumer is consumer:
                await self.close()
            raise

    async def _opened(self) -> AIOKafkaConsumer:
        async with self._opening:
            if self._consumer is None:
                consumer = AIOKafkaConsumer(
                    bootstrap_servers=self._bootstrap,
                    isolation_level="read_committed",
                    enable_auto_commit=False,
                    auto_offset_reset="none",
                    fetch_max_wait_ms=100,
                )
                try:
                    await within(ASK_SECONDS, consumer.start(), "connecting")
                except BaseException:
                    await stop(consumer, "the consumer for look-ups")
                    raise
                self._consumer = consumer
            return self._consumer

    async def close(self) -> None:
        """Close the connection."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await stop(consumer, "the consumer for look-ups")


async def _read(
    consumer: AIOKafkaConsumer, tp: TopicPartition, offset: int, end: int
) -> tuple[int, int] | None:
    consumer.assign([tp])
    consumer.seek(tp, offset)
    # Transaction markers take offsets, too: the end may be reached without a record.
    while await consumer.position(tp) < end:
        fetched = await consumer.getmany(tp, timeout_ms=200, max_records=1)
        for record in fetched.get(tp, ()):
            return record.offset, record.timestamp
    return None
