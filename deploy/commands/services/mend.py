"""`shilu accept-gap` and `set-aside`: what nothing here does by itself, done by a named person."""

from typing import Annotated

import typer

from deploy.lang import text
from deploy.settings import Settings

_Reason = Annotated[
    str,
    typer.Option(help=text("为什么;会被记录下来", "why; it is recorded"), show_default=False),
]
_By = Annotated[
    str, typer.Option("--by", help=text("是谁;默认为系统用户", "who; default: the system's user"))
]


def register(app: typer.Typer) -> None:
    """Add the two commands."""
    app.command(
        "accept-gap",
        help=text(
            "接受日志的缺口:丢失且无法恢复的记录。\n\n写入台账并封存,已计入的时长不变。",
            "Accept that records which Kafka has lost are not coming back.\n\nIt is posted and "
            "sealed, and nothing that was credited changes.",
        ),
    )(accept_gap)
    app.command(
        "set-aside",
        help=text(
            "Kafka 比审计库或封存短时,把它们移到一边留作证据,然后重建。",
            "Where Kafka is shorter than trail or seal, move these aside as evidence; they are "
            "built anew.",
        ),
    )(set_aside)


def accept_gap(reason: _Reason, by: _By = "") -> None:
    """Every gap that `shilu status` and `shilu reconcile` name; ledger and trail then go on."""
    # The trail's engine takes a second to import.
    from consumers.api.trail_client import asker
    from deploy.trail.gap_accept import accept_gaps

    for gap in accept_gaps(Settings(), reason, by or asker()):
        typer.echo(
            text(f"已接受:{gap.event_id}({gap.place} 的偏移量 {gap.first} 至 {gap.end - 1})",
                 f"accepted: {gap.event_id} ({gap.place}, offsets {gap.first} to {gap.end - 1})")
        )  # fmt: skip


def set_aside(reason: _Reason, by: _By = "") -> None:
    """Nothing is deleted: see why.json in the folder that is printed."""
    from consumers.api.trail_client import asker
    from deploy.stack.set_aside import set_aside as move

    record = move(Settings(), reason, by or asker())
    moved, folder = ", ".join(record["moved"]), record["folder"]
    typer.echo(text(f"已移到 {folder}:{moved}", f"moved to {folder}: {moved}"))
    if record["ledger"]["was"] != record["ledger"]["is"]:
        name = record["ledger"]["is"]
        typer.echo(
            text(f"丢失的记录曾被封存:台账从此以 {name} 之名、用新密钥封存,请告知审计人员。",
                 f"entries are lost that were sealed: from now on the ledger is sealed as {name}, "
                 "with a new key; tell the auditors.")
        )  # fmt: skip
