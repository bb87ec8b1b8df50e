"""Spans of service (sessions and grants): their facts, their state, and the minutes they get.

A span's state follows from its own facts; its minutes also from the spans that come before it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ledger.catalogue import Catalogue, Place, Policy
from schemas.posting import Kind, Line, State
from schemas.times import DAY, MINUTE


@dataclass(slots=True, init=False)
class Span:
    """A session or a grant of one volunteer: [start, end) in UTC microseconds, once both are known.

    `outs` are its check-outs, ascending. `signed` says that a grant has evidence and a second
    person. `state` is None while it credits nothing. `days` are its civil days, (instant from
    which, day number); `minutes` those now in the ledger, (day number, minutes) for each day.
    `day` is the UTC day of the state page it lies in.

    A changed span is a copy that is set before anybody else has it; one that is kept never changes.
    """

    kind: Kind
    id: str
    day: int
    start: int | None
    start_event: str
    place: Place | None
    outs: tuple[int, ...]
    end: int | None
    signed: bool
    voided: bool
    closed: bool
    state: State | None
    reason: str | None
    policy: str
    days: tuple[tuple[int, int], ...]
    minutes: tuple[tuple[int, int], ...]

    def __init__(
        self,
        kind: Kind,
        id: str,
        day: int,
        start: int | None = None,
        start_event: str = "",
        place: Place | None = None,
        outs: tuple[int, ...] = (),
        end: int | None = None,
        signed: bool = True,
        voided: bool = False,
        closed: bool = False,
        state: State | None = None,
        reason: str | None = None,
        policy: str = "",
        days: tuple[tuple[int, int], ...] = (),
        minutes: tuple[tuple[int, int], ...] = (),
    ) -> None:
        self.kind = kind
        self.id = id
        self.day = day
        self.start = start
        self.start_event = start_event
        self.place = place
        self.outs = outs
        self.end = end
        self.signed = signed
        self.voided = voided
        self.closed = closed
        self.state = state
        self.reason = reason
        self.policy = policy
        self.days = days
        self.minutes = minutes

    @property
    def flags(self) -> tuple[bool, bool, bool]:
        """`signed`, `voided` and `closed`, as a state page keeps them."""
        return self.signed, self.voided, self.closed

    def copy(self) -> "Span":
        """One more, to be changed."""
        return Span(
            self.kind,
            self.id,
            self.day,
            self.start,
            self.start_event,
            self.place,
            self.outs,
            self.end,
            self.signed,
            self.voided,
            self.closed,
            self.state,
            self.reason,
            self.policy,
            self.days,
            self.minutes,
        )

    @property
    def key(self) -> str:
        """Its name within the account."""
        return span_key(self.kind, self.id)


def span_key(kind: Kind, span_id: str) -> str:
    """The name of a session or grant within an account; the two kinds do not share ids."""
    return ("g/" if kind == "manual" else "s/") + span_id


def rank(span: Span) -> tuple[bool, int, str, bool]:
    """Who keeps a minute: effective before held, then earlier start, lower id, session first."""
    assert span.start is not None
    return (span.state != "effective", span.start, span.id, span.kind == "manual")


def end_of(start: int | None, outs: Sequence[int]) -> int | None:
    """When a session ends: the earliest check-out at or after its start."""
    if start is not None:
        for out in outs:
            if out >= start:
                return out
    return None


def settled(span: Span, catalogue: Catalogue) -> Span:
    """The span with its state, reason, policy and local days, as its own facts and the catalogue
    have it; minutes are left to `share_of`."""
    new = span.copy()
    place, start, end = span.place, span.start, span.end
    new.state = None
    if span.voided:
        new.reason = "voided"
        return new
    if place is None or start is None or end is None:
        new.reason = None
        return new
    first_day = catalogue.local_day(place.site_id, start)
    found = catalogue.policy(place.project_id, first_day)
    policy = found or catalogue.default_policy(first_day)
    new.state, new.reason = judged(span, end - start, policy)
    if new.reason is None and (found is None or not catalogue.knows(place)):
        new.state, new.reason = "held_review", "unknown_activity"
    new.policy = policy.label
    new.days = () if new.state is None else catalogue.civil_days(place.site_id, start, end)
    return new


def judged(span: Span, micros: int, policy: Policy) -> tuple[State | None, str | None]:
    """State and reason of a span of this length, as far as its policy says."""
    if micros > policy.max_session_minutes * MINUTE:
        return None, "over_max_session"
    if span.kind == "service" and micros > policy.max_open_minutes * MINUTE:
        return "held_review", "over_max_open"
    if not span.signed:
        return "held_org", "no_second_person"
    return "effective", None


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
    """Does a paired span share any time with [low, high)?"""
    assert span.start is not None
    assert span.end is not None
    return span.start < high and span.end > low


def share_of(
    span: Span, covers: Sequence[tuple[int, int]]
) -> tuple[tuple[tuple[int, int], ...], int]:
    """What a span gets of the time that the spans before it do not cover: (day, minutes) by civil
    day, and the microseconds that they keep. One that credits nothing gets and loses nothing."""
    if span.state is None or span.start is None or span.end is None:
        return (), 0
    pieces = list(uncovered(span.start, span.end, covers))
    lost = span.end - span.start - sum(high - low for low, high in pieces)
    return whole_minutes(pieces, span.days), lost


def days_between(low: int, high: int) -> range:
    """The UTC days whose spans can share time with [low, high).

    A span lasts at most a day and lies on the page of its start.
    """
    return range(low // DAY - 1, high // DAY + 1)


def differences(old: Span | None, new: Span) -> Iterator[tuple[Span, int, int]]:
    """What changed in the ledger between two versions of a span: (dimensions of, day, minutes).

    Where only minutes changed, one difference a day; where place, state or policy changed, all of
    the old is taken back and all of the new is given.
    """
    if old is None or not old.minutes:
        for day, minutes in new.minutes:
            if minutes:
                yield new, day, minutes
        return
    was = _by_day(old)
    now = _by_day(new)
    if _dimensions(old) == _dimensions(new):
        for day in sorted(was.keys() | now.keys()):
            if change := now.get(day, 0) - was.get(day, 0):
                yield new, day, change
        return
    for day in sorted(was.keys() | now.keys()):
        if day in was:
            yield old, day, -was[day]
        if day in now:
            yield new, day, now[day]


def _by_day(span: Span) -> dict[int, int]:
    return {day: minutes for day, minutes in span.minutes if minutes}


def _dimensions(span: Span) -> tuple[Place | None, State | None, str]:
    return (span.place, span.state, span.policy)


def line(number: int, span: Span, day: int, minutes: int) -> Line:
    """One line of a posting: a difference under the dimensions of a credited span."""
    place, state = span.place, span.state
    assert place is not None
    assert state is not None
    grant = span.kind == "manual"
    return Line(
        number,
        None if grant else span.id,
        span.id if grant else None,
        place.recording_org_id,
        place.host_org_id,
        place.project_id,
        place.site_id,
        place.activity_id,
        day,
        minutes,
        span.kind,
        state,
        span.policy,
    )
