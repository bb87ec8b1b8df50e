"""Export and verification from the command line."""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from consumers.api.trail_client import At, reader
from consumers.bundle.export import export
from consumers.bundle.verify import verify
from consumers.signing import keyring
from consumers.signing.keyring import PublicKeys
from consumers.signing.notes import VerifierKey
from deploy.errors import ShiluError
from deploy.lang import text
from deploy.seal.seal_errors import seal_errors
from deploy.seal.seal_words import detail_in_words
from deploy.settings import Settings
from deploy.terminal.console import bar
from deploy.terminal.tables import folded

_CODES = {
    "bad_checkpoint": ("检查点的签名或内容不对", "a checkpoint is not signed as it must be"),
    "split_view": ("同一条数有两个签过名的树根:存在两套账", "two signed trees of one size"),
    "rolled_back": ("比您保存的检查点更短:台账被回滚", "shorter than what you kept: rolled back"),
    "tail_missing": ("末尾已封存的入账不见了", "sealed postings at the end are gone"),
    "posting_differs": ("入账不是当初封存的那一条", "a posting is not the one that was sealed"),
    "columns_differ": ("列的内容与封存的字节不符", "columns do not say what the sealed bytes say"),
    "order_differs": ("入账的位置不对", "a posting is not in its place"),
    "stray_lines": ("有多余的分钟数行", "lines without their posting"),
    "unknown_schema": ("不认识的格式", "an unknown schema"),
    "unreadable": ("文件不完整或无法读取", "a file is incomplete or cannot be read"),
    "log_missing": ("缺少您保存的检查点所属的分区", "a log that you kept is missing"),
}  # fmt: skip


def write_bundle(settings: Settings, target: Path) -> dict[str, int]:
    """Write a bundle; raises ShiluError, `bundle_exists` where the folder is there already."""
    if target.exists():
        raise ShiluError(
            "bundle_exists",
            f"{target} 已存在:请换一个新目录。",
            f"{target} is there already: name a folder that is not.",
        )
    at = At(settings.place, settings.clickhouse)
    with seal_errors(), reader(at) as someone:
        total = sum(someone.ask("indexes").values())
        with bar(text("导出", "exporting"), total, shows_lines=False) as shown:
            keys = keyring.public_keys(settings.place / "keys")
            return export(someone, settings.place / "seal", keys, target, shown.reach)


def verified(
    settings: Settings,
    bundle: Path | None,
    keys: Sequence[Path],
    kept: Sequence[Path],
    witnesses: Sequence[Path],
    jobs: int,
) -> dict[str, Any]:
    """The report as plain values with its `state` and `exit_code`; raises ShiluError."""
    if bundle is None:
        settings.place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=settings.place) as folder:
            write_bundle(settings, Path(folder) / "bundle")
            return verified(settings, Path(folder) / "bundle", keys, kept, witnesses, jobs)
    if not (bundle / "keys").is_dir():
        raise ShiluError(
            "no_bundle",
            f"{bundle} 不是一份导出:请用 shilu export --bundle 生成。",
            f"{bundle} is no bundle: `shilu export --bundle` writes one.",
        )
    with seal_errors():
        known = [VerifierKey.parse(path.read_text("utf-8")) for path in keys]
        friends = [VerifierKey.parse(path.read_text("utf-8")) for path in witnesses]
        notes = [path.read_text("utf-8") for path in _files(kept)]
        with bar(text("核对", "verifying"), None, shows_lines=False) as shown:
            found = verify(
                bundle,
                lambda public: _trusted(public, known),
                notes,
                friends,
                lambda done, _: shown.reach(done),
                jobs or os.cpu_count() or 1,
            )
    state = "red" if found.faults else "green"
    return {"state": state, **asdict(found), "exit_code": found.exit_code}


def _trusted(public: PublicKeys, known: Sequence[VerifierKey]) -> Sequence[VerifierKey]:
    if not known:
        return public.trusted_from(None)
    return [key for one in known for key in public.trusted_from(one)]


def _files(kept: Sequence[Path]) -> Iterator[Path]:
    """Files as they are; of folders, every file whose name says that it is a checkpoint."""
    for path in kept:
        if path.is_dir():
            yield from sorted(path.rglob("checkpoint"))
            yield from sorted(path.rglob("*.note"))
        else:
            yield path


def show_verified(found: dict[str, Any], *, sure: bool) -> None:
    """The verdict first, then what was looked at, then what is wrong."""
    out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    postings, sealed = sum(found["entries"].values()), sum(found["sealed"].values())
    if found["faults"]:
        out.print(text("✘ 与签署时不同", "✘ not as it was sealed"))
    else:
        out.print(text("✔ 每条入账都与签署时相同", "✔ every posting is as it was sealed"))
    for fault in found["faults"]:
        zh, en = _CODES[fault["code"]]
        at = "" if fault["index"] < 0 else f" #{fault['index']}"
        said = f"  {fault['log']}{at} {text(zh, en)}: {detail_in_words(fault['detail'])}"
        out.print(folded(said))
    out.print(text(f"  入账 {postings} 条,已封存 {sealed} 条,检查点 ",
                   f"  {postings} postings, {sealed} of them sealed, checkpoints: ")
              + str(sum(found["checkpoints"].values())))  # fmt: skip
    names = sorted({name for names in found["cosigned_by"].values() for name in names})
    if names:
        out.print(text("  见证:", "  cosigned by: ") + ", ".join(names))
    if not sure:
        typer.echo(
            text("  公钥取自导出本身:请用 --key 指定您保存的公钥。",
                 "  The key is the bundle's own: name the one that you kept with --key."),
            file=sys.stderr,
        )  # fmt: skip
