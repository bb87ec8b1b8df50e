"""`shilu status` for a person: what runs, how far everything is, and what is wrong, by name."""

from typing import Any

from rich.console import Console
from rich.table import Table

from deploy.lang import text
from deploy.trail.reconcile_words import difference_word

_STATES = {
    "running": ("运行中", "running"),
    "starting": ("正在启动,请稍候", "starting, in a moment it runs"),
    "not_ready": ("未就绪", "not ready"),
    "unknown": ("状态未知", "cannot tell how far it is"),
    "red": ("[bold red]红色[/]", "[bold red]red[/]"),
    "gone": ("[bold red]没有响应[/]", "[bold red]does not answer[/]"),
}
_REASONS = {
    "catalogue_unread": ("名册尚未读完", "the catalogue is not read yet"),
    "restoring": ("正在恢复分区", "restoring partition"),
    "stalled": ("有记录而没有提交的分区", "records and no commit in partition"),
    "assignment_differs": (
        "所处理的分区与消费组分配的不符",
        "works on other partitions than given",
    ),
    "log_unreachable": ("问不到日志的末尾", "the log's ends cannot be asked"),
    "clock_wrong": ("时钟不准", "wrong clock"),
}
_SERVICES = {
    "worker": ("台账进程", "worker"), "trail": ("审计库", "trail"), "sealer": ("封存", "sealer"),
    "gateway": ("网关", "gateway"), "vault": ("保险库", "vault"), "witness": ("见证", "witness"),
}  # fmt: skip
_FAULTS = {
    "index_not_dense": "序号不连续",
    "unreadable_output": "输出无法读取",
    "trail_full": "磁盘已满",
    "trail_unusable": "无法使用",
    "trail_unreachable": "连不上",
    "trail_damaged": "已损坏",
}
"""Faults that only a sink has; the others are kinds of differences, too."""
_HOLDERS = {"ledger": ("台账", "ledger"), "trail": ("审计库", "trail"), "seal": ("封存", "seal")}


def show_standing(found: dict[str, Any]) -> None:
    """Print the answer of `standing`."""
    console = Console(highlight=False, soft_wrap=True)
    table = Table(show_header=False, box=None)
    table.add_row("Kafka", found["kafka"])
    for name, state in found["states"].items():
        table.add_row(_service(name), text(*_STATES[state]) + _why(found["services"][name]))
    table.add_row(text("台账落后", "ledger behind"), _records(found["worker_behind"]))
    sealed = (
        _records(found["seal_behind"]) if found["has_key"]
        else text("此处没有密钥,不封存", "no key here, nothing is sealed from here")
    )  # fmt: skip
    table.add_row(text("封存落后", "seal behind"), sealed)
    late = _records(found["trail_behind"])
    if not found["has_trail"]:
        late += text("(此处没有审计库,请运行 shilu sink)", " (no trail here: run `shilu sink`)")
    table.add_row(text("审计库落后", "trail behind"), late)
    console.print(table)
    for zh, en in _wrong(found):
        console.print(f"[bold red]✘[/] {text(zh, en)}")


def _service(name: str) -> str:
    """A process: in Chinese what it is, beside its name."""
    zh, _ = _SERVICES.get(name.partition("-")[0], ("", ""))
    return text(f"{zh} {name}".strip(), name)


def _fault(code: str) -> str:
    return text(_FAULTS.get(code) or difference_word(code), code)


def _records(n: int | None) -> str:
    return text("未知", "unknown") if n is None else f"{n:,} {text('条', 'records')}"


def _why(said: dict[str, Any] | None) -> str:
    """What a process says is the matter with it."""
    if said is None:
        return ""
    faults = [
        f"{_fault(one['code'])} {one['place']} {one['detail']}"
        for one in said.get("faults", [])[:3]
    ]
    faults += [_reason(one) for one in said.get("reasons", [])[:3]]
    shown = "; ".join(faults)
    return f" ({shown})" if shown else ""


def _reason(one: dict[str, Any]) -> str:
    """Why a worker is not ready (docs/worker.md lists the codes)."""
    zh, en = _REASONS.get(one["code"], (one["code"], one["code"]))
    where = f" {one['partition']}" if "partition" in one else ""
    seconds = text(f" {one['seconds']} 秒", f" for {one['seconds']} s") if "seconds" in one else ""
    detail = f": {one['text']}" if one.get("text") else ""
    return f"{text(zh, en)}{where}{seconds}{detail}"


def _wrong(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Each thing that is wrong, as a sentence with its way out."""
    said = []
    if found["missing_topics"]:
        names = ", ".join(found["missing_topics"])
        said.append(
            (f"主题不存在:{names}。请从备份恢复;新部署请运行 shilu topics create。",
             f"Topics are missing: {names}. Restore them from a backup; on a new deployment run "
             "`shilu topics create`.")
        )  # fmt: skip
    if found["without_worker"]:
        said.append(
            ("消费组里没有台账进程:请运行 shilu up 或 shilu worker。",
             "No worker is left in the consumer group: run `shilu up` or `shilu worker`.")
        )  # fmt: skip
    gone = [name for name, state in found["states"].items() if state == "gone"]
    if gone:
        names = ", ".join(map(_service, gone))
        said.append(
            (f"本应运行的进程没有响应:{names}。请重新启动它;不再需要请运行 shilu down。",
             f"Processes that ought to run do not answer: {names}. Start them again; where they "
             "are not wanted any more run `shilu down`.")
        )  # fmt: skip
    for one in found["open_transactions"]:
        where, who = f"{one['topic']}/{one['partition']}", one["transactional_id"] or "?"
        said.append(
            (f"{where} 从偏移量 {one['from']} 起等待未结束的事务({who}):提交、中止或超时后继续。",
             f"{where} waits from offset {one['from']} on for an open transaction ({who}): it goes "
             "on once that is committed, aborted or timed out.")
        )  # fmt: skip
    said += [_gap(one) for one in found["gaps"]]
    said += [_ahead(one) for one in found["ahead"]]
    return said


def _gap(one: dict[str, Any]) -> tuple[str, str]:
    zh, en = _HOLDERS[one["holder"]]
    where = f"{one['topic']}/{one['partition']}"
    return (
        f"{where} 的偏移量 {one['from']} 至 {one['to'] - 1} 已从 Kafka 消失,{zh}没有:"
        "请从备份恢复,或用 shilu accept-gap 说明理由后继续。",
        f"{where}: offsets {one['from']} to {one['to'] - 1} are gone from Kafka, and the {en} does "
        "not have them: restore the topic from a backup, or go on with `shilu accept-gap`.",
    )


def _ahead(one: dict[str, Any]) -> tuple[str, str]:
    zh, en = _HOLDERS[one["holder"]]
    if "log" in one:
        where_zh, where = f"{one['log']} 多 {one['entries']} 条", f"{one['log']}, {one['entries']}"
        return (
            f"封存的比 Kafka 中的多({where_zh}):请从备份恢复,或见 shilu set-aside。",
            f"More is sealed than Kafka has ({where} entries): restore the topic from a backup, or "
            "see `shilu set-aside`.",
        )
    where = f"{one['topic']}/{one['partition']}"
    return (
        f"{where}:{zh}已到偏移量 {one['to']},Kafka 只到 {one['from']}:"
        "请从备份恢复主题,或见 shilu set-aside。",
        f"{where}: the {en} goes up to offset {one['to']}, Kafka only to {one['from']}: restore "
        "the topic from a backup, or see `shilu set-aside`.",
    )
