"""How far the workers are behind the facts, as Kafka knows it."""

from dataclasses import dataclass

from kafka import KafkaConsumer, TopicPartition

from schemas.topics import FACTS

_MARKERS_MAX = 1_000
"""A lag of more is not looked into: that many transactions and no record would be seen as a lag."""


@dataclass(frozen=True, slots=True)
class Lag:
    """One fact partition: the next offset to be folded, and where its log ends."""

    topic: str
    partition: int
    position: int
    end: int

    @property
    def records(self) -> int:
        """Records not folded yet."""
        return self.end - self.position


def worker_lag(bootstrap: str, app_id: str) -> list[Lag]:
    """The lag of every fact partition; a group that never committed stands at 0.

    Raises kafka-python's errors when nobody answers.
    """
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=app_id,
        enable_auto_commit=False,
        isolation_level="read_committed",
    )
    try:
        tps = [
            TopicPartition(topic, partition)
            for topic in FACTS
            for partition in sorted(consumer.partitions_for_topic(topic) or ())
        ]
        ends = consumer.end_offsets(tps)
        lags = [Lag(tp.topic, tp.partition, consumer.committed(tp) or 0, ends[tp]) for tp in tps]
        return [_without_markers(consumer, lag) for lag in lags]
    finally:
        consumer.close()


def _without_markers(consumer: KafkaConsumer, lag: Lag) -> Lag:
    """What workers write among the facts is written in transactions, whose markers take offsets,
    too: no lag where nothing but markers is left."""
    if not 0 < lag.records <= _MARKERS_MAX:
        return lag
    tp = TopicPartition(lag.topic, lag.partition)
    consumer.assign([tp])
    consumer.seek(tp, lag.position)
    while consumer.position(tp) < lag.end:
        if consumer.poll(timeout_ms=500, max_records=1):
            return lag
    return Lag(lag.topic, lag.partition, lag.end, lag.end)
