"""What the trail holds behind certificates: the events that name one, the rows and postings."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from consumers.certificates.certificate import Row
from consumers.trail.query import Query
from ledger.catalogue.people import People
from schemas.events import CertificateIssued, CertificateRevoked
from schemas.topics import RECOGNITION
from schemas.wire.codec import decode_event

Source = tuple[str, int, int]
"""Topic, partition and offset of an input record."""

Said = CertificateIssued | CertificateRevoked
Mention = tuple[Said, Source]

NEWEST = 1 << 62
"""A sequence beyond all."""

LINES = (
    "FROM line WHERE volunteer_id IN {volunteers:Array(String)} "
    "AND recording_org_id = {org_id:String} AND state = 'effective' AND kind != 'training' "
    "AND toInt32(service_date) BETWEEN {first:Int64} AND {last:Int64} "
    "AND sequence <= {sequence:Int64} "
)
"""Effective service minutes that an organisation recorded: what was held or rejected never is."""


def mentions(query: Query, number: str) -> list[Mention]:
    """Every event that names a number, in the order of the log's time."""
    rows = query(
        "SELECT topic, partition, offset, hex(value) AS value_hex FROM event "
        "WHERE topic = {topic:String} AND type IN ('CertificateIssued', 'CertificateRevoked') "
        "AND position(assumeNotNull(value), {number:String}) > 0 "
        "ORDER BY recorded_at, partition, offset",
        topic=RECOGNITION, number=number,
    )  # fmt: skip
    found: list[Mention] = []
    for row in rows:
        event = decode_event(bytes.fromhex(row["value_hex"]))
        assert isinstance(event, CertificateIssued | CertificateRevoked)
        found.append((event, (row["topic"], row["partition"], row["offset"])))
    return found


def outcomes_of(query: Query, found: Sequence[Mention]) -> dict[Source, tuple[str, str, int]]:
    """What the worker said of these events: outcome, reason, sequence."""
    if not found:
        return {}
    rows = query(
        "SELECT source_topic, source_partition, source_offset, outcome, reason, sequence "
        "FROM posting WHERE volunteer_id IN {volunteers:Array(String)} "
        "AND event_id IN {events:Array(String)}",
        volunteers=sorted({event.volunteer_id for event, _ in found}),
        events=sorted({event.event_id for event, _ in found}),
    )
    return {
        (row["source_topic"], row["source_partition"], row["source_offset"]):
            (row["outcome"], row["reason"], row["sequence"])
        for row in rows
    }  # fmt: skip


def first_of(
    found: Sequence[Mention], outcomes: Mapping[Source, tuple[str, str, int]], number: str
) -> tuple[CertificateIssued, Source] | None:
    """The issuance that stands: the first that the worker has posted, else the first of all."""
    issued = [
        (event, source)
        for event, source in found
        if isinstance(event, CertificateIssued) and event.certificate_id == number
    ]
    posted = [one for one in issued if outcomes.get(one[1], ("",))[0] == "posted"]
    return next(iter([*posted, *issued]), None)


def then_and_now(
    query: Query, event: CertificateIssued, people: People, sequence: int
) -> tuple[list[Row], list[Row]]:
    """The rows when the ledger took the certificate down, and now, those of a merger included."""
    values: dict[str, Any] = {
        "volunteers": [event.volunteer_id],
        "org_id": event.issuer_org_id,
        "first": event.start_on,
        "last": event.end_on,
        "sequence": sequence,
    }
    person = people.survivor(event.volunteer_id)
    group = {event.volunteer_id, person} | {n for n in people.into if people.survivor(n) == person}
    now = values | {"volunteers": sorted(group), "sequence": NEWEST}
    return rows_of_lines(query, values), rows_of_lines(query, now)


def rows_of_lines(query: Query, values: Mapping[str, Any]) -> list[Row]:
    """The net minutes of each project, activity, day and kind."""
    rows = query(
        "SELECT project_id, activity_id, toInt32(service_date) AS day, kind, "
        f"sum(minutes) AS net {LINES} "
        "GROUP BY project_id, activity_id, day, kind HAVING net != 0 "
        "ORDER BY day, project_id, activity_id, kind",
        **values,
    )
    return [Row(r["project_id"], r["activity_id"], r["day"], r["kind"], r["net"]) for r in rows]


def moved_by(query: Query, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The postings behind the rows."""
    rows = query(
        "SELECT partition, posting_index, hex(value) AS value_hex FROM posting "
        "WHERE volunteer_id IN {volunteers:Array(String)} "
        f"AND sequence IN (SELECT sequence {LINES}) ORDER BY partition, posting_index",
        **values,
    )
    return [
        {"partition": r["partition"], "index": r["posting_index"], "value_hex": r["value_hex"]}
        for r in rows
    ]


def named(query: Query, kind: str, ids: Iterable[str]) -> list[dict[str, str]]:
    """What the catalogue calls these now; '' where it has no name or category for them."""
    wanted = list(ids)
    rows = query(
        "SELECT entity_id, argMaxIf(name, offset, name != '') AS called, "
        "argMaxIf(category, offset, category != '') AS field FROM catalogue "
        "WHERE kind = {kind:String} AND entity_id IN {ids:Array(String)} GROUP BY entity_id",
        kind=kind, ids=wanted,
    ) if wanted else []  # fmt: skip
    known = {row["entity_id"]: (row["called"], row["field"]) for row in rows}
    return [
        {"id": each, "name": name, "field": field}
        for each in wanted
        for name, field in [known.get(each, ("", ""))]
    ]
