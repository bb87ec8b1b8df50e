"""Every edge case and invariant has a test named after it, every source something to show."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.rule_examples import EXAMPLES

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "sources.md"
CASES = {f"e{number}" for number in range(1, 37)} | {f"i{number}" for number in range(1, 17)}


def all_tests() -> Iterator[tuple[str, str]]:
    """Every test: its file from the root, and its name."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name in re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text("utf-8"), re.M):
            yield path.relative_to(ROOT).as_posix(), name


def missing(names: set[str]) -> set[str]:
    """Cases after which no test of these names is named, as in `test_e19_e20_what_is_so`."""
    found = {case for name in names for case in re.findall(r"(?<=_)[ei]\d+(?=_)", name)}
    return CASES - found


def test_every_edge_case_and_every_invariant_has_a_test_named_after_it() -> None:
    names = {name for _, name in all_tests()}
    assert missing(names) == set()
    assert missing({name for name in names if not name.startswith("test_e19_")}) == {"e19"}


def unshown(page: str) -> list[str]:
    """What is wrong with the page of sources: rows missing, or showing nothing that exists."""
    rows = {
        cells[0].strip(): cells[-1]
        for line in page.splitlines()
        if line.startswith("| R") and (cells := line.strip("|").split("|"))
    }
    wrong = [f"R{number} has no row" for number in range(1, 29) if f"R{number}" not in rows]
    there = {f"rule {example.section}" for example in EXAMPLES}
    there |= {f"{path}::{name}" for path, name in all_tests()}
    for rule, shown in rows.items():
        named = re.findall(r"tests/[\w/.]+::\w+|rule [\d.]+\d|rule \d+", shown)
        wrong += [f"{rule}: {each} is not there" for each in named if each not in there]
        wrong += [] if named else [f"{rule} shows nothing"]
    return wrong


def test_every_source_of_a_rule_names_what_shows_it() -> None:
    page = PAGE.read_text("utf-8")
    assert unshown(page) == []
    spoilt = re.sub(r"^\| R7 .*\n", "", page, flags=re.M).replace("rule 2.4", "rule 2.9")
    assert unshown(spoilt) == ["R7 has no row", "R6: rule 2.9 is not there"]
