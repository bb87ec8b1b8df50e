"""Quix Streams with its exactly-once guarantee: the peers' job over three joined topics.

It has state for a record key, in RocksDB with a changelog, as Kafka Streams has. Here it does less:
the rules are those of bench/peers/simple.py. It runs until it is stopped, in an environment of its
own (requirements-quix.lock), because it needs an older confluent-kafka than we do.
"""

import sys
from pathlib import Path
from typing import Any

from quixstreams import Application, State, message_context

from bench.peers.simple import Source, Written, fold
from schemas.topics import ACCOUNTS, FACTS, POSTINGS, QUARANTINE

_COMMIT_SECONDS = 1.0


def take(value: bytes, key: bytes, timestamp: int, _: Any, state: State) -> Written:
    """One record."""
    at = message_context()
    return fold(Source(at.topic, at.partition, at.offset, timestamp), key, value, state)


def main(bootstrap: str, group: str, home: Path) -> None:
    """Run until stopped."""
    app = Application(
        broker_address=bootstrap,
        consumer_group=group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=_COMMIT_SECONDS,
        state_dir=home / "state",
        # At the start each partition's question waits behind a fetch: half a second by default.
        consumer_extra_config={"fetch.wait.max.ms": 50},
        producer_extra_config={"linger.ms": 50, "batch.size": 500_000},
    )
    facts = [
        app.topic(name, key_deserializer="bytes", value_deserializer="bytes") for name in FACTS
    ]
    frame = app.dataframe(facts[0])
    for topic in facts[1:]:
        frame = frame.concat(app.dataframe(topic))
    written = frame.apply(take, stateful=True, metadata=True)
    for name, read in (
        (POSTINGS, lambda out: out.posting),
        (ACCOUNTS, lambda out: out.account),
        (QUARANTINE, lambda out: out.quarantined),
    ):
        topic = app.topic(name, key_serializer="bytes", value_serializer="bytes")
        values = written.apply(read)
        values.filter(lambda value: value is not None).to_topic(topic)
    app.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
