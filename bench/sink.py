"""The sink beside its limit: the raw Arrow insert of the same rows into the same tables.

Real Kafka, a real sink process from its start until everything is in the trail; then, in a process
of its own, `clickhouse-connect` inserts the very same rows, already Arrow, in blocks of the same
size. `make bench-sink`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.material.feed import send_facts, send_outputs
from bench.material.histories import folded, history
from bench.output.report import machine, table, write
from bench.watching.processes import shilu
from consumers.api.trail_client import At, find_owner
from consumers.trail.batch import Limits
from consumers.trail.store import open_trail
from deploy.broker.broker import Broker
from deploy.broker.topics_admin import Wanted, create
from schemas.topics import ALL

TABLES = ("line", "event", "posting")
console = Console(stderr=True, highlight=False)


def one_round(bootstrap: str, home: Path, rows: int) -> dict[str, Any]:
    """A new sink, from its start until so many rows are in the trail."""
    began = time.monotonic()
    with shilu(home, bootstrap, "sink") as sink:
        at = At(home)
        while written(at) < rows:
            sink.require_alive()
            time.sleep(0.2)
        seconds = time.monotonic() - began
        found = {"seconds": seconds, "cpu_seconds": sink.cpu_seconds, "peak_mb": sink.peak_mb}
        sink.stop()
    return found


def written(at: At) -> int:
    """Rows of the three big tables that a running sink says it has written."""
    owner = find_owner(at)
    if owner is None:
        return 0
    with owner.client as client:
        lines = client.get("/metrics").text.splitlines()
    wanted = tuple(f'shilu_trail_rows_total{{table="{name}"}}' for name in TABLES)
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines if line.startswith(wanted))


def limit(source: Path, target: Path) -> dict[str, Any]:
    """Insert every row of one trail into a new one, as Arrow blocks that lie ready."""
    block_rows = Limits().rows // len(TABLES)
    with open_trail(source) as trail:
        blocks = []
        for name in TABLES:
            columns = trail._client().query_arrow(f"SELECT * FROM {name}")
            blocks += [
                (name, columns.slice(at, block_rows).combine_chunks())
                for at in range(0, columns.num_rows, block_rows)
            ]
    with open_trail(target, create=True) as trail:
        began, cpu = time.monotonic(), time.process_time()
        for number, (name, block) in enumerate(blocks):
            trail.insert(name, block, f"limit/{number}")
        return {
            "seconds": time.monotonic() - began,
            "cpu_seconds": time.process_time() - cpu,
            "rows": sum(block.num_rows for _, block in blocks),
        }


def sizes(folder: Path) -> dict[str, dict[str, float]]:
    """Rows and bytes per row of each big table, as they lie on disk."""
    with open_trail(folder) as trail:
        for name in TABLES:
            trail.command(f"OPTIMIZE TABLE {name} FINAL")
        rows = trail.query(
            "SELECT table, sum(rows) AS n, sum(bytes_on_disk) AS bytes FROM system.parts "
            "WHERE active AND database = 'shilu' AND table IN ('line', 'event', 'posting') "
            "GROUP BY table"
        )
    return {
        row["table"]: {"rows": row["n"], "bytes_per_row": row["bytes"] / row["n"]} for row in rows
    }


def main() -> None:
    """Run the rounds, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", nargs=2, type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.limit:
        print(json.dumps(limit(*asked.limit)))
        return
    where = machine("chdb", "clickhouse-connect", "kafka-python", "fastavro", "pyarrow")
    console.print(f"folding {asked.events:,} events …")
    material = folded(history(asked.events, asked.events // 20))
    rounds: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with Broker(home / "kafka", tied_to_parent=True, heap="512m", jvm_options=()) as broker:
            create(broker.bootstrap, Wanted(8, True, 1), ALL)
            records = send_facts(broker.bootstrap, material.inputs)
            records += send_outputs(broker.bootstrap, material.postings)
            rows = _rows(material)
            for number in range(asked.rounds):
                at = home / str(number)
                at.mkdir()
                sink = one_round(broker.bootstrap, at, rows)
                command = [sys.executable, "-m", "bench.sink", "--limit", str(At(at).folder)]
                said = subprocess.run(
                    [*command, str(at / "limit")], check=True, capture_output=True, text=True
                )
                rounds.append({"sink": sink, "limit": json.loads(said.stdout)})
                console.print(f"round {number + 1}: {rounds[-1]}")
            size = sizes(At(home / "0").folder)
    result = {"machine": where, "events": asked.events, "records": records, "rows": rows,
              "rounds": rounds, "tables": size}  # fmt: skip
    write("sink", result, "审计库的写入 · The sink", page(result))


def _rows(material: Any) -> int:
    from consumers.trail.rows import rows_of

    records = [*material.inputs, *material.postings]
    return sum(name in TABLES for record in records for name, _ in rows_of(record))


def page(result: dict[str, Any]) -> str:
    """The section of docs/performance.md."""
    rows, rounds = result["rows"], result["rounds"]

    def median(who: str, what: str) -> float:
        return float(statistics.median(one[who][what] for one in rounds))

    lines = [
        (
            label,
            f"{rows / median(who, 'seconds'):,.0f}",
            f"{rows / median(who, 'cpu_seconds'):,.0f}",
            f"{result['records'] / median(who, 'cpu_seconds'):,.0f}",
        )
        for label, who in (
            ("`shilu sink`: Kafka → decode → rows → chDB, start included", "sink"),
            ("limit: the same rows, already Arrow, `insert_arrow` only", "limit"),
        )
    ]
    size = result["tables"]
    each = ", ".join(f"{size[name]['bytes_per_row']:.0f} a row of `{name}`" for name in size)
    peak = max(one["sink"]["peak_mb"] for one in rounds)
    return (
        f"{result['records']:,} records of the log ({result['events']:,} simulated inputs and "
        f"their postings) become {rows:,} rows. Medians of {len(rounds)} rounds.\n\n"
        + table(("", "rows/s wall", "rows/CPU-s", "records/CPU-s"), lines)
        + f"\nOn disk: {each} bytes, the original bytes of every event included. "
        f"Peak memory of the sink: {peak:,} MB.\n"
    )


if __name__ == "__main__":
    main()
