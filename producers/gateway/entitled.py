"""May this app say this? The gateway vouches for who speaks; what an organisation may, the ledger
judges.

So every organisation that an event names must be one of the app's: those it is about and those its
actors act for. An event that names none would be bound to nobody, and is refused.
"""

import dataclasses
from typing import Final, get_args

from producers.gateway.apps import EVERY_ORG, App, Scope
from schemas.events import (
    Actor,
    CatalogueEvent,
    Event,
    Fact,
    HolidaysPublished,
    PolicyPublished,
    RecordReplayed,
    Transfer,
    VolunteerErased,
    VolunteerMerged,
    VolunteerUnmerged,
)
from schemas.validity import Fault

_TRANSFERS: Final = get_args(Transfer)
_OURS_ALONE: Final = (*_TRANSFERS, RecordReplayed)
"""Written by the worker, or by an operator who replays a record out of quarantine."""

_TYPES: Final[dict[Scope, tuple[type, ...]]] = {
    "events": tuple(kind for kind in get_args(Fact) if kind not in _OURS_ALONE),
    "catalogue": get_args(CatalogueEvent),
}

_FOR_ALL: Final = (
    PolicyPublished, HolidaysPublished, VolunteerMerged, VolunteerUnmerged, VolunteerErased,
)  # fmt: skip
"""What changes the hours of everybody, or who somebody is: for an app of all organisations."""


def wrong_path(event: Event, scope: Scope) -> Fault | None:
    """The fault of an event that does not come this way: a tick, a transfer, the other path's."""
    if isinstance(event, _TYPES[scope]):
        return None
    name = type(event).__name__
    for other, kinds in _TYPES.items():
        if isinstance(event, kinds):
            return Fault("wrong_path", "type", name, f"POST /v1/{other}")
    return Fault("wrong_path", "type", name, "shilu emit, by an operator")


def not_entitled(event: Event, app: App) -> Fault | None:
    """The fault of an event that speaks for an organisation that is not the app's."""
    named = 0
    for way, org_id in _orgs(event):
        named += 1
        if not app.speaks_for(org_id):
            return Fault("not_entitled", way, org_id, ", ".join(app.org_ids))
    if EVERY_ORG in app.org_ids:
        return None
    if isinstance(event, _FOR_ALL):
        return Fault("not_entitled", "type", type(event).__name__, "an app of all organisations")
    if not named:
        return Fault("not_entitled", "actor.org_id", "", ", ".join(app.org_ids))
    return None


def _orgs(event: Event) -> list[tuple[str, str]]:
    """Every organisation that an event names, with the field that does."""
    found: list[tuple[str, str]] = []
    for field in dataclasses.fields(event):
        value = getattr(event, field.name)
        if isinstance(value, Actor):
            if value.org_id is not None:
                found.append((f"{field.name}.org_id", value.org_id))
        elif value is not None and (field.name == "org_id" or field.name.endswith("_org_id")):
            found.append((field.name, value))
    return found
