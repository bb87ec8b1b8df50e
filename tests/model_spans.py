"""The reference's view of one session or grant: what became of it, fact by fact and tick by tick.

Order in the log counts only where docs/rules.md says so; those places are marked LOG ORDER.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple

from ledger.record import Record
from schemas.events import (
    CheckedIn,
    CheckedOut,
    HoursGranted,
    PolicyPublished,
    SessionVoided,
    UtcOffset,
)
from schemas.times import MINUTE
from tests.model_catalogue import Place, Registry, civil_date

Answer = tuple[str, str | None]
"""Outcome and reason of a posting."""

CHECK_OUTS_MAX = 64


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
    void: bool = False
    signed: bool = True
    check_in: str = ""


class Settled(NamedTuple):
    """A span as it stands from a turn on; without a `state` it has no minutes at all."""

    turn: int
    start: int
    end: int | None
    place: Place
    state: str | None
    answer: Answer
    policy: PolicyPublished
    offsets: tuple[UtcOffset, ...]
    shape: Shape


@dataclass
class Story:
    """A span as it stood from turn to turn, what its facts were answered, what which tick said."""

    settled: list[Settled] = field(default_factory=list)
    answers: dict[int, Answer] = field(default_factory=dict)
    ticked: list[tuple[int, str]] = field(default_factory=list)

    def as_of(self, turn: int) -> Settled | None:
        """How the span stands after a turn; None while it has no start."""
        return next((s for s in reversed(self.settled) if s.turn <= turn), None)


def tell(kind: str, facts: list[Entry], ticks: list[Entry], registry: Registry) -> Story:
    """The story of a "session" or "grant" from all its facts, late and repeated ones left out."""
    story = Story()
    (_tell_session if kind == "session" else _tell_grant)(story, facts, registry)
    if kind == "session":
        _give_up(story, facts, ticks, registry)
        _close(story, ticks)
    _release(story, ticks, registry, kind)
    return story


def policy_of(entry: Entry, registry: Registry) -> PolicyPublished:
    """What judges lateness and giving up. LOG ORDER: the policy as known at the fact's turn."""
    event = entry.record.event
    assert isinstance(event, CheckedIn | CheckedOut)
    day = civil_date(event.occurred_at, registry.offsets(event.site_id, entry.seen))
    return registry.policy(event.project_id, day, entry.seen)[0]


def _settle(shape: Shape, entry: Entry, registry: Registry, kind: str) -> Settled:
    """The table of section 4. LOG ORDER: by the catalogue as it was known at this turn."""
    start, end, place = shape.start, shape.end, shape.place
    assert start is not None
    assert place is not None
    offsets = registry.offsets(place.site_id, entry.seen)
    day = civil_date(start, offsets)
    policy, _ = registry.policy(place.project_id, day, entry.seen)
    length = 0 if end is None else end - start
    state: str | None = None
    answer: Answer = ("posted", None)
    if shape.void:
        answer = ("posted", "voided")
    elif end is None:
        pass
    elif length > policy.max_session_minutes * MINUTE:
        answer = ("held", "over_max_session")
    elif kind == "session" and length > policy.max_open_minutes * MINUTE:
        state, answer = "held_review", ("held", "over_max_open")
    elif not shape.signed:
        state, answer = "held_org", ("held", "no_second_person")
    elif not registry.knows(place, day, entry.seen):
        state, answer = "held_review", ("held", "unknown_activity")
    else:
        state = "effective"
    return Settled(entry.turn, start, end, place, state, answer, policy, offsets, shape)


def _tell_session(story: Story, facts: list[Entry], registry: Registry) -> None:
    """At every turn the session's shape comes from the whole set of its facts so far."""
    kept: list[Entry] = []
    was = Shape()
    for entry in facts:
        shape = _session_shape([*kept, entry])
        if len({e.record.event.occurred_at for e in [*kept, entry] if _is_out(e)}) > CHECK_OUTS_MAX:
            # LOG ORDER: the one too many is refused, whenever it happened.
            story.answers[entry.turn] = ("refused", "too_many_facts")
            continue
        kept.append(entry)
        if shape != was and shape.start is not None:
            story.settled.append(_settle(shape, entry, registry, "session"))
        settled = story.settled[-1] if story.settled else None
        story.answers[entry.turn] = _session_answer(entry.record.event, was, shape, settled)
        was = shape


def _is_out(entry: Entry) -> bool:
    return isinstance(entry.record.event, CheckedOut)


def _place(event: CheckedIn | HoursGranted) -> Place:
    return Place(event.recording_org_id, event.host_org_id, event.project_id, event.site_id,
                 event.activity_id)  # fmt: skip


def _session_shape(facts: list[Entry]) -> Shape:
    """Start is the earliest check-in, end the earliest check-out at or after it."""
    events = [entry.record.event for entry in facts]
    ins = [event for event in events if isinstance(event, CheckedIn)]
    void = any(isinstance(event, SessionVoided) for event in events)
    if not ins:
        return Shape(void=void)
    first = min(ins, key=lambda event: (event.occurred_at, event.event_id))
    outs = [event.occurred_at for event in events if isinstance(event, CheckedOut)]
    end = min((out for out in outs if out >= first.occurred_at), default=None)
    return Shape(first.occurred_at, end, _place(first), void, check_in=first.event_id)


def _session_answer(event: object, was: Shape, now: Shape, settled: Settled | None) -> Answer:
    """What the posting of one fact of a session says, from the session before and after it."""
    if isinstance(event, SessionVoided):
        return ("posted", "already_voided" if was.void else "voided")
    if now.void:
        return ("posted", "voided")
    if isinstance(event, CheckedIn) and was.start is not None and was == now:
        return ("posted", "redundant_check_in")
    if isinstance(event, CheckedOut) and now.start is None:
        return ("held", "awaiting_check_in")
    if isinstance(event, CheckedOut) and now.start is not None:
        if event.occurred_at < now.start:
            return ("held", "check_out_before_check_in")
        if was.end == now.end:
            return ("posted", "redundant_check_out")
    assert settled is not None
    return settled.answer


def _tell_grant(story: Story, facts: list[Entry], registry: Registry) -> None:
    """LOG ORDER: the first grant under a grant_id takes it, for good."""
    shape = Shape()
    for entry in facts:
        event = entry.record.event
        if isinstance(event, SessionVoided):
            story.answers[entry.turn] = ("posted", "already_voided" if shape.void else "voided")
            if shape.void:
                continue
            shape = shape._replace(void=True)
        elif isinstance(event, HoursGranted):
            if event.end_at < event.start_at:
                story.answers[entry.turn] = ("refused", "end_before_start")
                continue
            if shape.start is not None:
                story.answers[entry.turn] = ("refused", "grant_exists")
                continue
            second = event.approver is not None and event.approver.id != event.actor.id
            signed = second and len(event.evidence) > 0
            shape = Shape(event.start_at, event.end_at, _place(event), shape.void, signed)
        if shape.start is not None:
            story.settled.append(_settle(shape, entry, registry, "grant"))
            story.answers[entry.turn] = story.settled[-1].answer


def _between(ticks: list[Entry], after: int, until: int | None) -> list[Entry]:
    """The ticks after one turn and before another."""
    first = bisect_right(ticks, after, key=lambda tick: tick.turn)
    if until is None:
        return ticks[first:]
    return ticks[first : bisect_left(ticks, until, key=lambda tick: tick.turn)]


def _give_up(story: Story, facts: list[Entry], ticks: list[Entry], registry: Registry) -> None:
    """Check-outs that wait for a check-in: the first tick that finds one overdue says so, once."""
    due: list[int] = []
    kept = [e for e in facts if story.answers[e.turn] != ("refused", "too_many_facts")]
    for entry, following in zip_longest(kept, kept[1:]):
        event = entry.record.event
        if not isinstance(event, CheckedOut):
            return
        window = policy_of(entry, registry).late_event_window_minutes
        due.append(event.occurred_at + window * MINUTE)
        for tick in _between(ticks, entry.turn, following and following.turn):
            if tick.record.recorded_at >= min(due):
                story.ticked.append((tick.turn, "no_check_in"))
                return


def _close(story: Story, ticks: list[Entry]) -> None:
    """A session left open: the first tick that finds it open too long says so, once."""
    for settled, following in zip_longest(story.settled, story.settled[1:]):
        if settled.end is None and not settled.shape.void:
            due = settled.start + settled.policy.max_open_minutes * MINUTE
            for tick in _between(ticks, settled.turn, following and following.turn):
                if tick.record.recorded_at >= due:
                    story.ticked.append((tick.turn, "no_check_out"))
                    return


def _release(story: Story, ticks: list[Entry], registry: Registry, kind: str) -> None:
    """LOG ORDER: the first tick that sees an unknown activity in the catalogue settles it anew."""
    for settled, following in list(zip_longest(story.settled, story.settled[1:])):
        if settled.answer[1] != "unknown_activity":
            continue
        looked_at = -1
        for tick in _between(ticks, settled.turn, following and following.turn):
            if tick.seen == looked_at:
                continue
            looked_at = tick.seen
            now = _settle(settled.shape, tick, registry, kind)
            if now.answer[1] != "unknown_activity":
                story.settled.insert(story.settled.index(settled) + 1, now)
                story.ticked.append((tick.turn, now.answer[1] or "released"))
                break
