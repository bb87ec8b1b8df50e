"""Who is who, as the catalogue in the trail says: merged with whom, and forgotten or not."""

from consumers.query import Query
from consumers.registry import published
from ledger.people import People, publish_person
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


def counted_by(query: Query, volunteer_id: str, as_of: int | None = None) -> str:
    """The registration that counts somebody's hours, as known at `as_of`."""
    return people_around(query, volunteer_id, as_of).survivor(volunteer_id)
