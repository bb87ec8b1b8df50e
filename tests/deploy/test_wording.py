"""What a person reads is in their language, and whole."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy.errors import ShiluError
from deploy.terminal.wording import in_words_of, word
from deploy.trail import trail_view
from deploy.trail.trail_check import _no_such_topic
from schemas.posting import Kind, Outcome, State
from schemas.validity import ROLES
from schemas.wire.codec import EVENT_TYPES
from schemas.wire.jsonform import BadEvent, event_from_json

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
def test_every_outcome_state_kind_role_and_type_of_event_has_a_chinese_word() -> None:
    from typing import get_args

    stated = (*get_args(Outcome), *get_args(State), *get_args(Kind), "quarantined", "unknown")
    for code in (*stated, *EVENT_TYPES, *ROLES):
        assert re.fullmatch(r"[\u4e00-\u9fff]+", word(code)), code
    assert trail_view.hours(-125) == "-2小时5分"


def test_a_misspelt_topic_is_named_with_the_nearest() -> None:
    said = _no_such_topic("ledger.posting")
    assert said.en == "There is no topic ledger.posting: did you mean ledger.postings?"
    assert said.zh.endswith("是不是 ledger.postings?")
    assert "service.checkins" in _no_such_topic("zzz").en


@pytest.mark.usefixtures("chinese")
def test_no_time_is_folded_at_80_columns() -> None:
    from deploy.trail.figures_view import show_waiting

    out = io.StringIO()
    shown = Console(file=out, width=80, highlight=False, markup=False)
    row: dict[str, Any] = {
        "reason": "no_second_person", "volunteer_id": "v-5249a89af592057b", "session_id": None,
        "grant_id": "g-0123456789abcdef", "minutes": 125,
        "since": "2025-03-01T08:55:02.374000+08:00",
        "orgs": ["sw1"], "who_zh": "组织者", "who_en": "the organiser",
    }  # fmt: skip
    names: dict[str, Any] = {"org": {"sw1": "朝阳社工站"}, "project": {}, "site": {}}
    show_waiting(shown, [row], {"names": names})
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


_NAMES: dict[str, Any] = {
    "org": {"sw1": "朝阳社工站"}, "project": {"p1": "周末助老"}, "site": {"site-a": "东门"},
}  # fmt: skip
_POSTING: dict[str, Any] = {
    "sequence": 1, "event_type": "HoursGranted", "event_id": "e-1", "outcome": "posted",
    "reason": None, "change_minutes": 90, "balance_minutes": 90,
    "actor": {"id": "m-1", "role": "organiser", "org_id": "sw1"},
    "occurred_at": None, "sent_at": None, "recorded_at": "2025-03-01T08:55:02+08:00",
    "left_out": None, "source": "service.hours/0/1", "record": "ledger.postings/0/1", "index": 1,
    "lines": [{
        "minutes": 90, "service_date": "2025-03-01", "kind": "manual", "state": "effective",
        "session_id": None, "grant_id": "g-1", "recording_org_id": "sw1", "project_id": "p1",
        "activity_id": "a-1", "site_id": "site-a", "policy": "default@1",
    }],
}  # fmt: skip


@pytest.mark.usefixtures("chinese")
def test_a_posting_is_told_in_chinese_with_names_beside_ids_and_no_sentence_is_cut() -> None:
    out = io.StringIO()
    shown = Console(file=out, width=200, highlight=False, markup=False)
    trail_view.show_posting(shown, _POSTING, {"names": _NAMES})
    said = out.getvalue()
    assert "1. 补录 e-1  入账" in said
    assert "m-1/组织者/sw1 朝阳社工站" in said
    assert "sw1 朝阳社工站/p1 周末助老/a-1/site-a 东门" in said
    assert said.count("\n") == 4, said
    assert not re.search(r"[A-Z][a-z]+[A-Z]|organiser", said), said


def test_an_answer_names_what_it_mentions_however_deep() -> None:
    from consumers.questions.facts.naming import names_beside

    def query(sql: str, **values: Any) -> list[dict[str, Any]]:
        assert "FROM catalogue" in sql
        return [{"entity_id": one, "newest": f"name of {one}"} for one in values["ids"]
                if one != "nameless"]  # fmt: skip

    answer = {"postings": [{"lines": [{"recording_org_id": "o1", "project_id": "nameless"}],
                            "actor": {"id": "x", "org_id": "o2"}}],
              "waiting": [{"orgs": ["o3"], "site_id": None}],
              "orgs": [{"org_id": "o4"}]}  # fmt: skip
    assert names_beside(query, answer) == {
        "org": {one: f"name of {one}" for one in ("o1", "o2", "o3", "o4")},
        "project": {}, "site": {},
    }  # fmt: skip
