"""The clock of a worker: it writes time itself into the log, and is judged by the broker's.

A tick counts as of when the log recorded it, so a worker's own clock decides nothing. It decides
not even when a tick is due: between ticks the broker's time goes on by what never jumps. That is
how a wrong clock is noticed, too.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from logging import getLogger

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from ledger.catalogue.catalogue import Catalogue
from schemas.events import ClockTicked
from schemas.times import SECOND
from schemas.topics import CHECKINS
from schemas.validity import EARLIEST, LATEST
from schemas.wire.codec import encode
from streams.kafka.bounded import ASK_SECONDS, stop, within
from streams.state.accounts import Store, Working

log = getLogger(__name__)

TICK_SECONDS = 60.0

IDLE_TURNS = 60
"""Where nothing happened and nothing is due, one turn in so many ticks all the same."""

TICK_KEY = b"tick"
"""Record key of ClockTicked, which belongs to a partition and not to a volunteer."""

LOG_APPEND_TIME = 1
"""`timestamp_type` of a record that has the broker's time."""

JUMP_SECONDS = 1.0
"""By how much a clock has been set since the last tick, that the broker is asked at once."""


def is_wanted(store: Store, at: int, catalogue: Catalogue) -> bool:
    """Would a tick find anything to do in a partition, or any posting since the last one?"""
    if not store.only_ticks:
        return True
    working = Working(store)
    return bool(working.due_by(at, catalogue) or working.elsewhere(catalogue))


@dataclass(slots=True)
class Skew:
    """This machine's clock beside the broker's.

    `ahead` are the seconds it was ahead by at the last tick; between sending and receipt it may
    have been anything, so it is the least that explains what the broker said. `base` is the
    broker's time minus that of the event loop.
    """

    ahead: float
    base: float
    partition: int

    def now(self, loop_time: float) -> float:
        """The broker's time, in Unix seconds."""
        return loop_time + self.base


def skew_of(partition: int, before: float, after: float, told: float, loop_time: float) -> Skew:
    """What the broker's time of a record says of the clock that was read before and after it was
    sent; `loop_time` belongs to `after`."""
    ahead = before - told if told < before else min(after - told, 0.0)
    return Skew(ahead, after - ahead - loop_time, partition)


@dataclass(slots=True)
class _Turn:
    """When a partition was looked at and ticked last, by the event loop's time."""

    looked: float
    ticked: float = float("-inf")


class Clock:
    """Ticks for the partitions of one worker, one producer for all of them."""

    def __init__(
        self,
        bootstrap: str,
        wall: Callable[[], float],
        *,
        is_wanted: Callable[[int, int], bool],
        allowed_seconds: Callable[[int], float],
        interval: float = TICK_SECONDS,
    ) -> None:
        """`wall` is this machine's clock in Unix seconds. `is_wanted` tells for a partition and an
        instant (UTC microseconds) whether a tick would find anything, `allowed_seconds` how far
        clocks may differ at an instant."""
        self._bootstrap = bootstrap
        self._wall = wall
        self._is_wanted = is_wanted
        self._allowed_seconds = allowed_seconds
        self._interval = interval
        self._turns: dict[int, _Turn] = {}
        self._producer: AIOKafkaProducer | None = None
        self._skew: Skew | None = None
        self._was_wrong = False

    @property
    def skew_seconds(self) -> float | None:
        """How far this machine's clock is ahead of the broker's now; None before the first tick."""
        if self._skew is None:
            return None
        ahead = self._wall() - self._skew.now(_loop_time())
        # What the last tick could not tell from none is none.
        return round(ahead, 1) if self._skew.ahead or abs(ahead) > JUMP_SECONDS else 0.0

    @property
    def fault(self) -> str | None:
        """What is wrong with this machine's clock and what to do about it; None if nothing is."""
        ahead, skew = self.skew_seconds, self._skew
        if ahead is None or skew is None or abs(ahead) <= self._allowed(skew):
            return None
        return (
            f"this machine's clock is {abs(ahead):g} s {'ahead of' if ahead > 0 else 'behind'} "
            f"the broker's (the leader of {CHECKINS}/{skew.partition}): set the one that is wrong, "
            "for example with `timedatectl set-ntp true`; the ledger goes by the broker's"
        )

    def _allowed(self, skew: Skew) -> float:
        return self._allowed_seconds(_micros(skew.now(_loop_time())))

    async def round(self, assigned: set[int]) -> None:
        """Tick where it is time to; comes back within a bound, whatever Kafka does."""
        partitions = self._whose_turn(assigned)
        if not partitions:
            return
        now = self._wall() if self._skew is None else self._skew.now(_loop_time())
        try:
            producer = await self._started()
        except (KafkaError, OSError) as error:
            log.warning("the clock could not tick: %r; trying again", error)
            return
        sent = [self._tick(producer, partition, _micros(now)) for partition in partitions]
        skews = []
        for partition, found in zip(
            partitions, await asyncio.gather(*sent, return_exceptions=True), strict=True
        ):
            if isinstance(found, Skew):
                skews.append(found)
            elif isinstance(found, KafkaError | OSError):
                log.warning("the clock could not tick in partition %s: %r", partition, found)
            elif found is not None:
                raise found
        if len(skews) < len(partitions):
            await self.close()
        if skews:
            self._skew = max(skews, key=lambda skew: abs(skew.ahead))
            self._say()

    def _whose_turn(self, assigned: set[int]) -> list[int]:
        """Every partition in its first round and where anything is to be done; the others now and
        then; all where this machine's clock was set."""
        now, found = _loop_time(), []
        for gone in self._turns.keys() - assigned:
            del self._turns[gone]
        jumped = self._skew is not None and self._has_jumped(self._skew, now)
        for partition in sorted(assigned):
            turn = self._turns.get(partition)
            if turn is None:
                turn = self._turns[partition] = _Turn(now)
            elif now - turn.looked < self._interval and not jumped:
                continue
            turn.looked = now
            if jumped or self._must_tick(partition, turn, now):
                found.append(partition)
        return found

    def _must_tick(self, partition: int, turn: _Turn, now: float) -> bool:
        if self._skew is None or now - turn.ticked >= self._interval * IDLE_TURNS:
            return True
        return self._is_wanted(partition, _micros(self._skew.now(now)))

    def _has_jumped(self, skew: Skew, now: float) -> bool:
        return abs(self._wall() - skew.now(now) - skew.ahead) > JUMP_SECONDS

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all")
            try:
                await within(ASK_SECONDS, producer.start(), "starting the clock's producer")
            except BaseException:
                await stop(producer, "the clock's producer")
                raise
            self._producer = producer
        return self._producer

    async def _tick(self, producer: AIOKafkaProducer, partition: int, now: int) -> Skew | None:
        """Write one tick; what the broker's time of it says of this machine's clock."""
        event = ClockTicked(f"tick-{partition}-{now // SECOND}", now)
        before = self._wall()
        told = await within(
            ASK_SECONDS,
            producer.send_and_wait(CHECKINS, encode(event), key=TICK_KEY, partition=partition),
            f"ticking in partition {partition}",
        )
        after, loop_time = self._wall(), _loop_time()
        if partition in self._turns:
            self._turns[partition].ticked = loop_time
        if told.timestamp_type != LOG_APPEND_TIME:
            return None
        return skew_of(partition, before, after, told.timestamp / 1000, loop_time)

    def _say(self) -> None:
        """Say it once when the clock goes wrong, and when it is right again."""
        fault = self.fault
        if fault is not None and not self._was_wrong:
            log.error("%s", fault)
        elif fault is None and self._was_wrong:
            log.info("this machine's clock and the broker's agree again")
        self._was_wrong = fault is not None

    async def close(self) -> None:
        """Let the producer go; the next tick starts another one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop(producer, "the clock's producer")


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


def _micros(unix_seconds: float) -> int:
    """An instant that an event may have, however wrong the clock is."""
    return min(max(int(unix_seconds) * SECOND, EARLIEST), LATEST - SECOND)
