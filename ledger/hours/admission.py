"""May a decoded record enter the ledger? (docs/rules.md, section 1)"""

from ledger.account.record import Record
from ledger.catalogue.catalogue import Catalogue
from ledger.hours.lateness import happened_at, skew_micros
from schemas.events import (
    CheckedIn,
    CheckedOut,
    ClockTicked,
    CommendationAwarded,
    HoursImported,
    TrainingRecorded,
)
from schemas.times import DAY, HOUR, rfc3339
from schemas.topics import FACTS, KEY_OF, TOPIC_OF, TRANSFERS
from schemas.validity import faults

_MOST_AHEAD = 18 * HOUR
"""No civil time is further ahead of UTC."""


def barred(record: Record, catalogue: Catalogue) -> tuple[str, str] | None:
    """Why a record must be quarantined: (reason code, what was found); None if it may enter."""
    event = record.event
    name = type(event).__name__
    if TOPIC_OF[name] != record.topic:
        return "wrong_topic", f"{name} on {record.topic}, belongs on {TOPIC_OF[name]}"
    found = faults(event)
    if found:
        fault = found[0]
        if fault.code == "personal_data":
            return "personal_data", f"{fault.field}, allowed: {fault.allowed}"
        return fault.code, f"{fault.field}={fault.value!r}, allowed: {fault.allowed}"
    if not isinstance(event, ClockTicked):
        field = KEY_OF.get(name, "volunteer_id")
        key = getattr(event, field)
        if record.key != key:
            return "wrong_key", f"key {record.key!r}, {field} {key!r}"
    # Facts that one account hands to another were admitted when they came. What a tick says of the
    # time nobody goes by: its time is when the log recorded it.
    if record.topic not in FACTS or record.topic == TRANSFERS or isinstance(event, ClockTicked):
        return None
    return _in_the_future(record, catalogue)


def _in_the_future(record: Record, catalogue: Catalogue) -> tuple[str, str] | None:
    """What happened cannot have happened after it was received; clocks may differ a little."""
    event = record.event
    site_id: str | None = getattr(event, "site_id", None)
    latest = record.recorded_at + skew_micros(site_id, record.recorded_at, catalogue)
    if isinstance(event, (CheckedIn, CheckedOut)):
        at, _ = happened_at(event, record.recorded_at, catalogue)
        return _ahead("occurred_at", at, latest, record.recorded_at)
    if isinstance(event, (HoursImported, TrainingRecorded)):
        # No place on earth has this date yet before then.
        times = {"service_date": event.service_date * DAY - _MOST_AHEAD}
    elif isinstance(event, CommendationAwarded):
        times = {"awarded_on": event.awarded_on * DAY - _MOST_AHEAD}
    else:
        times = {field: getattr(event, field, 0) for field in ("occurred_at", "start_at", "end_at")}
    for field, at in times.items():
        if (found := _ahead(field, at, latest, record.recorded_at)) is not None:
            return found
    return None


def _ahead(field: str, at: int, latest: int, recorded_at: int) -> tuple[str, str] | None:
    if at <= latest:
        return None
    return "in_the_future", f"{field}={rfc3339(at)}, received {rfc3339(recorded_at)}"
