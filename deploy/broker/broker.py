"""A real Kafka broker of one node (KRaft) as a local process: started, stopped, killed, found.

The process is told apart by pid and start time, so that another shilu process can stop it.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

import psutil

from deploy.broker.aot import aot_stem, find_aot_cache, keep_aot_cache, was_refused
from deploy.broker.jars import Progress, fetch_jars
from deploy.broker.java import find_java
from deploy.broker.kraft import (
    LOG,
    OUT,
    RECORDED,
    Jvm,
    cluster_id,
    death,
    format_storage,
    serves,
    spawn,
    write_properties,
)
from deploy.errors import ShiluError
from deploy.host.pidfile import lives, read_pidfile, write_pidfile
from deploy.host.ports import LOOPBACK, free_port, is_free, listens, require_free

_STOP_SECONDS = 15.0
_RECORD_SECONDS = 60.0
_POLL_SECONDS = 0.02
_STARTS_AT_MOST = 4


class Broker:
    """One broker on 127.0.0.1 over one data folder; a context manager that starts and stops it.

    `port` 0 takes a free one at the first start and keeps it. `settings` are further lines of
    server.properties, `java` is as in `find_java`, `cache` as in `fetch_jars`, `heap` as Java's
    -Xmx. With `tied_to_parent` (Linux) it ends when the *thread* that called `start` ends.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        heap: str = "256m",
        java: str | None = None,
        jvm_options: Sequence[str] = ("-XX:TieredStopAtLevel=1",),
        settings: Mapping[str, str] | None = None,
        tied_to_parent: bool = False,
        progress: Progress | None = None,
        cache: Path | None = None,
        start_seconds: float = 60.0,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.port = port
        self._port_is_open = port == 0
        self._heap = heap
        self._java = java
        self._jvm_options = tuple(jvm_options)
        self._settings = dict(settings or {})
        self._tied = tied_to_parent and sys.platform == "linux"
        self._progress = progress
        self._cache = cache
        self._start_seconds = start_seconds
        self._process: psutil.Process | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._aot_recorded: Path | None = None
        self._controller_port = 0

    @classmethod
    def attach(cls, data_dir: Path) -> Self | None:
        """The broker that some process started over this folder, if it still runs."""
        broker = cls(data_dir)
        found = read_pidfile(broker._pidfile)
        if found is None or not isinstance(port := found[1].get("port"), int):
            return None
        broker._process, facts = found
        broker.port, broker._port_is_open = port, False
        if stem := str(facts.get("aot_recorded", "")):
            broker._aot_recorded = Path(stem)
        return broker

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:PORT`, once started."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the broker; RuntimeError if it was not started."""
        if self._process is None:
            raise RuntimeError("the broker was not started")
        return self._process.pid

    @property
    def log_path(self) -> Path:
        """The broker's own log; what the JVM itself says is beside it in broker.out."""
        return self.data_dir / LOG

    @property
    def is_running(self) -> bool:
        """Does the process exist, ready or not?"""
        if self._child is not None:
            return self._child.poll() is None
        return self._process is not None and lives(self._process)

    @property
    def is_listening(self) -> bool:
        """Has the process its port open? Not yet while it starts."""
        return self._process is not None and listens(self._process, self.port)

    @property
    def is_serving(self) -> bool:
        """Does it answer clients, now?"""
        cluster = cluster_id(self.data_dir)
        return cluster is not None and serves(self.port, cluster)

    def start(self) -> Self:
        """Start the broker and return once it serves clients; a failed start leaves no process.

        Raises ShiluError: `broker_running`, `port_taken`, `broker_died` with the broker's reason,
        `broker_slow`, and those of `find_java`, `fetch_jars` and `format_storage`.
        """
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.data_dir / "broker.lock").open("w") as lock:
            self._take_folder(lock)
            if not self._port_is_open:
                require_free(self.port)
            java = find_java(self._java)
            jars = fetch_jars(progress=self._progress, cache=self._cache)
            self._start_over(Jvm(java, jars, self._heap, self._jvm_options), lock)
        return self

    def stop(self) -> None:
        """End the broker in order (SIGTERM), and by force after 15 s; nothing if it isn't running.

        After a run that recorded Java's AOT cache, up to a minute more to write that.
        """
        if self.is_running:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
                # A paused process hears SIGTERM only when woken.
                os.kill(self.pid, signal.SIGCONT)
            more = _RECORD_SECONDS if self._aot_recorded else 0.0
            if not self._ended_within(_STOP_SECONDS + more):
                self.kill()
            elif self._aot_recorded:
                keep_aot_cache(self.data_dir / RECORDED, self._aot_recorded)
        self._forget()

    def kill(self) -> None:
        """End the broker at once (SIGKILL); no power cut, for the page cache reaches the disk."""
        if self.is_running:
            with suppress(ProcessLookupError):
                # The whole group: a JVM that writes its AOT cache has a child.
                os.killpg(self.pid, signal.SIGKILL)
            self._ended_within(_STOP_SECONDS)
        self._forget()

    def restart(self) -> Self:
        """Stop, if it runs, and start again on the same port over the same data."""
        self.stop()
        return self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _take_folder(self, lock: TextIO) -> None:
        """Hold the folder until neither we nor a broker that we start holds the file open.

        Kafka's own lock comes too late: a second broker writes into the metadata of the first
        before it looks, and neither can read them again.
        """
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = read_pidfile(self._pidfile)
            who = f" (pid {found[0].pid}, port {found[1]['port']})" if found else ""
            raise ShiluError(
                "broker_running",
                f"{self.data_dir} 的 Kafka 已在运行{who}:可直接使用,或先停止它。",
                f"Kafka already runs over {self.data_dir}{who}: use it, or stop it first.",
            ) from None

    def _start_over(self, jvm: Jvm, lock: TextIO) -> None:
        shutil.rmtree(self.data_dir / "tmp", ignore_errors=True)
        (self.data_dir / "tmp").mkdir()
        stem = aot_stem(jvm.java, jvm.jars)
        aot_cache = find_aot_cache(stem) if stem else None
        self._aot_recorded = None if aot_cache else stem
        format_storage(
            self.data_dir,
            jvm,
            aot_cache=aot_cache,
            settings=self._settings,
            keep_open=lock.fileno(),
        )
        for _ in range(_STARTS_AT_MOST):
            log_begins = self.log_path.stat().st_size if self.log_path.exists() else 0
            try:
                self._launch(jvm, aot_cache, lock)
                ready = self._ready()
            except BaseException:
                self.kill()
                raise
            if ready:
                self._port_is_open = False
                if aot_cache and was_refused((self.data_dir / OUT).read_text("utf-8", "replace")):
                    # The next start makes a new one.
                    aot_cache.unlink(missing_ok=True)
                return
            if not self._port_was_taken():
                break
        self._forget()
        raise death(self.data_dir, log_begins)

    def _launch(self, jvm: Jvm, aot_cache: Path | None, lock: TextIO) -> None:
        if self._port_is_open:
            self.port = free_port()
        self._controller_port = free_port(besides=self.port)
        write_properties(
            self.data_dir,
            port=self.port,
            controller_port=self._controller_port,
            settings=self._settings,
        )
        self._child = spawn(
            jvm,
            self.data_dir,
            aot_cache=aot_cache,
            record=self._aot_recorded is not None,
            tied=self._tied,
            keep_open=lock.fileno(),
        )
        self._process = psutil.Process(self._child.pid)
        write_pidfile(
            self._pidfile,
            self._process,
            port=self.port,
            aot_recorded=str(self._aot_recorded or ""),
        )

    def _ready(self) -> bool:
        """True when the broker serves, False when it has died."""
        assert self._process is not None
        deadline = time.monotonic() + self._start_seconds
        while time.monotonic() < deadline:
            if not self.is_running:
                return False
            # Asking a port on which nobody listens can reach oneself, see deploy.host.ports.
            if listens(self._process, self.port) and self.is_serving:
                return True
            time.sleep(_POLL_SECONDS)
        raise ShiluError(
            "broker_slow",
            f"Kafka 在 {self._start_seconds:g} 秒内没有就绪:请查看 {self.log_path},或稍后重试。",
            f"Kafka was not ready within {self._start_seconds:g} s: "
            f"look into {self.log_path}, or try again later.",
        )

    def _port_was_taken(self) -> bool:
        """Did somebody take one of our freely chosen ports since we looked?"""
        return not is_free(self._controller_port) or (self._port_is_open and not is_free(self.port))

    def _ended_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.is_running:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    @property
    def _pidfile(self) -> Path:
        return self.data_dir / "broker.json"

    def _forget(self) -> None:
        if not self.is_running:
            self._process = self._child = self._aot_recorded = None
        # Not if somebody else has started one here since.
        if read_pidfile(self._pidfile) is None:
            self._pidfile.unlink(missing_ok=True)
