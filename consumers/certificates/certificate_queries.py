"""What the trail says about certificates: what could be certified, and what became of those issued.

A number may be given out under one volunteer only; each account refuses its own second one, and
where two volunteers have it the first in the log's time stands.
"""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from consumers.certificates.certificate import Known, changes, state_of
from consumers.certificates.certificate_facts import (
    NEWEST,
    Said,
    first_of,
    mentions,
    moved_by,
    named,
    outcomes_of,
    rows_of_lines,
    then_and_now,
)
from consumers.questions.facts.catalogue_view import ORGS, catalogue
from consumers.questions.facts.persons import people_around
from consumers.trail.query import Query
from consumers.wording import moment, reason_texts
from ledger.account.account import Account
from ledger.recognition.cases import refusal
from schemas.events import Actor, CertificateIssued, CertificateRevoked
from schemas.times import iso_date
from schemas.topics import RECOGNITION
from schemas.wire.codec import decode_event

_Judged = tuple[Said, str]

_EVER_DAYS = 1 << 30
_PAGE = 200


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
    rows = rows_of_lines(query, values)
    people = people_around(query, volunteer_id)
    return {
        "volunteer_id": volunteer_id,
        "refused": certificate_refusal(query, volunteer_id, org_id, successor_id, actor_id),
        "sequence": newest[0]["sequence"],
        "erased": volunteer_id in people.erased,
        "merged_into": people.into.get(volunteer_id),
        "org": named(query, "org", [org_id])[0],
        "successor": named(query, "org", [successor_id])[0] if successor_id else None,
        "projects": named(query, "project", sorted({row.project_id for row in rows})),
        "rows": [asdict(row) for row in rows],
        "postings": moved_by(query, values),
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
    found = mentions(query, number)
    outcomes = outcomes_of(query, found)
    issued = first_of(found, outcomes, number)
    if issued is None:
        return None
    event, source = issued
    people = people_around(query, event.volunteer_id)
    outcome, reason, sequence = outcomes.get(source, ("", "", NEWEST))
    then, now = then_and_now(query, event, people, sequence)
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
        "issuer_org": named(query, "org", [event.issuer_org_id])[0],
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
    found = mentions(query, number)
    issued = first_of(found, outcomes_of(query, found), number)
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
