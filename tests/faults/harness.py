"""A small cluster whose parts can be killed, paused and restarted while facts stream in."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaProducer

from bench.watching.words import health, last_words
from consumers.api.trail_client import At, find_owner
from deploy.broker.broker import Broker
from deploy.trail.lag import worker_lag
from producers.simulator.simulate import Plan, Sending, simulate
from schemas.times import day, iso_date
from tests.conftest import create_topics
from tests.judge import judge

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

    @property
    def is_sending(self) -> bool:
        """Has it begun, and is not at its end?"""
        return self._thread.is_alive()

    def finish(self, *, early: bool = False) -> None:
        """Send the rest (or stop early) and wait for every acknowledgement."""
        if early:
            self._stop.set()
        self._thread.join()
        self._producer.flush()
        self._producer.close()
        assert not self.failed, self.failed[:3]


class Cluster:
    """A broker, workers, a sink and a sealer as processes of their own.

    Facts bear the producers' time, or else the broker's, which is what a deployment has unless it
    says otherwise. `prepared`: the folder holds a broker's data with topics already.
    """

    def __init__(
        self,
        home: Path,
        *,
        producer_time: bool = True,
        prepared: bool = False,
        heap: str = "256m",
    ) -> None:
        self.home = home
        self.producer_time = producer_time
        self.broker = Broker(home / "kafka", tied_to_parent=True, heap=heap)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._prepared = prepared

    def __enter__(self) -> "Cluster":
        self.broker.start()
        if not self._prepared:
            create_topics(self.broker.bootstrap, producer_time=self.producer_time)
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.processes):
            self.kill(name, expect_alive=False)
        self.broker.stop()

    def start(
        self, name: str, *arguments: str, inside: Sequence[str] = (), **environment: str
    ) -> None:
        """Start a shilu process under a name; `inside`: what its command is put behind."""
        with self.log_of(name).open("ab") as out:
            self.processes[name] = subprocess.Popen(
                [*inside, sys.executable, "-m", "deploy.cli", *arguments],
                env=self.environment() | environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def environment(self) -> dict[str, str]:
        """What a process of this cluster needs to know; it speaks English."""
        return {
            **os.environ,
            "SHILU_HOME": str(self.home),
            "SHILU_BOOTSTRAP": self.broker.bootstrap,
            "SHILU_LANG": "en",
            # A tick that comes while a log is judged looks lost; who wants ticks says so.
            "SHILU_TICK_SECONDS": "3600",
        }

    def shilu(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "deploy.cli", *arguments],
            env=self.environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip

    def log_of(self, name: str) -> Path:
        """Where a process says what it does."""
        return self.home / f"{name}.log"

    def words(self) -> str:
        """What every process said last, and what those that answer say of themselves."""
        said = [f"== {name}\n{last_words(self.log_of(name))}" for name in self.processes]
        return "\n".join([*said, *health(self.home)])

    def worker(
        self, name: str, processes: int = 1, *, inside: Sequence[str] = (), **environment: str
    ) -> None:
        """Start a worker."""
        session = ("--session-seconds", str(SESSION_SECONDS))
        named = ("worker", "--name", name, "--processes", str(processes))
        self.start(name, *named, *session, inside=inside, **environment)

    def sealer(self, name: str) -> None:
        """Start a sealer, with a key made first if there is none."""
        if not (self.home / "keys").exists():
            done = self.shilu("keys", "init")
            assert done.returncode == 0, done.stderr
        self.start(name, "seal", "--every", "1")

    def trail_owned(self) -> bool:
        """Does a live sink answer for the trail?"""
        owner = find_owner(At(self.home))
        if owner is None:
            return False
        owner.client.close()
        return True

    def reconciled(self) -> str:
        """What `shilu reconcile` says, which must be that all is well."""
        done = self.shilu("reconcile", "--wait", "60")
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
        return sum(lag.held for lag in worker_lag(self.broker.bootstrap))

    def behind(self) -> int:
        """Records not committed yet."""
        return sum(lag.records for lag in worker_lag(self.broker.bootstrap))

    def ends(self) -> list[int]:
        """Where each fact partition ends."""
        return [lag.end for lag in worker_lag(self.broker.bootstrap)]

    def moves(
        self, what: str, seconds: float = PATIENCE_SECONDS, *, since: int | None = None
    ) -> float:
        """Wait until the workers have committed something more than now, or than `since`; the
        seconds it took."""
        before = self.folded() if since is None else since
        return wait_until(lambda: self.folded() > before, f"progress {what}", seconds)


def settle(cluster: Cluster, sender: Sender) -> str:
    """Stop sending, let the workers catch up, and judge; how much was judged, in words."""
    sender.finish(early=True)
    found: list[str] = []

    def judged() -> bool:
        # Whoever has come to a partition ticks there: what is recorded meanwhile has no answer yet.
        wait_until(lambda: cluster.behind() == 0, "the workers have caught up")
        ends = cluster.ends()
        found[:] = map(str, judge(cluster.broker.bootstrap))
        return cluster.ends() == ends

    wait_until(judged, "nothing is recorded while all is judged")
    assert not found, found
    return f"{sender.sent:,} records sent, none lost, none double, balances right"


def history(
    events: int, seed: int, first_day: str = "2025-03-01", days: int = 30
) -> Iterator[Sending]:
    """A simulated history in which everything goes wrong that goes wrong in the field.

    A month long ago unless said otherwise, for records that bear their own times.
    """
    return simulate(
        Plan(
            events=events,
            volunteers=max(events // 40, 20),
            days=days,
            seed=seed,
            start_on=day(first_day),
        )
    )


def lately(events: int, seed: int) -> Iterator[Sending]:
    """Two days of this week, for records that the broker dates: older ones would only be late."""
    return history(events, seed, iso_date(int(time.time()) // 86_400 - 5), 2)
