"""What the gateway lately accepted, on disk: the same event again is told apart from another one.

Bounded, so it forgets; the ledger remembers every event_id for good and is the judge of older ones.
"""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS known (
  event_id TEXT PRIMARY KEY,
  digest BLOB NOT NULL,
  app TEXT NOT NULL,
  received_at TEXT NOT NULL,
  topic TEXT NOT NULL,
  partition INTEGER,
  offset INTEGER,
  used INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS known_by_use ON known (used);
"""
EVENTS_MAX: Final = 200_000
_IDS_A_QUERY: Final = 500


@dataclass(frozen=True, slots=True)
class Known:
    """An event that was sent: `partition` None if nobody knows whether it arrived."""

    event_id: str
    digest: bytes
    app: str
    received_at: str
    topic: str
    partition: int | None = None
    offset: int | None = None


class MemoryInUse(Exception):
    """Another gateway has this memory open; two would not know of each other's events."""


class Memory:
    """The events used last, `most` of them and up to a twentieth more; for any thread.

    Raises MemoryInUse and sqlite3.Error.
    A power cut may cost the newest entries: no loss of events, for the ledger knows them.
    """

    def __init__(self, file: Path, *, most: int = EVENTS_MAX) -> None:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(file.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise MemoryInUse(str(file)) from None
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        self._most = most
        self._turn = threading.Lock()
        self._free = threading.Condition()
        self._busy: set[str] = set()
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)
        self._new = 0
        self._used: int = self._db.execute("SELECT coalesce(max(used), 0) FROM known").fetchone()[0]

    @contextmanager
    def claim(self, event_ids: Sequence[str], seconds: float) -> Iterator[bool]:
        """While the block lasts nobody else decides about these ids; False if that took too long.

        All at once, so that two requests never wait for each other.
        """
        wanted = set(event_ids)
        deadline = time.monotonic() + seconds
        with self._free:
            got = self._free.wait_for(
                lambda: not wanted & self._busy, max(0.0, deadline - time.monotonic())
            )
            if got:
                self._busy |= wanted
        try:
            yield got
        finally:
            if got:
                with self._free:
                    self._busy -= wanted
                    self._free.notify_all()

    def known(self, event_ids: Sequence[str]) -> dict[str, Known]:
        """Those of the ids that are remembered; being asked for keeps them longer."""
        found: dict[str, Known] = {}
        with self._turn, self._writing():
            for start in range(0, len(event_ids), _IDS_A_QUERY):
                part = event_ids[start : start + _IDS_A_QUERY]
                marks = ",".join("?" * len(part))
                rows = self._db.execute(
                    "SELECT event_id, digest, app, received_at, topic, partition, offset "
                    f"FROM known WHERE event_id IN ({marks})",
                    part,
                ).fetchall()
                found |= {row[0]: Known(*row) for row in rows}
            self._db.executemany(
                "UPDATE known SET used = ? WHERE event_id = ?",
                [(self._next(), event_id) for event_id in found],
            )
        return found

    def remember(self, events: Sequence[Known]) -> None:
        """Take them in, in place of what was known under their ids, and forget the oldest."""
        with self._turn, self._writing():
            self._db.executemany(
                "INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (e.event_id, e.digest, e.app, e.received_at, e.topic, e.partition, e.offset,
                     self._next())
                    for e in events
                ],
            )  # fmt: skip
            self._new += len(events)
            if self._new > self._most // 20:
                self._forget()

    def close(self) -> None:
        """Let file and lock go."""
        with self._turn:
            self._db.close()
            os.close(self._lock)

    def _forget(self) -> None:
        """All but the `most` used last; counting them costs milliseconds, so not every time."""
        self._new = 0
        self._db.execute(
            "DELETE FROM known WHERE used < "
            "(SELECT used FROM known ORDER BY used DESC LIMIT 1 OFFSET ?)",
            (self._most - 1,),
        )

    def _next(self) -> int:
        self._used += 1
        return self._used

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
