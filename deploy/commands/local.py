"""`shilu up`, `down` and `status`: the services of one machine."""

import json
import os
import signal
import subprocess
import sys
import time
from typing import Annotated, Any

import typer
from kafka.errors import KafkaError
from rich.console import Console
from rich.table import Table

from deploy.errors import ShiluError
from deploy.lag import worker_lag
from deploy.lang import text
from deploy.local import bootstrap, note_path, note_process
from deploy.pidfile import read_pidfile
from deploy.running import TRAIL, end_leftovers, health, running
from deploy.settings import Settings
from deploy.stack import Stack, ensure_topics
from deploy.topics_admin import Wanted, describe
from producers.connection import TIMESTAMP_TYPE
from schemas.topics import CHECKINS

_START_SECONDS = 180.0
_ASK_SECONDS = 2.0
console = Console(highlight=False, soft_wrap=True)


def say(zh: str, en: str) -> None:
    """One step done."""
    console.print(f"[green]✔[/] {text(zh, en)}")


def stopping_on_signals() -> Any:
    """A callable that tells whether SIGINT or SIGTERM has come; both then end things in order."""
    heard: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: heard.append(received))
    return lambda: bool(heard)


def register(app: typer.Typer) -> None:
    """Add the three commands."""
    app.command(
        help=text(
            "启动本机的 Kafka、台账进程、审计库与封存(Ctrl-C 停止)。",
            "Start Kafka, workers, the audit trail and the sealer here (Ctrl-C stops them).",
        )
    )(up)
    app.command(
        help=text("停止 shilu up 启动的一切。", "Stop everything that `shilu up` started.")
    )(down)
    app.command(
        help=text(
            "各进程的状态与落后多少;有落后时退出码不为 0。",
            "What runs and how far it is behind; the exit code is not 0 while anything is.",
        )
    )(status)


def up(
    workers: Annotated[
        int, typer.Option(min=1, help=text("台账进程数", "number of workers"))
    ] = 1,
    kafka_only: Annotated[
        bool, typer.Option("--kafka-only", help=text("只启动 Kafka", "start Kafka only"))
    ] = False,
    timestamps: Annotated[
        str,
        typer.Option(help=text("新建主题时以谁的时间为准:broker 或 producer",
                               "whose time counts in topics made now: broker or producer")),
    ] = "",
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help=text("在后台运行", "run in the background"))
    ] = False,
) -> None:  # fmt: skip
    """Start the services and keep them running."""
    settings = Settings()
    if read_pidfile(note_path(settings, "up")) is not None:
        raise ShiluError(
            "already_up",
            f"本机服务已在运行({settings.place}):请用 shilu status 查看,或先 shilu down。",
            f"The services of {settings.place} already run: see `shilu status`, "
            "or `shilu down` first.",
        )
    if detach:
        _detach(settings)
        return
    stopping = stopping_on_signals()
    with Stack(settings, workers=0 if kafka_only else workers, say=say) as stack:
        note = note_process(settings, "up")
        try:
            stack.start_kafka()
            producer_time = (timestamps or _whose_time(stack.bootstrap)) == "producer"
            ensure_topics(stack.bootstrap, Wanted(settings.partitions, producer_time, 1))
            if not kafka_only:
                stack.start_services()
            note_process(settings, "up", ready="yes", services=" ".join(stack.services))
            console.print(text("按 Ctrl-C 停止", "Ctrl-C stops everything"))
            stack.watch(stopping)
        finally:
            note.unlink(missing_ok=True)
            console.print(text("正在停止……", "stopping …"))


def _whose_time(address: str) -> str:
    """What the topics that exist carry; the broker's time where there are none yet."""
    found = describe(address).get(CHECKINS)
    own = found is not None and found.config[TIMESTAMP_TYPE] == "CreateTime"
    return "producer" if own else "broker"


def _detach(settings: Settings) -> None:
    log = settings.place / "log" / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    arguments = [a for a in sys.argv[1:] if a not in ("--detach", "-d")]
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env={**os.environ, "SHILU_HOME": str(settings.place)},
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = read_pidfile(note_path(settings, "up"))
        if found is not None and found[1].get("ready"):
            say(
                f"已在后台运行:Kafka {bootstrap(settings)},日志 {log.parent}",
                f"Running in the background: Kafka at {bootstrap(settings)}, logs in {log.parent}",
            )
            return
        time.sleep(0.1)
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    raise ShiluError(
        "not_up",
        f"服务没有启动({lines[-1] if lines else ''}):详情见 {log}。",
        f"The services did not start ({lines[-1] if lines else ''}): details are in {log}.",
    )


def down() -> None:
    """Stop the services, wherever they were started from."""
    settings = Settings()
    ended = end_leftovers(settings)
    if ended:
        say(f"已停止:{'、'.join(ended)}", f"stopped: {', '.join(ended)}")
    else:
        console.print(text("没有正在运行的服务", "nothing was running"))


def status(
    as_json: Annotated[bool, typer.Option("--json", help="JSON")] = False,
    wait: Annotated[
        float,
        typer.Option(help=text("最多等多少秒直到不落后", "wait up to so many seconds for that")),
    ] = 0.0,
) -> None:
    """Exit 0 only if nothing is behind and everything that `shilu up` started runs."""
    settings = Settings()
    deadline = time.monotonic() + wait
    found = _status(settings)
    while not found["in_step"] and time.monotonic() < deadline:
        time.sleep(0.5)
        found = _status(settings)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        _show(found)
    raise typer.Exit(0 if found["in_step"] else 1)


def _status(settings: Settings) -> dict[str, Any]:
    address = bootstrap(settings)
    try:
        lags = worker_lag(address, settings.app_id)
    except KafkaError as error:
        raise ShiluError(
            "no_broker",
            f"连不上 Kafka({address}):请检查地址,或运行 shilu up。",
            f"Kafka at {address} does not answer ({type(error).__name__}): "
            "check the address, or start one with `shilu up`.",
        ) from None
    # The trail's engine takes a second to import.
    from deploy.seal_process import seal_behind
    from deploy.trail_check import behind_count

    names = dict.fromkeys([*_started(settings), *running(settings)])
    services = {name: health(settings, name) for name in names if name != "up"}
    worker_behind = sum(lag.records for lag in lags)
    unsealed = seal_behind(settings, address)
    # Last, for the others' outputs are to be in it; and asked of the log, not of the sink: that one
    # looks where the log ends only now and then.
    trail_behind = 0 if services.get(TRAIL) is None else behind_count(settings, _ASK_SECONDS)
    behind = worker_behind + (trail_behind or 0) + (unsealed or 0)
    return {
        "kafka": address,
        "services": services,
        "worker_behind": worker_behind,
        "seal_behind": unsealed,
        "trail_behind": trail_behind,
        "behind": behind,
        "in_step": not behind and trail_behind is not None and None not in services.values(),
        "partitions": [
            {"topic": lag.topic, "partition": lag.partition, "behind": lag.records}
            for lag in lags
            if lag.records
        ],
    }


def _started(settings: Settings) -> list[str]:
    """What a running `shilu up` has started, in its order."""
    noted = read_pidfile(note_path(settings, "up"))
    return [] if noted is None else str(noted[1].get("services", "")).split()


def _show(found: dict[str, Any]) -> None:
    table = Table(show_header=False, box=None)
    table.add_row("Kafka", found["kafka"])
    for name, said in found["services"].items():
        answer = text("没有响应", "does not answer") if said is None else text("运行中", "running")
        table.add_row(name, answer)
        for reason in (said or {}).get("reasons", ()):
            table.add_row("", f"[red]{reason}[/]")
    table.add_row(
        text("台账落后", "ledger behind"), f"{found['worker_behind']:,} {text('条', 'records')}"
    )
    if found["seal_behind"] is not None:
        table.add_row(
            text("封存落后", "seal behind"), f"{found['seal_behind']:,} {text('条', 'records')}"
        )
    late = found["trail_behind"]
    lately = text("未知", "unknown") if late is None else f"{late:,} {text('条', 'records')}"
    table.add_row(text("审计库落后", "trail behind"), lately)
    console.print(table)
