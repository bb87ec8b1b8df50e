"""Small ledgers written by hand: input records, and what a worker would have made of them.

No rule of an hour is applied here: a test says which lines a record has, and the book numbers
postings and keeps balances as the worker does.
"""

import random
import zlib
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from consumers.kafka.records import Place, Record
from schemas.events import (
    Actor,
    CatalogueEvent,
    CheckedIn,
    CheckedOut,
    ClockTicked,
    Event,
    HoursGranted,
    OrgRegistered,
    SessionVoided,
    VaultAccessed,
)
from schemas.posting import (
    Account,
    Kind,
    Line,
    Outcome,
    PartitionState,
    Position,
    Posting,
    Quarantined,
    State,
    Total,
)
from schemas.times import DAY, HOUR, MINUTE, instant
from schemas.topics import CATALOGUE, FACTS, PARTITIONS, POSTINGS, QUARANTINE, TOPIC_OF
from schemas.wire.codec import encode

MORNING = instant("2025-03-01T08:00:00+08:00")
DESK = Actor("desk-1", "organiser", "org-a")


def partition_of(volunteer_id: str) -> int:
    """Any stable choice will do here."""
    return zlib.crc32(volunteer_id.encode()) % PARTITIONS


def line(
    minutes: int, *, at: int = MORNING, session_id: str | None = "s-1", **changes: Any
) -> Line:
    """A line of org-a, with what a test wants to be otherwise."""
    usual = Line(0, session_id, None, "org-a", "org-a", "p-1", "site-1", "a-1",
                 (at + 8 * HOUR) // DAY, minutes, "service", "effective", "default@0")  # fmt: skip
    return replace(usual, **changes)


@dataclass
class Kept:
    """What the book remembers of one volunteer."""

    sequence: int = 0
    balance: int = 0
    totals: defaultdict[tuple[Kind, State], int] = field(default_factory=lambda: defaultdict(int))


class Book:
    """A ledger being written. `inputs` and `outputs` grow; `sealed` takes what is new."""

    def __init__(self) -> None:
        self.inputs: list[Record] = []
        self.postings: list[Posting] = []
        self.quarantined: list[Quarantined] = []
        self.kept: defaultdict[str, Kept] = defaultdict(Kept)
        self.indexes: defaultdict[int, int] = defaultdict(int)
        self.offsets: defaultdict[Place, int] = defaultdict(int)
        self.now = MORNING
        self._n = 0

    def event_id(self) -> str:
        self._n += 1
        return f"e-{self._n:06d}"

    def put(self, event: Event | bytes | None, *, key: str = "", topic: str = "") -> Record:
        """An input record with the next offset of its place, a second after the one before."""
        self.now += 1_000_000
        if isinstance(event, bytes) or event is None:
            name, value = topic, event
        else:
            name, value = topic or TOPIC_OF[type(event).__name__], encode(event)
            key = key or getattr(event, "volunteer_id", "") or getattr(event, "org_id", "")
        place = Place(name, 0 if name == CATALOGUE else partition_of(key))
        offset, self.offsets[place] = self.offsets[place], self.offsets[place] + 1
        record = Record(*place, offset, self.now // 1000, key.encode(), value)
        self.inputs.append(record)
        return record

    def post(
        self,
        record: Record,
        event: Event,
        *lines: Line,
        volunteer_id: str | None = None,
        outcome: Outcome = "posted",
        reason: str | None = None,
    ) -> Posting:
        """The posting of an input record."""
        name = getattr(event, "volunteer_id", "") if volunteer_id is None else volunteer_id
        kept: Kept = self.kept[name] if name else Kept()
        kept.sequence += 1
        for entry in lines:
            kept.totals[entry.kind, entry.state] += entry.minutes
            if entry.state == "effective" and entry.kind != "training":
                kept.balance += entry.minutes
        index, self.indexes[record.partition] = self._next_index(record.partition)
        actor = getattr(event, "actor", None)
        posting = Posting(
            record.partition, index, record.topic, record.partition, record.offset,
            event.event_id, type(event).__name__, name, kept.sequence, event.occurred_at,
            record.timestamp * 1000, actor.id if actor else None, 0, outcome, reason,
            tuple(replace(entry, line_no=i) for i, entry in enumerate(lines)), kept.balance,
        )  # fmt: skip
        self.postings.append(posting)
        return posting

    def _next_index(self, partition: int) -> tuple[int, int]:
        index = self.indexes[partition]
        return index, index + 1

    def quarantine(self, record: Record, reason: str, detail: str = "") -> None:
        value = record.value
        self.quarantined.append(
            Quarantined(record.topic, record.partition, record.offset, record.timestamp * 1000,
                        reason, detail, record.key, value, len(value or b""))
        )  # fmt: skip

    def check_in(self, volunteer_id: str, session_id: str, **changes: Any) -> CheckedIn:
        """A check-in, posted without lines."""
        event = CheckedIn(*self._envelope(volunteer_id, session_id, **changes))
        self.post(self.put(event), event)
        return event

    def serve(self, volunteer_id: str, session_id: str, *lines: Line) -> CheckedOut:
        """A check-in and a check-out, whose posting has the lines."""
        self.check_in(volunteer_id, session_id)
        event = CheckedOut(*self._envelope(volunteer_id, session_id))
        self.post(self.put(event), event, *lines)
        return event

    def void(self, volunteer_id: str, session_id: str, *lines: Line) -> SessionVoided:
        """A void, whose posting takes the lines back."""
        event = SessionVoided(self.event_id(), volunteer_id, session_id, None, "wrong_person",
                              self.now, None, "admin", None, "office/1", False, DESK,
                              ())  # fmt: skip
        self.post(self.put(event), event, *lines)
        return event

    def grant(self, volunteer_id: str, grant_id: str, *lines: Line, **how: Any) -> HoursGranted:
        """Service taken down afterwards; `how` as for `post`."""
        event = HoursGranted(self.event_id(), volunteer_id, grant_id, "a-1", "p-1", None, None,
                             "org-a", "org-a", MORNING, MORNING + HOUR, "phone_lost", self.now,
                             self.now, "admin", None, None, False, DESK, ("sha256:1",),
                             None)  # fmt: skip
        self.post(self.put(event), event, *lines, **how)
        return event

    def tick(self, key: str) -> ClockTicked:
        """Time passes in one partition, and nothing is due."""
        event = ClockTicked(self.event_id(), self.now)
        self.post(self.put(event, key=key), event, volunteer_id="", reason="nothing_due")
        return event

    def catalogue(self, event: CatalogueEvent) -> None:
        """A catalogue event has no posting."""
        self.put(event)

    def org(self, org_id: str, name: str) -> None:
        self.catalogue(
            OrgRegistered(self.event_id(), org_id, "volunteer", name, None, None, self.now, None)
        )

    def _envelope(self, volunteer_id: str, session_id: str, **changes: Any) -> tuple[Any, ...]:
        given: dict[str, Any] = {
            "event_id": self.event_id(),
            "occurred_at": self.now,
            "actor": DESK,
        } | changes
        return (given["event_id"], volunteer_id, session_id, "a-1", "p-1", "site-1", None,
                "org-a", "org-a", given["occurred_at"], given["occurred_at"] + MINUTE, "qr",
                "d-17", "shift-app/2.3", False, given["actor"], ())  # fmt: skip

    def accounts(self) -> list[tuple[int, bytes, bytes]]:
        """Account and state records now: partition, key, value."""
        found = []
        for name, kept in sorted(self.kept.items()):
            totals = tuple(Total(k, s, n) for (k, s), n in sorted(kept.totals.items()) if n)
            account = Account(name, kept.sequence, kept.balance, totals, 0, (), ())
            found.append((partition_of(name), name.encode(), encode(account)))
        for partition, index in self.indexes.items():
            positions = tuple(
                Position(topic, self.offsets[Place(topic, partition)]) for topic in FACTS
            )
            state = PartitionState(partition, index, 0, positions)
            found.append((partition, b"@%d" % partition, encode(state)))
        return found

    def outputs(self) -> list[Record]:
        """Postings and quarantine as records with dense offsets, for tests without Kafka."""
        records: list[Record] = []
        at: defaultdict[Place, int] = defaultdict(int)
        rows: list[tuple[str, int, Any]] = [(POSTINGS, p.partition, p) for p in self.postings]
        rows += [(QUARANTINE, q.source_partition, q) for q in self.quarantined]
        for topic, partition, value in rows:
            place = Place(topic, partition)
            offset, at[place] = at[place], at[place] + 1
            key = getattr(value, "volunteer_id", "").encode()
            records.append(Record(*place, offset, value.recorded_at // 1000, key, encode(value)))
        return records


def random_book(rng: random.Random, events: int, volunteers: int = 20) -> Book:
    """A history of every kind of record and posting."""
    book = Book()
    for n in range(3):
        book.org(f"org-{'abc'[n]}", f"组织{n}")
    while len(book.inputs) < events:
        volunteer_id = f"v-{rng.randrange(volunteers)}"
        session_id = f"s-{rng.randrange(10**6)}"
        a_line = line(
            rng.randrange(1, 300), at=MORNING + rng.randrange(60) * DAY, session_id=session_id,
            recording_org_id=rng.choice(["org-a", "org-b", "org-c"]),
            host_org_id=rng.choice(["org-a", "org-b"]), project_id=rng.choice(["p-1", "p-2"]),
            site_id=rng.choice(["site-1", None]), activity_id=f"a-{rng.randrange(5)}",
            kind=rng.choice(["service", "manual", "import", "training"]),
            state=rng.choice(["effective", "effective", "held_org", "held_review"]),
        )  # fmt: skip
        match rng.randrange(12):
            case 0:
                bad = book.put(rng.randbytes(20), key=volunteer_id, topic=FACTS[0])
                book.quarantine(bad, "bad_framing", "20 bytes")
            case 1:
                book.tick(volunteer_id)
            case 2:
                taken = {"outcome": "refused", "reason": "grant_exists"}
                book.grant(volunteer_id, f"g-{session_id}", **taken)
            case 3:
                book.void(volunteer_id, session_id, replace(a_line, minutes=-a_line.minutes))
            case 4:
                first = book.check_in(volunteer_id, session_id)
                book.post(book.put(first), first, outcome="duplicate", reason="duplicate_event")
            case 5:
                book.org("org-a", f"新名{len(book.inputs)}")
            case _:
                second = replace(a_line, service_date=a_line.service_date + 1, minutes=7)
                book.serve(volunteer_id, session_id, a_line, second)
    return book


LOOKED_AT = 1_790_000_000_000_000


def a_look(entry_no: int, at: int = LOOKED_AT) -> bytes:
    """An entry of the vault's access log."""
    return encode(
        VaultAccessed(f"e-{entry_no}", "v-1", entry_no, "unmask", "contact", ("name", "phone"),
                      None, "0" * 64, at, Actor("u-1", "admin", "sw1"))
    )  # fmt: skip
