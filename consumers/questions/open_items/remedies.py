"""Who may decide what waits, and with which events: one row for each reason of a held posting."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Remedy(NamedTuple):
    """Who (a key of WHO) does what (event types; any of them may be the one)."""

    who: str
    events: tuple[str, ...]


WHO: Mapping[str, tuple[str, str]] = {
    "organiser": ("组织者", "the organiser"),
    "organisation": ("记录组织或其上级的第二人", "a second person at the recorder or above it"),
    "province": ("省级主管", "the province"),
    "registry": ("登记处", "the registry"),
    "guardian": ("监护人,经登记处", "the guardian, by way of the registry"),
    "requester": ("志愿者或组织者,再由另一人决定", "who was there asks, somebody else decides"),
    "second_person": ("申请人以外的有权者", "somebody entitled, other than who asked"),
    "device": ("设备补传,或申请更正", "the device sends what is missing, or a correction"),
    "sender": ("发送方改正后重发", "the sender corrects it and sends it again"),
}
"""Who decides, in Chinese and English."""

ABOVE = frozenset({"province", "registry", "guardian"})
"""Who is no organisation that has a say about the service."""

_CORRECTION = ("CorrectionRequested", "CorrectionDecided")
_DECISION = ("HoursDecided",)

REMEDIES: Mapping[str, Remedy] = {
    "awaiting_organiser": Remedy("organiser", ("SessionConfirmed", "SessionDenied")),
    "not_on_roster": Remedy("organiser", ("SessionConfirmed", "ApplicationDecided")),
    "changed_after_decision": Remedy("organiser", ("SessionConfirmed", *_DECISION)),
    "no_second_person": Remedy("organisation", _DECISION),
    "over_org_tier": Remedy("organisation", _DECISION),
    "over_province_tier": Remedy("province", _DECISION),
    "over_max_open": Remedy("organiser", ("SessionConfirmed", "SessionDenied")),
    "over_max_session": Remedy("requester", _CORRECTION),
    "over_day_cap": Remedy("requester", _CORRECTION),
    "no_check_out": Remedy("device", ("CheckedOut", *_CORRECTION)),
    "no_check_in": Remedy("device", ("CheckedIn", *_CORRECTION)),
    "awaiting_check_in": Remedy("device", ("CheckedIn", *_CORRECTION)),
    "check_out_before_check_in": Remedy("device", ("CheckedOut", *_CORRECTION)),
    "too_late": Remedy("requester", _CORRECTION),
    "unknown_activity": Remedy(
        "registry", ("OrgRegistered", "ProjectPublished", "SitePublished", "ShiftScheduled")
    ),
    "awaiting_policy": Remedy("registry", ("PolicyPublished",)),
    "recorder_not_organiser": Remedy("registry", ("ProjectPublished", "SiteOperatorAssigned")),
    "guardian_consent_missing": Remedy("guardian", ("GuardianConsentRecorded",)),
    "awaiting_decision": Remedy(
        "second_person", ("CorrectionDecided", "AppealDecided", "StarDecided")
    ),
    "awaiting_request": Remedy("requester", ("CorrectionRequested", "AppealFiled")),
    "awaiting_target": Remedy("device", ("CheckedIn", "HoursGranted")),
}
"""Reason of a held posting -> remedy. Everything else is the sender's to correct."""

SENDER = Remedy("sender", ())


def remedy(reason: str, outcome: str = "held") -> dict[str, Any]:
    """Who and what, as answers say it."""
    found = REMEDIES.get(reason, SENDER) if outcome == "held" else SENDER
    zh, en = WHO[found.who]
    return {"who": found.who, "who_zh": zh, "who_en": en, "events": list(found.events)}
