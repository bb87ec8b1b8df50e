"""Who is who, as far as the trail says: merged with whom, and asked to be forgotten or not."""

from consumers.query import Query
from ledger.people import People, publish_person
from schemas.codec import decode_event
from schemas.events import VolunteerErased, VolunteerMerged, VolunteerUnmerged
from schemas.topics import CATALOGUE


def people_around(query: Query, volunteer_id: str) -> People:
    """Who this volunteer was merged with, and whether any of them asked to be forgotten."""
    ids, before = {volunteer_id}, set[str]()
    events: list[VolunteerMerged | VolunteerUnmerged | VolunteerErased] = []
    while ids != before:
        before = set(ids)
        rows = query(
            "SELECT hex(value) AS value_hex FROM event WHERE topic = {topic:String} AND type IN "
            "('VolunteerMerged', 'VolunteerUnmerged', 'VolunteerErased') "
            "AND arrayExists(id -> position(assumeNotNull(value), id) > 0, {ids:Array(String)}) "
            "ORDER BY partition, offset",
            topic=CATALOGUE, ids=sorted(ids),
        )  # fmt: skip
        events = []
        for row in rows:
            event = decode_event(bytes.fromhex(row["value_hex"]))
            assert isinstance(event, VolunteerMerged | VolunteerUnmerged | VolunteerErased)
            events.append(event)
            named = {event.volunteer_id, getattr(event, "into_volunteer_id", event.volunteer_id)}
            if named & ids:
                ids |= named
    people = People()
    for event in events:
        publish_person(people, event)
    return people
