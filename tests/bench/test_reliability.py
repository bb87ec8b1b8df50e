"""docs/reliability.md is made of the results, and every fault test has its row there."""

import ast
import json
from pathlib import Path

import pytest

from bench import reliability
from bench.reliability import ROWS, faults_table, note, page, soak_text, starts_text

TESTS = Path(__file__).parents[1]


def named_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    named = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return {name for name in named if name.startswith("test_")}


def test_the_page_says_what_the_results_say() -> None:
    old = reliability.PAGE.read_text("utf-8")
    assert page(old) == old, "run python -m bench.reliability"


def test_every_row_has_tests_and_every_fault_test_has_a_row() -> None:
    shown = [test for row in ROWS for test in row.tests]
    assert len(shown) == len(set(shown))
    everywhere = {test for path in TESTS.rglob("test_*.py") for test in named_in(path)}
    assert set(shown) <= everywhere
    faults = {test for path in (TESTS / "faults").glob("test_*.py") for test in named_in(path)}
    assert faults <= set(shown)


def test_what_failed_is_marked_and_what_was_not_run_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reliability, "FAULTS", tmp_path / "faults.json")
    monkeypatch.setattr(reliability, "RESULTS", tmp_path)
    (first, second, *_) = (row.tests[0] for row in ROWS)
    note(first, "broker", seed=7, passed=True, seconds=12.0, seen="5 kills, none lost")
    note(first, "producer", seed=8, passed=False, seconds=3.0, seen="5 kills")
    table = faults_table(json.loads((tmp_path / "faults.json").read_text("utf-8")))
    (row,) = (line for line in table.splitlines() if "5 kills" in line)
    assert "5 kills, none lost (broker's time, 12 s, seed 7)" in row
    assert "**✘** 5 kills (producer's time, 3 s, seed 8)" in row
    assert f"not run yet (`{second}`)" in table


def test_starts_and_soaks_are_shown_with_their_seeds() -> None:
    machine = {"date": "2026-12-01", "cores": 2}
    starts = {"machine": machine, "seed": 5, "facts": 200_000, "seconds": 800, "starts": 20,
              "stalled": 1, "slowest_gap_seconds": 17.0, "wrong": 0}  # fmt: skip
    assert "seed 5" in starts_text(starts)
    assert "**starts 20 stalled 1 slowest_gap_seconds 17.0 wrong 0**" in starts_text(starts)
    faults = [{"recovered": 4.5}, {"recovered": None}]
    vitals = {"worker-1": {"processes": 3, "peak_mb": 210, "mb_per_hour": None,
                           "peak_descriptors": 40, "descriptors_per_hour": 0.5}}  # fmt: skip
    soak = {"machine": machine, "seed": 9, "hours": 1.0, "rate": 200, "sent": 720_000,
            "faults": faults, "every_seconds": 300.0, "spared": ["kafka"], "slowest_gap": 9.1,
            "wrong": ["x"], "vitals": vitals}  # fmt: skip
    said = soak_text(soak)
    assert "seed 9: 1 h at 200 events/s, 720,000 records, 2 faults 300 s apart" in said
    assert "spared: kafka; slowest gap 9.1 s, slowest recovery 4.5 s, wrong: 1." in said
    assert "| worker-1 | 3 | 210 |  | 40 | 0.5 |" in said
