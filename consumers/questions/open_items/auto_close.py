"""Was a session that nobody ended closed by a tick (docs/rules.md, section 8)?

A tick's posting names no session, so this follows from the session's own facts.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from consumers.questions.facts.catalogue_view import ORGS, PLACES, RULES, catalogue
from consumers.questions.facts.sessions import Ends, SpanKey, key_of
from consumers.trail.query import Query, as_known, if_asked
from ledger.account.acts import Act, with_act
from ledger.account.spans import Facts
from ledger.catalogue.catalogue import Catalogue, Place
from ledger.hours.decisions import act_of
from ledger.hours.results import open_policy
from schemas.events import HoursRerated
from schemas.times import MINUTE
from schemas.topics import HOURS
from schemas.wire.codec import decode_event

Row = Mapping[str, Any]
Rerated = Mapping[SpanKey, list[tuple[int, Act]]]
"""Session -> when a re-rating of it was recorded, in UTC microseconds, and what it says."""


def rerated(query: Query, rows: Iterable[Row], as_of: int | None) -> Rerated:
    """The re-ratings among the facts of sessions, in the order in which they were recorded."""
    named = {
        (row["partition"], row["offset"]): row for row in rows if row["type"] == "HoursRerated"
    }
    if not named:
        return {}
    found: dict[SpanKey, list[tuple[int, Act]]] = {}
    for row in query(
        "SELECT partition, offset, hex(value) AS value_hex FROM event "
        f"WHERE topic = '{HOURS}' AND type = 'HoursRerated'{if_asked(as_of)} "
        "ORDER BY partition, offset",
        **as_known(as_of),
    ):
        fact = named.get((row["partition"], row["offset"]))
        if fact is None:
            continue
        event = decode_event(bytes.fromhex(row["value_hex"]))
        assert isinstance(event, HoursRerated)
        act = act_of(event, fact["volunteer_id"])
        found.setdefault(key_of(fact), []).append((fact["recorded"], act))
    return found


def deciders(query: Query, as_of: int | None) -> Catalogue:
    """The catalogue as far as it says how long a session may be open, and who may re-rate it."""
    return catalogue(query, (*PLACES, *RULES, *ORGS), as_of)


def closed(
    query: Query, ends: Ends, told: list[tuple[int, Act]], known: Catalogue, as_of: int | None
) -> bool:
    """Did a tick find an open session open for too long, by what held at that tick? `told` are its
    re-ratings, `known` is from `deciders`."""
    first = ends.first
    assert first is not None
    place = Place(first["activity_id"], first["project_id"], first["site_id"] or None,
                  first["recording_org_id"], first["host_org_id"])  # fmt: skip
    facts = Facts(ends.start, first["event_id"], place)

    def due() -> int:
        policy = open_policy(facts, place, ends.start, known)
        return ends.start + policy.max_open_minutes * MINUTE

    since: int = ends.last["recorded"]
    for at, act in told:
        if _ticked(query, first["partition"], max(since, due()), at, as_of):
            return True
        facts.acts = with_act(facts.acts, act)
        since = max(since, at)
    return _ticked(query, first["partition"], max(since, due()), None, as_of)


def _ticked(query: Query, partition: int, since: int, until: int | None, as_of: int | None) -> bool:
    """Was there a tick in a partition from one instant on and before another?"""
    before = "" if until is None else " AND toUnixTimestamp64Micro(recorded_at) < {until:Int64}"
    values = {} if until is None else {"until": until}
    (row,) = query(
        "SELECT count() AS ticks FROM posting WHERE event_type = 'ClockTicked' "
        "AND partition = {partition:Int64} AND toUnixTimestamp64Micro(recorded_at) >= {since:Int64}"
        f"{before}{if_asked(as_of)}",
        partition=partition, since=since, **values, **as_known(as_of),
    )  # fmt: skip
    return bool(row["ticks"])
