"""What waits now, and for whom: held minutes, sessions without an end, requests without an answer.

A posting says why something was held when it was; whether it still waits follows from what came
after it. Held minutes are those of the lines, so also what another session's hours pushed over a
tier. What has no lines waits until an end, a correction or a void comes.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from consumers.facts import ENTRIES, Ends, SpanKey, paired
from consumers.query import Query, as_known, if_asked, source_events
from consumers.registry import PLACES, RULES, catalogue
from ledger.catalogue import Catalogue
from ledger.lateness import policy_at
from schemas.codec import decode_event
from schemas.events import FactForwarded
from schemas.times import HOUR, MINUTE

Place = tuple[str, str, str, str, str]
"""Recording organisation, host, project, site, activity; '' where there is none."""

Said = dict[SpanKey, tuple[int, str]]
"""What a posting said of a session or grant: the posting's sequence and reason."""

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

_SETTLING = (
    "outcome IN ('posted', 'held') AND reason NOT IN ("
    + ", ".join(f"'{reason}'" for reason in _QUIET)
    + ")"
)
"""SQL: the postings that settled a session or grant."""

_WITHOUT_LINES = ("over_max_session", "too_late", "awaiting_check_in", "awaiting_target")
_FLAGS = frozenset(
    {None, "", "clock_corrected", "recorded_late", "shift_cancelled", "awaiting_target"}
)
_NOTHING = (-1, "")
_LONGEST_OPEN = 25 * HOUR
"""No policy leaves a session open for more than a day; clocks differ by minutes."""

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


def waiting(query: Query, as_of: int | None = None) -> list[Waiting]:
    """Everything that waits, as known at `as_of` (UTC microseconds), oldest first."""
    known = catalogue(query, (*PLACES, *RULES), as_of)
    moved = _moved_by_ticks(query, as_of)
    found = [
        *_held(query, moved, as_of),
        *_without_minutes(query, known, moved, as_of),
        *_requests(query, as_of),
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
        key = _key_of(row)
        _, own = max(said.get(key, _NOTHING), moved.get(key, _NOTHING))
        reason = own if own in _REASONS[row["held"]] else _PUSHED[row["held"]]
        found.append(
            Waiting(key, reason, row["since"], tuple(row["place"]), row["held"], row["n"],
                    row["day"])
        )  # fmt: skip
    return found


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
    return {_key_of(row): row["last"] for row in rows}


def _moved_by_ticks(query: Query, as_of: int | None) -> Said:
    """What ticks said last of sessions and grants: a tick names none, it speaks of the one that its
    lines move from one state to another."""
    rows = query(
        "SELECT volunteer_id, session_id, grant_id, max(said) AS last FROM ("
        "SELECT l.volunteer_id AS volunteer_id, l.session_id AS session_id, "
        "l.grant_id AS grant_id, any(p.said) AS said FROM line AS l INNER JOIN ("
        "SELECT partition, offset, (sequence, toString(reason)) AS said FROM posting "
        f"WHERE event_type = 'ClockTicked' AND line_count > 0 AND {_SETTLING}{if_asked(as_of)}) "
        "AS p ON p.partition = l.partition AND p.offset = l.offset "
        "GROUP BY l.partition, l.offset, l.volunteer_id, l.session_id, l.grant_id "
        "HAVING uniqExact(l.state) > 1) GROUP BY volunteer_id, session_id, grant_id",
        **as_known(as_of),
    )
    return {_key_of(row): row["last"] for row in rows}


def _without_minutes(
    query: Query, known: Catalogue, moved: Said, as_of: int | None
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
    rows = query(
        _uncredited(as_of), open_since=min(ticks.values(), default=0) - _LONGEST_OPEN,
        **as_known(as_of),
    )  # fmt: skip
    of_span = defaultdict[SpanKey, list[Mapping[str, Any]]](list)
    for row in rows:
        of_span[_key_of(row)].append(row)
    ends = paired((row for row in rows if row["counts"]), known)
    found = []
    for key, facts in of_span.items():
        named = [row for row in facts if row["named"]]
        if not named:
            continue
        # Whoever hears of a void span that its target is awaited has taken the void back.
        said = [(r["sequence"], r["reason"]) for r in facts
                if r["reason"] not in _QUIET or r["reason"] == "awaiting_target"]  # fmt: skip
        settled = max((*said, moved.get(key, _NOTHING)))
        reasons = {row["reason"] for row in named}
        if any(row["type"] in ENTRIES for row in facts):
            # It came: without minutes if it is shorter than one, or others keep all of its time.
            reasons.discard("awaiting_target")
        reason = _reason_of(
            None if settled is _NOTHING else settled[1], ends.get(key), reasons, known, ticks
        )
        if reason is not None:
            first = min(named, key=lambda row: (row["offset"], row["topic"]))
            since = min(row["recorded"] for row in named)
            found.append(Waiting(key, reason, since, _place(first)))
    return found


def _uncredited(as_of: int | None) -> str:
    """SQL: the facts that the ledger took of sessions and grants whose lines come to nothing.

    `named`: a posting says that it waits, or it may be an open session. `counts`: it is an end of a
    session. The event is asked first, for it alone names the session: of all events few are of such
    a session. Its volunteer is the posting's, except for ticks, which name none.
    """
    reasons = ", ".join(f"'{reason}'" for reason in _WITHOUT_LINES)
    credited = (
        f"SELECT volunteer_id, session_id, grant_id FROM line WHERE 1{if_asked(as_of)} "
        "GROUP BY volunteer_id, session_id, grant_id HAVING sum(minutes) != 0"
    )
    ended_by_clock = (
        "SELECT volunteer_id FROM posting WHERE reason = 'no_check_out' AND outcome = 'held'"
        f"{if_asked(as_of)}"
    )
    named = (
        f"(outcome = 'held' AND reason IN ({reasons})) OR (event_type = 'CheckedIn' "
        "AND outcome = 'posted' AND line_count = 0 "
        "AND (toUnixTimestamp64Micro(recorded_at) >= {open_since:Int64} "
        f"OR volunteer_id IN ({ended_by_clock})))"
    )
    return (
        "SELECT p.volunteer_id AS volunteer_id, p.sequence AS sequence, p.partition AS partition, "
        "toString(p.reason) AS reason, p.named AS named, e.topic AS topic, e.offset AS offset, "
        "e.session_id AS session_id, e.grant_id AS grant_id, e.type AS type, "
        "e.event_id AS event_id, e.activity_id AS activity_id, e.project_id AS project_id, "
        "e.site_id AS site_id, e.recording_org_id AS recording_org_id, "
        "e.host_org_id AS host_org_id, toUnixTimestamp64Micro(e.occurred_at) AS occurred, "
        "toUnixTimestamp64Micro(e.sent_at) AS sent, "
        "toUnixTimestamp64Micro(e.recorded_at) AS recorded, p.reason != 'too_late' "
        "AND e.type IN ('CheckedIn', 'CheckedOut') AS counts FROM ("
        "SELECT source_topic, source_partition, source_offset, volunteer_id, sequence, partition, "
        f"reason, {named} AS named FROM posting WHERE outcome IN ('posted', 'held')"
        f"{if_asked(as_of)}) AS p INNER JOIN (SELECT * FROM event "
        f"WHERE (session_id != '' OR grant_id != ''){if_asked(as_of)} "
        f"AND (volunteer_id, session_id, grant_id) NOT IN ({credited})) AS e "
        "ON p.source_topic = e.topic AND p.source_partition = e.partition "
        "AND p.source_offset = e.offset"
    )


def _key_of(row: Mapping[str, Any]) -> SpanKey:
    return row["volunteer_id"], row["session_id"], row["grant_id"]


def _place(row: Mapping[str, Any]) -> Place:
    return (row["recording_org_id"], row["host_org_id"], row["project_id"], row["site_id"],
            row["activity_id"])  # fmt: skip


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
        "AND p.source_offset = e.offset ORDER BY recorded",
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
        ref = getattr(event, _CASES[name])
        # An application is the person's, whichever registration it and its decision are told to.
        case = (_NO_SPAN if name in _STARS else _key_of(row), _CASES[name], ref)
        (asked if name in _ASKS else answered).add(case)
        if row["reason"] in ("awaiting_decision", "awaiting_request"):
            open_rows.append((case, row))
    return [
        Waiting(_key_of(row), row["reason"], row["recorded"], _place(row), ref=case[2],
                actor_id=row["actor_id"])
        for case, row in open_rows
        if case not in (answered if row["reason"] == "awaiting_decision" else asked)
    ]  # fmt: skip
