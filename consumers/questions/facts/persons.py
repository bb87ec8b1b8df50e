"""Who is who, as the catalogue in the trail says: merged with whom, and forgotten or not."""

from consumers.questions.facts.catalogue_view import published
from consumers.trail.query import Query
from ledger.catalogue.people import People, publish_person
from schemas.events import CatalogueEvent, VolunteerErased, VolunteerMerged, VolunteerUnmerged

_Said = VolunteerMerged | VolunteerUnmerged | VolunteerErased
_TYPES = ("VolunteerMerged", "VolunteerUnmerged", "VolunteerErased")


def people_around(query: Query, volunteer_id: str, as_of: int | None = None) -> People:
    """Who this volunteer was merged with, and whether any of them asked to be forgotten, as known
    at `as_of` (UTC microseconds)."""
    ids, before = {volunteer_id}, set[str]()
    events: list[CatalogueEvent] = []
    while ids != before:
        before = set(ids)
        events = published(query, _TYPES, as_of, about=ids)
        for event in events:
            assert isinstance(event, _Said)
            named = {event.volunteer_id, getattr(event, "into_volunteer_id", event.volunteer_id)}
            if named & ids:
                ids |= named
    people = People()
    for event in events:
        assert isinstance(event, _Said)
        publish_person(people, event)
    return people


def everybody(query: Query, as_of: int | None = None) -> People:
    """Who is who among all volunteers, as known at `as_of`."""
    people = People()
    for event in published(query, _TYPES, as_of):
        assert isinstance(event, _Said)
        publish_person(people, event)
    return people


def registrations(
    query: Query, volunteer_id: str, as_of: int | None, *, exact: bool
) -> tuple[str, set[str]]:
    """The registration that counts somebody's hours, and all of that person; `exact`: the one that
    was asked for alone."""
    if exact:
        return volunteer_id, {volunteer_id}
    people = people_around(query, volunteer_id, as_of)
    return people.survivor(volunteer_id), people.registrations(volunteer_id)


def counted_by(query: Query, volunteer_id: str, as_of: int | None = None) -> str:
    """The registration that counts somebody's hours, as known at `as_of`."""
    return people_around(query, volunteer_id, as_of).survivor(volunteer_id)
