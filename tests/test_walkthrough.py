"""docs/walkthrough.md leads through the code as it is: each function it names is there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "walkthrough.md").read_text("utf-8")
FILES_MAX = 25
_NAMED = re.compile(r"`([a-z_/]+\.py)(?:: ([\w.]+))?`")
_FOLDER = re.compile(r"`([a-z_]+/(?:[a-z_]+/)*)`")


def defined(path: Path) -> set[str]:
    """The functions and classes of a module, methods behind the name of their class."""
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {node.name} | {
                f"{node.name}.{inner.name}"
                for inner in node.body
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return found


def test_each_function_that_the_walk_names_exists() -> None:
    named = _NAMED.findall(PAGE)
    assert len(named) > 25
    missing = [
        f"{file}: {name}"
        for file, name in named
        if not (ROOT / file).exists() or (name and name not in defined(ROOT / file))
    ]
    assert missing == []
    assert [folder for folder in _FOLDER.findall(PAGE) if not (ROOT / folder).is_dir()] == []


def test_the_walk_needs_few_files() -> None:
    walk, _, _ = PAGE.partition("## Beside the way")
    files = {file for file, _ in _NAMED.findall(walk)}
    assert len(files) <= FILES_MAX, sorted(files)
