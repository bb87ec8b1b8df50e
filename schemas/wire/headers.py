"""CloudEvents attributes as Kafka headers, so that tools can route without decoding."""

from collections.abc import Sequence
from typing import Final

from schemas.events import Event
from schemas.times import rfc3339
from schemas.wire.codec import LATEST


def ce_headers(event: Event) -> list[tuple[str, bytes]]:
    """The `ce_*` headers of an event (CloudEvents 1.0, Kafka protocol binding, binary mode)."""
    name = type(event).__name__
    source = getattr(event, "app", None) or "shilu"
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": event.event_id,
        "ce_type": f"shilu.{name}.v{LATEST[name].version}",
        "ce_source": f"/{source}",
        "ce_time": rfc3339(event.occurred_at, 0),
        "content-type": "application/avro",
    }
    subject = getattr(event, "volunteer_id", None)
    if subject is not None:
        attributes["ce_subject"] = subject
        attributes["ce_partitionkey"] = subject
    return [(key, value.encode()) for key, value in attributes.items()]


ORIGIN: Final = "shilu_origin"
"""Header of a record that was sent on, always the first one: where on its topic it was before."""

_ORIGIN_BYTES_MAX: Final = 32


def origin_header(partition: int, offset: int) -> tuple[str, bytes]:
    """The header that says where a record was before it was sent on."""
    return ORIGIN, f"{partition}/{offset}".encode()


def origin_of(headers: Sequence[tuple[str, bytes | None]]) -> tuple[int, int] | None:
    """Where a record says that it was before: partition and offset; None if it says nothing.

    Anybody can write a header: it counts only where the log bears it out.
    """
    if not headers or headers[0][0] != ORIGIN:
        return None
    value = headers[0][1]
    if value is None or len(value) > _ORIGIN_BYTES_MAX:
        return None
    partition, _, offset = value.decode("ascii", "replace").partition("/")
    if not (_is_number(partition) and _is_number(offset)):
        return None
    return int(partition), int(offset)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18
