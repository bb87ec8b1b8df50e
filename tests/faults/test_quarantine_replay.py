"""`shilu quarantine replay`: once, by name, dated by the first record, and in no loop."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from schemas.events import RecordReplayed
from schemas.posting import Posting
from schemas.times import HOUR, SECOND
from schemas.topics import (
    ACCOUNTS,
    CATALOGUE,
    CHECKINS,
    HOURS,
    KEY_OF,
    OUTPUT_BATCH_BYTES_MAX,
    PARTITIONS,
)
from schemas.wire.codec import encode
from streams.partitions.fold_batch import partition_of
from tests.drawn.histories import BASICS, check_in
from tests.faults.harness import Cluster, wait_until
from tests.judge import judge, take
from tests.streams.test_refusals import limit

pytestmark = [pytest.mark.kafka, pytest.mark.faults]

HOME = partition_of("v-1", PARTITIONS)


def shilu(cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        env={**os.environ, "SHILU_HOME": str(cluster.home),
             "SHILU_BOOTSTRAP": cluster.broker.bootstrap, "SHILU_LANG": "en"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def replay(cluster: Cluster, source: str, *more: str) -> subprocess.CompletedProcess[str]:
    said = ("--reason", "limit_raised", "--by", "op-1")
    return shilu(cluster, "quarantine", "replay", source, *said, *more)


def in_quarantine(cluster: Cluster) -> dict[str, Any]:
    """Source -> what is said of it, by the log itself."""
    return {
        f"{e.source_topic}/{e.source_partition}/{e.source_offset}": e
        for e in take(cluster.broker.bootstrap).quarantined
    }


def settled(cluster: Cluster) -> None:
    """Worker and trail have everything."""
    wait_until(lambda: cluster.behind() == 0, "the worker")
    cluster.reconciled()


def test_a_record_is_replayed_once_by_name_and_a_copy_that_fails_again_is_not(
    tmp_path: Path, seen: Callable[[str], None]
) -> None:
    now = int(time.time()) * SECOND
    with Cluster(tmp_path, producer_time=False) as cluster:
        limit(cluster.broker, ACCOUNTS, 4_000)
        producer = KafkaProducer(bootstrap_servers=cluster.broker.bootstrap)
        for known in BASICS:
            key = getattr(known, KEY_OF[type(known).__name__])
            producer.send(CATALOGUE, encode(known), key.encode())
        sessions = [check_in("v-1", f"s{n}", now - HOUR + n) for n in range(40)]
        for event in sessions:
            producer.send(CHECKINS, encode(event), b"v-1", partition=HOME)
        producer.send(CHECKINS, b"no event", b"v-1", partition=HOME)
        producer.send(CHECKINS, bytes(100_000), b"v-1", partition=HOME)
        producer.flush()
        cluster.worker("small")
        cluster.start("s", "sink")
        wait_until(cluster.trail_owned, "the sink owns the trail")
        settled(cluster)
        before = in_quarantine(cluster)
        reasons = {source: entry.reason for source, entry in before.items()}
        first, second = [s for s, reason in reasons.items() if reason == "output_too_large"][:2]
        unreadable, cut = f"{CHECKINS}/{HOME}/40", f"{CHECKINS}/{HOME}/41"

        # What could not enter anyway is refused by name, and nothing is written.
        for source, code in ((unreadable, "still_refused"), (cut, "bytes_not_whole"),
                             (f"{CHECKINS}/{HOME}/0", "not_quarantined")):  # fmt: skip
            done = replay(cluster, source, "--json")
            assert done.returncode != 0
            assert json.loads(done.stdout)["code"] == code
            assert source in done.stdout
        assert shilu(cluster, "quarantine", "replay", first, "--by", "op-1").returncode != 0
        assert not said_of_replays(cluster)

        # Too large still: the copy is quarantined as well, and says whose it is.
        done = replay(cluster, first, "--json")
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        settled(cluster)
        [copy] = in_quarantine(cluster).keys() - before.keys()
        assert f"sent on from {first}" in in_quarantine(cluster)[copy].detail
        for source in (first, copy):
            again = replay(cluster, source)
            assert again.returncode != 0
            assert said["replay_event_id"] in again.stderr

        # Mended: what was not replayed yet counts, and is dated by when it came first.
        cluster.kill("small")
        limit(cluster.broker, ACCOUNTS, OUTPUT_BATCH_BYTES_MAX)
        cluster.worker("large")
        time.sleep(1.5)
        done = replay(cluster, second)
        assert done.returncode == 0, done.stderr
        settled(cluster)
        [posting] = [
            p for p in postings(cluster) if p.event_type == "CheckedIn" and p.source_offset > 41
        ]
        assert (posting.outcome, posting.volunteer_id) == ("posted", "v-1")
        assert posting.recorded_at == before[second].recorded_at
        assert "already" in replay(cluster, second).stderr

        # The event that says so is in the log, with a posting of its own.
        replays = said_of_replays(cluster)
        assert [(r.actor.id, r.reason) for r in replays] == [("op-1", "limit_raised")] * 2
        answers = [p for p in postings(cluster) if p.source_topic == HOURS]
        assert {(p.event_type, p.outcome) for p in answers} == {("RecordReplayed", "posted")}
        # Whoever says it once more past the command is told so by the ledger.
        producer.send(HOURS, encode(replays[0]), b"v-1", partition=HOME)
        producer.flush()
        settled(cluster)
        assert [p.outcome for p in postings(cluster) if p.source_topic == HOURS][-1] == "duplicate"
        assert judge(cluster.broker.bootstrap) == []
        told = shilu(cluster, "replay", "--json")
        assert json.loads(told.stdout)["state"] == "green", told.stdout
        producer.close()
        seen(f"{len(before)} in quarantine: replayed once by name, no loop; replay green")


def postings(cluster: Cluster) -> list[Posting]:
    return take(cluster.broker.bootstrap).postings[HOME]


def said_of_replays(cluster: Cluster) -> list[RecordReplayed]:
    events = [r.event for r in take(cluster.broker.bootstrap).inputs.values() if r is not None]
    return [event for event in events if isinstance(event, RecordReplayed)]
