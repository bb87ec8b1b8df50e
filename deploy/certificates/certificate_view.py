"""How answers about certificates look on a terminal."""

from collections.abc import Sequence

from deploy.lang import text
from deploy.terminal.tables import cell, console, table
from deploy.trail.trail_view import Answer, hours, sentence

_STATES = {
    "valid": ("✔ 有效", "✔ valid"),
    "amended": ("! 时长有更正", "! amended"),
    "superseded": ("! 已换发", "! superseded"),
    "revoked": ("✘ 已撤销", "✘ revoked"),
    "withdrawn": ("✘ 已停用:本人已申请删除", "✘ withdrawn: the holder asked to be forgotten"),
    "refused": ("✘ 台账未予登记", "✘ the ledger refused it"),
    "unknown": ("✘ 台账中没有这个编号", "✘ no such number in the ledger"),
    "pending": ("? 签名属实,台账尚未登记", "? genuine; the ledger has not taken it down yet"),
    "offline": ("? 签名属实,此处没有台账可查现状", "? genuine; no ledger here tells its state"),
}
_SHOWN_CHANGES = 20


def show_issued(done: Answer) -> None:
    """Number, figures, files."""
    out = console()
    out.print(text("✔ 已签发 ", "✔ issued ") + done["number"])
    _figures(done)
    for file in done["files"]:
        out.print(cell(f"  {file}"))


def show_checked(found: Answer) -> None:
    """The verdict first, then what was certified and what is otherwise now."""
    out = console()
    zh, en = _STATES[found["state"]]
    out.print(cell(f"{text(zh, en)}  {found['number']}"))
    if found["state"] == "refused":
        out.print(cell(f"  {found['reason']}: {sentence(found)}"))
    if "minutes" not in found:
        return
    _figures(found)
    if found.get("superseded_by"):
        out.print(cell(text("  换发为 ", "  replaced by ") + found["superseded_by"]))
    if found.get("revoked_for"):
        out.print(cell(text("  撤销原因 ", "  reason ") + found["revoked_for"]))
    if found.get("changes"):
        _changes(found)


def show_list(found: Sequence[Answer]) -> None:
    """One row for each certificate."""
    columns = (text("编号", "number"), text("志愿者", "volunteer"), text("组织", "org"),
               text("日期", "days"), text(">时长", ">hours"), text("状态", "state"))  # fmt: skip
    rows = []
    for one in found:
        zh, en = _STATES[one["state"]]
        if "minutes" not in one:
            rows.append((one["number"], "", "", "", "", text(zh, en)))
            continue
        days = f"{one['from_date']} – {one['to_date']}"
        rows.append((one["number"], one["volunteer_id"], one["issuer_org"]["id"], days,
                     hours(one["minutes"]), text(zh, en)))  # fmt: skip
    console().print(table("", columns, rows))


def _figures(said: Answer) -> None:
    org = said["issuer_org"]["name"] or said["issuer_org"]["id"]
    times = text(f"{said['attendances']} 次", f"attendances: {said['attendances']}")
    console().print(cell(
        f"  {org}  {said['from_date']} – {said['to_date']}  {hours(said['minutes'])}  {times}"
    ))  # fmt: skip


def _changes(found: Answer) -> None:
    """By how much, and on which days."""
    out, net = console(), found["change_minutes"]
    out.print(cell(text(
        f"  签发后更正 {net:+d} 分,现为 {hours(found['minutes_now'])}",
        f"  amended by {net:+d} minutes since, now {hours(found['minutes_now'])}",
    )))  # fmt: skip
    for change in found["changes"][:_SHOWN_CHANGES]:
        out.print(cell(
            f"  {change['service_date']}  {change['project_id']}/{change['activity_id']}  "
            f"{hours(change['minutes'])} → {hours(change['minutes_now'])}"
        ))  # fmt: skip
    rest = len(found["changes"]) - _SHOWN_CHANGES
    if rest > 0:
        out.print(text(f"  另有 {rest} 处(--json 全部列出)", f"  {rest} more (all with --json)"))
