"""The `shilu` command: the one place where everything is put together."""

import gc
import importlib
import sys

import typer
from rich.console import Console

from deploy.compiled import require_fresh
from deploy.errors import ShiluError
from deploy.lang import text

COMMANDS = {
    "local": ("up", "down", "status"),
    "topics": ("topics",),
    "policy": ("policy",),
    "schema": ("schema",),
    "write": ("emit", "simulate", "catalogue"),
    "worker": ("worker",),
    "sink": ("sink",),
    "seal": ("keys", "seal", "witness"),
    "audit": ("export", "verify", "prove", "replay"),
    "certificate": ("certificate",),
    "read": ("total", "explain", "exceptions", "trace", "reconcile", "tail", "quarantine"),
    "recognition": ("evaluations", "recognition", "benefit"),
    "figures": ("org", "plan", "overdue", "headcount"),
    "vault": ("vault", "forget"),
    "demo": ("demo",),
}
"""Module of deploy.commands -> the commands it adds through `register`."""


def build(asked: str = "") -> typer.Typer:
    """The command: the part that was asked for, since the rest takes seconds to import, or all."""
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

    @app.callback(
        help=text("实录:志愿服务时长台账。", "shilu: the veritable record of volunteer service."),
    )
    def root() -> None:
        pass

    modules = [module for module, names in COMMANDS.items() if asked in names] or list(COMMANDS)
    for name in modules:
        importlib.import_module(f"deploy.commands.{name}").register(app)
    return app


def main() -> None:
    """Run the command; an expected failure is one sentence and exit code 1, without traceback."""
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        require_fresh()
        # Imports make only what stays; looking through it for waste took a tenth of the start.
        gc.set_threshold(1_000_000, 20, 100)
        build(sys.argv[1] if len(sys.argv) > 1 else "")()
    except ShiluError as error:
        if debug:
            raise
        Console(stderr=True, soft_wrap=True).print(
            f"[bold red]✘[/] {text(error.zh, error.en)}", highlight=False
        )
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
