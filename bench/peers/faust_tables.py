"""Stock Faust: one agent over the three topics, state in a Faust table, event by event.

What one gets by following Faust's own guide. It does less than the others: at least once only (a
kill counts events twice, and its `exactly_once` loses some besides), state in memory with a
changelog, and the rules of bench/peers/simple.py. It runs until it is stopped.
"""

import sys
from pathlib import Path
from typing import Any

import faust

from bench.peers.simple import Source, fold
from schemas.topics import ACCOUNTS, FACTS, PARTITIONS, POSTINGS, QUARANTINE

_COMMIT_SECONDS = 1.0
_LINGER_SECONDS = 0.05
_BATCH_BYTES = 262_144


class OfVolunteer:
    """A volunteer's entries of the table in one partition."""

    def __init__(self, table: Any, partition: int, key: bytes | None) -> None:
        self._table = table
        self._prefix = f"{partition}/{(key or b'').decode('utf-8', 'replace')}/"

    def get(self, name: str) -> Any:
        """The value, None if there is none."""
        return self._table.get(self._prefix + name)

    def set(self, name: str, value: Any) -> None:
        """Keep a value."""
        self._table[self._prefix + name] = value


def build(bootstrap: str, group: str, home: Path) -> faust.App:
    """The app; Faust's defaults but for batches, without which it sends record by record."""
    app = faust.App(
        group,
        broker=f"kafka://{bootstrap}",
        datadir=str(home),
        topic_partitions=PARTITIONS,
        topic_replication_factor=1,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=_COMMIT_SECONDS,
        producer_linger=_LINGER_SECONDS,
        producer_max_batch_size=_BATCH_BYTES,
        table_standby_replicas=0,
        web_enabled=False,
    )
    facts = _raw_topic(app, *FACTS)
    outputs = [_raw_topic(app, name) for name in (POSTINGS, ACCOUNTS, QUARANTINE)]
    table = app.Table("state", partitions=PARTITIONS)

    @app.agent(facts)
    async def ledger(stream: Any) -> None:
        async for event in stream.events():
            message = event.message
            source = Source(
                message.topic, message.partition, message.offset, int(message.timestamp * 1000)
            )
            state = OfVolunteer(table, message.partition, message.key)
            out = fold(source, message.key, message.value, state)
            values = (out.posting, out.account, out.quarantined)
            for topic, value in zip(outputs, values, strict=True):
                if value is not None:
                    await topic.send(key=message.key, value=value, partition=message.partition)

    return app


def _raw_topic(app: faust.App, *names: str) -> Any:
    return app.topic(
        *names,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
        partitions=PARTITIONS,
    )


if __name__ == "__main__":
    made = build(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    worker = faust.Worker(made, loglevel="info", redirect_stdouts=False, quiet=True)
    worker.execute_from_commandline()
