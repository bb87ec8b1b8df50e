"""Java's AOT cache: what one run of the broker learnt, so that later ones start in half the time.

The file's name carries its SHA-256: Java looks at its header only, and a damaged one crashes it
or, worse, does not.
"""

import os
import re
import shutil
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path

from deploy.broker.java import Java

_SINCE_MAJOR = 25


def aot_stem(java: Java, jars: Path) -> Path | None:
    """The path of this Java's cache up to its digest, beside the jars; None if it can't have one.

    One Java can't read what another build of it wrote.
    """
    if java.major < _SINCE_MAJOR:
        return None
    return jars.parent / f"java-{java.major}-{java.build}"


def find_aot_cache(stem: Path) -> Path | None:
    """A cache whose every byte is as it was written; one that isn't is removed."""
    for cache in sorted(stem.parent.glob(f"{stem.name}-*.aot")):
        try:
            if _named(stem, cache) == cache:
                return cache
        except FileNotFoundError:
            continue
        with suppress(OSError):
            cache.unlink()
    return None


def keep_aot_cache(recorded: Path, stem: Path) -> None:
    """Put what a run recorded in its place, in one step: others may be looking for it.

    Where that can't be done, nothing is kept: it only saves time.
    """
    beside = stem.with_name(f"{stem.name}.{os.getpid()}")
    with suppress(OSError):
        shutil.move(recorded, beside)
        beside.rename(_named(stem, beside))


def was_refused(said: str) -> bool:
    """From what Java said at its start: did it go on without its cache, as made for other jars?"""
    return re.search(r"\[error *\]\[aot", said) is not None


def _named(stem: Path, content: Path) -> Path:
    with content.open("rb") as file:
        return stem.with_name(f"{stem.name}-{file_digest(file, 'sha256').hexdigest()}.aot")
