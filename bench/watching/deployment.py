"""A whole deployment for benches and soaks: `shilu up`, its processes by role, its last words."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from bench.watching.words import health, last_words
from deploy.broker.broker import Broker
from deploy.services.local import kafka_dir
from deploy.services.running import SEALER, TRAIL, running
from deploy.settings import Settings

BROKER = "kafka"
_UP_SECONDS = 180.0
_DOWN_SECONDS = 90.0


def roles_of(workers: int) -> tuple[str, ...]:
    """The roles of a deployment with so many workers."""
    return (*(f"worker-{n}" for n in range(1, workers + 1)), TRAIL, SEALER, BROKER)


class Deployment:
    """`shilu up` in a home of its own; a context manager."""

    def __init__(self, home: Path, workers: int) -> None:
        self.settings = Settings(home=home)
        self._workers = workers
        self._log = home / "up.log"
        self._environment = {**os.environ, "SHILU_HOME": str(home), "SHILU_LANG": "en"}
        self._environment.pop("SHILU_BOOTSTRAP", None)
        self._up: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Deployment":
        with self._log.open("ab") as out:
            self._up = subprocess.Popen(
                [sys.executable, "-m", "deploy.cli", "up", "--workers", str(self._workers)],
                env=self._environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        deadline = time.monotonic() + _UP_SECONDS
        try:
            while set(roles_of(self._workers)) - self.roles().keys():
                if self._up.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"not up:\n{last_words(self._log)}")
                time.sleep(0.5)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self._up is not None
        # Asleep it would not hear that it is to end.
        for process in self.roles().values():
            with suppress(psutil.NoSuchProcess):
                process.resume()
        self.shilu("down")
        self._up.wait(_DOWN_SECONDS)

    def shilu(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "deploy.cli", *arguments],
            env=self._environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def roles(self) -> dict[str, psutil.Process]:
        """Every process of the deployment that lives, by role; `up` itself among them."""
        found = running(self.settings)
        broker = Broker.attach(kafka_dir(self.settings))
        if broker is not None:
            found[BROKER] = psutil.Process(broker.pid)
        return found

    @property
    def bootstrap(self) -> str:
        """Where its broker is; it keeps its port when it is started again."""
        broker = Broker.attach(kafka_dir(self.settings))
        assert broker is not None
        return broker.bootstrap

    def words(self) -> str:
        """What everybody said last."""
        logs = sorted((self.settings.place / "log").glob("*.log"))
        said = [f"== {log.stem}\n{last_words(log)}" for log in (self._log, *logs)]
        return "\n".join([*said, *health(self.settings.place)])
