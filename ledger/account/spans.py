"""Spans of service (sessions and grants): their facts, their state, and the minutes they get.

A span's state follows from its own facts; its minutes also from the spans that come before it, and
on a day of tiers the state of a day's piece from the pieces before it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ledger.account.acts import Act
from ledger.catalogue.catalogue import Place
from schemas.posting import Kind, Line, State
from schemas.times import DAY, MINUTE

Minutes = tuple[tuple[int, int, State], ...]
"""(day number, minutes, state) for each civil day, ascending."""


def end_of(start: int | None, outs: Sequence[int]) -> int | None:
    """When a session ends: the earliest check-out at or after its start."""
    if start is not None:
        for out in outs:
            if out >= start:
                return out
    return None


@dataclass(frozen=True, slots=True)
class Begin:
    """A check-in that says when and where a session began; `heard` is when it was recorded."""

    at: int
    event_id: str
    heard: int
    place: Place | None
    shift_id: str | None


@dataclass(slots=True, init=False)
class Facts:
    """What was said of a span. `start` and `outs` are instants; a grant's end is its only out.

    `minutes` is set for hours without times (a *block*): they lie on the civil day of `start`, or
    on the day number `date` where one was given. `signed` says that it needs no second person any
    more: sessions never do. `requester` is who entered a claim or grant, `row` the row of another
    system that it was imported from.

    Of a session also what was known when: `heard` is when the check-in that it begins with was
    recorded, `outs_heard` when each of `outs` was, and `begins` are the check-ins that it began
    with before an earlier one came (`ledger.account.heard`).

    As with spans, what is kept never changes; a changed one is a copy.
    """

    start: int | None
    start_event: str
    place: Place | None
    shift_id: str | None
    outs: tuple[int, ...]
    minutes: int | None
    date: int | None
    signed: bool
    claimed: bool
    requester: str
    acts: tuple[Act, ...]
    row: str
    heard: int
    outs_heard: tuple[int, ...]
    begins: tuple[Begin, ...]

    def __init__(
        self,
        start: int | None = None,
        start_event: str = "",
        place: Place | None = None,
        shift_id: str | None = None,
        outs: tuple[int, ...] = (),
        minutes: int | None = None,
        date: int | None = None,
        signed: bool = True,
        claimed: bool = False,
        requester: str = "",
        acts: tuple[Act, ...] = (),
        row: str = "",
        heard: int = 0,
        outs_heard: tuple[int, ...] = (),
        begins: tuple[Begin, ...] = (),
    ) -> None:
        self.start = start
        self.start_event = start_event
        self.place = place
        self.shift_id = shift_id
        self.outs = outs
        self.minutes = minutes
        self.date = date
        self.signed = signed
        self.claimed = claimed
        self.requester = requester
        self.acts = acts
        self.row = row
        self.heard = heard
        self.outs_heard = outs_heard
        self.begins = begins

    def values(self) -> tuple[object, ...]:
        """Its fields in order."""
        return (
            self.start,
            self.start_event,
            self.place,
            self.shift_id,
            self.outs,
            self.minutes,
            self.date,
            self.signed,
            self.claimed,
            self.requester,
            self.acts,
            self.row,
            self.heard,
            self.outs_heard,
            self.begins,
        )

    @property
    def end(self) -> int | None:
        """The earliest check-out at or after the start."""
        return end_of(self.start, self.outs)

    def copy(self) -> "Facts":
        """One more, to be changed."""
        return Facts(
            self.start,
            self.start_event,
            self.place,
            self.shift_id,
            self.outs,
            self.minutes,
            self.date,
            self.signed,
            self.claimed,
            self.requester,
            self.acts,
            self.row,
            self.heard,
            self.outs_heard,
            self.begins,
        )


NO_FACTS = Facts()


@dataclass(slots=True, init=False)
class Part:
    """What an absorbed registration handed over of a session or grant with the same id."""

    origin: str
    kind: Kind
    facts: Facts

    def __init__(self, origin: str, kind: Kind, facts: Facts) -> None:
        self.origin = origin
        self.kind = kind
        self.facts = facts


@dataclass(slots=True, init=False)
class Span:
    """A session or a grant of one volunteer: its facts and what follows from them.

    `low` to `high` is the interval that counts, `place` and `line_kind` what its lines say; these
    may be a correction's. `state` is None while it credits nothing. `days` are its civil days,
    (instant from which, day number); `minutes` those now in the ledger. `approved` is the level
    whose tier is released, `withheld` are those that rejected what their tier holds. `day` is the
    UTC day of the state page it lies in. `facts` are this account's own; `parts` those of
    registrations it absorbed, by origin (`ledger.account.parts` joins them).

    A changed span is a copy that is set before anybody else has it; one that is kept never changes.
    """

    kind: Kind
    id: str
    day: int
    facts: Facts
    closed: bool
    state: State | None
    reason: str | None
    policy: str
    place: Place | None
    low: int
    high: int
    block: bool
    corrected: bool
    approved: int
    days: tuple[tuple[int, int], ...]
    minutes: Minutes
    parts: tuple[Part, ...]
    withheld: tuple[int, ...]

    def __init__(
        self,
        kind: Kind,
        id: str,
        day: int,
        facts: Facts = NO_FACTS,
        closed: bool = False,
        state: State | None = None,
        reason: str | None = None,
        policy: str = "",
        place: Place | None = None,
        low: int = 0,
        high: int = 0,
        block: bool = False,
        corrected: bool = False,
        approved: int = 0,
        days: tuple[tuple[int, int], ...] = (),
        minutes: Minutes = (),
        parts: tuple[Part, ...] = (),
        withheld: tuple[int, ...] = (),
    ) -> None:
        self.kind = kind
        self.id = id
        self.day = day
        self.facts = facts
        self.closed = closed
        self.state = state
        self.reason = reason
        self.policy = policy
        self.place = place
        self.low = low
        self.high = high
        self.block = block
        self.corrected = corrected
        self.approved = approved
        self.days = days
        self.minutes = minutes
        self.parts = parts
        self.withheld = withheld

    def copy(self) -> "Span":
        """One more, to be changed."""
        return Span(
            self.kind,
            self.id,
            self.day,
            self.facts,
            self.closed,
            self.state,
            self.reason,
            self.policy,
            self.place,
            self.low,
            self.high,
            self.block,
            self.corrected,
            self.approved,
            self.days,
            self.minutes,
            self.parts,
            self.withheld,
        )

    @property
    def key(self) -> str:
        """Its name within the account."""
        return span_key(self.kind, self.id)

    @property
    def moved_to(self) -> Place | None:
        """The place that counts, where it is not that of its facts; so a state page keeps it."""
        own = self.facts.place
        return None if self.place is own or self.place == own else self.place

    @property
    def line_kind(self) -> Kind:
        """What its lines are: a corrected session's minutes are what people said."""
        return "manual" if self.corrected and self.kind == "service" else self.kind


def span_key(kind: Kind, span_id: str) -> str:
    """The name of a session or grant within an account; the two kinds do not share ids."""
    return ("s/" if kind == "service" else "g/") + span_id


def rank(span: Span) -> tuple[int, int, str, bool]:
    """Who keeps a minute: effective before held before rejected, then earlier start, lower id,
    session first."""
    order = 0 if span.state == "effective" else 2 if span.state == "rejected" else 1
    return (order, span.low, span.id, span.kind != "service")


def uncovered(start: int, end: int, covers: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The pieces of [start, end) that none of the covers, ascending and disjoint, holds.

    Touching is no overlap.
    """
    at = start
    for low, high in covers[bisect_right(covers, start, key=_end) :]:
        if low >= end:
            break
        if low > at:
            yield (at, low)
        at = high
    if at < end:
        yield (at, end)


def joined(covers: Sequence[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    """The covers with [start, end) added, still ascending and disjoint."""
    first = bisect_left(covers, start, key=_end)
    last = bisect_right(covers, end, key=_begin)
    met = covers[first:last]
    if met:
        start, end = min(start, met[0][0]), max(end, met[-1][1])
    return [*covers[:first], (start, end), *covers[last:]]


def _begin(cover: tuple[int, int]) -> int:
    return cover[0]


def _end(cover: tuple[int, int]) -> int:
    return cover[1]


def whole_minutes(
    pieces: Iterable[tuple[int, int]], days: tuple[tuple[int, int], ...]
) -> tuple[tuple[int, int], ...]:
    """Pieces of time -> (day, whole minutes) for each civil day, floored once for the whole span.

    Each day gets what the floor of the time so far has grown by, so the days always sum to the
    floor of the whole (Order 67 article 7 fixes no rounding; the policy is ours).
    """
    if len(days) == 1:
        return ((days[0][1], sum([high - low for low, high in pieces]) // MINUTE),)
    micros = dict.fromkeys(sorted(day for _, day in days), 0)
    ends = [at for at, _ in days[1:]]
    for low, high in pieces:
        for (_, day), until in zip(days, [*ends, high], strict=True):
            if low < until:
                micros[day] += min(high, until) - low
                low = min(high, until)
    minutes, so_far, given = [], 0, 0
    for day, part in micros.items():
        so_far += part
        minutes.append((day, so_far // MINUTE - given))
        given = so_far // MINUTE
    return tuple(minutes)


def overlap(span: Span, low: int, high: int) -> bool:
    """Does what counts of a span share any time with [low, high)?"""
    return span.low < high and span.high > low


def share_of(
    span: Span, covers: Sequence[tuple[int, int]]
) -> tuple[tuple[tuple[int, int], ...], int]:
    """What a span gets of the time that the spans before it do not cover: (day, minutes) by civil
    day, and the microseconds that they keep."""
    pieces = list(uncovered(span.low, span.high, covers))
    lost = span.high - span.low - sum(high - low for low, high in pieces)
    return whole_minutes(pieces, span.days), lost


def days_between(low: int, high: int) -> range:
    """The UTC days whose spans can share time with [low, high), or a civil day as blocks.

    A span lasts at most a day and lies on the page of its start. A block lies on the page of its
    civil day, which is at most one away from the UTC day.
    """
    return range(low // DAY - 1, high // DAY + 2)


def differences(old: Span | None, new: Span) -> Iterator[tuple[Span, int, int, State]]:
    """What changed in the ledger between two versions of a span: (dimensions of, day, minutes,
    state).

    Where only minutes changed, one difference a day; where place, state or policy changed, all of
    the old is taken back and all of the new is given.
    """
    if old is None or not old.minutes:
        for day, minutes, state in new.minutes:
            if minutes:
                yield new, day, minutes, state
        return
    was = _by_day(old)
    now = _by_day(new)
    same = _dimensions(old) == _dimensions(new)
    for day in sorted(was.keys() | now.keys()):
        before, after = was.get(day), now.get(day)
        if same and before and after and before[1] == after[1]:
            if after[0] != before[0]:
                yield new, day, after[0] - before[0], after[1]
            continue
        if before:
            yield old, day, -before[0], before[1]
        if after:
            yield new, day, after[0], after[1]


def _by_day(span: Span) -> dict[int, tuple[int, State]]:
    return {day: (minutes, state) for day, minutes, state in span.minutes if minutes}


def _dimensions(span: Span) -> tuple[Place | None, str, Kind]:
    return (span.place, span.policy, span.line_kind)


def line(number: int, span: Span, day: int, minutes: int, state: State) -> Line:
    """One line of a posting: a difference under the dimensions of a credited span."""
    place = span.place
    assert place is not None
    session = span.kind == "service"
    return Line(
        number,
        span.id if session else None,
        None if session else span.id,
        place.recording_org_id,
        place.host_org_id,
        place.project_id,
        place.site_id,
        place.activity_id,
        day,
        minutes,
        span.line_kind,
        state,
        span.policy,
    )
