"""Corrections, appeals and applications without a decision; decisions without a request."""

from collections.abc import Mapping
from typing import Any

from consumers.questions.facts.sessions import SpanKey, key_of
from consumers.questions.open_items.waiting_item import Waiting, place_of, told_of_person
from consumers.trail.query import Query, as_known, if_asked, source_events
from ledger.catalogue.people import People
from schemas.events import FactForwarded
from schemas.wire.codec import decode_event

_CASES: Mapping[str, str] = {
    "CorrectionRequested": "correction_id", "CorrectionDecided": "correction_id",
    "AppealFiled": "appeal_id", "AppealDecided": "appeal_id",
    "StarApplied": "application_id", "StarDecided": "application_id",
}  # fmt: skip
"""Requests and decisions -> the field that names their case."""

_ASKS = ("CorrectionRequested", "AppealFiled", "StarApplied")
_STARS = ("StarApplied", "StarDecided")

_CaseKey = tuple[SpanKey, str, str]
_NO_SPAN: SpanKey = ("", "", "")


def requests(query: Query, people: People, as_of: int | None) -> list[Waiting]:
    """Corrections, appeals and applications without a decision; decisions without a request."""
    types = ", ".join(f"'{name}'" for name in (*_CASES, FactForwarded.__name__))
    postings = (
        "SELECT source_topic, source_partition, source_offset, volunteer_id, reason FROM posting "
        f"WHERE outcome IN ('posted', 'held') AND event_type IN ({types}){if_asked(as_of)}"
    )
    rows = query(
        "SELECT p.volunteer_id AS volunteer_id, e.session_id AS session_id, "
        "e.grant_id AS grant_id, p.reason AS reason, e.actor_id AS actor_id, "
        "toUnixTimestamp64Micro(e.recorded_at) AS recorded, hex(e.value) AS value_hex, "
        "e.recording_org_id AS recording_org_id, e.host_org_id AS host_org_id, "
        "e.project_id AS project_id, e.site_id AS site_id, e.activity_id AS activity_id "
        f"FROM {source_events(postings)} AS e INNER JOIN ({postings}) AS p "
        "ON p.source_topic = e.topic AND p.source_partition = e.partition "
        "AND p.source_offset = e.offset "
        "ORDER BY recorded, e.topic, e.partition, e.offset",
        **as_known(as_of),
    )
    asked, answered = set[_CaseKey](), set[_CaseKey]()
    open_rows = []
    for row in rows:
        event: Any = decode_event(bytes.fromhex(row["value_hex"]))
        if isinstance(event, FactForwarded):
            event = decode_event(event.fact)
        name = type(event).__name__
        if name not in _CASES:
            continue
        told_of_person(row, people)
        is_star, is_request = name in _STARS, name in _ASKS
        # An application is the person's, whatever it and its decision are told of.
        key = _NO_SPAN if is_star else key_of(row)
        case = (key, _CASES[name], getattr(event, _CASES[name]))
        (asked if is_request else answered).add(case)
        reason = "awaiting_decision" if is_request else "awaiting_request"
        # Of a star the posting says it: whatever is forwarded comes once more.
        if row["reason"] == reason or not is_star:
            open_rows.append((case, reason, row))
    return [
        Waiting(key_of(row), reason, row["recorded"], place_of(row), ref=case[2],
                actor_id=row["actor_id"])
        for case, reason, row in open_rows
        if case not in (answered if reason == "awaiting_decision" else asked)
    ]  # fmt: skip
