"""What is sealed: one log for each ledger partition, `p0`, `p1` and so on.

A log's name is its folder's, in the sealer's folder and in a bundle, and the end of its origin.
"""

import re
from dataclasses import dataclass
from typing import Final

from consumers.rows import Place

CHUNK: Final = 1 << 16
"""Entries in one file of a bundle: a full subtree, and fewer than a spreadsheet's rows."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of log: the schema of its entries, their files in a bundle, what they are made of.

    `part` is the entries' array of records, in files of its own; `place` are the columns that say
    where an entry belongs, partition and index.
    """

    schema: str
    stem: str
    part: str | None
    place: tuple[str, str] | None


POSTINGS_LOG: Final = Kind("Posting", "postings", "lines", ("partition", "index"))

_NAME: Final = re.compile(r"p(0|[1-9]\d{0,4})")


def kind_of(name: str) -> Kind | None:
    """The kind of the log with this name; None if no log is called so."""
    return POSTINGS_LOG if _NAME.fullmatch(name) else None


def log_of(place: Place) -> str:
    """The name of the log whose entries are at this place."""
    return f"p{place.partition}"


def origin_of(ledger: str, log: str) -> str:
    """A log's name to the whole world, as its checkpoints bear it."""
    return f"{ledger}/{log}"


def order(name: str) -> tuple[int, str]:
    """To sort names by: p2 before p10."""
    return len(name), name
