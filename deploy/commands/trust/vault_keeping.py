"""What keeps a vault going: `shilu vault init|serve|status|verify|catch-up|rotate`."""

import json
from typing import Annotated

import typer

from deploy.lang import text
from deploy.settings import Settings

_Json = Annotated[bool, typer.Option("--json", help=text("输出 JSON", "answer as JSON"))]


def add_to(group: typer.Typer) -> None:
    """Add these commands to the group `vault`."""
    for name, command, zh, en in (
        ("init", init, "新建保险库与主密钥", "Make the vault and its master key"),
        ("serve", serve, "保险库进程,只在本机应答", "The vault as a process, on loopback alone"),
        ("status", status, "人数、待发事件、日志头", "How many, what waits, the log's head"),
        ("verify", verify, "核对访问日志的哈希链", "Check the access log's chain of hashes"),
        ("catch-up", catch_up, "恢复备份后,再次抹除", "After a restore: forget again"),
        ("rotate", rotate, "更换主密钥,旧备份随之作废", "A new master key; old backups die"),
    ):
        group.command(name, help=text(zh, en))(command)


def init() -> None:
    """Prints the key's id and the two places; exit 1 if either exists."""
    from deploy.vault.vault_errors import vault_errors
    from deploy.vault.vault_process import place_of
    from vault.store import create

    place = place_of(Settings())
    with vault_errors():
        key_id = create(place)
    typer.echo(
        text(
            f"保险库 {place.folder},主密钥 {key_id} 在 {place.key_file}:请把密钥另行备份,"
            "不要与保险库放在一起。",
            f"vault {place.folder}, master key {key_id} in {place.key_file}: keep a copy of the "
            "key apart from the copies of the vault.",
        )
    )


def serve(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help=text("本机端口;0 为任选", "port; 0: a free one"))
    ] = 0,
) -> None:
    """Run until SIGTERM or Ctrl-C; address and token are in serve.json of the vault's folder."""
    from deploy.vault.vault_process import run_vault

    run_vault(Settings(), port)


def status(as_json: _Json = False) -> None:
    """Sends what waits; exit 1 while the ledger has not heard of everything."""
    from deploy.vault.vault_process import at_vault

    with at_vault(Settings()) as answered:
        found = answered.ask("status")
        # What waited at the time of asking has been sent since, or not.
        found["pending"] = answered.pending
        if as_json:
            typer.echo(json.dumps(found))
        else:
            for name, value in found.items():
                typer.echo(f"{name:<10}  {value}")


def verify(
    head: Annotated[
        str,
        typer.Option(
            metavar="N:HASH",
            help=text("以前记下的日志头", "a head noted before, which must be in the chain"),
        ),
    ] = "",
    without_vault: Annotated[
        bool,
        typer.Option("--without-vault", help=text("只核对审计库", "check the trail alone")),
    ] = False,
    as_json: _Json = False,
) -> None:
    """The vault's log, and its copy in the trail; exit 1 if not whole or not the same, 3 if the
    trail is behind."""
    from deploy.vault.vault_audit import verified

    found = verified(Settings(), head, without_vault=without_vault)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        from deploy.vault.vault_audit import in_words

        for line in in_words(found):
            typer.echo(line)
    if found["faults"]:
        raise typer.Exit(1)
    if found["behind"]:
        raise typer.Exit(3)


def catch_up() -> None:
    """Takes the access log and the forgotten from the trail; exit 1 if they do not fit."""
    from deploy.vault.vault_audit import catch_up as caught_up

    entries, people = caught_up(Settings())
    typer.echo(
        text(
            f"补上 {entries} 条访问记录,再次抹除 {people} 人",
            f"{entries} entries taken over, {people} people forgotten again",
        )
    )


def rotate() -> None:
    """Every older copy of the vault's file is unreadable afterwards: make a new backup of both."""
    from deploy.vault.vault_process import at_vault

    with at_vault(Settings()) as answered:
        key_id = answered.ask("rotate")
        typer.echo(
            text(
                f"新主密钥 {key_id};旧密钥已销毁,以前的备份全部作废:请重新备份保险库与密钥。",
                f"new master key {key_id}; the old one is destroyed and earlier backups are dead: "
                "back up vault and key anew.",
            )
        )
