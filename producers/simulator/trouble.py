"""What goes wrong in the field: how often, and the records that no client of ours would write."""

from dataclasses import dataclass
from random import Random

from producers.record import key_of, partition_of
from schemas.events import Fact
from schemas.topics import CHECKINS, EVALUATIONS, HOURS, TOPIC_OF, VALUE_BYTES_MAX
from schemas.wire.codec import LATEST, encode

_SIMULATED = (CHECKINS, HOURS, EVALUATIONS)
"""The topics that a simulated history writes facts to; whoever is measured over one reads these."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Shares from 0 to 1. Of sessions, unless it says otherwise."""

    late: float = 0.05
    """the phone sends both ends hours later"""
    too_late: float = 0.003
    """it sends them after the late window of seven days"""
    no_check_out: float = 0.03
    double_check_in: float = 0.01
    double_check_out: float = 0.01
    overlap: float = 0.02
    """a second session at the same time, recorded by another organisation"""
    clock_ahead: float = 0.003
    """the phone's clock is 10 minutes to 3 hours ahead"""
    walk_in: float = 0.01
    """at an activity that no schedule names; half of them are scheduled the next day"""
    under_a_minute: float = 0.004
    void: float = 0.006
    evaluation: float = 0.03
    """not trouble, but the same kind of number: at most one per volunteer and project"""
    grant: float = 0.04
    """hours taken down afterwards instead of a check-in"""
    alone: float = 0.15
    """of grants: no second person, or no evidence"""
    night: float = 0.05
    """of shifts: across midnight"""
    duplicate: float = 0.02
    """of facts: the same bytes once more"""
    conflict: float = 0.001
    """of facts: another content under the same event_id"""
    raw: float = 0.003
    """of facts: one more record that must end in quarantine"""


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record that is no event where it stands. `partition` None: by key."""

    topic: str
    key: bytes
    value: bytes
    partition: int | None = None


def raw_record(rng: Random, near: Fact, partitions: int) -> RawRecord:
    """Hostile or broken bytes of one of seven kinds, made from a real fact."""
    topic = TOPIC_OF[type(near).__name__]
    key = key_of(near)
    match rng.randrange(7):
        case 0:
            return RawRecord(topic, key, rng.randbytes(rng.randrange(200)))
        case 1:
            unknown = max(schema.id for schema in LATEST.values()) + 1 + rng.randrange(1000)
            return RawRecord(topic, key, b"\0" + unknown.to_bytes(4, "big") + rng.randbytes(40))
        case 2:
            filler = rng.randbytes(VALUE_BYTES_MAX + rng.randrange(1, 4096))
            return RawRecord(topic, key, LATEST["CheckedIn"].frame + filler)
        case 3:
            return RawRecord(topic, key, encode(near) + b"\0")
        case 4:
            return RawRecord(topic, key + b"-other", encode(near))
        case 5:
            wrong = (partition_of(key, partitions) + 1) % partitions
            return RawRecord(topic, key if partitions > 1 else b"", encode(near), wrong)
        case _:
            others = [other for other in _SIMULATED if other != topic]
            return RawRecord(rng.choice(others), key, encode(near))
