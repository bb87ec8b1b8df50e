"""Events that the broker has not acknowledged yet, on disk before they are sent.

An event is here from before its first sending until after its acknowledgement, so a crash at any
point sends the same bytes again, never different ones and never none.
"""

import json
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from producers.errors import EventIdTaken, OutboxFull, OutboxInUse

_SCHEMA = """
CREATE TABLE IF NOT EXISTS held (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  event_id TEXT NOT NULL UNIQUE,
  topic TEXT NOT NULL,
  key BLOB NOT NULL,
  value BLOB NOT NULL,
  headers TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS held_by_key ON held (key, seq);
"""


@dataclass(frozen=True, slots=True)
class Held:
    """One event as it is sent, each time: the same key, value and headers."""

    event_id: str
    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


class Outbox:
    """A SQLite file of held events; one process at a time, any of its threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, timeout=0.0, check_same_thread=False)
        try:
            # Two owners would send one volunteer's events past each other.
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            self._count = self._db.execute("SELECT count(*) FROM held").fetchone()[0]
        except sqlite3.OperationalError as error:
            self._db.close()
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise OutboxInUse(str(path)) from error
            raise

    def put(self, held: Held) -> bool:
        """Keep an event; on disk when this returns. False if it is here already.

        Raises EventIdTaken if another event is here under its id, OutboxFull.
        """
        headers = json.dumps([[name, value.decode()] for name, value in held.headers])
        row = (held.event_id, held.topic, held.key, held.value, headers)
        with self._lock:
            known = self._db.execute(
                "SELECT topic, key, value FROM held WHERE event_id = ?", (held.event_id,)
            ).fetchone()
            if known is not None:
                if known != (held.topic, held.key, held.value):
                    raise EventIdTaken(held.event_id)
                return False
            with self._writing():
                self._db.execute(
                    "INSERT INTO held (event_id, topic, key, value, headers) VALUES (?,?,?,?,?)",
                    row,
                )
            self._count += 1
            return True

    def heads(self, limit: int, *, besides: Collection[str] = ()) -> list[Held]:
        """The oldest event of each key, oldest first, at most `limit`.

        Keys whose oldest event goes to one of the topics `besides` are left out. Never more than
        one event of a key, so that none can overtake another.
        """
        marks = ",".join("?" * len(besides))
        with self._lock:
            rows = self._db.execute(
                "SELECT event_id, topic, key, value, headers FROM held"
                " WHERE seq IN (SELECT min(seq) FROM held GROUP BY key)"
                f" AND topic NOT IN ({marks}) ORDER BY seq LIMIT ?",
                (*besides, limit),
            ).fetchall()
        return [
            Held(event_id, topic, key, value, tuple((n, v.encode()) for n, v in json.loads(text)))
            for event_id, topic, key, value, text in rows
        ]

    def remove(self, event_ids: Iterable[str]) -> None:
        """Forget events that the broker has acknowledged; on disk when this returns.

        Raises OutboxFull, and then they are all still here: forgetting takes room, too.
        """
        with self._lock:
            before = self._db.total_changes
            with self._writing():
                self._db.executemany(
                    "DELETE FROM held WHERE event_id = ?", [(one,) for one in event_ids]
                )
            self._count -= self._db.total_changes - before

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction: all of it, or OutboxFull and nothing."""
        try:
            with self._db:
                yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise OutboxFull(str(self._path)) from error
            raise

    def __len__(self) -> int:
        return int(self._count)

    def close(self) -> None:
        """Close the file; nothing is lost."""
        with self._lock:
            self._db.close()
