"""The screens of `reconcile`, `status` and the reading commands say no code in Chinese."""

import re
from pathlib import Path
from typing import Any

import pytest

from consumers.trail.rows import TABLES
from deploy.stack.standing_view import show_standing
from deploy.terminal.wording import reason_word
from deploy.trail.figures_view import show_exceptions
from deploy.trail.quarantine_words import detail_in_words as found_in_words
from deploy.trail.reconcile_words import checked_word, detail_in_words, difference_word
from deploy.trail.report_view import show_report
from schemas.reasons import REASONS

ROOT = Path(__file__).parents[2]
RECONCILE = ROOT / "consumers" / "reconcile"
_CODE = re.compile(r"\b[a-z]{3,}(?:_[a-z]+)*\b")
_ALLOWED = re.compile(
    r"(?:service|ledger|registry)\.\w+(/\d+)*|\bworker-1\b|\btrail\b|\bsealer\b|\bv-\w+|\be-\w+"
    r"|\bg-\w+|shilu [\w-]+"
)


@pytest.fixture(autouse=True)
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHILU_LANG", "zh")
    monkeypatch.setenv("COLUMNS", "200")


def codes(said: str) -> list[str]:
    return _CODE.findall(_ALLOWED.sub("", said))


def test_every_kind_of_difference_and_its_detail_has_chinese_words() -> None:
    sources = "".join(
        (RECONCILE / f"{name}.py").read_text("utf-8")
        for name in ("trail_diff", "account_diff", "outcomes", "reconcile")
    )
    found = set(re.findall(r'Difference\(\s*"(\w+)"', sources))
    found |= set(re.findall(r'\bcode(?:, detail)? = "(\w+)"', sources))
    found |= {"index_gap", "index_repeat", "posting_without_record", "quarantine_without_record"}
    assert len(found) == 14, found
    assert not [code for code in found if codes(difference_word(code))]
    for name in ("accounts", "catalogue", "checkpoint", "event", "line", "posting", "quarantine"):
        assert not codes(checked_word(name))
    for detail in (
        "offsets 3 to 4 are gone, ledger or trail lack them",
        "the log ends at 3, ledger or trail hold it up to 4",
        "3 postings, 4 accounts, but no state of the partition",
        "index 3, expected 4", "3 postings, 4 in quarantine",
        "names an offset where the log has no record", "there is no account record",
        "the account has postings, the trail has none", "the account record is unreadable",
        "line: not in the log", "event: in the log, not in the trail",
        "posting: 2 times in the trail", "line: minutes 60 instead of 30, state held_org instead "
        "of effective", "sequence: account 1, last posting 2, 3 postings; minutes: account 1, last "
        "posting 2, lines 3; totals: account service/effective 60, lines none",
    ):  # fmt: skip
        assert not codes(detail_in_words(detail)), detail_in_words(detail)


def test_every_column_of_the_trail_has_a_chinese_name() -> None:
    for table, schema in TABLES.items():
        for name in schema.names:
            said = detail_in_words(f"{table}: {name} 3 instead of 4")
            assert re.fullmatch("[\u4e00-\u9fff]+:[\u4e00-\u9fff]+是 3,应为 4", said), said


def test_what_was_found_in_a_quarantined_record_is_said_in_chinese() -> None:
    """Fields of an event keep their names: that is what one corrects."""
    binary = (ROOT / "schemas" / "wire" / "binary.py").read_text("utf-8")
    broken = re.findall(r'raise (?:Malformed|NotCanonical)\("(.+?)"\)', binary)
    assert len(broken) > 12, broken
    for detail in (
        *(f"CheckedIn: {said}" for said in broken),
        "CheckedIn on service.hours, belongs on service.checkins",
        "partition 3, belongs in 4",
        "key 'v-1', volunteer_id 'v-2'",
        "5 bytes",
        "17000 bytes, at most 16384",
        "the record v-1 would have 9 bytes, at most 8",
        "occurred_at=2025-03-01T10:00:00+08:00, received 2025-03-01T09:00:00+08:00",
        "sent_at=1, allowed: 2000-01-01 to 2199-12-31",
        "volunteer_id, allowed: no identity number, telephone number or name",
        "sent on from service.checkins/3/4; key 'v-1', volunteer_id 'v-2'",
    ):
        said = re.sub(r"volunteer_id|occurred_at|sent_at", "", found_in_words(detail))
        assert re.search("[\u4e00-\u9fff]", said)
        assert not codes(said), said
    assert found_in_words("nothing known") == "nothing known"


def test_a_reconciliation_says_no_code(capsys: pytest.CaptureFixture[str]) -> None:
    report: dict[str, Any] = {
        "state": "red", "checked": {"accounts": 3, "event": 4, "line": 5, "catalogue": 1},
        "worker_behind": {"service.hours/0": 1}, "trail_behind": {}, "difference_count": 1,
        "open_transactions": {}, "gaps": [],
        "differences": [{"code": "row_altered", "record": "ledger.postings/0/3", "event_id": "e-1",
                         "volunteer_id": "v-1", "detail": "line: minutes 60 instead of 30"}],
    }  # fmt: skip
    show_report(report)
    said = capsys.readouterr().out
    assert "审计库被改" in said
    assert "明细:分钟是 60,应为 30" in said
    assert not codes(said), said


def test_the_status_names_processes_and_faults_in_chinese(
    capsys: pytest.CaptureFixture[str],
) -> None:
    codes_told = ("trail_full", "index_gap")
    hindered = {"faults": [{"code": c, "place": "trail", "detail": "0"} for c in codes_told]}
    found: dict[str, Any] = {
        "kafka": "127.0.0.1:1", "states": {"worker-1": "running", "trail": "red", "sealer": "gone"},
        "services": {"worker-1": {}, "trail": hindered, "sealer": None}, "worker_behind": 0,
        "seal_behind": 0, "has_key": True, "trail_behind": 0, "has_trail": True,
        "missing_topics": [], "without_worker": False, "open_transactions": [], "gaps": [],
        "ahead": [],
    }  # fmt: skip
    show_standing(found)
    said = capsys.readouterr().out
    for words in ("台账进程 worker-1", "审计库 trail", "封存 sealer", "磁盘已满", "序号跳号"):
        assert words in said
    assert not codes(said), said


def test_every_reason_has_a_chinese_word_in_tables(capsys: pytest.CaptureFixture[str]) -> None:
    # Names of fields of an event stay: that is what one corrects.
    assert not [code for code in REASONS if code in reason_word(code)]
    assert all(re.search("[\u4e00-\u9fff]", reason_word(code)) for code in REASONS)
    row: dict[str, Any] = {
        "outcome": "held", "reason": "no_second_person", "count": 2, "waiting": 1, "events": [],
        "zh": REASONS["no_second_person"].zh, "who_zh": "组织者", "who_en": "the organiser",
    }  # fmt: skip
    show_exceptions({"counts": [row], "waiting": [], "rows": [], "quarantined": [],
                     "catalogue": [], "anomalies": []})  # fmt: skip
    said = capsys.readouterr().out
    assert "补录缺少第二人确认或证据" in said
    assert not codes(said), said
