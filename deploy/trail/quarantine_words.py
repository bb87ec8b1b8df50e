"""What was found wrong with a quarantined record, in Chinese. In JSON `detail` stays English."""

import re
from typing import Final

from deploy.lang import language
from deploy.terminal.wording import in_words_of, phrases, rephrased, word

_DETAILS: Final = phrases(
    (r"partition (\d+), belongs in (\d+)", r"在分区 \1,应在分区 \2"),
    (r"key (.+), (\w+) (.+)", r"键是 \1,\2 是 \3"),
    (r"(\w+)=(\S+), received (\S+)", r"\1 是 \2,收到于 \3"),
    (r"(\d+) bytes, at most (\d+)", r"\1 字节,至多 \2 字节"),
    (r"the record (.+) would have (\d+) bytes, at most (\d+)",
     r"记录 \1 将有 \2 字节,至多 \3 字节"),
    flags=re.S,
)  # fmt: skip
_TOPIC: Final = re.compile(r"(\w+) on (\S+), belongs on (\S+)")
_FAULT: Final = re.compile(r"([\w.\[\]]+)(?:=(.*))?, allowed: (.*)", re.S)
_SENT_ON: Final = re.compile(r"sent on from (\S+); (.*)", re.S)
_BYTES: Final = re.compile(r"(\w+): (.+)")
_BYTES_SAID: Final = {
    "ends within a number": "在一个数的中间结束",
    "ends within a text": "在一段文字的中间结束",
    "ends within an array": "在一个列表的中间结束",
    "ends before a boolean": "缺一个是否值",
    "a number of more than 64 bits": "超过 64 位的数",
    "a number with leading zeros": "前面多了零的数",
    "a number too large for its type": "超出其类型的数",
    "a boolean that is neither 0 nor 1": "既非 0 也非 1 的是否值",
    "a symbol counted from the end": "从末尾倒数的枚举值",
    "a symbol that the schema does not have": "模式中没有的枚举值",
    "a block with its size in bytes": "带字节数的列表段",
    "an array in several blocks": "分成几段的列表",
    "a branch counted from the end": "从末尾倒数的分支",
    "a branch that the union does not have": "模式中没有的分支",
    "bytes after the end": "末尾之后还有字节",
}


def detail_in_words(detail: str) -> str:
    """The same in the person's language; what is not known stays as it is."""
    return _in_chinese(detail) if language() == "zh" else detail


def _in_chinese(detail: str) -> str:
    if found := _SENT_ON.fullmatch(detail):
        return f"转自 {found[1]};{_in_chinese(found[2])}"
    if found := _TOPIC.fullmatch(detail):
        return f"{word(found[1])}在 {found[2]},应在 {found[3]}"
    if (said := rephrased(detail, _DETAILS)) is not None:
        return said
    if found := _FAULT.fullmatch(detail):
        value = "" if found[2] is None else f" 是 {found[2]}"
        return f"{found[1]}{value}(允许:{in_words_of(found[3])})"
    if (found := _BYTES.fullmatch(detail)) and found[2] in _BYTES_SAID:
        return f"{word(found[1])}:{_BYTES_SAID[found[2]]}"
    return in_words_of(detail)
