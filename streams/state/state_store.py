"""A partition's records on local disk: a restart reads the end of the log and not all of it, and
memory does not grow with history.

The log stays the truth. A shelf says how far it followed which log, and is thrown away where there
is any doubt: another log, a machine that went down before everything was on its disk, a damaged
file. LMDB sees to the rest: a transaction is there whole or not at all, whenever a process is
killed.
"""

import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import lmdb
import psutil

from streams.state.accounts import Change, Marks, Store, state_key
from streams.state.wakes import Wakes

_MAP_BYTES = 16 << 30
"""Address space of a shelf, not memory and not disk; doubled whenever it is full."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")

_OWNER, _BOOTED, _BORN, _READ_FROM = b"owner", b"booted", b"born", b"read_from"
_CLOSED_CLEANLY, _BEING_OPENED = b"closed cleanly", b"being opened"

_FILLED_AT_ONCE = 2_000
"""Records of one transaction of many. LMDB keeps what it has changed as a sorted list and inserts
into it: with ten times as many records a put takes half as long again."""

_DAMAGE = (
    lmdb.CorruptedError,
    lmdb.InvalidError,
    lmdb.PageNotFoundError,
    lmdb.PanicError,
    lmdb.VersionMismatchError,
)


class ShelfFailed(OSError):
    """The shelf cannot be written, or belongs to somebody else by now."""


class Shelf:
    """The records of one partition in a folder of their own; whoever opened it last owns it.

    `born` names the log that it follows, `read_from` the offset in ledger.accounts from which on
    that may have more; an empty shelf has neither.
    """

    def __init__(self, folder: Path, partition: int) -> None:
        """Open the folder, made if it is not there; raises ShelfFailed where it cannot be."""
        self._folder = folder
        self._partition = partition
        self._owner = secrets.token_bytes(16)
        self._damaged = False
        self._handed_over = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                self._open()
            except _DAMAGE:
                # Half a file, or no such file at all: the log has everything.
                shutil.rmtree(folder)
                folder.mkdir()
                self._open()
            self._own()
        except (lmdb.Error, OSError) as error:
            raise ShelfFailed(f"{folder}: {error}") from error

    def _open(self) -> None:
        # Without fsync: what a power failure leaves behind is recognised and thrown away.
        self._env = lmdb.open(
            str(self._folder),
            map_size=_MAP_BYTES,
            max_dbs=4,
            sync=False,
            metasync=False,
            readahead=False,
            meminit=False,
        )
        pages = self._env.info()["last_pgno"] + 1
        if (self._folder / "data.mdb").stat().st_size < pages * self._env.stat()["psize"]:
            # To look beyond a file's end would end this process.
            self._env.close()
            raise lmdb.InvalidError("the file is cut off")
        self._env.reader_check()
        self._records, self._due, self._lent, self._meta = (
            self._env.open_db(name) for name in (b"records", b"due", b"lent", b"meta")
        )
        self._reading = self._env.begin()

    def _own(self) -> None:
        """Own the shelf, emptied where there is any doubt.

        What is closed cleanly is said to be open, on the disk, before anything else may reach it.
        """
        booted = self._said(_BOOTED)
        sound = booted in (_booted(), _CLOSED_CLEANLY) and self.born is not None
        self._reading.abort()
        if booted in (_CLOSED_CLEANLY, _BEING_OPENED):
            with self._env.begin(write=True) as txn:
                txn.put(_BOOTED, _BEING_OPENED, db=self._meta)
            self._env.sync(True)
        with self._env.begin(write=True) as txn:
            txn.put(_OWNER, self._owner, db=self._meta)
            txn.put(_BOOTED, _booted(), db=self._meta)
            if not sound:
                self._forget(txn)
        self._reading = self._env.begin()

    def _said(self, name: bytes) -> bytes | None:
        found = self._reading.get(name, db=self._meta)
        return None if found is None else bytes(found)

    @property
    def born(self) -> str | None:
        """The name of the log, None for an empty shelf."""
        found = self._said(_BORN)
        return None if found is None else found.decode()

    @property
    def read_from(self) -> int:
        """Where in ledger.accounts to read on; never behind the last record that is here."""
        return int(self._said(_READ_FROM) or b"0")

    def get(self, key: str, /) -> bytes | None:
        """The newest value of a key; raises ShelfFailed."""
        try:
            found: bytes | None = self._reading.get(key.encode(), db=self._records)
        except lmdb.Error as error:
            raise self._failed(error) from error
        return found

    def put(self, changes: Sequence[Change], marks: Marks, read_from: int, /) -> None:
        """Take over committed changes, with the marks that are others than before; raises
        ShelfFailed, and then has none of them."""

        def change(txn: lmdb.Transaction) -> None:
            items = [(key.encode(), value) for key, value, _, _ in changes]
            txn.cursor(self._records).putmulti(items)
            self._mark(txn, marks, read_from)

        self._write(change)

    def fill(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Take over many records in ascending order of their keys, which is several times as fast;
        raises ShelfFailed, and then may have some of them.

        They count once `mark` says how far the log was read.
        """
        empty = not self._reading.stat(self._records)["entries"]

        def change(txn: lmdb.Transaction) -> None:
            _, added = txn.cursor(self._records).putmulti(some, append=empty)
            assert added == len(some), "not in ascending order"

        for start in range(0, len(records), _FILLED_AT_ONCE):
            some = records[start : start + _FILLED_AT_ONCE]
            self._write(change)

    def mark(self, marks: Marks, read_from: int) -> None:
        """What `fill` was given is all that the log has before an offset; raises ShelfFailed."""
        self._write(lambda txn: self._mark(txn, marks, read_from))

    def _mark(self, txn: lmdb.Transaction, marks: Marks, read_from: int) -> None:
        txn.put(_READ_FROM, b"%d" % read_from, db=self._meta)
        for name, (wake, lent_to) in marks.items():
            key = name.encode()
            if wake:
                txn.put(key, wake.encode(), db=self._due)
            else:
                txn.delete(key, db=self._due)
            if lent_to:
                txn.put(key, lent_to.encode(), db=self._lent)
            else:
                txn.delete(key, db=self._lent)

    def follow(self, born: str) -> None:
        """What is here is of the log of this name; raises ShelfFailed."""
        self._write(lambda txn: txn.put(_BORN, born.encode(), db=self._meta))

    def forget(self) -> None:
        """Be empty again; raises ShelfFailed."""
        self._write(self._forget)

    def _forget(self, txn: lmdb.Transaction) -> None:
        for db in (self._records, self._due, self._lent):
            txn.drop(db, delete=False)
        txn.delete(_BORN, db=self._meta)
        txn.delete(_READ_FROM, db=self._meta)

    def _write(self, change: Callable[[lmdb.Transaction], object]) -> None:
        """Change the shelf in one transaction, with more address space if it needs it."""
        while True:
            self._reading.abort()
            try:
                with self._env.begin(write=True) as txn:
                    if txn.get(_OWNER, db=self._meta) != self._owner:
                        raise ShelfFailed(f"{self._folder} was taken over by another worker")
                    change(txn)
                return
            except lmdb.MapFullError:
                self._env.set_mapsize(self._env.info()["map_size"] * 2)
            except lmdb.MapResizedError:
                # Another process did that; 0 takes over its size.
                self._env.set_mapsize(0)
            except lmdb.Error as error:
                raise self._failed(error) from error
            finally:
                self._reading = self._env.begin()

    def _failed(self, error: lmdb.Error) -> ShelfFailed:
        self._damaged = self._damaged or isinstance(error, _DAMAGE)
        return ShelfFailed(f"{self._folder}: {error}")

    def store(self) -> Store:
        """The partition as this shelf has it."""
        due, lent = self._reading.cursor(self._due), self._reading.cursor(self._lent)
        wakes = Wakes()
        for name, text in due:
            wakes.put(bytes(name).decode(), bytes(text).decode())
        told = {bytes(name).decode(): bytes(to).decode() for name, to in lent}
        store = Store(self._partition, self, wakes, told)
        if (state := self.get(state_key(self._partition))) is not None:
            store.stand(state)
        return store

    def hand_over(self) -> None:
        """Close as it is, for whoever opens it before the machine goes down.

        To close it once more then does nothing.
        """
        self._handed_over = True
        self._reading.abort()
        self._env.close()

    def close(self) -> None:
        """Put everything on the disk and close; good even after a power failure from then on.

        A damaged one is thrown away.
        """
        if self._handed_over:
            return
        self._reading.abort()
        try:
            if not self._damaged:
                self._settle()
        finally:
            self._env.close()
            if self._damaged:
                shutil.rmtree(self._folder, ignore_errors=True)

    def _settle(self) -> None:
        with self._env.begin() as txn:
            if txn.get(_OWNER, db=self._meta) != self._owner:
                return
        self._env.sync(True)
        with self._env.begin(write=True) as txn:
            if txn.get(_OWNER, db=self._meta) == self._owner:
                txn.put(_BOOTED, _CLOSED_CLEANLY, db=self._meta)
        self._env.sync(True)


def _booted() -> bytes:
    """What is different after the machine went down."""
    if _BOOT.exists():
        return _BOOT.read_bytes().strip()
    return b"%d" % psutil.boot_time()
