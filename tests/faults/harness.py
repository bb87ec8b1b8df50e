"""A small cluster whose parts can be killed, paused and restarted while facts stream in."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaProducer

from consumers.ask import At, find_owner
from deploy.broker import Broker
from deploy.lag import worker_lag
from producers.simulate import Plan, Sending, simulate
from schemas.times import day
from tests.conftest import create_topics

SESSION_SECONDS = 6.0
PATIENCE_SECONDS = 120.0


def wait_until(true: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> float:
    """Wait on a condition; the seconds it took. Fails with what was waited for."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.1)
    return time.monotonic() - began


class Sender:
    """Streams a simulated history into the cluster at a steady rate, in a thread."""

    def __init__(self, bootstrap: str, sendings: Iterator[Sending], rate: int) -> None:
        self._producer = KafkaProducer(
            bootstrap_servers=bootstrap,
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            max_block_ms=120_000,
            request_timeout_ms=30_000,
            delivery_timeout_ms=180_000,
        )
        self._sendings = sendings
        self._rate = rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent = 0
        self.failed: list[BaseException] = []

    def start(self) -> None:
        """Begin sending."""
        self._thread.start()

    def _run(self) -> None:
        began = time.monotonic()
        for sending in self._sendings:
            if self._stop.is_set():
                break
            self._producer.send(
                sending.topic,
                key=sending.key,
                value=sending.value,
                partition=sending.partition,
                timestamp_ms=sending.recorded_at // 1000,
            ).add_errback(self.failed.append)
            self.sent += 1
            ahead = self.sent / self._rate - (time.monotonic() - began)
            if ahead > 0.01:
                time.sleep(ahead)

    def finish(self, *, early: bool = False) -> None:
        """Send the rest (or stop early) and wait for every acknowledgement."""
        if early:
            self._stop.set()
        self._thread.join()
        self._producer.flush()
        self._producer.close()
        assert not self.failed, self.failed[:3]


class Cluster:
    """A broker, workers and a sink as processes of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.broker = Broker(home / "kafka", tied_to_parent=True)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Cluster":
        self.broker.start()
        create_topics(self.broker.bootstrap)
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.processes):
            self.kill(name, expect_alive=False)
        self.broker.stop()

    def start(self, name: str, *arguments: str) -> None:
        """Start a shilu process under a name."""
        log = self.home / f"{name}.log"
        with log.open("ab") as out:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "deploy.cli", *arguments],
                env={
                    **os.environ,
                    "SHILU_HOME": str(self.home),
                    "SHILU_BOOTSTRAP": self.broker.bootstrap,
                },
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def worker(self, name: str, processes: int = 1) -> None:
        """Start a worker."""
        session = ("--session-seconds", str(SESSION_SECONDS))
        self.start(name, "worker", "--name", name, "--processes", str(processes), *session)

    def trail_owned(self) -> bool:
        """Does a live sink answer for the trail?"""
        owner = find_owner(At(self.home))
        if owner is None:
            return False
        owner.client.close()
        return True

    def reconciled(self) -> str:
        """What `shilu reconcile` says, which must be that all is well."""
        done = subprocess.run(
            [sys.executable, "-m", "deploy.cli", "reconcile", "--wait", "60"],
            env={
                **os.environ,
                "SHILU_HOME": str(self.home),
                "SHILU_BOOTSTRAP": self.broker.bootstrap,
                "SHILU_LANG": "en",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def alive(self, name: str) -> bool:
        """Has the process not ended?"""
        return self.processes[name].poll() is None

    def kill(self, name: str, *, expect_alive: bool = True) -> None:
        """SIGKILL; a kill of a process that was dead already proves nothing and fails."""
        process = self.processes.pop(name)
        if expect_alive:
            assert process.poll() is None, f"{name} had ended by itself, see {self.home}"
        process.kill()
        process.wait()

    def stop(self, name: str) -> float:
        """SIGTERM; the seconds until the process had ended, which must be with code 0."""
        process = self.processes.pop(name)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, f"{name} ended with {process.returncode}, see {self.home}"
        return time.monotonic() - began

    @contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """SIGSTOP while inside, SIGCONT after."""
        assert self.alive(name)
        self.processes[name].send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.processes[name].send_signal(signal.SIGCONT)

    def folded(self) -> int:
        """Records the workers have committed."""
        return sum(lag.position for lag in worker_lag(self.broker.bootstrap, "shilu-worker"))

    def behind(self) -> int:
        """Records not committed yet."""
        return sum(lag.records for lag in worker_lag(self.broker.bootstrap, "shilu-worker"))

    def moves(
        self, what: str, seconds: float = PATIENCE_SECONDS, *, since: int | None = None
    ) -> float:
        """Wait until the workers have committed something more than now, or than `since`; the
        seconds it took."""
        before = self.folded() if since is None else since
        return wait_until(lambda: self.folded() > before, f"progress {what}", seconds)


def history(events: int, seed: int) -> Iterator[Sending]:
    """A simulated history in which everything goes wrong that goes wrong in the field."""
    return simulate(
        Plan(
            events=events,
            volunteers=max(events // 40, 20),
            days=30,
            seed=seed,
            start_on=day("2025-03-01"),
        )
    )
