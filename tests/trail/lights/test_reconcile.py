"""Kafka = trail = accounts: green only if so, and every difference is found and named."""

import functools
import random
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from consumers.api.trail_client import Opened
from consumers.kafka.reader import Log
from consumers.reconcile.findings import Report
from consumers.reconcile.reconcile import reconcile
from consumers.trail.store import Trail
from deploy.broker.broker import Broker
from schemas.posting import Account
from schemas.topics import ACCOUNTS, CHECKINS, POSTINGS
from schemas.wire.codec import encode
from tests.trail.book import Book, line, partition_of, random_book
from tests.trail.fill import Sender
from tests.trail.running import copy_all, sinking, until

pytestmark = pytest.mark.kafka


class Watching:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.last = (0, 0)

    def told(self, done: int, total: int) -> None:
        assert 0 <= self.last[0] <= done <= total
        self.last = (done, total)


def checked(trail: Trail, cluster: Broker) -> Report:
    watching = Watching()
    with Log(cluster.bootstrap) as log:
        report = reconcile(Opened(trail), log, watching)
    assert watching.last[0] == watching.last[1]
    return report


@pytest.fixture
def book() -> Book:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    return random_book(random.Random(seed), 400)


@pytest.fixture
def sender(cluster: Broker) -> Sender:
    return Sender(cluster.bootstrap)


@pytest.fixture
def green(cluster: Broker, trail: Trail, book: Book, sender: Sender) -> Trail:
    """A trail that agrees with its log, over aborted transactions too."""
    sender.abort(*book.postings[:3])
    sender.send(book)
    copy_all(trail, cluster.bootstrap)
    report = checked(trail, cluster)
    assert (report.state, report.differences) == ("green", [])
    assert report.exit_code == 0
    assert report.checked["posting"] == len(book.postings)
    assert report.checked["event"] == len(book.inputs)
    assert report.checked["accounts"] == len(book.kept)
    return trail


TAMPERING = {
    "a line's minutes": ("line", "UPDATE minutes = minutes + 60", "row_altered", "minutes"),
    "a line's organisation": ("line", "UPDATE recording_org_id = 'x'", "row_altered", "recording"),
    "a line is gone": ("line", "DELETE", "row_missing", "line"),
    "a posting's reason": ("posting", "UPDATE reason = 'x'", "row_altered", "reason"),
    "a posting is gone": ("posting", "DELETE", "row_missing", "posting"),
    "an event's bytes": ("event", "UPDATE value = 'x'", "row_altered", "value"),
    "an event's time": (
        "event",
        "UPDATE occurred_at = occurred_at + INTERVAL 1 HOUR",
        "row_altered",
        "occurred_at",
    ),
    "an event is gone": ("event", "DELETE", "row_missing", "event"),
    "a quarantine reason": ("quarantine", "UPDATE reason = 'x'", "row_altered", "reason"),
    "a catalogue name": ("catalogue", "UPDATE name = 'x'", "row_altered", "name"),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_one_altered_or_deleted_row_is_found_and_its_event_named(
    green: Trail, cluster: Broker, what: str
) -> None:
    table, change, code, word = TAMPERING[what]
    where = {"event": "type = 'CheckedOut' AND offset > 0"}.get(table, "offset > 0")
    place = ("topic, " if table == "event" else "") + "partition, offset"
    (row,) = green.query(
        f"SELECT {place}{', line_no' if table == 'line' else ''} FROM {table} "
        f"WHERE {where} ORDER BY {place} LIMIT 1"
    )
    event_id = _event_of(green, table, row)
    chosen = " AND ".join(f"{column} = {value!r}" for column, value in row.items())
    green.command(f"ALTER TABLE {table} {change} WHERE {chosen} SETTINGS mutations_sync = 2")
    report = checked(green, cluster)
    assert (report.state, report.exit_code) == ("red", 1)
    found = [d for d in report.differences if d.code == code and word in d.detail]
    assert len(found) == 1
    assert found[0].record.endswith(f"/{row['partition']}/{row['offset']}")
    assert found[0].event_id == event_id


def _event_of(trail: Trail, table: str, row: dict[str, int]) -> str:
    if table == "quarantine":
        return ""
    source = {"line": "posting"}.get(table, table)
    (found,) = trail.query(
        f"SELECT event_id FROM {source} WHERE partition = {{p:Int64}} AND offset = {{o:Int64}}"
        + (" AND topic = {t:String}" if source == "event" else ""),
        p=row["partition"], o=row["offset"], t=str(row.get("topic", "")),
    )  # fmt: skip
    return str(found["event_id"])


def test_altered_minutes_also_name_the_volunteer(green: Trail, cluster: Broker) -> None:
    (row,) = green.query(
        "SELECT volunteer_id, partition, offset FROM line "
        "WHERE state = 'effective' AND kind = 'service' LIMIT 1"
    )
    green.command(
        "ALTER TABLE line UPDATE minutes = minutes + 60 WHERE volunteer_id = {v:String} "
        "AND offset = {o:Int64} AND line_no = 0 SETTINGS mutations_sync = 2",
        v=row["volunteer_id"], o=row["offset"],
    )  # fmt: skip
    report = checked(green, cluster)
    assert {d.code for d in report.differences} == {"row_altered", "account_differs"}
    assert {d.volunteer_id for d in report.differences} == {row["volunteer_id"]}


def test_a_row_that_was_doubled_or_invented_is_found(green: Trail, cluster: Broker) -> None:
    newest = "ORDER BY offset DESC LIMIT 1"
    green.command("INSERT INTO catalogue SELECT * FROM catalogue ORDER BY offset LIMIT 1")
    green.command(f"INSERT INTO line SELECT * REPLACE (1000 AS line_no) FROM line {newest}")
    # Where the log has the marker of a transaction, after the last posting of its partition.
    green.command(
        f"INSERT INTO posting SELECT * REPLACE (offset + 1 AS offset) FROM posting {newest}"
    )
    found = sorted((d.code, d.detail.split(":")[0]) for d in checked(green, cluster).differences)
    assert ("row_doubled", "catalogue") in found
    assert ("row_without_record", "line") in found
    assert ("row_without_record", "posting") in found


def test_what_the_trail_does_not_have_yet_is_behind_and_not_red(
    green: Trail, cluster: Broker, book: Book, sender: Sender
) -> None:
    book.serve("v-0", "s-new", line(30))
    sender.send(book)
    report = checked(green, cluster)
    partition = partition_of("v-0")
    assert (report.state, report.exit_code) == ("behind", 3)
    assert report.worker_behind == {}
    assert report.trail_behind == {f"{CHECKINS}/{partition}": 2, f"{POSTINGS}/{partition}": 2}
    copy_all(green, cluster.bootstrap)
    assert checked(green, cluster).state == "green"


def test_what_the_worker_has_not_judged_yet_is_behind_and_not_red(
    green: Trail, cluster: Broker, book: Book, sender: Sender
) -> None:
    positions = dict(book.offsets)
    event = book.check_in("v-0", "s-new")
    book.postings.pop()
    book.kept["v-0"].sequence -= 1
    book.indexes[partition_of("v-0")] -= 1
    at, book.offsets = dict(book.offsets), type(book.offsets)(int, positions)
    sender.send(book)
    copy_all(green, cluster.bootstrap)
    report = checked(green, cluster)
    assert (report.state, report.exit_code) == ("behind", 3)
    assert report.worker_behind == {f"{CHECKINS}/{partition_of('v-0')}": 1}
    assert report.trail_behind == {}
    book.offsets = type(book.offsets)(int, at)
    book.post(book.inputs[-1], event)
    sender.send(book)
    copy_all(green, cluster.bootstrap)
    assert checked(green, cluster).state == "green"


def test_an_input_without_outcome_and_one_with_two_are_named(
    cluster: Broker, trail: Trail, sender: Sender
) -> None:
    book = Book()
    lost = book.check_in("v-1", "s-1")
    book.postings.pop()
    book.kept["v-1"].sequence -= 1
    book.indexes[partition_of("v-1")] -= 1
    twice = book.check_in("v-1", "s-2")
    book.post(book.inputs[-1], twice)
    both = book.check_in("v-1", "s-3")
    book.quarantine(book.inputs[-1], "wrong_key")
    for _ in range(3):
        book.tick("v-1")
        tick = replace(book.postings[-1])
        book.kept["v-1"].sequence += 1
        book.indexes[tick.partition] += 1
        book.postings.append(replace(tick, index=tick.index + 1, volunteer_id="v-1",
                                     sequence=book.kept["v-1"].sequence))  # fmt: skip
    sender.send(book)
    copy_all(trail, cluster.bootstrap)
    report = checked(trail, cluster)
    found = {(d.code, d.event_id) for d in report.differences}
    assert found == {
        ("outcome_missing", lost.event_id),
        ("outcome_doubled", twice.event_id),
        ("outcome_doubled", both.event_id),
    }


def test_a_posting_for_a_record_that_is_not_there_is_named(
    cluster: Broker, trail: Trail, sender: Sender
) -> None:
    book = Book()
    book.serve("v-1", "s-1", line(10))
    sender.send(book)
    # An offset in the middle that a transaction took for its marker.
    sender.raw(CHECKINS, partition_of("v-1"), encode(book.check_in("v-1", "s-2")))
    book.offsets[next(iter(book.offsets))] += 1
    book.inputs.pop()
    book.check_in("v-1", "s-3")
    invented = replace(book.postings[-1], source_offset=3)
    book.postings[-2:] = [book.postings[-2], invented]
    sender._sent = (len(book.inputs), 2, 0)
    sender.raw(CHECKINS, partition_of("v-1"), encode(book.check_in("v-1", "s-4")))
    book.postings.pop()
    book.kept["v-1"].sequence -= 1
    book.indexes[partition_of("v-1")] -= 1
    sender.send(book)
    copy_all(trail, cluster.bootstrap)
    codes = {(d.code, d.record) for d in checked(trail, cluster).differences}
    assert ("posting_without_record", f"{CHECKINS}/{partition_of('v-1')}/3") in codes


@pytest.mark.parametrize("field", ["balance_minutes", "sequence", "totals", "missing"])
def test_an_account_that_says_otherwise_names_its_volunteer(
    cluster: Broker, trail: Trail, sender: Sender, field: str
) -> None:
    book = Book()
    book.serve("v-1", "s-1", line(60))
    book.serve("v-2", "s-2", line(30, session_id="s-2"))
    sender.send(book)
    copy_all(trail, cluster.bootstrap)
    assert checked(trail, cluster).state == "green"
    (record,) = (value for _, key, value in book.accounts() if key == b"v-1")
    account = _decoded(record)
    altered = {
        "balance_minutes": replace(account, balance_minutes=61),
        "sequence": replace(account, sequence=3),
        "totals": replace(account, totals=()),
        "missing": replace(account, volunteer_id="v-0"),
    }[field]
    sender.account(partition_of("v-1"), b"v-1", encode(altered))
    report = checked(trail, cluster)
    assert report.state == "red"
    assert {(d.code, d.volunteer_id) for d in report.differences} == {("account_differs", "v-1")}


def _decoded(value: bytes) -> Account:
    from schemas.wire.codec import decode_output

    account = decode_output(value)
    assert isinstance(account, Account)
    return account


def test_state_pages_and_other_keys_are_no_accounts(
    green: Trail, cluster: Broker, sender: Sender
) -> None:
    sender.account(0, b"v-1/d20148", b"page")
    sender.account(0, b"v-1/b0", b"page")
    assert checked(green, cluster).state == "green"
    assert ACCOUNTS.startswith("ledger.")


def test_an_index_gap_is_red_here_too(cluster: Broker, trail: Trail, sender: Sender) -> None:
    book = Book()
    for n in range(3):
        book.serve("v-1", f"s-{n}", line(10, session_id=f"s-{n}"))
    book.postings[3:] = [replace(p, index=p.index + 1) for p in book.postings[3:]]
    book.indexes[partition_of("v-1")] += 1
    sender.send(book)
    copy_all(trail, cluster.bootstrap)
    found = [d for d in checked(trail, cluster).differences if d.code == "index_gap"]
    assert [difference.event_id for difference in found] == [book.postings[3].event_id]


def test_it_is_green_while_events_keep_coming(
    cluster: Broker, trail: Trail, sender: Sender, book: Book
) -> None:
    """The cut is one moment of log, trail and accounts, whatever happens after it."""
    sender.send(book)
    stop, sent = threading.Event(), 0

    def go_on() -> None:
        nonlocal sent
        while not stop.is_set():
            volunteer_id = f"v-{sent % 7}"
            book.serve(volunteer_id, f"s-more-{sent}", line(1, session_id=f"s-more-{sent}"))
            sender.send(book)
            sent += 1

    def reached(goal: int) -> bool:
        return sent > goal

    thread = threading.Thread(target=go_on)
    with sinking(trail, cluster.bootstrap), Log(cluster.bootstrap) as log:
        thread.start()
        try:
            for _ in range(3):
                goal = sent + 3
                until(functools.partial(reached, goal), "more events")
                report = reconcile(Opened(trail), log, Watching(), wait_seconds=60)
                assert (report.state, report.differences) == ("green", [])
        finally:
            stop.set()
            thread.join()
    assert sent > 10


def test_ten_thousand_differences_are_counted_and_a_thousand_kept(
    green: Trail, cluster: Broker, folder: Path
) -> None:
    green.command("ALTER TABLE event UPDATE app = 'x' WHERE 1 SETTINGS mutations_sync = 2")
    report = checked(green, cluster)
    assert report.difference_count >= 400
    assert len(report.differences) == min(1_000, report.difference_count)
    assert folder.exists()
