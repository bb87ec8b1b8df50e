"""Room on the trail's disk: chDB must never meet a full one.

chDB 26.9 acknowledges an insert whose files a full disk cut short: of 200 inserts beside somebody
who filled and freed the disk, 4 to 14 were empty files under a good answer, and their rows were
gone at the next start. So inserts stop well before, and whatever was written while the disk may
have been full is read back before it counts.
"""

import errno
import re
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOM_BYTES = 256 << 20
"""What must be free for an insert; the engine refuses one with less (NOT_ENOUGH_SPACE)."""

INSERT_SETTINGS: Mapping[str, object] = {"min_free_disk_bytes_to_perform_insert": ROOM_BYTES}

_DOUBTFUL_BYTES = ROOM_BYTES // 2
"""An insert takes a few megabytes. With less than this free after one, others fill the disk."""

_FULL = re.compile(r"NOT_ENOUGH_SPACE|No space left on device|Disk quota exceeded|File too large")
_FULL_CODES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Query = Callable[..., list[dict[str, Any]]]
Check = Callable[[str, str], bool | None]
"""Reads one part (table, part): can it be read? None if it is no longer there."""


def is_full(error: Exception) -> bool:
    """Does the error say that a disk is full, the trail's or that of the temporary files?"""
    if isinstance(error, OSError) and error.errno in _FULL_CODES:
        return True
    return _FULL.search(str(error)) is not None


def damaged(query: Query, database: str) -> bool:
    """Has the engine put parts aside because they cannot be read? Their rows are missing."""
    (row,) = query(
        "SELECT count() AS n FROM system.detached_parts WHERE database = {database:String} "
        "AND startsWith(ifNull(reason, ''), 'broken')",
        database=database,
    )
    return bool(row["n"])


class Watch:
    """Notes when the disk was last known to have room, and what must be read back since."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._roomy_at = time.time()
        self._doubtful = False

    def refused(self) -> None:
        """An insert has been refused for lack of room."""
        self._doubtful = True

    def unreadable(self, query: Query, check: Check, database: str) -> bool:
        """After an insert: can a part not be read that was written since there last was room?

        While there is room, nothing is looked at.
        """
        now = time.time()
        if shutil.disk_usage(self._folder).free < _DOUBTFUL_BYTES:
            self._doubtful = True
        elif not self._doubtful:
            self._roomy_at = now
            return False
        found = _unreadable_since(int(self._roomy_at) - 1, query, check, database)
        self._roomy_at, self._doubtful = now, False
        return found


def _unreadable_since(since: int, query: Query, check: Check, database: str) -> bool:
    read: dict[tuple[str, str], bool | None] = {}
    while True:
        rows = query(
            "SELECT table, name FROM system.parts WHERE active AND database = {database:String} "
            "AND toUnixTimestamp(modification_time) >= {since:Int64} ORDER BY table, name",
            database=database, since=since,
        )  # fmt: skip
        parts = [(row["table"], row["name"]) for row in rows]
        if all(part in read for part in parts):
            return any(read[part] is False for part in parts)
        # One that is gone was merged into another meanwhile: that one is read instead.
        read |= {part: check(*part) for part in parts if part not in read}
