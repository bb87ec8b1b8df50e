"""A map from text to 64-bit integers that grows one small page at a time (linear hashing).

It answers "have I seen this id?" and "on which day does this session lie?" at the same cost for a
volunteer's first event and the hundred-thousandth. W. Litwin, Linear Hashing, VLDB 1980. Pages are
packed bytes: 8 bytes of a digest, 8 bytes of value. A 64-bit digest makes an accidental clash
within one volunteer's history about one in 10^8 at a million ids; the clash would be reported as
a conflict, never passed over.
"""

from hashlib import blake2b
from typing import Final

from ledger.account.pages import Pages

KEY_BYTES: Final = 8
ENTRY_BYTES: Final = 16
FILL: Final = 32
"""Entries per page on average; at most a few pages hold much more."""

PAGE_BYTES_MAX: Final = 32 * 1024
"""A page of 2,048 entries does not come about by chance: somebody looks for ids that clash."""

Buckets = Pages[bytes]

_HASHING: Final = blake2b(digest_size=KEY_BYTES)
"""Copied for each digest: to set a new one up takes longer than to hash."""


def bucket_count(entries: int) -> int:
    """How many pages hold so many entries."""
    return 1 + max(entries - 1, 0) // FILL


def key_of(text: str) -> bytes:
    """The key of a text: eight bytes of its digest."""
    return digest(text.encode())


def digest(data: bytes) -> bytes:
    """Eight bytes that stand for these."""
    hashing = _HASHING.copy()
    hashing.update(data)
    return hashing.digest()


def _bucket(key: bytes, count: int) -> int:
    """The page of a key among `count` pages: low bits, one bit fewer for unsplit pages."""
    if count == 1:
        return 0
    half = 1 << (count.bit_length() - 1)
    # Half of the key is more than there ever are pages, and a small number.
    low = key[0] | key[1] << 8 | key[2] << 16 | key[3] << 24
    page = low & (2 * half - 1)
    return page if page < count else page & (half - 1)


def _find(page: bytes, key: bytes) -> int:
    """Where the key's entry begins in a page, -1 if it is not there."""
    at = page.find(key)
    while at % ENTRY_BYTES and at >= 0:
        at = page.find(key, at + 1)
    return at


def lookup(buckets: Buckets, entries: int, key: bytes) -> int | None:
    """The value stored under a key, None if there is none."""
    page = buckets.get(_bucket(key, bucket_count(entries)))
    at = _find(page, key)
    return None if at < 0 else int.from_bytes(page[at + 8 : at + 16], "little", signed=True)


def may_be_full(entries: int) -> bool:
    """Are there enough entries to fill one page?"""
    return entries * ENTRY_BYTES >= PAGE_BYTES_MAX


def has_room(buckets: Buckets, entries: int, key: bytes) -> bool:
    """Is the page that a key belongs to not yet full of ids made to clash?"""
    if not may_be_full(entries):
        return True
    return len(buckets.get(_bucket(key, bucket_count(entries)))) < PAGE_BYTES_MAX


def store(buckets: Buckets, entries: int, key: bytes, value: int) -> int:
    """Store a value under a key, replacing an older one; the number of entries afterwards."""
    packed = value.to_bytes(8, "little", signed=True)
    number = _bucket(key, bucket_count(entries))
    page = buckets.get(number)
    at = _find(page, key)
    if at >= 0:
        buckets.put(number, page[: at + 8] + packed + page[at + 16 :])
        return entries
    buckets.put(number, b"".join((page, key, packed)))
    if bucket_count(entries + 1) > bucket_count(entries):
        _split(buckets, bucket_count(entries))
    return entries + 1


def _split(buckets: Buckets, count: int) -> None:
    """Make page `count` out of the entries that belong there now; they all lie in one page."""
    source = count - (1 << (count.bit_length() - 1))
    page = buckets.get(source)
    stay, move = bytearray(), bytearray()
    for at in range(0, len(page), ENTRY_BYTES):
        entry = page[at : at + ENTRY_BYTES]
        target = _bucket(entry[:KEY_BYTES], count + 1)
        (move if target == count else stay).extend(entry)
    buckets.put(source, bytes(stay))
    buckets.put(count, bytes(move))
