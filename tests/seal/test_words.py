"""What verify found is said in Chinese to who reads Chinese, whatever it was."""

import re
from pathlib import Path

import pytest

from consumers.bundle import file_check, verify
from deploy.seal.seal_words import detail_in_words, in_chinese

CELLS = (
    ("line 0 minutes 231 instead of 171", "明细 0 的分钟(minutes)是 231,封存的是 171"),
    ("outcome held instead of posted, line 1 state effective instead of held_org",
     "结果(outcome)是 held,封存的是 posted,明细 1 的状态(state)是 effective,封存的是 held_org"),
    ("2 lines instead of 3", "明细有 2 条,封存的有 3 条"),
    ("11 entries, 12 were sealed", "现有 11 条,已封存的是 12 条"),
    ("in 4 to 9: not the entries sealed at 10", "第 4 至 9 条不是封存到第 10 条时的内容"),
)  # fmt: skip


@pytest.mark.parametrize(("english", "chinese"), CELLS)
def test_a_detail_is_said_in_chinese(english: str, chinese: str) -> None:
    assert in_chinese(english) == chinese


def details() -> list[str]:
    """Every sentence that verify and leaves may give as a detail, with 7 for what they fill in."""
    found = []
    for module in (verify, file_check):
        source = Path(str(module.__file__)).read_text("utf-8")
        for said in re.findall(r'f?"([^"\n]*)"', source):
            filled = re.sub(r"\{[^{}]*\}", "7", said)
            if re.search(r"not the entr|two signed trees|were sealed|you kept a|fewer entries|"
                         r"not in the bundle|instead of|the bytes are", filled):  # fmt: skip
                found.append(filled)
    return found


def test_no_sentence_of_the_verifier_is_left_in_english() -> None:
    said = details()
    assert len(said) >= 11
    left = {one: in_chinese(one) for one in said
            if re.search(r"\b(not|the|of|instead|sealed|kept)\b", in_chinese(one))}  # fmt: skip
    assert not left


def test_what_a_cell_holds_stays_as_it_is_and_english_readers_get_english(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = "reason not_attended instead of grant_exists"
    assert in_chinese(said) == "原因(reason)是 not_attended,封存的是 grant_exists"
    monkeypatch.setenv("SHILU_LANG", "en")
    assert detail_in_words(said) == said
    monkeypatch.setenv("SHILU_LANG", "zh")
    assert detail_in_words("something new") == "something new"
