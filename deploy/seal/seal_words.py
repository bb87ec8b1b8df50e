"""What `shilu verify` found, in Chinese. In the bundle and in JSON `detail` stays English."""

import re
from typing import Final

from deploy.lang import language
from deploy.terminal.wording import phrases, rephrased

_SAID: Final = phrases(
    (r"(.+) is not in the bundle", r"导出中没有 \1"),
    (r"two signed trees of (\d+) entries: the one you kept, and this one",
     r"\1 条时有两个签过名的树根:您保存的与这里的"),
    (r"two signed trees of (\d+) entries", r"\1 条时有两个签过名的树根"),
    (r"a file has fewer entries than it must", "文件中的条目比应有的少"),
    (r"in (\d+) to (\d+): not the entries sealed at (\d+)",
     r"第 \1 至 \2 条不是封存到第 \3 条时的内容"),
    (r"not the entry sealed at (\d+)", r"不是封存到第 \1 条时的内容"),
    (r"not the entry that the tiles have here", "与哈希砖在此处的不同"),
    (r"you kept a checkpoint of (\d+), the newest here is of (\d+)",
     r"您保存的检查点有 \1 条,这里最新的只有 \2 条"),
    (r"(\d+) entries, (\d+) were sealed", r"现有 \1 条,已封存的是 \2 条"),
    (r"the bytes are not in their one form", "字节不是唯一的写法"),
    (r"the bytes are no (\S+): (.+)", r"字节不是 \1:\2"),
    (r"the bytes are (\S+)", r"字节是 \1"),
    (r"line (\d+): (.+)", r"第 \1 行:\2"),
)  # fmt: skip
# Several of these stand side by side; what a cell holds may be anything, so the rest is kept.
_CELL: Final = re.compile(r"(line (\d+) )?(\w+) (.*) instead of (.*)", re.S)
_COUNT: Final = re.compile(r"(\d+) (\w+) instead of (\d+)")
_NAMES: Final = {
    "minutes": "分钟(minutes)", "state": "状态(state)", "kind": "类别(kind)",
    "service_date": "服务日期(service_date)", "outcome": "结果(outcome)",
    "reason": "原因(reason)", "balance_minutes": "余额(balance_minutes)",
    "lines": "明细",
}  # fmt: skip


def in_chinese(detail: str) -> str:
    """The same, in Chinese; what is not known stays as it is."""
    if (said := rephrased(detail, _SAID)) is not None:
        return said
    return ",".join(map(_column, re.split(r", (?=(?:line \d+ |\d+ )?\w+ .*? instead of )", detail)))


def _column(said: str) -> str:
    if found := _COUNT.fullmatch(said):
        return f"{_NAMES.get(found[2], found[2])}有 {found[1]} 条,封存的有 {found[3]} 条"
    if found := _CELL.fullmatch(said):
        row = f"明细 {found[2]} 的" if found[2] else ""
        return f"{row}{_NAMES.get(found[3], found[3])}是 {found[4]},封存的是 {found[5]}"
    return said


def detail_in_words(detail: str) -> str:
    """A fault's detail in the person's language."""
    return in_chinese(detail) if language() == "zh" else detail
