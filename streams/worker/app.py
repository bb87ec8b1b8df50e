"""The Faust app of the ledger: one agent over the fact topics, and the clock.

Everything is made in `build` and nothing at import, so that a process has one place of assembly.
"""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

import faust
from faust.tables.manager import TableManager
from faust.types import TP

from ledger.hours.lateness import skew_micros
from schemas.times import SECOND
from schemas.topics import FACTS
from streams.kafka.decompression import guard
from streams.kafka.offset_lookup import OffsetLookup
from streams.kafka.preflight import Ground
from streams.kafka.transport import BatchConsumer, BatchTransport
from streams.partitions.assignment import AssignedPartitions
from streams.partitions.partition import Partition, open_partition
from streams.partitions.refusals import Refusals
from streams.state.restore import Restoring
from streams.state.restore_pool import Fillers
from streams.worker.catalogue_follower import CatalogueFollower
from streams.worker.clock import TICK_SECONDS, Clock, is_wanted
from streams.worker.health import Health
from streams.worker.progress import ProgressWatch
from streams.worker.web import Web

SWEEP_SECONDS = 60.0


class _NoTables(TableManager):
    """Faust's table manager without the second for which it waits for tables to be declared."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class Worker(NamedTuple):
    """The parts of a worker; the services start before the app."""

    app: faust.App
    assigned: AssignedPartitions
    services: tuple[faust.Service, ...]


class _Flow:
    """Steers Faust's consumer for `streams.partitions.partition_task`."""

    def __init__(self, app: faust.App) -> None:
        self._app = app

    @property
    def _consumer(self) -> BatchConsumer:
        # Made by Faust when the app starts, by our transport.
        return cast(BatchConsumer, self._app.consumer)

    def pause(self, topic: str, partition: int) -> None:
        """Fetch no more of it."""
        self._consumer.pause_partitions({TP(topic, partition)})

    def resume(self, topic: str, partition: int) -> None:
        """Fetch it again; not in the middle of a rebalance, after which everything is fetched."""
        tp = TP(topic, partition)
        if self._consumer.flow_active and tp in self._consumer.assignment():
            self._consumer.resume_partitions({tp})

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Fetch it from here on."""
        self._consumer.seek_soon(TP(topic, partition), offset)


def build(
    *,
    bootstrap: str,
    app_id: str,
    ground: Ground,
    datadir: Path,
    web_port: int = 0,
    session_seconds: float = 6.0,
    clock: Callable[[], float],
    tick_seconds: float = TICK_SECONDS,
    restoring: Restoring = lambda partition, done, total: None,
    fillers: int = 1,
    announce: Callable[[int], None] = lambda port: None,
) -> Worker:
    """Put a worker together; nothing is opened until Faust starts it.

    `clock` gives Unix seconds and is only compared with the broker's; a partition gets a tick every
    `tick_seconds`, if there is anything to do.
    `restoring` is told how far the restoring of a partition is, which is left to so many `fillers`
    where there is much to restore; `announce` is told the port of the pages.
    """
    guard()
    app = _app(bootstrap, app_id, ground, datadir, session_seconds)
    follower = CatalogueFollower(bootstrap, beacon=app.beacon, loop=app.loop)
    filling = Fillers(bootstrap, fillers)
    lookup = OffsetLookup(bootstrap)
    refusals = Refusals()

    async def open_one(partition: int, fenced: Callable[[], None]) -> Partition:
        return await open_partition(
            partition,
            bootstrap=bootstrap,
            app_id=app_id,
            shelves=datadir / "accounts",
            restoring=told,
            filling=filling.fill,
            fenced=fenced,
            refusals=refusals,
            batch_bytes_max=ground.batch_bytes_max,
        )

    assigned = AssignedPartitions(
        open_one, follower.current, _Flow(app), lookup=lookup, partitions=ground.partitions
    )

    def told(partition: int, done: int, total: int) -> None:
        if (task := assigned.tasks.get(partition)) is not None:
            task.restoring = (done, total)
        restoring(partition, done, total)

    def given() -> set[int]:
        return {tp.partition for tp in app.consumer.assignment()}

    def wanted(partition: int, at: int) -> bool:
        task = assigned.tasks.get(partition)
        store = None if task is None else task.store
        return store is None or is_wanted(store, at, follower.catalogue)

    ticking = Clock(
        bootstrap,
        clock,
        is_wanted=wanted,
        allowed_seconds=lambda at: skew_micros(None, at, follower.catalogue) / SECOND,
        interval=tick_seconds,
    )

    watch = ProgressWatch(assigned, lookup, given, beacon=app.beacon, loop=app.loop)
    health = Health(follower, assigned, watch, ticking)
    web = Web(assigned.metrics, health, web_port, announce, beacon=app.beacon, loop=app.loop)
    _agent(app, assigned, ground)
    _sweeper(app)
    if not ground.producer_time:
        _clock(app, ticking, tick_seconds)

    return Worker(app, assigned, (follower, watch, web))


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


def _agent(app: faust.App, assigned: AssignedPartitions, ground: Ground) -> None:
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
            assigned.submit(tp.topic, tp.partition, event.value)

    @app.on_partitions_revoked.connect  # type: ignore[arg-type]
    async def revoke(sender: Any, revoked: set[TP], **kwargs: Any) -> None:
        await assigned.revoke({tp.partition for tp in revoked})

    @app.on_partitions_assigned.connect  # type: ignore[arg-type]
    async def assign(sender: Any, given: set[TP], **kwargs: Any) -> None:
        assigned.assign({tp.partition for tp in given})

    @app.on_before_shutdown.connect  # type: ignore[arg-type]
    async def close(sender: Any, **kwargs: Any) -> None:
        # Faust revokes nothing when it stops; the state stores are to say that they were closed.
        await assigned.close()


def _clock(app: faust.App, clock: Clock, interval: float) -> None:
    """Let the clock look after the partitions of this worker; it looks more often than it ticks, so
    that a partition that has come to it is not without time."""

    @app.timer(min(interval, 1.0))  # type: ignore[untyped-decorator]
    async def tick() -> None:
        await clock.round({tp.partition for tp in app.consumer.assignment()})

    @app.on_before_shutdown.connect  # type: ignore[arg-type]
    async def close(sender: Any, **kwargs: Any) -> None:
        await clock.close()


def _sweeper(app: faust.App) -> None:
    """Collect cycles once a minute.

    A fold makes many objects and hardly a cycle; to look for one whenever so many objects had been
    made took a twentieth of the time.
    """

    @app.timer(SWEEP_SECONDS)  # type: ignore[untyped-decorator]
    async def sweep() -> None:
        gc.collect()
