"""`shilu demo`: the main job on realistic input, from an empty folder to a reconciled ledger."""

import os
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from deploy.commands.writing.simulate import send_plan
from deploy.demo.demo_screen import Told, show_last_screen
from deploy.errors import ShiluError
from deploy.lang import text
from deploy.sending.sending import send_file
from deploy.services.running import TRAIL, end_leftovers, health
from deploy.settings import Settings
from deploy.stack.stack import Stack, ensure_topics
from deploy.terminal.tables import folded, table, wrapped
from deploy.terminal.wording import word
from deploy.trail.lag import worker_lags
from producers.simulator.simulate import Plan
from schemas.times import day

if TYPE_CHECKING:
    from deploy.demo.showing import Altered

EXAMPLE = Path(__file__).parents[1] / "linkage.jsonl"
"""The worked example; the same file as docs/examples/linkage.jsonl, and part of the package."""
_PATIENCE_SECONDS = 240.0
_KILL_AFTER_SECONDS = 2.0
_WHO, _WHERE = "v-8f3a", "sw1"
"""Of the worked example: whose certificate the demo prints, and who issues it."""
console = Console(highlight=False, soft_wrap=True)


@dataclass(slots=True)
class Steps:
    """Numbered steps with their times."""

    total: int
    number: int = 0

    def done(self, began: float, zh: str, en: str) -> None:
        """One step finished."""
        self.number += 1
        took = f"{time.monotonic() - began:.1f} s"
        step = f"[bold][{self.number}/{self.total}][/]"
        said = wrapped(f"{text(zh, en)}  {took}", console.width - len("[1/7] ✔ "))
        console.print(f"{step} [green]✔[/] " + "\n        ".join(said))


def register(app: typer.Typer) -> None:
    """Add `demo`."""
    app.command(
        help=text(
            "演示主流程:起 Kafka、送 2 万条模拟事件、算时长、对账。",
            "The main job end to end: Kafka, 20,000 simulated events, totals, reconciliation.",
        )
    )(demo)


def demo(
    events: Annotated[
        int, typer.Option(min=1_000, help=text("模拟事件数", "simulated events"))
    ] = 20_000,
    seed: Annotated[int, typer.Option(help=text("随机种子", "seed"))] = 1,
    home: Annotated[
        Path, typer.Option(help=text("数据放在哪里(每次清空)", "where to put data (emptied first)"))
    ] = Path(".shilu/demo"),
) -> None:
    """Exit 0 only if all sides agree, the altered copy is found out, and the certificate holds."""
    settings = Settings(home=home.absolute(), bootstrap="")
    end_leftovers(settings)
    _empty(settings.place)
    steps = Steps(7)
    with Stack(settings, workers=1, say=_quiet) as stack:
        told = _run(settings, stack, steps, events, seed)
        # The first stop of a Kafka takes long: it writes down what makes its next starts quick.
        console.print(text("正在停止全部进程(首次约 20 秒:Kafka 为下次快速启动保存缓存)…",
                           "stopping everything (20 s the first time: Kafka keeps a cache for "
                           "later) …"))  # fmt: skip
    show_last_screen(told, _near(settings.place))
    raise typer.Exit(told.exit_code)


def _quiet(zh: str, en: str, *, bad: bool = False) -> None:
    """The demo tells its own steps."""


def _run(settings: Settings, stack: Stack, steps: Steps, events: int, seed: int) -> Told:
    """Everything between start and stop."""
    began = time.monotonic()
    # What takes seconds to import is there when Kafka is.
    threading.Thread(target=_preload, daemon=True).start()
    stack.start_kafka()
    steps.done(began, f"Kafka 4.1 · {stack.bootstrap}", f"Kafka 4.1 · {stack.bootstrap}")

    began = time.monotonic()
    ensure_topics(stack.bootstrap, settings.partitions, True, _quiet)
    stack.start_services()
    steps.done(
        began,
        "主题、台账进程、审计库(chDB)、封存就绪",
        "topics, worker, audit trail (chDB) and seal are ready",
    )
    _fill(settings, stack, steps, events, seed)
    return _shown(settings.model_copy(update={"bootstrap": stack.bootstrap}), steps)


def _preload() -> None:
    """Import what the later steps need."""
    import deploy.demo.showing
    import deploy.trail.trail_check  # noqa: F401


def _fill(settings: Settings, stack: Stack, steps: Steps, events: int, seed: int) -> None:
    """Send everything, kill the worker on the way, and wait until it has made up for it."""
    began = time.monotonic()
    with ThreadPoolExecutor(1) as aside:
        killed = aside.submit(_kill_and_revive, settings, stack)
        send_plan(stack.bootstrap, Plan(events, events // 10, 30, seed, day("2025-03-01")))
        send_file(stack.bootstrap, str(EXAMPLE))
        killed.result()
    steps.done(
        began,
        f"已送入 {events:,} 条模拟记录与一组示例;途中用 kill -9 杀掉了台账进程",
        f"sent {events:,} simulated records and an example; the worker was killed (kill -9) "
        "on the way",
    )

    began = time.monotonic()
    records = _catch_up(settings, stack.bootstrap)
    steps.done(
        began,
        f"台账进程自动重启,与审计库都已追上({records:,} 条事实)",
        f"the worker was started again; ledger and trail have caught up ({records:,} facts)",
    )


def _shown(here: Settings, steps: Steps) -> Told:
    """What the ledger answers, and what proves it."""
    from consumers.api.trail_client import At, ask
    from deploy.demo.showing import alter_a_copy, certify
    from deploy.trail.report_view import show_report
    from deploy.trail.trail_check import check

    began = time.monotonic()
    report = check(here, 30.0)
    steps.done(
        began,
        "三方对账:Kafka = 审计库 = 账户;被杀一次,一分钟也没有多,没有少",
        "reconciled: Kafka = trail = accounts; killed once, and not a minute more or less",
    )
    at = At(here.place)
    found = ask(at, "overview")
    _show_totals(found)
    _show_exceptions(ask(at, "exceptions", limit=1))
    show_report(report)

    began = time.monotonic()
    altered = alter_a_copy(here)
    _show_altered(altered)
    steps.done(
        began,
        "核对封存:原件全部相符;副本里改了一个数,被找了出来",
        "verified the seal: the original is as sealed; one number changed in a copy was found",
    )

    began = time.monotonic()
    paper = certify(here, _WHO, _WHERE)
    steps.done(
        began,
        f"开出证明 {paper['number']} 并核验:{word(paper['state'])}",
        f"issued the certificate {paper['number']} and checked it: {paper['state']}",
    )
    return Told(found, report, altered, paper)


def _near(place: Path) -> str:
    """A folder as it is shortest to type from here."""
    return min(os.path.relpath(place), str(place), key=len)


def _kill_and_revive(settings: Settings, stack: Stack) -> None:
    """Kill the worker; start it again, as `shilu up` does, and wait until it answers."""
    time.sleep(_KILL_AFTER_SECONDS)
    stack.kill_worker()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    begun = time.monotonic()
    stack.watch(
        lambda: (
            time.monotonic() > deadline
            or (time.monotonic() - begun > 1.5 and health(settings, "worker-1") is not None)
        )
    )


def _empty(place: Path) -> None:
    """Begin with nothing; only a folder that a demo made is removed."""
    mark = place / "demo"
    if place.exists() and any(place.iterdir()) and not mark.exists():
        raise ShiluError(
            "not_a_demo",
            f"{place} 不是演示目录,不会清空:请用 --home 指定一个空目录。",
            f"{place} is not a demo's folder and is not emptied: name an empty one with --home.",
        )
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    mark.touch()


def _catch_up(settings: Settings, bootstrap: str) -> int:
    """Wait, with a bar, until worker and trail have everything; the number of facts."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    ) as progress:
        folding = progress.add_task(text("台账", "ledger"))
        measured = worker_lags(bootstrap)
        while time.monotonic() < deadline:
            lags = next(measured)
            total, left = sum(lag.end for lag in lags), sum(lag.records for lag in lags)
            progress.update(folding, completed=total - left, total=total)
            said = health(settings, TRAIL)
            if not left and said is not None and not said["behind"]:
                return total
            time.sleep(0.2)
    raise ShiluError(
        "too_slow",
        f"{_PATIENCE_SECONDS:g} 秒内没有追上:请查看 {settings.place / 'log'} 中的日志。",
        f"It has not caught up within {_PATIENCE_SECONDS:g} s: see the logs in "
        f"{settings.place / 'log'}.",
    )


def _show_totals(found: dict[str, Any]) -> None:
    from deploy.trail.trail_view import hours

    columns = (text("组织", "organisation"), text("名称", "name"), text(">人数", ">volunteers"),
               text(">时长", ">time"))  # fmt: skip
    drawn = table(text("累计", "totals"), columns, [
        (org["org_id"], org["name"], f"{org['volunteers']:,}", hours(org["minutes"]))
        for org in found["orgs"]
    ])  # fmt: skip
    console.print()
    console.print(
        text(
            f"志愿者 {found['volunteers']:,} 人 · 人次 {found['attendances']:,} · "
            f"时长 {hours(found['minutes'])}",
            f"{found['volunteers']:,} volunteers · {found['attendances']:,} attendances · "
            f"{hours(found['minutes'])}",
        )
    )
    console.print(drawn)
    counts = (f"{word(name)} {count:,}" for name, count in found["outcomes"].items())
    console.print(" · ".join(counts))


def _show_exceptions(found: dict[str, Any]) -> None:
    columns = (text("结果", "outcome"), text(">条数", ">records"), text("原因", "reason"))
    title = text("没有计入的,以及原因", "what does not count, and why")
    drawn = table(title, columns, [
        (word(group["outcome"]), f"{group['count']:,}", text(group["zh"], group["en"]))
        for group in found["counts"]
    ])  # fmt: skip
    console.print()
    # Not soft-wrapped: that cuts a sentence where the screen ends.
    Console(highlight=False).print(drawn)


def _show_altered(altered: "Altered") -> None:
    from deploy.seal.seal_audit import show_verified

    console.print()
    console.print(folded(
        text(
            f"在导出的副本里,把 {altered.file} 第 {altered.row} 行的 {altered.before} 分钟"
            f"改成 {altered.after} 分钟,再核对:",
            f"In a copy of the export, {altered.before} minutes on row {altered.row} of "
            f"{altered.file} become {altered.after}; verified again:",
        )
    ))  # fmt: skip
    show_verified(altered.changed, sure=True)
