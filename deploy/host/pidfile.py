"""A note about a running process, by which another process finds the very same one again.

A pid alone is not enough: after a crash the system may have given it to somebody else.
"""

import json
import os
from pathlib import Path

import psutil

_CREATED_WITHIN_SECONDS = 1.0


def write_pidfile(path: Path, process: psutil.Process, **facts: str | int) -> None:
    """Note the process and some facts about it, in one step that a power cut does not tear."""
    half = _written(path, process, facts)
    half.rename(path)
    _sync_folder(path.parent)


def claim_pidfile(path: Path, process: psutil.Process, **facts: str | int) -> Path:
    """Note the process under this name, or under NAME-PID where another one that lives has it.

    The note's path. Where one of that name has died without a word, this process takes its place.
    """
    half = _written(path, process, facts)
    own = path.with_name(f"{path.stem}-{process.pid}{path.suffix}")
    for candidate in (path, own):
        if _taken(candidate, half, process):
            break
    if candidate == own:
        _drop_dead(path)
    _sync_folder(path.parent)
    return candidate


def _taken(candidate: Path, half: Path, process: psutil.Process) -> bool:
    """Put the note there, unless it is about another process that lives."""
    while True:
        try:
            # Unlike a rename, a link never replaces a note that somebody has just written.
            os.link(half, candidate)
        except FileExistsError:
            holder = read_pidfile(candidate)
            if holder is None:
                candidate.unlink(missing_ok=True)
                continue
            if holder[0] != process:
                return False
            half.rename(candidate)
            return True
        half.unlink()
        return True


def _drop_dead(path: Path) -> None:
    """Remove one note NAME-PID of a process that has died."""
    for other in path.parent.glob(f"{path.stem}-*{path.suffix}"):
        try:
            pid = json.loads(other.read_bytes())["pid"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if other.stem == f"{path.stem}-{pid}" and read_pidfile(other) is None:
            other.unlink(missing_ok=True)
            return


def drop_pidfile(path: Path, process: psutil.Process) -> None:
    """Remove the note if it is about this process, or about none that lives."""
    holder = read_pidfile(path)
    if holder is None or holder[0] == process:
        path.unlink(missing_ok=True)


def read_pidfile(path: Path) -> tuple[psutil.Process, dict[str, str | int]] | None:
    """The process noted and the facts, if that very process still lives.

    None also where the note is damaged, as one may be that a power cut has met.
    """
    try:
        note = json.loads(path.read_bytes())
        process, facts = psutil.Process(note["pid"]), note["facts"]
        same = abs(process.create_time() - note["created"]) < _CREATED_WITHIN_SECONDS
    except (OSError, ValueError, KeyError, TypeError, OverflowError, psutil.Error):
        return None
    return (process, facts) if same and isinstance(facts, dict) and lives(process) else None


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


def _written(path: Path, process: psutil.Process, facts: dict[str, str | int]) -> Path:
    """The note beside its place, on the disk."""
    half = path.with_name(f"{path.name}.{process.pid}.half")
    note = {"pid": process.pid, "created": process.create_time(), "facts": facts}
    with half.open("w", encoding="utf-8") as file:
        json.dump(note, file)
        file.flush()
        os.fsync(file.fileno())
    return half


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
