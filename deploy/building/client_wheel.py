"""The client alone as a wheel, `python -m deploy.building.client_wheel` (`make client-wheel`).

What is taken is found by following the imports of one module, so a module that moves is found where
it went. In the wheel all lies under one package: names such as `schemas` would meet others on top
of site-packages. Only the imports are rewritten, in their lines; what runs is what is tested here.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, Final

import producers.sdk as entry
import schemas.bytewriter as bytewriter
from deploy.building.compiled import ROOT
from deploy.errors import ShiluError

PACKAGE: Final = "shilu_client"
ENTRY: Final = entry.__name__
"""The module whose names the package exports; what it imports goes along."""

STAND_INS: Final = {"librt.strings": bytewriter.__name__}
"""Module of a package that the client does without -> ours that it has instead (`from` alone)."""

DATA: Final = ("schemas/*.json", "schemas/**/*.avsc")
_1980: Final = "315532800"


def modules(root: Path = ROOT, start: str = ENTRY) -> dict[str, Path]:
    """Name -> file of `start`, everything of ours that it imports, and the packages around them."""
    found: dict[str, Path] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        path = _file_of(name, root)
        if path is None or name in found:
            continue
        found[name] = path
        waiting += [name.rpartition(".")[0], *_imported(ast.parse(path.read_text("utf-8")))]
    return found


def _file_of(name: str, root: Path) -> Path | None:
    """The source of a module or package of ours; None for what is neither."""
    place = root.joinpath(*name.split("."))
    found = [place / "__init__.py", place.with_suffix(".py")] if name else []
    return next((path for path in found if path.is_file()), None)


def _imported(tree: ast.Module) -> Iterator[str]:
    """Every name that may be a module which this code imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            module = STAND_INS.get(str(node.module), str(node.module))
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from names


def rewritten(source: str, ours: Mapping[str, Path]) -> str:
    """The source with the imports of our modules under the package, line for line as before.

    Raises ShiluError `client_import` for an import that cannot be written so.
    """
    lines = source.splitlines(keepends=True)
    tops = {name.partition(".")[0] for name in ours}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            named = [(str(node.module), True)]
        elif isinstance(node, ast.Import):
            named = [(alias.name, alias.asname is not None) for alias in node.names]
        else:
            continue
        if not any(name in STAND_INS or name.partition(".")[0] in tops for name, _ in named):
            continue
        ((name, renamed), *more) = named
        line = lines[node.lineno - 1]
        old, new = f" {name}", f" {PACKAGE}.{STAND_INS.get(name, name)}"
        if not renamed and name in tops:  # `import schemas` makes the name `schemas`
            old, new = f"import {name}", f"from {PACKAGE} import {name}"
        elif not renamed or more:
            raise ShiluError(
                "client_import",
                f"客户端的模块里不能写“{line.strip()}”:请写 from … import …",
                f"a module of the client must not say `{line.strip()}`: write from ... import ...",
            )
        begin = node.col_offset
        lines[node.lineno - 1] = line[:begin] + re.sub(
            re.escape(old) + r"(?![\w.])", new, line[begin:], count=1
        )
    return "".join(lines)


def requirements(ours: Mapping[str, Path], project: Mapping[str, Any]) -> list[str]:
    """What the modules import from outside, in the ranges that our own metadata gives.

    Raises ShiluError `client_import` for a package that is not among our dependencies.
    """
    ranges = {
        re.split(r"[^\w.-]", line)[0].lower().replace("_", "-"): line
        for line in project["dependencies"]
    }
    owners = packages_distributions()
    wanted = set()
    for path in ours.values():
        for module in _imported(ast.parse(path.read_text("utf-8"))):
            top = module.partition(".")[0]
            if top in sys.stdlib_module_names or module in ours or top in ours:
                continue
            names = {name.lower().replace("_", "-") for name in owners.get(top, [top])}
            if not names & ranges.keys():
                raise ShiluError(
                    "client_import",
                    f"{path.name} 用到 {top},但它不在 pyproject.toml 的 dependencies 里",
                    f"{path.name} imports {top}, which is not in dependencies of pyproject.toml",
                )
            wanted |= names & ranges.keys()
    return [ranges[name] for name in sorted(wanted)]


def stage(folder: Path, root: Path = ROOT) -> None:
    """Lay out the client's own project in an empty folder."""
    settings = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    ours = modules(root)
    package = folder / PACKAGE
    for path in ours.values():
        target = package / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(rewritten(path.read_text("utf-8"), ours), "utf-8")
    for pattern in DATA:
        for path in root.glob(pattern):
            target = package / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    # The package is its entry: what that exports is what `from shilu_client import ...` finds.
    (package / ours[ENTRY].relative_to(root)).rename(package / "__init__.py")
    (package / "py.typed").touch()
    (folder / "pyproject.toml").write_text(_settings(settings, ours), "utf-8")


def _settings(settings: Mapping[str, Any], ours: Mapping[str, Path]) -> str:
    """The project file of the client: strings and arrays of JSON are those of TOML."""
    project = settings["project"]
    builder = [one for one in settings["build-system"]["requires"] if "setuptools" in one]
    sections: dict[str, dict[str, Any]] = {
        "build-system": {"requires": builder, "build-backend": "setuptools.build_meta"},
        "project": {
            "name": PACKAGE.replace("_", "-"),
            "version": project["version"],
            "description": "实录 shilu: the client for field apps, with the contract of its events",
            "requires-python": project["requires-python"],
            "license": project["license"],
            "dependencies": requirements(ours, project),
        },
        "tool.setuptools.packages.find": {"include": [f"{PACKAGE}*"]},
        "tool.setuptools.package-data": {"*": ["py.typed", "*.json", "**/*.avsc"]},
    }
    return "\n".join(
        f"[{title}]\n"
        + "".join(
            f"{json.dumps(key)} = {json.dumps(value, ensure_ascii=False)}\n"
            for key, value in values.items()
        )
        for title, values in sections.items()
    )


def build(out: Path, root: Path = ROOT) -> Path:
    """Build the wheel into a folder; the same sources give the same bytes. Returns its path.

    Raises CalledProcessError where uv, which says why, fails.
    """
    uv = Path(sys.executable).with_name("uv")
    with tempfile.TemporaryDirectory(prefix="shilu-client-") as name:
        stage(Path(name), root)
        made = Path(name) / "made"
        subprocess.run(
            [uv, "build", "--quiet", "--wheel", "--out-dir", made, name],
            env={**os.environ, "SOURCE_DATE_EPOCH": _1980}, check=True,
        )  # fmt: skip
        (wheel,) = made.glob("*.whl")
        out.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(wheel, out / wheel.name))


def main() -> None:
    """Build into `dist/` and say where it lies."""
    wheel = build(ROOT / "dist")
    print(f"{wheel.relative_to(ROOT)}  {wheel.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
