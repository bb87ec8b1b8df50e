"""How the figures of organisations, projects and people look on a terminal, and what is in the way.

Lengths are shown as `3h 20m`, never stored so; times in tables to the minute.
"""

from collections.abc import Iterable, Sequence

from rich.console import Console

from deploy.lang import language, text
from deploy.terminal.tables import bar, cell, console, table
from deploy.terminal.wording import column, heads, org_kind_word, reason_word, word
from deploy.trail.trail_view import (
    Answer,
    beside,
    bounds,
    hours,
    minute,
    sentence,
    show_breakdown,
    show_figures,
    show_quarantined,
)

_MOST_ROWS = 60


def show_org(answer: Answer) -> None:
    """Gross, net and what lies between, as recorder and as host."""
    out = console()
    parts = (answer["org_id"], answer["name"], org_kind_word(answer["kind"]), answer["region"])
    out.print(cell("  ".join(part for part in parts if part)), bounds(answer), sep="")
    recorder, host = answer["recorder"], answer["host"]
    largest = recorder["gross"]["minutes"]
    rows: list[tuple[object, ...]] = []
    for label, path in (
        (text("毛(记录的)", "gross (recorded)"), ("gross", "minutes")),
        (text("净(计入的)", "net (counts)"), ("net", "minutes")),
        (text("  待确认", "  held"), ("held_minutes",)),
        (text("  已驳回", "  rejected"), ("rejected_minutes",)),
        (text("  重叠、作废、更正", "  overlap, voids, corrections"), ("reduced_minutes",)),
        (text("培训", "training"), ("net", "training_minutes")),
    ):
        one, other = _at(recorder, path), _at(host, path)
        rows.append((label, hours(one), bar(one, largest), hours(other)))
    for label, name in (
        (text("人次", "attendances"), "attendances"),
        (text("人数", "volunteers"), "volunteers"),
    ):
        rows.append((label, _of(recorder, name), "", _of(host, name)))
    unended = text("没有签退的", "sessions without an end")
    rows.append((unended, recorder["open_sessions"], "", host["open_sessions"]))
    columns = ("", text(">作为记录方", ">as recorder"), "", text(">作为接待方", ">as host"))
    out.print(table("", columns, rows))
    if answer["anonymous_heads"]:
        out.print(text(f"  不记名人头:{answer['anonymous_heads']}",
                       f"  heads without names: {answer['anonymous_heads']}"))  # fmt: skip
    if answer["breakdown"]:
        show_breakdown(out, answer["breakdown"], people=True)


def _at(part: Answer, path: Sequence[str]) -> int:
    found = part
    for name in path:
        found = found[name]
    assert isinstance(found, int)
    return found


def _of(part: Answer, name: str) -> str:
    """Gross and net of a measure that is no time."""
    return f"{part['gross'][name]:,} → {part['net'][name]:,}"


def show_plan(answer: Answer) -> None:
    """The sums of a project, and its shifts."""
    out = console()
    name = "  ".join(part for part in (answer["project_id"], answer["name"]) if part)
    out.print(cell(name), bounds(answer), sep="")
    planned, served = answer["planned_minutes"], answer["minutes"]
    share = f" ({served * 100 // planned}%)" if planned else ""
    show_figures(out, (
        (text("班次", "shifts"), text(f"{answer['shift_count']}(取消 {answer['cancelled']})",
                                    f"{answer['shift_count']} ({answer['cancelled']} cancelled)")),
        (text("计划", "planned"), hours(planned)),
        (text("实际", "served"), hours(served) + share),
        (text("待确认", "held"), hours(answer["held_minutes"])),
        (text("人次", "attendances"), f"{answer['attendances']:,}"),
        (text("人数", "volunteers"), f"{answer['volunteers']:,}"),
    ))  # fmt: skip
    shown = answer["shifts"][-_MOST_ROWS:]
    largest = max((max(row["planned_minutes"], row["minutes"]) for row in shown), default=0)
    columns = (
        text("班次", "shift"), text("开始", "begins"), text("站点", "site"),
        text(">计划", ">planned"), text(">实际", ">served"), "",
        text(">应到", ">expected"), text(">实到", ">came"),
        text(">缺席", ">absent"), text(">未报名", ">walk-ins"),
    )  # fmt: skip
    out.print(table("", columns, [
        (_shift_name(row), minute(row["start_at"]), beside(answer, "site", row["site_id"]),
         hours(row["planned_minutes"]),
         hours(row["minutes"]), bar(row["minutes"], largest), row["expected"], row["came"],
         max(row["absent"], row["no_shows"]), row["walk_ins"])
        for row in shown
    ]))  # fmt: skip
    if len(shown) < len(answer["shifts"]):
        out.print(text(f"  只列出最近 {len(shown)} 个;--json 有全部。",
                       f"  The newest {len(shown)} shifts; --json has all."))  # fmt: skip


def _shift_name(row: Answer) -> str:
    if row["shift_id"] is None:
        return text("(不属于任何班次)", "(outside all shifts)")
    mark = text("(取消)", " (cancelled)") if row["cancelled"] else ""
    return f"{row['shift_id']}{mark}"


def show_headcount(answer: Answer) -> None:
    """Registered and active people, with a bar for each row of a breakdown."""
    out = console()
    out.print(text(f"截至 {answer['date']}", f"as of {answer['date']}"))
    show_figures(out, (
        (text("注册", "registered"), f"{answer['registered']:,}"),
        (text("其中近十二个月活跃", "of them active in twelve months"), f"{answer['active']:,}"),
        (text("活跃而未注册", "active without registration"),
         f"{answer['unregistered_active']:,}"),
    ))  # fmt: skip
    breakdown = answer["breakdown"]
    if breakdown is None:
        return
    rows = sorted(breakdown["rows"], key=lambda row: (-row["registered"], row["key"]))
    largest = max((row["registered"] for row in rows), default=0)
    columns = [heads(breakdown["by"])[0], text("名称", "name"), text(">注册", ">registered"), "",
               text(">活跃", ">active"), text(">未注册", ">unregistered")]  # fmt: skip
    by_org = breakdown["by"] == "org"
    if by_org:
        columns.append(text(">在此服务", ">served there"))
    cells: list[list[object]] = [
        [row["key"] or "-", row["name"] or "", row["registered"],
         bar(row["registered"], largest), row["active"], row["unregistered_active"],
         *([row["served"]] if by_org else [])]
        for row in rows[:_MOST_ROWS]
    ]  # fmt: skip
    out.print(table("", columns, cells))


def show_overdue(answer: Answer) -> None:
    """Late records by organisation, then what waits for whom, then sessions without an end."""
    out = console()
    at, days = answer["as_of"], answer["days"]
    out.print(
        text(f"截至 {at},等待 {days} 天以上", f"as known at {at}, waiting {days} days or more")
    )
    late = answer["recorded_late"]
    show_figures(out, (
        (text("逾期记录(照常计入)", "recorded late (they count)"), f"{late['count']:,}"),
        (text("无从判断(缺当年日历)", "deadline unknown (no calendar of that year)"),
         f"{answer['deadline_unknown']['count']:,}"),
        (text("久未决定", "undecided"), _with_time(answer["waiting"])),
        (text("没有签退或签到", "without an end"), _with_time(answer["unended"])),
    ))  # fmt: skip
    if late["orgs"]:
        largest = late["orgs"][0]["count"]
        columns = (text("记录组织", "recorded by"), text("名称", "name"), text(">条数", ">records"),
                   "", text("最近", "newest"), text("事件", "event"))  # fmt: skip
        out.print(table(text("逾期记录", "recorded late"), columns, [
            (row["org_id"] or "-", row["name"], row["count"], bar(row["count"], largest),
             minute(row["newest"]), row["event_id"])
            for row in late["orgs"]
        ]))  # fmt: skip
    for title, part in ((text("久未决定", "undecided"), answer["waiting"]),
                        (text("没有签退或签到", "without an end"), answer["unended"])):  # fmt: skip
        _show_reasons(out, title, part["reasons"])
        show_waiting(out, part["rows"], answer)


def _with_time(part: Answer) -> str:
    held = f" ({hours(part['minutes'])})" if part["minutes"] else ""
    return f"{part['count']:,}{held}"


def _show_reasons(out: Console, title: str, reasons: Sequence[Answer]) -> None:
    if not reasons:
        return
    largest = max(row["count"] for row in reasons)
    columns = (text("原因", "reason"), text(">件数", ">count"), "",
               text(">最久(天)", ">oldest, days"), text("谁决定", "who decides"),
               text("用什么事件", "by which event"))  # fmt: skip
    out.print(table(title, columns, [
        (reason_word(row["reason"]), row["count"], bar(row["count"], largest),
         row["oldest_days"], _who(row), " / ".join(map(word, row["events"])))
        for row in sorted(reasons, key=lambda row: -row["count"])
    ]))  # fmt: skip


def _who(row: Answer) -> str:
    return str(row[f"who_{language()}"])


def show_exceptions(answer: Answer) -> None:
    """Counts by reason, what waits longest, the newest records of each, what to look at."""
    out = console()
    if answer["counts"]:
        columns = (text("结果", "outcome"), text("原因", "reason"), text(">条数", ">count"),
                   text(">现在等待", ">waiting"), text("说明", "meaning"),
                   text("谁决定,用什么事件", "who decides, by which event"))  # fmt: skip
        out.print(table("", columns, [
            (word(row["outcome"]), reason_word(row["reason"]), row["count"],
             row["waiting"] or "", sentence(row),
             ": ".join(part for part in (_who(row), " / ".join(map(word, row["events"])))
                       if part))
            for row in answer["counts"]
        ]))  # fmt: skip
    else:
        out.print(
            text("没有暂不计入、退回或隔离的记录。", "Nothing is held, refused, quarantined.")
        )
    show_waiting(out, answer["waiting"], answer)
    _show_newest(out, answer["rows"])
    show_quarantined(out, answer["quarantined"])
    _show_refused_by_catalogue(out, answer["catalogue"])
    _show_anomalies(out, [kind for kind in answer["anomalies"] if kind["count"]])


def _show_refused_by_catalogue(out: Console, rows: Sequence[Answer]) -> None:
    if not rows:
        return
    columns = (text("事件", "event"), text("类型", "type"), text("原因", "reason"),
               text("说明", "meaning"), text("来源", "source"))  # fmt: skip
    out.print(table(text("名册拒绝的", "refused by the catalogue"), columns, [
        (row["event_id"] or "-", word(row["event_type"] or "-"), reason_word(row["reason"]),
         sentence(row), row["source"])
        for row in rows
    ]))  # fmt: skip


def show_waiting(out: Console, rows: Sequence[Answer], answer: Answer) -> None:
    """What waits of an answer, and which organisations have a say; nothing if nothing does."""
    if not rows:
        return
    columns = (
        text("原因", "reason"), text("志愿者", "volunteer"), text("服务或补录", "session, grant"),
        text(">时长", ">time"), text("自", "since"), text("有权的组织", "who has a say"),
    )  # fmt: skip
    out.print(table(text("等待中", "waiting"), columns, [
        (reason_word(row["reason"]), row["volunteer_id"], row["session_id"] or row["grant_id"],
         hours(row["minutes"]) if row["minutes"] else "", minute(row["since"]),
         text("、", ", ").join(beside(answer, "org", one) for one in row["orgs"]) or _who(row))
        for row in rows
    ]))  # fmt: skip


def _show_newest(out: Console, records: Sequence[Answer]) -> None:
    if not records:
        return
    columns = (text("入账时间", "recorded"), text("志愿者", "volunteer"), text("事件", "event"),
               text("结果", "outcome"), text("原因", "reason"), text("位置", "source"))  # fmt: skip
    out.print(table(text("最近", "newest"), columns, [
        (minute(row["recorded_at"]), row["volunteer_id"],
         f"{word(row['event_type'])} {row['event_id']}",
         word(row["outcome"]), reason_word(row["reason"] or ""), row["source"])
        for row in records
    ]))  # fmt: skip


def _show_anomalies(out: Console, kinds: Iterable[Answer]) -> None:
    for kind in kinds:
        rows = kind["rows"]
        title = text(f"{kind['zh']}:{kind['count']} 处", f"{kind['en']}: {kind['count']}")
        if not rows:
            out.print(cell(f"! {title}"))
            continue
        columns = [column(name) if isinstance(rows[0][name], str | None) else f">{column(name)}"
                   for name in rows[0]]  # fmt: skip
        out.print(table(f"! {title}", columns, [
            tuple(_cell_of(name, value) for name, value in row.items()) for row in rows
        ]))  # fmt: skip


def _cell_of(name: str, value: object) -> object:
    if isinstance(value, list):
        return " ".join(map(str, value))
    is_time = name in ("at", "since") or name.endswith("_at")
    return minute(value) if is_time and isinstance(value, str) else value
