"""What the ledger took of evaluations and of recognition."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from consumers.query import Query
from schemas.codec import decode_event
from schemas.validity import LATEST

_TAKEN = frozenset({"posted", "held"})
_FACTS = (
    "SELECT hex(e.value) AS value_hex, p.sequence AS sequence, p.outcome AS outcome, "
    "p.reason AS reason, toUnixTimestamp64Micro(p.recorded_at) AS recorded "
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
    """A fact and what the ledger said of it; `sequence` orders the facts of one volunteer."""

    event: Any
    sequence: int
    outcome: str
    reason: str
    recorded_at: int

    @property
    def counts(self) -> bool:
        """Is it in force? What was refused, repeated, or taken back before it came is not."""
        return self.outcome in _TAKEN and self.reason != "taken_back_before"


def taken(
    query: Query,
    topic: str,
    as_of: int | None = None,
    volunteer_id: str | None = None,
    projects: Sequence[str] | None = None,
) -> Iterator[Taken]:
    """The facts of a topic with their postings as known at `as_of` (UTC microseconds), in each
    volunteer's own order; one volunteer's alone, or those in some projects, where named."""
    whose = "" if volunteer_id is None else "AND volunteer_id = {volunteer_id:String}"
    where = "" if projects is None else "AND e.project_id IN {projects:Array(String)}"
    rows = query(
        _FACTS.replace("{whose}", whose).replace("{where}", where),
        projects=list(projects or ()),
        topic=topic,
        as_of=LATEST if as_of is None else as_of,
        volunteer_id=volunteer_id or "",
    )
    for row in rows:
        event = decode_event(bytes.fromhex(row["value_hex"]))
        yield Taken(event, row["sequence"], row["outcome"], row["reason"], row["recorded"])
