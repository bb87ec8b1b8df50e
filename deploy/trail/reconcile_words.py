"""What `shilu reconcile` found, in Chinese. In JSON codes and details stay English."""

import re
from typing import Final

from deploy.lang import language
from deploy.terminal.wording import column, phrases, rephrased, word

_CHECKED: Final = {
    "accounts": "账户", "catalogue": "名册", "checkpoint": "检查点", "event": "事件",
    "line": "明细", "posting": "入账", "quarantine": "隔离", "access_log": "查阅记录",
}  # fmt: skip
_CODES: Final = {
    "account_differs": "账户不符",
    "log_gap": "日志有缺口",
    "log_shorter": "日志变短",
    "state_missing": "缺少分区状态",
    "row_without_record": "审计库多出",
    "row_missing": "审计库缺少",
    "row_doubled": "审计库重复",
    "row_altered": "审计库被改",
    "index_gap": "序号跳号",
    "index_repeat": "序号重复",
    "outcome_missing": "没有结果",
    "outcome_doubled": "结果重复",
    "posting_without_record": "入账没有原件",
    "quarantine_without_record": "隔离没有原件",
}
_DETAILS: Final = phrases(
    (r"offsets (\d+) to (-?\d+) are gone, ledger or trail lack them",
     r"偏移量 \1 至 \2 已消失,台账或审计库没有"),
    (r"offsets before (\d+) are gone, ledger and trail had them",
     r"偏移量 \1 之前的已消失,台账与审计库都有过"),
    (r"the log ends at (\d+), ledger or trail hold it up to (\d+)",
     r"日志到 \1 为止,台账或审计库已到 \2"),
    (r"(\d+) postings, (\d+) accounts, but no state of the partition",
     r"入账 \1 条、账户 \2 个,却没有分区状态"),
    (r"index (\d+), expected (\d+)", r"序号是 \1,应为 \2"),
    (r"(\d+) postings, (\d+) in quarantine", r"入账 \1 条,隔离 \2 条"),
    (r"names an offset where the log has no record", "所指的偏移量处,日志没有记录"),
    (r"the account has postings, the trail has none", "账户有入账,审计库没有"),
    (r"there is no account record", "没有账户记录"),
    (r"the account record is unreadable", "账户记录无法读取"),
    flags=re.S,
)  # fmt: skip
_ROW: Final = re.compile(r"(\w+): (.*)", re.S)
_ROW_DETAILS: Final = phrases(
    (r"not in the log", "日志中没有"),
    (r"in the log, not in the trail", "日志中有,审计库没有"),
    (r"(\d+) times in the trail", r"审计库中有 \1 次"),
)  # fmt: skip
_UNLIKE: Final = re.compile(r"(\w+) (.*?) instead of (.*?)(?=, \w+ .*? instead of |$)", re.S)
_COLUMNS: Final = {
    "recorded_at": "入账时间", "occurred_at": "发生时间", "sent_at": "发送时间", "key": "键",
    "fault": "毛病", "evaluation_id": "评定", "shift_id": "班次", "evaluator_org_id": "评定组织",
    "channel": "渠道", "app": "应用", "offline": "离线", "actor_role": "经办角色",
    "actor_org_id": "经办组织", "approver_id": "批准人", "approver_role": "批准角色",
    "approver_org_id": "批准组织", "evidence": "证据", "posting_index": "入账序号",
    "source_topic": "来源主题", "source_partition": "来源分区", "source_offset": "来源偏移量",
    "event_type": "事件类型", "catalogue_offset": "名册偏移量", "line_count": "明细数",
    "policy": "政策", "detail": "说明", "value_size": "字节数", "entity_id": "对象",
    "category": "类别", "parent_id": "上级", "region": "地区", "policy_id": "政策",
    "version": "版本", "start_on": "首日", "end_on": "末日", "origin": "日志名称",
    "size": "条数", "root": "树根", "note": "签名文本", "asked_at": "查阅时间",
    "asker": "查阅人", "question": "问题", "arguments": "参数", "topic": "主题",
    "partition": "分区", "offset": "偏移量",
}  # fmt: skip
"""Columns of the trail that no other screen names."""
_PARTS: Final = phrases(
    (r"sequence: account (-?\d+), last posting (-?\d+), (\d+) postings",
     r"序号:账户 \1,最后入账 \2,入账 \3 条"),
    (r"minutes: account (-?\d+), last posting (-?\d+), lines (-?\d+)",
     r"分钟:账户 \1,最后入账 \2,明细 \3"),
)  # fmt: skip
_TOTALS: Final = re.compile(r"totals: account (.*), lines (.*)")


def checked_word(name: str) -> str:
    """What was compared."""
    return _CHECKED.get(name, name) if language() == "zh" else name


def difference_word(code: str) -> str:
    """The kind of a difference."""
    return _CODES.get(code, code) if language() == "zh" else code


def detail_in_words(detail: str) -> str:
    """A difference's detail; what is not known stays as it is."""
    if language() != "zh":
        return detail
    if (said := rephrased(detail, _DETAILS)) is not None:
        return said
    if (row := _ROW.fullmatch(detail)) and row[1] in _CHECKED:
        return f"{_CHECKED[row[1]]}:{_row(row[2])}"
    return ";".join(map(_part, detail.split("; ")))


def _row(said: str) -> str:
    if (known := rephrased(said, _ROW_DETAILS)) is not None:
        return known
    unlike = _UNLIKE.findall(said)
    return ",".join(f"{_COLUMNS.get(name) or column(name)}是 {word(held)},应为 {word(right)}"
                     for name, held, right in unlike) or said  # fmt: skip


def _part(said: str) -> str:
    if (known := rephrased(said, _PARTS)) is not None:
        return known
    if found := _TOTALS.fullmatch(said):
        return f"合计:账户 {_totals(found[1])},明细 {_totals(found[2])}"
    return said


def _totals(said: str) -> str:
    if said == "none":
        return "无"
    return re.sub(r"(\w+)/(\w+)", lambda pair: f"{word(pair[1])}/{word(pair[2])}", said)
