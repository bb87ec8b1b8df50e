"""The services of one machine: local Kafka, workers and the sink, started and stopped together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import psutil

from deploy.broker import Broker
from deploy.errors import ShiluError
from deploy.local import kafka_dir, note_path
from deploy.pidfile import lives, read_pidfile
from deploy.settings import Settings
from deploy.topics_admin import Wanted, create, describe, differences, fix, in_words
from producers.errors import ProducerError
from schemas.topics import ALL

if TYPE_CHECKING:
    from consumers.ask import Owner

_READY_SECONDS = 60.0
_STOP_SECONDS = 12.0

TRAIL = "trail"
"""The name of the sink, which owns the trail and notes itself in a file of its own form."""

Say = Callable[[str, str], None]
"""Told each step in Chinese and English."""


@dataclass(slots=True)
class _Child:
    """One service process; `name` is its note and its log."""

    name: str
    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes]


class Stack:
    """Kafka (unless a cluster is named), workers and the sink; a context manager.

    A service that ends by itself is started again; `watch` returns only when `stopping` says so.
    """

    def __init__(self, settings: Settings, *, workers: int, say: Say) -> None:
        self._settings = settings
        self._workers = workers
        self._say = say
        self._broker: Broker | None = None
        self._children: list[_Child] = []
        self.bootstrap = settings.bootstrap

    def start_kafka(self) -> None:
        """Start the local broker unless a cluster is named."""
        if self.bootstrap:
            self._say(f"Kafka:{self.bootstrap}", f"Kafka: {self.bootstrap}")
            return
        began = time.monotonic()
        self._broker = Broker(
            kafka_dir(self._settings),
            port=self._settings.kafka_port,
            java=self._settings.java or None,
        ).start()
        self.bootstrap = self._broker.bootstrap
        took = time.monotonic() - began
        self._say(
            f"Kafka 4.1 已启动:{self.bootstrap}({took:.1f} 秒)",
            f"Kafka 4.1 runs at {self.bootstrap} ({took:.1f} s)",
        )

    def start_services(self) -> None:
        """Start workers and sink and wait until each of them answers."""
        began = time.monotonic()
        for number in range(1, self._workers + 1):
            name = f"worker-{number}"
            self._spawn(name, ("worker", "--name", name))
        self._spawn(TRAIL, ("sink",))
        for child in self._children:
            self._await_ready(child)
        took = time.monotonic() - began
        self._say(
            f"台账进程 {self._workers} 个、审计库进程 1 个已就绪({took:.1f} 秒)",
            f"{self._workers} worker(s) and the sink are ready ({took:.1f} s)",
        )

    def _spawn(self, name: str, arguments: tuple[str, ...]) -> None:
        note_path(self._settings, name).unlink(missing_ok=True)
        log = self._settings.place / "log" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "SHILU_HOME": str(self._settings.place),
            "SHILU_BOOTSTRAP": self.bootstrap,
        }
        with log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "deploy.cli", *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._children.append(_Child(name, arguments, process))

    def _await_ready(self, child: _Child) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if child.process.poll() is not None:
                raise self._failed(child, "ended while starting", "启动时退出")
            if health(self._settings, child.name) is not None:
                return
            time.sleep(0.05)
        raise self._failed(child, "does not answer", "没有响应")

    def _failed(self, child: _Child, en: str, zh: str) -> ShiluError:
        log = self._settings.place / "log" / f"{child.name}.log"
        lines = log.read_text("utf-8", "replace").strip().splitlines()
        last = lines[-1][-300:] if lines else ""
        return ShiluError(
            "service_died",
            f"进程 {child.name} {zh}({last}):详情见 {log}。",
            f"The process {child.name} {en} ({last}): details are in {log}.",
        )

    def watch(self, stopping: Callable[[], bool]) -> None:
        """Keep the services running until told to stop."""
        while not stopping():
            for child in [c for c in self._children if c.process.poll() is not None]:
                self._say(
                    f"进程 {child.name} 退出(代码 {child.process.returncode}),正在重新启动",
                    f"{child.name} ended (code {child.process.returncode}), starting it again",
                )
                self._children.remove(child)
                time.sleep(1)
                self._spawn(child.name, child.arguments)
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop everything that this stack started, services before Kafka."""
        for child in self._children:
            with suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        for child in self._children:
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            note_path(self._settings, child.name).unlink(missing_ok=True)
        self._children.clear()
        if self._broker is not None:
            self._broker.stop()
            self._broker = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def ensure_topics(bootstrap: str, wanted: Wanted) -> None:
    """Create the topics that are missing; raises ShiluError where one is unlike what is wanted."""
    try:
        found = describe(bootstrap)
        for difference in differences(found, wanted):
            zh, en = fix(difference)
            d = difference
            raise ShiluError(
                "topic_differs",
                f"主题 {d.topic} 的 {d.setting} 是 {d.found},应为 {d.wanted}:{zh}",
                f"Topic {d.topic} has {d.setting} {d.found}, asked was {d.wanted}: {en}",
            )
        missing = [topic for topic in ALL if topic.name not in found]
        if missing:
            create(bootstrap, wanted, missing)
    except ProducerError as error:
        raise in_words(error) from error


def health(settings: Settings, name: str) -> dict[str, Any] | None:
    """What a running service says of itself; None if it does not run or is not ready yet."""
    import httpx  # a third of a second, and a worker needs none of it

    try:
        if name == TRAIL:
            owner = _trail_owner(settings)
            if owner is None:
                return None
            with closing(owner.client):
                answer = owner.client.get("/health", timeout=2)
        else:
            found = read_pidfile(note_path(settings, name))
            if found is None:
                return None
            address = f"http://127.0.0.1:{found[1]['port']}/health"
            answer = httpx.get(address, timeout=2, trust_env=False)
    except httpx.HTTPError:
        return None
    return dict(answer.json()) if answer.status_code in (200, 503) else None


def _trail_owner(settings: Settings) -> "Owner | None":
    # The engine takes a second to import, and `shilu --help` needs none of it.
    from consumers.ask import At, find_owner

    return find_owner(At(settings.place))


def running(settings: Settings) -> dict[str, psutil.Process]:
    """This deployment's processes that live, by name."""
    found = {}
    for path in sorted((settings.place / "run").glob("*.json")):
        if path.stem != TRAIL and (noted := read_pidfile(path)) is not None:
            found[path.stem] = noted[0]
    owner = _trail_owner(settings)
    if owner is not None:
        owner.client.close()
        found[TRAIL] = psutil.Process(owner.pid)
    return found


def end_leftovers(settings: Settings) -> list[str]:
    """End every noted process and the local broker; the names of what was ended."""
    ended = []
    for name, process in running(settings).items():
        with suppress(psutil.NoSuchProcess):
            process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        while lives(process) and time.monotonic() < deadline:
            time.sleep(0.05)
        with suppress(psutil.NoSuchProcess):
            if lives(process):
                process.kill()
        note_path(settings, name).unlink(missing_ok=True)
        ended.append(name)
    broker = Broker.attach(kafka_dir(settings))
    if broker is not None:
        broker.stop()
        ended.append("kafka")
    return ended
