"""Where a sink goes on: told by the trail alone, and checked against the log before it does."""

import pyarrow as pa

from consumers.kafka.gaps import Gap, accepted
from consumers.kafka.reader import Log
from consumers.kafka.records import Place, Record
from consumers.trail.rows import TABLES, arrow, rows_of, tables_of
from consumers.trail.store import Trail
from consumers.trail.watermarks import Heads, head_of


class SinkError(Exception):
    """The sink must not go on: `foreign_log` or `log_gap`, and where."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def starts(log: Log, held: Heads, places: list[Place]) -> dict[Place, int]:
    """Where to read from: the last record that the trail has, so that `prove` can compare it.

    Raises SinkError when the log ends before the trail does, or begins after it; unless somebody
    has accepted that what lies between is gone.
    """
    begins, ends = log.begins(places), log.ends(places)
    gaps = {p: Gap(p, head, begins[p]) for p in places if (head := head_of(held, p)) < begins[p]}
    known = accepted(log, gaps.values())
    found = {}
    for place in places:
        head = head_of(held, place)
        if head > ends[place]:
            raise SinkError("foreign_log", f"{place}: trail {head}, log {ends[place]}")
        if place in gaps and gaps[place] not in known:
            raise SinkError("log_gap", f"{place}: trail {head}, log from {begins[place]}")
        found[place] = head - 1 if head > begins[place] else begins[place]
    return found


def prove(trail: Trail, place: Place, head: int, record: Record) -> None:
    """The trail's last record of a place must be the log's; raises SinkError `foreign_log`.

    A topic that was deleted and created again would otherwise be mixed into the trail.
    """
    if record.offset != head - 1:
        raise SinkError("foreign_log", f"{place}: no record at {head - 1}")
    table = tables_of(place.topic)[-1]
    where = "partition = {partition:Int64} AND offset = {offset:Int64}"
    batches = trail.stream(
        f"SELECT * FROM {table} WHERE {where}"
        + (" AND topic = {topic:String}" if table == "event" else ""),
        topic=place.topic, partition=place.partition, offset=record.offset,
    )  # fmt: skip
    schema = TABLES[table]
    held = pa.Table.from_batches([batch.cast(schema) for batch in batches], schema)
    rows = [row for name, row in rows_of(record) if name == table]
    if not rows or not arrow(table, rows).equals(held):
        raise SinkError("foreign_log", f"{place}: another record at {record.offset}")
