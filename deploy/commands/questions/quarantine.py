"""`shilu quarantine list`, `show`, `replay`."""

import re
from typing import Annotated

import typer

from deploy.errors import ShiluError
from deploy.lang import text
from deploy.settings import Settings
from deploy.trail.asking import Json, ask, print_json

_Source = Annotated[
    str,
    typer.Argument(metavar="TOPIC/PARTITION/OFFSET", help=text("来源位置", "where the record is")),
]


def group() -> typer.Typer:
    """The commands about quarantine."""
    made = typer.Typer(
        help=text("隔离区:无法入账的原始记录", "Quarantine: records that could not enter"),
        no_args_is_help=True,
    )
    made.command("list", help=text("列出最近的隔离记录", "The newest ones"))(list_newest)
    made.command("show", help=text("一条隔离记录及其字节", "One of them, with its bytes"))(show)
    made.command(
        "replay", help=text("改正之后重放一条隔离记录", "Replay one, once its cause is mended")
    )(replay)
    return made


def list_newest(
    limit: Annotated[int, typer.Option(min=1, help=text("最多几条", "at most"))] = 100,
    as_json: Json = False,
) -> None:
    """The newest quarantined records, without their bytes."""
    answer = ask("quarantine_list", limit=limit)
    if as_json:
        print_json(answer)
        return
    from deploy.terminal.tables import console
    from deploy.trail.trail_view import show_quarantined

    if not answer:
        console().print(text("隔离区是空的。", "The quarantine is empty."))
    show_quarantined(console(), answer)


def show(source: _Source) -> None:
    """The record as JSON: reason, key, bytes as hex, and what they decode to, if anything."""
    topic, partition, offset = _place(source)
    answer = ask("quarantine_show", topic=topic, partition=partition, offset=offset)
    if not answer:
        raise ShiluError(
            "not_quarantined",
            f"{source} 不在隔离区:请用 shilu quarantine list 查看位置。",
            f"{source} is not in quarantine: see the positions in `shilu quarantine list`.",
        )
    print_json(answer)


def replay(
    source: _Source,
    reason: Annotated[
        str,
        typer.Option(
            metavar="CODE", help=text("原因代码,如 defect_mended", "why, such as defect_mended")
        ),
    ],
    by: Annotated[str, typer.Option(metavar="ID", help=text("经办人的代号", "who acts"))],
    as_json: Json = False,
) -> None:
    """The record is written to its topic once more, as it is, with an event that says who did so
    and why. Once: what fails again is not replayed again."""
    if not re.fullmatch(r"[a-z0-9_]{1,64}", reason):
        raise ShiluError(
            "reason_form",
            f"看不懂原因“{reason}”:请用小写字母、数字和下划线,如 defect_mended。",
            f'"{reason}" is no reason code: use lower-case letters, digits and _, such as '
            "defect_mended.",
        )
    from consumers.kafka.records import Place
    from deploy.trail.quarantine_replay import replay as replay_one

    topic, partition, offset = _place(source)
    done = replay_one(Settings(), Place(topic, partition), offset, reason, by)
    if as_json:
        print_json(done)
        return
    event_id = done["event_id"]
    typer.echo(
        text(
            f"✔ 已重放 {source};结果见 shilu trace {event_id}",
            f"✔ replayed {source}; what came of it: shilu trace {event_id}",
        )
    )


def _place(source: str) -> tuple[str, int, int]:
    topic, _, rest = source.partition("/")
    partition, _, offset = rest.partition("/")
    if not (topic and partition.isdecimal() and offset.isdecimal()):
        raise ShiluError(
            "source_form",
            f"看不懂位置“{source}”:请写成 service.checkins/3/77。",
            f'"{source}" is no position: write service.checkins/3/77.',
        )
    return topic, int(partition), int(offset)
