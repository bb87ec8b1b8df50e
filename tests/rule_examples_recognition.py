"""Worked examples for evaluations and recognition; see `tests.rule_examples`."""

from schemas.events import Event
from schemas.times import DAY
from tests.drawn.histories import Arrival, claim, evaluate, received, served, void, when
from tests.drawn.honours import (
    apply_star,
    certify,
    close,
    commend,
    decide_star,
    deliver,
    recognised_by,
    redeem,
    respond,
    reverse,
    revise,
    revoke,
    take_back,
    uncommend,
)

_RULES = recognised_by()
_FOUR_HOURS = served(start="07:00", end="11:00")

HONOURS: tuple[tuple[str, str, str, tuple[Event | Arrival, ...]], ...] = (
    ("10", "项目结束之后才能评定,且须有有效服务。",
     "A project is evaluated once it has ended, and those alone who served in it.",
     (*served(), evaluate(at="19:00"), close(), evaluate(), evaluate("v2"))),
    ("10", "评定超过十个工作日:照常有效并标记。",
     "Evaluated after ten working days: it stands and is flagged.",
     (*served(), close(), received(evaluate(), "10:00", "2025-03-17"))),
    ("10", "同一组织只有一份评定有效;修改、告知、回应、撤回各是一条事件。",
     "One evaluation of an organisation stands; revision, feedback, answer, withdrawal are events.",
     (*served(), close(), evaluate(), evaluate(at="21:05", evaluation_id="ev-2"), deliver(),
      respond(agrees=False), revise(), take_back(),
      evaluate(at="22:30", evaluation_id="ev-3"))),
    ("12", "星级依次申请,恰好达到即可;申请与授予是两件事。",
     "Stars go in order, reached exactly is reached; application and award are two facts.",
     (_RULES, *_FOUR_HOURS, apply_star(star=2), apply_star(), decide_star(),
      apply_star(star=2, at="14:00"))),
    ("12", "更正后低于门槛,星级不会自动取消,由授予机构重新决定。",
     "A correction below the threshold takes no star away; its granting body decides anew.",
     (_RULES, *_FOUR_HOURS, apply_star(), decide_star(), void(session="s1"),
      decide_star(at="21:00", decision="reject"))),
    ("12", "积分只来自有效分钟;兑换不改变分钟,同一 redemption_id 只扣一次。",
     "Points come from effective minutes alone; redeeming changes no minute and counts once for a "
     "redemption_id.",
     (*_FOUR_HOURS, claim(start="12:00", end="14:00"), redeem(points=4),
      redeem(points=4, event_id="again"), redeem(points=1, case_id="r2"), reverse(),
      redeem(points=1, case_id="r3", at="18:00"))),
    ("12", "兑换后工时作废:积分可为负,补足之前不能再兑换。",
     "Hours voided after points were spent: the balance is negative and nothing can be redeemed.",
     (*_FOUR_HOURS, redeem(points=4), void(session="s1"),
      *served(session="s2", start="12:00", end="16:00"),
      redeem(points=1, case_id="r2", at="21:00"))),
    ("12", "表彰与证明由其机构撤销;撤销先到也不会丢。",
     "Commendations and certificates are taken back by their body; a revocation that comes first "
     "is not lost.",
     (*served(), commend(), uncommend(), revoke(), certify(at=when("19:30") + DAY))),
)  # fmt: skip
"""Section, sentence in each language, log."""
