"""What waits now, and for whom: held minutes, sessions without an end, requests without an answer.

A posting says why something was held when it was; whether it still waits follows from what came
after it. Held minutes are those of the lines, so also what another session's hours pushed over a
tier. What has no lines waits until an end, a correction or a void comes. Whatever was told of an
absorbed registration waits under the one that counts the hours.
"""

from collections.abc import Mapping

from consumers.questions.facts.catalogue_view import PLACES, RULES, catalogue
from consumers.questions.facts.persons import everybody
from consumers.questions.facts.sessions import key_of
from consumers.questions.open_items.requests import requests
from consumers.questions.open_items.unfinished import unfinished
from consumers.questions.open_items.waiting_item import NO_PLACE, QUIET, Said, Waiting
from consumers.trail.query import Query, as_known, if_asked

_HELD_STATES = "('held_org', 'held_province', 'held_review')"
_REASONS: Mapping[str, frozenset[str]] = {
    "held_org": frozenset({"awaiting_organiser", "no_second_person", "not_on_roster"}),
    "held_province": frozenset(),
    "held_review": frozenset(
        {
            "over_max_open",
            "unknown_activity",
            "awaiting_policy",
            "recorder_not_organiser",
            "guardian_consent_missing",
        }
    ),
}
_PUSHED: Mapping[str, str] = {
    "held_org": "over_org_tier", "held_province": "over_province_tier",
    "held_review": "over_day_cap",
}  # fmt: skip
"""Why minutes are in a state when their own span is in order: the rest of the day pushed them."""

_SETTLING = (
    "outcome IN ('posted', 'held') AND reason NOT IN ("
    + ", ".join(f"'{reason}'" for reason in QUIET)
    + ")"
)
"""SQL: the postings that settled a session or grant."""

_NOTHING = (-1, "")
_CHANGED = "changed_after_decision"


def waiting(query: Query, as_of: int | None = None) -> list[Waiting]:
    """Everything that waits, as known at `as_of` (UTC microseconds), oldest first."""
    known = catalogue(query, (*PLACES, *RULES), as_of)
    people = everybody(query, as_of)
    moved = _moved_by_ticks(query, as_of)
    found = [
        *_held(query, moved, as_of),
        *_changed(query, moved, as_of),
        *unfinished(query, known, people, moved, as_of),
        *requests(query, people, as_of),
    ]
    return sorted(found, key=lambda item: (item.since, item.key, item.reason, item.ref))


def _held(query: Query, moved: Said, as_of: int | None) -> list[Waiting]:
    """Sessions and grants with minutes in a held state."""
    spans = (
        "SELECT volunteer_id, session_id, grant_id, toString(state) AS held, sum(minutes) AS n, "
        "toUnixTimestamp64Micro(min(recorded_at)) AS since, toInt32(min(service_date)) AS day, "
        "argMax((recording_org_id, host_org_id, project_id, site_id, activity_id), "
        "(minutes > 0, sequence, line_no)) AS place FROM line "
        f"WHERE state IN {_HELD_STATES}{if_asked(as_of)} "
        "GROUP BY volunteer_id, session_id, grant_id, state HAVING n > 0"
    )
    rows = query(spans, **as_known(as_of))
    said = _last_said(query, spans, as_of) if rows else {}
    found = []
    for row in rows:
        key = key_of(row)
        _, own = max(said.get(key, _NOTHING), moved.get(key, _NOTHING))
        reason = own if own in _REASONS[row["held"]] else _PUSHED[row["held"]]
        found.append(
            Waiting(key, reason, row["since"], tuple(row["place"]), row["held"], row["n"],
                    row["day"])
        )  # fmt: skip
    return found


def _changed(query: Query, moved: Said, as_of: int | None) -> list[Waiting]:
    """Sessions that were approved otherwise than they are recorded now."""
    spans = (
        "SELECT p.volunteer_id AS volunteer_id, e.session_id AS session_id, "
        "e.grant_id AS grant_id, toUnixTimestamp64Micro(min(p.recorded_at)) AS since FROM ("
        "SELECT source_topic, source_partition, source_offset, volunteer_id, recorded_at "
        f"FROM posting WHERE reason = 'changed_after_decision'{if_asked(as_of)}) AS p "
        "INNER JOIN event AS e ON p.source_topic = e.topic AND p.source_partition = e.partition "
        "AND p.source_offset = e.offset WHERE e.session_id != '' "
        "GROUP BY volunteer_id, session_id, grant_id"
    )
    rows = query(spans, **as_known(as_of))
    said = _last_said(query, spans, as_of) if rows else {}
    return [
        Waiting(key, _CHANGED, row["since"], NO_PLACE)
        for row in rows
        for key in [key_of(row)]
        if max(said.get(key, _NOTHING), moved.get(key, _NOTHING))[1] == _CHANGED
    ]


def _last_said(query: Query, spans: str, as_of: int | None) -> Said:
    """What a posting that settled it said last of each of these sessions and grants; `spans` is a
    subquery with session_id and grant_id."""
    rows = query(
        "SELECT p.volunteer_id AS volunteer_id, e.session_id AS session_id, "
        "e.grant_id AS grant_id, max(p.said) AS last FROM ("
        "SELECT source_topic, source_partition, source_offset, volunteer_id, "
        f"(sequence, toString(reason)) AS said FROM posting WHERE {_SETTLING}{if_asked(as_of)}) "
        "AS p INNER JOIN (SELECT topic, partition, offset, session_id, grant_id FROM event "
        f"WHERE (session_id, grant_id) IN (SELECT session_id, grant_id FROM ({spans}))) AS e "
        "ON p.source_topic = e.topic AND p.source_partition = e.partition "
        "AND p.source_offset = e.offset GROUP BY volunteer_id, session_id, grant_id",
        **as_known(as_of),
    )
    return {key_of(row): row["last"] for row in rows}


def _moved_by_ticks(query: Query, as_of: int | None) -> Said:
    """What ticks said last of sessions and grants: a tick names none, it speaks of the one that its
    lines move from one state to another, or of the only one that they give anything."""
    rows = query(
        "SELECT volunteer_id, session_id, grant_id, max(said) AS last FROM ("
        "SELECT l.volunteer_id AS volunteer_id, l.session_id AS session_id, "
        "l.grant_id AS grant_id, any(p.said) AS said FROM line AS l INNER JOIN ("
        "SELECT partition, offset, line_count, (sequence, toString(reason)) AS said FROM posting "
        f"WHERE event_type = 'ClockTicked' AND line_count > 0 AND {_SETTLING}{if_asked(as_of)}) "
        "AS p ON p.partition = l.partition AND p.offset = l.offset "
        "GROUP BY l.partition, l.offset, l.volunteer_id, l.session_id, l.grant_id "
        "HAVING uniqExact(l.state) > 1 "
        "OR (count() = any(p.line_count) AND min(l.minutes) > 0)) "
        "GROUP BY volunteer_id, session_id, grant_id",
        **as_known(as_of),
    )
    return {key_of(row): row["last"] for row in rows}
