"""Is the trail a true copy of the log? Row by row, every column, for one topic's partition.

The log's records are turned into rows once more and compared, chunk by chunk, with what the trail
has; only a chunk that differs is looked at row by row.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from consumers.kafka.records import Place, Record
from consumers.reconcile.findings import Difference, Findings
from consumers.trail.rows import TABLES, Row, arrow, rows_of, tables_of

Key = tuple[int, int]
"""Offset, and number of the line: what names a row of one place."""

_CHUNK_RECORDS = 4_000


class Cursor:
    """Rows of one table and place in the order of their offsets, taken a stretch at a time."""

    def __init__(self, table: str, batches: Iterator[pa.RecordBatch]) -> None:
        self._schema = TABLES[table]
        self._batches = batches
        self._rest = self._schema.empty_table()

    def up_to(self, offset: int | None) -> pa.Table:
        """The next rows whose offset is not beyond `offset`; all that are left for None."""
        parts = []
        while True:
            offsets = self._rest["offset"].to_numpy()
            n = len(offsets) if offset is None else int(offsets.searchsorted(offset, "right"))
            parts.append(self._rest.slice(0, n))
            self._rest = self._rest.slice(n)
            if self._rest.num_rows:
                break
            batch = next(self._batches, None)
            if batch is None:
                break
            self._rest = pa.Table.from_batches([batch]).cast(self._schema)
        return pa.concat_tables(parts)


def compare(
    place: Place,
    records: Iterable[list[Record]],
    cursors: dict[str, Cursor],
    findings: Findings,
) -> Iterator[tuple[list[Record], dict[str, list[Row]]]]:
    """Compare one place; yields each chunk of records with its rows by table, for further checks.

    `cursors` has one for each table that the place's topic goes to.
    """
    for chunk in _chunks(records):
        rows: defaultdict[str, list[Row]] = defaultdict(list)
        for record in chunk:
            for table, row in rows_of(record):
                rows[table].append(row)
        for table, cursor in cursors.items():
            held = cursor.up_to(chunk[-1].offset)
            expected = arrow(table, rows[table]) if rows[table] else TABLES[table].empty_table()
            findings.count(table, expected.num_rows)
            if not expected.equals(held):
                findings.add(*_differences(place, table, expected, held, _event_ids(rows)))
        yield chunk, rows
    for table, cursor in cursors.items():
        rest = cursor.up_to(None)
        if rest.num_rows:
            findings.add(*_differences(place, table, TABLES[table].empty_table(), rest, {}))


def cursors_of(place: Place, below: int, stream: Any) -> dict[str, Cursor]:
    """A cursor for each table of a place, over the rows with offsets below `below`."""
    return {
        table: Cursor(
            table,
            stream("rows", table=table, topic=place.topic, partition=place.partition, below=below),
        )
        for table in tables_of(place.topic)
    }


def _chunks(batches: Iterable[list[Record]]) -> Iterator[list[Record]]:
    chunk: list[Record] = []
    for batch in batches:
        chunk += batch
        if len(chunk) >= _CHUNK_RECORDS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _event_ids(rows: dict[str, list[Row]]) -> dict[int, str]:
    """Offset of a posting -> its event: lines do not carry it."""
    names = TABLES["posting"].names
    offset, event_id = names.index("offset"), names.index("event_id")
    return {row[offset]: row[event_id] for row in rows.get("posting", ())}


def _differences(
    place: Place, table: str, expected: pa.Table, held: pa.Table, event_ids: dict[int, str]
) -> Iterator[Difference]:
    wanted, found = _by_key(expected), _by_key(held)
    for key in sorted(wanted.keys() | found.keys()):
        there = found.get(key, [])
        row = wanted.get(key, there)[0]
        if key not in wanted:
            code, detail = "row_without_record", f"{table}: not in the log"
        elif not there:
            code, detail = "row_missing", f"{table}: in the log, not in the trail"
        elif len(there) > 1:
            code, detail = "row_doubled", f"{table}: {len(there)} times in the trail"
        elif there[0] != row:
            code, detail = "row_altered", f"{table}: {_unlike(row, there[0])}"
        else:
            continue
        yield Difference(
            code,
            f"{place}/{key[0]}",
            _text(row.get("event_id", b"")) or event_ids.get(key[0], ""),
            _text(row.get("volunteer_id", b"")),
            detail,
        )


def _by_key(table: pa.Table) -> dict[Key, list[dict[str, Any]]]:
    rows: defaultdict[Key, list[dict[str, Any]]] = defaultdict(list)
    for row in table.to_pylist():
        rows[row["offset"], row.get("line_no", 0)].append(row)
    return rows


def _unlike(row: dict[str, Any], there: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {_text(there[name])!s:.80} instead of {_text(value)!s:.80}"
        for name, value in row.items()
        if there[name] != value
    )


def _text(value: Any) -> Any:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
