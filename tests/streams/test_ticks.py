"""A tick looks at whom it may concern and at nobody else, and leaves the ledger the same."""

from collections.abc import Callable, Sequence
from itertools import repeat
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

import ledger.publish
from ledger.account.record import Record
from ledger.catalogue import changes
from ledger.catalogue.catalogue import Catalogue
from ledger.catalogue.changes import Changes
from ledger.publish import publish
from ledger.replay import replay
from schemas.events import Actor, Event
from schemas.posting import PartitionState, Posting
from schemas.times import HOUR, MINUTE
from schemas.topics import CHECKINS
from schemas.wire.codec import decode_output
from streams.partitions.fold_batch import Folded, fold_chunk
from streams.state.accounts import Change, InMemory, Marks, Store, state_key
from tests.drawn.histories import (
    BASICS,
    Arrival,
    ask,
    check_in,
    consent,
    correct,
    decide,
    grant,
    log,
    merge,
    operator,
    org,
    policy,
    project,
    register,
    served,
    shift,
    site,
    succeed,
    tick,
    unmerge,
    void,
    when,
    words,
)
from tests.drawn.strategies import EXAMPLES, LAW
from tests.streams.test_batches import folded, raw

SEED = 20251201
TRIES = 6_000

HEIR = Actor("heir-1", "organiser", "heir")
PLACES: list[dict[str, Any]] = [
    {"project": "p-late"},
    {"project": "p-late", "site": "site-late"},
    {"org": "org-late"},
    {"project": "p-shifts", "activity": "a2"},
    {"project": "p-unruled"},
    {"org": "stranger", "site": "site-a"},
    {},
]
FIRST = (*BASICS, org("stranger"), project("p-shifts"), shift("sh1", "p-shifts", "a1"),
         project("p-unruled", "unruled"))  # fmt: skip
LATER: list[Event] = [
    org("org-late"),
    project("p-late"),
    site("site-late", ("2024-01-01T00:00:00Z", 480)),
    shift("sh2", "p-shifts", "a2"),
    policy("unruled", 1, "2025-01-01"),
    operator("site-a", "stranger"),
    register("v1", "2015-03"),
    register("v2", "2015-03"),
    register("v3"),
    register("v1", "2000-03"),
    consent("v1"),
    consent("v2"),
    merge("v1", "v2"),
    unmerge("v1"),
    merge("v3", "v1"),
    succeed("sw1", "heir"),
    org("vo1", "sw1"),
]

volunteers = st.sampled_from(["v1", "v1", "v2", "v3"])
places = st.sampled_from(PLACES)


@st.composite
def _facts(draw: st.DrawFn, number: int) -> Sequence[Event]:
    """Somebody serves where perhaps nothing is registered, or somebody says something of it."""
    who, place, session = draw(volunteers), draw(places), f"s{draw(st.integers(0, 3))}"
    kind = draw(st.sampled_from(["served", "served", "open", "granted", "void", "moved"]))
    if kind == "served":
        return served(who, session, **place)
    if kind == "open":
        return (
            check_in(who, f"open-{number}", draw(st.sampled_from(["08:00", "09:30"])), **place),
        )
    if kind == "granted":
        return (grant(who, f"g{number}", **place),)
    if kind == "void":
        return (void(who, session, at="19:00", actor=HEIR, event_id=f"void-{number}"),)
    return (
        ask(who, session, start="09:00", end="12:00", correction=f"k{number}", **place),
        correct(who, session, correction=f"k{number}"),
        decide(who, session, decision="approve", event_id=f"decide-{number}"),
    )


@st.composite
def waiting(draw: st.DrawFn, later: Sequence[Event] = LATER) -> list[Arrival]:
    """Facts, publications of these, and ticks between them, as the log has them."""
    found: list[Arrival] = []
    now = when("20:30")
    for number in range(draw(st.integers(2, 9))):
        told = draw(_facts(number)) if draw(st.booleans()) else [draw(st.sampled_from(later))]
        now += draw(st.sampled_from([MINUTE, 3 * HOUR]))
        found += [Arrival(event, now) for event in told]
        if draw(st.integers(0, 2)):
            found.append(Arrival(tick(now + MINUTE), now + MINUTE))
    return found


def goes_wrong(history: list[Arrival]) -> bool:
    """Does the worker post something else than who looks at everybody at every tick?"""
    records = log(*FIRST, *history)
    return folded(records, repeat(3), restarts=False) != replay(records).postings


@settings(LAW, max_examples=EXAMPLES * 2)
@given(waiting(), st.lists(st.integers(1, 5), min_size=1), st.booleans())
def test_to_let_alone_who_waits_for_something_else_changes_no_posting(
    history: list[Arrival], sizes: list[int], restarts: bool
) -> None:
    records = log(*FIRST, *history)
    size_after_size = (sizes[n % len(sizes)] for n in range(10**9))
    assert folded(records, size_after_size, restarts=restarts) == replay(records).postings


def _deaf(*names: str) -> Callable[..., tuple[str, ...]]:
    """Nobody hears of these events."""
    right = changes.changed_by

    def heard(event: Any, people: Any) -> tuple[str, ...]:
        return () if type(event).__name__ in names else right(event, people)

    return heard


PUBLICATIONS = sorted({type(event).__name__ for event in LATER})
BEFORE = {
    "GuardianConsentRecorded": "VolunteerRegistered",
    "VolunteerUnmerged": "VolunteerMerged",
    "SitePublished": "ProjectPublished",
}
"""What must have been published before one of these lets anything count."""


@pytest.mark.skipif(
    not ledger.publish.__file__.endswith(".py"),
    reason="bugs are planted in plain Python; `make test` runs this folder so, too",
)
@pytest.mark.parametrize("name", PUBLICATIONS)
def test_a_tick_that_is_deaf_for_a_publication_is_found_out(name: str) -> None:
    told = [event for event in LATER if type(event).__name__ in (name, BEFORE.get(name))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger.publish, "changed_by", _deaf(name))
        search = settings(
            max_examples=TRIES, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        try:
            history = find(waiting(told), goes_wrong, settings=search, random=Random(SEED))
        except NoSuchExample:
            pytest.fail(f"survived {TRIES} histories of seed {SEED}")
    assert not goes_wrong(history), words(history)


class Counted:
    """Records in memory that count how often they are asked for; compiled classes have no heirs."""

    def __init__(self) -> None:
        self._kept = InMemory()
        self.asked = 0

    @property
    def values(self) -> dict[str, bytes]:
        """Record key -> framed value."""
        return self._kept.values

    def get(self, key: str, /) -> bytes | None:
        """The newest value of a key."""
        self.asked += 1
        return self._kept.get(key)

    def put(self, changes: Sequence[Change], marks: Marks, read_from: int, /) -> None:
        """Take over committed changes."""
        self._kept.put(changes, marks, read_from)


class Partition:
    """A partition as the worker keeps it, record by record."""

    def __init__(self) -> None:
        self.records = Counted()
        self.store = Store(0, self.records)
        self.catalogue = Catalogue()
        self._offsets: dict[str, int] = {}

    def publish(self, *events: Any) -> None:
        """Publish in the catalogue."""
        for event in events:
            assert publish(self.catalogue, event) is None
            self.catalogue.next_offset += 1

    def fold(self, *items: Event | Arrival) -> Folded:
        """Fold facts of one topic as one batch."""
        records = log(*items)
        (topic,) = {record.topic for record in records}
        at = self._offsets.get(topic, 0)
        self._offsets[topic] = at + len(records)
        chunk = [
            raw(Record(topic, 0, at + n, r.recorded_at, r.key, r.event))
            for n, r in enumerate(records)
        ]
        made = fold_chunk(self.store, topic, chunk, self.catalogue, 1)
        self.store.take(made.changes)
        assert made.working is not None
        made.working.keep()
        self.records.asked = 0
        return made


def postings(made: Folded) -> list[Posting]:
    found = [decode_output(value) for _, value, _ in made.postings]
    return [posting for posting in found if isinstance(posting, Posting)]


def written(made: Folded) -> list[str]:
    return [key for key, *_ in made.changes]


OWN = [state_key(0)]


def test_a_tick_writes_and_reads_nothing_of_twenty_thousand_who_wait_on() -> None:
    made = Partition()
    made.publish(*BASICS)
    for first in range(0, 20_000, 2_000):
        names = [f"v-{n}" for n in range(first, first + 2_000)]
        made.fold(*[e for name in names for e in served(name, f"s-{name}", project="p-late")])
    made.fold(tick("12:00"))
    for at in ("12:01", "12:02"):
        made.publish(project(f"p-else-{at[-1]}"), register(f"v-else-{at[-1]}", "2015-03"))
        folding = fold_and_count(made, at)
        assert folding == (OWN, ["nothing_due"], 0)
    made.publish(project("p-late"))
    released = made.fold(tick("12:03"))
    assert len(written(released)) == 20_001
    assert {posting.reason for posting in postings(released)} == {None}
    assert fold_and_count(made, "12:04") == (OWN, ["nothing_due"], 0)


def fold_and_count(made: Partition, at: str) -> tuple[list[str], list[str | None], int]:
    """A tick: the records it writes, what it says, and how many records it looked at."""
    records = log(tick(at))
    offset = made._offsets[CHECKINS]
    made._offsets[CHECKINS] += 1
    (record,) = records
    again = Record(CHECKINS, 0, offset, record.recorded_at, None, record.event)
    made.records.asked = 0
    folding = fold_chunk(made.store, CHECKINS, [raw(again)], made.catalogue, 1)
    asked = made.records.asked
    made.store.take(folding.changes)
    return written(folding), [posting.reason for posting in postings(folding)], asked


def test_a_tick_asks_for_nobody_whom_a_merge_long_past_names() -> None:
    made = Partition()
    made.publish(*BASICS, *[merge(f"old-{n}", f"new-{n}") for n in range(500)])
    made.fold(*served("v1"))
    made.fold(tick("12:00"))
    assert fold_and_count(made, "12:01") == (OWN, ["nothing_due"], 0)
    made.publish(merge("elsewhere-1", "elsewhere-2"))
    assert fold_and_count(made, "12:02") == (OWN, ["nothing_due"], 1)
    made.publish(merge("v1", "v2"))
    assert [p.reason for p in postings(made.fold(tick("12:03")))] == ["merged"]


def test_a_session_is_closed_in_time_though_something_else_of_its_volunteer_waits() -> None:
    made = Partition()
    made.publish(*BASICS)
    made.fold(*served("v1", "waits", project="p-late"), check_in("v1", "open", "09:00"))
    made.fold(tick("12:00"))
    assert fold_and_count(made, "20:59")[1] == ["nothing_due"]
    assert [p.reason for p in postings(made.fold(tick("21:00")))] == ["no_check_out"]


def test_an_account_of_a_version_that_did_not_say_what_it_waits_for_is_looked_at_and_says_so() -> (
    None
):
    made = Partition()
    made.publish(*BASICS)
    made.fold(*served("v1", "waits", project="p-late"), check_in("v1", "open", "09:00"))
    made.fold(tick("12:00"))
    said = made.store.wakes.texts["v1"]
    assert said == f"0 {when('21:00')} o/sw1 p/p-late"
    made.store.wakes.put("v1", "0")
    first = made.fold(tick("12:01"))
    assert (written(first), [p.reason for p in postings(first)]) == (["v1", *OWN], ["nothing_due"])
    assert made.store.wakes.texts["v1"] == said
    assert fold_and_count(made, "12:02")[0] == OWN


def test_who_waits_for_very_much_is_looked_at_whatever_changes() -> None:
    made = Partition()
    made.publish(*BASICS)
    made.fold(*[e for n in range(40) for e in served("v1", f"s{n}", project=f"p-{n}")])
    assert made.store.wakes.texts["v1"] == "0 - *"
    made.fold(tick("12:00"))
    made.publish(project("p-39"))
    assert [len(p.lines) for p in postings(made.fold(tick("12:01")))] == [2]


def test_where_changes_are_forgotten_everybody_is_looked_at() -> None:
    noted = Changes()
    for offset in range(changes.KEPT_MAX + 5):
        noted.note(offset, (changes.project(f"p-{offset}"),))
    assert len(noted.noted) == changes.KEPT_MAX
    assert noted.since(5) == {topic for _, topic in noted.noted}
    assert changes.all_wait_in(noted.since(4))
    assert changes.persons_in(noted.since(4)) is None
    assert noted.since(changes.KEPT_MAX + 5) == frozenset()


def test_a_person_of_many_registrations_is_everybody() -> None:
    made = Partition()
    made.publish(*[merge(f"v{n}", "v-one") for n in range(70)])
    ended = made.catalogue.next_offset
    made.publish(consent("v-one"))
    assert made.catalogue.changes.since(ended) == {changes.EVERYBODY}


def test_the_catalogue_that_a_tick_has_seen_is_in_the_log() -> None:
    made = Partition()
    made.publish(*BASICS)
    ticked = made.fold(tick("12:00"))
    made.publish(project("p-late"))
    later = made.fold(check_in())
    states = [decode_output(each.changes[-1][1]) for each in (ticked, later)]
    assert [(s.ticked_offset, s.catalogue_offset) for s in states
            if isinstance(s, PartitionState)] == [(5, 5), (5, 6)]  # fmt: skip


def test_what_a_tick_says_of_the_time_is_not_believed() -> None:
    """One that is forged, or of a worker whose clock is wrong, does what its own time allows."""
    for said in ("09:01", "23:59"):
        for day in ("2001-01-01", "2025-03-01", "2190-01-01"):
            made = Partition()
            made.publish(*BASICS)
            made.fold(check_in(at="09:00"))
            early, late = (Arrival(tick(said, day), when(at)) for at in ("20:59", "21:00"))
            assert [p.reason for p in postings(made.fold(early))] == ["nothing_due"]
            assert [p.reason for p in postings(made.fold(late))] == ["no_check_out"]
