"""Folding registry.catalogue: what each event of it adds to what is known."""

from typing import assert_never, cast

from ledger.account.record import Record
from ledger.catalogue.catalogue import Catalogue, Operator, Shift
from ledger.catalogue.changes import changed_by
from ledger.catalogue.people import PersonEvent, publish_person
from ledger.catalogue.policy import policy_of
from ledger.catalogue.workdays import Workdays
from ledger.hours.admission import barred
from schemas.events import (
    ApplicationDecided,
    AssignmentWithdrawn,
    CatalogueEvent,
    GroupAttendanceRecorded,
    HolidaysPublished,
    NoShowRecorded,
    OrgRegistered,
    OrgSucceeded,
    PolicyPublished,
    ProjectClosed,
    ProjectPublished,
    ShiftCancelled,
    ShiftScheduled,
    SiteOperatorAssigned,
    SitePublished,
    VolunteerUnmerged,
)

_LAST_DAY = 2**31


def learn(catalogue: Catalogue, record: Record) -> str | None:
    """Fold one record of registry.catalogue; the reason code if it was left out, None if not.

    Worker, trail and replay all run this, so that all of them leave out the same: what may not
    enter, what is refused, and what the rules fail on (`internal_error`). One event can stop
    nobody; what it had changed before the failure stays, everywhere alike. MemoryError passes on.
    """
    catalogue.next_offset = record.offset + 1
    if (why := barred(record, catalogue)) is not None:
        return why[0]
    try:
        return publish(catalogue, cast(CatalogueEvent, record.event))
    except MemoryError:
        raise
    except Exception:
        return "internal_error"


def publish(catalogue: Catalogue, event: CatalogueEvent) -> str | None:
    """Fold one event into the catalogue, in place; the reason code if it is refused.

    Publishing again replaces organisations, projects and sites; policy versions are immutable.
    """
    if isinstance(event, VolunteerUnmerged):
        # Afterwards nobody knows any more with whom they were one person.
        topics = changed_by(event, catalogue.people)
        reason = _publish(catalogue, event)
    else:
        reason = _publish(catalogue, event)
        topics = changed_by(event, catalogue.people)
    if reason is None:
        catalogue.changes.note(catalogue.next_offset, topics)
    return reason


def _publish(catalogue: Catalogue, event: CatalogueEvent) -> str | None:
    match event:
        case OrgRegistered() | OrgSucceeded():
            return _publish_org(catalogue, event)
        case ProjectPublished():
            catalogue.project_policy[event.project_id] = event.policy_id or "default"
            catalogue.project_orgs[event.project_id] = (event.org_id, *event.partner_org_ids)
        case ProjectClosed():
            catalogue.closed[event.project_id] = event.closed_on
        case SitePublished() | SiteOperatorAssigned():
            return _publish_site(catalogue, event)
        case ShiftScheduled() | ShiftCancelled():
            return _publish_shift(catalogue, event)
        case ApplicationDecided() | AssignmentWithdrawn():
            return _publish_roster(catalogue, event)
        case NoShowRecorded() | GroupAttendanceRecorded():
            pass  # figures of the organisation, nobody's hours
        case PolicyPublished():
            return _publish_policy(catalogue, event)
        case HolidaysPublished():
            catalogue.calendars.setdefault(event.calendar_id, Workdays()).add(event)
        case _:
            if isinstance(event, PersonEvent):
                return publish_person(catalogue.people, event)
            assert_never(event)
    return None


def _publish_org(catalogue: Catalogue, event: OrgRegistered | OrgSucceeded) -> str | None:
    if isinstance(event, OrgSucceeded):
        if event.org_id == event.successor_org_id:
            return "succeeds_itself"
        catalogue.successors[event.org_id] = event.successor_org_id
        return None
    catalogue.orgs.add(event.org_id)
    if event.parent_org_id is not None:
        catalogue.parents[event.org_id] = event.parent_org_id
    else:
        catalogue.parents.pop(event.org_id, None)
    return None


def _publish_site(catalogue: Catalogue, event: SitePublished | SiteOperatorAssigned) -> str | None:
    if isinstance(event, SitePublished):
        catalogue.site_offsets[event.site_id] = event.utc_offsets
        if event.operator_org_id is not None:
            catalogue.site_owner[event.site_id] = event.operator_org_id
        return None
    if event.end_on is not None and event.end_on < event.start_on:
        return "end_before_start"
    last_day = _LAST_DAY if event.end_on is None else event.end_on
    operator = Operator(event.operator_org_id, event.start_on, last_day)
    catalogue.operators[event.site_id] = (*catalogue.operators.get(event.site_id, ()), operator)
    return None


def _publish_shift(catalogue: Catalogue, event: ShiftScheduled | ShiftCancelled) -> str | None:
    if isinstance(event, ShiftCancelled):
        if event.shift_id not in catalogue.shifts:
            return "unknown_shift"
        catalogue.cancelled.add(event.shift_id)
        return None
    if event.end_at <= event.start_at:
        return "end_before_start"
    catalogue.activities.setdefault(event.project_id, set()).add(event.activity_id)
    catalogue.shifts[event.shift_id] = Shift(
        event.project_id, event.activity_id, event.start_at, event.end_at
    )
    return None


def _publish_roster(
    catalogue: Catalogue, event: ApplicationDecided | AssignmentWithdrawn
) -> str | None:
    """The first accepted application makes a roster; a withdrawal may leave it empty."""
    shift = catalogue.shifts.get(event.shift_id)
    if shift is None:
        return "unknown_shift"
    roster = catalogue.rosters.get(event.shift_id)
    if isinstance(event, ApplicationDecided) and event.decision == "approve":
        if roster is None:
            roster = catalogue.rosters[event.shift_id] = set()
            of_activity = (shift.project_id, shift.activity_id)
            catalogue.rostered.setdefault(of_activity, set()).add(event.shift_id)
        roster.add(event.volunteer_id)
    elif roster is not None:
        roster.discard(event.volunteer_id)
    return None


def _publish_policy(catalogue: Catalogue, event: PolicyPublished) -> str | None:
    policy = policy_of(event)
    if policy is None:
        return "value_out_of_range"
    known = catalogue.labelled.get(policy.label)
    if known is not None:
        return None if known == policy else "version_exists"
    versions = catalogue.policies.get(policy.policy_id, ())
    catalogue.policies[policy.policy_id] = tuple(
        sorted((*versions, policy), key=lambda p: (p.effective_from, p.version))
    )
    catalogue.labelled[policy.label] = policy
    catalogue.tiered = catalogue.tiered or policy.tiered
    return None
