"""How service was judged and recognised: `shilu evaluations`, `recognition`, `benefit`."""

import re
import time
from typing import Annotated, Any

import typer

from deploy.errors import ShiluError
from deploy.lang import text
from deploy.terminal.times import moment_of
from deploy.trail.asking import Exact, ask, print_json, require_known, show_positions

_Json = Annotated[bool, typer.Option("--json", help=text("输出 JSON", "answer as JSON"))]
_AsOf = Annotated[
    str | None,
    typer.Option(
        metavar="T",
        help=text("当时已知的:时间(带时区)或日期", "as known then: a time with offset, or a day"),
    ),
]
_Volunteer = Annotated[
    str, typer.Argument(metavar="ID", help=text("志愿者编号", "the volunteer's id"))
]


def register(app: typer.Typer) -> None:
    """Add the commands about evaluations and recognition."""
    app.command(
        help=text("评定及其历次修改、均分;逾期未评定者", "Evaluations, their means, who has none")
    )(evaluations)
    app.command(
        help=text("一位志愿者的星级、积分、表彰与证明",
                  "One volunteer's stars, points, commendations, certificates")
    )(recognition)  # fmt: skip
    app.command(
        help=text("是否符合一项礼遇:是 0,否 1;不含个人信息",
                  "Does a volunteer qualify? yes 0, no 1; no personal data")
    )(benefit)  # fmt: skip


def evaluations(
    volunteer: Annotated[
        str | None, typer.Option(metavar="ID", help=text("此志愿者的", "of this volunteer"))
    ] = None,
    project: Annotated[
        str | None, typer.Option(metavar="ID", help=text("此项目中的", "in this project"))
    ] = None,
    org: Annotated[
        str | None, typer.Option(metavar="ID", help=text("此组织所作的", "by this organisation"))
    ] = None,
    overdue: Annotated[
        bool,
        typer.Option(
            "--overdue",
            help=text(
                "项目已结束、逾期仍未评定的人", "who served in a closed project, without one"
            ),
        ),
    ] = False,
    as_of: _AsOf = None,
    exact: Exact = False,
    as_json: _Json = False,
) -> None:
    """Those that stand and those withdrawn, with all versions; or who should have one."""
    at = None if as_of is None else moment_of(as_of)
    if overdue:
        if volunteer or project or org:
            raise ShiluError(
                "overdue_of_all",
                "--overdue 列出全部逾期者,不能再加 --volunteer、--project 或 --org:请去掉其一。",
                "--overdue lists everybody and takes no --volunteer, --project or --org: leave one "
                "of them out.",
            )
        answer = ask("unevaluated", as_of=time.time_ns() // 1000 if at is None else at)
    else:
        answer = ask(
            "evaluations",
            volunteer_id=volunteer,
            project_id=project,
            org_id=org,
            as_of=at,
            exact=exact,
        )
    if as_json:
        print_json(answer)
        return
    from deploy.trail.recognition_view import show_evaluations, show_unevaluated

    (show_unevaluated if overdue else show_evaluations)(answer)


def recognition(
    volunteer_id: _Volunteer, as_of: _AsOf = None, exact: Exact = False, as_json: _Json = False
) -> None:
    """Stars with every change of what the hours reach, points, commendations, certificates."""
    at = None if as_of is None else moment_of(as_of)
    answer: Any = ask("recognition", volunteer_id=volunteer_id, as_of=at, exact=exact)
    require_known(answer["postings"], volunteer_id, "volunteer")
    if as_json:
        print_json(answer)
    else:
        from deploy.trail.recognition_view import show_recognition

        show_recognition(answer)
        show_positions(answer)


def benefit(
    volunteer_id: _Volunteer,
    needs: Annotated[
        str,
        typer.Option(
            metavar="NEEDS",
            help=text("所需:star:3、hours:100、points:50,以逗号相连",
                      "what it takes: star:3, hours:100, points:50, joined by commas"),
        ),
    ],
    as_of: _AsOf = None,
    exact: Exact = False,
    as_json: _Json = False,
) -> None:  # fmt: skip
    """Yes or no, and the policy version it rests on."""
    need = r"(star|hours|points):[0-9]{1,7}"
    if re.fullmatch(f"{need}(,{need})*", needs) is None:
        raise ShiluError(
            "needs_form",
            f"看不懂条件“{needs}”:请写成 star:3、hours:100 或 points:50,以逗号相连。",
            f'"{needs}" is no condition: write star:3, hours:100 or points:50, joined by commas.',
        )
    at = None if as_of is None else moment_of(as_of)
    answer: Any = ask("benefit", volunteer_id=volunteer_id, needs=needs, as_of=at, exact=exact)
    if as_json:
        print_json(answer)
    else:
        said = text("是", "yes") if answer["eligible"] else text("否", "no")
        if answer["reason"] == "under_review":
            said += text(":under_review,星级正在复核", ": under_review, the star is being reviewed")
        typer.echo(f"{said} ({answer['policy']})")
    raise typer.Exit(0 if answer["eligible"] else 1)
