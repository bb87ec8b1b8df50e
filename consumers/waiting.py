"""What waits now, and for whom: held minutes, sessions without an end, requests without an answer.

A posting says why something was held when it was; whether it still waits follows from what came
after it. Held minutes are those of the lines, so also what another session's hours pushed over a
tier. What has no lines waits until an end, a correction or a void comes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from consumers.facts import Ends, SpanKey, session_ends
from consumers.query import Query, as_known, if_asked, source_events
from consumers.registry import PLACES, RULES, catalogue
from ledger.catalogue import Catalogue
from ledger.lateness import policy_at
from schemas.codec import decode_event
from schemas.times import HOUR, MINUTE

Place = tuple[str, str, str, str, str]
"""Recording organisation, host, project, site, activity; '' where there is none."""

_HELD_STATES = "('held_org', 'held_province', 'held_review')"
_REASONS: Mapping[str, frozenset[str]] = {
    "held_org": frozenset({"awaiting_organiser", "no_second_person", "not_on_roster"}),
    "held_province": frozenset(),
    "held_review": frozenset(
        {"over_max_open", "unknown_activity", "recorder_not_organiser", "guardian_consent_missing"}
    ),
}
_PUSHED: Mapping[str, str] = {
    "held_org": "over_org_tier", "held_province": "over_province_tier",
    "held_review": "over_day_cap",
}  # fmt: skip
"""Why minutes are in a state when their own span is in order: the rest of the day pushed them."""

_QUIET = (
    "redundant_check_in", "redundant_check_out", "awaiting_check_in", "check_out_before_check_in",
    "too_late", "awaiting_decision", "awaiting_request", "awaiting_target", "correction_rejected",
    "appeal_dismissed", "nothing_changed", "already_voided",
)  # fmt: skip
"""Reasons of postings that left their session or grant as it was."""

_WITHOUT_LINES = ("over_max_session", "too_late", "awaiting_check_in", "awaiting_target")
_FLAGS = frozenset({None, "", "clock_corrected", "recorded_late", "shift_cancelled"})
_LONGEST_OPEN = 25 * HOUR
"""No policy leaves a session open for more than a day; clocks differ by minutes."""

_CASES: Mapping[str, str] = {
    "CorrectionRequested": "correction_id", "CorrectionDecided": "correction_id",
    "AppealFiled": "appeal_id", "AppealDecided": "appeal_id",
    "StarApplied": "application_id", "StarDecided": "application_id",
}  # fmt: skip
"""Requests and decisions -> the field that names their case."""

_ASKS = ("CorrectionRequested", "AppealFiled", "StarApplied")


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that waits. `since` in UTC microseconds is when it was first recorded as it is;
    `minutes` are held ones; `ref` names a correction, an appeal or an application for a star, which
    is about no session; `day` is since 1970."""

    key: SpanKey
    reason: str
    since: int
    place: Place
    state: str | None = None
    minutes: int = 0
    day: int | None = None
    ref: str = ""
    actor_id: str = ""


def waiting(query: Query, as_of: int | None = None, at_once: int = 1_000) -> list[Waiting]:
    """Everything that waits, as known at `as_of` (UTC microseconds), oldest first.

    Up to `at_once` keys are bound as values; for more the engine is told how to find them.
    """
    known = catalogue(query, (*PLACES, *RULES), as_of)
    found = [
        *_held(query, as_of, at_once),
        *_without_lines(query, known, as_of, at_once),
        *_requests(query, as_of),
    ]
    return sorted(found, key=lambda item: (item.since, item.key, item.reason, item.ref))


def _spans(
    keys: list[SpanKey], otherwise: str, values: Mapping[str, object], at_once: int
) -> tuple[str, Mapping[str, object]]:
    """SQL of (volunteer_id, session_id, grant_id), and its values: these keys, or the subquery
    that found them, which takes longer to read than to run where they are few."""
    if len(keys) > at_once:
        return f"SELECT volunteer_id, session_id, grant_id FROM ({otherwise})", values
    return (
        "SELECT t.1 AS volunteer_id, t.2 AS session_id, t.3 AS grant_id FROM "
        "(SELECT arrayJoin({spans:Array(Tuple(String, String, String))}) AS t)"
    ), {"spans": keys}


def _held(query: Query, as_of: int | None, at_once: int) -> list[Waiting]:
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
    keys = [(row["volunteer_id"], row["session_id"], row["grant_id"]) for row in rows]
    reasons = _last_reasons(query, *_spans(keys, spans, {}, at_once), as_of)
    found = []
    for key, row in zip(keys, rows, strict=True):
        own = reasons.get(key, "")
        reason = own if own in _REASONS[row["held"]] else _PUSHED[row["held"]]
        found.append(
            Waiting(key, reason, row["since"], tuple(row["place"]), row["held"], row["n"],
                    row["day"])
        )  # fmt: skip
    return found


def _last_reasons(
    query: Query, spans: str, values: Mapping[str, object], as_of: int | None
) -> dict[SpanKey, str]:
    """What was last said of each of these sessions and grants by a posting that settled it.

    `spans` is a subquery of (volunteer_id, session_id, grant_id). A tick names no session: it
    speaks of the one that its lines move from one state to another.
    """
    quiet = ", ".join(f"'{reason}'" for reason in _QUIET)
    settling = (
        "SELECT partition, offset, source_topic, source_partition, source_offset, volunteer_id, "
        "sequence, reason, event_type FROM posting WHERE outcome IN ('posted', 'held') "
        f"AND reason NOT IN ({quiet}){if_asked(as_of)} "
        f"AND volunteer_id IN (SELECT volunteer_id FROM ({spans}))"
    )
    rows = query(
        "SELECT volunteer_id, session_id, grant_id, argMax(reason, sequence) AS reason FROM ("
        "SELECT p.volunteer_id AS volunteer_id, e.session_id AS session_id, "
        "e.grant_id AS grant_id, p.reason AS reason, p.sequence AS sequence FROM event AS e "
        f"INNER JOIN ({settling}) AS p ON p.source_topic = e.topic "
        "AND p.source_partition = e.partition AND p.source_offset = e.offset "
        f"WHERE (e.session_id, e.grant_id) IN (SELECT session_id, grant_id FROM ({spans})) "
        "UNION ALL "
        "SELECT l.volunteer_id, l.session_id, l.grant_id, any(p.reason), any(p.sequence) "
        f"FROM line AS l INNER JOIN ({settling} AND event_type = 'ClockTicked') AS p "
        "ON p.partition = l.partition AND p.offset = l.offset "
        f"WHERE (l.volunteer_id, l.session_id, l.grant_id) IN ({spans}) "
        "GROUP BY l.partition, l.offset, l.volunteer_id, l.session_id, l.grant_id "
        "HAVING uniqExact(l.state) > 1"
        ") GROUP BY volunteer_id, session_id, grant_id",
        **(dict(values) | as_known(as_of)),
    )
    return {(r["volunteer_id"], r["session_id"], r["grant_id"]): r["reason"] for r in rows}


def _without_lines(
    query: Query, known: Catalogue, as_of: int | None, at_once: int
) -> list[Waiting]:
    """Sessions and grants that were named, and have no minutes in any state."""
    ticks = {
        row["partition"]: row["at"]
        for row in query(
            "SELECT partition, toUnixTimestamp64Micro(max(recorded_at)) AS at FROM posting "
            f"WHERE event_type = 'ClockTicked'{if_asked(as_of)} GROUP BY partition",
            **as_known(as_of),
        )
    }
    values: dict[str, object] = {"open_since": min(ticks.values(), default=0) - _LONGEST_OPEN}
    named = _named(as_of)
    rows = query(named, **values, **as_known(as_of))
    keys = [(row["volunteer_id"], row["session_id"], row["grant_id"]) for row in rows]
    spans, bound = _spans(keys, named, values, at_once)
    reasons = _last_reasons(query, spans, bound, as_of)
    ends = session_ends(
        query, known, f"(e.volunteer_id, e.session_id, e.grant_id) IN ({spans})",
        f"SELECT volunteer_id FROM ({spans})", bound, as_of,
    )  # fmt: skip
    found = []
    for key, row in zip(keys, rows, strict=True):
        reason = _reason_of(reasons.get(key), ends.get(key), row["reasons"], known, ticks)
        if reason is not None:
            found.append(Waiting(key, reason, row["since"], tuple(row["place"])))
    return found


def _named(as_of: int | None) -> str:
    """SQL: the sessions and grants without minutes that postings say wait, or that may be open."""
    reasons = ", ".join(f"'{reason}'" for reason in _WITHOUT_LINES)
    without = (
        "SELECT source_topic, source_partition, source_offset, volunteer_id, reason FROM posting "
        f"WHERE outcome = 'held' AND reason IN ({reasons}){if_asked(as_of)}"
    )
    unclosed = (
        "SELECT source_topic, source_partition, source_offset, volunteer_id, '' AS reason "
        "FROM posting WHERE event_type = 'CheckedIn' AND outcome = 'posted' AND line_count = 0 "
        f"{if_asked(as_of)} AND (toUnixTimestamp64Micro(recorded_at) >= {{open_since:Int64}} "
        "OR volunteer_id IN (SELECT volunteer_id FROM posting WHERE reason = 'no_check_out' "
        f"AND outcome = 'held'{if_asked(as_of)}))"
    )
    said = f"{without} UNION ALL {unclosed}"
    candidates = (
        "SELECT p.volunteer_id AS volunteer_id, e.session_id AS session_id, "
        "e.grant_id AS grant_id, groupUniqArray(toString(p.reason)) AS reasons, "
        "toUnixTimestamp64Micro(min(e.recorded_at)) AS since, argMin((e.recording_org_id, "
        "e.host_org_id, e.project_id, e.site_id, e.activity_id), e.offset) AS place "
        f"FROM {source_events(said)} AS e INNER JOIN ({said}) AS p "
        "ON p.source_topic = e.topic AND p.source_partition = e.partition "
        "AND p.source_offset = e.offset WHERE e.session_id != '' OR e.grant_id != '' "
        "GROUP BY volunteer_id, session_id, grant_id"
    )
    credited = (
        "SELECT volunteer_id, session_id, grant_id FROM line WHERE volunteer_id IN "
        f"(SELECT volunteer_id FROM ({said})){if_asked(as_of)} "
        "GROUP BY volunteer_id, session_id, grant_id HAVING sum(minutes) != 0"
    )
    return (
        f"SELECT * FROM ({candidates}) "
        f"WHERE (volunteer_id, session_id, grant_id) NOT IN ({credited})"
    )


def _reason_of(
    settled: str | None,
    ends: Ends | None,
    said: Iterable[str],
    known: Catalogue,
    ticks: Mapping[int, int],
) -> str | None:
    """Why a session or grant without minutes waits; None if it does not, or is merely open."""
    if settled == "over_max_session":
        return settled
    if settled not in _FLAGS:
        return None
    if ends is None:
        return next((reason for reason in ("too_late", "awaiting_target") if reason in said), None)
    last = ends.last
    tick = ticks.get(last["partition"], 0)
    if ends.first is None:
        at, late = ends.outs[-1], "no_check_in"
    elif ends.end is None:
        at, late = ends.start, "no_check_out"
    else:
        return None
    place = last if ends.first is None else ends.first
    policy = policy_at(place["project_id"], place["site_id"] or None, at, known)
    minutes = policy.late_event_window_minutes if ends.first is None else policy.max_open_minutes
    if tick >= last["recorded"] and tick >= at + minutes * MINUTE:
        return late
    return "awaiting_check_in" if ends.first is None else None


def _requests(query: Query, as_of: int | None) -> list[Waiting]:
    """Corrections, appeals and applications without a decision; decisions without a request."""
    types = ", ".join(f"'{name}'" for name in _CASES)
    postings = (
        "SELECT source_topic, source_partition, source_offset, volunteer_id, reason FROM posting "
        f"WHERE outcome IN ('posted', 'held') AND event_type IN ({types}){if_asked(as_of)}"
    )
    rows = query(
        "SELECT p.volunteer_id AS volunteer_id, e.session_id AS session_id, "
        "e.grant_id AS grant_id, e.type AS type, p.reason AS reason, e.actor_id AS actor_id, "
        "toUnixTimestamp64Micro(e.recorded_at) AS recorded, hex(e.value) AS value_hex, "
        "(e.recording_org_id, e.host_org_id, e.project_id, e.site_id, e.activity_id) AS place "
        f"FROM {source_events(postings)} AS e INNER JOIN ({postings}) AS p "
        "ON p.source_topic = e.topic AND p.source_partition = e.partition "
        "AND p.source_offset = e.offset ORDER BY recorded",
        **as_known(as_of),
    )
    asked, answered = set[tuple[SpanKey, str, str]](), set[tuple[SpanKey, str, str]]()
    open_rows = []
    for row in rows:
        event: Any = decode_event(bytes.fromhex(row["value_hex"]))
        key = (row["volunteer_id"], row["session_id"], row["grant_id"])
        case = (key, _CASES[row["type"]], getattr(event, _CASES[row["type"]]))
        (asked if row["type"] in _ASKS else answered).add(case)
        if row["reason"] in ("awaiting_decision", "awaiting_request"):
            open_rows.append((case, row))
    return [
        Waiting(case[0], row["reason"], row["recorded"], tuple(row["place"]), ref=case[2],
                actor_id=row["actor_id"])
        for case, row in open_rows
        if case not in (answered if row["reason"] == "awaiting_decision" else asked)
    ]  # fmt: skip
