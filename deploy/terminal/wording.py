"""What a fault allows, in the language of the person; the contract itself speaks English."""

import re
from typing import Final

from deploy.lang import language, text
from schemas.reasons import REASONS

Phrases = tuple[tuple[re.Pattern[str], str], ...]
"""What is said in English, as patterns, and the same in Chinese with their groups."""


def phrases(*pairs: tuple[str, str], flags: re.RegexFlag = re.NOFLAG) -> Phrases:
    """Pairs of an English pattern and its Chinese."""
    return tuple((re.compile(said, flags), zh) for said, zh in pairs)


def rephrased(said: str, known: Phrases) -> str | None:
    """The Chinese of the first pattern that is all of what is said, None if none is."""
    for pattern, zh in known:
        if found := pattern.fullmatch(said):
            return found.expand(zh)
    return None


_ZH: Final = phrases(
    (r"did you mean (.+)\?", r"是不是 \1?"),
    (r"required", "必填"),
    (r"(\d+) or more", r"不小于 \1"),
    (r"(.+), with offset, not before 2000", r"\1,须带时差,不早于 2000 年"),
    (r"(.+), with offset", r"\1,须带时差"),
    (
        r"'utf-8' codec can't decode byte (\w+) in position (\d+): .+",
        r"第 \2 个字节 \1 不是 UTF-8",
    ),
    (r".+: line \d+ column (\d+) \(char \d+\)", r"从第 \1 列起不是 JSON"),
    (r"a JSON object in UTF-8", "UTF-8 的 JSON 对象"),
    (r"UTF-8, and this looks like GBK: (.+)", r"UTF-8;这里像是 GBK,请运行 \1"),
    (r"a JSON object", "一个 JSON 对象"),
    (r"at most (\d+) bytes a line", r"每行至多 \1 字节"),
    (r"at most (\d+) bytes", r"至多 \1 字节"),
    (r"(\d+) bytes", r"\1 字节"),
    (r"at most (\d+) printable characters", r"至多 \1 个可显示字符"),
    (r"(\d+) to (\d+) printable characters", r"\1 至 \2 个可显示字符"),
    (r"at most (\d+) days", r"至多 \1 天"),
    (r"at most (\d+) stars", r"至多 \1 个星级"),
    (r"at most (\d+)", r"至多 \1 个"),
    (r"(\d+) (?:references|organisations|days|scores|fields|stars|targets)", r"\1 个"),
    (r"(-?\d[\d-]*) to (-?\d[\d-]*)", r"\1 至 \2"),
    (r"a 32-bit whole number|a int|a long", "32 位整数"),
    (r"an object", "一个对象"),
    (r"a list", "一个列表"),
    (r"a string", "文字"),
    (r"a boolean", "true 或 false"),
    (r"bytes as hex", "十六进制字节"),
    (r"(\d+) lower-case hex digits", r"\1 个小写十六进制字符"),
    (r"ascending hours from (\d+) to (\d+)", r"升序的小时数,\1 至 \2"),
    (r"ascending from_at", "按 from_at 升序"),
    (r"not ascending", "不是升序"),
    (r"exactly one of (\w+) and (\w+)", r"\1 与 \2 恰好写一个"),
    (r"service for a session, else another kind", "session 用 service,其他用别的"),
    (r"each field once", "每个字段写一次"),
    (r"no identity number, telephone number or name", "不含身份证号、手机号、姓名"),
    (r"an IANA time zone", "IANA 时区名,例如 Asia/Shanghai"),
    (r"a name", "类型名"),
    (r"until (.+)", r"不晚于 \1"),
    (r"the worker alone writes transfers", "只有处理程序写入"),
)


def in_words_of(said: str) -> str:
    """What is allowed, or what was found, as the person reads it; ids and forms as they are."""
    zh = rephrased(said, _ZH) if language() == "zh" else None
    return said if zh is None else zh


_WORDS: Final = {
    # outcome: what the ledger made of a record
    "posted": "入账",
    "held": "暂缓",
    "duplicate": "重复",
    "refused": "退回",
    "quarantined": "隔离",
    # status: what became of a line that was sent
    "accepted": "已接收",
    "unknown": "未知",
    # state: how the minutes of a line count
    "effective": "有效",
    "held_org": "待组织确认",
    "held_province": "待省级确认",
    "held_review": "待复核",
    "rejected": "已驳回",
    "valid": "有效",
    "pending": "待入账",
    # kind: where minutes come from
    "service": "服务",
    "manual": "补录",
    "import": "转入",
    "training": "培训",
    # who acts
    "volunteer": "志愿者",
    "organiser": "组织者",
    "admin": "管理员",
    "regulator": "主管部门",
    "system": "系统",
    # type of an event
    "CheckedIn": "签到",
    "CheckedOut": "签退",
    "HoursGranted": "补录",
    "HoursClaimed": "申报时长",
    "HoursImported": "转入时长",
    "TrainingRecorded": "登记培训",
    "SessionConfirmed": "确认服务",
    "SessionDenied": "否认服务",
    "HoursDecided": "决定时长",
    "CorrectionRequested": "申请更正",
    "CorrectionDecided": "决定更正",
    "SessionVoided": "作废服务",
    "SessionReinstated": "恢复服务",
    "AppealFiled": "申诉",
    "AppealDecided": "决定申诉",
    "HoursRerated": "重算时长",
    "EvaluationSubmitted": "提交评定",
    "EvaluationRevised": "修改评定",
    "EvaluationWithdrawn": "撤回评定",
    "VolunteerResponded": "志愿者回应",
    "FeedbackDelivered": "告知评定",
    "StarApplied": "申请星级",
    "StarDecided": "决定星级",
    "CommendationAwarded": "表彰",
    "CommendationRevoked": "撤销表彰",
    "PointsRedeemed": "兑换积分",
    "RedemptionReversed": "撤销兑换",
    "CertificateIssued": "出具证明",
    "CertificateRevoked": "撤销证明",
    "RecordReplayed": "重放记录",
    "SpanTransferred": "移交时段",
    "CaseTransferred": "移交事项",
    "FactForwarded": "转送事件",
    "ClockTicked": "时间推进",
    "OrgRegistered": "登记组织",
    "OrgSucceeded": "组织承接",
    "ProjectPublished": "发布项目",
    "ProjectClosed": "结束项目",
    "SitePublished": "发布站点",
    "SiteOperatorAssigned": "指定站点运营方",
    "ShiftScheduled": "排班",
    "ShiftCancelled": "取消班次",
    "ApplicationDecided": "决定报名",
    "AssignmentWithdrawn": "退出班次",
    "NoShowRecorded": "登记缺席",
    "GroupAttendanceRecorded": "登记不记名人头",
    "PolicyPublished": "发布政策",
    "HolidaysPublished": "发布节假日",
    "VolunteerRegistered": "注册志愿者",
    "VolunteerMerged": "合并志愿者",
    "VolunteerUnmerged": "拆分志愿者",
    "VolunteerErased": "遗忘志愿者",
    "GuardianConsentRecorded": "监护人同意",
    "GuardianConsentWithdrawn": "撤回监护人同意",
    "VaultAccessed": "查阅身份库",
}


def word(code: str) -> str:
    """An outcome, status, state, kind, role or type of event as the person reads it; any other
    text as it is."""
    return _WORDS.get(code, code) if language() == "zh" else code


_ORG_KINDS: Final = {
    "social_work": "社会工作", "volunteer": "志愿服务", "community": "社区",
    "government": "机关", "institution": "事业单位", "other": "其他",
}  # fmt: skip


def org_kind_word(kind: str | None) -> str | None:
    """What an organisation is, as the person reads it; another text as it is."""
    return _ORG_KINDS.get(kind, kind) if kind and language() == "zh" else kind


def coded(code: str) -> str:
    """A code in brackets before its sentence; in Chinese the sentence alone: `--json` has both."""
    return "" if language() == "zh" else f"[{code}] "


def reason_word(code: str) -> str:
    """A reason as the person reads it in a table: the first clause of its sentence in Chinese."""
    if language() == "zh" and code in REASONS:
        return re.split(r"[,:;。(]", REASONS[code].zh)[0]
    return code


_COLUMNS: Final = {
    "at": "时间", "since": "自", "start_at": "开始", "end_at": "结束", "event_id": "事件",
    "volunteer_id": "志愿者", "volunteers": "人数", "most_volunteers": "人数最多",
    "actor_id": "经办",
    "actor_ids": "经办", "decider_id": "决定人", "device_id": "设备", "session_id": "服务",
    "grant_id": "补录", "grants": "补录数", "minutes": "分钟", "service_date": "服务日期",
    "recording_org_id": "记录组织", "recording_org_ids": "记录组织",
    "host_org_id": "接待组织", "org_id": "组织", "name": "名称",
    "project_id": "项目", "activity_id": "活动", "site_id": "站点", "reason": "原因",
    "first": "首个", "second": "其次", "grants_of_actor": "其补录数", "the_other_way": "反向",
    "line_no": "行号", "state": "状态", "kind": "种类", "outcome": "结果",
    "balance_minutes": "余额", "sequence": "序号", "type": "类型", "value": "内容",
    "of_all": "占全部", "count": "条数", "days": "天数", "source": "位置",
}  # fmt: skip


def column(field: str) -> str:
    """The head of a column that is named after a field of an answer."""
    return _COLUMNS.get(field, field) if language() == "zh" else field


NAMED: Final = ("org", "host_org", "project", "site")
"""Breakdowns whose keys have names beside them."""
_HEADS: Final = {
    "org": ("记录组织", "organisation"),
    "host_org": ("接待组织", "host"),
    "project": ("项目", "project"),
    "site": ("站点", "site"),
    "activity": ("活动", "activity"),
    "day": ("日期", "day"),
    "month": ("月份", "month"),
    "kind": ("种类", "kind"),
    "state": ("状态", "state"),
    "field": ("服务领域", "field"),
    "region": ("地区", "region"),
    "province": ("省", "province"),
    "city": ("市", "city"),
    "county": ("区县", "county"),
}


def heads(by: str) -> list[str]:
    """The columns of what something is broken down by: with names beside ids."""
    head = text(*_HEADS[by])
    return [head, text("名称", "name")] if by in NAMED else [head]
