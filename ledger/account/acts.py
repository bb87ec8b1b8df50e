"""What people asked for and decided about one span, and what stands after all of it.

Acts are folded in the order in which they happened (`at`, then `event_id`), whatever order they
arrived in; docs/rules.md, section 7, is the specification.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

from ledger.catalogue.catalogue import Place

ORGANISER: Final = 1
ORG: Final = 2
PROVINCE: Final = 3
"""Who decides, ascending: a lower level undoes nothing that a higher one decided."""

ANYWHERE: Final = "*"
SELF: Final = "@"
"""For whom a regulator acts, and a volunteer; no id of an organisation looks like these."""


@dataclass(frozen=True, slots=True)
class Act:
    """One request or decision. `what` is one of: approve, reject, withhold, void, reinstate, ask,
    correct, refuse, appeal, uphold, dismiss, rerate; to withhold is to reject what a tier holds.
    `org` is for whom somebody acts, or ANYWHERE, or SELF. `ref` is the correction, appeal or policy
    it names; `sure` says that it comes with evidence. Only an `ask` has times and a place.
    """

    at: int
    event_id: str
    what: str
    by: str
    org: str
    level: int = ORGANISER
    ref: str = ""
    sure: bool = False
    start: int = 0
    end: int = 0
    place: Place | None = None


def key(act: Act) -> tuple[int, str]:
    """When an act counts."""
    return act.at, act.event_id


def with_act(acts: tuple[Act, ...], act: Act) -> tuple[Act, ...]:
    """The acts with one more, in their order."""
    at = bisect_left(acts, key(act), key=key)
    return (*acts[:at], act, *acts[at:])


Approval = tuple[int, int]
"""When it was given, and the level whose tier it releases."""


@dataclass(slots=True)
class Standing:
    """What stands: `approved` and `rejected` are levels, 0 for not; `withheld` are the levels that
    rejected what their tier holds; `approvals` say what was approved, and when: it is approved as
    it was then. `sure` says that an approval came with evidence; `policy` is the version named by
    a re-rating."""

    voided: bool = False
    approved: int = 0
    rejected: int = 0
    sure: bool = False
    correction: Act | None = None
    policy: str = ""
    withheld: tuple[int, ...] = ()
    approvals: tuple[Approval, ...] = ()

    def same(self, other: "Standing") -> bool:
        """Does the same stand?"""
        return (
            self.voided == other.voided
            and self.approved == other.approved
            and self.rejected == other.rejected
            and self.sure == other.sure
            and self.correction is other.correction
            and self.policy == other.policy
            and self.withheld == other.withheld
        )


class Court:
    """The fold of a span's acts. `barred` names those that do nothing, with the reason code;
    `waiting` those whose request is not known."""

    __slots__ = ("adverse", "appeals", "asks", "barred", "requester", "standing", "waiting")

    def __init__(self, acts: tuple[Act, ...], requester: str) -> None:
        self.requester = requester
        self.standing = Standing()
        self.asks: dict[str, Act] = {}
        self.appeals: dict[str, Act] = {}
        self.adverse: set[str] = set()
        self.barred: dict[str, str] = {}
        self.waiting: set[str] = set()
        for act in acts:
            # A request counts from the first, also for a decision that happened before it.
            if act.what == "ask":
                self.asks.setdefault(act.ref, act)
            elif act.what == "appeal":
                self.appeals.setdefault(act.ref, act)
        for act in acts:
            self._take(act)

    def _take(self, act: Act) -> None:
        now = self.standing
        why: str | None = None
        match act.what:
            case "void":
                now.voided = True
                self.adverse.add(act.by)
            case "reinstate":
                now.voided = False
            case "approve" | "reject" | "withhold":
                why = self._decide(act)
            case "correct" | "refuse":
                why = self._correct(act)
            case "uphold" | "dismiss":
                why = self._hear(act)
            case "rerate":
                now.policy = act.ref
        if why is not None:
            self.barred[act.event_id] = why

    def _decide(self, act: Act) -> str | None:
        now = self.standing
        if act.by == self.requester:
            return "decider_is_requester"
        if act.level < max(0 if act.what == "approve" else _highest(now), now.rejected):
            return "decided_above"
        if act.what == "approve":
            now.rejected = 0
            now.sure = now.sure or act.sure
            self._approve(act)
            return None
        if act.what == "withhold":
            # What a lower level approved stays so; what is withheld follows from the policy.
            now.approvals = tuple([each for each in now.approvals if each[1] < act.level])
            now.approved = min(now.approved, _highest(now))
            now.withheld = tuple(sorted({*now.withheld, act.level}))
        else:
            now.approved = 0
            now.approvals = ()
            now.rejected = act.level
        self.adverse.add(act.by)
        return None

    def _approve(self, act: Act) -> None:
        """What a higher level withheld stays withheld, and what it held as a whole stays held."""
        now = self.standing
        now.withheld = tuple([level for level in now.withheld if level > act.level])
        now.approvals = (*now.approvals, (act.at, act.level))
        if not now.withheld:
            now.approved = max(now.approved, act.level)

    def _correct(self, act: Act) -> str | None:
        ask = self.asks.get(act.ref)
        if ask is None:
            self.waiting.add(act.event_id)
            return None
        if ask.by == act.by:
            return "decider_is_requester"
        if act.what == "correct":
            self.standing.correction = ask
            self._approve(act)
        else:
            self.adverse.add(act.by)
        return None

    def _hear(self, act: Act) -> str | None:
        appeal, now = self.appeals.get(act.ref), self.standing
        if appeal is None:
            self.waiting.add(act.event_id)
            return None
        if appeal.by == act.by:
            return "decider_is_requester"
        if act.by in self.adverse:
            return "same_decider"
        if act.level < max((now.rejected, *now.withheld)):
            return "decided_above"
        if act.what == "uphold":
            now.voided = False
            now.rejected = 0
            now.sure = True
            self._approve(act)
        return None


def _highest(now: Standing) -> int:
    """The highest level that has approved."""
    return max([level for _, level in now.approvals], default=0)
