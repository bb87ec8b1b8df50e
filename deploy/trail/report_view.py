"""How a reconciliation looks on a terminal: the light, what differs, who is behind."""

from collections.abc import Sequence

from rich.console import Console

from deploy.lang import text
from deploy.terminal.tables import console, table
from deploy.trail.reconcile_words import checked_word, detail_in_words, difference_word
from deploy.trail.trail_view import Answer


def show_report(report: Answer) -> None:
    """The light, what was checked, and what differs or is still to come."""
    out = console()
    checked = text("、", ", ").join(
        f"{checked_word(name)} {n}" for name, n in sorted(report["checked"].items())
    )
    match report["state"]:
        case "green":
            out.print(text("✔ 对账一致:Kafka = 审计库 = 账户", "✔ Kafka = trail = accounts"))
        case "behind":
            out.print(text("… 尚未追平:已到的部分一致", "… behind: what has come agrees"))
        case _:
            n = report["difference_count"]
            out.print(text(f"✘ 对账不一致:{n} 处", f"✘ {n} differences"))
    out.print(text(f"  已核对:{checked}", f"  checked: {checked}"))
    late = (
        ("worker_behind", text("台账进程", "worker")),
        ("trail_behind", text("审计库", "trail")),
    )
    rows = [(who, place, n) for key, who in late for place, n in report[key].items()]
    if rows:
        columns = (text("落后者", "behind"), text("位置", "place"), text(">条数", ">records"))
        out.print(table("", columns, rows))
    for place, offset in report["open_transactions"].items():
        zh = f"  {place} 从偏移量 {offset} 起等待未结束的事务"
        out.print(text(zh, f"  {place} waits from offset {offset} on for an open transaction"))
    for gap in report["gaps"]:
        out.print(text(f"  已由人接受的缺口:{gap}", f"  accepted gap: {gap}"))
    show_differences(out, report["differences"])


def show_differences(out: Console, differences: Sequence[Answer]) -> None:
    """What differs, and where; nothing if nothing does."""
    if not differences:
        return
    columns = (text("差异", "difference"), text("位置", "record"), text("事件", "event"),
               text("志愿者", "volunteer"), text("说明", "detail"))  # fmt: skip
    rows = [(difference_word(d["code"]), d["record"], d["event_id"], d["volunteer_id"],
             detail_in_words(d["detail"])) for d in differences]  # fmt: skip
    out.print(table("", columns, rows))


def show_behind(out: Console, report: Answer) -> None:
    """Who has how many records of which partition still to come."""
    late = (
        ("worker_behind", text("台账进程", "worker")),
        ("trail_behind", text("审计库", "trail")),
    )
    rows = [(who, place, n) for key, who in late for place, n in report[key].items()]
    if rows:
        columns = (text("落后者", "behind"), text("位置", "place"), text(">条数", ">records"))
        out.print(table("", columns, rows))
