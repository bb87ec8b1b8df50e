"""The `shilu` command: the one place where everything is put together."""

import importlib
import sys

import typer
from rich.console import Console

from deploy.compiled import require_fresh
from deploy.errors import ShiluError
from deploy.lang import text

_COMMANDS = ("local", "topics", "schema", "write", "worker", "sink", "read", "demo")
"""Modules of deploy.commands; each adds its commands through `register`."""


def build() -> typer.Typer:
    """The whole command."""
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

    @app.callback(
        help=text("实录:志愿服务时长台账。", "shilu: the veritable record of volunteer service."),
    )
    def root() -> None:
        pass

    for name in _COMMANDS:
        importlib.import_module(f"deploy.commands.{name}").register(app)
    return app


def main() -> None:
    """Run the command; an expected failure is one sentence and exit code 1, without traceback."""
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        require_fresh()
        build()()
    except ShiluError as error:
        if debug:
            raise
        Console(stderr=True, soft_wrap=True).print(
            f"[bold red]✘[/] {text(error.zh, error.en)}", highlight=False
        )
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
