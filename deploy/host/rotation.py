"""Logs of a bounded size: what grows too large is put aside, once, and begun anew."""

import shutil
from contextlib import suppress
from pathlib import Path

LOG_BYTES_MAX = 16 << 20
"""From this size on a log is put aside as NAME.1, in place of the one before."""


def rotate(log: Path, bytes_max: int = LOG_BYTES_MAX) -> bool:
    """Put a log aside if it is too large; True if so.

    Whoever writes goes on with the same open file, which must be open for appending: it is copied
    and then emptied. A line written in between is lost; a process that dies of a closed pipe, or
    whose log vanishes, would be worse.
    """
    with suppress(FileNotFoundError):
        if log.stat().st_size >= bytes_max:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            with log.open("r+b") as file:
                file.truncate()
            return True
    return False


def tail(log: Path, bytes_max: int = 8 << 10) -> list[str]:
    """The last lines of a log; none where there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - bytes_max))
            return file.read().decode("utf-8", "replace").strip().splitlines()
    except FileNotFoundError:
        return []
