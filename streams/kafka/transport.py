"""Faust's Kafka transport, changed to hand an agent one event for each fetched partition batch.

A stock Faust consumer costs four asyncio tasks a message and commits offsets by bookkeeping that
stalls and skips; here the batch is one message whose value is the list of records, and offsets
travel in the worker's own transactions, so Faust commits nothing.
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiokafka
from aiokafka import TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import ConsumerStoppedError, IllegalStateError, KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message

from schemas.topics import FACTS

POLL_SECONDS = 0.1

RETRY_SECONDS = 1.0

_RANK = {topic: rank for rank, topic in enumerate(FACTS)}


class BatchThread(driver.AIOKafkaConsumerThread):
    """Makes the consumer: read_committed, and partitions assigned by range.

    Range gives partition p of every subscribed topic to one worker, which a fold over three topics
    needs; Faust's round robin does not when three workers share eight partitions.
    """

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        return aiokafka.AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[RangePartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_poll_records=conf.broker_max_poll_records,
            max_poll_interval_ms=int((conf.broker_max_poll_interval or 0) * 1000),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_wait_ms=250,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
        )


class _Unread(dict[TP, int | None]):
    """Read offsets that are never remembered.

    Faust drops a message below the last offset it delivered, and a seek back races with that
    note; a partition's own position (see `streams.partitions.partition`) decides what is old and
    what is missing.
    """

    def __getitem__(self, tp: TP) -> None:
        return None


class BatchConsumer(driver.Consumer):
    """Yields one message for each fetched partition batch: value = its list of records."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._read_offset = _Unread()

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """Fetch once and yield what came, partition by partition.

        Looks again after a tenth of a second, or a topic that was paused meanwhile would wait for
        the others' records before it is asked for.
        """
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]
        active = self._get_active_partitions()
        if not active:
            await self.sleep(POLL_SECONDS)
            return
        generation = self.app.consumer_generation_id
        try:
            records = await self._getmany(active_partitions=active, timeout=POLL_SECONDS)
        except KafkaError as error:
            if self.should_stop or isinstance(error, ConsumerStoppedError):
                raise
            # About one partition; the others' records come with the next call.
            self.log.warning("fetching: %r", error)
            await self.sleep(RETRY_SECONDS)
            return
        # Their order saves records of a later topic the wait until those before them are folded.
        for tp, batch in sorted(records.items(), key=lambda found: _RANK.get(found[0].topic, 0)):
            if self.should_stop:
                return
            if not self.flow_active or self.app.consumer_generation_id != generation:
                # A rebalance came in between, and the consumer thinks that these were read.
                self.seek_soon(TP(*tp), batch[0].offset)
            elif batch:
                yield TP(*tp), _message(TP(*tp), batch, generation)

    def seek_soon(self, tp: TP, offset: int) -> None:
        """Read a partition from an offset; done in the consumer's own thread and loop.

        From another thread it would pull the consumer's buffers away under its feet. A partition
        that was given up meanwhile is somebody else's to read.
        """
        consumer: Any = self._thread._consumer

        def seek() -> None:
            with suppress(IllegalStateError, AssertionError):
                consumer.seek(TopicPartition(tp.topic, tp.partition), offset)

        self._thread.thread_loop.call_soon_threadsafe(seek)

    async def perform_seek(self) -> None:
        """Nothing: with an assignment, aiokafka reads from what is committed by itself, and each
        partition seeks its own position once it is open."""

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit nothing: offsets are committed inside the worker's transactions."""
        return True

    def ack(self, message: Message) -> bool:
        """Forget a message that the agent is done with; no offsets are derived from it."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True


def _message(tp: TP, batch: list[Any], generation: int) -> ConsumerMessage:
    last = batch[-1]
    return ConsumerMessage(
        tp.topic,
        tp.partition,
        last.offset,
        last.timestamp / 1000.0,
        last.timestamp_type,
        [],
        None,
        batch,  # type: ignore[arg-type]
        None,
        0,
        0,
        tp,
        generation_id=generation,
    )


class BatchTransport(driver.Transport):
    """The transport with the batch consumer."""

    Consumer = BatchConsumer
