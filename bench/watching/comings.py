"""When workers come and go in `make bench-starts`: drawn from a seed, so that a run repeats."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["kill -9", "SIGTERM", "SIGSTOP"]
KINDS: tuple[Kind, ...] = ("kill -9", "SIGTERM", "SIGSTOP")


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one worker when so much of the log is folded, and after how many seconds it
    is started again, or woken."""

    kind: Kind
    victim: int
    share: float
    again_seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """One start: when each worker starts, in seconds, and what happens to one of them, if any."""

    delays: tuple[float, ...]
    fault: Fault | None


def plans(seed: int, starts: int, stagger: float, session_seconds: float) -> Iterator[Plan]:
    """So many starts, of two and three workers in turn; two of each four have a fault."""
    chance = random.Random(seed)
    kinds: list[Kind] = []
    for number in range(starts):
        workers = 2 + number % 2
        delays = tuple(round(chance.uniform(0, stagger), 2) for _ in range(workers))
        fault = None
        if number % 4 in (1, 2):
            kinds = kinds or chance.sample(KINDS, len(KINDS))
            kind = kinds.pop()
            # Asleep for longer than its session, else nobody notices.
            again = chance.uniform(1.2, 2.0) * session_seconds if kind == "SIGSTOP" else None
            fault = Fault(
                kind,
                chance.randrange(workers),
                round(chance.uniform(0.05, 0.6), 2),
                round(chance.uniform(0, stagger) if again is None else again, 2),
            )
        yield Plan(delays, fault)
