"""What the vault writes down about itself: who looked at whom, and what the ledger must hear.

Every function takes part in the transaction that its caller has open, so that nothing is decided
without its entry and nothing announced that was not decided.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import uuid6

from schemas.events import Actor, CatalogueEvent, Event, VaultAccessed
from schemas.validity import faults
from schemas.wire.codec import Undecodable, decode_event, encode
from vault import keys
from vault.chain import Head, hash_of
from vault.errors import VaultError
from vault.store import Store

PURPOSES: Final = (
    "registration", "contact", "certificate", "correction", "complaint", "inspection",
    "legal_order", "subject_request", "consent_withdrawn", "retention_over",
)  # fmt: skip
"""What personal data may be opened for; words of one's own go into the reason."""

REASON_CHARACTERS_MAX: Final = 256
_SALT_BYTES: Final = 16
_ANNOUNCED_AT_A_TIME: Final = 500


Announce = Callable[[Sequence[Event]], int]
"""How events leave the vault: sends them in order; how many from the first are acknowledged."""


@dataclass(frozen=True, slots=True)
class Why:
    """Who opens the vault and what for; `reason` in words, which stay in the vault."""

    actor: Actor
    purpose: str
    reason: str | None = None

    def require(self) -> str:
        """The reason; raises VaultError `purpose`, `reason_missing`, `reason_long`."""
        if self.purpose not in PURPOSES:
            raise VaultError("purpose", ", ".join(PURPOSES))
        if self.reason is None or not self.reason.strip():
            raise VaultError("reason_missing")
        if len(self.reason) > REASON_CHARACTERS_MAX:
            raise VaultError("reason_long", str(REASON_CHARACTERS_MAX))
        return self.reason


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a person: what was done, and the names of the fields that were shown."""

    volunteer_id: str
    action: str
    opened: tuple[str, ...] = ()


def new_event_id() -> str:
    """A UUIDv7."""
    return str(uuid6.uuid7())


def enter(store: Store, look: Look, why: Why, own: bytes, at: int) -> None:
    """One entry of the log, and its event; `own` is the key of the person looked at."""
    before, reason_hash = head(store), None
    entry_no = before.entry_no + 1
    if why.reason is not None:
        # Without the salt nobody can try reasons out; salt and words go with the person's key.
        said = os.urandom(_SALT_BYTES) + why.reason.encode()
        reason_hash = hashlib.sha256(said).hexdigest()
        sealed = keys.seal(own, said, _reason_name(look.volunteer_id, entry_no))
        store.run("INSERT INTO reason VALUES (?, ?, ?)", entry_no, look.volunteer_id, sealed)
    event = VaultAccessed(new_event_id(), look.volunteer_id, entry_no, look.action, why.purpose,
                          look.opened, reason_hash, before.hash, at, why.actor)  # fmt: skip
    _keep(store, event, say(store, event))


def say(store: Store, event: CatalogueEvent | VaultAccessed) -> bytes:
    """Put an event into the outbox; its bytes. Raises VaultError `event_form` naming the field."""
    if found := faults(event):
        raise VaultError("event_form", found[0].field)
    value = encode(event)
    store.run("INSERT INTO outbox (value) VALUES (?)", value)
    return value


def announce(store: Store, send: Announce) -> int:
    """Send what waits in the outbox; how much still waits. Raises what `send` raises."""
    while True:
        rows = store.rows("SELECT seq, value FROM outbox ORDER BY seq LIMIT ?",
                          _ANNOUNCED_AT_A_TIME)  # fmt: skip
        if not rows:
            return 0
        sent = send([decode_event(value) for _, value in rows])
        if sent:
            store.run("DELETE FROM outbox WHERE seq <= ?", rows[sent - 1][0])
        if sent < len(rows):
            return store.count("outbox")


def head(store: Store) -> Head:
    """The newest entry of the log."""
    newest = store.row("SELECT entry_no, value FROM log ORDER BY entry_no DESC LIMIT 1")
    return Head() if newest is None else Head(newest[0], hash_of(newest[1]))


def entries(store: Store) -> list[bytes]:
    """The log, each entry in the bytes that are published."""
    return [value for (value,) in store.rows("SELECT value FROM log ORDER BY entry_no")]


def looks_at(store: Store, volunteer_id: str, own: bytes) -> list[tuple[VaultAccessed, str | None]]:
    """Every entry about a person, with its reason in words."""
    sealed = dict(
        store.rows("SELECT entry_no, sealed FROM reason WHERE volunteer_id = ?", volunteer_id)
    )
    found = []
    for entry_no, value in store.rows(
        "SELECT entry_no, value FROM log WHERE volunteer_id = ? ORDER BY entry_no", volunteer_id
    ):
        event, reason = decode_event(value), None
        assert isinstance(event, VaultAccessed)
        if entry_no in sealed:
            said = keys.unseal(own, sealed[entry_no], _reason_name(volunteer_id, entry_no))
            reason = said[_SALT_BYTES:].decode()
        found.append((event, reason))
    return found


def take_over(store: Store, published: Sequence[bytes]) -> None:
    """Add published entries that follow the head; raises VaultError `chain` where one does not."""
    before = head(store)
    for value in published:
        event = _decoded(value)
        if not isinstance(event, VaultAccessed) or (
            (event.entry_no, event.previous_hash) != (before.entry_no + 1, before.hash)
        ):
            raise VaultError("chain", str(before.entry_no + 1))
        before = Head(event.entry_no, hash_of(value))
        _keep(store, event, value)


def _decoded(value: bytes) -> Event | None:
    try:
        return decode_event(value)
    except Undecodable:
        return None


def _keep(store: Store, event: VaultAccessed, value: bytes) -> None:
    store.run("INSERT INTO log VALUES (?, ?, ?)", event.entry_no, event.volunteer_id, value)


def _reason_name(volunteer_id: str, entry_no: int) -> str:
    return f"{volunteer_id}/reason/{entry_no}"
