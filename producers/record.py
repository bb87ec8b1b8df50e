"""An event as the Kafka record that carries it."""

from dataclasses import dataclass
from functools import lru_cache

from kafka.partitioner import murmur2

from producers.errors import MalformedEvent
from schemas.events import ClockTicked, Event
from schemas.topics import KEY_OF, TOPIC_OF, VALUE_BYTES_MAX
from schemas.validity import Fault, faults
from schemas.wire.codec import encode
from schemas.wire.headers import ce_headers

TICK_KEY = b"tick"


@dataclass(frozen=True, slots=True)
class Record:
    """What is handed to the broker. `partition` None: by key; `timestamp_ms` None: the time now."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    partition: int | None = None
    timestamp_ms: int | None = None


@lru_cache(maxsize=1 << 16)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition that Kafka's default partitioner (murmur2) gives this key."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


def key_of(event: Event) -> bytes:
    """The record key: the volunteer, the entity of the catalogue, or `tick`."""
    if isinstance(event, ClockTicked):
        return TICK_KEY
    key: str = getattr(event, KEY_OF.get(type(event).__name__, "volunteer_id"))
    return key.encode()


def record_of(
    event: Event, *, partition: int | None = None, timestamp_ms: int | None = None
) -> Record:
    """The record of a well-formed event; raises MalformedEvent if it cannot be one."""
    name = type(event).__name__
    try:
        value = encode(event)
    # What fastavro raises for a value of another type, an unknown enum symbol, a lone surrogate.
    except (TypeError, ValueError, AttributeError, LookupError, OverflowError) as error:
        raise MalformedEvent([Fault("value_form", "", name, str(error)[:200])]) from error
    if len(value) > VALUE_BYTES_MAX:
        fault = Fault("oversized", "", f"{len(value)} bytes", f"at most {VALUE_BYTES_MAX}")
        raise MalformedEvent([fault])
    return Record(TOPIC_OF[name], key_of(event), value, ce_headers(event), partition, timestamp_ms)


def require_well_formed(event: Event) -> None:
    """Raises MalformedEvent with every fault of the event's fields."""
    try:
        found = list(faults(event))
    except TypeError as error:
        raise MalformedEvent(
            [Fault("value_form", "", type(event).__name__, str(error)[:200])]
        ) from error
    if found:
        raise MalformedEvent(found)
