"""One worked example for each rule: events, and what the ledger says of them, in two languages.

`python -m tests.rule_examples` writes docs/examples/rules.md; a test runs every example anew and
holds the committed page to what came out.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from schemas import times
from schemas.events import Event
from schemas.posting import Posting
from schemas.reasons import REASONS
from schemas.wire.codec import LATEST
from schemas.wire.jsonform import to_json
from tests.drawn.histories import (
    BASICS,
    CHIEF,
    REGULATOR,
    Arrival,
    accept,
    appeal,
    arrival,
    ask,
    cancel,
    check_in,
    check_out,
    claim,
    confirm,
    consent,
    correct,
    decide,
    erase,
    grant,
    hear,
    holidays,
    imported,
    merge,
    operator,
    org,
    policy,
    received,
    register,
    reinstate,
    rerate,
    served,
    shift,
    tick,
    training,
    unmerge,
    void,
    when,
)
from tests.drawn.town import Town
from tests.rule_examples_recognition import HONOURS

PAGE = Path(__file__).parent.parent / "docs" / "examples" / "rules.md"


@dataclass(frozen=True)
class Example:
    """A rule in a sentence of each language, and a small log that shows it."""

    section: str
    zh: str
    en: str
    items: tuple[Event | Arrival, ...]

    @property
    def events(self) -> list[Arrival]:
        """The log after the basics, each event with when it is recorded."""
        return [arrival(item) for item in self.items]

    def postings(self) -> list[Posting]:
        """What the ledger says of it."""
        return self.town().books[0].postings

    def town(self) -> Town:
        """One partition in which it has happened; what accounts hand over comes at once."""
        return Town(1).take([*BASICS, *self.items])


_TIERS = policy("default", 1, tiers=(480, 720))
_AFTERNOON = served(session="s2", start="10:00", end="12:00")

EXAMPLES = (
    Example("2.1", "同一事件只计一次。", "The same event counts once.",
            (*served(), served()[1])),
    Example("2.2", "超过补传期限的只保存,不计。", "What is recorded after the late window is kept "
            "and credits nothing.", (check_in(), received(check_out(), "11:01", "2025-03-08"))),
    Example("2.3", "时钟快了两小时的设备,两端都按差值更正。",
            "A device two hours ahead is corrected at both ends.",
            (received(check_in(at="11:00", sent_at=when("13:30")), "11:30"),
             received(check_out(at="13:00", sent_at=when("13:30")), "11:30"))),
    Example("2.3", "耽搁不是钟慢:两小时后才收到的,按它自己的时刻。",
            "A delay is no slow clock: what comes two hours late counts by its own time.",
            (check_in(sent_at=when("09:00:01")),
             received(check_out(at="12:00", sent_at=when("12:00:01")), "14:00"))),
    Example("2.4", "超过十个工作日(含调休)才录入:照常计入并标记。",
            "Entered after ten working days, make-up days included: it counts and is flagged.",
            (policy("default", 1, calendar="cn"),
             holidays(("2025-10-01", "2025-10-02", "2025-10-03", "2025-10-06", "2025-10-07",
                       "2025-10-08"), ("2025-09-28", "2025-10-11")),
             received(grant(day="2025-09-19"), "10:00", "2025-10-10"),
             received(grant(grant_id="g2", day="2025-09-19", start="13:00", end="14:00"), "10:00",
                      "2025-10-11"))),
    Example("2.5", "已申请删除的人:原有明细保留,不再接收新的。",
            "An erased volunteer keeps the lines and gets no new ones.",
            (*served(), erase("v1"), check_in(session="s2", at="13:00"))),
    Example("3", "最早的签到与其后最早的签退配对,先后到达不论。",
            "The earliest check-in pairs with the earliest check-out after it, in any order.",
            (check_out(at="11:00"), check_in(at="09:10"), check_in(at="09:00"))),
    Example("4", "自报的服务由组织者确认后计入。", "A claim counts once the organiser confirms it.",
            (claim(), confirm(grant_id="c1"))),
    Example("4", "补录需要证据和第二人;缺了由另一人附证据批准。",
            "A backfill needs evidence and a second person; another one approves it with evidence.",
            (grant(approver=None), decide(grant_id="g1", evidence=("sha256:2c",)))),
    Example("4", "谁组织谁记录;站点运营方在其运营期内可记录。",
            "Who organises records; a site's operator may, on its days.",
            (org("vo9"), grant(org="vo9", site="site-a"),
             operator("site-a", "vo9", "2025-03-01", "2025-03-31"),
             grant(grant_id="g2", org="vo9", site="site-a"))),
    Example("4", "不在名单上的人等组织者确认。", "A walk-in waits for the organiser.",
            (shift(), accept("v2"), *served(shift_id="sh1"), confirm(session="s1"))),
    Example("4", "未满 14 岁须监护人同意;同意后自动计入。",
            "Under 14 a guardian must consent; then it counts by itself.",
            (register(born="2012-01"), *served(), consent(), tick("12:00"))),
    Example("4", "制度规定只计班次之内的时间。", "A policy may count only the planned shift.",
            (policy("default", 1, clamp=True), shift(start="09:00", end="12:00"),
             *served(start="08:30", end="12:20", shift_id="sh1"))),
    Example("4", "制度规定不足班次六成的不计。",
            "A policy may credit nothing below 60 % of the shift.",
            (policy("default", 1, ratio=60), shift(start="09:00", end="12:00"),
             *served(start="09:00", end="10:00", shift_id="sh1"))),
    Example("4", "班次取消,已服务的照计。", "What was served in a cancelled shift counts.",
            (shift(), check_in(shift_id="sh1"), cancel(), check_out(shift_id="sh1"))),
    Example("5", "重叠的时间只计一次,先开始的保留。",
            "Shared time counts once; who started first keeps it.", (*served(), *_AFTERNOON)),
    Example("5", "一天超过 8 小时的一段整段待组织批准。",
            "The piece that passes 8 hours a day waits whole for the organisation.",
            (_TIERS, *served(start="08:00", end="15:00"),
             *served(session="s2", start="18:00", end="20:00"), decide(session="s2"))),
    Example("5", "超过 12 小时须省级批准,组织批准不够。",
            "Past 12 hours only the province's approval is enough.",
            (_TIERS, *served(start="06:00", end="18:00"), decide(session="s1"),
             *served(session="s2", start="18:30", end="20:00"),
             decide(session="s2", at="21:00"),
             decide(session="s2", at="21:10", level="province"))),
    Example("5", "没有起止时刻的分钟不占别人的时间,也不能使一天超过 24 小时。",
            "Minutes without times take nobody's time and cannot push a day past 24 hours.",
            (*served(start="00:00", end="11:00"), grant(start="00:00", end="23:00", minutes=800))),
    Example("6", "转入的工时与培训学时各自单列。",
            "Imported hours and learning time are kept apart.",
            (imported(minutes=120), imported(grant_id="i2", at="21:00"), training(minutes=90))),
    Example("7", "作废时,被它占去的分钟回到别人名下;恢复时再取回。",
            "A void gives shared minutes back to others; a reinstatement takes them again.",
            (*served(), *_AFTERNOON, void(session="s1"), reinstate(session="s1"))),
    Example("7", "更正由第二人决定,以补偿行入账。",
            "A correction is decided by a second person and posted as compensating lines.",
            (*served(), ask(session="s1"), correct(session="s1"))),
    Example("7", "申诉由没有参与原决定的人裁决。",
            "An appeal is decided by somebody who had no part in the decision.",
            (*served(), void(session="s1", actor=CHIEF), appeal(session="s1"),
             hear(session="s1", actor=CHIEF), hear(session="s1", actor=REGULATOR, at="20:55"))),
    Example("7", "批准的是当时已有的;后来收到的更早签到等待另一次决定。",
            "An approval approves what was there; an earlier check-in that comes later waits for a "
            "decision of its own.",
            (shift(), accept("v2"), *served(start="13:00", end="14:00", shift_id="sh1"),
             confirm(session="s1", at="20:00"),
             received(check_in(at="12:30", shift_id="sh1", offline=True), "09:00", "2025-03-02"),
             confirm(session="s1", at="10:00", day="2025-03-02"))),
    Example("7", "分级的否决只及于该级暂挂的那一段,不及于当夜的另一天。",
            "A tier's rejection is of the pieces that it holds, not of the night's other day.",
            (policy("default", 1, tiers=(300, 420)), *served(start="08:00", end="13:00"),
             *served(session="s2", start="21:00", end="01:30", end_day="2025-03-02"),
             decide(session="s2", decision="reject", level="province", at="12:00",
                    day="2025-03-03"))),
    Example("8", "超过最长开放时间没有签退:0 分钟,转入复核。",
            "Nobody checked out in time: 0 minutes, put in review.", (check_in(), tick("21:00"))),
    Example("9", "已入账的只有经明确的重算事件才改按新版制度。",
            "What was rated is rated anew only by an explicit event.",
            (*served(start="08:00", end="18:00"), _TIERS, tick("19:00"), rerate(session="s1"))),
    Example("11", "v2 并入 v1:v1 合计,重叠只计一次;发给 v2 的转交;撤销后各归各。",
            "Merged, v1 counts the hours of both, shared time once; events to v2 follow; undone, "
            "each has its own again.",
            (*served(), *served("v2", "s2", "10:00", "12:00"), merge("v2", "v1"), tick("13:00"),
             check_in("v2", "s3", "14:00"), check_out("v2", "s3", "15:00"), unmerge("v2"),
             tick("16:00"))),
    Example("11", "合并前后用了两个登记:签到与签退仍是同一次服务。",
            "Check-in and check-out under two registrations are one session.",
            (check_in("v2"), check_out("v1"), merge("v2", "v1"), tick("12:00"))),
    *(Example(*each) for each in HONOURS),
)  # fmt: skip


def page() -> str:
    """The whole of docs/examples/rules.md."""
    basics = [arrival(event) for event in BASICS]
    return "\n".join((
        "# 每条规则一个例子 · One example for each rule", "",
        "由 `python -m tests.rule_examples` 生成,测试逐个重跑;规则见 [rules.md](../rules.md)。",
        "Written by `python -m tests.rule_examples`; a test runs each anew. The rules: "
        "[rules.md](../rules.md).", "",
        "每个例子之前都先发布这些(`shilu topics create --timestamps producer` 之后可用 "
        "`shilu emit` 逐行发送)。", "These are published before each example; lines can be sent "
        "with `shilu emit` after `shilu topics create --timestamps producer`.", "",
        *_lines(basics), *(line for number, each in enumerate(EXAMPLES, 1)
                           for line in _section(number, each)),
    ))  # fmt: skip


def _section(number: int, example: Example) -> list[str]:
    return [
        f"## {number}. {example.zh} {example.en}", "", f"规则 rule {example.section}", "",
        *_lines(example.events),
        "| 事件 event | 结果 outcome | 明细 lines | 合计 total |", "|---|---|---|---|",
        *map(_row, example.postings()), "",
    ]  # fmt: skip


def _lines(arrivals: list[Arrival]) -> list[str]:
    return ["```jsonl", *(_json(each) for each in arrivals), "```", ""]


def _json(each: Arrival) -> str:
    """The event as `shilu emit` takes it, defaults left out."""
    event = each.event
    fields = json.loads(LATEST[type(event).__name__].text)["fields"]
    required = {"type", *(field["name"] for field in fields if "default" not in field)}
    shown = {
        name: value
        for name, value in to_json(event).items()
        if name in required
        or (value not in (None, [], False) and (name, value) != ("channel", "api"))
    }
    shown["recorded_at"] = times.rfc3339(each.recorded_at)
    return json.dumps(shown, ensure_ascii=False)


def _row(posting: Posting) -> str:
    said: str = posting.outcome
    if posting.reason is not None:
        reason = REASONS[posting.reason]
        said += f" `{posting.reason}`<br>{reason.zh}<br>{reason.en}"
    lines = "<br>".join(
        f"{line.session_id or line.grant_id} {times.iso_date(line.service_date)} "
        f"{line.minutes:+d} {line.kind} {line.state} {line.policy}"
        for line in posting.lines
    )
    who = "" if posting.volunteer_id in ("", "v1") else f" ({posting.volunteer_id})"
    return f"| {posting.event_type}{who} | {said} | {lines} | {posting.balance_minutes} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
