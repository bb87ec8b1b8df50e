"""Merges on live processes: a worker killed between the two halves loses and doubles nothing."""

import json
import os
import random
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

import ledger.account.account
from ledger.account.record import Record
from ledger.catalogue.catalogue import Catalogue
from ledger.fold import fold
from ledger.publish import publish
from ledger.replay import Book
from schemas.events import CaseTransferred, ClockTicked, Event, MovedPlace, SpanTransferred
from schemas.posting import Account, Posting
from schemas.times import DAY, HOUR, MINUTE, SECOND, iso_date
from schemas.topics import CATALOGUE, KEY_OF, PARTITIONS, TOPIC_OF
from schemas.wire.codec import encode
from tests.conftest import LONG
from tests.drawn.histories import (
    BASICS,
    Arrival,
    arrival,
    check_in,
    merge,
    served,
    tick,
    unmerge,
    when,
)
from tests.drawn.honours import redeem, reverse
from tests.drawn.town_honours import parted_wrong
from tests.faults.harness import Cluster, wait_until
from tests.judge import Log, Source, judge, take

pytestmark = [pytest.mark.kafka, pytest.mark.faults]

PAIRS = 24
SESSIONS = 8
DAYS = [f"2025-03-{number + 1:02d}" for number in range(SESSIONS)]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A broker whose facts bear their own times, so that ticks come when we say."""
    with Cluster(tmp_path) as running:
        yield running


class Pen:
    """Writes events into the log, each acknowledged when `flush` returns."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5)

    def write(self, *items: Event | Arrival) -> None:
        """Facts and publications to their key's partition, ticks to every one."""
        for item in items:
            told = arrival(item)
            name = type(told.event).__name__
            key = getattr(told.event, KEY_OF.get(name, "volunteer_id"), "tick").encode()
            ticks = isinstance(told.event, ClockTicked)
            for partition in range(PARTITIONS) if ticks else [None]:
                self._producer.send(
                    TOPIC_OF[name], key=key, value=encode(told.event), partition=partition,
                    timestamp_ms=told.recorded_at // 1000,
                )  # fmt: skip
            if TOPIC_OF[name] == CATALOGUE:
                self._producer.flush()

    def flush(self) -> None:
        """Wait for every acknowledgement."""
        self._producer.flush()


def hours_of(pair: int, chance: random.Random, days: Sequence[str] = DAYS) -> list[Event]:
    """Visits of one person under two registrations, some at the same time."""
    told: list[Event] = []
    for number, day in enumerate(days):
        for name in (f"a{pair}", f"b{pair}"):
            start = when("09:00", day) + chance.randrange(0, 180) * MINUTE
            end = start + chance.randrange(30, 180) * MINUTE
            told += served(name, f"{name}-{number}", start, end)
    return told


def redemptions_of(pair: int, chance: random.Random) -> list[Event]:
    """One point at a time under either registration, some ids under both, some returned."""
    told: list[Event] = []
    for number in range(SESSIONS):
        name = chance.choice((f"a{pair}", f"b{pair}"))
        case_id, at = f"r{pair}-{chance.randrange(6)}", when("10:00", "2025-03-10") + number * HOUR
        told.append(redeem(name, 1, case_id, at))
        if chance.random() < 0.3:
            told.append(reverse(name, case_id, at + MINUTE))
    return told


def test_killing_a_worker_between_the_two_halves_of_a_merge(
    cluster: Cluster, seed: int, seen: Callable[[str], None]
) -> None:
    chance = random.Random(seed)
    pen = Pen(cluster.broker.bootstrap)
    pen.write(*BASICS)
    facts = [event for pair in range(PAIRS) for event in hours_of(pair, chance)]
    half = len(facts) // 2
    spent = [event for pair in range(PAIRS) for event in redemptions_of(pair, chance)]
    chance.shuffle(spent)
    pen.write(*facts[:half])
    pen.flush()
    cluster.start("sink", "sink")
    cluster.worker("worker")
    cluster.moves("before the merges")
    now = when("12:00", "2025-03-20")
    changes: list[list[Event]] = [
        [merge(f"b{pair}", f"a{pair}") for pair in range(PAIRS)],
        [merge(f"a{pair}", f"a{pair + 1}") for pair in range(0, PAIRS, 4)],
        [unmerge(f"b{pair}") for pair in range(0, PAIRS, 3)],
    ]
    late = facts[half:]
    for number in range(len(changes)):
        # Changes, facts of before and after, a tick: then the worker dies while hours move, if it
        # has not moved them all by then.
        before = cluster.folded()
        pen.write(*changes[number])
        pen.write(*late[number :: len(changes)])
        pen.write(*(Arrival(event, now) for event in spent[number :: len(changes)]))
        now += HOUR
        pen.write(Arrival(tick(now), now))
        pen.flush()
        if number != 1:
            time.sleep(chance.uniform(0, 0.5))
            cluster.kill("worker")
            cluster.worker("worker")
        cluster.moves("of what was written", since=before)
    for _ in range(2):
        wait_until(lambda: cluster.behind() == 0, "the worker has caught up")
        now += HOUR
        pen.write(Arrival(tick(now), now))
        pen.flush()
    wait_until(lambda: cluster.behind() == 0, "the worker has caught up with the last tick")
    assert judge(cluster.broker.bootstrap) == []
    assert parted_wrong(Refolded(take(cluster.broker.bootstrap))) == []
    accounts = take(cluster.broker.bootstrap).accounts
    absorbed = [account for account in accounts.values() if account.lent_to]
    assert len(absorbed) > PAIRS // 2
    assert all(_is_empty(account) for account in absorbed)
    assert cluster.alive("sink")
    print(cluster.reconciled())
    found = replayed(cluster)
    assert found["state"] == "green", found
    pen.write(Arrival(forged("b1", "a1"), now), Arrival(forged_words("b1", "a1"), now))
    pen.flush()
    wait_until(lambda: cluster.behind() == 0, "the worker has read what somebody else wrote")
    found = replayed(cluster)
    assert found["state"] == "red"
    said = [said for one in found["partitions"] for said in one["differences"]]
    assert ["t-forged" in each for each in said] == [True, True]
    seen(f"{PAIRS} pairs, 2 kills, {len(absorbed)} absorbed: nothing lost, nothing double, ")
    seen("reconcile and replay green; a forged transfer is found")


@pytest.mark.skipif(not LONG, reason="the one above is short: make faults")
def test_a_storm_of_merges_under_the_brokers_time(
    tmp_path: Path, seed: int, seen: Callable[[str], None]
) -> None:
    chance = random.Random(seed)
    today = int(time.time() * SECOND) // DAY
    days = [iso_date(today - SESSIONS - 1 + number) for number in range(SESSIONS)]
    with Cluster(tmp_path, producer_time=False) as cluster:
        pen = Pen(cluster.broker.bootstrap)
        pen.write(*BASICS)
        facts = [event for pair in range(PAIRS) for event in hours_of(pair, chance, days)]
        chance.shuffle(facts)
        pen.write(*facts[::2])
        pen.flush()
        cluster.worker("worker")
        cluster.moves("before the merges")
        pen.write(*(merge(f"b{pair}", f"a{pair}") for pair in range(PAIRS)))
        pen.write(*(merge(f"a{pair}", f"a{pair + 1}") for pair in range(0, PAIRS, 4)))
        kills = 0
        for event in facts[1::2]:
            pen.write(event)
            if chance.random() < 0.03:
                # Between the two halves, if the tick has let anything move.
                _tick_now(pen)
                time.sleep(chance.uniform(0, 0.3))
                cluster.kill("worker")
                cluster.worker("worker")
                kills += 1
        pen.write(*(unmerge(f"b{pair}") for pair in range(0, PAIRS, 3)))
        pen.flush()
        # A tick moves what the ledger knew of the catalogue when it came.
        expected = {f"b{pair}" for pair in range(PAIRS) if pair % 3}
        expected |= {f"a{pair}" for pair in range(0, PAIRS, 4)}
        wait_until(lambda: _absorbed(cluster, pen) == expected, "everybody is merged")
        assert judge(cluster.broker.bootstrap) == []
        assert parted_wrong(Refolded(take(cluster.broker.bootstrap))) == []
        accounts = take(cluster.broker.bootstrap).accounts
        assert all(_is_empty(accounts[name]) for name in expected)
        assert sum(account.balance_minutes for account in accounts.values()) > 0
        seen(f"{PAIRS} pairs, {kills} kills, {len(expected)} absorbed: nothing lost or double")


def _tick_now(pen: Pen) -> None:
    now = int(time.time() * SECOND)
    pen.write(Arrival(tick(now), now))
    pen.flush()


def _absorbed(cluster: Cluster, pen: Pen) -> set[str]:
    """Who has given all away, once a tick more is folded everywhere."""
    _tick_now(pen)
    wait_until(lambda: cluster.behind() == 0, "the worker has caught up")
    accounts = take(cluster.broker.bootstrap).accounts
    return {name for name, account in accounts.items() if account.lent_to}


def _is_empty(account: Account) -> bool:
    return account.balance_minutes == 0 and not any(total.minutes for total in account.totals)


def forged(origin: str, to: str) -> SpanTransferred:
    """Facts that no account handed over."""
    visit = check_in(origin, "s-forged", day="2025-03-09")
    place = MovedPlace(visit.activity_id, visit.project_id, None, "sw1", "sw1")
    return SpanTransferred(
        "t-forged", to, origin, "no-cause", "s-forged", None, False, "service",
        visit.occurred_at, visit.event_id, place, None, (visit.occurred_at + HOUR,), None, None,
        None, True, False, None, (), visit.occurred_at, None,
    )  # fmt: skip


class Refolded:
    """The accounts that a cluster's log comes to, folded in the order that its postings name."""

    def __init__(self, log: Log) -> None:
        self.books: list[Book] = []
        self.records: list[list[Record]] = []
        for partition in range(PARTITIONS):
            book, catalogue, waiting = Book(), Catalogue(), deque(log.catalogue)
            records = list(log.catalogue)
            for source, group in groupby(log.postings[partition], key=source_of):
                seen = next(group).catalogue_offset
                while waiting and waiting[0].offset < seen:
                    event: Any = waiting.popleft().event
                    publish(catalogue, event)
                catalogue.next_offset = seen
                record = log.inputs[source]
                assert record is not None
                records.append(record)
                book.postings += fold(book, record, catalogue, len(book.postings))
            self.books.append(book)
            self.records.append(records)

    def account(self, volunteer_id: str) -> ledger.account.account.Account:
        """Somebody's account."""
        there = [book.accounts for book in self.books if volunteer_id in book.accounts]
        return there[0][volunteer_id] if there else ledger.account.account.Account(volunteer_id)


def source_of(posting: Posting) -> Source:
    """The record that a posting is of."""
    return posting.source_topic, posting.source_partition, posting.source_offset


def forged_words(origin: str, to: str) -> CaseTransferred:
    """A redemption taken back that nobody took back."""
    return CaseTransferred(
        "t-forged-words", to, origin, "no-cause", origin, "redemption", "r1-1", True, (),
        when("12:00", "2025-03-20"), None,
    )  # fmt: skip


def replayed(cluster: Cluster) -> dict[str, Any]:
    """What `shilu replay` says of the whole log, transfers among it."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "replay", "--json"],
        env={**os.environ, "SHILU_HOME": str(cluster.home),
             "SHILU_BOOTSTRAP": cluster.broker.bootstrap},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found
