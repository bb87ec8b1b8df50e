"""The `shilu` command: the one place where everything is put together."""

import gc
import importlib
import importlib.metadata
import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from typer._click.exceptions import NoArgsIsHelpError
from typer.exceptions import TyperException

from deploy.building.compiled import require_fresh
from deploy.errors import ShiluError
from deploy.extras import missing_part
from deploy.lang import language, text
from deploy.usage import speak, usage_error

COMMANDS = {
    "services.local": ("up", "down", "status"),
    "services.topics": ("topics",),
    "policy": ("policy",),
    "writing.calendar": ("calendar",),
    "schema": ("schema",),
    "writing.write": ("emit", "simulate", "catalogue"),
    "services.worker": ("worker",),
    "services.sink": ("sink",),
    "trust.seal": ("keys", "seal", "witness"),
    "trust.audit": ("export", "verify", "prove", "replay"),
    "trust.certificate": ("certificate",),
    "questions.read": (
        "total",
        "explain",
        "exceptions",
        "trace",
        "reconcile",
        "tail",
        "quarantine",
    ),
    "questions.recognition": ("evaluations", "recognition", "benefit"),
    "questions.figures": ("org", "plan", "overdue", "headcount"),
    "trust.vault": ("vault", "forget"),
    "services.gateway": ("gateway", "app"),
    "services.mend": ("accept-gap", "set-aside"),
    "demo": ("demo",),
}
"""Module of deploy.commands -> the commands it adds through `register`."""


def build(asked: str = "") -> typer.Typer:
    """The command: the part that was asked for, since the rest takes seconds to import, or all."""
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

    @app.callback(
        help=text("实录:志愿服务时长台账。", "shilu: the veritable record of volunteer service."),
    )
    def root(
        version: Annotated[
            bool,
            typer.Option(
                "--version",
                help=text("显示版本", "show the version"),
                is_eager=True,
                callback=_show_version,
            ),
        ] = False,
    ) -> None:
        pass

    if asked == "--version":
        return app
    modules = [module for module, names in COMMANDS.items() if asked in names] or list(COMMANDS)
    for name in modules:
        importlib.import_module(f"deploy.commands.{name}").register(app)
    return app


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"shilu {importlib.metadata.version('shilu')}")
        raise typer.Exit


def main() -> None:
    """Run the command; an expected failure is one sentence and an exit code, without traceback.

    With --json it is a JSON object on standard output, wrong usage as well.
    """
    debug, as_json = "--debug" in sys.argv, "--json" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        require_fresh()
        # Imports make only what stays; looking through it for waste took a tenth of the start.
        gc.set_threshold(1_000_000, 20, 100)
        app = build(sys.argv[1] if len(sys.argv) > 1 else "")
        _run(app)
    except (ShiluError, ImportError) as error:
        told = error if isinstance(error, ShiluError) else missing_part(error)
        if debug or told is None:
            raise
        _say(told, as_json=as_json)
        raise SystemExit(told.exit_code) from None


def _run(app: typer.Typer) -> None:
    """As `app()`, but wrong usage is an error like all others, and all speak one language."""
    speak()
    try:
        code = app(standalone_mode=False)
    except NoArgsIsHelpError as asked:
        # The help has been printed; that nothing was asked is a mistake all the same.
        code = asked.exit_code
    except TyperException as error:
        raise usage_error(error) from error
    except typer.Abort:
        typer.echo(text("已中止。", "Aborted."), err=True)
        code = 1
    raise SystemExit(code if isinstance(code, int) else 0)


def _say(error: ShiluError, *, as_json: bool) -> None:
    if as_json:
        # One answer on standard output: where it has been given, this goes beside it.
        out = sys.stderr if error.answered else sys.stdout
        print(json.dumps(error.as_json(language()), ensure_ascii=False), file=out)
        return
    Console(stderr=True, soft_wrap=True, emoji=False).print(
        f"[bold red]✘[/] {escape(text(error.zh, error.en))}", highlight=False
    )


if __name__ == "__main__":
    main()
