"""The compiled core is built once for each state of its sources, and never taken for another."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.building import compiling
from deploy.building.compiled import ROOT, require_fresh
from deploy.building.compiling import built, core_key, keep, restore, share, sources


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small project with a compiled core."""
    root = tmp_path / "tree"
    for name in ("schemas/times.py", "ledger/rules.py", "streams/partitions/fold_batch.py",
                 "setup.py", "pyproject.toml", "deploy/cli.py"):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"# {name}\n")
    for name in ("0123__mypyc.so", "schemas/times.so", "ledger/rules.so"):
        (root / name).write_bytes(name.encode())
    return root


def test_a_second_clone_gets_what_the_first_one_compiled(tree: Path, tmp_path: Path) -> None:
    kept = tmp_path / "cache" / f"core-{core_key(tree)}"
    keep(kept, tree)
    modules = built(tree)
    assert len(modules) == 3
    for module in modules:
        (tree / module).unlink()
    assert restore(kept, tree)
    assert {str(m): (tree / m).read_bytes() for m in built(tree)} == {
        str(m): str(m).encode() for m in modules
    }
    # As fresh as if it had been compiled here.
    require_fresh(tree)


def test_the_library_of_a_kept_core_is_found_from_any_folder(tree: Path, tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "9876__mypyc.so").write_bytes(b"another package's")
    share(tree, packages)
    assert {path.name for path in packages.iterdir()} == {"0123__mypyc.so", "9876__mypyc.so"}
    # And what is installed here is, compiled or not, kept or built.
    away = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(
        [sys.executable, "-c", "import schemas.times"], cwd=tmp_path, env=away, check=True
    )


def test_any_change_of_what_it_comes_from_is_another_core(tree: Path) -> None:
    before = core_key(tree)
    (tree / "deploy/cli.py").write_text("# not part of the core\n")
    assert core_key(tree) == before
    seen = {before}
    for name in ("schemas/times.py", "ledger/rules.py", "streams/partitions/fold_batch.py",
                 "setup.py", "pyproject.toml"):  # fmt: skip
        (tree / name).write_text("# changed\n")
        seen.add(core_key(tree))
    (tree / "ledger/new.py").write_text("")
    seen.add(core_key(tree))
    assert len(seen) == 7


def test_everything_that_is_compiled_makes_another_core_and_is_built_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SHILU_COMPILE", "0")
    monkeypatch.setattr("setuptools.setup", lambda **_: None)
    compiled = {ROOT / name for name in runpy.run_path("setup.py")["CORE"]}
    assert ROOT / "ledger" / "rules.py" in compiled
    assert compiled <= set(sources())
    asked = subprocess.run(
        ["make", "-s", "--eval", "core: ; @echo $(CORE)", "core"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert compiled <= {ROOT / name for name in asked.stdout.split()}


def test_nothing_kept_is_nothing_restored_and_old_ones_go(tree: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert not restore(cache / "core-none", tree)
    for number in range(7):
        keep(cache / f"core-{number}", tree)
    assert sorted(path.name for path in cache.iterdir()) == [f"core-{n}" for n in range(3, 7)]


def test_the_example_of_the_demo_is_part_of_the_package() -> None:
    # `shilu demo` runs from a wheel, too, where there is no docs folder.
    inside = ROOT / "deploy" / "linkage.jsonl"
    assert inside.read_bytes() == (ROOT / "docs" / "examples" / "linkage.jsonl").read_bytes()
    assert '"**/*.jsonl"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_a_first_demo_does_not_wait_for_a_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wishes = list[str]()
    monkeypatch.setattr(compiling, "cache_dir", lambda: tmp_path)
    monkeypatch.setattr(compiling, "_install", lambda compiled: wishes.append(compiled))
    monkeypatch.delenv("SHILU_COMPILE", raising=False)
    compiling.main(["--kept"])
    assert wishes == ["0"]
    assert "make compile" in capsys.readouterr().out
    rules = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(r"^demo: \$\(VENV\)/\.env ", rules, re.M)
    assert re.search(
        r"^\$\(VENV\)/\.env:(.+\n)+?\t.*deploy\.building\.compiling --kept$", rules, re.M
    )
