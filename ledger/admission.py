"""May a decoded record enter the ledger? (docs/rules.md, section 1)"""

from ledger.catalogue import Catalogue
from ledger.record import Record
from schemas.events import ClockTicked
from schemas.times import DAY, MINUTE, rfc3339
from schemas.topics import FACTS, KEY_OF, TOPIC_OF
from schemas.validity import faults


def barred(record: Record, catalogue: Catalogue) -> tuple[str, str] | None:
    """Why a record must be quarantined: (reason code, what was found); None if it may enter."""
    event = record.event
    name = type(event).__name__
    if TOPIC_OF[name] != record.topic:
        return "wrong_topic", f"{name} on {record.topic}, belongs on {TOPIC_OF[name]}"
    found = faults(event)
    if found:
        fault = found[0]
        return fault.code, f"{fault.field}={fault.value!r}, allowed: {fault.allowed}"
    if not isinstance(event, ClockTicked):
        field = KEY_OF.get(name, "volunteer_id")
        key = getattr(event, field)
        if record.key != key:
            return "wrong_key", f"key {record.key!r}, {field} {key!r}"
    return _in_the_future(record, catalogue) if record.topic in FACTS else None


def _in_the_future(record: Record, catalogue: Catalogue) -> tuple[str, str] | None:
    """What happened cannot have happened after it was received; clocks may differ a little."""
    skew = catalogue.default_policy(record.recorded_at // DAY).max_clock_skew_minutes * MINUTE
    latest = record.recorded_at + skew
    for field in ("occurred_at", "start_at", "end_at"):
        at = getattr(record.event, field, None)
        if at is not None and at > latest:
            received = rfc3339(record.recorded_at)
            return "in_the_future", f"{field}={rfc3339(at)}, received {received}"
    return None
