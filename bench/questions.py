"""How long an auditor's questions take: each asked of a trail that holds one folded history.

Median of some runs after a first one that is not counted; an answer is complete when it is plain
Python values. `make bench-questions`.
"""

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.material.histories import folded, history
from bench.output.report import machine, table, write
from consumers.questions.hours.headcounts import headcount
from consumers.questions.hours.histories import explain
from consumers.questions.hours.organisation import org
from consumers.questions.hours.plans import plan
from consumers.questions.hours.totals import total
from consumers.questions.open_items.exceptions import exceptions
from consumers.questions.open_items.overdue import overdue
from consumers.trail.query import Query
from consumers.trail.rows import Row, arrow, rows_of
from consumers.trail.sink import WRITE_ORDER
from consumers.trail.store import Trail, open_trail
from schemas.times import DAY

RUNS = 3
BLOCK_RECORDS = 20_000
console = Console(stderr=True, highlight=False)


def fill(trail: Trail, events: int) -> dict[str, int]:
    """A history's records as a sink would write them; rows of each table."""
    material = folded(history(events, events // 20))
    records = [*material.inputs, *material.postings]
    rows = defaultdict[str, int](int)
    for first in range(0, len(records), BLOCK_RECORDS):
        block = defaultdict[str, list[Row]](list)
        for record in records[first : first + BLOCK_RECORDS]:
            for name, row in rows_of(record):
                block[name].append(row)
        for name in WRITE_ORDER:
            if block[name]:
                trail.insert(name, arrow(name, block[name]), f"bench/{name}/{first}")
                rows[name] += len(block[name])
    return rows


def questions(query: Query) -> Mapping[str, Callable[[], Any]]:
    """The questions, about whoever has most lines, at the history's end."""

    def most(column: str) -> str:
        rows = query(
            f"SELECT {column} AS id FROM line GROUP BY id ORDER BY count() DESC, id LIMIT 1"
        )
        return str(rows[0]["id"])

    (newest,) = query("SELECT toUnixTimestamp64Micro(max(recorded_at)) AS at FROM posting")
    now, who, where, what = newest["at"], *map(most, ("volunteer_id", "recording_org_id",
                                                      "project_id"))  # fmt: skip
    month = (now // DAY - 40, now // DAY - 10)
    return {
        "total of one volunteer": lambda: total(query, who),
        "explain one volunteer": lambda: explain(query, who),
        "total of everybody": lambda: total(query),
        "total of everybody by organisation": lambda: total(query, by="org"),
        "headcount by organisation": lambda: headcount(query, now, "org"),
        "org": lambda: org(query, where),
        "org, a month by project": lambda: org(query, where, None, *month, "project"),
        "plan": lambda: plan(query, what, now),
        "exceptions": lambda: exceptions(query),
        "overdue": lambda: overdue(query, now),
    }


def main() -> None:
    """Fill a trail, ask, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    asked = parser.parse_args()
    where = machine("chdb", "clickhouse-connect")
    took = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        open_trail(Path(folder) / "trail", create=True) as trail,
    ):
        rows = fill(trail, asked.events)
        for name, ask in questions(trail.query).items():
            ask()
            took[name] = statistics.median(_milliseconds(ask) for _ in range(RUNS))
            console.print(f"{name}: {took[name]:,.0f} ms")
    result = {"machine": where, "events": asked.events, "rows": rows, "ms": took}
    write("questions", result, "审计人员的提问 · What auditors ask", page(result))


def _milliseconds(ask: Callable[[], Any]) -> float:
    began = time.monotonic()
    ask()
    return (time.monotonic() - began) * 1000


def page(result: dict[str, Any]) -> str:
    """The section of docs/performance.md."""
    rows = result["rows"]
    return (
        f"{rows['event']:,} events, {rows['posting']:,} postings, {rows['line']:,} lines; about "
        "whoever has most lines; milliseconds of wall time.\n\n"
        + table(("", "ms"), [(name, f"{ms:,.0f}") for name, ms in result["ms"].items()])
    )


if __name__ == "__main__":
    main()
