"""What the trail answers: `shilu total`, `explain`, `exceptions`, `trace`, `reconcile`, `tail`.

The engine takes a second to import and every command imports this module, so what needs it is
imported where it is used.
"""

import json
import sys
from typing import Annotated, Any

import typer

from deploy.commands.questions import quarantine
from deploy.lang import text
from deploy.settings import Settings
from deploy.terminal.times import days_of
from deploy.trail.asking import (
    AsOf,
    DivideBy,
    Exact,
    First,
    Json,
    Last,
    ask,
    known_at,
    print_json,
    require_known,
    show_positions,
)

_Volunteer = Annotated[
    str, typer.Argument(metavar="ID", help=text("志愿者编号", "the volunteer's id"))
]


def register(app: typer.Typer) -> None:
    """Add the reading commands."""
    app.command(
        help=text(
            "一位志愿者或全部人的服务时长:分钟、人次、人数。\n\n"
            "例:shilu total --by county --from 2025-01-01 --to 2025-12-31",
            "One volunteer's hours, or everybody's: minutes, attendances, people."
            "\n\nExample: shilu total --by county --from 2025-01-01 --to 2025-12-31",
        )
    )(total)
    app.command(
        help=text(
            "每一分钟从何而来,缺的又在哪里", "Where every minute comes from, and what is missing"
        )
    )(explain)
    app.command(
        help=text(
            "没有计入的:原因、谁能决定、用什么事件。\n\n待确认、退回、隔离的记录,以及值得一看的异常。",
            "What does not count: why, who may decide, by which event."
            "\n\nWhat is held, refused, in quarantine, and what counts but should be looked at.",
        )
    )(exceptions)
    app.command(help=text("一个事件的去向", "What became of an event"))(trace)
    app.command(
        help=text(
            "对账:Kafka = 审计库 = 账户;一致 0,不一致 1,尚未追平 3",
            "Kafka = trail = accounts; exit 0 if so, 1 if not, 3 while anything is behind",
        )
    )(reconcile)
    app.command(help=text("查看主题中的记录", "The records of a topic as JSON"))(tail)
    app.add_typer(quarantine.group(), name="quarantine")


def total(
    volunteer_id: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]",
            help=text("志愿者编号;省略为全部", "the volunteer's id; everybody without"),
        ),
    ] = None,
    as_of: AsOf = None,
    first: First = None,
    last: Last = None,
    by: DivideBy = None,
    exact: Exact = False,
    as_json: Json = False,
) -> None:
    """Minutes in JSON, hours on the terminal. An attendance: a volunteer, an activity, a day."""
    from_date, to_date = days_of(first, last)
    answer = ask(
        "total",
        volunteer_id=volunteer_id,
        as_of=known_at(as_of),
        from_date=from_date,
        to_date=to_date,
        by=by or None,
        exact=exact,
    )
    if volunteer_id is not None:
        require_known(answer["postings"], volunteer_id, "volunteer")
    if as_json:
        print_json(answer)
    else:
        from deploy.trail.trail_view import show_total

        show_total(answer)
        show_positions(answer)


def explain(
    volunteer_id: _Volunteer,
    as_of: AsOf = None,
    first: First = None,
    last: Last = None,
    exact: Exact = False,
    as_json: Json = False,
) -> None:
    """Every line with its event, actor, three times, Kafka position and policy.

    With --from or --to: lines of these service days, and what moved no minutes on them.
    """
    from_date, to_date = days_of(first, last)
    answer = ask(
        "explain",
        volunteer_id=volunteer_id,
        as_of=known_at(as_of),
        from_date=from_date,
        to_date=to_date,
        exact=exact,
    )
    parts = ("postings", "waiting", "quarantined")
    require_known(any(answer[part] for part in parts), volunteer_id, "volunteer")
    if as_json:
        print_json(answer)
    else:
        from deploy.trail.trail_view import show_explain

        show_explain(answer)
        show_positions(answer)


def exceptions(
    limit: Annotated[
        int, typer.Option(min=0, help=text("每种原因列出几条", "records shown for each reason"))
    ] = 5,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """By reason: how many ever, how many wait now, who may decide and with which event; then what
    waits longest, the newest records, and what counts but should be looked at."""
    answer = ask("exceptions", limit=limit, as_of=known_at(as_of))
    if as_json:
        print_json(answer)
        return
    from deploy.trail.figures_view import show_exceptions

    show_exceptions(answer)
    show_positions(answer)


def trace(
    event_id: Annotated[str, typer.Argument(metavar="EVENT_ID", help=text("事件编号", "its id"))],
    as_json: Json = False,
) -> None:
    """Every copy in Kafka, its posting, its lines, what it did to the balance."""
    answer = ask("trace", event_id=event_id)
    require_known(answer["copies"] or answer["postings_without_event"], event_id, "event")
    if as_json:
        print_json(answer)
    else:
        from deploy.trail.trail_view import show_trace

        show_trace(answer)
        show_positions(answer)


def reconcile(
    wait: Annotated[
        float,
        typer.Option(
            min=0,
            help=text("最多等多少秒,直到追平", "wait so many seconds for worker and sink"),
        ),
    ] = 10.0,
    every: Annotated[
        float | None,
        typer.Option(
            min=1,
            metavar="SECONDS",
            help=text("每隔多少秒再对一次,直到 Ctrl-C", "again every so many seconds, till Ctrl-C"),
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Every record and every account is compared; differing volunteers and events are named.

    With --every the exit code is that of the worst round: 1 before 3 before 0; each round is one
    line of JSON with --json.
    """
    from deploy.trail.trail_check import check, rounds

    if every is None:
        report = check(Settings(), wait)
        _show_report(report, as_json)
        raise typer.Exit(report["exit_code"])
    worst = 0
    for report in rounds(Settings(), wait, every):
        _show_report(report, as_json)
        worst = max(worst, report["exit_code"], key=(0, 3, 1).index)
    raise typer.Exit(worst)


def _show_report(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
        sys.stdout.flush()
    elif report["state"] == "unknown":
        typer.echo(f"? {text(report['zh'], report['en'])}")
    else:
        from deploy.trail.report_view import show_report

        show_report(report)


def tail(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help=text("主题", "the topic"))],
    count: Annotated[
        int | None,
        typer.Option("--count", "-n", min=1, help=text("几条;默认 10", "how many; default 10")),
    ] = None,
    beginning: Annotated[
        bool,
        typer.Option("--from-beginning", help=text("从头开始,默认全部", "from the first on, all")),
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help=text("继续等待新记录", "go on as records come"))
    ] = False,
) -> None:
    """One JSON object a line; bytes that do not decode are shown as hex with the reason."""
    from deploy.trail.trail_check import print_records

    print_records(Settings(), topic, count=count, beginning=beginning, follow=follow)
