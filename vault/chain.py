"""The access log as a chain: each entry holds the SHA-256 of the bytes of the one before.

Whoever holds a later entry's hash notices any change, removal or insertion before it. Pure: the
vault's own file, the topic's records and a copy in the audit trail are checked by the same lines.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from schemas.events import VaultAccessed
from schemas.wire.codec import Undecodable, decode_event

FIRST: Final = "0" * 64
"""The `previous_hash` of the first entry."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry: its number, 0 for none, and the SHA-256 of its bytes."""

    entry_no: int = 0
    hash: str = FIRST

    def __str__(self) -> str:
        return f"{self.entry_no}:{self.hash}"


@dataclass(frozen=True, slots=True)
class Broken:
    """Where a chain is not whole: `unreadable`, `missing`, `changed`, `forked`, `unknown_head`."""

    code: str
    entry_no: int


def hash_of(value: bytes) -> str:
    """The hash by which the next entry names this one."""
    return hashlib.sha256(value).hexdigest()


def check(values: Iterable[bytes], known: Head | None = None) -> tuple[Head, list[Broken]]:
    """Follow a chain from its first entry; the head it comes to, and every fault on the way.

    The same entry again is no fault: what was not acknowledged is sent twice. `known` is a head
    that somebody noted before: the chain must lead through it.
    """
    head, broken = Head(), list[Broken]()
    hashes = {0: FIRST}
    for value in values:
        entry = _read(value)
        if entry is None:
            broken.append(Broken("unreadable", head.entry_no + 1))
            continue
        found = hash_of(value)
        if entry.entry_no in hashes:
            if hashes[entry.entry_no] != found:
                broken.append(Broken("forked", entry.entry_no))
            continue
        if entry.entry_no != head.entry_no + 1:
            broken.append(Broken("missing", head.entry_no + 1))
        elif entry.previous_hash != head.hash:
            broken.append(Broken("changed", head.entry_no))
        head = Head(entry.entry_no, found)
        hashes[entry.entry_no] = found
    if known is not None and hashes.get(known.entry_no) != known.hash:
        broken.append(Broken("unknown_head", known.entry_no))
    return head, broken


def _read(value: bytes) -> VaultAccessed | None:
    try:
        event = decode_event(value)
    except Undecodable:
        return None
    return event if isinstance(event, VaultAccessed) else None
