"""What the trail says about certificates: what could be certified, and what became of those issued.

A number may be given out under one volunteer only; each account refuses its own second one, and
where two volunteers have it the first in the log's time stands.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from consumers.certificate import Known, Row, changes, state_of
from consumers.persons import people_around
from consumers.query import Query
from consumers.registry import ORGS, catalogue
from consumers.wording import moment, reason_texts
from ledger.account import Account
from ledger.cases import refusal
from ledger.people import People
from schemas.codec import decode_event
from schemas.events import Actor, CertificateIssued, CertificateRevoked
from schemas.times import iso_date
from schemas.topics import RECOGNITION

Source = tuple[str, int, int]
_Event = CertificateIssued | CertificateRevoked
_Mention = tuple[_Event, Source]
_Judged = tuple[_Event, str]

_EVER_DAYS = 1 << 30
_NEWEST = 1 << 62
_PAGE = 200

_LINES = (
    "FROM line WHERE volunteer_id IN {volunteers:Array(String)} "
    "AND recording_org_id = {org_id:String} AND state = 'effective' AND kind != 'training' "
    "AND toInt32(service_date) BETWEEN {first:Int64} AND {last:Int64} "
    "AND sequence <= {sequence:Int64} "
)
"""Effective service minutes that an organisation recorded: what was held or rejected never is."""


def certifiable(
    query: Query,
    volunteer_id: str,
    org_id: str,
    from_date: int | None = None,
    to_date: int | None = None,
    successor_id: str | None = None,
    actor_id: str | None = None,
) -> dict[str, Any]:
    """What an organisation can certify of a volunteer now, over days since 1970 (both included).

    `refused` is the reason code with which the ledger would refuse a certificate that `actor_id`
    issues for the organisation, or for the one that took it over; null if it would not. `sequence`
    is that of the volunteer's newest posting, 0 for one never heard of; `postings` are
    all that moved the minutes of `rows`, with their bytes as hex.
    """
    newest = query(
        "SELECT max(sequence) AS sequence FROM posting WHERE volunteer_id = {volunteer_id:String}",
        volunteer_id=volunteer_id,
    )
    values: dict[str, Any] = {
        "volunteers": [volunteer_id],
        "org_id": org_id,
        "first": -_EVER_DAYS if from_date is None else from_date,
        "last": _EVER_DAYS if to_date is None else to_date,
        "sequence": newest[0]["sequence"],
    }
    rows = _rows(query, values)
    people = people_around(query, volunteer_id)
    return {
        "volunteer_id": volunteer_id,
        "refused": certificate_refusal(query, volunteer_id, org_id, successor_id, actor_id),
        "sequence": newest[0]["sequence"],
        "erased": volunteer_id in people.erased,
        "merged_into": people.into.get(volunteer_id),
        "org": _named(query, "org", [org_id])[0],
        "successor": _named(query, "org", [successor_id])[0] if successor_id else None,
        "projects": _named(query, "project", sorted({row.project_id for row in rows})),
        "rows": [asdict(row) for row in rows],
        "postings": _moved_by(query, values),
    }


def certificate_refusal(
    query: Query,
    volunteer_id: str,
    org_id: str,
    successor_id: str | None = None,
    actor_id: str | None = None,
) -> str | None:
    """The reason code with which the ledger would refuse a certificate, or its revocation, by
    somebody who acts for an organisation or for its successor; asked of the ledger's own rule."""
    known = catalogue(query, ORGS)
    known.people = people_around(query, volunteer_id)
    acting = successor_id or org_id
    actor = Actor(actor_id or acting, "organiser", acting)
    return refusal(Account(volunteer_id), actor, org_id, known)


def certificate(query: Query, number: str) -> dict[str, Any] | None:
    """What became of a certificate; None for a number that was never given out.

    No name and no pseudonym is in the answer, and nothing but the state once the person is erased.
    """
    found = _mentions(query, number)
    outcomes = _outcomes(query, found)
    issued = _first(found, outcomes, number)
    if issued is None:
        return None
    event, source = issued
    people = people_around(query, event.volunteer_id)
    outcome, reason, sequence = outcomes.get(source, ("", "", _NEWEST))
    then, now = _then_and_now(query, event, people, sequence)
    minutes_now = sum(row.minutes for row in now)
    differing = changes(then, now)
    later = [
        (one, outcomes[at][0])
        for one, at in found
        if at in outcomes and one.volunteer_id == event.volunteer_id
    ]
    known = Known(
        outcome=outcome,
        erased=bool({event.volunteer_id, people.survivor(event.volunteer_id)} & people.erased),
        revoked_for=_revoked_for(later, event),
        superseded_by=_superseded_by(later, number),
        changed=minutes_now != event.minutes or bool(differing),
    )
    state = state_of(known)
    if state == "withdrawn":
        return {"number": number, "state": state}
    return {
        "number": number,
        "state": state,
        **({"reason": reason, **reason_texts(reason)} if state == "refused" else {}),
        "issuer_org": _named(query, "org", [event.issuer_org_id])[0],
        "from_date": iso_date(event.start_on),
        "to_date": iso_date(event.end_on),
        "minutes": event.minutes,
        "attendances": event.attendances,
        "minutes_now": minutes_now,
        "change_minutes": minutes_now - event.minutes,
        "changes": [asdict(c) | {"service_date": iso_date(c.service_date)} for c in differing],
        "issued_at": moment(event.occurred_at),
        "snapshot_sha256": event.snapshot_sha256,
        "supersedes": event.supersedes_id,
        "superseded_by": known.superseded_by,
        "revoked_for": known.revoked_for,
    }


def _revoked_for(later: Iterable[_Judged], issued: CertificateIssued) -> str | None:
    """The reason of the first revocation; one that came before its certificate counts, too."""
    reasons = (
        event.reason
        for event, outcome in later
        if isinstance(event, CertificateRevoked)
        and outcome in {"posted", "held"}
        and event.certificate_id == issued.certificate_id
        and event.issuer_org_id == issued.issuer_org_id
    )
    return next(reasons, None)


def _superseded_by(later: Iterable[_Judged], number: str) -> str | None:
    """The number of the first certificate that replaces it."""
    numbers = (
        event.certificate_id
        for event, outcome in later
        if isinstance(event, CertificateIssued)
        and outcome == "posted"
        and event.supersedes_id == number
    )
    return next(numbers, None)


def certificate_holder(query: Query, number: str) -> dict[str, Any] | None:
    """Volunteer and issuer of a certificate, for whoever is to revoke it; None if there is none."""
    found = _mentions(query, number)
    issued = _first(found, _outcomes(query, found), number)
    if issued is None:
        return None
    return {"volunteer_id": issued[0].volunteer_id, "issuer_org_id": issued[0].issuer_org_id}


def certificates(
    query: Query, org_id: str | None = None, volunteer_id: str | None = None, limit: int = 20
) -> list[dict[str, Any]]:
    """The newest certificates, each as `certificate` says it, with its volunteer's pseudonym."""
    numbers, skipped = dict[str, str](), 0
    while len(numbers) < limit:
        rows = query(
            "SELECT hex(value) AS value_hex FROM event WHERE topic = {topic:String} "
            "AND type = 'CertificateIssued' "
            "AND ({volunteer_id:String} = '' OR volunteer_id = {volunteer_id:String}) "
            "AND position(assumeNotNull(value), {org_id:String}) > 0 "
            "ORDER BY recorded_at DESC, partition, offset DESC LIMIT {some:Int64}, {more:Int64}",
            topic=RECOGNITION, volunteer_id=volunteer_id or "", org_id=org_id or "",
            some=skipped, more=_PAGE,
        )  # fmt: skip
        for row in rows:
            event = decode_event(bytes.fromhex(row["value_hex"]))
            assert isinstance(event, CertificateIssued)
            if org_id in (None, event.issuer_org_id) and len(numbers) < limit:
                numbers.setdefault(event.certificate_id, event.volunteer_id)
        if len(rows) < _PAGE:
            break
        skipped += _PAGE
    return [
        found if found["state"] == "withdrawn" else {"volunteer_id": holder} | found
        for number, holder in numbers.items()
        if (found := certificate(query, number)) is not None
    ]


def _mentions(query: Query, number: str) -> list[_Mention]:
    """Every event that names a number, in the order of the log's time."""
    rows = query(
        "SELECT topic, partition, offset, hex(value) AS value_hex FROM event "
        "WHERE topic = {topic:String} AND type IN ('CertificateIssued', 'CertificateRevoked') "
        "AND position(assumeNotNull(value), {number:String}) > 0 "
        "ORDER BY recorded_at, partition, offset",
        topic=RECOGNITION, number=number,
    )  # fmt: skip
    found: list[_Mention] = []
    for row in rows:
        event = decode_event(bytes.fromhex(row["value_hex"]))
        assert isinstance(event, CertificateIssued | CertificateRevoked)
        found.append((event, (row["topic"], row["partition"], row["offset"])))
    return found


def _outcomes(query: Query, found: Sequence[_Mention]) -> dict[Source, tuple[str, str, int]]:
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


def _first(
    found: Sequence[_Mention], outcomes: Mapping[Source, tuple[str, str, int]], number: str
) -> tuple[CertificateIssued, Source] | None:
    """The issuance that stands: the first that the worker has posted, else the first of all."""
    issued = [
        (event, source)
        for event, source in found
        if isinstance(event, CertificateIssued) and event.certificate_id == number
    ]
    posted = [one for one in issued if outcomes.get(one[1], ("",))[0] == "posted"]
    return next(iter([*posted, *issued]), None)


def _then_and_now(
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
    now = values | {"volunteers": sorted(group), "sequence": _NEWEST}
    return _rows(query, values), _rows(query, now)


def _rows(query: Query, values: Mapping[str, Any]) -> list[Row]:
    rows = query(
        "SELECT project_id, activity_id, toInt32(service_date) AS day, kind, "
        f"sum(minutes) AS net {_LINES} "
        "GROUP BY project_id, activity_id, day, kind HAVING net != 0 "
        "ORDER BY day, project_id, activity_id, kind",
        **values,
    )
    return [Row(r["project_id"], r["activity_id"], r["day"], r["kind"], r["net"]) for r in rows]


def _moved_by(query: Query, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The postings behind the rows."""
    rows = query(
        "SELECT partition, posting_index, hex(value) AS value_hex FROM posting "
        "WHERE volunteer_id IN {volunteers:Array(String)} "
        f"AND sequence IN (SELECT sequence {_LINES}) ORDER BY partition, posting_index",
        **values,
    )
    return [
        {"partition": r["partition"], "index": r["posting_index"], "value_hex": r["value_hex"]}
        for r in rows
    ]


def _named(query: Query, kind: str, ids: Iterable[str]) -> list[dict[str, str]]:
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
