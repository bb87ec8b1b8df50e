"""The sink over a real Kafka and a real chDB: everything once, nothing in silence."""

import random
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from consumers.kafka.reader import Log, LogError
from consumers.trail.batch import Limits
from consumers.trail.progress import Progress
from consumers.trail.resume import SinkError
from consumers.trail.rows import arrow, rows_of
from consumers.trail.sink import WRITE_ORDER
from consumers.trail.store import Trail, open_trail
from deploy.broker.broker import Broker
from schemas.posting import PartitionState
from schemas.topics import ACCESS, CHECKINS, CHECKPOINTS, POSTINGS, QUARANTINE
from schemas.wire.codec import encode
from tests.seal.notes import a_note
from tests.trail.book import Book, a_look, line, random_book
from tests.trail.conftest import make_anew
from tests.trail.fill import Sender, fill
from tests.trail.running import caught_up, copy_all, sinking, until

pytestmark = pytest.mark.kafka

KEYS = {
    "event": "topic, partition, offset",
    "line": "partition, offset, line_no",
    "posting": "partition, offset",
    "quarantine": "partition, offset",
    "catalogue": "partition, offset",
    "checkpoint": "partition, offset",
    "access_log": "partition, offset",
}


def counts(trail: Trail) -> dict[str, int]:
    """Rows of each table; fails if any is there twice."""
    found = {}
    for table, key in KEYS.items():
        (row,) = trail.query(f"SELECT count() AS n, uniqExact({key}) AS once FROM {table}")
        assert row["n"] == row["once"], f"{table} has rows twice"
        found[table] = row["n"]
    return found


def postings(trail: Trail) -> int:
    return int(trail.query("SELECT count() AS n FROM posting")[0]["n"])


def expected(book: Book, checkpoints: int = 0, looks: int = 0) -> dict[str, int]:
    return {
        "checkpoint": checkpoints,
        "access_log": looks,
        "event": len(book.inputs) + looks,
        "line": sum(len(posting.lines) for posting in book.postings),
        "posting": len(book.postings),
        "quarantine": len(book.quarantined),
        "catalogue": sum(record.topic == "registry.catalogue" for record in book.inputs),
    }


def test_everything_is_copied_once_also_beside_aborted_transactions(
    cluster: Broker, trail: Trail
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    book, sender = random_book(random.Random(seed), 400), Sender(cluster.bootstrap)
    sender.abort(*book.postings[:5])
    sender.send(book)
    sender.abort(*book.postings[:5])
    progress = copy_all(trail, cluster.bootstrap, Limits(rows=100))
    assert counts(trail) == expected(book)
    assert progress.state == "green"
    copy_all(trail, cluster.bootstrap)
    assert counts(trail) == expected(book)


class Failing(Trail):
    """A trail whose process dies just before it writes to one table."""

    before = ""

    def insert(self, table: str, rows: pa.Table, token: str) -> None:
        if table == self.before:
            raise ConnectionAbortedError(table)
        super().insert(table, rows, token)


def test_a_crash_between_two_tables_neither_doubles_nor_loses(
    cluster: Broker, folder: Path
) -> None:
    book, sender = Book(), Sender(cluster.bootstrap)
    open_trail(folder, create=True).close()
    with Failing(folder) as trail:
        for n, table in enumerate(WRITE_ORDER):
            book.org(f"org-{n}", "name")
            book.serve("v-1", f"s-{n}", line(10), line(20, activity_id="a-2"))
            book.serve("v-1", f"t-{n}")
            book.quarantine(book.put(b"?", key="v-1", topic=CHECKINS), "bad_framing")
            sender.send(book)
            sender.raw(CHECKPOINTS, 3, a_note(3, size=n + 1))
            sender.raw(ACCESS, 0, a_look(n + 1))
            trail.before = table
            with pytest.raises(ConnectionAbortedError):
                copy_all(trail, cluster.bootstrap)
            trail.before = ""
            copy_all(trail, cluster.bootstrap)
            assert counts(trail) == expected(book, n + 1, n + 1), f"after a crash before {table}"


def test_the_same_block_under_the_same_token_counts_once(trail: Trail) -> None:
    book = Book()
    book.serve("v-1", "s-1", line(60))
    rows = [row for record in book.inputs for _, row in rows_of(record)]
    for _ in range(2):
        trail.insert("event", arrow("event", rows), "event/service.checkins/0/0-1")
    assert trail.query("SELECT count() AS n FROM event") == [{"n": 2}]


def test_one_insert_is_one_part(trail: Trail) -> None:
    book = random_book(random.Random(1), 3_000)
    fill(trail, book.inputs)
    parts = trail.query(
        "SELECT count() AS n, sum(rows) AS rows FROM system.parts "
        "WHERE database = 'shilu' AND table = 'event' AND active AND level = 0"
    )
    assert parts == [{"n": 1, "rows": len(book.inputs)}]


@pytest.mark.parametrize(("shift", "code"), [(+1, "index_gap"), (-1, "index_repeat")])
def test_a_gap_or_repeat_of_the_posting_index_turns_the_state_red_for_good(
    cluster: Broker, trail: Trail, shift: int, code: str
) -> None:
    book, sender = Book(), Sender(cluster.bootstrap)
    for n in range(3):
        book.serve("v-1", f"s-{n}", line(10, session_id=f"s-{n}"))
    book.postings[3:] = [replace(p, index=p.index + shift) for p in book.postings[3:]]
    sender.send(book)
    progress = copy_all(trail, cluster.bootstrap)
    assert progress.state == "red"
    count, faults = progress.faults()
    assert count >= 1
    assert faults[0].code == code
    assert counts(trail) == expected(book)
    again = copy_all(trail, cluster.bootstrap)
    assert again.state == "red"
    assert again.faults()[1][0].code == "index_not_dense"


def test_an_unreadable_posting_is_kept_and_turns_the_state_red(
    cluster: Broker, trail: Trail
) -> None:
    book, sender = Book(), Sender(cluster.bootstrap)
    book.serve("v-1", "s-1", line(10))
    sender.send(book)
    foreign = encode(PartitionState(0, 0, 0, ()))
    sender.raw(POSTINGS, 7, b"garbage", foreign)
    sender.raw(QUARANTINE, 7, b"garbage")
    for _ in range(2):
        progress = copy_all(trail, cluster.bootstrap)
        assert progress.state == "red"
        assert {fault.code for fault in progress.faults()[1]} == {"unreadable_output"}
        rows = trail.query(
            "SELECT topic, fault, hex(value) AS value FROM event "
            "WHERE topic LIKE 'ledger.%' ORDER BY topic, offset"
        )
        assert [(row["topic"], row["fault"], bytes.fromhex(row["value"])) for row in rows] == [
            (POSTINGS, "bad_framing", b"garbage"),
            (POSTINGS, "wrong_topic", foreign),
            (QUARANTINE, "bad_framing", b"garbage"),
        ]


def test_a_missing_topic_stops_the_sink_with_its_name(cluster: Broker) -> None:
    with Log(cluster.bootstrap) as log, pytest.raises(LogError) as raised:
        log.places([CHECKINS, "service.nowhere"])
    assert raised.value.code == "topic_missing"
    assert "service.nowhere" in raised.value.detail
    with Log(cluster.bootstrap) as log:
        assert "service.nowhere" not in log._consumer.topics()


def test_no_broker_is_told_with_its_address() -> None:
    with pytest.raises(LogError) as raised:
        Log("127.0.0.1:1", start_seconds=0.5)
    assert (raised.value.code, raised.value.detail) == ("kafka_unreachable", "127.0.0.1:1")


def test_a_trail_does_not_go_on_with_another_log(cluster: Broker, trail: Trail) -> None:
    book, sender = Book(), Sender(cluster.bootstrap)
    book.serve("v-1", "s-1", line(10))
    sender.send(book)
    copy_all(trail, cluster.bootstrap)
    make_anew(cluster.bootstrap, [CHECKINS])
    with pytest.raises(SinkError, match="foreign_log"):
        copy_all(trail, cluster.bootstrap)
    other = Book()
    for n in range(5):
        other.serve("v-1", f"other-{n}")
    Sender(cluster.bootstrap, "other").send(other)
    with pytest.raises(SinkError, match="another record at 1"):
        copy_all(trail, cluster.bootstrap)


def test_a_broker_that_is_away_is_never_green_and_the_sink_goes_on_after_it(
    cluster: Broker, trail: Trail
) -> None:
    book, sender = Book(), Sender(cluster.bootstrap)
    book.serve("v-1", "s-1", line(10))
    sender.send(book)
    with sinking(trail, cluster.bootstrap) as (progress, thread):
        until(lambda: progress.state == "green", "green")
        cluster.stop()
        until(lambda: progress.state != "green", "the light to go out")
        assert progress.state == "unknown"
        cluster.start()
        book.serve("v-1", "s-2", line(20))
        sender.send(book)
        until(lambda: postings(trail) == 4, "the postings")
        until(lambda: progress.state == "green", "green again")
        assert thread.is_alive()
    assert counts(trail) == expected(book)


def test_what_is_acknowledged_is_soon_in_the_trail(cluster: Broker, trail: Trail) -> None:
    book, sender = Book(), Sender(cluster.bootstrap)
    with sinking(trail, cluster.bootstrap) as (progress, _):
        until(lambda: caught_up(progress), "the start")
        took = []
        for n in range(10):
            book.serve("v-1", f"s-{n}", line(10))
            sender.send(book)
            began = time.monotonic()
            until(lambda: postings(trail) == len(book.postings), "the postings")
            took.append(time.monotonic() - began)
    print(f"visible after {sorted(took)[len(took) // 2]:.3f} s (median of 10)")
    assert sorted(took)[len(took) // 2] < 2.0


def test_a_batch_is_bounded_by_the_bytes_of_its_values(cluster: Broker, trail: Trail) -> None:
    book, sender = Book(), Sender(cluster.bootstrap)
    for _ in range(60):
        book.quarantine(book.put(b"\0" * 60_000, key="v-1", topic=CHECKINS), "unknown_schema")
    sender.send(book)
    largest = 0

    class Watched(Trail):
        def insert(self, table: str, rows: pa.Table, token: str) -> None:
            nonlocal largest
            largest = max(largest, rows.nbytes)
            super().insert(table, rows, token)

    with Watched(trail._folder) as watched:
        copy_all(watched, cluster.bootstrap, Limits(value_bytes=500_000))
    assert counts(trail) == expected(book)
    assert largest < 500_000 + 70_000 * 20


def test_the_light_is_not_green_before_the_log_was_seen() -> None:
    assert Progress().state == "unknown"
