"""The services of one machine: Kafka, workers, sink and sealer, started and stopped together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.broker.topics_admin import (
    Wanted,
    create,
    describe,
    differences,
    fix,
    in_words,
    replicas_allowed,
)
from deploy.errors import ShiluError
from deploy.host.pidfile import read_pidfile
from deploy.host.rotation import rotate, tail
from deploy.services.local import note_path
from deploy.services.local_kafka import LocalKafka, Say
from deploy.services.running import SEALER, STOP_SECONDS, TRAIL, health, is_starting
from deploy.settings import Settings
from producers.errors import ProducerError
from schemas.topics import ALL

_READY_SECONDS = 60.0

_CALM_SECONDS = 60.0
_SEAL_SECONDS = "2"

_LOGS_EVERY_SECONDS = 5.0


@dataclass(slots=True)
class _Child:
    """One service process; `name` is its note and its log.

    `ends` is how often it has ended soon after its start, `began` when that was, monotonic.
    """

    name: str
    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes]
    began: float
    ends: int = 0


class Stack:
    """Kafka (unless a cluster is named), workers, the sink and the sealer; a context manager.

    A service that ends by itself is started again, Kafka too; `watch` returns only when `stopping`
    says so.
    """

    def __init__(self, settings: Settings, *, workers: int, say: Say) -> None:
        self._settings = settings
        self._workers = workers
        self._say = say
        self._kafka: LocalKafka | None = None
        self._children: list[_Child] = []
        self.bootstrap = settings.bootstrap

    def start_kafka(self) -> None:
        """Start the local broker unless a cluster is named."""
        if self.bootstrap:
            self._say(f"Kafka:{self.bootstrap}", f"Kafka: {self.bootstrap}")
            return
        self._kafka = LocalKafka(self._settings, self._say)
        self._kafka.start()
        self.bootstrap = self._kafka.bootstrap

    def start_services(self) -> None:
        """Start workers, sink and sealer and wait until each of them answers.

        With a broker of our own the seal's key is made if there is none; a named cluster is sealed
        from where its key is. A sink or sealer that refuses to go on stops nothing else: it is
        said, `shilu status` shows it, and hours are recorded all the same.
        """
        began = time.monotonic()
        seals = self._has_keys()
        for number in range(1, self._workers + 1):
            name = f"worker-{number}"
            self._spawn(name, ("worker", "--name", name))
        self._spawn(TRAIL, ("sink",))
        if seals:
            self._spawn(SEALER, ("seal", "--every", _SEAL_SECONDS))
        for child in list(self._children):
            if child.name == SEALER:
                continue
            try:
                self._await_ready(child)
            except ShiluError as error:
                if child.name != TRAIL:
                    raise
                self._say(error.zh, error.en, bad=True)
        took = time.monotonic() - began
        self._say(
            f"台账进程 {self._workers} 个、审计库进程{'、封存进程' if seals else ''}"
            f"已启动({took:.1f} 秒)",
            f"{self._workers} worker(s), the sink{', the sealer' if seals else ''} run "
            f"({took:.1f} s)",
        )

    @property
    def services(self) -> list[str]:
        """The names of what was started."""
        return [child.name for child in self._children]

    def _has_keys(self) -> bool:
        """Is there a key to seal with, now at least?"""
        from deploy.seal.seal_process import ensure_keys, has_keys, keys_of

        if self._kafka is None:
            if not has_keys(self._settings):
                self._say(
                    "没有封存密钥:此处不封存任何内容;要在本机封存请运行 shilu keys init",
                    "there is no key: nothing is sealed from here; to seal on this machine run "
                    "`shilu keys init`",
                    bad=True,
                )
                return False
            return True
        try:
            made = ensure_keys(self._settings, self.bootstrap)
        except ShiluError as error:
            self._say(error.zh, error.en, bad=True)
            return False
        if made is not None:
            folder = keys_of(self._settings)
            self._say(
                f"已生成封存密钥(仅本用户可读,请另存一份):{folder},公钥 {made}",
                f"made the key that seals the ledger (readable for this user alone; keep a copy): "
                f"{folder}, public key {made}",
            )
        return True

    def _spawn(self, name: str, arguments: tuple[str, ...], ends: int = 0) -> None:
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
        self._children.append(_Child(name, arguments, process, time.monotonic(), ends))

    def _await_ready(self, child: _Child) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if child.process.poll() is not None:
                raise self._failed(child, "ended while starting", "启动时退出")
            said = health(self._settings, child.name)
            if said is not None and not is_starting(said):
                return
            time.sleep(0.05)
        raise self._failed(child, "does not answer", "没有响应")

    def _failed(self, child: _Child, en: str, zh: str) -> ShiluError:
        log = self._log(child)
        lines = tail(log)
        last = lines[-1][-300:] if lines else ""
        return ShiluError(
            "service_died",
            f"进程 {child.name} {zh}({last}):详情见 {log}。",
            f"The process {child.name} {en} ({last}): details are in {log}.",
        )

    def watch(self, stopping: Callable[[], bool]) -> None:
        """Keep the services running until told to stop."""
        told: set[int] = set()
        looked_at = float("-inf")
        while not stopping():
            if self._kafka is not None:
                self._kafka.watch()
            if time.monotonic() - looked_at > _LOGS_EVERY_SECONDS:
                for log in (self._settings.place / "log").glob("*.log"):
                    rotate(log)
                looked_at = time.monotonic()
            for child in [c for c in self._children if c.process.poll() is not None]:
                if child.process.pid not in told:
                    told.add(child.process.pid)
                    self._say_ended(child)
                lived = time.monotonic() - child.began
                if lived < min(1 << child.ends, _CALM_SECONDS):
                    continue
                self._children.remove(child)
                ends = child.ends + 1 if lived < 2 * _CALM_SECONDS else 0
                self._spawn(child.name, child.arguments, ends)
            time.sleep(0.2)

    def kill_worker(self) -> str:
        """End a worker at once (SIGKILL), as a power cut would; its name. `watch` revives it."""
        child = next(child for child in self._children if child.arguments[0] == "worker")
        child.process.kill()
        child.process.wait()
        return child.name

    def _say_ended(self, child: _Child) -> None:
        self._say(
            f"进程 {child.name} 退出(代码 {child.process.returncode}),将重新启动;"
            f"日志 {self._log(child)}",
            f"{child.name} ended (code {child.process.returncode}) and is started again; "
            f"see {self._log(child)}",
            bad=True,
        )

    def _log(self, child: _Child) -> Path:
        return self._settings.place / "log" / f"{child.name}.log"

    def stop(self) -> None:
        """Stop everything that this stack started, services before Kafka."""
        for child in self._children:
            with suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for child in self._children:
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            note = note_path(self._settings, child.name)
            # Killed, it has left it; another process of its name keeps its own.
            if read_pidfile(note) is None:
                note.unlink(missing_ok=True)
        self._children.clear()
        if self._kafka is not None:
            self._kafka.stop()
            self._kafka = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def ensure_topics(bootstrap: str, partitions: int, producer_time: bool, say: Say) -> None:
    """Create the topics that are missing, with the replicas that the cluster allows, and say so.

    Raises ShiluError where one is unlike what is wanted.
    """
    try:
        wanted = Wanted(partitions, producer_time, replicas_allowed(bootstrap), is_default=True)
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
            n = wanted.replication
            say(
                f"已创建主题 {len(missing)} 个,每个分区 {n} 个副本",
                f"created {len(missing)} topics, {n} replica(s) of each partition",
            )
        fewer = [n for n, one in found.items() if one.replication < wanted.replication]
        if fewer:
            say(
                f"集群可有 {wanted.replication} 个副本,这些主题较少:{'、'.join(fewer)};"
                "请用 kafka-reassign-partitions 增加",
                f"the cluster allows {wanted.replication} replicas, these topics have fewer: "
                f"{', '.join(fewer)}; add them with kafka-reassign-partitions",
                bad=True,
            )
    except ProducerError as error:
        raise in_words(error) from error
