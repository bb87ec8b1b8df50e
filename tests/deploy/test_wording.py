"""What a person reads is in their language, and whole."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy import trail_view
from deploy.errors import ShiluError
from deploy.trail_check import _no_such_topic
from deploy.wording import in_words_of, word
from schemas.jsonform import BadEvent, event_from_json
from schemas.posting import Kind, Outcome, State

BAD = Path(__file__).parents[2] / "schemas" / "examples" / "bad"
_ENGLISH = re.compile(r"\b(at most|did you|required|with|the|to|of|or|exactly|whole)\b|\ban? ")


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHILU_LANG", "zh")


@pytest.mark.usefixtures("chinese")
def test_what_a_fault_allows_is_said_in_chinese() -> None:
    english = set()
    for path in sorted(BAD.glob("*/*.json")):
        try:
            event_from_json(json.loads(path.read_text("utf-8")))
        except BadEvent as bad:
            english |= {in_words_of(fault.allowed) for fault in bad.faults
                        if _ENGLISH.search(in_words_of(fault.allowed))}  # fmt: skip
    assert not english


@pytest.mark.usefixtures("chinese")
def test_every_outcome_state_and_kind_has_a_chinese_word() -> None:
    from typing import get_args

    for code in (*get_args(Outcome), *get_args(State), *get_args(Kind), "quarantined", "unknown"):
        assert re.fullmatch(r"[\u4e00-\u9fff]+", word(code)), code
    assert trail_view.hours(-125) == "-2小时5分"


def test_a_misspelt_topic_is_named_with_the_nearest() -> None:
    said = _no_such_topic("ledger.posting")
    assert said.en == "There is no topic ledger.posting: did you mean ledger.postings?"
    assert said.zh.endswith("是不是 ledger.postings?")
    assert "service.checkins" in _no_such_topic("zzz").en


@pytest.mark.usefixtures("chinese")
def test_no_time_is_folded_at_80_columns() -> None:
    from deploy.figures_view import show_waiting

    out = io.StringIO()
    shown = Console(file=out, width=80, highlight=False, markup=False)
    row: dict[str, Any] = {
        "reason": "no_second_person", "volunteer_id": "v-5249a89af592057b", "session_id": None,
        "grant_id": "g-0123456789abcdef", "minutes": 125,
        "since": "2025-03-01T08:55:02.374000+08:00",
        "orgs": ["sw1"], "who_zh": "组织者", "who_en": "the organiser",
    }  # fmt: skip
    show_waiting(shown, [row])
    assert "2025-03-01 08:55" in out.getvalue()
    assert "374000" not in out.getvalue()


def test_an_error_says_cause_and_way_out_by_themselves() -> None:
    error = ShiluError("x", "坏了(a:b):请修好。", "Broken (a: b): mend it.", field="f")
    assert error.as_json("zh")["message"] == "坏了(a:b)"
    assert error.as_json("zh")["fix"] == "请修好。"
    assert error.as_json("en") | {} == {
        "code": "x", "field": "f", "message": "Broken (a: b)", "fix": "mend it.",
        "zh": error.zh, "en": error.en,
    }  # fmt: skip
