"""What `make soak` draws and sends: every fault in its turn, and nothing from the future."""

import time
from itertools import islice

from bench.soak import SIGNALS, drawn, history
from bench.watching.deployment import BROKER, roles_of
from schemas.events import ClockTicked
from schemas.times import SECOND


def test_every_role_has_every_fault_once_before_any_comes_again() -> None:
    pairs = {(role, kind) for role in roles_of(2) for kind in SIGNALS}
    turns = list(islice(drawn(3, ()), 2 * len(pairs)))
    assert {turn[:2] for turn in turns[: len(pairs)]} == pairs
    assert {turn[:2] for turn in turns[len(pairs) :]} == pairs
    assert turns == list(islice(drawn(3, ()), 2 * len(pairs)))
    assert turns != list(islice(drawn(4, ()), 2 * len(pairs)))


def test_who_is_spared_is_left_alone() -> None:
    assert BROKER not in {role for role, _, _ in islice(drawn(3, (BROKER,)), 50)}


def test_what_is_sent_has_happened_already() -> None:
    now = time.time()
    events = [sending.event for sending in islice(history(20_000, 5, now), 20_000)]
    told = [event.occurred_at for event in events if event and not isinstance(event, ClockTicked)]
    limit = int(now * SECOND)
    assert len(told) > 15_000
    # But for phones whose clocks are wrong.
    assert sum(at > limit for at in told) < len(told) / 100
