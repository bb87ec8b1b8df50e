"""docs/examples/rules.md: every example is run, and comes out as the page says."""

import re
from pathlib import Path

import pytest

from producers.sending.lines import parse_line
from tests.reference.model import check
from tests.reference.model_people import check_people
from tests.rule_examples import EXAMPLES, PAGE, Example, page


def test_the_committed_page_is_what_the_examples_come_to() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.rule_examples`"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.en)
def test_the_example_is_what_the_reference_says(example: Example) -> None:
    records, postings = example.town().records[0], example.postings()
    assert check(records, postings) == []
    assert list(check_people(records, postings)) == []


def test_every_section_of_the_rules_about_hours_has_an_example() -> None:
    rules = (PAGE.parent.parent / "rules.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^## (\d+)\.", rules, re.M)) - {"1"}
    assert {example.section.split(".")[0] for example in EXAMPLES} == sections


def test_every_line_of_the_page_can_be_emitted() -> None:
    text = PAGE.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("{")]
    assert len(lines) > len(EXAMPLES)
    for line in lines:
        read = parse_line(1, line.encode())
        assert read.fault is None
        assert read.recorded_at is not None


def test_the_rules_name_the_same_things_in_chinese() -> None:
    folder = PAGE.parent.parent
    english, chinese = _named(folder / "rules.md"), _named(folder / "rules.zh.md")
    assert len(english) > 10
    for section, names in english.items():
        assert chinese.get(section) == names, f"section {section}"


def _named(page: Path) -> dict[str, set[str]]:
    """Section number -> events, fields, reasons and parameters that it names."""
    parts = re.split(r"^## (\d+)\..*$", page.read_text(encoding="utf-8"), flags=re.M)
    found = zip(parts[1::2], parts[2::2], strict=True)
    return {section: set(re.findall(r"`([^`]+)`", body)) for section, body in found}
