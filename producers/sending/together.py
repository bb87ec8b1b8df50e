"""Some records in one Kafka transaction: all of them are in the log, or none."""

from collections.abc import Sequence

from kafka import KafkaProducer
from kafka.errors import KafkaError

from producers.connection import TopicState, answers, shut
from producers.errors import BrokerUnreachable, NotAcknowledged
from producers.record import Record, partition_of

_BOOTSTRAP_MS = 5_000
_GIVE_UP_SECONDS = 30.0


def send_together(
    bootstrap: str, name: str, records: Sequence[Record], topics: dict[str, TopicState]
) -> None:
    """Send records under a name: who does so under the same name meanwhile is fenced off.

    Raises BrokerUnreachable, or NotAcknowledged with all of them.
    """
    if not answers(bootstrap):
        raise BrokerUnreachable(bootstrap)
    try:
        producer = KafkaProducer(
            bootstrap_servers=bootstrap.split(","),
            bootstrap_timeout_ms=_BOOTSTRAP_MS,
            transactional_id=name,
            allow_auto_create_topics=False,
            delivery_timeout_ms=int(_GIVE_UP_SECONDS * 1000),
            metrics_enabled=False,
        )
    except (KafkaError, ValueError) as error:
        raise BrokerUnreachable(bootstrap) from error
    try:
        producer.init_transactions()
        producer.begin_transaction()
        sent = [
            producer.send(
                record.topic,
                key=record.key,
                value=record.value,
                headers=record.headers,
                partition=partition_of(record.key, topics[record.topic].partitions),
                timestamp_ms=record.timestamp_ms,
            )
            for record in records
        ]
        for future in sent:
            future.get(timeout=_GIVE_UP_SECONDS)
        producer.commit_transaction()
    except KafkaError as error:
        # What is open is given up by the broker, or by whoever comes next under this name.
        raise NotAcknowledged(len(records), str(error)) from error
    finally:
        shut(producer, 3.0)
