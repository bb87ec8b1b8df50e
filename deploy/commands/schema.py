"""`shilu schema check` and `shilu schema list`: the contract's gate and its table of contents."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.describe import topic_of
from deploy.errors import ShiluError
from deploy.lang import text
from schemas.evolution import compat
from schemas.evolution.compat import Problem
from schemas.wire import codec


def register(app: typer.Typer) -> None:
    """Add the group `schema` to the command."""
    group = typer.Typer(
        help=text("模式:检查兼容性,列出类型", "Schemas: check compatibility, list types"),
        no_args_is_help=True,
    )
    group.command(
        "check", help=text("检查模式文件能否发布", "May these schema files be released?")
    )(check)
    group.command("list", help=text("列出全部类型", "Every type with version, id and topic"))(
        list_types
    )
    app.add_typer(group, name="schema")


def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...",
            help=text(
                "候选文件 <类型>.v<版本>.avsc;不给则检查本库",
                "candidate files <Type>.v<version>.avsc; none: the tree itself",
            ),
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help=text(
                "已发布的 .avsc 所在文件夹;不给则用本库",
                "folder of the released .avsc files; none: our own",
            ),
        ),
    ] = None,
) -> None:
    """BACKWARD_TRANSITIVE and the rules of the contract; exit 1 when something stands against."""
    if not paths and against is None:
        _check_tree()
        return
    ours = files("schemas") / "avro"
    locked = compat.texts_in(ours if against is None else _folder(against))
    texts = {_title(path): _read(path) for path in paths} if paths else compat.texts_in(ours)
    failed = False
    for title, candidate in texts.items():
        # Several new versions may come together: a v3 is then compared with the v2 beside it.
        known = {t: new for t, new in texts.items() if compat.is_title(t)} | locked
        found = compat.candidate(title, candidate, known)
        failed = failed or bool(found)
        typer.echo(report(title, found, list(compat.older(title, known))))
    if failed:
        raise typer.Exit(1)


def _check_tree() -> None:
    found = compat.tree(files("schemas"))
    titles = dict.fromkeys(problem.title for problem in found)
    for title in titles:
        typer.echo(report(title, [p for p in found if p.title == title], []))
    if found:
        raise typer.Exit(1)
    count = len(codec.BY_ID)
    typer.echo(text(
        f"✔ {count} 个模式:编号已锁定,文件未被改动,每个版本都能读取全部旧版本",
        f"✔ {count} schemas: ids locked, files unchanged, every version reads all its predecessors",
    ))  # fmt: skip


def report(title: str, found: list[Problem], versions: list[int]) -> str:
    """What stands against one file, or that nothing does, in the person's language.

    `versions` are the older versions it was compared with.
    """
    history = _range(versions) if versions else ""
    if not found and not versions:
        return text(f"✔ {title}  新类型,没有旧版本", f"✔ {title}  a new type, nothing to compare")
    if not found:
        return text(
            f"✔ {title}  兼容(BACKWARD_TRANSITIVE,对照 {history})",
            f"✔ {title}  compatible (BACKWARD_TRANSITIVE, against {history})",
        )
    said = text(f",对照 {history}", f", against {history}") if versions else ""
    lines = [text(
        f"✘ {title}  不能发布(BACKWARD_TRANSITIVE{said})",
        f"✘ {title}  cannot be released (BACKWARD_TRANSITIVE{said})",
    )]  # fmt: skip
    for problem in found:
        place = " ".join(filter(None, (problem.where, problem.field)))
        some = list(problem.against)
        note = f" [{_range(some)}]" if some and some != versions else ""
        lines.append(f"  {place}{note}: {text(problem.zh, problem.en)}")
        lines.append(text(f"  改法: {problem.fix_zh}", f"  fix: {problem.fix_en}"))
    return "\n".join(lines)


def _range(versions: list[int]) -> str:
    first, *others = versions
    return f"v{first}…v{others[-1]}" if others else f"v{first}"


def _title(path: Path) -> str:
    return path.name.removesuffix(".avsc")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ShiluError(
            "file_unreadable",
            f"无法读取 {path}({error}):请核对路径与编码(UTF-8)。",
            f"Cannot read {path} ({error}): check the path and that it is UTF-8.",
        ) from error


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise ShiluError(
            "folder_missing",
            f"{path} 不是文件夹:--against 应指向放有 .avsc 文件的文件夹。",
            f"{path} is no folder: --against names a folder of .avsc files.",
        )
    return path


def list_types(
    as_json: Annotated[bool, typer.Option("--json", help=text("输出 JSON", "print JSON"))] = False,
) -> None:
    """Type, version, id, topic and fields of everything that travels."""
    rows = [_row(schema) for schema in sorted(codec.BY_ID.values(), key=lambda s: s.id)]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    width = max(len(row["type"]) for row in rows)
    for row in rows:
        typer.echo(
            f"{row['id']:>4}  {row['type']:<{width}} v{row['version']}  {row['topic']:<20}"
            f"  {', '.join(row['fields'])}"
        )


def _row(schema: codec.Schema) -> dict[str, Any]:
    fields = [field["name"] for field in json.loads(schema.text)["fields"]]
    return {
        "type": schema.name,
        "version": schema.version,
        "id": schema.id,
        "topic": topic_of(schema.name),
        "fields": fields,
    }
