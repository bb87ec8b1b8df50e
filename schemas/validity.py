"""Is an event well formed, field by field? What an Avro schema cannot say.

Every way into a topic asks `faults`, and the ledger asks it again of what came past them all. No
fault of `personal_data` says what was found.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Final, get_args

from schemas.events import Actor, Decision, Event, Score, SpanTransferred, UtcOffset
from schemas.personal import has_name, has_number
from schemas.times import DAY
from schemas.topics import FACTS


class _Form:
    """A form of text; those that come again and again are known, and not looked at anew."""

    def __init__(self, pattern: str) -> None:
        self._pattern: Final = re.compile(pattern)
        self._known: Final[set[str]] = set()

    def fits(self, text: str) -> bool:
        """Is a text of this form?"""
        return self._pattern.fullmatch(text) is not None

    def fits_again(self, text: str) -> bool:
        """Is a text that probably came before of this form, and nothing personal?"""
        if text in self._known:
            return True
        if not self.fits(text) or has_number(text):
            return False
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        self._known.add(text)
        return True


_KNOWN_MAX: Final = 8_192

_ID: Final = _Form(r"[A-Za-z0-9_-]{1,64}")
# As our own clients make them, at random: nobody's number is in these.
_RANDOM_ID: Final = _Form(
    r"(?:[a-z]{1,2}-)?(?:[0-9a-f]{16}|[0-9a-f]{32}"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
)
_CODE: Final = _Form(r"[a-z0-9_]{1,64}")
# No control characters, line separators, bidi marks and overrides, halves of surrogate pairs.
_TEXT: Final = _Form(
    r"[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]{0,256}"
)
_SHA256: Final = _Form(r"[0-9a-f]{64}")
_BIRTH_MONTH: Final = _Form(r"[0-9]{4}-(0[1-9]|1[0-2])")

EARLIEST: Final = 10_957 * DAY
"""2000-01-01 UTC; no service of ours is older."""
LATEST: Final = 84_006 * DAY
"""2200-01-01 UTC."""

ROLES: Final = ("volunteer", "organiser", "admin", "regulator", "system")
"""In which capacity somebody acts."""

STARS_MAX: Final = 16
POINTS_MAX: Final = 1_000_000
"""Points of one redemption."""

_IDS: Final = frozenset(
    {"event_id", "volunteer_id", "session_id", "grant_id", "evaluation_id", "activity_id"}
    | {"project_id", "site_id", "shift_id", "recording_org_id", "host_org_id", "org_id"}
    | {"evaluator_org_id", "parent_org_id", "operator_org_id", "policy_id", "brand_id"}
    | {"device_id", "successor_org_id", "calendar_id", "correction_id", "appeal_id", "batch_id"}
    | {"into_volunteer_id", "application_id", "commendation_id", "granting_org_id"}
    | {"redemption_id", "benefit_id", "partner_org_id"}
    | {"certificate_id", "supersedes_id", "issuer_org_id"}
    | {"from_volunteer_id", "cause_event_id", "start_event_id", "requester_id"}
    | {"origin_id", "case_id"}
)
_NEW_IDS: Final = frozenset(
    {"event_id", "session_id", "grant_id", "evaluation_id", "correction_id"}
)
"""Ids that hardly ever come twice."""
_CODES: Final = frozenset({"reason", "kind", "service_field", "source_system", "action", "purpose"})
_TIMES: Final = frozenset(
    {"occurred_at", "sent_at", "start_at", "end_at", "started_at", "received_at"}
    | {"recorded_at", "start_recorded_at"}
)
_TEXTS: Final = frozenset(
    {"name", "app", "region", "timezone", "comment_ref", "identity_hash", "content_ref", "row_hash"}
    | {"checkpoint_origin"}
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A field that is not as it must be: reason code, field, the value found, what is allowed."""

    code: str
    field: str
    value: str
    allowed: str


def faults(event: Event) -> list[Fault]:
    """Every fault of an event, none if it is well formed."""
    found: list[Fault] = []
    checks = _CHECKS.get(type(event))
    if checks is None:
        checks = _CHECKS[type(event)] = _Checks(type(event))
    for name, check in checks.fields:
        value = getattr(event, name)
        if value is not None:
            check(found, name, value)
    if checks.has_target:
        _target_faults(found, event)
    return [quiet(fault) for fault in found] if found else found


def quiet(fault: Fault) -> Fault:
    """The fault, without the value where that may say who somebody is."""
    field = "?" if has_number(fault.field) or has_name(fault.field) else fault.field
    value = "" if has_number(fault.value) or has_name(fault.value) else fault.value
    return Fault(fault.code, field, value, fault.allowed)


_Check = Callable[[list[Fault], str, Any], None]


class _Checks:
    """What to check of each field of an event type; booleans and enums need no more than Avro."""

    def __init__(self, kind: type) -> None:
        named = [(field.name, _check_of(field.name)) for field in fields(kind)]
        self.fields: Final[list[tuple[str, _Check]]] = [
            (name, check) for name, check in named if check is not None
        ]
        self.has_target: Final = kind in _TARGETED


_CHECKS: Final[dict[type, _Checks]] = {}
_TARGETED: Final = frozenset((*get_args(Decision), SpanTransferred))


def _check_of(name: str) -> _Check | None:
    if name in _NEW_IDS:
        return _new_id_faults
    if name in _IDS:
        return _id_faults
    if name in _TIMES:
        return _time_faults
    if name in _CODES:
        return _code_faults
    if name in _TEXTS:
        return _text_faults
    if name in _ACTORS:
        return _actor_faults
    return _OTHERS.get(name)


def personal_fault(field: str) -> Fault:
    """A field that holds what a person is known by; never what it is."""
    return Fault("personal_data", field, "", "no identity number, telephone number or name")


def _new_id_faults(found: list[Fault], field: str, value: str) -> None:
    if not _RANDOM_ID.fits(value) and (not _ID.fits(value) or has_number(value)):
        _id_faults(found, field, value)


def _id_faults(found: list[Fault], field: str, value: str) -> None:
    if _ID.fits_again(value):
        return
    if has_number(value) or has_name(value):
        found.append(personal_fault(field))
    else:
        found.append(Fault("id_form", field, value, "[A-Za-z0-9_-]{1,64}"))


def _code_faults(found: list[Fault], field: str, value: str) -> None:
    if _CODE.fits_again(value):
        return
    if has_number(value):
        found.append(personal_fault(field))
    else:
        found.append(Fault("code_form", field, value, "[a-z0-9_]{1,64}"))


def _text_faults(found: list[Fault], field: str, value: str) -> None:
    if has_number(value):
        found.append(personal_fault(field))
    elif not _TEXT.fits(value):
        found.append(Fault("value_form", field, value, "at most 256 printable characters"))


def _time_faults(found: list[Fault], field: str, value: int) -> None:
    if not EARLIEST <= value < LATEST:
        found.append(Fault("value_form", field, str(value), "2000-01-01 to 2199-12-31"))


def _day_faults(found: list[Fault], field: str, value: int) -> None:
    if not EARLIEST <= value * DAY < LATEST:
        found.append(Fault("value_form", field, str(value), "2000-01-01 to 2199-12-31"))


def _actor_faults(found: list[Fault], field: str, actor: Actor) -> None:
    # The names of the fields are put together only where there is something to say.
    if not _ID.fits_again(actor.id):
        _id_faults(found, f"{field}.id", actor.id)
    if actor.role not in ROLES:
        _role_faults(found, f"{field}.role", actor.role)
    if actor.org_id is not None and not _ID.fits_again(actor.org_id):
        _id_faults(found, f"{field}.org_id", actor.org_id)


def _role_faults(found: list[Fault], field: str, value: str) -> None:
    if has_number(value):
        found.append(personal_fault(field))
    else:
        found.append(Fault("value_form", field, value, ", ".join(ROLES)))


def _evidence_faults(found: list[Fault], field: str, value: tuple[str, ...]) -> None:
    if len(value) > 16:
        found.append(Fault("value_form", field, f"{len(value)} references", "at most 16"))
    for reference in value:
        if has_number(reference):
            found.append(personal_fault(field))
        elif not reference or not _TEXT.fits(reference):
            found.append(Fault("value_form", field, reference, "1 to 256 printable characters"))


def _partner_faults(found: list[Fault], field: str, value: tuple[str, ...]) -> None:
    if len(value) > 16:
        found.append(Fault("value_form", field, f"{len(value)} organisations", "at most 16"))
    for org_id in value:
        _id_faults(found, field, org_id)


def _calendar_faults(found: list[Fault], field: str, value: tuple[int, ...]) -> None:
    days_max = 400 if field == "holidays" else 64
    if len(value) > days_max:
        found.append(Fault("value_form", field, f"{len(value)} days", f"at most {days_max}"))
    for day in value:
        _day_faults(found, field, day)


def _score_faults(found: list[Fault], field: str, value: tuple[Score, ...]) -> None:
    if not value or len(value) > 16:
        found.append(Fault("value_form", field, f"{len(value)} scores", "1 to 16"))
    for score in value:
        _code_faults(found, f"{field}.dimension", score.dimension)
        if not 1 <= score.score <= 5:
            found.append(Fault("value_form", f"{field}.score", str(score.score), "1 to 5"))


def _offset_faults(found: list[Fault], field: str, value: tuple[UtcOffset, ...]) -> None:
    starts = [offset.from_at for offset in value]
    if starts != sorted(set(starts)):
        found.append(Fault("value_form", field, "not ascending", "ascending from_at"))
    for offset in value:
        minutes = offset.offset_minutes
        if not -18 * 60 <= minutes <= 18 * 60:
            found.append(Fault("value_form", field, str(minutes), "-1080 to 1080"))


def _version_faults(found: list[Fault], field: str, value: int) -> None:
    if not 1 <= value <= 1_000_000:
        found.append(Fault("value_form", field, str(value), "1 to 1000000"))


def _number_faults(found: list[Fault], field: str, value: int) -> None:
    if not -(2**31) <= value < 2**31:
        found.append(Fault("value_form", field, str(value), "a 32-bit whole number"))


def _opened_faults(found: list[Fault], field: str, value: tuple[str, ...]) -> None:
    if len(value) > 16:
        found.append(Fault("value_form", field, f"{len(value)} fields", "at most 16"))
    for name in value:
        _code_faults(found, field, name)


def _birth_month_faults(found: list[Fault], field: str, value: str) -> None:
    if not _BIRTH_MONTH.fits(value):
        found.append(Fault("value_form", field, value, "YYYY-MM"))


def _sha256_faults(found: list[Fault], field: str, value: str) -> None:
    if not _SHA256.fits(value):
        found.append(Fault("value_form", field, value, "64 lower-case hex digits"))


def _star_faults(found: list[Fault], field: str, value: int) -> None:
    if not 1 <= value <= STARS_MAX:
        found.append(Fault("value_form", field, str(value), f"1 to {STARS_MAX}"))


def _star_hours_faults(found: list[Fault], field: str, value: tuple[int, ...]) -> None:
    if len(value) > STARS_MAX:
        found.append(Fault("value_form", field, f"{len(value)} stars", f"at most {STARS_MAX}"))
    if list(value) != sorted(set(value)) or any(not 1 <= v <= 1_000_000 for v in value):
        said = ", ".join(map(str, value))
        found.append(Fault("value_form", field, said, "ascending hours from 1 to 1000000"))


def _year_faults(found: list[Fault], field: str, value: int) -> None:
    if not 2000 <= value <= 2199:
        found.append(Fault("value_form", field, str(value), "2000 to 2199"))


def _points_faults(found: list[Fault], field: str, value: int) -> None:
    if not 1 <= value <= POINTS_MAX:
        found.append(Fault("value_form", field, str(value), f"1 to {POINTS_MAX}"))


def _fact_topic_faults(found: list[Fault], field: str, value: str) -> None:
    if value not in FACTS:
        found.append(Fault("value_form", field, value, ", ".join(FACTS)))


def _offset_number_faults(found: list[Fault], field: str, value: int) -> None:
    if value < 0:
        found.append(Fault("value_form", field, str(value), "0 or more"))


def _count_faults(found: list[Fault], field: str, value: int) -> None:
    if not 0 <= value < 2**31:
        found.append(Fault("value_form", field, str(value), "0 to 2147483647"))


_ACTORS: Final = frozenset({"actor", "approver"})
_OTHERS: Final[dict[str, _Check]] = {
    "evidence": _evidence_faults,
    "scores": _score_faults,
    "utc_offsets": _offset_faults,
    "version": _version_faults,
    "birth_month": _birth_month_faults,
    "partner_org_ids": _partner_faults,
    "holidays": _calendar_faults,
    "workdays": _calendar_faults,
    "opened": _opened_faults,
    **dict.fromkeys(("snapshot_sha256", "reason_hash", "previous_hash"), _sha256_faults),
    "star": _star_faults,
    "star_hours": _star_hours_faults,
    "year": _year_faults,
    "points": _points_faults,
    "attendances": _count_faults,
    "source_topic": _fact_topic_faults,
    "source_partition": _count_faults,
    "source_offset": _offset_number_faults,
    "checkpoint_size": _count_faults,
    **dict.fromkeys(
        ("effective_from", "start_on", "end_on", "service_date", "closed_on", "awarded_on"),
        _day_faults,
    ),
    **dict.fromkeys(
        (
            "capacity",
            "max_open_minutes",
            "max_session_minutes",
            "late_event_window_minutes",
            "max_clock_skew_minutes",
            "minutes",
            "headcount",
            "org_tier_minutes",
            "province_tier_minutes",
            "min_ratio_percent",
            "record_deadline_days",
            "consent_age_years",
            "point_minutes",
            "evaluation_deadline_days",
            "entry_no",
        ),
        _number_faults,
    ),
}


def _target_faults(found: list[Fault], event: Event) -> None:
    if isinstance(event, Decision):
        _one_target(found, event.session_id, event.grant_id)
    if isinstance(event, SpanTransferred):
        _one_target(found, event.session_id, event.grant_id)
        if (event.session_id is not None) != (event.span_kind == "service"):
            found.append(Fault("value_form", "span_kind", event.span_kind,
                               "service for a session, else another kind"))  # fmt: skip


def _one_target(found: list[Fault], session_id: str | None, grant_id: str | None) -> None:
    named = [name for name in (session_id, grant_id) if name is not None]
    if len(named) != 1:
        found.append(Fault("value_form", "session_id", f"{len(named)} targets",
                           "exactly one of session_id and grant_id"))  # fmt: skip
