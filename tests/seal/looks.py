"""Entries of the vault's access log, made by hand: a chain as the vault makes it."""

from dataclasses import replace

from schemas.events import Actor, VaultAccessed
from schemas.wire.codec import encode
from vault.chain import FIRST, hash_of

_FIRST = VaultAccessed(
    "01939c1e-look-0", "v-1", 1, "unmask", "contact", ("name", "phone"), "ab" * 32, FIRST,
    1_740_790_500_000_000, Actor("u-7", "admin", "sw1"),
)  # fmt: skip


def looks(count: int, *, of: str = "v-1") -> list[bytes]:
    """The bytes of so many entries; the fourth one is about `of`."""
    found: list[bytes] = []
    for n in range(count):
        event = replace(
            _FIRST, event_id=f"01939c1e-look-{n}", volunteer_id=of if n == 3 else f"v-{n}",
            entry_no=n + 1, previous_hash=hash_of(found[-1]) if found else FIRST,
            occurred_at=_FIRST.occurred_at + n * 60_000_000,
            reason_hash=None if n % 2 else _FIRST.reason_hash,
        )  # fmt: skip
        found.append(encode(event))
    return found
