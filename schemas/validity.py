"""Is an event well formed, field by field? What an Avro schema cannot say."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from schemas.events import Actor, Event
from schemas.times import DAY

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CODE = re.compile(r"[a-z0-9_]{1,64}")
# No control characters, line separators, bidi marks and overrides, halves of surrogate pairs.
_TEXT = re.compile(
    r"[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]{0,256}"
)
_BIRTH_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")

EARLIEST = 10_957 * DAY
"""2000-01-01 UTC; no service of ours is older."""
LATEST = 84_006 * DAY
"""2200-01-01 UTC."""

_IDS = frozenset(
    {"event_id", "volunteer_id", "session_id", "grant_id", "evaluation_id", "activity_id"}
    | {"project_id", "site_id", "shift_id", "recording_org_id", "host_org_id", "org_id"}
    | {"evaluator_org_id", "parent_org_id", "operator_org_id", "policy_id", "brand_id"}
    | {"device_id"}
)
_CODES = frozenset({"reason", "kind", "service_field"})
_TIMES = frozenset({"occurred_at", "sent_at", "start_at", "end_at"})
_TEXTS = frozenset({"name", "app", "region", "timezone", "comment_ref", "identity_hash"})


@dataclass(frozen=True, slots=True)
class Fault:
    """A field that is not as it must be: reason code, field, the value found, what is allowed."""

    code: str
    field: str
    value: str
    allowed: str


def faults(event: Event) -> Iterator[Fault]:
    """Every fault of an event, none if it is well formed."""
    for field in event.__slots__:
        value = getattr(event, field)
        if value is None:
            continue
        if field in _IDS:
            if not _ID.fullmatch(value):
                yield Fault("id_form", field, value, "[A-Za-z0-9_-]{1,64}")
        elif field in _TIMES:
            if not EARLIEST <= value < LATEST:
                yield Fault("value_form", field, str(value), "2000-01-01 to 2199-12-31")
        elif field in _CODES:
            if not _CODE.fullmatch(value):
                yield Fault("code_form", field, value, "[a-z0-9_]{1,64}")
        elif field in _TEXTS:
            if not _TEXT.fullmatch(value):
                yield Fault("value_form", field, value, "at most 256 printable characters")
        elif isinstance(value, Actor):
            yield from _actor_faults(field, value)
        else:
            yield from _other_faults(field, value)
    yield from _target_faults(event)


def _actor_faults(field: str, actor: Actor) -> Iterator[Fault]:
    if not _ID.fullmatch(actor.id):
        yield Fault("id_form", f"{field}.id", actor.id, "[A-Za-z0-9_-]{1,64}")
    if not _CODE.fullmatch(actor.role):
        yield Fault("code_form", f"{field}.role", actor.role, "[a-z0-9_]{1,64}")
    if actor.org_id is not None and not _ID.fullmatch(actor.org_id):
        yield Fault("id_form", f"{field}.org_id", actor.org_id, "[A-Za-z0-9_-]{1,64}")


def _other_faults(field: str, value: object) -> Iterator[Fault]:
    match field, value:
        case "evidence", tuple():
            if len(value) > 16:
                yield Fault("value_form", field, f"{len(value)} references", "at most 16")
            for reference in value:
                if not reference or not _TEXT.fullmatch(reference):
                    yield Fault("value_form", field, reference, "1 to 256 printable characters")
        case "scores", tuple():
            if not value or len(value) > 16:
                yield Fault("value_form", field, f"{len(value)} scores", "1 to 16")
            for score in value:
                if not _CODE.fullmatch(score.dimension):
                    yield Fault("code_form", "scores.dimension", score.dimension, "[a-z0-9_]{1,64}")
                if not 1 <= score.score <= 5:
                    yield Fault("value_form", "scores.score", str(score.score), "1 to 5")
        case "utc_offsets", tuple():
            starts = [offset.from_at for offset in value]
            if starts != sorted(set(starts)):
                yield Fault("value_form", field, "not ascending", "ascending from_at")
            for offset in value:
                if not -18 * 60 <= offset.offset_minutes <= 18 * 60:
                    yield Fault("value_form", field, str(offset.offset_minutes), "-1080 to 1080")
        case (("effective_from" | "start_on" | "end_on"), int()):
            if not EARLIEST <= value * DAY < LATEST:
                yield Fault("value_form", field, str(value), "2000-01-01 to 2199-12-31")
        case "version", int():
            if not 1 <= value <= 1_000_000:
                yield Fault("value_form", field, str(value), "1 to 1000000")
        case (
            "capacity" | "max_open_minutes" | "max_session_minutes"
            | "late_event_window_minutes" | "max_clock_skew_minutes", int()
        ):  # fmt: skip
            # fastavro reads an int of any length; the JSON form says the same of these.
            if not -(2**31) <= value < 2**31:
                yield Fault("value_form", field, str(value), "a 32-bit whole number")
        case "birth_month", str():
            if not _BIRTH_MONTH.fullmatch(value):
                yield Fault("value_form", field, value, "YYYY-MM")
        case _:
            pass


def _target_faults(event: Event) -> Iterator[Fault]:
    if type(event).__name__ == "SessionVoided":
        named = [f for f in ("session_id", "grant_id") if getattr(event, f) is not None]
        if len(named) != 1:
            yield Fault("value_form", "session_id", f"{len(named)} targets",
                        "exactly one of session_id and grant_id")  # fmt: skip
