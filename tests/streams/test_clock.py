"""A worker's clock: what it says of this machine's, and that nothing waits for it for ever."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deploy.broker.broker import Broker
from schemas.events import ClockTicked
from schemas.times import MINUTE, SECOND
from schemas.topics import CHECKINS
from schemas.validity import faults
from schemas.wire.codec import decode_event
from streams.worker import clock as module
from streams.worker.clock import IDLE_TURNS, Clock, Skew, skew_of
from tests.judge import read

ALLOWED = 300.0


def test_a_clock_between_sending_and_receipt_is_right() -> None:
    assert skew_of(0, 100.0, 130.0, 115.0, 7.0).ahead == 0
    assert skew_of(0, 100.0, 130.0, 90.0, 7.0).ahead == 10
    assert skew_of(0, 100.0, 130.0, 150.0, 7.0).ahead == -20


def test_the_brokers_time_goes_on_whatever_this_machines_clock_does() -> None:
    skew = skew_of(0, 1_000.0, 1_002.0, 400.0, 50.0)
    assert skew == Skew(600.0, 352.0, 0)
    assert skew.now(50.0) == 402.0
    assert skew.now(110.0) == 462.0


class Told:
    """A clock without Kafka: what it would tick, with a broker whose time is `loop time + base`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, base: float = 1_700_000_000.0) -> None:
        self.loop_time, self.base, self.wrong = 0.0, base, 0.0
        self.wanted: set[int] = set()
        self.asked: list[tuple[int, int]] = []
        monkeypatch.setattr(module, "_loop_time", lambda: self.loop_time)
        self.clock = Clock(
            "", lambda: self.loop_time + self.base + self.wrong, is_wanted=self._is_wanted,
            allowed_seconds=lambda at: ALLOWED,
        )  # fmt: skip

    def _is_wanted(self, partition: int, at: int) -> bool:
        self.asked.append((partition, at))
        return partition in self.wanted

    def turn(self, *assigned: int, answered: bool = True) -> list[int]:
        """A round, and the broker's answer to it."""
        found = self.clock._whose_turn(set(assigned))
        for partition in found if answered else ():
            self.clock._turns[partition].ticked = self.loop_time
            now = self.loop_time + self.base
            wall = now + self.wrong
            self.clock._skew = skew_of(partition, wall, wall, now, self.loop_time)
        return found


def test_a_partition_is_ticked_as_it_comes_and_then_when_there_is_something_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = Told(monkeypatch)
    assert told.turn(0, 1) == [0, 1]
    told.loop_time = 59
    told.wanted = {1}
    assert told.turn(0, 1) == []
    told.loop_time = 60
    assert told.turn(0, 1, 2) == [1, 2]
    told.loop_time = 120
    assert told.turn(0, 1, 2) == [1]
    told.wanted = set()
    told.loop_time = 60 * IDLE_TURNS
    assert told.turn(0, 1, 2) == [0]
    # Who comes back has been somebody else's meanwhile.
    assert told.turn(1, 2) == []
    assert told.turn(0, 1, 2) == [0]


def test_a_partition_that_could_not_be_ticked_is_ticked_in_the_next_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = Told(monkeypatch)
    assert told.turn(0, answered=False) == [0]
    told.loop_time = 1
    assert told.turn(0) == []
    told.loop_time = 60
    assert told.turn(0) == [0]


def test_whether_a_tick_is_wanted_is_asked_of_the_brokers_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for wrong in (-7_200.0, 7_200.0):
        told = Told(monkeypatch)
        told.wrong = wrong
        told.turn(0)
        told.loop_time = 60
        told.turn(0)
        assert told.asked == [(0, int(told.base + 60) * SECOND)]
        assert told.clock.skew_seconds == wrong
        fault = told.clock.fault
        assert fault is not None
        assert f"7200 s {'ahead of' if wrong > 0 else 'behind'} the broker's" in fault


def test_a_clock_that_is_set_is_noticed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch)
    told.turn(0, 1)
    assert (told.clock.skew_seconds, told.clock.fault) == (0, None)
    told.loop_time, told.wrong = 2.0, 301.0
    # Before the broker was asked again.
    assert told.clock.skew_seconds == 301
    assert told.clock.fault is not None
    assert told.turn(0, 1) == [0, 1]
    told.loop_time = 3.0
    assert told.turn(0, 1) == []
    told.wrong = 299.0
    assert told.clock.fault is None


def ticks(bootstrap: str) -> list[tuple[int, ClockTicked, int]]:
    """All ticks in the log, by partition: partition, event, and when it was recorded."""
    found = []
    for record in sorted(read(bootstrap, CHECKINS), key=lambda r: (r.partition, r.offset)):
        event = decode_event(record.value)
        assert isinstance(event, ClockTicked)
        found.append((record.partition, event, record.timestamp * 1000))
    return found


def a_clock(bootstrap: str, wall: Callable[[], float]) -> Clock:
    return Clock(
        bootstrap, wall, is_wanted=lambda partition, at: True,
        allowed_seconds=lambda at: ALLOWED, interval=0.1,
    )  # fmt: skip


@pytest.mark.kafka
def test_ticks_of_a_wrong_clock_are_good_events_and_the_clock_is_named(
    broker_time: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """Fast, slow, and as a machine is that lost its battery."""
    caplog.set_level(logging.INFO, "streams.worker.clock")
    walls: list[Callable[[], float]] = [
        lambda: time.time() + 3_600, lambda: time.time() - 3_600, lambda: 0.0, lambda: 2.0**40,
    ]  # fmt: skip
    for number, wall in enumerate(walls):

        async def once(clock: Clock, partition: int) -> None:
            await clock.round({partition})
            skew, fault = clock.skew_seconds, clock.fault
            assert skew is not None
            assert abs(skew - (wall() - time.time())) < 30  # noqa: B023
            assert fault is not None
            assert f"/{partition}" in fault
            await clock.close()

        asyncio.run(once(a_clock(broker_time.bootstrap, wall), number))
    said = [record.getMessage() for record in caplog.records]
    assert sum("set the one that is wrong" in message for message in said) == len(walls)
    found = ticks(broker_time.bootstrap)
    assert [partition for partition, *_ in found] == [0, 1, 2, 3]
    for _, event, recorded in found:
        assert list(faults(event)) == []
        assert abs(recorded - time.time() * SECOND) < 5 * MINUTE


@pytest.mark.kafka
def test_a_tick_after_the_first_says_the_brokers_time_and_a_right_clock_is_right(
    broker_time: Broker,
) -> None:
    async def run() -> None:
        wrong = 3_600.0
        clock = a_clock(broker_time.bootstrap, lambda: time.time() + wrong)
        await clock.round({0})
        await asyncio.sleep(0.11)
        await clock.round({0})
        wrong = 0.0
        assert clock.fault is None
        await clock.round({0})
        assert clock.skew_seconds == 0
        await clock.close()

    asyncio.run(run())
    first, *later = [event.occurred_at - recorded for _, event, recorded in
                     ticks(broker_time.bootstrap)]  # fmt: skip
    assert abs(first - 3_600 * SECOND) < MINUTE
    assert len(later) == 2
    assert all(abs(each) < MINUTE for each in later)


@pytest.fixture
def paused(broker_time: Broker) -> Iterator[tuple[str, Callable[[], Any]]]:
    """A broker's address, and how to let it answer nothing any more until the test ends."""
    yield broker_time.bootstrap, lambda: os.kill(broker_time.pid, signal.SIGSTOP)
    os.kill(broker_time.pid, signal.SIGCONT)


@pytest.mark.kafka
def test_a_broker_that_answers_nothing_holds_nobody_up(
    paused: tuple[str, Callable[[], Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap, pause = paused

    async def run() -> None:
        clock = a_clock(bootstrap, time.time)
        await clock.round({0, 1})
        monkeypatch.setattr(module, "ASK_SECONDS", 0.5)
        assert clock.skew_seconds is not None
        pause()
        # The one that was connected before, and then one that is not.
        for _ in range(2):
            await asyncio.sleep(0.11)
            began = time.monotonic()
            await clock.round({0, 1})
            assert time.monotonic() - began < 5

    asyncio.run(run())
