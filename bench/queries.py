"""An auditor's questions over many lines: the trail beside DuckDB and PostgreSQL, same lines.

The lines are those of a folded history, repeated for other volunteers and other months. Each query
hands every row of its answer to Python; the median of several runs after a first one that is not
counted. `make bench-trail`.
"""

import argparse
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console

from bench.material import postgres
from bench.material.histories import folded, history
from bench.material.stores import Store, in_duckdb, in_postgres, in_trail
from bench.output.report import machine, table, write
from consumers.trail.rows import arrow, rows_of
from schemas.times import DAY

BASE_EVENTS = 40_000
MONTHS = 24
RUNS = 5
console = Console(stderr=True, highlight=False)

COUNTED = "state = 'effective' AND kind <> 'training'"
QUERIES = {
    "history of one volunteer": "SELECT * FROM line WHERE volunteer_id = '{who}' "
    "ORDER BY recorded_at",
    "the same, as of an earlier moment": "SELECT sum(minutes) AS minutes FROM line WHERE "
    "volunteer_id = '{who}' AND recorded_at <= '{then}' AND " + COUNTED,
    "top 100 volunteers": "SELECT volunteer_id, sum(minutes) AS minutes FROM line WHERE "
    + COUNTED + " GROUP BY volunteer_id ORDER BY minutes DESC, volunteer_id LIMIT 100",
    "organisation × month": "SELECT recording_org_id, {month} AS month, sum(minutes) AS minutes "
    "FROM line WHERE " + COUNTED + " GROUP BY recording_org_id, {month}",
    "all balances from the lines": "SELECT volunteer_id, sum(minutes) AS minutes FROM line WHERE "
    + COUNTED + " GROUP BY volunteer_id",
}  # fmt: skip
_MONTH = {"shilu (chDB)": "toStartOfMonth(service_date)"}
TARGET_MS = {"history of one volunteer": 50, "all balances from the lines": 2_000}


def base_lines() -> tuple[pa.Table, str]:
    """The lines of one history, and the volunteer who has most of them."""
    material = folded(history(BASE_EVENTS, BASE_EVENTS // 20))
    rows = [row for record in material.postings for name, row in rows_of(record) if name == "line"]
    lines = arrow("line", rows)
    who, _ = Counter(lines["volunteer_id"].to_pylist()).most_common(1)[0]
    return lines, who.decode()


def repeated(lines: pa.Table, total: int) -> Iterator[pa.Table]:
    """Tables of lines, `total` in all: each for volunteers of its own, some months later.

    Ids are drawn anew and times shifted by some seconds, or the copies would compress each other.
    """
    rng = np.random.default_rng(1)
    people = lines["volunteer_id"].combine_chunks().dictionary_encode()
    done = number = 0
    while done < total:
        part = lines.slice(0, min(lines.num_rows, total - done))
        done += part.num_rows
        later = (number % MONTHS) * 30
        seconds = rng.integers(0, 3_600, part.num_rows) * 1_000_000
        changes = {
            "offset": pc.add(part["offset"], number * 1_000_000),
            "posting_index": pc.add(part["posting_index"], number * 1_000_000),
            "recorded_at": pc.add(part["recorded_at"].cast(pa.int64()), later * DAY + seconds),
            "service_date": pc.add(
                part["service_date"].cast(pa.int32()), pa.scalar(later, pa.int32())
            ),
        }
        if number:  # the first copy keeps the names: one of its volunteers is asked for
            names = _drawn(rng, b"v", len(people.dictionary)).take(people.indices)
            changes["volunteer_id"] = pa.chunked_array([names.slice(0, part.num_rows)])
            changes["session_id"] = pa.chunked_array([_drawn(rng, b"s", part.num_rows)])
        yield _with(part, **changes)
        number += 1


def _drawn(rng: np.random.Generator, kind: bytes, count: int) -> pa.Array:
    """So many new random ids."""
    drawn = pa.array(rng.integers(10**17, 10**18, count)).cast(pa.string()).cast(pa.binary())
    return pc.binary_join_element_wise(pa.scalar(kind), drawn, b"-")


def _with(lines: pa.Table, **columns: pa.ChunkedArray) -> pa.Table:
    for name, values in columns.items():
        at = lines.schema.get_field_index(name)
        lines = lines.set_column(at, name, values.cast(lines.schema.field(name).type))
    return lines


def measure(store: Store, lines: pa.Table, total: int, who: str) -> dict[str, Any]:
    """Load the lines, run every query."""
    began = time.monotonic()
    for some in repeated(lines, total):
        store.put(some)
    store.finish()
    found: dict[str, Any] = {
        "load_seconds": time.monotonic() - began,
        "bytes_per_line": store.bytes_on_disk / total,
        "queries": {},
    }
    month = _MONTH.get(store.name, "date_trunc('month', service_date)")
    for name, text in QUERIES.items():
        sql = text.format(who=who, then="2025-04-01 00:00:00", month=month)
        rows = store.rows(sql)
        took = []
        for _ in range(RUNS):
            began = time.monotonic()
            store.rows(sql)
            took.append((time.monotonic() - began) * 1000)
        found["queries"][name] = {"ms": statistics.median(took), "rows": rows}
        console.print(f"{store.name}: {name} {found['queries'][name]}")
    return found


def main() -> None:
    """Load and ask each store in turn, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=10_000_000)
    asked = parser.parse_args()
    where = machine("chdb", "clickhouse-connect", "duckdb", "psycopg")
    lines, who = base_lines()
    stores: list[Callable[[Path], AbstractContextManager[Store]]] = [in_trail, in_duckdb]
    programs = postgres.find()
    if programs is None:
        console.print("PostgreSQL is not installed (apt-get install postgresql-15): left out")
    else:
        stores.append(lambda folder: in_postgres(folder, programs))
    results: dict[str, Any] = {}
    for opened in stores:
        with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as store:
            results[store.name] = measure(store, lines, asked.lines, who)
    counts = {name: [q["rows"] for q in r["queries"].values()] for name, r in results.items()}
    if len({tuple(rows) for rows in counts.values()}) != 1:
        raise SystemExit(f"the stores do not agree: {counts}")
    result = {"machine": where, "lines": asked.lines, "stores": results}
    write("trail", result, "审计库的查询 · Questions to the trail", page(result))


def page(result: dict[str, Any]) -> str:
    """The section of docs/performance.md."""
    stores: dict[str, Any] = result["stores"]
    rows: list[list[str]] = []
    for name in QUERIES:
        ms = [store["queries"][name]["ms"] for store in stores.values()]
        best = min(ms)
        target = f"{TARGET_MS[name]:,}" if name in TARGET_MS else ""
        rows.append([name, *(f"**{t:,.1f}**" if t == best else f"{t:,.1f}" for t in ms), target])
    rows.append(["loading, s", *(f"{s['load_seconds']:,.0f}" for s in stores.values()), ""])
    rows.append(["bytes a line", *(f"{s['bytes_per_line']:,.0f}" for s in stores.values()), ""])
    ahead = [
        f"{name} ({other})"
        for name in QUERIES
        if (other := min(stores, key=lambda s: stores[s]["queries"][name]["ms"]))
        != next(iter(stores))
    ]
    said = f"A peer is ahead in: {', '.join(ahead)}." if ahead else "No peer is ahead."
    without = "" if len(stores) == 3 else " PostgreSQL was not installed and is left out."
    return (
        f"{result['lines']:,} lines; milliseconds of wall time, the best in bold. {said}{without} "
        "DuckDB has an index on the volunteer, PostgreSQL one on volunteer and time; it runs with "
        "1 GB of shared buffers and 256 MB of work memory, otherwise as it comes.\n\n"
        + table(("", *stores, "target"), rows)
    )


def _fastest(stores: dict[str, Any], query: str) -> str:
    return min(stores, key=lambda name: float(stores[name]["queries"][query]["ms"]))


if __name__ == "__main__":
    main()
