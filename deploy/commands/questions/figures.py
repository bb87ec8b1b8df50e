"""What the trail comes to: `shilu org`, `plan`, `overdue`, `headcount`.

The engine takes a second to import, so what needs it is imported where it is used.
"""

import time
from typing import Annotated

import typer

from consumers.questions.hours.headcounts import CountBy
from deploy.lang import text
from deploy.terminal.times import days_of
from deploy.trail.asking import (
    AsOf,
    DivideBy,
    First,
    Json,
    Last,
    ask,
    known_at,
    print_json,
    require_known,
    show_positions,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        help=text(
            "一个组织记录了多少(毛)、计入多少(净),差在哪里。\n\n例:shilu org sw1 --from 2025-01-01",
            "What an organisation recorded (gross), what counts (net), and where the rest went."
            "\n\nExample: shilu org sw1 --from 2025-01-01",
        )
    )(org)
    app.command(
        help=text(
            "一个项目的计划与实际:名额、到场、缺席、未报名到场。\n\n例:shilu plan p-dcr",
            "A project's plan and what came of it: places, who came, who did not, walk-ins."
            "\n\nExample: shilu plan p-dcr",
        )
    )(plan)
    app.command(
        help=text(
            "逾期:记录晚了的、久未决定的、没有签退的。\n\n例:shilu overdue --days 14",
            "Late records, what nobody has decided, sessions without an end."
            "\n\nExample: shilu overdue --days 14",
        )
    )(overdue)
    app.command(
        help=text(
            "某日的注册人数与近十二个月活跃人数。"
            "\n\n例:shilu headcount --as-of 2025-06-30 --by county",
            "How many are registered, and active in twelve months, as of a day."
            "\n\nExample: shilu headcount --as-of 2025-06-30 --by county",
        )
    )(headcount)


def org(
    org_id: Annotated[
        str, typer.Argument(metavar="ID", help=text("组织编号", "the organisation's id"))
    ],
    as_of: AsOf = None,
    first: First = None,
    last: Last = None,
    by: DivideBy = None,
    as_json: Json = False,
) -> None:
    """gross = net + held + rejected + reduced: overlap, voids, corrections, policy."""
    from_date, to_date = days_of(first, last)
    answer = ask(
        "org", org_id=org_id, as_of=known_at(as_of), from_date=from_date, to_date=to_date,
        by=by or None,
    )  # fmt: skip
    recorded = answer["recorder"]["gross"], answer["host"]["gross"], answer["recorder"]["net"]
    there = answer["kind"] is not None or any(part["minutes"] for part in recorded)
    require_known(there, org_id, "organisation")
    if as_json:
        print_json(answer)
        return
    from deploy.trail.figures_view import show_org

    show_org(answer)
    show_positions(answer)


def plan(
    project_id: Annotated[
        str, typer.Argument(metavar="PROJECT", help=text("项目编号", "the project's id"))
    ],
    as_of: AsOf = None,
    first: First = None,
    last: Last = None,
    as_json: Json = False,
) -> None:
    """--from and --to pick shifts by the day they begin."""
    from_date, to_date = days_of(first, last)
    known = known_at(as_of)
    answer = ask(
        "plan",
        project_id=project_id,
        now=_now() if known is None else known,
        as_of=known,
        from_date=from_date,
        to_date=to_date,
    )
    there = answer["published"] or answer["shifts"]
    require_known(there, project_id, "project")
    if as_json:
        print_json(answer)
        return
    from deploy.trail.figures_view import show_plan

    show_plan(answer)
    show_positions(answer)


def overdue(
    days: Annotated[
        int, typer.Option(min=0, help=text("等待超过几天", "waiting for so many days or more"))
    ] = 7,
    as_of: AsOf = None,
    limit: Annotated[
        int, typer.Option(min=0, help=text("每种原因列出几条", "rows shown for each reason"))
    ] = 10,
    as_json: Json = False,
) -> None:
    """Recorded late: after the policy's deadline, by default ten working days. It counts."""
    known = known_at(as_of)
    answer = ask("overdue", as_of=_now() if known is None else known, days=days, limit=limit)
    if as_json:
        print_json(answer)
        return
    from deploy.trail.figures_view import show_overdue

    show_overdue(answer)
    show_positions(answer)


def headcount(
    as_of: AsOf = None,
    by: Annotated[CountBy | None, typer.Option(help=text("分项", "break down by"))] = None,
    as_json: Json = False,
) -> None:
    """Active: with minutes that count, on a day of the twelve months before."""
    known = known_at(as_of)
    answer = ask("headcount", as_of=_now() if known is None else known, by=by)
    if as_json:
        print_json(answer)
        return
    from deploy.trail.figures_view import show_headcount

    show_headcount(answer)
    show_positions(answer)


def _now() -> int:
    """Microseconds since 1970 UTC; the questions themselves read no clock."""
    return time.time_ns() // 1000
