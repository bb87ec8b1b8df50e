"""Sessions and grants that have no minutes and wait: for an end, a check-in, their very first fact.

A posting says why when it was made; what came of it follows from all facts of the person about it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from consumers.questions.facts.sessions import ENTRIES, Ends, SpanKey, key_of, paired
from consumers.questions.open_items.auto_close import closed, deciders, rerated
from consumers.questions.open_items.waiting_item import (
    QUIET,
    Said,
    Waiting,
    place_of,
    told_of_person,
)
from consumers.trail.query import Query, as_known, if_asked
from ledger.catalogue.catalogue import Catalogue
from ledger.catalogue.people import People
from ledger.hours.lateness import policy_at
from schemas.times import HOUR, MINUTE

_WITHOUT_LINES = ("over_max_session", "too_late", "awaiting_check_in", "awaiting_target")
_FLAGS = frozenset(
    {
        None,
        "",
        "clock_corrected",
        "delayed_or_slow_clock",
        "recorded_late",
        "deadline_unknown",
        "shift_cancelled",
        "awaiting_target",
    }
    | {"awaiting_check_in", "merged", "unmerged", "given_back"}
)
_TARGETED = (
    "SessionConfirmed", "SessionDenied", "HoursDecided", "SessionVoided", "SessionReinstated",
    "HoursRerated",
)  # fmt: skip
"""Acts that are nothing without their session or grant."""

_ELSEWHERE = frozenset({"forwarded", "given_back"})
"""Reasons under which another registration's postings say what became of it, or said it before."""

_AWAITED = ("awaiting_target", "awaiting_check_in")
_FORWARDED: Mapping[str, str] = {
    "SessionVoided": "voided", "SessionReinstated": "", "AppealDecided": "",
}  # fmt: skip
"""What events say by themselves, where their postings leave it to another account: after an appeal
rather something too much is said to wait."""

_LONGEST_OPEN = 25 * HOUR
"""No policy leaves a session open for more than a day; clocks differ by minutes."""

_LOOKED_UP_AT_ONCE = 1_000


def unfinished(
    query: Query, known: Catalogue, people: People, moved: Said, as_of: int | None
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
        told_of_person(row, people)
        of_span[key_of(row)].append(row)
    ends = paired((row for row in rows if row["counts"]), known)
    told = rerated(query, rows, as_of)
    judged = deciders(query, as_of) if told else known
    waits = {key: facts for key, facts in of_span.items() if any(row["named"] for row in facts)}
    for key in _credited_after_all(query, waits, people, as_of):
        del waits[key]
    found = []
    for key, facts in waits.items():
        settled, both = _settled(facts, moved.get(key)), ends.get(key)
        if key in told and settled in _FLAGS and both is not None and both.is_open:
            is_closed = closed(query, both, told[key], judged, as_of)
            reason = "no_check_out" if is_closed else None
        else:
            reason = _reason_of(settled, both, _awaited(facts), known, ticks)
        if reason is not None:
            named = [row for row in facts if row["named"]]
            first = min(named, key=lambda r: (not r["recording_org_id"], r["offset"], r["topic"]))
            since = min(row["recorded"] for row in named)
            found.append(Waiting(key, reason, since, place_of(first)))
    return found


def _credited_after_all(
    query: Query,
    waits: Mapping[SpanKey, Iterable[Mapping[str, Any]]],
    people: People,
    as_of: int | None,
) -> set[SpanKey]:
    """Those with facts of an absorbed registration that have minutes under another of the person's:
    an absorbed one itself never has any."""
    keys = sorted(
        (name, *key[1:])
        for key, facts in waits.items()
        if not all(row["own"] for row in facts)
        for name in people.registrations(key[0])
    )
    found = set[SpanKey]()
    for first in range(0, len(keys), _LOOKED_UP_AT_ONCE):
        rows = query(
            "SELECT volunteer_id, session_id, grant_id FROM line WHERE (volunteer_id, session_id, "
            f"grant_id) IN {{keys:Array(Tuple(String, String, String))}}{if_asked(as_of)} "
            "GROUP BY volunteer_id, session_id, grant_id HAVING sum(minutes) != 0",
            keys=keys[first : first + _LOOKED_UP_AT_ONCE], **as_known(as_of),
        )  # fmt: skip
        found |= {(people.survivor(row["volunteer_id"]), *key_of(row)[1:]) for row in rows}
    return found


def _settled(facts: Iterable[Mapping[str, Any]], moved: tuple[int, str] | None) -> str | None:
    """What was said last of a session or grant, if anything that settled it: under whoever counts
    the hours, else under an absorbed registration."""
    said = [(row["own"], row["sequence"], reason) for row in facts
            if (reason := _said_by(row)) is not None]  # fmt: skip
    if moved is not None:
        said.append((True, *moved))
    return max(said)[2] if said else None


def _said_by(row: Mapping[str, Any]) -> str | None:
    """What a posting says of a session or grant without minutes; None if nothing."""
    reason: str = row["reason"]
    if reason == "forwarded":
        return _FORWARDED.get(row["type"])
    # Whoever hears of a void one that its target or check-in is awaited has taken the void back.
    return None if reason in QUIET and reason not in _AWAITED else reason


def _awaited(facts: Iterable[Mapping[str, Any]]) -> set[str]:
    """Why a session or grant waits as far as single facts tell."""
    reasons = {row["reason"] for row in facts if row["named"]}
    # No posting says that an act's target was told of somebody else, or is somebody else's again.
    if reasons & _ELSEWHERE and any(row["type"] in _TARGETED for row in facts):
        reasons.add("awaiting_target")
    if any(row["type"] in ENTRIES for row in facts):
        # It came: without minutes if it is shorter than one, or others keep all of its time.
        reasons.discard("awaiting_target")
    return reasons


def _uncredited(as_of: int | None) -> str:
    """SQL: the facts that the ledger took of sessions and grants whose lines come to nothing.

    `named`: a posting says that it waits, or it may be an open session, or what became of it was
    said under the registration that absorbed its own. `counts`: it is an end of a session. The
    event is asked first, for it alone names the session: of all events few are of such a session.
    Its volunteer is the posting's, except for ticks, which name none.
    """
    reasons, elsewhere = (
        ", ".join(f"'{reason}'" for reason in some) for some in (_WITHOUT_LINES, sorted(_ELSEWHERE))
    )
    credited = (
        f"SELECT volunteer_id, session_id, grant_id FROM line WHERE 1{if_asked(as_of)} "
        "GROUP BY volunteer_id, session_id, grant_id HAVING sum(minutes) != 0"
    )
    ended_by_clock = (
        "SELECT volunteer_id FROM posting WHERE reason = 'no_check_out' AND outcome = 'held'"
        f"{if_asked(as_of)}"
    )
    named = (
        f"(outcome = 'held' AND reason IN ({reasons})) OR reason IN ({elsewhere}) "
        "OR (event_type IN ('CheckedIn', 'SpanTransferred') AND outcome = 'posted' "
        "AND line_count = 0 "
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
        at, late = ends.start, "over_max_session"
    place = last if ends.first is None else ends.first
    policy = policy_at(place["project_id"], place["site_id"] or None, at, known)
    if ends.end is not None:
        # Its posting says so, unless another account was to.
        is_long = ends.end - at > policy.max_session_minutes * MINUTE
        return late if is_long and "forwarded" in said else None
    minutes = policy.late_event_window_minutes if ends.first is None else policy.max_open_minutes
    if tick >= last["recorded"] and tick >= at + minutes * MINUTE:
        return late
    return "awaiting_check_in" if ends.first is None else None
