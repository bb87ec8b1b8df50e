"""What the commands that ask the trail share: their options, asking, and saying that it is empty.

The engine takes a second to import, so what needs it is imported where it is used.
"""

import json
from difflib import get_close_matches
from typing import Annotated, Any, Final, get_args

import typer

from consumers.questions.facts.nearest import What
from consumers.questions.hours.measures import By
from deploy.errors import ShiluError
from deploy.lang import text
from deploy.settings import Settings
from deploy.terminal.times import moment_of
from schemas.topics import POSTINGS

Json = Annotated[bool, typer.Option("--json", help=text("输出 JSON", "answer as JSON"))]
AsOf = Annotated[
    str | None,
    typer.Option(
        metavar="T",
        help=text("当时已知的:时间(带时区)或日期", "as known then: a time with offset, or a day"),
    ),
]
First = Annotated[
    str | None, typer.Option("--from", metavar="D", help=text("首个服务日期", "first service day"))
]
Last = Annotated[
    str | None, typer.Option("--to", metavar="D", help=text("末个服务日期", "last service day"))
]
Exact = Annotated[
    bool,
    typer.Option(
        "--exact",
        help=text("只看这个登记,合并后也是", "this very registration, also after a merge"),
    ),
]


def _by_names(given: list[str] | None) -> list[str]:
    """The names of breakdowns; raises BadParameter for another one."""
    for name in given or ():
        if name not in get_args(By):
            near = get_close_matches(name, get_args(By), 1)
            hint = text(f",是不是 {near[0]}?", f", did you mean {near[0]}?") if near else ""
            raise typer.BadParameter(f"{name}: {', '.join(get_args(By))}{hint}")
    return given or []


DivideBy = Annotated[
    list[str] | None,
    typer.Option(
        "--by",
        metavar="BY",
        callback=_by_names,
        help=text("分项:", "break down by: ")
        + ", ".join(get_args(By))
        + text(";可写几次,逐级细分", "; several times for each of each"),
    ),
]

EXIT_NOT_THERE: Final = 5
"""What was asked for is not in the ledger."""

_BEHIND_SECONDS = 3.0
_WHAT = {"volunteer": "志愿者", "event": "事件", "organisation": "组织", "project": "项目"}


def known_at(as_of: str | None) -> int | None:
    """The moment that --as-of means; None: everything that is known."""
    return None if as_of is None else moment_of(as_of)


def ask(question: str, **arguments: Any) -> Any:
    """The answer to a named question; raises ShiluError where there is no trail to ask.

    One that is an object says under `positions` up to which offset of each topic-partition the
    trail had everything when it was asked: the answer is true of that, and maybe of more.
    """
    from consumers.api.trail_client import At, reader
    from deploy.trail.trail_errors import trail_errors

    settings = Settings()
    with trail_errors(), reader(At(settings.place, settings.clickhouse)) as someone:
        positions = someone.ask("heads")
        answer = someone.ask(question, **arguments)
    return answer | {"positions": positions} if isinstance(answer, dict) else answer


def show_positions(answer: dict[str, Any]) -> None:
    """One line for a person: up to where in the ledger's topic the answer is true."""
    found = [
        (int(place.rpartition("/")[2]), offset)
        for place, offset in answer["positions"].items()
        if place.startswith(f"{POSTINGS}/")
    ]
    where = " ".join(f"{partition}:{offset}" for partition, offset in sorted(found)) or "-"
    typer.secho(text(f"截至 {POSTINGS} {where}", f"as of {POSTINGS} {where}"), dim=True)


def print_json(answer: Any) -> None:
    """An answer as one line of JSON."""
    typer.echo(json.dumps(answer, ensure_ascii=False))


def require_known(found: object, name: str, what: What) -> None:
    """Raises ShiluError `not_in_ledger` where nothing was found: nothing there, or not there yet.

    Somebody who is registered and has done nothing yet is in the ledger.
    """
    if found:
        return
    near = ask("nearest", what=what, name=name)
    if near == name:
        return
    zh, (why_zh, why) = _WHAT[what], _lateness()
    fix_zh = "请检查编号" if near is None else f"是不是 {near}?"
    fix = "check the id" if near is None else f"did you mean {near}?"
    raise ShiluError(
        "not_in_ledger",
        f"台账里没有{zh} {name}({why_zh}):{fix_zh}{'' if near else '。'}",
        f"No such {what} is in the ledger: {name} ({why}): {fix}{'' if near else '.'}",
        field="id",
        exit_code=EXIT_NOT_THERE,
    )


def _lateness() -> tuple[str, str]:
    """Whether what is not in the trail may still come into it, in Chinese and English."""
    from deploy.trail.trail_check import trail_lags

    lags = trail_lags(Settings(), _BEHIND_SECONDS)
    if lags is None:
        return (
            "只查了审计库,Kafka 没有应答",
            "by the trail alone, Kafka does not answer",
        )
    late = sum(lag.records for lag in lags)
    open_at = [f"{lag.place} offset {lag.open[0]}" for lag in lags if lag.open is not None]
    if open_at:
        where = ", ".join(open_at)
        return (
            f"尚未到:审计库还落后 {late} 条记录,在等待未结束的事务:{where}",
            f"not yet: the trail is behind by {late} records, held up by an open transaction at "
            f"{where}",
        )
    if late:
        return (
            f"尚未到:审计库还落后 {late} 条记录",
            f"not yet: the trail is behind by {late} records",
        )
    return "审计库没有落后", "the trail is not behind"
