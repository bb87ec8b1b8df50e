"""Putting a question to the trail from a command, and saying that there is no answer.

What needs the engine is imported where it is used: it takes a second, and commands import this.
"""

import json
from typing import Any, Literal

import typer

from deploy.lang import text
from deploy.settings import Settings

_BEHIND_SECONDS = 3.0


def ask(question: str, **arguments: Any) -> Any:
    """The answer to a named question; raises ShiluError where there is no trail to ask."""
    from consumers.ask import At, ask
    from deploy.trail_errors import trail_errors

    settings = Settings()
    with trail_errors():
        return ask(At(settings.place, settings.clickhouse), question, **arguments)


def print_json(answer: Any) -> None:
    """An answer as one line for programs."""
    typer.echo(json.dumps(answer, ensure_ascii=False))


def say_unknown(name: str, what: Literal["volunteer", "event"]) -> None:
    """An empty answer explains itself: nothing there, or not there yet."""
    from deploy.trail_check import behind_count

    late = behind_count(Settings(), _BEHIND_SECONDS)
    zh = {"volunteer": "志愿者", "event": "事件"}[what]
    if late is None:
        why_zh = "连不上 Kafka,无法得知它落后多少"
        why = "how far it is behind cannot be told, as Kafka does not answer"
    elif late:
        why_zh, why = f"它还落后 {late} 条记录", f"it is behind by {late} records"
    else:
        why_zh, why = "它没有落后", "it is not behind"
    typer.echo(text(f"审计库中没有{zh} {name}({why_zh})。",
                    f"No such {what} in the trail: {name} ({why})."))  # fmt: skip
