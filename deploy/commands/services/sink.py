"""`shilu sink`: the process that copies the log into the audit trail and answers for it."""

from typing import Annotated

import typer

from deploy.lang import text
from deploy.settings import Settings


def register(app: typer.Typer) -> None:
    """Add `sink` to the command."""
    app.command(
        help=text(
            "把 Kafka 的每条记录写入审计库,并在本机回答查询。",
            "Copy every record of Kafka into the audit trail, and answer questions on loopback.",
        )
    )(sink)


def sink(
    port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65535,
            help=text("本机查询端口;0 为任意空闲端口", "port on loopback; 0: a free one"),
        ),
    ] = 0,
) -> None:
    """Run until SIGTERM or Ctrl-C; exit 0 after an orderly stop."""
    # Only here: the engine takes a second to import, and every command imports this module.
    from deploy.trail.trail_process import run_sink

    run_sink(Settings(), port)
