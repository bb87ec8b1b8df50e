"""The program of docs/subscribe.md, run as it stands: kills and repeats change no balance."""

import random
import re
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from deploy.broker.broker import Broker
from schemas.topics import PARTITIONS, POSTINGS
from tests.trail.book import Book, random_book
from tests.trail.fill import Sender
from tests.trail.running import until

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "subscribe.md").read_text("utf-8")


def program(folder: Path) -> Path:
    """The consumer of the page; the members of its group are missed soon, for the test's sake."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert code.count('"group_id": "my-system"') == 1
    quick = code.replace(
        '"group_id": "my-system"',
        '"group_id": "my-system", "session_timeout_ms": 6000, "heartbeat_interval_ms": 1000, '
        '"max_poll_records": 50',
    )
    file = folder / "consumer.py"
    file.write_text(quick, "utf-8")
    return file


@contextmanager
def consuming(broker: Broker, file: Path) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [sys.executable, file, broker.bootstrap, ROOT / "schemas", file.with_name("store.db")]
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def asked(file: Path, query: str) -> list[tuple[object, ...]]:
    store = file.with_name("store.db")
    if not store.exists():
        return []
    db = sqlite3.connect(store, timeout=30)
    try:
        return list(db.execute(query))
    except sqlite3.OperationalError:
        # Its tables are not made yet.
        return []
    finally:
        db.close()


def prepared(file: Path) -> None:
    """The tables of the page, and one that notes every balance that was ever written."""
    code = file.read_text("utf-8")
    with sqlite3.connect(file.with_name("store.db")) as db:
        for statement in re.findall(r'"(CREATE TABLE [^"]+)"', code):
            db.execute(statement)
        db.execute("CREATE TABLE told (volunteer_id TEXT, minutes INT)")
        db.execute("CREATE TRIGGER telling AFTER INSERT ON balance BEGIN "
                   "INSERT INTO told VALUES (NEW.volunteer_id, NEW.minutes); END")  # fmt: skip
    db.close()


def taken(file: Path) -> int:
    return len(asked(file, "SELECT part FROM taken"))


def rewind(broker: Broker) -> bool:
    """Let the group begin at the beginning again; False while its dead member still holds it."""
    consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap, group_id="my-system",
                             enable_auto_commit=False)  # fmt: skip
    try:
        places = [TopicPartition(POSTINGS, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        consumer.commit({place: OffsetAndMetadata(0, "", -1) for place in places})
    except KafkaError:
        return False
    finally:
        consumer.close()
    return True


def test_the_consumer_of_the_page_writes_each_balance_once_through_a_kill_and_repeats(
    cluster: Broker, tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    book = random_book(random.Random(seed), 600)
    sender = Sender(cluster.bootstrap)
    sender.send(book)
    never = replace(book.postings[-1], volunteer_id="v-never", index=10**6)
    sender.abort(never)
    file = program(tmp_path)
    prepared(file)
    with consuming(cluster, file) as process:
        until(lambda: taken(file) > 0, "the first postings")
        process.kill()
    # All of it comes once more, read or not.
    until(lambda: rewind(cluster), "the group to miss its member")
    with consuming(cluster, file) as process:
        until(lambda: taken(file) >= len(book.postings), "all postings")
        until(lambda: committed(cluster) >= len(book.postings), "the group to be at the end")
        process.terminate()
        assert process.wait(30) == 0, "it leaves its group when asked to end"
    written: dict[str, list[int]] = defaultdict(list)
    for name, minutes in asked(file, "SELECT volunteer_id, minutes FROM told ORDER BY rowid"):
        written[str(name)].append(int(str(minutes)))
    assert written == balances(book)
    assert sorted(asked(file, "SELECT * FROM taken")) == sorted(
        (one.partition, one.index) for one in book.postings
    )


def committed(broker: Broker) -> int:
    """How many records the group has left behind, in all partitions together."""
    consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap, group_id="my-system",
                             enable_auto_commit=False)  # fmt: skip
    try:
        places = [TopicPartition(POSTINGS, number) for number in range(PARTITIONS)]
        return sum(consumer.committed(place) or 0 for place in places)
    finally:
        consumer.close()


def balances(book: Book) -> dict[str, list[int]]:
    """Every balance of every volunteer, in the order of the ledger."""
    found: dict[str, list[int]] = defaultdict(list)
    for one in book.postings:
        if one.volunteer_id:
            found[one.volunteer_id].append(one.balance_minutes)
    return found


def test_the_program_is_as_short_as_the_page_says_and_names_the_rules() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    loop = code[code.index("with KafkaConsumer") :].splitlines()
    assert len(loop) <= 15
    for rule in ('"isolation_level": "read_committed"', 'p["partition"], p["index"]',
                 'p["balance_minutes"]', 'if new and p["volunteer_id"]'):  # fmt: skip
        assert rule in code
