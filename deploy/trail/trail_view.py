"""How answers about the trail look on a terminal. Hours are shown as `3h 20m`, never stored so."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console

from deploy.lang import language, text
from deploy.terminal.tables import bar, cell, console, folded, table
from deploy.terminal.wording import NAMED, heads, word
from deploy.trail.quarantine_words import detail_in_words

_MOST_ROWS = 40

Answer = Mapping[str, Any]


def hours(minutes: int) -> str:
    """Minutes as `Xh Ym`, or `X小时Y分`, with the sign in front."""
    whole, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else ""
    return text(f"{sign}{whole:,}小时{rest}分", f"{sign}{whole:,}h {rest}m")


def minute(moment: str | None) -> str:
    """A time to the minute, in China's civil time as answers say it; it fits into a table."""
    return (moment or "")[:16].replace("T", " ")


def sentence(answer: Answer) -> str:
    """The answer's reason in the person's language."""
    return str(answer.get(language()) or answer.get("reason") or "")


def bounds(answer: Answer) -> str:
    """What an answer was restricted to, in brackets; nothing where it was not."""
    spans = [
        text(f"截至 {answer['as_of']} 已知", f"as known at {answer['as_of']}")
        if answer["as_of"] else "",
        text(f"服务日期 {answer['from_date'] or '…'} 至 {answer['to_date'] or '…'}",
             f"service days {answer['from_date'] or '…'} to {answer['to_date'] or '…'}")
        if answer["from_date"] or answer["to_date"] else "",
    ]  # fmt: skip
    said = text(",", ", ").join(span for span in spans if span)
    return f" ({said})" if said else ""


def show_total(answer: Answer) -> None:
    """The three measures, and the breakdown that was asked for."""
    out = console()
    say_merged(out, answer)
    everybody = text("全部志愿者", "all volunteers")
    out.print(cell(answer["volunteer_id"] or everybody), bounds(answer), sep="")
    figures = [
        (text("有效时长", "service"), hours(answer["minutes"])),
        (text("培训", "training"), hours(answer["training_minutes"])),
        (text("待确认", "held"), hours(answer["held_minutes"])),
        (text("已驳回", "rejected"), hours(answer["rejected_minutes"])),
        (text("参加人次", "attendances"), f"{answer['attendances']:,}"),
    ]
    if answer["volunteer_id"] is None:
        figures.append((text("人数", "volunteers"), f"{answer['volunteers']:,}"))
    show_figures(out, figures)
    if answer["breakdown"]:
        show_breakdown(out, answer["breakdown"], people=answer["volunteer_id"] is None)


def show_figures(out: Console, figures: Iterable[tuple[str, str]]) -> None:
    """Names and values, one on each line."""
    for label, value in figures:
        out.print(f"  {label}{text(':', ': ')}{value}")


def show_breakdown(out: Console, breakdown: Answer, *, people: bool) -> None:
    """The rows of a breakdown with a bar each, the largest ones if there are many, and their sum.

    Attendances and people have no sum: one may be in several rows.
    """
    rows = breakdown["rows"]
    largest = max((row["minutes"] for row in rows), default=0)
    shown = rows
    if len(rows) > _MOST_ROWS:
        shown = sorted(rows, key=lambda row: -row["minutes"])[:_MOST_ROWS]
    several = breakdown["by"] if isinstance(breakdown["by"], list) else [breakdown["by"]]
    columns = [*(head for by in several for head in heads(by)), text(">时长", ">time"), "",
               text(">人次", ">attendances")]  # fmt: skip
    cells: list[list[object]] = [
        [*_keys_of(several, row), hours(row["minutes"]),
         bar(row["minutes"], largest), f"{row['attendances']:,}"]
        for row in shown
    ]  # fmt: skip
    if people:
        columns.append(text(">人数", ">volunteers"))
        for line, row in zip(cells, shown, strict=True):
            line.append(f"{row['volunteers']:,}")
    if len(shown) < len(rows):
        rest = sum(row["minutes"] for row in rows) - sum(row["minutes"] for row in shown)
        others = text(f"其余 {len(rows) - len(shown)} 行", f"{len(rows) - len(shown)} more")
        cells.append(_first_of(columns, "…", others, hours(rest)))
    cells.append(_first_of(columns, text("合计", "total"), "", hours(breakdown["minutes"])))
    out.print(table("", columns, cells))


def _keys_of(several: Sequence[str], row: Answer) -> list[str]:
    alone = len(several) == 1
    keys = [row["key"]] if alone else row["key"]
    names = [row["name"]] if alone else row["name"]
    found = []
    for by, key, name in zip(several, keys, names, strict=True):
        found.append(word(key) if by in ("kind", "state") else key or "-")
        if by in NAMED:
            found.append(name or "")
    return found


def _first_of(columns: Sequence[str], first: str, second: str, sum_of: str) -> list[object]:
    """A row under the rest: what it is, and the minutes in their column."""
    place = columns.index(text(">时长", ">time"))
    head = [first, second] if place > 1 else [f"{first} {second}".strip()]
    return [*head, *[""] * (place - len(head)), sum_of]


def say_merged(out: Console, answer: Answer) -> None:
    """Whose hours these are, where not those of who was asked for."""
    if answer["asked_for"] == answer["volunteer_id"]:
        return
    out.print(
        cell(answer["asked_for"]),
        text(" 已并入 ", " was merged into "),
        cell(answer["volunteer_id"]),
        text(
            ",以下是其记录;只看原登记用 --exact。",
            "; this is its record. --exact shows the old registration alone.",
        ),
        sep="",
    )


def beside(answer: Answer, kind: str, entity_id: str | None) -> str:
    """The id of an `org`, `project` or `site` with its name beside it, where it has one."""
    name = answer["names"][kind].get(entity_id)
    return f"{entity_id or ''} {name}" if name else entity_id or ""


def show_explain(answer: Answer) -> None:
    """Every posting with its lines; then what waits and what is in quarantine."""
    out = console()
    say_merged(out, answer)
    out.print(
        cell(answer["volunteer_id"]),
        bounds(answer),
        text(":有效时长 ", ": service ") + hours(answer["balance_minutes"]),
        sep="",
    )
    for posting in answer["postings"]:
        show_posting(out, posting, answer)
    for waiting in answer["waiting"]:
        said = text("已收到,台账进程尚未处理", "received, not judged by the worker yet")
        out.print(
            folded(f"… {word(waiting['type'])} {waiting['event_id']} {waiting['source']}: {said}")
        )
    show_quarantined(out, answer["quarantined"])


def show_posting(out: Console, posting: Answer, answer: Answer) -> None:
    """One posting of an answer: what, who, when, where in Kafka, why, and its lines."""
    mark = {"posted": "✔", "held": "◌", "refused": "✘", "duplicate": "="}[posting["outcome"]]
    out.print(folded(
        f"{mark} {posting['sequence']}. {word(posting['event_type'])} {posting['event_id']}  "
        f"{word(posting['outcome'])}  {hours(posting['change_minutes'])} → "
        f"{hours(posting['balance_minutes'])}"
    ))  # fmt: skip
    if posting["reason"]:
        code = "" if language() == "zh" else f"{posting['reason']}: "
        out.print(folded(f"    {code}{sentence(posting)}"))
    actor = posting["actor"]
    acts = (actor.get("id"), word(actor.get("role") or ""),
            beside(answer, "org", actor.get("org_id")))  # fmt: skip
    who = "/".join(part for part in acts if part)
    out.print(folded(
        f"    {text('经办', 'by')} {who or '-'}  {text('发生', 'occurred')} "
        f"{posting['occurred_at']}  {text('发送', 'sent')} {posting['sent_at'] or '-'}  "
        f"{text('入账', 'recorded')} {posting['recorded_at']}"
    ))  # fmt: skip
    if (row := posting["left_out"]) is not None:
        out.print(folded(
            f"    {text('未计入的来源行', 'source row left out')} {row['source_system']} "
            f"{row['batch_id']} {row['row_hash']}  {row['service_date']}  "
            f"{row['minutes']} {text('分钟', 'min')}"
        ))  # fmt: skip
    out.print(folded(f"    {posting['source']} → {posting['record']} #{posting['index']}"))
    for line in posting["lines"]:
        places = (
            beside(answer, "org", line["recording_org_id"]),
            beside(answer, "project", line["project_id"]),
            line["activity_id"],
            beside(answer, "site", line["site_id"]),
        )
        place = "/".join(part for part in places if part)
        out.print(folded(
            f"    {line['minutes']:+d} {text('分钟', 'min')}  {line['service_date']}  "
            f"{word(line['kind'])}/{word(line['state'])}"
            f"  {line['session_id'] or line['grant_id']}  {place}  {line['policy']}"
        ))  # fmt: skip


def show_quarantined(out: Console, quarantined: Sequence[Answer]) -> None:
    """Quarantined records; nothing if there are none."""
    if not quarantined:
        return
    columns = (text("来源", "source"), text("键", "key"), text(">字节", ">bytes"),
               text("所见", "reason"), text("原因", "meaning"))  # fmt: skip
    rows = [(q["source"], q["key"], q["value_size"],
             text(detail_in_words(q["detail"]), f"{q['reason']} ({q['detail']})"), sentence(q))
            for q in quarantined]  # fmt: skip
    out.print(table(text("隔离", "quarantine"), columns, rows))


def show_trace(answer: Answer) -> None:
    """Every copy of an event, with what it did."""
    out = console()
    for copy in answer["copies"]:
        out.print(folded(f"{word(copy['type'])} {copy['event_id']}  {copy['source']}  "
                       f"{text('入账', 'recorded')} {copy['recorded_at']}"))  # fmt: skip
        for posting in copy["postings"]:
            show_posting(out, posting, answer)
        show_quarantined(out, copy["quarantined"])
        if (said := copy["catalogue"]) is not None:
            if said["reason"] is None:
                out.print(text("  ✔ 名册:生效", "  ✔ catalogue: in force"))
            else:
                code = "" if language() == "zh" else f" {said['reason']}"
                out.print(folded(f"  ✘ {text('名册:拒绝', 'catalogue: refused')}{code}: "
                                 f"{sentence(said)}"))  # fmt: skip
        is_fact = copy["source"].startswith("service.")
        if is_fact and not copy["postings"] and not copy["quarantined"]:
            out.print(text("  … 台账进程尚未处理", "  … not judged by the worker yet"))
    for posting in answer["postings_without_event"]:
        show_posting(out, posting, answer)
