"""A small file system of its own for processes of a test: a tmpfs in a user namespace, no root."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BALLAST = "ballast"
_HOLD = 'mount -t tmpfs -o size="$2",mode=700 tmpfs "$1" && echo ready && exec sleep infinity'


class SmallDisk:
    """A mounted disk. Processes started with `inside` before their command see it at `mount`."""

    def __init__(self, holder: int, mount: Path) -> None:
        self.mount = mount
        self.inside = (
            "nsenter", f"--target={holder}", "--user", "--mount", "--preserve-credentials", "--",
        )  # fmt: skip
        self.seen_from_outside = Path(f"/proc/{holder}/root{mount}")

    @property
    def free_bytes(self) -> int:
        """What is left on it."""
        found = os.statvfs(self.seen_from_outside)
        return found.f_bavail * found.f_frsize

    def fill(self, free_bytes: int) -> None:
        """Somebody else's file takes all but so much."""
        with (self.seen_from_outside / BALLAST).open("ab") as file:
            while (rest := self.free_bytes - free_bytes) > 0:
                file.write(bytes(min(rest, 1 << 20)))
                file.flush()

    def empty(self) -> None:
        """That file is gone again."""
        (self.seen_from_outside / BALLAST).unlink()


@contextmanager
def small_disk(mount: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount a disk of so many megabytes while the block lasts; skips where that needs root."""
    mount.mkdir(parents=True)
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _HOLD, "sh"]
    try:
        holder = subprocess.Popen(
            [*command, str(mount), f"{megabytes}m"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except FileNotFoundError:
        pytest.skip("a small disk needs `unshare` (util-linux)")
    assert holder.stdout is not None
    assert holder.stderr is not None
    try:
        if holder.stdout.readline() != b"ready\n":
            said = holder.stderr.read().decode().strip()
            pytest.skip(f"a small disk needs root or user namespaces here: {said}")
        yield SmallDisk(holder.pid, mount)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
        holder.stderr.close()
