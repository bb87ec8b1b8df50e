"""Several ledger partitions over one catalogue, whose accounts hand hours to each other.

What one partition hands over is written to the other's service.transfers and read there when chance
has it; what comes from one partition keeps its order, as in a topic.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from random import Random
from typing import Any

from ledger.account.account import Account
from ledger.account.record import Record
from ledger.catalogue.catalogue import Catalogue
from ledger.fold import fold
from ledger.hours.admission import barred
from ledger.publish import publish
from ledger.replay import Book, replay
from schemas.events import ClockTicked, Event, Transfer
from schemas.posting import Posting
from schemas.topics import CATALOGUE, KEY_OF, TOPIC_OF, TRANSFERS
from schemas.wire.codec import decode_event, encode
from tests.drawn.histories import Arrival, arrival, log, tick
from tests.drawn.strategies import KNOWN
from tests.reference.model import sequence_faults, share_of, truth_of
from tests.reference.model_people import led, persons
from tests.reference.model_rules import Share


def home_of(volunteer_id: str, partitions: int) -> int:
    """Volunteers live apart from each other where there is room."""
    return sum(map(ord, volunteer_id)) % partitions


class Town:
    """Accounts of some partitions; `records` is each one's log and the catalogue, as they were
    read."""

    def __init__(self, partitions: int = 2, seed: int | None = None) -> None:
        self._partitions = partitions
        self._random = None if seed is None else Random(seed)
        self.books = [Book() for _ in range(partitions)]
        self.records: list[list[Record]] = [[] for _ in range(partitions)]
        self._catalogue = Catalogue()
        self._offsets: Counter[tuple[str, int]] = Counter()
        self._on_their_way: dict[tuple[int, int], deque[Transfer]] = defaultdict(deque)
        self._now = 0

    def take(self, items: Iterable[Event | Arrival]) -> "Town":
        """Events as they are recorded; transfers come when chance has it, or at once."""
        for item in items:
            arrived = arrival(item)
            self._now = max(self._now, arrived.recorded_at)
            self._write(arrived.event, arrived.recorded_at)
            self._deliver(self._random)
        return self

    def settle(self) -> "Town":
        """Let time pass until nobody has anything to hand over any more."""
        for _ in range(2):
            self._deliver(None)
            self.take([Arrival(tick(self._now), self._now)])
        self._deliver(None)
        return self

    def _write(self, event: Event, recorded_at: int) -> None:
        name = type(event).__name__
        topic = TOPIC_OF[name]
        key = getattr(event, KEY_OF.get(name, "volunteer_id"), None)
        if topic == CATALOGUE:
            record = Record(topic, 0, self._offsets[topic, 0], recorded_at, key, event)
            self._offsets[topic, 0] += 1
            if barred(record, self._catalogue) is None:
                publish(self._catalogue, event)  # type: ignore[arg-type]
            self._catalogue.next_offset = record.offset + 1
            for records in self.records:
                records.append(record)
            return
        every = range(self._partitions)
        homes = every if isinstance(event, ClockTicked) else [home_of(str(key), self._partitions)]
        for home in homes:
            place = (topic, home)
            record = Record(topic, home, self._offsets[place], recorded_at, key, event)
            self._offsets[place] += 1
            self.records[home].append(record)
            if barred(record, self._catalogue) is not None:
                continue
            book = self.books[home]
            book.postings += fold(book, record, self._catalogue, len(book.postings))
            for told in book.transfers:
                # As it goes over the wire.
                sent: Any = decode_event(encode(told))
                assert sent == told
                self._on_their_way[home, home_of(told.volunteer_id, self._partitions)].append(sent)
            book.transfers = []

    def _deliver(self, random: Random | None) -> None:
        while ways := [way for way, waiting in self._on_their_way.items() if waiting]:
            if random is not None and random.random() < 0.5:
                return
            way = ways[0] if random is None else random.choice(ways)
            self._write(self._on_their_way[way].popleft(), self._now)

    def account(self, volunteer_id: str) -> Account:
        """Somebody's account."""
        return self.books[home_of(volunteer_id, self._partitions)].account(volunteer_id)

    def balances(self) -> dict[str, int]:
        """Volunteer -> minutes, those with 0 left out."""
        found = [a for book in self.books for a in book.accounts.values() if a.balance_minutes]
        return {account.volunteer_id: account.balance_minutes for account in found}

    def postings(self, volunteer_id: str) -> list[Posting]:
        """What was posted about somebody."""
        book = self.books[home_of(volunteer_id, self._partitions)]
        return [posting for posting in book.postings if posting.volunteer_id == volunteer_id]

    def replayed(self) -> bool:
        """Does each partition's log alone give its postings and what it handed over once more?"""
        again = [replay(records) for records in self.records]
        sent = Counter(told.event_id for book in again for told in book.transfers)
        got = Counter(r.event.event_id for rs in self.records for r in rs if r.topic == TRANSFERS)
        same = [mine.postings for mine in again] == [book.postings for book in self.books]
        return same and sent == got

    def net(self) -> dict[Share, int]:
        """Minutes of each share after all lines, shares without any left out."""
        net: Counter[Share] = Counter()
        for book in self.books:
            for posting in book.postings:
                for line in posting.lines:
                    net[share_of(posting.volunteer_id, line)] += line.minutes
        return {share: minutes for share, minutes in net.items() if minutes}


def judge(history: list[Arrival], seed: int) -> list[str]:
    """What is wrong with the ledger after a history of merges, in whatever order transfers came."""
    town = Town(3, seed).take([*KNOWN, *history]).settle()
    records = log(*KNOWN, *history)
    who = led(records)
    expected, found = truth_of(persons(records, who)), town.net()
    wrong = [
        f"{share}: {found.get(share, 0)} minutes, expected {expected.minutes.get(share, 0)}"
        for share in sorted(found.keys() | expected.minutes.keys(), key=repr)
        if found.get(share, 0) != expected.minutes.get(share, 0)
    ]
    if town.balances() != expected.balances():
        wrong.append(f"balances {town.balances()}, expected {expected.balances()}")
    for name, counted_by in who.items():
        if name != counted_by and any(town.account(name).totals.values()):
            wrong.append(f"{name} was absorbed and has {town.account(name).totals}")
    for book in town.books:
        wrong += sequence_faults(book.postings)
    if not town.replayed():
        wrong.append("a replay differs")
    return wrong
