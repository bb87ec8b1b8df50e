"""`shilu demo`: the main job on realistic input, from an empty folder to a reconciled ledger."""

import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from deploy.commands.simulate import send_plan
from deploy.errors import ShiluError
from deploy.lag import worker_lag
from deploy.lang import text
from deploy.running import TRAIL, end_leftovers, health
from deploy.sending import send_file
from deploy.settings import Settings
from deploy.stack import Stack, ensure_topics
from deploy.topics_admin import Wanted
from producers.simulate import Plan
from schemas.times import day

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "linkage.jsonl"
_PATIENCE_SECONDS = 240.0
_A_VOID = "0195599f-cdc0-7000-8000-000000000016"
"""The event of the worked example that voids a session."""
console = Console(highlight=False, soft_wrap=True)


@dataclass(slots=True)
class Steps:
    """Numbered steps with their times."""

    total: int
    number: int = 0

    def done(self, began: float, zh: str, en: str) -> None:
        """One step finished."""
        self.number += 1
        took = f"[dim]{time.monotonic() - began:.1f} s[/]"
        step = f"[bold][{self.number}/{self.total}][/]"
        console.print(f"{step} [green]✔[/] {text(zh, en)}  {took}")


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
    """Exit 0 only if the reconciliation is green."""
    settings = Settings(home=home.absolute(), bootstrap="")
    end_leftovers(settings)
    _empty(settings.place)
    steps = Steps(5)
    with Stack(settings, workers=1, say=lambda zh, en: None) as stack:
        light = _run(settings, stack, steps, events, seed)
    console.print(
        text(
            f"全部进程已停止。再看:SHILU_HOME={home} .venv/bin/shilu up",
            f"Everything is stopped. To go on: SHILU_HOME={home} .venv/bin/shilu up",
        )
    )
    raise typer.Exit(light)


def _run(settings: Settings, stack: Stack, steps: Steps, events: int, seed: int) -> int:
    """Everything between start and stop; the exit code of the reconciliation."""
    from consumers.ask import At, ask
    from deploy.trail_check import check
    from deploy.trail_view import show_report

    began = time.monotonic()
    stack.start_kafka()
    steps.done(began, f"Kafka 4.1 · {stack.bootstrap}", f"Kafka 4.1 · {stack.bootstrap}")

    began = time.monotonic()
    ensure_topics(stack.bootstrap, Wanted(settings.partitions, True, 1))
    stack.start_services()
    steps.done(
        began,
        "主题、台账进程、审计库(chDB)、封存就绪",
        "topics, worker, audit trail (chDB) and seal are ready",
    )

    began = time.monotonic()
    send_plan(stack.bootstrap, Plan(events, events // 10, 30, seed, day("2025-03-01")))
    send_file(stack.bootstrap, str(EXAMPLE))
    steps.done(
        began,
        f"已送入 {events:,} 条模拟记录与示例 docs/examples/{EXAMPLE.name}",
        f"sent {events:,} simulated records and the example docs/examples/{EXAMPLE.name}",
    )

    began = time.monotonic()
    records = _catch_up(settings, stack.bootstrap)
    steps.done(
        began,
        f"台账与审计库已追上({records:,} 条事实)",
        f"ledger and trail have caught up ({records:,} facts)",
    )

    began = time.monotonic()
    here = settings.model_copy(update={"bootstrap": stack.bootstrap})
    report = check(here, 30.0)
    steps.done(began, "三方对账:Kafka = 审计库 = 账户", "reconciled: Kafka = trail = accounts")
    at = At(settings.place)
    _show_totals(ask(at, "overview"))
    _show_exceptions(ask(at, "exceptions", limit=1))
    show_report(report)
    _look_further(settings, ask(at, "overview")["most_served"])
    return int(report["exit_code"])


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
        while time.monotonic() < deadline:
            lags = worker_lag(bootstrap, settings.app_id)
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
    from deploy.trail_view import hours

    table = Table(title=text("累计", "totals"), title_justify="left")
    table.add_column(text("组织", "organisation"))
    table.add_column(text("志愿者", "volunteers"), justify="right")
    table.add_column(text("时长", "time"), justify="right")
    for org in found["orgs"]:
        table.add_row(org["org_id"], f"{org['volunteers']:,}", hours(org["minutes"]))
    console.print()
    console.print(
        text(
            f"志愿者 {found['volunteers']:,} 人 · 人次 {found['attendances']:,} · "
            f"时长 {hours(found['minutes'])}",
            f"{found['volunteers']:,} volunteers · {found['attendances']:,} attendances · "
            f"{hours(found['minutes'])}",
        )
    )
    console.print(table)
    console.print(" · ".join(f"{name} {count:,}" for name, count in found["outcomes"].items()))


def _show_exceptions(found: dict[str, Any]) -> None:
    table = Table(title=text("没有计入的,以及原因", "what does not count, and why"),
                  title_justify="left")  # fmt: skip
    table.add_column(text("结果", "outcome"))
    table.add_column(text("条数", "records"), justify="right")
    table.add_column(text("原因", "reason"))
    for group in found["counts"]:
        table.add_row(group["outcome"], f"{group['count']:,}", text(group["zh"], group["en"]))
    console.print()
    console.print(table)


def _look_further(settings: Settings, volunteer_id: str | None) -> None:
    home = os.path.relpath(settings.place)
    console.print()
    console.print(text("接着看(数据仍在):", "Look further (the data stays):"))
    for command in (
        f"total {volunteer_id} --by org",
        "total v-8f3a --by day",
        "explain v-51c7",
        "exceptions",
        f"trace {_A_VOID}",
        "verify",
    ):
        console.print(f"  SHILU_HOME={home} .venv/bin/shilu {command}")
