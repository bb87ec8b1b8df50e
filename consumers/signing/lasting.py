"""Files and folders that last once they are written: whole or not at all, and synced."""

import os
from pathlib import Path


def put(path: Path, content: bytes) -> None:
    """Write or replace a file in one step that lasts; raises OSError."""
    make(path.parent)
    write(path, content)
    sync(path.parent)


def write(path: Path, content: bytes) -> None:
    """The file is there whole or not at all; its name lasts once the folder is synced."""
    half = path.with_name(f".{path.name}.half")
    with half.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)


def make(folder: Path) -> None:
    """Make a folder and those above it, so that they last."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(exist_ok=True, mode=0o755)
        sync(one.parent)


def sync(folder: Path) -> None:
    """Make the names in a folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
