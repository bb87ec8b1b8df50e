"""CloudEvents attributes as Kafka headers, so that tools can route without decoding."""

from schemas.codec import LATEST
from schemas.events import Event
from schemas.times import rfc3339


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
