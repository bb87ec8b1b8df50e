"""A seeded history of a province, as the records that reach the log, in the order they do.

The same plan gives the same bytes. Memory holds one day's schedule, what is still to arrive, and a
byte for each volunteer; not the history.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from random import Random

from producers.ids import RANDOM_BITS, event_id_at
from producers.record import key_of
from producers.simulator.province import (
    PERIOD_DAYS,
    Project,
    Province,
    Shift,
    closed_event,
    found,
    org_event,
    policy_event,
    project_event,
    projects,
    shift_event,
    shifts,
    site_event,
)
from producers.simulator.story import EARLY_MICROS, Told, attend, evaluate, grant
from producers.simulator.trouble import RawRecord, Trouble, raw_record
from schemas.events import CatalogueEvent, ClockTicked, Event, VolunteerRegistered
from schemas.times import DAY, HOUR, MINUTE, SECOND
from schemas.topics import PARTITIONS, TOPIC_OF
from schemas.wire.codec import encode

ARRIVAL_DAYS_MAX = 30
"""So many days after the last simulated one everything has arrived."""

_CHINA_MICROS = 8 * HOUR
_SESSIONS_PER_SHIFT = 12
_RECORDS_PER_SESSION = 2.2 + 1 / _SESSIONS_PER_SHIFT


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate: exactly `events` records over `days` local days from `start_on`.

    `start_on` in days since 1970; `partitions` of service.checkins, each of which gets every tick.
    """

    events: int
    volunteers: int
    days: int
    seed: int
    start_on: int
    partitions: int = PARTITIONS
    hourly_ticks: bool = False
    trouble: Trouble = field(default_factory=Trouble)


@dataclass(frozen=True, slots=True)
class Sending:
    """One record: `partition` None by key, `recorded_at` in microseconds (whole milliseconds).

    `event` is None where the record is no event, or not one that may stand there.
    """

    topic: str
    key: bytes
    value: bytes
    partition: int | None
    recorded_at: int
    event: Event | None


class _Arrivals:
    """What has happened and not arrived yet; takes in exactly so many records."""

    def __init__(self, records: int) -> None:
        self._records = records
        self.taken = 0
        self._heap: list[tuple[int, int, Event | RawRecord, int | None]] = []

    def put(self, at: int, arriving: Event | RawRecord, partition: int | None = None) -> None:
        if self.taken < self._records:
            heapq.heappush(self._heap, (at, self.taken, arriving, partition))
            self.taken += 1

    def until(self, at: int | None = None) -> Iterator[Sending]:
        """Everything that arrives before this instant, in order; all of it for None."""
        while self._heap and (at is None or self._heap[0][0] < at):
            recorded_at, _, arriving, partition = heapq.heappop(self._heap)
            yield _sending(recorded_at, arriving, partition)


class _People:
    """Who takes part: half from the first day, the others one after another; some serve a lot."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._joined = 0
        self._busy_until: dict[int, int] = {}
        self._evaluated: set[tuple[str, str]] = set()

    def join(self, number: int, books: "_Books") -> None:
        """The newcomers of a day; the registrations take at most a twentieth of the records."""
        plan = self._plan
        joined = max(plan.volunteers * (plan.days + number) // (2 * plan.days), 1)
        for index in range(self._joined, min(joined, plan.events // 20)):
            books.enter(_registration(books, self.id_of(index)))
        self._joined = joined
        self._busy_until = {k: end for k, end in self._busy_until.items() if end > books.at}
        if number % PERIOD_DAYS == 0:
            self._evaluated.clear()

    def pick(self, rng: Random, shift: Shift) -> str:
        """Somebody who, if possible, is free; the first to join come by far the most often."""
        for _ in range(8):
            index = int(self._joined * rng.random() ** 2)
            if self._busy_until.get(index, 0) < shift.start_at:
                break
        self._busy_until[index] = shift.end_at + HOUR
        return self.id_of(index)

    def once(self, volunteer_id: str, project_id: str) -> bool:
        """True the first time, so that nobody is evaluated twice in a project."""
        pair = (volunteer_id, project_id)
        if pair in self._evaluated:
            return False
        self._evaluated.add(pair)
        return True

    def id_of(self, index: int) -> str:
        name = f"{self._plan.seed}:{index}".encode()
        return f"v-{blake2b(name, digest_size=8).hexdigest()}"


class _Books:
    """The catalogue's entries of one day, a millisecond apart from dawn on."""

    def __init__(self, rng: Random, arrivals: _Arrivals, dawn: int) -> None:
        self.rng = rng
        self.at = dawn
        self._arrivals = arrivals

    def event_id(self) -> str:
        return event_id_at(self.at // 1000, self.rng.getrandbits(RANDOM_BITS))

    def enter(self, event: CatalogueEvent) -> None:
        self._arrivals.put(self.at, event)
        self.at += 1000


def simulate(plan: Plan) -> Iterator[Sending]:
    """The records in the order of `recorded_at`; lazily."""
    rng = Random(plan.seed)
    arrivals = _Arrivals(plan.events)
    province = found(rng, plan.volunteers)
    people = _People(plan)
    running: tuple[Project, ...] = ()
    # One scheduled shift of each running project, for those who are in two places at once.
    places: dict[str, Shift] = {}
    weights = [_weight(plan.start_on + number) for number in range(plan.days)]
    for number in range(plan.days):
        day = plan.start_on + number
        dawn = _midnight(day) + 5 * MINUTE
        yield from arrivals.until(dawn)
        books = _Books(rng, arrivals, dawn)
        if number == 0:
            _open(books, province)
        if number % PERIOD_DAYS == 0:
            running = projects(rng, province, number // PERIOD_DAYS, day)
            places = {}
            for project in running:
                books.enter(project_event(books.event_id(), project, dawn))
                ended = _ended(plan, project)
                arrivals.put(ended, closed_event(books.event_id(), project, ended))
        people.join(number, books)
        target = plan.events * sum(weights[: number + 1]) // sum(weights)
        sessions = int((target - arrivals.taken) / _RECORDS_PER_SESSION)
        count = max(sessions // _SESSIONS_PER_SHIFT, 1)
        schedule = shifts(rng, running, day, count, plan.trouble.night)
        for shift in schedule:
            books.enter(shift_event(books.event_id(), shift, dawn))
            places[shift.project.id] = shift
        _tick(plan, rng, arrivals, day)
        yield from _serve(plan, rng, arrivals, people, schedule, list(places.values()), target)
    yield from arrivals.until()


def _serve(
    plan: Plan,
    rng: Random,
    arrivals: _Arrivals,
    people: _People,
    schedule: list[Shift],
    places: list[Shift],
    target: int,
) -> Iterator[Sending]:
    """A day's shifts, filled until so many records are taken."""
    begun = arrivals.taken
    for number, shift in enumerate(schedule, start=1):
        yield from arrivals.until(shift.start_at - EARLY_MICROS)
        enough = begun + (target - begun) * number // len(schedule)
        while arrivals.taken < enough:
            for at, event in _services(plan, rng, arrivals, people, places, shift):
                arrivals.put(at, event)
                if rng.random() < plan.trouble.raw:
                    broken = raw_record(rng, event, plan.partitions)
                    arrivals.put(at + rng.randint(1, 60) * SECOND, broken)


def _services(
    plan: Plan,
    rng: Random,
    arrivals: _Arrivals,
    people: _People,
    places: list[Shift],
    shift: Shift,
) -> list[Told]:
    """What one volunteer does in this shift, and perhaps elsewhere at the same time."""
    trouble = plan.trouble
    volunteer_id = people.pick(rng, shift)
    if rng.random() < trouble.grant:
        return grant(rng, trouble, shift, volunteer_id)
    if rng.random() < trouble.walk_in:
        return attend(rng, trouble, _walk_in(rng, arrivals, shift), volunteer_id)
    told = attend(rng, trouble, shift, volunteer_id)
    if rng.random() < trouble.overlap and (other := _elsewhere(rng, places, shift)) is not None:
        told += attend(rng, trouble, other, volunteer_id)
    if rng.random() < trouble.evaluation and people.once(volunteer_id, shift.project.id):
        told.append(evaluate(rng, shift, volunteer_id, _ended(plan, shift.project)))
    return told


def _ended(plan: Plan, project: Project) -> int:
    """When a project is closed: in the night after its last day, or the last simulated one."""
    last = min(project.start_on + PERIOD_DAYS, plan.start_on + plan.days)
    return _midnight(last) + 5 * HOUR


def _elsewhere(rng: Random, places: list[Shift], shift: Shift) -> Shift | None:
    """A scheduled activity that another organisation records, at the times of this shift."""
    recorder = shift.project.recorder
    others = [place for place in places if place.project.recorder != recorder]
    if not others:
        return None
    return replace(rng.choice(others), start_at=shift.start_at, end_at=shift.end_at)


def _walk_in(rng: Random, arrivals: _Arrivals, shift: Shift) -> Shift:
    """An activity that no schedule names today; half of the time one does tomorrow."""
    name = f"{rng.getrandbits(48):012x}"
    unknown = replace(shift, id=f"sh-{name}", activity_id=f"a-{name}")
    if rng.random() < 0.5:
        at = shift.end_at + DAY
        event_id = event_id_at(at // 1000, rng.getrandbits(RANDOM_BITS))
        arrivals.put(at, shift_event(event_id, unknown, at))
    return unknown


def _open(books: _Books, province: Province) -> None:
    books.enter(policy_event(books.event_id(), books.at))
    for org in province.orgs:
        books.enter(org_event(books.event_id(), org, books.at))
    for site in province.sites:
        books.enter(site_event(books.event_id(), site, books.at))


def _registration(books: _Books, volunteer_id: str) -> CatalogueEvent:
    identity = blake2b(volunteer_id.encode(), digest_size=32, person=b"identity").hexdigest()
    region = f"4401{books.rng.randrange(3, 18):02d}"
    return VolunteerRegistered(
        books.event_id(), volunteer_id, identity, None, region, books.at, None
    )


def _tick(plan: Plan, rng: Random, arrivals: _Arrivals, day: int) -> None:
    """The ticks of a day: at 04:00 of the next one, or at every full hour until then."""
    hours = range(5, 29) if plan.hourly_ticks else (28,)
    for hour in hours:
        at = _midnight(day) + hour * HOUR
        event = ClockTicked(event_id_at(at // 1000, rng.getrandbits(RANDOM_BITS)), at)
        for partition in range(plan.partitions):
            arrivals.put(at, event, partition)


def _sending(at: int, arriving: Event | RawRecord, partition: int | None) -> Sending:
    if isinstance(arriving, RawRecord):
        return Sending(arriving.topic, arriving.key, arriving.value, arriving.partition, at, None)
    topic = TOPIC_OF[type(arriving).__name__]
    return Sending(topic, key_of(arriving), encode(arriving), partition, at, arriving)


def _midnight(day: int) -> int:
    """The start of a day in China, in microseconds."""
    return day * DAY - _CHINA_MICROS


def _weight(day: int) -> int:
    """Twice as much happens at weekends; day 0 of 1970 was a Thursday."""
    return 2 if (day + 3) % 7 >= 5 else 1
