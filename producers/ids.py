"""Event ids: UUIDv7, so that they sort by time and never meet."""

from uuid import UUID

import uuid6

RANDOM_BITS = 74
"""How many bits of a UUIDv7 are not time, version or variant."""


def new_event_id() -> str:
    """A fresh event id; make it once, store it, and send it with every retry."""
    return str(uuid6.uuid7())


def event_id_at(millis: int, random_bits: int) -> str:
    """The UUIDv7 of this instant (milliseconds since 1970) with these RANDOM_BITS random bits."""
    high = random_bits >> 62
    low = random_bits & ((1 << 62) - 1)
    return str(UUID(int=millis << 80 | 7 << 76 | high << 64 | 2 << 62 | low))
