"""What the ledger took of evaluations and of recognition."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from consumers.trail.query import Query
from schemas.topics import TRANSFERS
from schemas.validity import LATEST
from schemas.wire.codec import decode_event

_TAKEN = frozenset({"posted", "held"})
_PASSED_ON = frozenset({"forwarded", "given_back"})
_FACTS = (
    "SELECT hex(e.value) AS value_hex, p.volunteer_id AS judged_by, p.sequence AS sequence, "
    "p.outcome AS outcome, p.reason AS reason, toUnixTimestamp64Micro(p.recorded_at) AS recorded "
    "FROM event AS e INNER JOIN (SELECT source_topic, source_partition, source_offset, "
    "volunteer_id, sequence, outcome, reason, recorded_at FROM posting "
    "WHERE source_topic = {topic:String} {whose} "
    "AND toUnixTimestamp64Micro(recorded_at) <= {as_of:Int64}) AS p "
    "ON p.source_topic = e.topic AND p.source_partition = e.partition "
    "AND p.source_offset = e.offset "
    "WHERE e.topic = {topic:String} {whose} {where} ORDER BY p.volunteer_id, p.sequence"
)


@dataclass(frozen=True, slots=True)
class Taken:
    """A fact and what the ledger said of it; `sequence` orders the facts that one volunteer's
    account judged, `judged_by`: its own, or after a merge that which counts its hours."""

    event: Any
    judged_by: str
    sequence: int
    outcome: str
    reason: str
    recorded_at: int

    @property
    def is_taken(self) -> bool:
        """Was it neither refused nor repeated?"""
        return self.outcome in _TAKEN

    @property
    def counts(self) -> bool:
        """Is it in force? What was refused, repeated, or taken back before it came is not."""
        return self.is_taken and self.reason != "taken_back_before"


def taken(
    query: Query,
    topic: str,
    as_of: int | None = None,
    volunteers: Collection[str] | None = None,
    projects: Sequence[str] | None = None,
) -> Iterator[Taken]:
    """The facts of a topic with what came of them as known at `as_of` (UTC microseconds), in each
    volunteer's own order; some volunteers' alone, or those in some projects, where named.

    A fact about an absorbed registration is answered by the account that it was handed to, and is
    left out until then.
    """
    whose = "" if volunteers is None else "AND volunteer_id IN {volunteers:Array(String)}"
    where = "" if projects is None else "AND e.project_id IN {projects:Array(String)}"
    rows = query(
        _FACTS.replace("{whose}", whose).replace("{where}", where),
        projects=list(projects or ()),
        topic=topic,
        as_of=LATEST if as_of is None else as_of,
        volunteers=sorted(volunteers or ()),
    )
    handed = _judged(query, as_of) if any(row["reason"] == "forwarded" for row in rows) else {}
    for row in rows:
        event: Any = decode_event(bytes.fromhex(row["value_hex"]))
        if row["reason"] == "forwarded":
            found = handed.get((event.volunteer_id, event.event_id))
            if found is None:
                continue
            row = found
        yield Taken(
            event, row["judged_by"], row["sequence"], row["outcome"], row["reason"],
            row["recorded"],
        )  # fmt: skip


def _judged(query: Query, as_of: int | None) -> dict[tuple[str, str], dict[str, Any]]:
    """The answers to facts that were handed to another account: registration and event_id -> what
    that account said of it."""
    rows = query(
        _FACTS.replace("{whose}", "").replace("{where}", "AND e.type = 'FactForwarded'"),
        topic=TRANSFERS,
        as_of=LATEST if as_of is None else as_of,
    )
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        if row["reason"] not in _PASSED_ON:
            event: Any = decode_event(bytes.fromhex(row["value_hex"]))
            fact: Any = decode_event(event.fact)
            found.setdefault((fact.volunteer_id, fact.event_id), row)
    return found


def first_of_each(facts: Iterable[Taken], field: str) -> list[Taken]:
    """One fact of each id: of two that different registrations brought into a merge, the one that
    happened first."""
    kept: dict[str, Taken] = {}
    for one in facts:
        other = kept.setdefault(getattr(one.event, field), one)
        if _happened(one) < _happened(other):
            kept[getattr(one.event, field)] = one
    return list(kept.values())


def _happened(one: Taken) -> tuple[int, str]:
    return one.event.occurred_at, one.event.volunteer_id
