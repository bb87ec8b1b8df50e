"""The same lines in three stores behind the same calls: the trail, DuckDB, PostgreSQL."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.csv

from bench.material import postgres
from consumers.trail.rows import TABLES
from consumers.trail.store import Trail, open_trail

TEXT_COLUMNS = [field.name for field in TABLES["line"] if field.type == pa.binary()]
_POSTGRES = {pa.int64(): "bigint", pa.binary(): "text", pa.date32(): "date"}


class Store(Protocol):
    """A store of lines."""

    name: str

    def put(self, lines: pa.Table) -> None:
        """Append lines; texts come as bytes."""

    def finish(self) -> None:
        """Indexes, statistics, merges: what is done once after loading."""

    def rows(self, sql: str) -> int:
        """Run a query and take every row of its answer; how many there were."""

    @property
    def bytes_on_disk(self) -> int:
        """What the lines take with their indexes."""


def as_texts(lines: pa.Table) -> pa.Table:
    """The columns that are bytes for the trail as texts for the others."""
    fields = [(f.name, pa.string() if f.type == pa.binary() else f.type) for f in lines.schema]
    return lines.cast(pa.schema(fields))


class InTrail:
    """The trail as it is, with its own DDL and client."""

    name = "shilu (chDB)"

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._blocks = 0

    def put(self, lines: pa.Table) -> None:
        self._blocks += 1
        self._trail.insert("line", lines, f"bench/{self._blocks}")

    def finish(self) -> None:
        self._trail.command("OPTIMIZE TABLE line FINAL")

    def rows(self, sql: str) -> int:
        return sum(batch.num_rows for batch in self._trail.stream(sql))

    @property
    def bytes_on_disk(self) -> int:
        (row,) = self._trail.query(
            "SELECT sum(bytes_on_disk) AS n FROM system.parts WHERE active AND table = 'line' "
            "AND database = 'shilu'"
        )
        return int(row["n"])


class InDuckdb:
    """One DuckDB file, with an index on the volunteer."""

    name = "DuckDB"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = duckdb.connect(str(path))
        self._made = False

    def put(self, lines: pa.Table) -> None:
        self._db.register("new", as_texts(lines))
        made = "INSERT INTO line" if self._made else "CREATE TABLE line AS"
        self._db.execute(f"{made} SELECT * FROM new")
        self._db.unregister("new")
        self._made = True

    def finish(self) -> None:
        self._db.execute("CREATE INDEX of_volunteer ON line (volunteer_id)")
        self._db.execute("CHECKPOINT")

    def rows(self, sql: str) -> int:
        return len(self._db.sql(sql).to_arrow_table())

    @property
    def bytes_on_disk(self) -> int:
        return self._path.stat().st_size

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class InPostgres:
    """A PostgreSQL table, with an index on volunteer and time of recording."""

    name = "PostgreSQL"

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._db = connection
        columns = ", ".join(
            f'"{f.name}" {_POSTGRES.get(f.type, "timestamptz")}' for f in TABLES["line"]
        )
        self._db.execute(f"CREATE TABLE line ({columns})".encode())

    def put(self, lines: pa.Table) -> None:
        out = io.BytesIO()
        pa.csv.write_csv(as_texts(lines), out, pa.csv.WriteOptions(include_header=False))
        with self._db.cursor() as cursor, cursor.copy("COPY line FROM STDIN (FORMAT csv)") as copy:
            copy.write(out.getvalue())

    def finish(self) -> None:
        self._db.execute("CREATE INDEX of_volunteer ON line (volunteer_id, recorded_at)")
        self._db.commit()
        self._db.autocommit = True
        self._db.execute("VACUUM ANALYZE line")

    def rows(self, sql: str) -> int:
        with self._db.cursor(binary=True) as cursor:
            return len(cursor.execute(sql.encode()).fetchall())

    @property
    def bytes_on_disk(self) -> int:
        found = self._db.execute("SELECT pg_total_relation_size('line')").fetchone()
        assert found is not None
        return int(found[0])


@contextmanager
def in_trail(folder: Path) -> Iterator[Store]:
    """A new trail."""
    with open_trail(folder / "trail", create=True) as trail:
        yield InTrail(trail)


@contextmanager
def in_duckdb(folder: Path) -> Iterator[Store]:
    """A new DuckDB file."""
    store = InDuckdb(folder / "lines.duckdb")
    try:
        yield store
    finally:
        store.close()


@contextmanager
def in_postgres(folder: Path, programs: Path) -> Iterator[Store]:
    """A new PostgreSQL server."""
    with (
        postgres.running(programs, folder / "postgres") as where,
        psycopg.connect(where) as connection,
    ):
        yield InPostgres(connection)
