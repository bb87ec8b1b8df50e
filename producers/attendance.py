"""Check-ins and check-outs as a field app makes them."""

import time
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

from producers.ids import new_event_id
from schemas.events import Actor, CheckedIn, CheckedOut

T = TypeVar("T", CheckedIn, CheckedOut)


@dataclass(frozen=True, slots=True)
class Place:
    """What is served, where, and for whom. `host_org_id` None: the recording organisation."""

    activity_id: str
    project_id: str
    recording_org_id: str
    host_org_id: str | None = None
    site_id: str | None = None
    shift_id: str | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """What an application says of itself with each event; `app` is its name and version."""

    app: str | None = None
    device_id: str | None = None


def new_session_id() -> str:
    """A fresh session id; the device keeps it from check-in to check-out."""
    return f"s-{uuid4().hex}"


def attendance(
    kind: type[T],
    volunteer_id: str,
    place: Place,
    *,
    session_id: str,
    occurred_at: int | None,
    channel: str,
    offline: bool,
    device: Device,
    actor: Actor | None,
) -> T:
    """A check-in or check-out with a new `event_id`.

    `occurred_at` in microseconds since 1970 UTC, None for now; `actor` None: the volunteer.
    `sent_at` stays empty: the bytes are fixed before anybody knows when they will be sent.
    """
    return kind(
        event_id=new_event_id(),
        volunteer_id=volunteer_id,
        session_id=session_id,
        activity_id=place.activity_id,
        project_id=place.project_id,
        site_id=place.site_id,
        shift_id=place.shift_id,
        recording_org_id=place.recording_org_id,
        host_org_id=place.host_org_id or place.recording_org_id,
        occurred_at=time.time_ns() // 1000 if occurred_at is None else occurred_at,
        sent_at=None,
        channel=channel,
        device_id=device.device_id,
        app=device.app,
        offline=offline,
        actor=actor or Actor(volunteer_id, "volunteer"),
        evidence=(),
    )
