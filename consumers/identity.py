"""Who counts somebody's hours, as the catalogue in the trail says: merges, undone ones left out."""

from typing import cast

from consumers.query import Query
from ledger.people import People, PersonEvent, publish_person
from schemas.codec import Undecodable, decode_event
from schemas.topics import CATALOGUE
from schemas.validity import LATEST

_MERGES = (
    "SELECT hex(value) AS value_hex FROM event WHERE topic = {topic:String} "
    "AND type IN ('VolunteerMerged', 'VolunteerUnmerged', 'VolunteerErased') "
    "AND toUnixTimestamp64Micro(recorded_at) <= {as_of:Int64} ORDER BY partition, offset"
)


def counted_by(query: Query, volunteer_id: str, as_of: int | None = None) -> str:
    """The registration that counts somebody's hours, as known at `as_of` (UTC microseconds)."""
    people = People()
    for row in query(_MERGES, topic=CATALOGUE, as_of=LATEST if as_of is None else as_of):
        try:
            event = decode_event(bytes.fromhex(row["value_hex"]))
        except (Undecodable, ValueError):
            continue
        publish_person(people, cast(PersonEvent, event))
    return people.survivor(volunteer_id)
