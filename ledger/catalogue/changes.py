"""What the catalogue's newest records are about: who waits for something else is let alone.

Nothing that is logged hangs on what is kept here. A tick releases whoever the catalogue lets count
now; to look at more accounts than that gives the same postings and changes no account. So the
newest records are enough, and where they do not reach back far enough everybody is looked at.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from ledger.catalogue.people import People, PersonEvent
from schemas.events import (
    CatalogueEvent,
    OrgRegistered,
    OrgSucceeded,
    PolicyPublished,
    ProjectPublished,
    ShiftScheduled,
    SiteOperatorAssigned,
    SitePublished,
    VolunteerErased,
    VolunteerRegistered,
)

ANYTHING: Final = "*"
"""The topic of all who wait, whatever for."""

EVERYBODY: Final = "v/*"
"""The topic of all registrations; no id of one looks like this."""

KEPT_MAX: Final = 10_000
"""Changes that are remembered."""

REGISTRATIONS_MAX: Final = 64
"""Registrations of one person that are named one by one."""


def project(project_id: str) -> str:
    """The topic of a project, its policy and its activities."""
    return "p/" + project_id


def site(site_id: str) -> str:
    """The topic of a site, its civil time and who runs it."""
    return "s/" + site_id


def org(org_id: str) -> str:
    """The topic of an organisation and of the one above it."""
    return "o/" + org_id


def person(volunteer_id: str) -> str:
    """The topic of a registration: who counts its hours, its age and its guardian's consent."""
    return "v/" + volunteer_id


def persons_in(changed: frozenset[str]) -> list[str] | None:
    """The registrations among some topics, None for all there are."""
    if EVERYBODY in changed:
        return None
    return [topic[2:] for topic in changed if topic[:2] == "v/"]


def all_wait_in(changed: frozenset[str]) -> bool:
    """May something be among these topics for whoever waits?"""
    return ANYTHING in changed or EVERYBODY in changed


@dataclass(slots=True)
class Changes:
    """(catalogue offset, topic) of the newest changes, ascending; `complete_from` is the offset
    from which on none is missing."""

    complete_from: int = 0
    noted: deque[tuple[int, str]] = field(default_factory=deque)

    def note(self, offset: int, topics: tuple[str, ...]) -> None:
        """Remember what a record changed that came when the catalogue ended at this offset."""
        for topic in topics:
            self.noted.append((offset, topic))
        while len(self.noted) > KEPT_MAX:
            forgotten, _ = self.noted.popleft()
            self.complete_from = forgotten + 1

    def since(self, offset: int) -> frozenset[str]:
        """The topics that changed after the catalogue ended at an offset."""
        if offset < self.complete_from:
            return frozenset({ANYTHING, EVERYBODY})
        found: set[str] = set()
        for at, topic in reversed(self.noted):
            if at < offset:
                break
            found.add(topic)
        return frozenset(found)


def changed_by(event: CatalogueEvent, people: People) -> tuple[str, ...]:
    """The topics of an accepted event. `people` are as they were before an unmerge, and as they are
    after anything else.

    Shifts that are cancelled, rosters, holidays and figures let nothing count that waits.
    """
    match event:
        case ProjectPublished() | ShiftScheduled():
            return (project(event.project_id),)
        case SitePublished() | SiteOperatorAssigned():
            return (site(event.site_id),)
        case OrgRegistered():
            return (org(event.org_id),)
        case OrgSucceeded() | PolicyPublished():
            return (ANYTHING,)
        case VolunteerErased():
            return ()
        case VolunteerRegistered():
            return () if event.birth_month is None else _person(event.volunteer_id, people)
        case _:
            if isinstance(event, PersonEvent):
                return _person(event.volunteer_id, people)
            return ()


def _person(volunteer_id: str, people: People) -> tuple[str, ...]:
    """Everything that is known of a person bears on each of their registrations."""
    if not people.into:
        return (person(volunteer_id),)
    more: list[str] = [people.survivor(volunteer_id)]
    found: list[str] = []
    while more:
        name = more.pop()
        found.append(person(name))
        if len(found) > REGISTRATIONS_MAX:
            return (EVERYBODY,)
        more += people.absorbed.get(name, ())
    return tuple(sorted(found))
