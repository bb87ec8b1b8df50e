"""The local broker of `shilu up`: on one port from start to start, and started again if it ends."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from deploy.broker.broker import Broker
from deploy.errors import ShiluError
from deploy.host.ports import is_free
from deploy.services.local import kafka_dir
from deploy.settings import Settings

_CALM_SECONDS = 60.0


class Say(Protocol):
    """Told each step in Chinese and English; `bad` where it is no good news."""

    def __call__(self, zh: str, en: str, *, bad: bool = False) -> None: ...


class LocalKafka:
    """One broker over SHILU_HOME/kafka.

    Its port is SHILU_KAFKA_PORT, or the one it had before, which is kept in SHILU_HOME/kafka/port.
    """

    def __init__(self, settings: Settings, say: Say) -> None:
        self._settings = settings
        self._say = say
        self._broker: Broker | None = None
        self._ends = 0
        self._began = 0.0
        self._is_told = False

    @property
    def bootstrap(self) -> str:
        """host:port, once started."""
        assert self._broker is not None
        return self._broker.bootstrap

    def start(self) -> None:
        """Start it and return once it serves; raises ShiluError as `Broker.start` does."""
        began = time.monotonic()
        broker = Broker(
            kafka_dir(self._settings), port=self._port(), java=self._settings.java or None
        ).start()
        self._broker = broker
        self._began = time.monotonic()
        _keep(self._port_file, broker.port)
        took = self._began - began
        self._say(
            f"Kafka 4.1 已启动:{broker.bootstrap}({took:.1f} 秒)",
            f"Kafka 4.1 runs at {broker.bootstrap} ({took:.1f} s)",
        )

    def watch(self) -> None:
        """Start it again where it has ended, on the same port over the same data.

        At once, then after longer and longer waits, up to a minute.
        """
        broker = self._broker
        if broker is None or broker.is_running:
            return
        now = time.monotonic()
        lived = now - self._began
        if not self._is_told:
            self._is_told = True
            self._say(
                f"Kafka 退出,将重新启动;日志 {broker.log_path}",
                f"Kafka ended and is started again; see {broker.log_path}",
                bad=True,
            )
        if lived < min(1 << self._ends, _CALM_SECONDS):
            return
        self._ends = self._ends + 1 if lived < 2 * _CALM_SECONDS else 0
        try:
            broker.start()
        except ShiluError as error:
            self._say(error.zh, error.en, bad=True)
            self._began = time.monotonic()
            return
        self._is_told = False
        self._began = time.monotonic()
        self._say(
            f"Kafka 已重新启动:{broker.bootstrap}({self._began - now:.1f} 秒)",
            f"Kafka runs again at {broker.bootstrap} ({self._began - now:.1f} s)",
        )

    def stop(self) -> None:
        """Stop it in order."""
        if self._broker is not None:
            self._broker.stop()
            self._broker = None

    @property
    def _port_file(self) -> Path:
        return kafka_dir(self._settings) / "port"

    def _port(self) -> int:
        """The port asked for, else the one it had if that is free, else 0: any free one."""
        if self._settings.kafka_port:
            return self._settings.kafka_port
        kept = 0
        with suppress(OSError, ValueError):
            kept = int(self._port_file.read_text("ascii"))
        if not 0 < kept < 1 << 16:
            return 0
        if not is_free(kept):
            self._say(
                f"Kafka 原来的端口 {kept} 已被占用,改用另一个;要固定端口请设置 SHILU_KAFKA_PORT",
                f"the port that Kafka had, {kept}, is taken: it gets another one; to settle on one "
                "set SHILU_KAFKA_PORT",
                bad=True,
            )
            return 0
        return kept


def _keep(file: Path, port: int) -> None:
    half = file.with_name(f"{file.name}.half")
    with half.open("w", encoding="ascii") as written:
        written.write(f"{port}\n")
        written.flush()
        os.fsync(written.fileno())
    half.rename(file)
