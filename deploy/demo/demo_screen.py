"""The last screen of the demo: what was shown, and where to look next."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.panel import Panel

from deploy.lang import language, text
from deploy.trail.trail_view import hours

if TYPE_CHECKING:
    from deploy.demo.showing import Altered

_A_VOID = "0195599f-cdc0-7000-8000-000000000016"
"""The event of the worked example that voids a session."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the demo found."""

    found: dict[str, Any]
    report: dict[str, Any]
    altered: "Altered"
    paper: dict[str, Any]

    @property
    def reconciled(self) -> bool:
        """Do Kafka, trail and accounts agree?"""
        return int(self.report["exit_code"]) == 0

    @property
    def caught(self) -> bool:
        """Is the original as sealed, and the altered copy not?"""
        return not self.altered.whole["faults"] and bool(self.altered.changed["faults"])

    @property
    def valid(self) -> bool:
        """Is the certificate valid?"""
        return bool(self.paper["state"] == "valid")

    @property
    def exit_code(self) -> int:
        """0 if everything was as it must be."""
        return 0 if self.reconciled and self.caught and self.valid else 1


def show_last_screen(told: Told, home: str) -> None:
    """What was shown, on one screen: in Chinese, and in English for who reads that; then the
    commands to go on with, outside the frame, where they can be copied."""
    out = Console(highlight=False)
    out.print()
    out.print(_screen_zh(told, home))
    if language() == "en":
        out.print(_screen_en(told, home))
    shilu = ".venv/bin/shilu" if Path(".venv/bin/shilu").exists() else "shilu"
    most = told.found["most_served"]
    rows = (
        (f"export SHILU_HOME={home}", "数据仍在,不必启动任何进程", "the data stays; nothing runs"),
        (f"{shilu} total {most} --by org", "一个人的时长", "one person's hours"),
        (f"{shilu} explain v-51c7", "每一分钟的来历", "where every minute comes from"),
        (f"{shilu} exceptions", "没有计入的:谁该决定什么", "what waits, and for whom"),
        (f"{shilu} trace {_A_VOID}", "一个事件的去向", "what an event did"),
        (f"{shilu} verify", "再核对一次封存", "verify the seal once more"),
        (f"{shilu} up", "继续运行", "go on"),
        ("docs/guide-auditors.md", "审计人员从这里开始", "auditors begin here"),
    )
    out.print(text("接着看:", "Look further:"))
    for command, zh, en in rows:
        out.print(f"  {command}  [dim]{text(zh, en)}[/]", soft_wrap=True)


def _screen_zh(told: Told, home: str) -> Panel:
    found = told.found
    whole, rest = divmod(found["minutes"], 60)
    lines = (
        f"{_tick(True)} 记账:{found['volunteers']:,} 人、{found['attendances']:,} 人次、"
        f"{whole:,} 小时 {rest} 分,每一分钟都能查到来历",
        f"{_tick(told.reconciled)} 可靠:台账进程途中被强行杀掉,重启后三方对账,分毫不差",
        f"{_tick(told.caught)} 防篡改:副本中把 {told.altered.before} 分钟改成 "
        f"{told.altered.after} 分钟,核对立即指出是哪一条",
        f"{_tick(told.valid)} 证明:编号 {told.paper['number']},任何人都可核验",
        f"  {home}/certificate.pdf",
    )
    return Panel("\n".join(lines), title="实录 · 演示结果", title_align="left")


def _screen_en(told: Told, home: str) -> Panel:
    found = told.found
    lines = (
        f"{_tick(True)} recorded: {found['volunteers']:,} volunteers, {found['attendances']:,} "
        f"attendances, {hours(found['minutes'])}, each minute with its event",
        f"{_tick(told.reconciled)} robust: the worker was killed on the way; all three sides "
        "agree to the minute",
        f"{_tick(told.caught)} tamper-evident: {told.altered.before} minutes became "
        f"{told.altered.after} in a copy, and the very posting was named",
        f"{_tick(told.valid)} a certificate that anybody can check: {told.paper['number']}",
        f"  {home}/certificate.pdf",
    )
    return Panel("\n".join(lines), title="shilu · what the demo showed", title_align="left")


def _tick(good: bool) -> str:
    return "[green]✔[/]" if good else "[red]✘[/]"
