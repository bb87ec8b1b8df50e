"""The logs that contestants read: so many facts, the same bytes again, and one of them crowded."""

from collections import Counter
from pathlib import Path

import pytest

from bench.contest.hot import VOLUNTEER
from bench.contest.log import Entry, Log, entries, prepared, simulated
from ledger.hours.bounds import SPANS_A_DAY_MAX
from schemas.events import CheckedIn
from schemas.times import DAY
from schemas.topics import FACTS
from schemas.wire.codec import Undecodable, decode_event

FACTS_WANTED = 3_000


def facts(log: Log) -> list[Entry]:
    return [entry for entry in simulated(log) if entry.topic in FACTS]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("hot", [False, True])
def test_the_file_holds_what_was_simulated_and_is_made_once(cache: Path, hot: bool) -> None:
    log = Log(FACTS_WANTED, hot)
    told: list[tuple[int, int]] = []
    path = prepared(log, lambda done, of: told.append((done, of)))
    assert path.is_relative_to(cache)
    found = list(entries(path))
    assert found == list(simulated(log))
    assert sum(entry.topic in FACTS for entry in found) == FACTS_WANTED
    assert told
    told.clear()
    assert prepared(log, lambda done, of: told.append((done, of))) == path
    assert not told


def test_another_log_is_another_file() -> None:
    logs = [Log(FACTS_WANTED), Log(FACTS_WANTED + 1), Log(FACTS_WANTED, hot=True)]
    assert len({log.path for log in logs}) == 3


def test_nine_of_ten_facts_are_one_volunteers_alone_in_a_partition() -> None:
    found = facts(Log(FACTS_WANTED, hot=True))
    whose = Counter(entry.key for entry in found)
    # Not from the first fact on: the first check-in lends its place.
    assert 88 <= whose[VOLUNTEER.encode()] * 100 // FACTS_WANTED <= 90
    home = {entry.partition for entry in found if entry.key == VOLUNTEER.encode()}
    assert len(home) == 1
    assert {entry.key for entry in found if entry.partition in home} == {VOLUNTEER.encode()}


def test_the_busy_volunteer_keeps_within_the_ledgers_bounds() -> None:
    days: Counter[int] = Counter()
    for entry in facts(Log(FACTS_WANTED, hot=True)):
        if entry.key == VOLUNTEER.encode():
            event = decode_event(entry.value)
            if isinstance(event, CheckedIn):
                days[event.occurred_at // DAY] += 1
                assert 0 <= entry.timestamp_ms * 1000 - event.occurred_at < DAY
    assert 0 < max(days.values()) < SPANS_A_DAY_MAX // 2


def test_the_even_log_has_many_volunteers_and_some_garbage() -> None:
    found = facts(Log(FACTS_WANTED))
    assert len({entry.key for entry in found}) > 500
    assert {entry.partition for entry in found} == set(range(8))

    def is_garbage(entry: Entry) -> bool:
        try:
            decode_event(entry.value)
        except Undecodable:
            return True
        return False

    assert any(map(is_garbage, found))
