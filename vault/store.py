"""The vault's SQLite file: opened by one process at a time, with the master key it was made for.

What is deleted is overwritten (secure_delete), the file is rewritten and the write-ahead log cut
off; what a crash leaves half done is finished when the file is opened again.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from vault import keys
from vault.errors import VaultError

_FORM: Final = 1
_DOCUMENT_KEY: Final = "vault/document-key"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a vault is: its folder (mode 0700), and its master key's file (0600) somewhere else."""

    folder: Path
    key_file: Path

    @property
    def database(self) -> Path:
        """The one file that holds people."""
        return self.folder / "vault.db"

    @property
    def owner_file(self) -> Path:
        """Where the process that has the vault open says how to ask it."""
        return self.folder / "serve.json"

    @property
    def new_key_file(self) -> Path:
        """The next master key while a rotation is under way."""
        return self.key_file.with_name(self.key_file.name + ".new")


def create(place: Place) -> str:
    """Make an empty vault and its master key; the key's id.

    Raises VaultError `vault_exists`, `key_exists`, `key_inside` for a key beside the data, which
    would be copied together with them.
    """
    if place.key_file.parent.resolve() == place.folder.resolve():
        raise VaultError("key_inside", str(place.key_file))
    if place.database.exists():
        raise VaultError("vault_exists", str(place.database))
    place.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    place.folder.chmod(0o700)
    locked = _lock(place.folder)
    try:
        # The key first: a vault without it could never be opened.
        master = keys.create_master(place.key_file)
        _write_empty(place.database, master)
    finally:
        os.close(locked)
    return keys.key_id(master)


def _write_empty(database: Path, master: bytes) -> None:
    half = database.with_suffix(".half")
    half.unlink(missing_ok=True)
    os.close(os.open(half, os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(half)) as db:
        db.executescript((files("vault") / "schema.sql").read_text(encoding="utf-8"))
        wrapped = keys.seal(master, keys.new_key(), _DOCUMENT_KEY)
        values = [("key_id", keys.key_id(master).encode()), ("document_key", wrapped)]
        db.executemany("INSERT INTO meta VALUES (?, ?)", values)
        db.execute(f"PRAGMA user_version = {_FORM}")
        db.commit()
    half.rename(database)


class Store:
    """An open vault. Raises VaultError when opened: `vault_missing`, `vault_open` for a folder that
    others may enter, `vault_locked`, `vault_form`, `key_…`, `wrong_key`, `tampered`, `unreadable`.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._db: sqlite3.Connection | None = None
        try:
            if not place.database.exists():
                raise VaultError("vault_missing", str(place.database))
            for path in (place.folder, place.database):
                if path.stat().st_mode & 0o077:
                    raise VaultError("vault_open", str(path))
            self._locked: int | None = _lock(place.folder)
        except PermissionError:
            raise VaultError("unreadable", f"{place.database}: another user's") from None
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        # Any thread of the process; whoever shares it takes turns.
        self._db = sqlite3.connect(
            self.place.database, isolation_level=None, check_same_thread=False
        )
        for pragma in ("secure_delete = ON", "journal_mode = WAL", "synchronous = FULL",
                       "temp_store = MEMORY"):  # fmt: skip
            self.run(f"PRAGMA {pragma}")
        if self.row("PRAGMA user_version") != (_FORM,):
            raise VaultError("vault_form", str(self.place.database))
        wanted = self.meta("key_id").decode()
        self._finish_rotation(wanted)
        self.master = keys.load_master(self.place.key_file)
        if keys.key_id(self.master) != wanted:
            found = f"{wanted} ≠ {keys.key_id(self.master)}, {self.place.key_file}"
            raise VaultError("wrong_key", found)
        self.document_key = keys.unseal(self.master, self.meta("document_key"), _DOCUMENT_KEY)

    def _finish_rotation(self, wanted: str) -> None:
        """After a crash while the master key was replaced: forwards or back, as the file says."""
        new = self.place.new_key_file
        if not new.exists():
            return
        try:
            committed = keys.key_id(keys.load_master(new)) == wanted
        except VaultError as error:
            if error.code != "key_unreadable":
                raise
            # Half written: nothing can be under it yet.
            committed = False
        if committed:
            keys.replace(self.place.key_file, new)
        else:
            keys.destroy(new)

    def rekey(self, master: bytes, document_key: bytes) -> None:
        """Note other keys in the file; the caller has wrapped everything under them."""
        self._set("key_id", keys.key_id(master).encode())
        self._set("document_key", keys.seal(master, document_key, _DOCUMENT_KEY))

    def _set(self, name: str, value: bytes) -> None:
        self.run("UPDATE meta SET value = ? WHERE name = ?", value, name)

    def unwrap(self, volunteer_id: str, wrapped: bytes) -> bytes:
        """A person's key; raises VaultError `tampered`."""
        return keys.unseal(self.master, wrapped, key_name(volunteer_id))

    def scrub(self) -> None:
        """Leave nothing of what was deleted in the file or its write-ahead log."""
        self.run("VACUUM")
        if self.row("PRAGMA wal_checkpoint(TRUNCATE)") != (0, 0, 0):
            raise VaultError("unreadable", str(self.place.database))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction: all of it, on the disk, or nothing."""
        self.run("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.run("ROLLBACK")
            raise
        self.run("COMMIT")

    def meta(self, name: str) -> bytes:
        """One of the vault's own values."""
        found = self.row("SELECT value FROM meta WHERE name = ?", name)
        if found is None:
            raise VaultError("vault_form", str(self.place.database))
        value: bytes = found[0]
        return value

    def run(self, sql: str, *values: object) -> sqlite3.Cursor:
        """Run a statement; raises VaultError `vault_full`, `unreadable`, without its values."""
        assert self._db is not None
        try:
            return self._db.execute(sql, values)
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", None)
            why = "vault_full" if code == sqlite3.SQLITE_FULL else "unreadable"
            raise VaultError(why, f"{self.place.database}: {sqlite_name(error)}") from None

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.run(sql, *values).fetchall()

    def row(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        """The first row of a query."""
        found: tuple[Any, ...] | None = self.run(sql, *values).fetchone()
        return found

    def count(self, table: str) -> int:
        """How many rows one of our tables has."""
        found = self.row(f"SELECT count(*) FROM {table}")
        assert found is not None
        count: int = found[0]
        return count

    def close(self) -> None:
        """Close the file and let others open it."""
        if self._db is not None:
            self._db.close()
            self._db = None
        if self._locked is not None:
            os.close(self._locked)
            self._locked = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def key_name(volunteer_id: str) -> str:
    """What a person's wrapped key is bound to."""
    return f"{volunteer_id}/key"


def sqlite_name(error: sqlite3.Error) -> str:
    """SQLite's name of an error; its message may quote what was asked."""
    return getattr(error, "sqlite_errorname", None) or type(error).__name__


def _lock(folder: Path) -> int:
    """Nobody else has the vault open until this is closed; raises VaultError `vault_locked`."""
    descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise VaultError("vault_locked", str(folder)) from None
    return descriptor
