"""`shilu up`, `down` and `status`: the services of one machine."""

import json
import os
import signal
import subprocess
import sys
import time
from typing import Annotated, Any

import typer
from rich.console import Console

from deploy.broker.topics_admin import describe
from deploy.errors import ShiluError
from deploy.host.pidfile import read_pidfile
from deploy.host.rotation import tail
from deploy.lang import text
from deploy.services.local import bootstrap, forget_process, note_path, note_process
from deploy.services.running import UP, end_leftovers
from deploy.settings import Settings
from deploy.stack.stack import Stack, ensure_topics
from producers.connection import TIMESTAMP_TYPE
from schemas.topics import CHECKINS

_START_SECONDS = 180.0
_SINK_STARTS_SECONDS = 10.0
"""How long `status` waits for a sink that has only begun, also without --wait."""

console = Console(highlight=False, soft_wrap=True)


def say(zh: str, en: str, *, bad: bool = False) -> None:
    """One step done, or something that is no good news."""
    mark = "[bold yellow]![/]" if bad else "[green]✔[/]"
    console.print(f"{mark} {text(zh, en)}")


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
    if (found := read_pidfile(note_path(settings, UP))) is not None:
        log = settings.place / "log" / "up.log"
        raise ShiluError(
            "already_up",
            f"shilu up 已在运行({settings.place},pid {found[0].pid}),退出的进程由它重新启动:"
            f"请用 shilu status 查看缺什么、看 {log};要重来先 shilu down,再 shilu up。",
            f"`shilu up` runs for {settings.place} already (pid {found[0].pid}) and starts again "
            f"what ends: see what is missing in `shilu status` and in {log}; to begin anew run "
            "`shilu down`, then `shilu up`.",
        )
    if detach:
        _detach(settings)
        return
    stopping = stopping_on_signals()
    with Stack(settings, workers=0 if kafka_only else workers, say=say) as stack:
        note = note_process(settings, UP)
        try:
            stack.start_kafka()
            producer_time = (timestamps or _whose_time(stack.bootstrap)) == "producer"
            ensure_topics(stack.bootstrap, settings.partitions, producer_time, say)
            if not kafka_only:
                stack.start_services()
            note_process(settings, UP, ready="yes", services=" ".join(stack.services))
            console.print(text("按 Ctrl-C 停止", "Ctrl-C stops everything"))
            stack.watch(stopping)
        finally:
            forget_process(note)
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
        found = read_pidfile(note_path(settings, UP))
        if found is not None and found[1].get("ready"):
            say(
                f"已在后台运行:Kafka {bootstrap(settings)},日志 {log.parent}",
                f"Running in the background: Kafka at {bootstrap(settings)}, logs in {log.parent}",
            )
            return
        time.sleep(0.1)
    lines = tail(log)
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
    """Exit 0 only if nothing is behind, missing, red or gone, as the cluster and the trail say."""
    # The trail's engine takes a second to import.
    from deploy.stack.standing import standing
    from deploy.stack.standing_view import show_standing

    settings = Settings()
    began = time.monotonic()
    while True:
        patience = wait
        try:
            found = standing(settings)
        except ShiluError as error:
            if error.code != "no_broker" or time.monotonic() - began >= wait:
                raise
        else:
            if "starting" in found["states"].values():
                patience = max(wait, _SINK_STARTS_SECONDS)
            if found["in_step"] or time.monotonic() - began >= patience:
                break
        time.sleep(0.5)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        show_standing(found)
    raise typer.Exit(0 if found["in_step"] else 1)
