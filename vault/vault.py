"""The vault at work: who is registered, who looks at whom, who is forgotten.

Every look is an entry in the log, written in the same transaction that decides it, before anything
is shown.
"""

import base64
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

from schemas.events import (
    Actor,
    GuardianConsentRecorded,
    VolunteerErased,
    VolunteerRegistered,
)
from vault import journal, keys
from vault.chain import Head
from vault.documents import require_current
from vault.errors import Refused, VaultError
from vault.journal import Announce, Look, Why, new_event_id, say
from vault.people import Person, Registration, corrected, masked, person, plain, says_of
from vault.rotation import rotate
from vault.store import Place, Store, key_name

_CHINA: Final = timedelta(hours=8)

Clock = Callable[[], int]
"""The time now, microseconds since 1970 UTC."""


def _now() -> int:
    return time.time_ns() // 1000


class Vault:
    """An open vault; raises VaultError as `Store` does. One thread at a time."""

    def __init__(self, place: Place, clock: Clock = _now) -> None:
        self._clock = clock
        self._store = Store(place)
        try:
            self._finish_erasures()
        except BaseException:
            self._store.close()
            raise

    def register(self, raws: Sequence[object], actor: Actor) -> list[Registration]:
        """Register people given as JSON objects, all of them or (on an error) none.

        Somebody whose document is known keeps their pseudonym; what is held is not changed, and
        that it was found is an entry in the log.
        """
        today, found = self._today(), list[Registration]()
        with self._store.writing():
            for raw in raws:
                try:
                    someone = person(raw, today)
                    require_current(someone.document, today)
                    found.append(self._register(someone, actor))
                except Refused as refused:
                    found.append(Registration("refused", code=refused.code, field=refused.field))
        return found

    def _register(self, someone: Person, actor: Actor) -> Registration:
        store = self._store
        hashed = keys.document_hash(store.document_key, someone.document)
        known = store.row("SELECT volunteer_id FROM person WHERE document_hash = ?", hashed)
        if known is not None:
            held_key = self._key(known[0])
            held = self._fields(known[0], held_key, ("document",))["document"]
            if held["number"] != someone.document.number:
                # Somebody has put one person's hash in another one's row.
                raise VaultError("tampered", f"{known[0]}/document_hash")
            why = Why(actor, "registration")
            journal.enter(store, Look(known[0], "lookup"), why, held_key, self._clock())
            return Registration("known", known[0])
        name, own = _pseudonym(), keys.new_key()
        wrapped = keys.seal(store.master, own, key_name(name))
        store.run("INSERT INTO person VALUES (?, ?, ?)", name, hashed, wrapped)
        self._seal(name, someone, own)
        self._say_registered(name, someone, actor)
        return Registration("registered", name)

    def _seal(self, name: str, someone: Person, own: bytes) -> None:
        for field, text in someone.fields().items():
            sealed = keys.seal(own, text.encode(), f"{name}/{field}")
            self._store.run("INSERT INTO field VALUES (?, ?, ?)", name, field, sealed)

    def _say_registered(self, name: str, someone: Person, actor: Actor) -> None:
        at, month, region = self._clock(), f"{someone.born_on:%Y-%m}", someone.region
        # No identity hash: it would tie a forgotten person's lines to their next registration.
        say(self._store, VolunteerRegistered(new_event_id(), name, None, month, region, at, actor))
        if someone.guardian is not None:
            say(self._store, GuardianConsentRecorded(new_event_id(), name, at, actor))

    def _today(self) -> date:
        return (datetime.fromtimestamp(self._clock() / 1e6, UTC) + _CHINA).date()

    def correct(self, volunteer_id: str, changes: object, why: Why) -> Registration:
        """Put other values in place of what is held (PIPL article 46): `corrected`, or `refused`.

        `changes` has the fields of a registration that change, null for what is to go. The old
        values are overwritten; the entry in the log names the fields. Raises as `unmask`.
        """
        store, own = self._store, self._key(volunteer_id)
        held = self._fields(volunteer_id, own)
        self._require(volunteer_id, why, own)
        try:
            someone = person(corrected(held, changes, self._today()), self._today())
            hashed = keys.document_hash(store.document_key, someone.document)
            holder = store.row("SELECT volunteer_id FROM person WHERE document_hash = ?", hashed)
            if holder not in (None, (volunteer_id,)):
                raise Refused("document_taken", "document.number")
        except Refused as refused:
            return Registration("refused", volunteer_id, refused.code, refused.field)
        now = plain(someone.fields())
        changed = tuple(sorted(f for f in {*held, *now} if held.get(f) != now.get(f)))
        with store.writing():
            store.run("UPDATE person SET document_hash = ? WHERE volunteer_id = ?",
                      hashed, volunteer_id)  # fmt: skip
            store.run("DELETE FROM field WHERE volunteer_id = ?", volunteer_id)
            self._seal(volunteer_id, someone, own)
            journal.enter(store, Look(volunteer_id, "correct", changed), why, own, self._clock())
            if held["born_on"][:7] != now["born_on"][:7] or "region" in changed:
                self._say_registered(volunteer_id, someone, why.actor)
        return Registration("corrected", volunteer_id)

    def show(self, volunteer_id: str) -> dict[str, Any]:
        """What is held of a person, masked; raises VaultError `unknown_volunteer`, `erased`."""
        return masked(self._fields(volunteer_id, self._key(volunteer_id)))

    def unmask(self, volunteer_id: str, why: Why) -> dict[str, Any]:
        """What is held of a person, in full; an entry in the log. Raises as `show`, and
        `reason_missing`, `reason_long`, `personal_in_reason`, `purpose`."""
        return self._open(volunteer_id, "unmask", why)

    def name(self, volunteer_id: str, why: Why) -> str:
        """A person's name alone, for a certificate; an entry in the log. Raises as `unmask`."""
        shown = self._open(volunteer_id, "name", why, ("name",))
        name: str = shown["name"]
        return name

    def export(self, volunteer_id: str, why: Why) -> dict[str, Any]:
        """Everything held about a person, for that person (PIPL article 45); an entry in the log.

        `accesses` are all entries about them with their reasons, this one included.
        """
        fields = self._open(volunteer_id, "export", why)
        accesses = journal.looks_at(self._store, volunteer_id, self._key(volunteer_id))
        return {"volunteer_id": volunteer_id, "personal": fields, "accesses": accesses}

    def forget(self, volunteer_id: str, why: Why) -> bool:
        """Destroy a person's key and everything sealed under it; False if that was done before.

        From the first write on nothing brings them back: what a crash leaves undone is done when
        the vault is opened again, and only then does the ledger hear of it. Raises as `unmask`.
        """
        if self._store.row("SELECT 1 FROM erased WHERE volunteer_id = ?", volunteer_id):
            return False
        try:
            own = self._key(volunteer_id)
            self._require(volunteer_id, why, own)
        except VaultError as error:
            if error.code != "tampered":
                raise
            # Whose data nobody can read any more can still ask to be forgotten.
            why.require()
            own = keys.new_key()
        at = self._clock()
        with self._store.writing():
            journal.enter(self._store, Look(volunteer_id, "erase"), why, own, at)
            say(self._store, VolunteerErased(new_event_id(), volunteer_id, at, why.actor))
            self._store.run("INSERT INTO erasure VALUES (?)", volunteer_id)
        self._finish_erasures()
        return True

    def catch_up(self, published: Sequence[bytes], erased: Sequence[str]) -> tuple[int, int]:
        """After an old copy was restored: take over what was published since; how many of each.

        `published` are the log's entries after the own head, `erased` whoever was forgotten, and
        is so again without another entry. Raises VaultError `chain` where the entries do not
        follow one another, and then takes over none.
        """
        with self._store.writing():
            journal.take_over(self._store, published)
            gone = 0
            for name in erased:
                known = self._store.row("SELECT 1 FROM person WHERE volunteer_id = ?", name)
                if known is not None:
                    gone += 1
                    self._store.run("INSERT INTO erasure VALUES (?)", name)
        self._finish_erasures()
        return len(published), gone

    def _finish_erasures(self) -> None:
        store = self._store
        names = [name for (name,) in store.rows("SELECT volunteer_id FROM erasure")]
        if not names:
            return
        with store.writing():
            for name in names:
                for table in ("reason", "field", "person"):
                    store.run(f"DELETE FROM {table} WHERE volunteer_id = ?", name)
                store.run("INSERT OR IGNORE INTO erased VALUES (?)", name)
        store.scrub()
        # Last: a crash before this line scrubs once more.
        store.run("DELETE FROM erasure")

    def announce(self, send: Announce) -> int:
        """Send what waits in the outbox; how much still waits. Raises what `send` raises."""
        return journal.announce(self._store, send)

    @property
    def pending(self) -> int:
        """How many events wait for the broker's acknowledgement."""
        return self._store.count("outbox")

    def status(self) -> dict[str, Any]:
        """Figures without persons: how many are held and forgotten, and the log's head."""
        return {
            "people": self._store.count("person"),
            "forgotten": self._store.count("erased"),
            "pending": self.pending,
            "head": str(self.head()),
            "key_id": keys.key_id(self._store.master),
        }

    def head(self) -> Head:
        """The newest entry of the access log."""
        return journal.head(self._store)

    def entries(self) -> list[bytes]:
        """The access log, each entry in the bytes that are published."""
        return journal.entries(self._store)

    def rotate(self) -> str:
        """Put a new master key in the old one's place; the new key's id."""
        return rotate(self._store)

    def _open(
        self, volunteer_id: str, action: str, why: Why, only: Sequence[str] | None = None
    ) -> dict[str, Any]:
        own = self._key(volunteer_id)
        fields = self._fields(volunteer_id, own, only)
        self._require(volunteer_id, why, own)
        look = Look(volunteer_id, action, tuple(sorted(fields)))
        with self._store.writing():
            journal.enter(self._store, look, why, own, self._clock())
        return fields

    def _require(self, volunteer_id: str, why: Why, own: bytes) -> None:
        if says_of(self._fields(volunteer_id, own), why.require()):
            raise VaultError("personal_in_reason", volunteer_id)

    def _key(self, volunteer_id: str) -> bytes:
        found = self._store.row(
            "SELECT wrapped_key FROM person WHERE volunteer_id = ?", volunteer_id
        )
        if found is not None:
            return self._store.unwrap(volunteer_id, found[0])
        gone = self._store.row("SELECT 1 FROM erased WHERE volunteer_id = ?", volunteer_id)
        # An unknown one is not repeated: somebody may have typed a name.
        raise VaultError("erased", volunteer_id) if gone else VaultError("unknown_volunteer")

    def _fields(
        self, volunteer_id: str, own: bytes, only: Sequence[str] | None = None
    ) -> dict[str, Any]:
        rows = self._store.rows(
            "SELECT name, sealed FROM field WHERE volunteer_id = ?", volunteer_id
        )
        return plain({
            name: keys.unseal(own, sealed, f"{volunteer_id}/{name}").decode()
            for name, sealed in rows if only is None or name in only
        })  # fmt: skip

    def close(self) -> None:
        """Close the file; what waits in the outbox is sent by whoever opens it next."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _pseudonym() -> str:
    """128 random bits, in letters and digits that are not taken for one another."""
    return "v-" + base64.b32encode(os.urandom(16)).decode().rstrip("=").lower()
