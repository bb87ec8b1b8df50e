"""The audit trail's store: chDB in a folder, or a ClickHouse server, behind the same calls.

chDB lets one process own a folder, and a client must not be shared by threads: so each thread gets
a client of its own, and whoever finds the folder taken asks its owner
(`consumers.api.trail_client`).
"""

import fcntl
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from consumers.trail import disk_guard

DATABASE = "shilu"
"""Where the tables are, unless a server's DSN names another database."""

_INSERT_SETTINGS: Mapping[str, object] = {
    # One insert must stay one block, that is one part: all of it is there after a crash, or none.
    "max_insert_block_size": 10_000_000,
    "min_insert_block_size_rows": 10_000_000,
    "min_insert_block_size_bytes": 1 << 30,
    "async_insert": 0,
    **disk_guard.INSERT_SETTINGS,
}
_STREAM_SETTINGS: Mapping[str, object] = {
    # Set once for each client: for chDB each of them is a statement of its own, there and back.
    # Bytes stay bytes: Arrow strings would have to be UTF-8.
    "output_format_arrow_string_as_string": 0,
    "max_bytes_before_external_sort": 128 << 20,
    "max_block_size": 8_192,
    "max_threads": 2,
}


class TrailError(Exception):
    """The trail cannot be used; the code says why, the text what was found."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class TrailLocked(TrailError):
    """Another process owns the trail's folder; `pid` is 0 where it cannot be told."""

    def __init__(self, folder: Path, pid: int) -> None:
        super().__init__("trail_locked", f"{folder} (pid {pid or '?'})")
        self.pid = pid


@dataclass(frozen=True, slots=True)
class Form:
    """The values that make one DDL fit a single node or a replicated cluster."""

    engine: str
    on_cluster: str
    dedup_window: str


SINGLE = Form("MergeTree", "", "non_replicated_deduplication_window")
REPLICATED = Form(
    "ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')",
    "ON CLUSTER '{cluster}'",
    "replicated_deduplication_window",
)


def migrations(form: Form) -> Iterator[tuple[int, str, str, tuple[str, ...]]]:
    """Every DDL file in order: number, file name, SHA-256 of the file, its statements."""
    folder = files("schemas") / "clickhouse"
    named = sorted((path.name, path) for path in folder.iterdir() if path.name.endswith(".sql"))
    for name, path in named:
        text = path.read_text(encoding="utf-8")
        filled = Template(text).substitute(
            engine=form.engine, on_cluster=form.on_cluster, dedup_window=form.dedup_window
        )
        bare = re.sub(r"^--.*$", "", filled, flags=re.MULTILINE)
        statements = tuple(s.strip() for s in re.split(r";\s*$", bare, flags=re.M) if s.strip())
        yield int(name[:4]), name, sha256(text.encode()).hexdigest(), statements


class Trail:
    """An open trail. Each thread that uses it has its own client; `close` closes them all.

    Every method raises TrailError: `trail_unreachable` where a server is away, `trail_full`,
    `trail_unusable`.
    """

    def __init__(self, folder: Path, dsn: str = "") -> None:
        self._folder = folder
        self._dsn = dsn
        self._database = (urlsplit(dsn).path.strip("/") or DATABASE) if dsn else DATABASE
        self._local = threading.local()
        self._clients: list[Client] = []
        self._idle: list[Client] = []
        self._guard = threading.Lock()
        self._room = None if dsn else disk_guard.Watch(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every client; the folder is free afterwards."""
        with self._guard:
            clients, self._clients, self._idle = self._clients, [], []
        for client in clients:
            with suppress(ClickHouseError):
                client.close()
        self._local = threading.local()

    def query(self, sql: str, **values: object) -> list[dict[str, Any]]:
        """Rows as dicts; `values` are bound to the `{name:Type}` in the text."""
        with _told():
            return list(self._client().query(sql, parameters=values or None).named_results())

    def command(self, sql: str, **values: object) -> None:
        """Run a statement that gives no rows; `values` as for `query`."""
        with _told():
            self._client().command(sql, parameters=values or None)

    def stream(self, sql: str, **values: object) -> Iterator[pa.RecordBatch]:
        """Rows as Arrow batches, texts as bytes, at the memory of a few batches."""
        # Its own client: one that has a stream open refuses every other query.
        with self._guard:
            client = self._idle.pop() if self._idle else None
        if client is None:
            client = self._new_client(_STREAM_SETTINGS)
        with _told(), client.query_arrow_stream(sql, parameters=values or None) as batches:
            for batch in batches:
                if batch.num_rows:
                    yield batch
        with self._guard:
            self._idle.append(client)

    def insert(self, table: str, rows: pa.Table, token: str) -> None:
        """Append all rows in one atomic block; a repeat under the same token adds nothing.

        Raises TrailError `trail_full` with nothing written, `trail_damaged` when the disk was full
        meanwhile and rows were lost on it.
        """
        settings = {**_INSERT_SETTINGS, "insert_deduplication_token": token}
        try:
            with _told():
                self._client().insert_arrow(table, rows.combine_chunks(), settings=settings)
        except TrailError as error:
            if error.code == "trail_full" and self._room is not None:
                self._room.refused()
            raise
        if self._room is not None:
            self._require(not self._room.unreadable(self.query, self._check, self._database))

    def require_whole(self) -> None:
        """Raises TrailError `trail_damaged` if the engine has had to put rows aside."""
        self._require(not disk_guard.damaged(self.query, self._database))

    def _require(self, whole: bool) -> None:
        if not whole:
            raise TrailError("trail_damaged", self._database if self._dsn else str(self._folder))

    def _check(self, table: str, part: str) -> bool | None:
        try:
            with _told():
                said = self._client().command(f"CHECK TABLE `{table}` PART '{part}'")
        except TrailError as error:
            if "NO_SUCH_DATA_PART" in error.detail:
                return None
            raise
        return str(said[1]) == "1"  # type: ignore[index]

    def migrate(self, form: Form = SINGLE) -> None:
        """Apply the numbered DDL files that are missing.

        Raises TrailError `schema_changed` when a file is not as it was when it was applied.
        """
        first = self._connect("default")
        try:
            first.command(f"CREATE DATABASE IF NOT EXISTS `{self._database}`")
        finally:
            first.close()
        applied: dict[int, str] = {}
        for number, name, digest, statements in migrations(form):
            if number == 1:
                rows = self.query("SELECT number, sha256 FROM schema_version")
                applied = {row["number"]: row["sha256"] for row in rows}
            if number in applied:
                if applied[number] != digest:
                    raise TrailError("schema_changed", name)
                continue
            for statement in statements:
                self.command(statement)
            if number:
                self.command(
                    "INSERT INTO schema_version SELECT {number:Int64}, {name:String}, "
                    "{sha256:String}, now64(6)",
                    number=number, name=name, sha256=digest,
                )  # fmt: skip

    def _client(self) -> Client:
        client: Client | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = self._new_client()
        return client

    def _new_client(self, settings: Mapping[str, object] | None = None) -> Client:
        client = self._connect(self._database, settings)
        with self._guard:
            self._clients.append(client)
        return client

    def _connect(self, database: str, settings: Mapping[str, object] | None = None) -> Client:
        if not self._dsn:
            _require_free(self._folder)
        where: dict[str, Any] = (
            {"dsn": self._dsn} if self._dsn else {"interface": "chdb", "path": str(self._folder)}
        )
        with _told():
            return clickhouse_connect.get_client(
                database=database, settings=dict(settings or {}), **where
            )


def open_trail(folder: Path, dsn: str = "", *, create: bool = False) -> Trail:
    """Open the trail in `folder`, or at `dsn` if given, with all migrations applied.

    Raises TrailError: `trail_missing` where there is none yet and `create` is not set,
    `trail_locked` (TrailLocked), `schema_changed`, `trail_damaged` where rows are missing (better
    no answer than one without them), and what every method raises.
    """
    if not dsn and not create and not (folder / "metadata").exists():
        raise TrailError("trail_missing", str(folder))
    if not dsn:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    trail = Trail(folder, dsn)
    try:
        trail.migrate()
        trail.require_whole()
    except BaseException:
        trail.close()
        raise
    return trail


def _require_free(folder: Path) -> None:
    """Raises TrailLocked if another process has chDB open here.

    chDB itself names no cause, and writes its complaint to the terminal.
    """
    try:
        with (folder / "status").open() as status:
            fcntl.flock(status, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return
    except BlockingIOError:
        found = re.search(r"PID: (\d+)", (folder / "status").read_text())
        pid = int(found[1]) if found else 0
        if pid != os.getpid():
            raise TrailLocked(folder, pid) from None


@contextmanager
def _told() -> Iterator[None]:
    """Turns the client's errors into TrailError, see Trail."""
    try:
        yield
    except OperationalError as error:
        raise TrailError("trail_unreachable", _first_line(error)) from error
    except (ClickHouseError, OSError) as error:
        if disk_guard.is_full(error):
            # An OSError names the file: it may be the folder of temporary files that is full.
            found = str(error) if isinstance(error, OSError) else "NOT_ENOUGH_SPACE"
            raise TrailError("trail_full", found) from error
        if isinstance(error, OSError):
            raise
        raise TrailError("trail_unusable", _first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]
