"""The other shape of a log: nine of ten facts are one volunteer's, in a partition of its own.

Half-hourly sessions over many years, because a person can hardly serve more; so it also shows
whether an event gets dearer with the length of a history.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from itertools import count, islice
from random import Random

from producers.ids import RANDOM_BITS, event_id_at
from producers.record import partition_of
from producers.simulator.simulate import Sending
from schemas.events import Actor, CheckedIn, CheckedOut
from schemas.times import DAY, MINUTE, SECOND, day
from schemas.topics import CHECKINS, FACTS, PARTITIONS
from schemas.wire.codec import encode

VOLUNTEER = "v-busy"
SHARE = 9
"""So many facts of the one volunteer follow each fact of anybody else."""

_SINCE = "2005-01-01"
_HOME = partition_of(VOLUNTEER.encode(), PARTITIONS)


def crowd_on_one(records: Iterable[Sending]) -> Iterator[Sending]:
    """The records without the facts of that partition, and the busy volunteer's among them."""
    history: Iterator[Sending] = iter(())
    begun = False
    for sent in records:
        if sent.topic in FACTS and _partition(sent) == _HOME:
            continue
        yield sent
        if not begun and isinstance(sent.event, CheckedIn):
            history, begun = _history(sent.event), True
        if begun and sent.topic in FACTS:
            yield from islice(history, SHARE)


def _partition(sent: Sending) -> int:
    return partition_of(sent.key, PARTITIONS) if sent.partition is None else sent.partition


def _history(like: CheckedIn) -> Iterator[Sending]:
    """Sessions of twenty minutes, one every half hour, at the place of this check-in."""
    rng = Random(VOLUNTEER)
    for number in count():
        start = day(_SINCE) * DAY + number * 30 * MINUTE
        check_in = replace(
            like,
            event_id=_event_id(rng, start),
            volunteer_id=VOLUNTEER,
            session_id=f"s-{number}",
            occurred_at=start,
            offline=False,
            actor=Actor(VOLUNTEER, "volunteer"),
        )
        end = start + 20 * MINUTE
        check_out = CheckedOut(
            **{field.name: getattr(check_in, field.name) for field in fields(check_in)}
            | {"event_id": _event_id(rng, end), "occurred_at": end}
        )
        for event in (check_in, check_out):
            at = event.occurred_at + SECOND
            yield Sending(CHECKINS, VOLUNTEER.encode(), encode(event), None, at, event)


def _event_id(rng: Random, at: int) -> str:
    return event_id_at(at // 1000, rng.getrandbits(RANDOM_BITS))
