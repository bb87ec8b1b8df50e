"""What one volunteer does in one shift, as the events that reach the log and when they do.

All times are microseconds since 1970 UTC, the instants of arrival whole milliseconds.
"""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from producers.ids import RANDOM_BITS, event_id_at
from producers.simulator.province import Shift
from producers.simulator.trouble import Trouble
from schemas.events import (
    Actor,
    CheckedIn,
    CheckedOut,
    EvaluationSubmitted,
    Fact,
    HoursGranted,
    Score,
    SessionVoided,
)
from schemas.times import HOUR, MINUTE, SECOND

EARLY_MICROS = 10 * MINUTE
"""Nothing of a shift happens or arrives earlier than this before its start."""

_CHANNELS = ("qr", "qr", "qr", "qr", "qr", "geofence", "code", "kiosk")
_APPS = ("shift-app/2.3", "shift-app/2.4", "kiosk/1.1", "mini-program/5.0")

Told = tuple[int, Fact]
"""When it arrives, and what."""


def attend(rng: Random, trouble: Trouble, shift: Shift, volunteer_id: str) -> list[Told]:
    """The events of one session in this shift, with their troubles, in no particular order."""
    start = shift.start_at + rng.randint(-600, 480) * SECOND
    end = shift.end_at + rng.randint(-1200, 900) * SECOND
    if rng.random() < trouble.under_a_minute:
        end = start + rng.randint(5, 55) * SECOND
    ahead = rng.randint(10, 180) * MINUTE if rng.random() < trouble.clock_ahead else 0
    arrive_in, arrive_out, offline = _arrivals(rng, trouble, start, end)
    check_in = _check_in(rng, shift, volunteer_id, start + ahead, offline)
    told: list[Told] = [(arrive_in, check_in)]
    if rng.random() >= trouble.no_check_out:
        told.append((arrive_out, _check_out(rng, check_in, end + ahead)))
    if rng.random() < trouble.double_check_in:
        again = start + rng.randint(60, 180) * SECOND
        twice = replace(check_in, event_id=_event_id(rng, again), occurred_at=again + ahead)
        told.append((max(arrive_in, again) + _delay(rng), twice))
    if rng.random() < trouble.double_check_out:
        again = end + rng.randint(60, 600) * SECOND
        told.append(
            (max(arrive_out, again) + _delay(rng), _check_out(rng, check_in, again + ahead))
        )
    if rng.random() < trouble.void:
        told.append(_void(rng, check_in, max(arrive_in, arrive_out)))
    return [*told, *_repeats(rng, trouble, told)]


def grant(rng: Random, trouble: Trouble, shift: Shift, volunteer_id: str) -> list[Told]:
    """The backfill of a session in this shift, entered hours or days later."""
    start = shift.start_at + rng.randint(-600, 480) * SECOND
    end = shift.end_at + rng.randint(-1200, 900) * SECOND
    entered = end + rng.randint(1, 72) * HOUR + rng.randint(0, 3599) * SECOND
    org_id = shift.project.recorder.id
    actor = Actor(f"u-{org_id}-1", "admin", org_id)
    approver: Actor | None = Actor(f"u-{org_id}-2", "admin", org_id)
    evidence: tuple[str, ...] = (f"sha256:{rng.getrandbits(256):064x}",)
    if rng.random() < trouble.alone:
        match rng.randrange(3):
            case 0:
                approver = None
            case 1:
                approver = actor
            case _:
                evidence = ()
    event = HoursGranted(
        event_id=_event_id(rng, entered),
        volunteer_id=volunteer_id,
        grant_id=f"g-{rng.getrandbits(64):016x}",
        activity_id=shift.activity_id,
        project_id=shift.project.id,
        site_id=shift.project.site.id,
        shift_id=shift.id,
        recording_org_id=org_id,
        host_org_id=shift.project.host.id,
        start_at=start,
        end_at=end,
        reason=rng.choice(("phone_lost", "no_signal", "paper_list")),
        occurred_at=entered,
        sent_at=None,
        channel="admin",
        device_id=None,
        app="back-office/3.0",
        offline=False,
        actor=actor,
        evidence=evidence,
        approver=approver,
    )
    told: list[Told] = [(entered + _delay(rng), event)]
    return [*told, *_repeats(rng, trouble, told)]


def evaluate(rng: Random, shift: Shift, volunteer_id: str, ended: int) -> Told:
    """The recording organisation's judgement of a volunteer, some days after the project ended."""
    at = ended + rng.randint(24, 120) * HOUR + rng.randint(0, 3599) * SECOND
    org_id = shift.project.recorder.id
    event = EvaluationSubmitted(
        event_id=_event_id(rng, at),
        volunteer_id=volunteer_id,
        evaluation_id=f"e-{rng.getrandbits(64):016x}",
        project_id=shift.project.id,
        evaluator_org_id=org_id,
        scores=tuple(Score(name, rng.choice((3, 4, 4, 5, 5))) for name in ("punctual", "skill")),
        comment_ref=None,
        occurred_at=at,
        sent_at=None,
        channel="admin",
        device_id=None,
        app="back-office/3.0",
        offline=False,
        actor=Actor(f"u-{org_id}-1", "organiser", org_id),
        evidence=(),
    )
    return at + _delay(rng), event


def _arrivals(rng: Random, trouble: Trouble, start: int, end: int) -> tuple[int, int, bool]:
    """When the two ends reach the log, and whether the phone had kept them."""
    roll = rng.random()
    if roll >= trouble.late + trouble.too_late:
        return start + _delay(rng), end + _delay(rng), False
    if roll < trouble.too_late:
        kept = rng.randint(8 * 24, 20 * 24) * HOUR
    else:
        kept = rng.randint(1, 36) * HOUR
    upload = end + kept + _delay(rng)
    # An app that empties its store from the newest end sends the check-out first.
    first, second = upload, upload + 1_000_000
    return (second, first, True) if rng.random() < 0.2 else (first, second, True)


def _repeats(rng: Random, trouble: Trouble, told: list[Told]) -> Iterator[Told]:
    """Retries of what was told: the same event, or another one under its id."""
    for arrives, event in told:
        if rng.random() < trouble.duplicate:
            pause = rng.randint(1, 30) * SECOND if rng.random() < 0.8 else rng.randint(1, 48) * HOUR
            yield arrives + pause, event
        if rng.random() < trouble.conflict:
            other = replace(event, occurred_at=event.occurred_at - 10 * MINUTE)
            yield arrives + rng.randint(1, 60) * SECOND, other


def _check_in(rng: Random, shift: Shift, volunteer_id: str, at: int, offline: bool) -> CheckedIn:
    project = shift.project
    return CheckedIn(
        event_id=_event_id(rng, at),
        volunteer_id=volunteer_id,
        session_id=f"s-{rng.getrandbits(64):016x}",
        activity_id=shift.activity_id,
        project_id=project.id,
        site_id=project.site.id,
        shift_id=shift.id,
        recording_org_id=project.recorder.id,
        host_org_id=project.host.id,
        occurred_at=at,
        sent_at=None,
        channel=rng.choice(_CHANNELS),
        device_id=f"d-{rng.getrandbits(32):08x}",
        app=rng.choice(_APPS),
        offline=offline,
        actor=Actor(volunteer_id, "volunteer"),
        evidence=(),
    )


def _check_out(rng: Random, check_in: CheckedIn, at: int) -> CheckedOut:
    return CheckedOut(
        event_id=_event_id(rng, at),
        volunteer_id=check_in.volunteer_id,
        session_id=check_in.session_id,
        activity_id=check_in.activity_id,
        project_id=check_in.project_id,
        site_id=check_in.site_id,
        shift_id=check_in.shift_id,
        recording_org_id=check_in.recording_org_id,
        host_org_id=check_in.host_org_id,
        occurred_at=at,
        sent_at=None,
        channel=check_in.channel,
        device_id=check_in.device_id,
        app=check_in.app,
        offline=check_in.offline,
        actor=check_in.actor,
        evidence=(),
    )


def _void(rng: Random, check_in: CheckedIn, after: int) -> Told:
    at = after + rng.randint(1, 120) * HOUR
    org_id = check_in.recording_org_id
    event = SessionVoided(
        event_id=_event_id(rng, at),
        volunteer_id=check_in.volunteer_id,
        session_id=check_in.session_id,
        grant_id=None,
        reason=rng.choice(("wrong_person", "not_volunteer_service", "test_entry")),
        occurred_at=at,
        sent_at=None,
        channel="admin",
        device_id=None,
        app="back-office/3.0",
        offline=False,
        actor=Actor(f"u-{org_id}-1", "admin", org_id),
        evidence=(),
    )
    return at + _delay(rng), event


def _event_id(rng: Random, at: int) -> str:
    return event_id_at(at // 1000, rng.getrandbits(RANDOM_BITS))


def _delay(rng: Random) -> int:
    """A working network, in whole milliseconds."""
    return rng.randint(150, 3000) * 1000
