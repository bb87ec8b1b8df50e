"""What the commands that ask the trail share: their options, asking, and saying that it is empty.

The engine takes a second to import, so what needs it is imported where it is used.
"""

import json
from typing import Annotated, Any, Literal

import typer

from consumers.measures import By
from deploy.lang import text
from deploy.settings import Settings
from deploy.trail_times import moment_of

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
DivideBy = Annotated[By | None, typer.Option("--by", help=text("分项", "break down by"))]

_BEHIND_SECONDS = 3.0
_WHAT = {"volunteer": "志愿者", "event": "事件", "organisation": "组织", "project": "项目"}


def known_at(as_of: str | None) -> int | None:
    """The moment that --as-of means; None: everything that is known."""
    return None if as_of is None else moment_of(as_of)


def ask(question: str, **arguments: Any) -> Any:
    """The answer to a named question; raises ShiluError where there is no trail to ask."""
    from consumers.ask import At, ask
    from deploy.trail_errors import trail_errors

    settings = Settings()
    with trail_errors():
        return ask(At(settings.place, settings.clickhouse), question, **arguments)


def print_json(answer: Any) -> None:
    """An answer as one line of JSON."""
    typer.echo(json.dumps(answer, ensure_ascii=False))


def say_unknown(name: str, what: Literal["volunteer", "event", "organisation", "project"]) -> None:
    """An empty answer explains itself: nothing there, or not there yet."""
    from deploy.trail_check import behind_count

    late = behind_count(Settings(), _BEHIND_SECONDS)
    zh = _WHAT[what]
    if late is None:
        why_zh = "连不上 Kafka,无法得知它落后多少"
        why = "how far it is behind cannot be told, as Kafka does not answer"
    elif late:
        why_zh, why = f"它还落后 {late} 条记录", f"it is behind by {late} records"
    else:
        why_zh, why = "它没有落后", "it is not behind"
    typer.echo(text(f"审计库中没有{zh} {name}({why_zh})。",
                    f"No such {what} in the trail: {name} ({why})."))  # fmt: skip
