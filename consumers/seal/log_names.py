"""What is sealed: a log for each ledger partition, `p0`, `p1` and so on, and the vault's, `access`.

A log's name is its folder's, in the sealer's folder and in a bundle, and the end of its origin.
"""

import re
from dataclasses import dataclass
from typing import Final

from consumers.kafka.records import Place
from schemas.topics import ACCESS, POSTINGS

CHUNK: Final = 1 << 16
"""Entries in one file of a bundle: a full subtree, and fewer than a spreadsheet's rows."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of log: the schema of its entries, their files in a bundle, what they are made of.

    `part` is the entries' array of records, in files of its own; `place` are the columns that say
    where an entry belongs, partition and index: without them entries are counted.
    """

    schema: str
    stem: str
    part: str | None
    place: tuple[str, str] | None


SEALED: Final = (POSTINGS, ACCESS)
"""The topics whose records are sealed, each value as it is."""

POSTINGS_LOG: Final = Kind("Posting", "postings", "lines", ("partition", "index"))
ACCESS_LOG: Final = Kind("VaultAccessed", "looks", None, None)
"""Every look into the vault. What is there and no such entry is sealed, too, as bytes alone."""

_ACCESS: Final = "access"
_NAME: Final = re.compile(r"p(0|[1-9]\d{0,4})")


def kind_of(name: str) -> Kind | None:
    """The kind of the log with this name; None if no log is called so."""
    if name == _ACCESS:
        return ACCESS_LOG
    return POSTINGS_LOG if _NAME.fullmatch(name) else None


def log_of(place: Place) -> str:
    """The name of the log whose entries are at this place."""
    return _ACCESS if place.topic == ACCESS else f"p{place.partition}"


def origin_of(ledger: str, log: str) -> str:
    """A log's name to the whole world, as its checkpoints bear it."""
    return f"{ledger}/{log}"


def order(name: str) -> tuple[int, str]:
    """To sort names by: p2 before p10."""
    return len(name), name
