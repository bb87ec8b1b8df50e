"""The peers do the job they are compared in: their accounts are those of a plain recomputation."""

import dataclasses
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bench.contest.check import expected_minutes, wrong_accounts
from bench.contest.contestants import BY_KEY, Tools
from bench.contest.ground import Ground
from bench.contest.java import build, missing_tool
from bench.contest.log import Entry, Log, produce, simulated
from bench.contest.rounds import run_one
from bench.peers.simple import Source, fold
from deploy.broker.broker import Broker
from producers.ids import event_id_at
from producers.record import key_of, partition_of
from schemas.events import Actor, CheckedIn, CheckedOut, HoursGranted, SessionVoided
from schemas.posting import Account, Posting, Quarantined
from schemas.times import HOUR, MINUTE, instant
from schemas.topics import ACCOUNTS, FACTS, PARTITIONS, POSTINGS, QUARANTINE, TOPIC_OF
from schemas.wire.codec import decode_output, encode

LOG = Log(2_000)
RUN_SECONDS_MAX = 300.0
START = instant("2025-03-01T09:00:00+08:00")
PLACE = {
    "activity_id": "a-1", "project_id": "p-1", "site_id": None, "shift_id": None,
    "recording_org_id": "o-1", "host_org_id": "o-2",
}  # fmt: skip
TAKEN = {
    "sent_at": None, "channel": "qr", "device_id": None, "app": None, "offline": False,
    "evidence": (),
}  # fmt: skip
VOLUNTEER, ADMIN, BOSS = Actor("v-1", "volunteer"), Actor("u-1", "admin"), Actor("u-2", "admin")
numbers = count()


def nothing(done: int, of: int) -> None:
    pass


def event(kind: type, **fields: Any) -> Any:
    """An event of v-1 with an id of its own."""
    common: dict[str, Any] = {"event_id": event_id_at(0, next(numbers)), "volunteer_id": "v-1"}
    at = fields.get("occurred_at", START)
    whole = {"occurred_at": at, "actor": VOLUNTEER, **TAKEN, **PLACE, **common, **fields}
    return kind(**{field.name: whole[field.name] for field in dataclasses.fields(kind)})


def check_in(session: str, minutes: int, **fields: Any) -> Any:
    return event(CheckedIn, session_id=session, occurred_at=START + minutes * MINUTE, **fields)


def check_out(session: str, minutes: int, **fields: Any) -> Any:
    return event(CheckedOut, session_id=session, occurred_at=START + minutes * MINUTE, **fields)


def grant(name: str, hours: int, **fields: Any) -> Any:
    signed = {"actor": ADMIN, "approver": BOSS, "evidence": ("sha256:1",), "reason": "phone_lost"}
    span = {"start_at": START, "end_at": START + hours * HOUR, "minutes": None}
    return event(HoursGranted, grant_id=name, **{**signed, **span, **fields})


def void(**target: Any) -> Any:
    whole = {"session_id": None, "grant_id": None, "reason": "wrong_person", **target}
    return event(SessionVoided, **whole)


def entry(sent: Any) -> Entry:
    key = key_of(sent)
    topic = TOPIC_OF[type(sent).__name__]
    return Entry(topic, partition_of(key, PARTITIONS), START // 1000, key, encode(sent))


TWICE = check_in("s-1", 0)
GRANTED = grant("g-1", 2)

HISTORIES = {
    "a session": ([check_in("s-1", 0), check_out("s-1", 90)], 90),
    "its ends the other way round": ([check_out("s-1", 90), check_in("s-1", 0)], 90),
    "no check-out": ([check_in("s-1", 0)], 0),
    "the same bytes twice": ([TWICE, TWICE, check_out("s-1", 30)], 30),
    "another event under its id": (
        [TWICE, check_in("s-1", -60, event_id=TWICE.event_id), check_out("s-1", 30)], 30,
    ),
    "two check-ins": ([check_in("s-1", 10), check_in("s-1", 0), check_out("s-1", 30)], 30),
    "two check-outs": ([check_in("s-1", 0), check_out("s-1", 30), check_out("s-1", 20)], 20),
    "a check-out before its check-in": ([check_in("s-1", 0), check_out("s-1", -5)], 0),
    "two sessions": ([x for s in ("s-1", "s-2") for x in (check_in(s, 0), check_out(s, 9))], 18),
    "a voided session": ([check_in("s-1", 0), check_out("s-1", 30), void(session_id="s-1")], 0),
    "voided beforehand": ([void(session_id="s-1"), check_in("s-1", 0), check_out("s-1", 30)], 0),
    "a grant": ([GRANTED], 120),
    "a grant twice": ([GRANTED, grant("g-1", 3)], 120),
    "a voided grant": ([GRANTED, void(grant_id="g-1")], 0),
    "a grant of one person": ([grant("g-1", 2, approver=ADMIN), grant("g-2", 1, approver=None)], 0),
    "a grant without evidence": ([grant("g-1", 2, evidence=())], 0),
}  # fmt: skip


class Kept:
    """A volunteer's state in one partition, in a dict."""

    def __init__(self, kept: dict[tuple[Any, str], Any], key: tuple[int, bytes | None]) -> None:
        self._kept, self._key = kept, key

    def get(self, name: str) -> Any:
        return self._kept.get((self._key, name))

    def set(self, name: str, value: Any) -> None:
        self._kept[self._key, name] = value


def folded(log: list[Entry]) -> tuple[dict[str, int], list[Posting], int]:
    """Balances, postings, and how many records were quarantined, by the Python peers' fold."""
    kept: dict[tuple[Any, str], Any] = {}
    balances, postings, quarantined = {}, [], 0
    for offset, record in enumerate(log):
        source = Source(record.topic, record.partition, offset, record.timestamp_ms)
        out = fold(source, record.key, record.value, Kept(kept, (record.partition, record.key)))
        if out.posting is not None:
            posting = decode_output(out.posting)
            assert isinstance(posting, Posting)
            postings.append(posting)
        if out.account is not None:
            account = decode_output(out.account)
            assert isinstance(account, Account)
            balances[account.volunteer_id] = account.balance_minutes
        if out.quarantined is not None:
            assert isinstance(decode_output(out.quarantined), Quarantined)
            quarantined += 1
    return balances, postings, quarantined


@pytest.mark.parametrize("history", HISTORIES)
def test_the_peers_rules_are_what_they_say(history: str) -> None:
    events, minutes = HISTORIES[history]
    log = [entry(one) for one in events]
    balances, postings, quarantined = folded(log)
    assert balances == {"v-1": minutes}
    assert expected_minutes(log) == {"v-1": minutes}
    assert sum(line.minutes for posting in postings for line in posting.lines) == minutes
    assert (len(postings), quarantined) == (len(log), 0)
    assert [posting.sequence for posting in postings] == list(range(1, len(log) + 1))


def test_the_python_peers_fold_is_the_recomputation() -> None:
    log = [entry for entry in simulated(LOG) if entry.topic in FACTS]
    balances, postings, quarantined = folded(log)
    assert balances == expected_minutes(log)
    assert len(postings) + quarantined == len(log)
    assert quarantined > 0
    assert sum(balances.values()) > 0


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A broker with a small log in its fact topics."""
    with Broker(tmp_path_factory.mktemp("bench"), tied_to_parent=True) as broker:
        found = Ground(broker.bootstrap)
        produce(found.bootstrap, simulated(LOG), LOG.facts, nothing)
        yield found


@pytest.fixture
def ground(written: Ground) -> Iterator[Ground]:
    """The same with empty outputs."""
    yield written
    written.clear("test-")


@pytest.mark.kafka
@pytest.mark.skipif(missing_tool() is not None, reason=f"{missing_tool()} is not installed")
@pytest.mark.parametrize("key", ["streams-c1", "streams-memory-uncached"])
def test_kafka_streams_does_the_whole_job(ground: Ground, tmp_path: Path, key: str) -> None:
    tools = Tools(java=build(print))
    found = run_one(ground, LOG.facts, BY_KEY[key], tools, f"test-{key}", tmp_path, RUN_SECONDS_MAX)
    assert found.end.events == LOG.facts
    log = list(simulated(LOG))
    assert wrong_accounts(log, ground, LOG.facts) == {}
    postings = [decode_output(value) for _, value in ground.read(POSTINGS)]
    entries = [decode_output(value) for _, value in ground.read(QUARANTINE)]
    accounts = {
        account.volunteer_id: account
        for _, value in ground.read(ACCOUNTS)
        if isinstance(account := decode_output(value), Account)
    }
    sources = [
        (out.source_topic, out.source_partition, out.source_offset)
        for out in (*postings, *entries)
        if isinstance(out, Posting | Quarantined)
    ]
    # Each record is in one place, once.
    assert len(sources) == len(set(sources)) == LOG.facts
    lines: dict[str, int] = dict.fromkeys(accounts, 0)
    for posting in postings:
        assert isinstance(posting, Posting)
        if posting.volunteer_id:
            lines[posting.volunteer_id] += sum(line.minutes for line in posting.lines)
    assert lines == {who: account.balance_minutes for who, account in accounts.items()}
    expected = folded([entry for entry in log if entry.topic in FACTS])
    assert len(entries) == expected[2]
    assert sorted(p.outcome for p in postings if isinstance(p, Posting)) == sorted(
        p.outcome for p in expected[1]
    )
