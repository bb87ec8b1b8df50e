"""`shilu worker`: the process that folds events into the ledger.

Faust takes a second to import and every command imports this module, so it is imported where it
is used.
"""

import asyncio
import gc
import importlib
import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deploy.errors import ShiluError
from deploy.host.process_group import run_forked
from deploy.host.repeats import leave_out_repeats
from deploy.lang import text
from deploy.services.local import bootstrap, forget_process, note_process
from deploy.settings import Settings

if TYPE_CHECKING:
    from streams.kafka.preflight import Ground
    from streams.state.restore import Restoring


def ground_of(address: str) -> "Ground":
    """What the worker stands on; raises ShiluError naming the missing topic or the dead address."""
    from aiokafka.errors import KafkaError

    from streams.kafka.preflight import PartitionsDiffer, TopicMissing, look_around

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(look_around(address))
    except TopicMissing as missing:
        raise ShiluError(
            "topic_missing",
            f"主题 {missing.name} 不存在:请先运行 shilu topics create。",
            f"Topic {missing.name} does not exist: create the topics with `shilu topics create`.",
        ) from None
    except PartitionsDiffer as differ:
        counts = ", ".join(f"{name}: {count}" for name, count in differ.counts.items())
        raise ShiluError(
            "partitions_differ",
            f"事实与台账主题的分区数必须相同({counts}):请在新集群上重新创建主题。",
            f"Fact and ledger topics must have equally many partitions ({counts}): "
            "create the topics anew on a new cluster.",
        ) from None
    except (KafkaError, OSError) as error:
        raise ShiluError(
            "no_broker",
            f"连不上 Kafka({address}):请检查地址,或运行 shilu up。",
            f"Kafka at {address} does not answer ({type(error).__name__}): "
            "check the address, or start one with `shilu up`.",
        ) from None
    finally:
        logging.getLogger("aiokafka").setLevel(logging.INFO)


class RestoreBar:
    """Shows how far the restoring of the accounts is, so that a long one does not look hung."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn(text("恢复账户", "restoring accounts")),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._tasks: dict[int, tuple[int, int]] = {}
        self._task = self._progress.add_task("", total=None)

    def told(self, partition: int, done: int, total: int) -> None:
        """One partition's progress; the bar shows the sum of all."""
        self._tasks[partition] = (done, total)
        done_all = sum(done for done, _ in self._tasks.values())
        total_all = sum(total for _, total in self._tasks.values())
        self._progress.start()
        self._progress.update(self._task, completed=done_all, total=total_all)
        if done_all >= total_all:
            self._progress.stop()


def register(app: typer.Typer) -> None:
    """Add `worker` to the command."""

    @app.command(
        help=text(
            "台账进程:把事件折算成时长。可同时运行多个,分区自动分配。",
            "The process that folds events into the ledger. Several share the partitions.",
        )
    )
    def worker(
        name: Annotated[
            str, typer.Option(help=text("本进程在 run/ 下的名字", "this process's name under run/"))
        ] = "worker",
        processes: Annotated[
            int,
            typer.Option(
                min=1,
                help=text(
                    "并行的进程数,一核一个;各占 run/ 下的 NAME-1、NAME-2…",
                    "how many side by side, one a core; NAME-1, NAME-2… under run/",
                ),
            ),
        ] = 1,
        web_port: Annotated[
            int,
            typer.Option(
                help=text(
                    "健康检查端口,多进程时依次加一;0 为任选",
                    "port of /health, the next ones for more processes; 0: free ones",
                )
            ),
        ] = 0,
        session_seconds: Annotated[
            float,
            typer.Option(
                help=text("多久没有心跳算掉线", "without a heartbeat for so long it counts as gone")
            ),
        ] = 6.0,
    ) -> None:
        _work(name, processes, web_port, session_seconds)


def _work(name: str, processes: int, web_port: int, session_seconds: float) -> None:
    """One worker process here, or several forked from here."""
    settings = Settings()
    address = bootstrap(settings)
    (settings.place / "worker").mkdir(parents=True, exist_ok=True)
    ground = ground_of(address)
    bar = RestoreBar()
    _imported()

    def run(known_as: str, port: int, restoring: "Restoring") -> None:
        fillers = max(1, (os.cpu_count() or 1) // processes)
        _run(settings, address, ground, known_as, port, session_seconds, restoring, fillers)

    if processes == 1:
        run(name, web_port, bar.told)
        return
    ports = {f"{name}-{n}": web_port and web_port + n - 1 for n in range(1, processes + 1)}
    raise SystemExit(
        run_forked(
            list(ports),
            lambda known_as, tell: run(known_as, ports[known_as], lambda *at: tell(at)),
            lambda at: bar.told(*at),
        )
    )


def _imported() -> None:
    """Import what a worker needs, and keep the collector from looking through it ever after.

    What is never looked at stays shared by forks. From here on it looks only when the app says so.
    """
    importlib.import_module("streams.worker.app")
    gc.freeze()
    gc.disable()


def _run(
    settings: Settings,
    address: str,
    ground: "Ground",
    name: str,
    web_port: int,
    session_seconds: float,
    restoring: "Restoring",
    fillers: int,
) -> None:
    """One worker process, until it is asked to end."""
    import faust

    from streams.worker.app import build

    noted: list[Path] = []
    parts = build(
        bootstrap=address,
        app_id=settings.app_id,
        ground=ground,
        datadir=settings.place / "worker",
        web_port=web_port,
        session_seconds=session_seconds,
        clock=time.time,
        tick_seconds=settings.tick_seconds,
        restoring=restoring,
        fillers=fillers,
        announce=lambda port: noted.append(note_process(settings, name, port=port)),
    )
    leave_out_repeats()
    try:
        faust.Worker(
            parts.app,
            *parts.services,
            loglevel="info",
            redirect_stdouts=False,
            quiet=not sys.stderr.isatty(),
        ).execute_from_commandline()
    finally:
        for note in noted:
            forget_process(note)
