"""`shilu export`, `verify`, `prove`: what somebody who trusts nobody needs.

The engine takes a second to import and every command imports this module, so what needs it is
imported where it is used.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from deploy.lang import text
from deploy.settings import Settings

_Json = Annotated[bool, typer.Option("--json", help=text("输出 JSON", "answer as JSON"))]
_Keys = Annotated[
    list[Path] | None,
    typer.Option(
        "--key", help=text("您保存的公钥文件(*.vkey)", "the public key that you kept (*.vkey)")
    ),
]
_Kept = Annotated[
    list[Path] | None,
    typer.Option(
        help=text("您保存的检查点文件或目录", "checkpoints that you kept: files or folders")
    ),
]
_Witnesses = Annotated[
    list[Path] | None,
    typer.Option("--witness", help=text("见证机构的公钥文件", "public keys of witnesses")),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        help=text(
            "导出审计人员带走的全部内容:入账、检查点、公钥、说明。",
            "Write what an auditor takes home: postings, checkpoints, keys, how to check them.",
        )
    )(export)
    app.command(
        help=text(
            "核对一份导出(或现在的审计库):每条入账是否与签署时相同。",
            "Verify a bundle, or the trail as it is now: is every posting as it was sealed?",
        )
    )(verify)

    app.command(
        help=text(
            "开具证明:某条入账或某位志愿者某月的全部入账确在封存的台账中。",
            "Prove that a posting, or a volunteer's month, is in the sealed ledger: files to keep.",
        )
    )(prove)

    app.command(
        help=text(
            "从头重算台账并逐字节比对;一致 0,不一致 1。",
            "Compute the ledger again from the first fact and compare every byte.",
        )
    )(replay)


def replay(
    shuffle: Annotated[
        int | None,
        typer.Option(
            metavar="SEED",
            help=text("把事实打乱顺序,只比对余额", "facts in another order; compares balances"),
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help=text("并行进程数", "processes"))] = 1,
    poll: Annotated[
        int, typer.Option(min=1, help=text("每次读取的条数", "records a poll"))
    ] = 2_000,
    as_json: _Json = False,
) -> None:
    """Needs Kafka and nothing else. Exit 0 if the postings are what the facts give, 1 if not."""
    from deploy.seal.seal_replay import replayed, show_replayed

    found = replayed(Settings(), poll, jobs, shuffle)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        show_replayed(found)
    raise typer.Exit(found["exit_code"])


def prove(
    volunteer_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help=text("志愿者编号", "a volunteer's id"))
    ] = None,
    month: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM", help=text("服务月份;省略为全部", "of service; else all")),
    ] = None,
    event: Annotated[str | None, typer.Option(help=text("事件编号", "an event's id"))] = None,
    posting: Annotated[
        str | None,
        typer.Option(metavar="P/INDEX", help=text("分区/序号", "partition/index of a posting")),
    ] = None,
    out: Annotated[Path, typer.Option(help=text("写入的目录", "the folder for the files"))] = Path(
        "proofs"
    ),
) -> None:
    """Writes one .tlog-proof for each posting; `shilu verify FOLDER` checks them."""
    from deploy.seal.seal_prove import write_proofs

    for path in write_proofs(Settings(), volunteer_id, month, event, posting, out):
        typer.echo(str(path))


def export(
    bundle: Annotated[Path, typer.Option(help=text("写入的新目录", "the folder to be made"))],
) -> None:
    """Reads the trail alone; run `shilu sink` up to now before it."""
    from deploy.seal.seal_audit import write_bundle

    for name, count in write_bundle(Settings(), bundle).items():
        typer.echo(f"{name} {count}")


def verify(
    bundle: Annotated[
        Path | None,
        typer.Argument(
            help=text(
                "导出目录或证明文件;省略则核对现在的审计库",
                "a bundle, or proofs; without it, the trail now",
            )
        ),
    ] = None,
    keys: _Keys = None,
    kept: _Kept = None,
    witnesses: _Witnesses = None,
    jobs: Annotated[
        int, typer.Option(min=0, help=text("并行进程数;0 为全部核心", "processes; 0: all cores"))
    ] = 0,
    as_json: _Json = False,
) -> None:
    """Exit 0 if everything is as sealed, 1 if not; the first wrong posting is named."""
    from deploy.seal.seal_audit import show_verified, verified
    from deploy.seal.seal_prove import has_proofs, verified_proofs

    if bundle is not None and has_proofs(bundle):
        typer.echo(
            "\n".join(
                json.dumps(proof, ensure_ascii=False)
                for proof in verified_proofs(Settings(), bundle, keys or [], witnesses or [])
            )
        )
        return
    found = verified(Settings(), bundle, keys or [], kept or [], witnesses or [], jobs)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        show_verified(found, sure=bool(keys))
    raise typer.Exit(found["exit_code"])
