"""Getting what the ledger makes of a small history into a trail, without Kafka."""

from consumers.kafka.records import Record
from consumers.trail.store import Trail
from ledger.replay import Book
from schemas.events import Event
from schemas.topics import POSTINGS
from schemas.wire.codec import encode
from tests.drawn.histories import BASICS, Arrival
from tests.drawn.town import Town
from tests.trail.fill import fill


def tell(trail: Trail, *items: Event | Arrival) -> Book:
    """Fold a history after the basics, and write its records and postings as a sink would; what
    accounts hand to each other comes at once."""
    town = Town(1).take([*BASICS, *items])
    records, book = town.records[0], town.books[0]
    inputs = [
        Record(r.topic, 0, r.offset, r.recorded_at // 1000, (r.key or "").encode(),
                    encode(r.event))
        for r in records
    ]  # fmt: skip
    outputs = [
        Record(POSTINGS, 0, p.index, p.recorded_at // 1000, p.volunteer_id.encode(), encode(p))
        for p in book.postings
    ]
    fill(trail, inputs + outputs)
    return book
