"""The reference: what the log of one partition must come to, reckoned from all its facts at once.

Written from docs/rules.md and with no part of `ledger` but its record: two that share their code
agree about nothing. Slow is allowed here, clever is not. Instants and lengths are microseconds.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.events import (
    CheckedIn,
    CheckedOut,
    ClockTicked,
    EvaluationSubmitted,
    HoursGranted,
    SessionVoided,
)
from schemas.times import DAY, MINUTE
from tests.model_catalogue import Place, Registry, minutes_by_date
from tests.model_spans import Answer, Entry, Settled, Story, policy_of, tell

Name = tuple[str, str]
"""A span: "session" or "grant", and its id."""

END_OF_LOG = 2**62


class Share(NamedTuple):
    """All that a line says apart from its minutes."""

    volunteer_id: str
    session_id: str | None
    grant_id: str | None
    place: Place
    service_date: int
    kind: str
    state: str
    policy: str


@dataclass
class Truth:
    """What must be so. `parts` are the effective stretches of time of each volunteer."""

    minutes: dict[Share, int] = field(default_factory=dict)
    answers: dict[int, set[Answer]] = field(default_factory=dict)
    tick_reasons: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    parts: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def balances(self) -> dict[str, int]:
        """Volunteer -> effective minutes, those with 0 left out."""
        sums: Counter[str] = Counter()
        for share, minutes in self.minutes.items():
            sums[share.volunteer_id] += minutes if share.state == "effective" else 0
        return {volunteer_id: minutes for volunteer_id, minutes in sums.items() if minutes}

    def totals(self, volunteer_id: str) -> dict[tuple[str, str], int]:
        """(kind, state) -> minutes of one volunteer, those with 0 left out."""
        sums: Counter[tuple[str, str]] = Counter()
        for share, minutes in self.minutes.items():
            if share.volunteer_id == volunteer_id:
                sums[share.kind, share.state] += minutes
        return {key: minutes for key, minutes in sums.items() if minutes}


def reckon(entries: Sequence[Entry], registry: Registry, crowded: Collection[int] = ()) -> Truth:
    """The truth about the admitted facts and ticks of one partition.

    `crowded` are the turns of facts refused as `too_many_spans`: that bound protects the ledger
    from broken devices and depends on how it keeps things; the caller checks that it was near.
    """
    truth = Truth()
    ticks = [entry for entry in entries if isinstance(entry.record.event, ClockTicked)]
    facts: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if not isinstance(entry.record.event, ClockTicked):
            facts[entry.record.event.volunteer_id].append(entry)  # type: ignore[union-attr]
    for volunteer_id, own in facts.items():
        _Volunteer(volunteer_id, ticks, registry, truth, crowded).reckon(own)
    return truth


@dataclass
class _Volunteer:
    """The reckoning of one volunteer."""

    volunteer_id: str
    ticks: list[Entry]
    registry: Registry
    truth: Truth
    crowded: Collection[int]
    stories: dict[Name, Story] = field(default_factory=dict)
    by_day: dict[int, set[Name]] = field(default_factory=lambda: defaultdict(set))

    def reckon(self, entries: list[Entry]) -> None:
        spans: dict[Name, list[Entry]] = defaultdict(list)
        evaluations = []
        for entry in self._first_under_their_id(entries):
            match entry.record.event:
                case _ if entry.turn in self.crowded:
                    self._answer(entry, ("refused", "too_many_spans"))
                case CheckedIn() | CheckedOut() if self._is_too_late(entry):
                    self._answer(entry, ("held", "too_late"))
                case HoursGranted(grant_id=own_id) | SessionVoided(grant_id=str(own_id)):
                    spans["grant", own_id].append(entry)
                case (
                    CheckedIn(session_id=own_id)
                    | CheckedOut(session_id=own_id)
                    | SessionVoided(session_id=str(own_id))
                ):
                    spans["session", own_id].append(entry)
                case EvaluationSubmitted():
                    evaluations.append(entry)
        for name, own in spans.items():
            self._keep(name, tell(name[0], own, self.ticks, self.registry))
        self._say_overlaps()
        self._evaluate(evaluations)
        self._share_out()

    def _answer(self, entry: Entry, permitted: Answer) -> None:
        self.truth.answers[entry.turn] = {permitted}

    def _keep(self, name: Name, story: Story) -> None:
        self.stories[name] = story
        self.truth.answers |= {turn: {answer} for turn, answer in story.answers.items()}
        for turn, reason in story.ticked:
            self.truth.tick_reasons.setdefault((turn, self.volunteer_id), []).append(reason)
        for settled in story.settled:
            self.by_day[settled.start // DAY].add(name)

    def _first_under_their_id(self, entries: list[Entry]) -> Iterator[Entry]:
        """LOG ORDER: the first record under an event_id stands, the others do nothing."""
        stands: dict[str, object] = {}
        for entry in entries:
            event = entry.record.event
            if event.event_id not in stands:
                stands[event.event_id] = event
                yield entry
            elif stands[event.event_id] == event:
                self._answer(entry, ("duplicate", "duplicate_event"))
            else:
                self._answer(entry, ("refused", "event_id_conflict"))

    def _is_too_late(self, entry: Entry) -> bool:
        window = policy_of(entry, self.registry).late_event_window_minutes
        return entry.record.recorded_at - entry.record.event.occurred_at > window * MINUTE

    def _near(self, start: int, end: int) -> list[Name]:
        """Spans that may overlap these times; none with minutes is longer than a day."""
        days = range(start // DAY - 1, end // DAY + 1)
        return [name for day in days for name in self.by_day.get(day, ())]

    def _before(self, name: Name, own: Settled, turn: int) -> list[tuple[int, int]]:
        """The intervals that come before a span when minutes are given out, as of a turn."""
        assert own.end is not None
        intervals = []
        for other in self._near(own.start, own.end):
            there = self.stories[other].as_of(turn)
            if there is None or there.state is None or other == name:
                continue
            if _rank(other, there) < _rank(name, own):
                assert there.end is not None
                intervals.append((there.start, there.end))
        return intervals

    def _say_overlaps(self) -> None:
        """An effective span says whether it was short, or cut by others as they then stood."""
        for name, story in self.stories.items():
            for own in story.settled:
                if own.state != "effective" or own.turn not in self.truth.answers:
                    continue
                assert own.end is not None
                whole = subtract([(own.start, own.end)], ())
                reasons: set[str | None] = set()
                if own.end - own.start < MINUTE:
                    reasons.add("under_a_minute")
                if subtract(whole, self._before(name, own, own.turn)) != whole:
                    reasons.add("overlap_counted_once")
                self.truth.answers[own.turn] = {("posted", r) for r in reasons or {None}}

    def _evaluate(self, evaluations: list[Entry]) -> None:
        """LOG ORDER: who has attended, and who was evaluated, as of the evaluation's turn."""
        done: set[tuple[str, str]] = set()
        for entry in evaluations:
            event = entry.record.event
            assert isinstance(event, EvaluationSubmitted)
            now = [story.as_of(entry.turn) for story in self.stories.values()]
            attended = {s.place.project_id for s in now if s and s.state == "effective"}
            by = (event.project_id, event.evaluator_org_id)
            if event.project_id not in attended:
                self._answer(entry, ("refused", "not_attended"))
            elif by in done:
                self._answer(entry, ("refused", "already_evaluated"))
            else:
                done.add(by)
                self._answer(entry, ("posted", None))

    def _share_out(self) -> None:
        """Every span gets the part of its interval that no earlier one covers, as it stands now."""
        for name, story in self.stories.items():
            own = story.as_of(END_OF_LOG)
            if own is None or own.state is None:
                continue
            assert own.end is not None
            parts = subtract([(own.start, own.end)], self._before(name, own, END_OF_LOG))
            if own.state == "effective":
                self.truth.parts.setdefault(self.volunteer_id, []).extend(parts)
            is_session = name[0] == "session"
            for date, minutes in minutes_by_date(parts, own.offsets).items():
                share = Share(self.volunteer_id, name[1] if is_session else None,
                              None if is_session else name[1], own.place, date,
                              "service" if is_session else "manual", own.state,
                              f"{own.policy.policy_id}@{own.policy.version}")  # fmt: skip
                if minutes:
                    self.truth.minutes[share] = minutes


def _rank(name: Name, own: Settled) -> tuple[bool, int, str, bool]:
    """Who keeps a shared minute: effective first, then by start, id, session before grant."""
    return own.state != "effective", own.start, name[1], name[0] == "grant"


def subtract(
    whole: list[tuple[int, int]], taken: Iterable[tuple[int, int]]
) -> list[tuple[int, int]]:
    """What is left of some intervals when others are taken out; half-open, so touching is free."""
    left = [(a, b) for a, b in whole if a < b]
    for start, end in taken:
        pieces = [((a, min(b, start)), (max(a, end), b)) for a, b in left]
        left = [piece for pair in pieces for piece in pair if piece[0] < piece[1]]
    return left
