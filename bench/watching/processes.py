"""Processes under measurement: the `shilu` command with its CPU seconds and peak memory."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


class Measured:
    """A running `shilu` process."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log
        self._watched = psutil.Process(process.pid)

    def require_alive(self) -> None:
        """Raises RuntimeError with the end of its log if it has ended."""
        if self.process.poll() is not None:
            raise RuntimeError(self._log.read_text("utf-8", "replace")[-2000:])

    @property
    def cpu_seconds(self) -> float:
        """User and system time since its start."""
        times = self._watched.cpu_times()
        return float(times.user + times.system)

    @property
    def peak_mb(self) -> int:
        """The most memory it ever held, as the kernel counts it."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) >> 10

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def environment(home: Path, bootstrap: str) -> dict[str, str]:
    """What a `shilu` process needs to know."""
    return {**os.environ, "SHILU_HOME": str(home), "SHILU_BOOTSTRAP": bootstrap}


@contextmanager
def shilu(home: Path, bootstrap: str, *arguments: str) -> Iterator[Measured]:
    """`shilu ARGUMENTS` while the block lasts."""
    log = home / f"{arguments[0]}.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", *arguments],
            env=environment(home, bootstrap), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        yield Measured(process, log)
    finally:
        process.kill()
        process.wait()
