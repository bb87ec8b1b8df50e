"""`shilu keys`, `seal` and `witness`: who signs the ledger, and who watches the signer."""

from typing import Annotated

import typer

from deploy.errors import ShiluError
from deploy.lang import text
from deploy.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    keys = typer.Typer(help=text("封存密钥", "The keys that seal the ledger"), no_args_is_help=True)
    keys.command(
        "init", help=text("生成封存密钥,显示公钥", "Make the key and show its public half")
    )(keys_init)
    keys.command(
        "rotate",
        help=text("更换密钥;旧密钥为新密钥作保", "Replace the key; the old one vouches for it"),
    )(keys_rotate)
    keys.command("show", help=text("显示公钥", "Show the public keys"))(keys_show)
    app.add_typer(keys, name="keys")
    app.command(
        help=text(
            "封存台账:为每个分区的哈希树签署检查点并公布。",
            "Seal the ledger: sign and publish a checkpoint of each partition's hash tree.",
        )
    )(seal)
    app.command(
        help=text(
            "见证:只为与以前一致的检查点副署。由台账之外的机构运行。",
            "Cosign checkpoints that continue the last one seen; run by somebody else.",
        )
    )(witness)


def keys_init(
    name: Annotated[
        str,
        typer.Option(help=text("台账的名称,如 example.org/hours", "the ledger's name, as a URL")),
    ] = "shilu.local/hours",
) -> None:
    """Auditors keep the line that this prints."""
    from consumers.signing import keyring
    from deploy.seal.seal_errors import seal_errors

    with seal_errors():
        typer.echo(keyring.create(Settings().place / "keys", name))


def keys_rotate() -> None:
    """The statement signed by both keys goes into every bundle."""
    from consumers.signing import keyring
    from deploy.seal.seal_errors import seal_errors

    with seal_errors():
        typer.echo(keyring.rotate(Settings().place / "keys"))


def keys_show() -> None:
    """One line for each key, oldest first."""
    from consumers.signing import keyring
    from deploy.seal.seal_errors import seal_errors

    with seal_errors():
        for key in keyring.public_keys(Settings().place / "keys").keys:
            typer.echo(key)


def seal(
    every: Annotated[
        float,
        typer.Option(
            min=0.1,
            help=text("两次封存至少相隔多少秒", "seconds between two checkpoints, at least"),
        ),
    ] = 5.0,
    once: Annotated[
        bool,
        typer.Option("--once", help=text("封存现有内容后退出", "seal what is there and end")),
    ] = False,
    witnesses: Annotated[
        list[str] | None,
        typer.Option(
            "--witness",
            metavar="URL=VKEY",
            help=text(
                "请求副署的见证及其公钥;省略则按 SHILU_WITNESSES",
                "whom to ask to cosign, and their public key; else those of SHILU_WITNESSES",
            ),
        ),
    ] = None,
) -> None:
    """Run until SIGTERM or Ctrl-C; exit 1 where something contradicts what was sealed."""
    from deploy.seal.seal_process import run_sealer

    settings = Settings()
    pairs = [one.partition("=")[::2] for one in witnesses or settings.witnesses.split()]
    if not all(url and key for url, key in pairs):
        raise ShiluError(
            "witness_form",
            "看不懂见证:请写成 http://地址=公钥。",
            "The witness is not understood: write http://address=public-key.",
        )
    run_sealer(settings, every, once=once, witnesses=pairs)


def witness(
    logs: Annotated[
        list[str],
        typer.Option("--log", metavar="VKEY", help=text("台账的公钥", "a ledger's public key")),
    ],
    name: Annotated[
        str, typer.Option(help=text("见证的名称", "the witness's name"))
    ] = "witness.local/w1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help=text("端口;0 为任选", "port; 0: a free one"))
    ] = 0,
) -> None:
    """Keeps its key and what it has seen in SHILU_HOME/witness; prints its public key."""
    from deploy.seal.witness_process import run_witness

    run_witness(Settings(), name, logs, port)
