"""Answers fit the screen: at any width no line is too long, no id is cut, nothing is left out."""

import io
import random
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from deploy.terminal.tables import bar, folded, table, wrapped

UUID = "0195599f-cdc0-7000-8000-000000000016"
SENTENCE = "超过最长开放时间仍未签退,已按 0 分钟关闭并转入复核:请补签退或申请更正。"
EVENTS = "CorrectionRequested / CorrectionDecided"
WIDTHS = (60, 72, 80, 100, 120, 140, 200)


def printed(drawn: object, columns: int, *, terminal: bool = True) -> list[str]:
    out = io.StringIO()
    console = Console(
        file=out, width=columns, highlight=False, markup=False, force_terminal=terminal,
        color_system=None,
    )  # fmt: skip
    console.print(drawn, soft_wrap=not terminal)
    return out.getvalue().splitlines()


def exceptions() -> object:
    """The widest table there is: a word, a code, numbers, a sentence, events."""
    columns = ("结果", "原因", ">条数", "", "说明", "谁决定,用什么事件")
    rows = [("暂缓", "awaiting_check_in", 240, bar(240, 240), SENTENCE, EVENTS),
            ("隔离", UUID, 7, bar(7, 240), SENTENCE, "")]  # fmt: skip
    return table("等待中", columns, rows)


@pytest.mark.parametrize("columns", WIDTHS)
def test_no_line_is_wider_than_the_screen_and_no_id_is_cut(columns: int) -> None:
    lines = printed(exceptions(), columns)
    assert max(map(cell_len, lines)) <= columns
    for whole in ("awaiting_check_in", UUID, "240", "CorrectionRequested", "CorrectionDecided"):
        assert any(whole in line for line in lines), f"{whole} at {columns}:\n" + "\n".join(lines)


@pytest.mark.parametrize("columns", WIDTHS)
def test_every_sentence_is_there_whole_at_any_width(columns: int) -> None:
    lines = printed(table("", ("原因", "说明"), [(UUID, SENTENCE)]), columns)
    assert sorted(re.sub(r"[^\u4e00-\u9fff]", "", "".join(lines))) == sorted(
        re.sub(r"[^\u4e00-\u9fff]", "", SENTENCE + "原因说明")
    )


def test_bars_are_the_first_that_go_and_a_wide_screen_shows_all() -> None:
    rows = [("sw1", "第1社会工作服务中心", "1684小时57分", bar(3, 3), "582", "442")]
    drawn = table("", ("记录组织", "名称", ">时长", "", ">人次", ">人数"), rows)
    wide, narrow = printed(drawn, 100), printed(drawn, 76)
    assert any("█" in line for line in wide)
    assert not any("█" in line for line in narrow)
    assert any("第1社会工作服务中心" in line and "582" in line for line in narrow)


def test_where_ids_alone_are_too_wide_each_row_is_a_paragraph_with_its_heads() -> None:
    drawn = table("最近", ("志愿者", "事件", "来源"), [(UUID, UUID, "service.checkins/4/1975")] * 2)
    lines = printed(drawn, 80)
    assert lines[0] == "最近"
    assert [line for line in lines if line.startswith("· ")] == [f"· 志愿者:{UUID}"] * 2 or [
        line for line in lines if line.startswith("· ")
    ] == [f"· 志愿者: {UUID}"] * 2
    assert max(map(cell_len, lines)) <= 80


def test_a_line_that_is_too_long_goes_on_further_in_and_breaks_between_its_parts() -> None:
    said = f"✘ 1. EvaluationSubmitted {UUID}  退回  0小时0分 → 0小时0分"
    assert printed(folded(said), 74) == [
        f"✘ 1. EvaluationSubmitted {UUID}  退回", "    0小时0分 → 0小时0分"
    ]  # fmt: skip
    assert printed(folded(said), 120) == [said]
    assert printed(folded(said), 40, terminal=False) == [said], "in a pipe a line stays a line"
    assert printed(folded("    经办 u-1  发生 2025-03-06T15:00:00+08:00"), 36) == [
        "    经办 u-1", "        发生", "        2025-03-06T15:00:00+08:00"
    ]  # fmt: skip


def test_any_text_is_wrapped_to_any_width_without_loss() -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for _ in range(2_000):
        said = "".join(dice.choice("ab-/_,。:、 )签退时长") for _ in range(dice.randrange(80)))
        columns = dice.randrange(2, 40)
        lines = wrapped(said, columns)
        assert all(cell_len(line) <= columns for line in lines), (said, columns)
        assert "".join(lines).replace(" ", "") == said.replace(" ", ""), (said, columns)


@pytest.mark.parametrize("columns", range(8, 60))
def test_no_line_begins_with_a_mark_that_ends_a_clause(columns: int) -> None:
    assert not [line for line in wrapped(SENTENCE, columns) if line[0] in ",.:;,。:;、"]


def test_a_value_from_the_log_moves_no_cursor_in_any_form() -> None:
    drawn = table("", ("志愿者", "说明"), [(f"{UUID}\x1b[2J", SENTENCE)])
    for columns in WIDTHS:
        assert "\x1b" not in "\n".join(printed(drawn, columns))
