"""kill -9 of the sink while the ledger is being written: no row lost, none doubled."""

import random
import threading
from pathlib import Path

import pytest

from consumers.api.trail_client import At, Opened, find_owner
from consumers.kafka.reader import Log
from consumers.reconcile.reconcile import reconcile
from consumers.trail.store import open_trail
from deploy.broker.broker import Broker
from schemas.posting import Posting, Quarantined
from tests.trail.book import random_book
from tests.trail.fill import Sender
from tests.trail.lights.test_reconcile import Watching
from tests.trail.running import health, shilu, sink_process, start_sink, until
from tests.trail.test_sink import counts, expected

pytestmark = [pytest.mark.kafka, pytest.mark.faults]

KILLS = 5
EVENTS = 12_000


def rows_written(home: Path) -> int:
    """How many rows the running sink says it has written since it started."""
    owner = find_owner(At(home))
    if owner is None:
        return 0
    with owner.client as client:
        lines = client.get("/metrics").text.splitlines()
    return sum(
        int(float(line.rsplit(" ", 1)[1]))
        for line in lines
        if line.startswith("shilu_trail_rows_total")
    )


def kill_after(rows: int, home: Path, bootstrap: str, done: threading.Event) -> None:
    """Start a sink and kill it, alive, when it has written so many rows.

    Once everything is sent there may be no more rows to wait for: then when it has caught up.
    """
    process = start_sink(home, bootstrap)
    try:
        ended = process.poll

        def now() -> bool:
            idle = done.is_set() and (health(home) or {}).get("state") == "green"
            return idle or rows_written(home) >= rows or ended() is not None

        until(now, "rows")
        assert ended() is None, "only kills of a live process count"
    finally:
        process.kill()
        process.wait()


def test_five_kills_lose_nothing_and_double_nothing(cluster: Broker, tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    rng = random.Random(seed)
    book, home = random_book(rng, EVENTS, volunteers=200), tmp_path
    sender = Sender(cluster.bootstrap)
    everything = book.inputs, book.postings, book.quarantined
    done, kills = threading.Event(), 0

    def produce() -> None:
        """In transactions of random size; some are aborted, and leave holes."""
        inputs, postings, quarantined = everything
        at = 0
        while at < len(inputs):
            at += rng.randrange(50, 300)
            before = {(r.topic, r.partition, r.offset) for r in inputs[:at]}
            book.inputs = inputs[:at]
            book.postings = [p for p in postings if _source(p) in before]
            book.quarantined = [q for q in quarantined if _source(q) in before]
            sender.send(book)
            if rng.random() < 0.2:
                sender.abort(*postings[:20])
        done.set()

    thread = threading.Thread(target=produce)
    thread.start()
    while kills < KILLS:
        kill_after(rng.randrange(1, 400), home, cluster.bootstrap, done)
        kills += 1
    thread.join()
    assert done.is_set()
    book.inputs, book.postings, book.quarantined = everything
    with sink_process(home, cluster.bootstrap) as process:
        until(lambda: (health(home) or {}).get("state") == "green", "green")
        process.terminate()
        assert process.wait(10) == 0
    assert not At(home).owner_file.exists()
    print(f"{kills} kills, {len(book.inputs)} inputs, {len(book.postings)} postings")
    with open_trail(At(home).folder) as trail:
        assert counts(trail) == expected(book)
        with Log(cluster.bootstrap) as log:
            report = reconcile(Opened(trail), log, Watching())
    assert (report.state, report.differences) == ("green", [])


def _source(output: Posting | Quarantined) -> tuple[str, int, int]:
    return output.source_topic, output.source_partition, output.source_offset


def test_a_sink_stops_in_order_within_seconds_and_leaves_no_trace(
    cluster: Broker, tmp_path: Path
) -> None:
    with sink_process(tmp_path, cluster.bootstrap) as process:
        until(lambda: (health(tmp_path) or {}).get("state") == "green", "green")
        process.terminate()
        assert process.wait(5) == 0
    assert not At(tmp_path).owner_file.exists()
    assert health(tmp_path) is None
    again = shilu(tmp_path, cluster.bootstrap, "total", "nobody", "--json")
    assert again.returncode == 5
