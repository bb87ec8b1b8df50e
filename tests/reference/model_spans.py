"""The reference's view of one session or grant: what became of it, fact by fact and tick by tick.

Order in the log counts only where docs/rules.md says so; those places are marked LOG ORDER.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any, NamedTuple, get_args

from ledger.account.record import Record
from schemas.events import (
    AppealDecided,
    AppealFiled,
    CheckedIn,
    CheckedOut,
    CorrectionDecided,
    CorrectionRequested,
    Decision,
    HoursClaimed,
    HoursDecided,
    HoursGranted,
    HoursImported,
    HoursRerated,
    PolicyPublished,
    SessionVoided,
    TrainingRecorded,
    UtcOffset,
)
from schemas.times import DAY, MINUTE
from tests.reference.model_catalogue import Place, Registry, civil_date
from tests.reference.model_verdict import Verdict, in_order, objection, verdict_of

Answer = tuple[str, str | None]
"""Outcome and reason of a posting."""

CHECK_OUTS_MAX = 64
ACTS_MAX = 64
DECISIONS = get_args(Decision)
ENTRIES = (HoursGranted, HoursClaimed, HoursImported, TrainingRecorded)
EARLIEST = 10_957 * DAY

HELD = ("changed_after_decision", "over_max_session", "over_max_open", "no_second_person",
        "awaiting_organiser", "not_on_roster", "unknown_activity", "awaiting_policy",
        "recorder_not_organiser", "guardian_consent_missing")  # fmt: skip
WAITING = (
    "unknown_activity",
    "awaiting_policy",
    "recorder_not_organiser",
    "guardian_consent_missing",
)
"""Held until a publication says otherwise."""


class Entry(NamedTuple):
    """An admitted record in log order: its turn, and how many catalogue records came before."""

    turn: int
    seen: int
    record: Record


class Shape(NamedTuple):
    """What the facts of one session or grant say, whatever the order in which they came."""

    start: int | None = None
    end: int | None = None
    place: Place | None = None
    shift_id: str | None = None
    said_by: str = ""
    entered: Any = None
    verdict: Verdict = Verdict()
    seconded: bool = False
    released: int = 0
    seen: tuple[int, int | None, Place, str | None] | None = None

    @property
    def changed(self) -> bool:
        """Did something come after the last approval that would change what was approved?"""
        return self.seen is not None and not self.corrected

    @property
    def counted(self) -> tuple[int, int | None, Place] | None:
        """Start, end and place that count: those of the correction if one was approved."""
        ask = self.verdict.correction
        if ask is not None and not isinstance(self.entered, TrainingRecorded):
            return ask.start_at, ask.end_at, place_of(ask)
        if self.seen is not None:
            return self.seen[:3]
        if self.start is None or self.place is None:
            return None
        return self.start, self.end, self.place

    @property
    def corrected(self) -> bool:
        """Were its times said anew by people?"""
        training = isinstance(self.entered, TrainingRecorded)
        return self.verdict.correction is not None and not training


class Settled(NamedTuple):
    """A span as it stands from a turn on; without a `state` it has no minutes at all.

    `minutes` is set for hours without times, which lie on `date`.
    """

    turn: int
    start: int
    end: int | None
    place: Place
    kind: str
    state: str | None
    reason: str | None
    policy: PolicyPublished
    offsets: tuple[UtcOffset, ...]
    shape: Shape
    facts: tuple[Entry, ...]
    date: int
    minutes: int | None


@dataclass
class Story:
    """A span as it stood from turn to turn, what its facts were answered, what which tick said.

    `flags` is what is worth saying of a fact if nothing graver is.
    """

    settled: list[Settled] = field(default_factory=list)
    answers: dict[int, Answer] = field(default_factory=dict)
    flags: dict[int, str] = field(default_factory=dict)
    ticked: list[tuple[int, str]] = field(default_factory=list)

    def as_of(self, turn: int) -> Settled | None:
        """How the span stands after a turn; None while it has no start."""
        return next((s for s in reversed(self.settled) if s.turn <= turn), None)


def tell(kind: str, who: str, facts: list[Entry], ticks: list[Entry], registry: Registry) -> Story:
    """The story of a "session" or "grant" from all its facts, late and repeated ones left out."""
    story = Story()
    kept = _tell(story, kind, who, facts, registry)
    if kind == "session":
        _give_up(story, kept, who, ticks, registry)
        _close(story, ticks)
    _release(story, kind, who, ticks, registry)
    return story


def place_of(event: Any) -> Place:
    """Where an event says it was."""
    return Place(event.recording_org_id, event.host_org_id, event.project_id, event.site_id,
                 event.activity_id)  # fmt: skip


def said_alike(one: Any, other: Any) -> bool:
    """Do two events under one id say the same? A second try is sent at another time."""
    return bool(replace(one, sent_at=None) == replace(other, sent_at=None))


def moment(entry: Entry, registry: Registry) -> tuple[int, str | None]:
    """When a check-in or check-out was, and what is said of the device's clock."""
    event, received = entry.record.event, entry.record.recorded_at
    assert isinstance(event, CheckedIn | CheckedOut)
    return corrected_clock(event, received, registry, entry.seen)


def corrected_clock(
    event: CheckedIn | CheckedOut, received: int, registry: Registry, seen: int
) -> tuple[int, str | None]:
    """LOG ORDER: by the skew that the policy `default`, as known then, allows."""
    day = received_on(event, received, registry, seen)
    skew = registry.default_policy(day, seen).max_clock_skew_minutes * MINUTE
    if event.sent_at is not None and event.sent_at > received + skew:
        return event.occurred_at + (received - event.sent_at), "clock_corrected"
    late = event.sent_at is not None and received > event.sent_at + skew
    return event.occurred_at, "delayed_or_slow_clock" if late else None


def received_on(event: Any, received: int, registry: Registry, seen: int) -> int:
    """The civil day of a receipt where the service was; China's where no place is named."""
    return civil_date(received, registry.offsets(getattr(event, "site_id", None), seen))


def policy_of(entry: Entry, registry: Registry) -> PolicyPublished:
    """What judges lateness and giving up. LOG ORDER: the policy as known at the fact's turn."""
    event = entry.record.event
    assert isinstance(event, CheckedIn | CheckedOut)
    at, _ = moment(entry, registry)
    day = civil_date(at, registry.offsets(event.site_id, entry.seen))
    return registry.policy(event.project_id, day, entry.seen)[0]


def is_too_late(entry: Entry, registry: Registry) -> bool:
    """Section 2.2."""
    at, _ = moment(entry, registry)
    window = policy_of(entry, registry).late_event_window_minutes
    return at < EARLIEST or entry.record.recorded_at - at > window * MINUTE


def _settle(
    facts: tuple[Entry, ...], entry: Entry, registry: Registry, kind: str, who: str
) -> Settled:
    """The table of section 4. LOG ORDER: by the catalogue as it was known at this turn."""
    shape = shape_of(facts, registry, who, entry.seen)
    assert shape.counted is not None
    start, end, place = shape.counted
    seen, verdict, entered = entry.seen, shape.verdict, shape.entered
    offsets = registry.offsets(place.site_id, seen)
    minutes = None if shape.corrected else getattr(entered, "minutes", None)
    day = civil_date(start, offsets)
    if minutes is not None and not isinstance(entered, HoursGranted):
        day = entered.service_date
    policy, has_policy = registry.policy(place.project_id, day, seen)
    if verdict.policy is not None:
        policy, has_policy = registry.labelled(*verdict.policy, seen) or policy, True
    line_kind = {HoursImported: "import", TrainingRecorded: "training"}.get(type(entered), "manual")
    if kind == "session" and not shape.corrected:
        line_kind = "service"
    shift = None
    shift_id = shape.shift_id if shape.seen is None else shape.seen[3]
    if kind == "session" and not shape.corrected and shift_id is not None:
        shift = registry.shifts.of(shift_id, seen)
    low, high = start, end
    if shift is not None and policy.clamp_to_shift and end is not None:
        low = min(max(start, shift.start_at), end)
        high = max(min(end, shift.end_at), low)
    state: str | None = None
    reason: str | None = None
    if verdict.void:
        reason = "voided"
    elif end is not None:
        length = None if minutes is not None else end - start
        state, reason = _judge(shape, length, place, policy, has_policy, day, start, seen,
                               kind, who, registry)  # fmt: skip
        if state == "effective" and shift is not None and policy.min_ratio_percent is not None:
            assert low is not None
            assert high is not None
            planned = shift.end_at - shift.start_at
            if (high - low) * 100 < policy.min_ratio_percent * planned:
                state, reason = None, "under_min_ratio"
        if state is not None and reason is None and shape.changed:
            reason = "changed_after_decision"
    return Settled(entry.turn, low, high, place, line_kind, state, reason, policy, offsets, shape,
                   facts, day, minutes)  # fmt: skip


def _judge(
    shape: Shape, length: int | None, place: Place, policy: PolicyPublished, has_policy: bool,
    day: int, at: int, seen: int, kind: str, who: str, registry: Registry,
) -> tuple[str | None, str | None]:  # fmt: skip
    """State and reason of a span with both ends that is not void."""
    verdict, entered = shape.verdict, shape.entered
    approved = verdict.approved > 0
    if length is not None and length > policy.max_session_minutes * MINUTE:
        return None, "over_max_session"
    alone = kind == "session" and not approved
    if length is not None and alone and length > policy.max_open_minutes * MINUTE:
        return "held_review", "over_max_open"
    if verdict.rejected or verdict.withheld - set(held_by(policy)):
        return "rejected", "rejected"
    if isinstance(entered, HoursClaimed) and not approved:
        return _whole(verdict, "awaiting_organiser")
    signed = approved and (verdict.evidence or shape.corrected)
    own = isinstance(entered, HoursGranted) and shape.seconded and _is_signed(entered, who)
    if isinstance(entered, HoursGranted) and not signed and not own:
        return _whole(verdict, "no_second_person")
    if not registry.knows(place, day, seen):
        return "held_review", "unknown_activity"
    if not has_policy:
        return "held_review", "awaiting_policy"
    organisers = registry.organisers(place, day, seen)
    by_people = kind == "grant" or shape.corrected
    if by_people and organisers is not None and place.recording_org_id not in organisers:
        return "held_review", "recorder_not_organiser"
    if registry.is_young(who, day, at, policy.consent_age_years, seen):
        return "held_review", "guardian_consent_missing"
    shift_id = shape.shift_id if shape.seen is None else shape.seen[3]
    if alone and registry.walks_in(who, place, shift_id, seen):
        return _whole(verdict, "not_on_roster")
    return "effective", None


def _whole(verdict: Verdict, reason: str) -> tuple[str, str]:
    """What waits for people as a whole is rejected as a whole."""
    return ("rejected", "rejected") if verdict.withheld else ("held_org", reason)


def _is_signed(event: HoursGranted, who: str) -> bool:
    approver = event.approver
    second = approver is not None and approver.id != event.actor.id and approver.id != who
    return second and len(event.evidence) > 0


def _tell(story: Story, kind: str, who: str, facts: list[Entry], registry: Registry) -> list[Entry]:
    """At every turn the shape comes from the whole set of the facts so far; returns those kept."""
    kept: list[Entry] = []
    for entry in facts:
        was = shape_of(kept, registry, who, entry.seen)
        refused = _refusal(entry, kept, was, who, registry)
        if refused is not None:
            story.answers[entry.turn] = ("refused", refused)
            continue
        kept.append(entry)
        now = shape_of(kept, registry, who, entry.seen)
        if now != was and now.counted is not None:
            story.settled.append(_settle(tuple(kept), entry, registry, kind, who))
        settled = story.settled[-1] if story.settled else None
        changed = settled is not None and settled.turn == entry.turn
        story.answers[entry.turn] = _answer(entry, kept, was, now, settled, changed, who, registry)
        if flag := _flag(entry, registry):
            story.flags[entry.turn] = flag
    return kept


def shape_of(facts: Sequence[Entry], registry: Registry, who: str, seen: int) -> Shape:
    """Start is the earliest check-in, end the earliest check-out at or after it; a grant's are its
    own, and the first grant under a grant_id takes it, for good. Only who has a say decides."""
    bare = _bare_shape(facts, registry)
    acts = [e.record.event for e in facts if isinstance(e.record.event, DECISIONS)]
    fit = [act for act in acts if has_a_say(act, bare, acts, who, registry, seen)]
    requester = "" if bare.entered is None else bare.entered.actor.id
    verdict = verdict_of(fit, requester)
    shape = _as_approved(bare._replace(verdict=verdict), facts, registry)
    return shape._replace(verdict=verdict._replace(yes=()))


def _as_approved(shape: Shape, facts: Sequence[Entry], registry: Registry) -> Shape:
    """An approval approves what was recorded by then, or what was first whole after it."""
    given = shape.verdict.yes
    if shape.end is None or shape.corrected or not given:
        return shape._replace(released=max((level for _, level in given), default=0))
    times = sorted({e.record.recorded_at for e in facts})

    def known(until: int) -> tuple[int | None, int | None, Place | None, str | None]:
        told = [e for e in facts if e.record.recorded_at <= until]
        was = _bare_shape(told, registry)
        return was.start, was.end, was.place, was.shift_id

    if shape.entered is not None:
        return shape._replace(released=max(level for _, level in given))
    whole_at = next(at for at in times if known(at)[1] is not None)
    seen = known(max(whole_at, max(at for at, _ in given)))
    levels = [level for at, level in given if known(max(whole_at, at)) == seen]
    now = (shape.start, shape.end, shape.place, shape.shift_id)
    kept = None if seen == now else seen
    return shape._replace(released=max(levels), seen=kept)  # type: ignore[arg-type]


def held_by(policy: PolicyPublished) -> tuple[int, ...]:
    """The levels that a policy gives a tier."""
    tiers = ((2, policy.org_tier_minutes), (3, policy.province_tier_minutes))
    return tuple(level for level, tier in tiers if tier is not None)


def has_a_say(
    act: Any, bare: Shape, acts: Sequence[Any], who: str, registry: Registry, seen: int
) -> bool:
    """May this person act about this service? Of service at an unknown place nothing is known."""
    if act.actor.id == who:
        return True
    places = [] if bare.place is None else [bare.place]
    if isinstance(act, CorrectionRequested):
        places.append(place_of(act))
    if isinstance(act, CorrectionDecided):
        asks = [ask for ask in acts if isinstance(ask, CorrectionRequested)]
        places += [place_of(ask) for ask in asks if ask.correction_id == act.correction_id]
    for place in places:
        at = act.occurred_at if bare.start is None else bare.start
        day = civil_date(at, registry.offsets(place.site_id, seen))
        if not registry.may_decide(act.actor, place, day, seen):
            return False
    return True


def _bare_shape(facts: Sequence[Entry], registry: Registry) -> Shape:
    first_entry = next((e for e in facts if isinstance(e.record.event, ENTRIES)), None)
    if first_entry is not None:
        entered: Any = first_entry.record.event
        start, end = _times(entered)
        where = place_of(entered)
        second = getattr(entered, "approver", None)
        # LOG ORDER: by who was known to speak for the organisation when it came.
        seconded = second is not None and registry.speaks_for(
            second, entered.recording_org_id, first_entry.seen
        )
        return Shape(
            start, end, where, entered.shift_id, entered.event_id, entered, seconded=seconded
        )
    ins = [(moment(e, registry)[0], e.record.event.event_id, e.record.event)
           for e in facts if isinstance(e.record.event, CheckedIn)]  # fmt: skip
    if not ins:
        return Shape()
    begin, event_id, first = min(ins, key=lambda each: each[:2])
    outs = [moment(e, registry)[0] for e in facts if isinstance(e.record.event, CheckedOut)]
    ends = min((out for out in outs if out >= begin), default=None)
    return Shape(begin, ends, place_of(first), first.shift_id, event_id)


def _times(entered: Any) -> tuple[int, int]:
    if isinstance(entered, HoursImported | TrainingRecorded):
        return entered.service_date * DAY, entered.service_date * DAY
    return entered.start_at, entered.end_at


def _refusal(
    entry: Entry, kept: list[Entry], was: Shape, who: str, registry: Registry
) -> str | None:
    """Why a fact is turned away, if it is. LOG ORDER: by what had come before it."""
    event = entry.record.event
    if isinstance(event, CheckedOut):
        outs = {moment(e, registry)[0] for e in kept if isinstance(e.record.event, CheckedOut)}
        full = len(outs | {moment(entry, registry)[0]}) > CHECK_OUTS_MAX
        return "too_many_facts" if full else None
    if isinstance(event, ENTRIES):
        return _entry_refusal(entry, was, who, registry)
    if isinstance(event, DECISIONS):
        return _act_refusal(entry, event, kept, was, who, registry)
    return None


def _entry_refusal(entry: Entry, was: Shape, who: str, registry: Registry) -> str | None:
    event: Any = entry.record.event
    if not isinstance(event, HoursClaimed):
        if event.actor.id == who:
            return "own_hours"
        if not registry.speaks_for(event.actor, event.recording_org_id, entry.seen):
            return "not_for_org"
    start, end = _times(event)
    minutes = getattr(event, "minutes", None)
    if minutes is not None:
        most = 1440
        if isinstance(event, HoursGranted):
            most = min(most, (end - start) // MINUTE)
        if not 1 <= minutes <= most:
            return "minutes_out_of_range"
    if end < start:
        return "end_before_start"
    day = civil_date(start, registry.offsets(event.site_id, entry.seen))
    if isinstance(event, HoursImported | TrainingRecorded):
        day = event.service_date
    organisers = registry.organisers(place_of(event), day, entry.seen)
    if organisers is not None and event.recording_org_id not in organisers:
        return "recorder_not_organiser"
    return "grant_exists" if was.entered is not None else None


def is_wrong_by_itself(entry: Entry, who: str, registry: Registry) -> bool:
    """Is a row refused whether it came before or not?"""
    event: Any = entry.record.event
    speaks = registry.speaks_for(event.actor, event.recording_org_id, entry.seen)
    return event.actor.id == who or not speaks or not 1 <= event.minutes <= 1440


def _act_refusal(
    entry: Entry, event: Any, kept: list[Entry], was: Shape, who: str, registry: Registry
) -> str | None:
    actor = event.actor
    acts = [e.record.event for e in kept if isinstance(e.record.event, DECISIONS)]
    if actor.id == who and not isinstance(event, CorrectionRequested | AppealFiled):
        return "own_hours"
    of_province = isinstance(event, HoursDecided) and event.level == "province"
    if of_province and actor.role != "regulator":
        return "wrong_level"
    if isinstance(event, CorrectionRequested) and event.end_at < event.start_at:
        return "end_before_start"
    if isinstance(event, CorrectionRequested) and isinstance(was.entered, TrainingRecorded):
        return "not_correctable"
    is_rerated = isinstance(event, HoursRerated)
    if is_rerated and registry.labelled(event.policy_id, event.version, entry.seen) is None:
        return "unknown_policy"
    if not has_a_say(event, was, acts, who, registry, entry.seen):
        return "not_authorised"
    if len(acts) >= ACTS_MAX:
        return "too_many_facts"
    requester = "" if was.entered is None else was.entered.actor.id
    fit = [act for act in acts if has_a_say(act, was, acts, who, registry, entry.seen)]
    ordered = in_order([*fit, event])
    number = ordered.index(event)
    objected = objection(ordered, number, requester, _stands_before(ordered, number, requester))
    return None if objected == "waiting" else objected


def _stands_before(ordered: list[Any], number: int, requester: str) -> Verdict:
    """What stands just before a decision, by all that is known."""
    requests = [e for e in ordered[number:] if isinstance(e, CorrectionRequested | AppealFiled)]
    return verdict_of([*ordered[:number], *requests], requester)


def _answer(
    entry: Entry, kept: list[Entry], was: Shape, now: Shape, settled: Settled | None,
    changed: bool, who: str, registry: Registry,
) -> Answer:  # fmt: skip
    """What the posting of one fact says, from the span before and after it."""
    event = entry.record.event
    if isinstance(event, DECISIONS) and was == now:
        return _idle_act(event, kept, now, who, entry, registry)
    if changed:
        assert settled is not None
        if settled.reason is None:
            return ("posted", None)
        return ("held" if settled.reason in HELD else "posted", settled.reason)
    if isinstance(event, DECISIONS):
        return ("posted", "voided") if now.verdict.void else ("held", "awaiting_target")
    if now.verdict.void:
        return ("posted", "voided")
    if isinstance(event, CheckedIn):
        return ("posted", "redundant_check_in")
    assert isinstance(event, CheckedOut)
    if now.start is None:
        return ("held", "awaiting_check_in")
    if moment(entry, registry)[0] < now.start:
        return ("held", "check_out_before_check_in")
    return ("posted", "redundant_check_out")


def _idle_act(
    event: Any, kept: list[Entry], now: Shape, who: str, entry: Entry, registry: Registry
) -> Answer:
    """What is said of a request or decision after which the same stands as before."""
    told = [e.record.event for e in kept if isinstance(e.record.event, DECISIONS)]
    acts = in_order([a for a in told if has_a_say(a, now, told, who, registry, entry.seen)])
    requester = "" if now.entered is None else now.entered.actor.id
    number = acts.index(event)
    stands = _stands_before(acts, number, requester)
    if objection(acts, number, requester, stands) == "waiting":
        return ("held", "awaiting_request")
    match event:
        case CorrectionRequested() | AppealFiled():
            return ("held", "awaiting_decision")
        case CorrectionDecided(decision="reject"):
            return ("posted", "correction_rejected")
        case AppealDecided(decision="reject"):
            return ("posted", "appeal_dismissed")
        case SessionVoided() if now.verdict.void:
            return ("posted", "already_voided")
    if now.start is None and not now.verdict.void:
        return ("held", "awaiting_target")
    return ("posted", "nothing_changed")


def _flag(entry: Entry, registry: Registry) -> str | None:
    """A wrong clock, a late record, a cancelled shift: worth saying, and no reason not to count."""
    event: Any = entry.record.event
    if isinstance(event, CheckedIn | CheckedOut):
        at, clock = moment(entry, registry)
        if clock is not None:
            return clock
        last = at - 1 if isinstance(event, CheckedOut) else at
        day = civil_date(last, registry.offsets(event.site_id, entry.seen))
        policy = policy_of(entry, registry)
    elif isinstance(event, HoursGranted | HoursClaimed | TrainingRecorded):
        start, end = _times(event)
        offsets = registry.offsets(event.site_id, entry.seen)
        # The last day of [start, end) is that of its last instant: who ends at 24:00 ends today.
        first, day = civil_date(start, offsets), civil_date(max(start, end - 1), offsets)
        if isinstance(event, TrainingRecorded):
            first = day = event.service_date
        policy = registry.policy(event.project_id, first, entry.seen)[0]
    else:
        return None
    late = registry.lateness(policy, day, entry.record.recorded_at, entry.seen)
    if late is not None:
        return late
    if event.shift_id and registry.cancelled.of(event.shift_id, entry.seen):
        return "shift_cancelled"
    return None


def _between(ticks: list[Entry], after: int, until: int | None) -> list[Entry]:
    """The ticks after one turn and before another."""
    first = bisect_right(ticks, after, key=lambda tick: tick.turn)
    if until is None:
        return ticks[first:]
    return ticks[first : bisect_left(ticks, until, key=lambda tick: tick.turn)]


def _give_up(
    story: Story, kept: list[Entry], who: str, ticks: list[Entry], registry: Registry
) -> None:
    """Check-outs that wait for a check-in: the first tick that finds one overdue says so, once."""
    due: list[int] = []
    outs: set[int] = set()
    was = Shape()
    for number, entry in enumerate(kept):
        event = entry.record.event
        now = shape_of(kept[: number + 1], registry, who, entry.seen)
        if isinstance(event, CheckedIn):
            return
        idle = now.verdict.void or now.corrected
        if isinstance(event, CheckedOut):
            at = moment(entry, registry)[0]
            window = policy_of(entry, registry).late_event_window_minutes
            if at not in outs and not idle:
                due.append(at + window * MINUTE)
            outs.add(at)
        elif idle and now != was:
            due.clear()
        was = now
        following = kept[number + 1].turn if number + 1 < len(kept) else None
        for tick in _between(ticks, entry.turn, following):
            if due and tick.record.recorded_at >= min(due):
                story.ticked.append((tick.turn, "no_check_in"))
                return


def _close(story: Story, ticks: list[Entry]) -> None:
    """A session left open: the first tick that finds it open too long says so, once."""
    for settled, following in zip_longest(story.settled, story.settled[1:]):
        if settled.end is None and settled.reason is None:
            due = settled.start + settled.policy.max_open_minutes * MINUTE
            for tick in _between(ticks, settled.turn, following and following.turn):
                if tick.record.recorded_at >= due:
                    story.ticked.append((tick.turn, "no_check_out"))
                    return


def _release(story: Story, kind: str, who: str, ticks: list[Entry], registry: Registry) -> None:
    """LOG ORDER: ticks that see something new in the catalogue settle anew what waits for it."""
    number = 0
    while number < len(story.settled):
        settled = story.settled[number]
        following = story.settled[number + 1] if number + 1 < len(story.settled) else None
        number += 1
        if settled.reason not in WAITING:
            continue
        looked_at = -1
        for tick in _between(ticks, settled.turn, following and following.turn):
            if tick.seen == looked_at:
                continue
            looked_at = tick.seen
            now = _settle(settled.facts, tick, registry, kind, who)
            if now.reason != settled.reason:
                story.settled.insert(number, now)
                story.ticked.append((tick.turn, now.reason or "released"))
                break
