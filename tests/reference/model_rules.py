"""The reference: what the log of one partition must come to, reckoned from all its facts at once.

Written from docs/rules.md and with no part of `ledger` but its record: two that share their code
agree about nothing. Slow is allowed here, clever is not. Instants and lengths are microseconds.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.events import (
    CheckedIn,
    CheckedOut,
    ClockTicked,
    Evaluation,
    HoursClaimed,
    HoursGranted,
    HoursImported,
    PolicyPublished,
    Recognition,
    RecordReplayed,
    TrainingRecorded,
)
from schemas.times import DAY, MINUTE
from tests.reference.model_catalogue import Place, Registry, minutes_by_date
from tests.reference.model_recognition import Honours, Moment
from tests.reference.model_spans import (
    Answer,
    Entry,
    Settled,
    Shape,
    Story,
    is_too_late,
    is_wrong_by_itself,
    said_alike,
    tell,
)

Name = tuple[str, str]
"""A span: "session" or "grant", and its id."""

Row = tuple[str, str]
"""A source system and the hash of one of its rows."""

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
    """What must be so. `parts` are the stretches of time that effective spans got, by volunteer."""

    minutes: dict[Share, int] = field(default_factory=dict)
    answers: dict[int, set[Answer]] = field(default_factory=dict)
    tick_reasons: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    parts: dict[str, dict[Name, list[tuple[int, int]]]] = field(default_factory=dict)
    volunteers: dict[str, "_Volunteer"] = field(default_factory=dict, repr=False)

    def moment(self, volunteer_id: str) -> Moment:
        """What service somebody has at the end of the log."""
        found = self.volunteers.get(volunteer_id)
        return Moment(set(), {}) if found is None else found.moment(END_OF_LOG)

    def balances(self) -> dict[str, int]:
        """Volunteer -> effective minutes, those with 0 left out."""
        sums: Counter[str] = Counter()
        for share, minutes in self.minutes.items():
            counts = share.state == "effective" and share.kind != "training"
            sums[share.volunteer_id] += minutes if counts else 0
        return {volunteer_id: minutes for volunteer_id, minutes in sums.items() if minutes}

    def totals(self, volunteer_id: str) -> dict[tuple[str, str], int]:
        """(kind, state) -> minutes of one volunteer, those with 0 left out."""
        sums: Counter[tuple[str, str]] = Counter()
        for share, minutes in self.minutes.items():
            if share.volunteer_id == volunteer_id:
                sums[share.kind, share.state] += minutes
        return {key: minutes for key, minutes in sums.items() if minutes}


def reckon(
    entries: Sequence[Entry], registry: Registry, crowded: Mapping[int, str] | None = None
) -> Truth:
    """The truth about the admitted facts and ticks of one partition.

    `crowded` are the turns of facts refused for bounds that protect the ledger from broken devices
    and depend on how it keeps things, with the reason; the caller checks that they were near.
    """
    truth = Truth()
    ticks = [entry for entry in entries if isinstance(entry.record.event, ClockTicked)]
    facts: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if not isinstance(entry.record.event, ClockTicked):
            facts[entry.record.event.volunteer_id].append(entry)  # type: ignore[union-attr]
    for volunteer_id, own in facts.items():
        told = _Volunteer(volunteer_id, ticks, registry, truth, crowded or {})
        told.reckon(own)
        truth.volunteers[volunteer_id] = told
    return truth


@dataclass
class _Volunteer:
    """The reckoning of one volunteer."""

    volunteer_id: str
    ticks: list[Entry]
    registry: Registry
    truth: Truth
    crowded: Mapping[int, str]
    stories: dict[Name, Story] = field(default_factory=dict)
    by_day: dict[int, set[Name]] = field(default_factory=lambda: defaultdict(set))

    def reckon(self, entries: list[Entry]) -> None:
        spans: dict[Name, list[Entry]] = defaultdict(list)
        honours = []
        taken: Counter[Row] = Counter()
        came: Counter[tuple[Row, str]] = Counter()
        named: dict[str, Row] = {}
        for entry in self._first_under_their_id(entries):
            event = entry.record.event
            match event:
                case _ if self.registry.erased.of(self.volunteer_id, entry.seen):
                    self._answer(entry, ("refused", "volunteer_erased"))
                case _ if entry.turn in self.crowded:
                    self._answer(entry, ("refused", self.crowded[entry.turn]))
                case CheckedIn() | CheckedOut() if is_too_late(entry, self.registry):
                    self._answer(entry, ("held", "too_late"))
                case CheckedIn() | CheckedOut():
                    spans["session", event.session_id].append(entry)
                case RecordReplayed():
                    self._answer(entry, ("posted", None))
                case _ if isinstance(event, Evaluation | Recognition):
                    honours.append(entry)
                case HoursImported() if named.get(event.grant_id) == (
                    row := (event.source_system, event.row_hash)
                ) and not is_wrong_by_itself(entry, self.volunteer_id, self.registry):
                    self._answer(entry, ("duplicate", "already_imported"))
                case HoursImported() if came[row, event.batch_id] < taken[
                    row
                ] and not is_wrong_by_itself(entry, self.volunteer_id, self.registry):
                    # LOG ORDER: the first event with a row takes it, if it is not refused; of rows
                    # that read alike the n-th of a batch is the n-th of any other.
                    came[row, event.batch_id] += 1
                    self._answer(entry, ("duplicate", "already_imported"))
                case HoursImported():
                    own = [*spans["grant", event.grant_id], entry]
                    spans["grant", event.grant_id] = own
                    told = tell("grant", self.volunteer_id, own, self.ticks, self.registry)
                    if told.answers[entry.turn][0] != "refused":
                        came[row, event.batch_id] += 1
                        taken[row] += 1
                        named[event.grant_id] = row
                case HoursGranted() | HoursClaimed() | TrainingRecorded():
                    spans["grant", event.grant_id].append(entry)
                case _ if event.session_id is not None:  # type: ignore[union-attr]
                    spans["session", str(event.session_id)].append(entry)  # type: ignore[union-attr]
                case _:
                    spans["grant", str(event.grant_id)].append(entry)  # type: ignore[union-attr]
        for name, own in spans.items():
            told = tell(name[0], self.volunteer_id, own, self.ticks, self.registry)
            self._keep(name, told)
        self._say_what_came_of_it()
        self._honour(honours)
        self._share_out()

    def _answer(self, entry: Entry, permitted: Answer) -> None:
        self.truth.answers[entry.turn] = {permitted}

    def _keep(self, name: Name, story: Story) -> None:
        self.stories[name] = story
        self.truth.answers |= {turn: {answer} for turn, answer in story.answers.items()}
        for turn, reason in story.ticked:
            self.truth.tick_reasons.setdefault((turn, self.volunteer_id), []).append(reason)
        for settled in story.settled:
            self.by_day[settled.start // DAY if settled.minutes is None else settled.date].add(name)

    def _first_under_their_id(self, entries: list[Entry]) -> Iterator[Entry]:
        """LOG ORDER: the first record under an event_id stands, the others do nothing."""
        stands: dict[str, object] = {}
        for entry in entries:
            event = entry.record.event
            if event.event_id not in stands:
                stands[event.event_id] = event
                yield entry
            elif said_alike(stands[event.event_id], event):
                self._answer(entry, ("duplicate", "duplicate_event"))
            else:
                self._answer(entry, ("refused", "event_id_conflict"))

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
            if there is None or there.state is None or other == name or there.minutes is not None:
                continue
            if _rank(other, there) < _rank(name, own):
                assert there.end is not None
                intervals.append((there.start, there.end))
        return intervals

    def _minutes(self, name: Name, own: Settled, turn: int) -> dict[int, int]:
        """What a span gets on each local date, as of a turn."""
        if own.minutes is not None:
            return {own.date: own.minutes}
        assert own.end is not None
        parts = subtract([(own.start, own.end)], self._before(name, own, turn))
        return minutes_by_date(parts, own.offsets)

    def _pieces(self, name: Name, own: Settled, turn: int) -> dict[int, tuple[int, str]]:
        """What a span gets on each local date, and in which state, as of a turn."""
        assert own.state is not None
        minutes = self._minutes(name, own, turn)
        if own.state != "effective" or own.kind == "training" or not self._is_watched():
            return {date: (number, own.state) for date, number in minutes.items()}
        return {date: (n, self._state_on(date, name, turn)) for date, n in minutes.items()}

    def _is_watched(self) -> bool:
        """May pieces of a day have states of their own: are there tiers, or hours without times?"""
        tiers = any(
            p.org_tier_minutes or p.province_tier_minutes
            for published in self.registry.policies.values()
            for _, p in published
        )
        return tiers or any(s.minutes for story in self.stories.values() for s in story.settled)

    def _state_on(self, date: int, name: Name, turn: int) -> str:
        """The day's pieces by start, hours without times last: each is held if it, or one before
        it, takes the day past a tier that its approval does not reach."""
        pieces = []
        for other in {n for day in range(date - 3, date + 3) for n in self.by_day.get(day, ())}:
            there = self.stories[other].as_of(turn)
            if there is not None and there.state == "effective" and there.kind != "training":
                minutes = self._minutes(other, there, turn).get(date, 0)
                order = (there.minutes is not None, there.start if there.minutes is None else
                         there.date * DAY, other[1], other[0] == "grant")  # fmt: skip
                pieces.append((order, minutes, other, there))
        served = credited = 0
        for _, minutes, other, there in sorted(pieces, key=lambda piece: piece[0]):
            served += minutes
            state = _tier(there.policy, served, there.shape)
            served -= minutes if state == "rejected" else 0
            if state == "effective" and there.minutes is not None and credited + minutes > 1440:
                state = "held_review"
            credited += minutes if state == "effective" else 0
            if other == name:
                return state
        raise AssertionError(name)

    def _say_what_came_of_it(self) -> None:
        """What a posting says of a span that its fact made effective, as things then stood."""
        for name, story in self.stories.items():
            for own in story.settled:
                answer = self.truth.answers.get(own.turn)
                if answer != {("posted", None)}:
                    continue
                flag = story.flags.get(own.turn)
                if own.state != "effective":
                    self.truth.answers[own.turn] = {("posted", flag)}
                    continue
                states = {s for n, s in self._pieces(name, own, own.turn).values() if n}
                for state, reason in HELD_PIECES.items():
                    if state in states:
                        self.truth.answers[own.turn] = {("held", reason)}
                        break
                else:
                    if "rejected" in states:
                        self.truth.answers[own.turn] = {("posted", "rejected")}
                        continue
                    said = flag or self._length_said(name, own)
                    self.truth.answers[own.turn] = {("posted", said)}

    def _length_said(self, name: Name, own: Settled) -> str | None:
        if own.minutes is not None:
            return None
        assert own.end is not None
        if own.end - own.start < MINUTE:
            return "under_a_minute"
        whole = [(own.start, own.end)]
        is_cut = subtract(whole, self._before(name, own, own.turn)) != whole
        return "overlap_counted_once" if is_cut else None

    def _honour(self, entries: list[Entry]) -> None:
        """LOG ORDER: who has attended and what was earned, as of the entry's turn."""
        told = Honours({self.volunteer_id}, self.registry)
        for entry in entries:
            self._answer(entry, told.answer(entry, lambda turn=entry.turn: self.moment(turn)))  # type: ignore[misc]

    def moment(self, turn: int) -> Moment:
        """What service there is as of a turn."""
        attended, minutes_on = set(), Counter[int]()
        for name, story in self.stories.items():
            own = story.as_of(turn)
            if own is None or own.state != "effective" or own.kind == "training":
                continue
            attended.add(own.place.project_id)
            for day, (minutes, state) in self._pieces(name, own, turn).items():
                minutes_on[day] += minutes if state == "effective" else 0
        return Moment(attended, minutes_on)

    def _share_out(self) -> None:
        """Every span gets the part of its interval that no earlier one covers, as it stands now."""
        for name, story in self.stories.items():
            own = story.as_of(END_OF_LOG)
            if own is None or own.state is None:
                continue
            pieces = self._pieces(name, own, END_OF_LOG)
            if own.state == "effective" and own.minutes is None and own.end is not None:
                parts = subtract([(own.start, own.end)], self._before(name, own, END_OF_LOG))
                self.truth.parts.setdefault(self.volunteer_id, {})[name] = parts
            is_session = name[0] == "session"
            for date, (minutes, state) in pieces.items():
                share = Share(self.volunteer_id, name[1] if is_session else None,
                              None if is_session else name[1], own.place, date, own.kind, state,
                              f"{own.policy.policy_id}@{own.policy.version}")  # fmt: skip
                if minutes:
                    self.truth.minutes[share] = minutes


HELD_PIECES = {
    "held_province": "over_province_tier",
    "held_org": "over_org_tier",
    "held_review": "over_day_cap",
}
"""State of a piece -> what its posting says, the first that there is."""


def _tier(policy: PolicyPublished, served: int, shape: Shape) -> str:
    """The state of a piece with which a day has so many minutes."""
    province, org = policy.province_tier_minutes, policy.org_tier_minutes
    approved, withheld = shape.released, shape.verdict.withheld
    if province is not None and served > province and approved < 3:
        return "rejected" if 3 in withheld else "held_province"
    if org is not None and served > org and approved < 2:
        return "rejected" if 2 in withheld else "held_org"
    return "effective"


def _rank(name: Name, own: Settled) -> tuple[int, int, str, bool]:
    """Who keeps a shared minute: effective, held, rejected; by start, id, session before grant."""
    order = {"effective": 0, "rejected": 2}.get(own.state or "", 1)
    return order, own.start, name[1], name[0] == "grant"


def subtract(
    whole: list[tuple[int, int]], taken: Iterable[tuple[int, int]]
) -> list[tuple[int, int]]:
    """What is left of some intervals when others are taken out; half-open, so touching is free."""
    left = [(a, b) for a, b in whole if a < b]
    for start, end in taken:
        pieces = [((a, min(b, start)), (max(a, end), b)) for a, b in left]
        left = [piece for pair in pieces for piece in pair if piece[0] < piece[1]]
    return left
