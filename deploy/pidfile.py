"""A note about a running process, by which another process finds the very same one again.

A pid alone is not enough: after a crash the system may have given it to somebody else.
"""

import json
from pathlib import Path

import psutil

_CREATED_WITHIN_SECONDS = 1.0


def write_pidfile(path: Path, process: psutil.Process, **facts: str | int) -> None:
    """Note the process and some facts about it, in one step."""
    half = path.with_name(f"{path.name}.half")
    note = {"pid": process.pid, "created": process.create_time(), "facts": facts}
    half.write_text(json.dumps(note), "utf-8")
    half.rename(path)


def read_pidfile(path: Path) -> tuple[psutil.Process, dict[str, str | int]] | None:
    """The process noted and the facts, if that very process still lives."""
    try:
        note = json.loads(path.read_text("utf-8"))
        process = psutil.Process(note["pid"])
        same = abs(process.create_time() - note["created"]) < _CREATED_WITHIN_SECONDS
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None
    return (process, note["facts"]) if same and lives(process) else None


def lives(process: psutil.Process) -> bool:
    """Does any thread of the process still run?

    A zombie only waits for its parent to ask; but while one has other threads, they are still
    letting go of its files and ports.
    """
    try:
        if not process.is_running():
            return False
        return process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1
    except psutil.NoSuchProcess:
        return False
