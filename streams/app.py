"""The Faust app of the ledger: one agent over the three fact topics, and the clock.

Everything is made in `build` and nothing at import, so that a process has one place of assembly.
"""

import asyncio
import gc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import faust
from aiokafka import AIOKafkaProducer
from aiokafka.errors import IllegalStateError, KafkaError
from faust.tables.manager import TableManager
from faust.types import TP

from schemas.codec import encode
from schemas.events import ClockTicked
from schemas.times import MINUTE, SECOND
from schemas.topics import CHECKINS, FACTS
from streams.catalogue import CatalogueFollower
from streams.filling import Fillers
from streams.inflating import guard
from streams.looker import Looker
from streams.ownership import Ownership
from streams.partition import Partition, open_partition
from streams.preflight import Ground
from streams.restore import Restoring
from streams.transport import BatchTransport
from streams.web import Web

TICK_SECONDS = 60.0

SWEEP_SECONDS = 60.0

TICK_KEY = b"tick"
"""Record key of ClockTicked, which belongs to a partition and not to a volunteer."""


class _NoTables(TableManager):
    """Faust's table manager without the second for which it waits for tables to be declared."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class Worker(NamedTuple):
    """The parts of a worker; the two services start before the app."""

    app: faust.App
    ownership: Ownership
    catalogue: CatalogueFollower
    web: Web


def build(
    *,
    bootstrap: str,
    app_id: str,
    ground: Ground,
    datadir: Path,
    web_port: int = 0,
    session_seconds: float = 6.0,
    clock: Callable[[], float],
    restoring: Restoring = lambda partition, done, total: None,
    fillers: int = 1,
    announce: Callable[[int], None] = lambda port: None,
) -> Worker:
    """Put a worker together; nothing is opened until Faust starts it.

    `clock` gives Unix seconds and is used for nothing but the ticks it writes into the log.
    `restoring` is told how far the restoring of a partition is, which is left to so many `fillers`
    where there is much to restore; `announce` is told the port of the pages.
    """
    guard()
    app = _app(bootstrap, app_id, ground, datadir, session_seconds)
    follower = CatalogueFollower(bootstrap, beacon=app.beacon, loop=app.loop)
    filling = Fillers(bootstrap, fillers)

    async def open_one(partition: int) -> Partition:
        return await open_partition(
            partition,
            bootstrap=bootstrap,
            app_id=app_id,
            shelves=datadir / "accounts",
            restoring=told,
            filling=filling.fill,
        )

    async def seek(topic: str, partition: int, offset: int) -> None:
        # A partition that was given up meanwhile is somebody else's to read.
        with suppress(IllegalStateError):
            await app.consumer.seek(TP(topic, partition), offset)

    ownership = Ownership(
        open_one, follower.current, seek, looker=Looker(bootstrap), partitions=ground.partitions
    )

    def told(partition: int, done: int, total: int) -> None:
        ownership.figures.restoring[partition] = (done, total)
        restoring(partition, done, total)

    def health() -> dict[str, Any]:
        return _health(follower, ownership)

    web = Web(ownership, health, web_port, announce, beacon=app.beacon, loop=app.loop)
    _agent(app, ownership, ground)
    _sweeper(app)
    if not ground.producer_time:
        _clock(app, ownership, bootstrap, clock)

    return Worker(app, ownership, follower, web)


def _app(
    bootstrap: str, app_id: str, ground: Ground, datadir: Path, session_seconds: float
) -> faust.App:
    app = faust.App(
        app_id,
        broker=[f"kafka://{address}" for address in bootstrap.split(",")],
        datadir=str(datadir),
        topic_partitions=ground.partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        TableManager=_NoTables,
        table_standby_replicas=0,
        web_enabled=False,
        # No result of ours hangs on Faust's acknowledgements.
        stream_wait_empty=False,
        # Two fetched batches ahead: more would only be thrown away in a rebalance.
        stream_buffer_maxsize=2,
        broker_max_poll_records=32_000,
        consumer_max_fetch_size=4 << 20,
        broker_session_timeout=session_seconds,
        broker_heartbeat_interval=session_seconds / 3,
        broker_rebalance_timeout=max(session_seconds, 10.0),
        # A fault in one batch is dealt with by its partition; nothing here may time out silently.
        stream_processing_timeout=3600.0,
        broker_commit_livelock_soft_timeout=3600.0,
    )
    app.transport = BatchTransport(app.conf.broker_consumer, app, loop=app.loop)
    return app


def _agent(app: faust.App, ownership: Ownership, ground: Ground) -> None:
    facts = app.topic(
        *FACTS,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
        partitions=ground.partitions,
    )

    @app.agent(facts, name="ledger")
    async def ledger(stream: Any) -> None:
        async for event in stream.events():
            tp = event.message.tp
            await ownership.submit(tp.topic, tp.partition, event.value)

    @app.on_partitions_revoked.connect  # type: ignore[arg-type]
    async def revoke(sender: Any, revoked: set[TP], **kwargs: Any) -> None:
        await ownership.revoke({tp.partition for tp in revoked})


def _clock(
    app: faust.App, ownership: Ownership, bootstrap: str, clock: Callable[[], float]
) -> None:
    """Write ClockTicked into every partition this worker has open, once a minute.

    The id names partition and minute, so that two workers in a rebalance write the same event.
    """

    @app.timer(TICK_SECONDS)  # type: ignore[untyped-decorator]
    async def tick() -> None:
        partitions = sorted({tp.partition for tp in app.consumer.assignment()})
        if not partitions:
            return
        now = int(clock()) * SECOND
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
        try:
            await producer.start()
            for partition in partitions:
                event = ClockTicked(f"tick-{partition}-{now // MINUTE}", now)
                await producer.send_and_wait(
                    CHECKINS, encode(event), key=TICK_KEY, partition=partition
                )
        except (KafkaError, OSError) as error:
            app.log.warning("the clock could not tick: %r", error)
        finally:
            await asyncio.wait_for(producer.stop(), 3)


def _sweeper(app: faust.App) -> None:
    """Collect cycles once a minute.

    A fold makes many objects and hardly a cycle; to look for one whenever so many objects had been
    made took a twentieth of the time.
    """

    @app.timer(SWEEP_SECONDS)  # type: ignore[untyped-decorator]
    async def sweep() -> None:
        gc.collect()


def _health(follower: CatalogueFollower, ownership: Ownership) -> dict[str, Any]:
    figures = ownership.figures
    restoring = {
        str(p): {"done": done, "total": total}
        for p, (done, total) in sorted(figures.restoring.items())
        if done < total
    }
    return {
        "ready": follower.ready.is_set() and not restoring,
        "catalogue_offset": follower.catalogue.next_offset,
        "partitions": sorted(ownership.open),
        "restoring": restoring,
        "events": figures.events,
        "transactions": figures.transactions,
        "failures": figures.failures,
        "outcomes": dict(sorted(figures.outcomes.items())),
    }
