"""`shilu emit` and `shilu catalogue publish`; `shilu simulate` is registered with them."""

from typing import Annotated

import typer

from deploy.commands.writing.simulate import simulate_province
from deploy.lang import text
from deploy.sending.sending import WAIT_SECONDS, send_file
from deploy.services.local import bootstrap
from deploy.settings import Settings
from producers.sending.emit import Result

_File = Annotated[
    str,
    typer.Argument(
        metavar="FILE|-",
        help=text(
            "每行一个 JSON 事件;也读 JSON 数组、gzip;- 为标准输入",
            "one JSON event a line; arrays and gzip are read as well; - for standard input",
        ),
    ),
]
_Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help=text("也列出已接收的行", "list the accepted lines too")),
]
_Json = Annotated[
    bool, typer.Option("--json", help=text("每行一个 JSON 结果", "one JSON result a line"))
]
_Wait = Annotated[
    bool,
    typer.Option(
        "--wait",
        help=text(
            "等台账对每行的结果:入账、暂缓、退回、隔离",
            "wait for what the ledger makes of each line: posted, held, refused, quarantined",
        ),
    ),
]
_Seconds = Annotated[
    float,
    typer.Option(
        "--timeout",
        min=0,
        metavar="SECONDS",
        help=text(
            "配合 --wait:多久没有新结果就不再等", "with --wait: give up after so long without one"
        ),
    ),
]


def register(app: typer.Typer) -> None:
    """Add `emit`, `simulate` and the group `catalogue` to the command."""
    app.command(
        "emit", help=text("发送事件(每行一个 JSON)", "Send events, one JSON object a line")
    )(emit_file)
    catalogue = typer.Typer(
        help=text("名册:发布组织、项目、站点、班次和制度", "The catalogue: orgs, projects, sites"),
        no_args_is_help=True,
    )
    catalogue.command("publish", help=text("发送名册事件", "Send catalogue events"))(publish_file)
    # Without a callback a group of one command would swallow that command's name.
    catalogue.callback()(lambda: None)
    app.add_typer(catalogue, name="catalogue")
    app.command("simulate", help=text("模拟一个省的志愿服务", "A province in small, from a seed"))(
        simulate_province
    )


def emit_file(
    file: _File,
    wait: _Wait = False,
    timeout: _Seconds = WAIT_SECONDS,
    verbose: _Verbose = False,
    as_json: _Json = False,
) -> None:
    """Exit 0 only if every line was acknowledged by the broker, and with --wait counts: 1 refused
    or quarantined, 3 held, 4 not known (yet)."""
    address = bootstrap(Settings())
    waits = timeout if wait else None
    raise typer.Exit(send_file(address, file, verbose=verbose, as_json=as_json, wait_seconds=waits))


def publish_file(
    file: _File,
    verbose: _Verbose = False,
    as_json: _Json = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait/--no-wait",
            help=text("等到知道每条是否生效", "wait until each is known to be in force"),
        ),
    ] = True,
) -> None:
    """As `shilu emit`, for catalogue events alone; says which of them the catalogue refuses, and
    exits 1 if there is one."""
    address = bootstrap(Settings())
    accepted: list[Result] = []
    code = send_file(
        address, file, verbose=verbose, as_json=as_json, catalogue_only=True, accepted=accepted
    )
    if wait and accepted:
        from deploy.sending.published import say_what_became

        code = max(code, 1 if say_what_became(address, accepted, as_json=as_json) else 0)
    raise typer.Exit(code)
