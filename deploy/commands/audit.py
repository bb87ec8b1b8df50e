"""`shilu export`, `verify`, `prove`, `replay`: what somebody who trusts nobody needs."""

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
