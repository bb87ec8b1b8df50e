"""Whom to ask: the trail's folder itself, or the process that owns it.

chDB lets only one process open a folder. While a sink runs it is the owner, and answers on
loopback; who else has a question opens the folder for a moment, or waits until it is free.
"""

import getpass
import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import psutil
import pyarrow as pa

from consumers.api import questions_by_name
from consumers.api.questions_by_name import BadQuestion
from consumers.trail.store import Trail, TrailError, TrailLocked, open_trail

_WAIT_SECONDS = 10.0
_POLL_SECONDS = 0.1
_CLOCK_SECONDS = 2.0
_HEALTH_SECONDS = 5.0
_ANSWER_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class At:
    """Where a deployment has its trail: its home folder, and the DSN of a server if there is one.

    `folder` and `owner_file` are derived; only the owner's file exists while a sink runs.
    """

    home: Path
    dsn: str = ""

    @property
    def folder(self) -> Path:
        """chDB's folder."""
        return self.home / "trail"

    @property
    def owner_file(self) -> Path:
        """Where the owner of the folder writes its address."""
        return self.home / "run" / "trail.json"


class Reader(Protocol):
    """Somebody who answers questions about a trail."""

    def ask(self, question: str, **arguments: Any) -> Any:
        """A named question; raises BadQuestion."""

    def stream(self, name: str, **arguments: Any) -> Iterator[pa.RecordBatch]:
        """A named long answer; raises BadQuestion."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The trail, opened by this very process."""

    trail: Trail

    def ask(self, question: str, **arguments: Any) -> Any:
        return questions_by_name.answer(self.trail, question, arguments, asker=asker())

    def stream(self, name: str, **arguments: Any) -> Iterator[pa.RecordBatch]:
        return questions_by_name.stream(self.trail, name, arguments)


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that owns the trail, over HTTP on loopback."""

    pid: int
    client: httpx.Client

    def ask(self, question: str, **arguments: Any) -> Any:
        given = {"question": question, "arguments": arguments, "asker": asker()}
        response = self.client.post("/v1/ask", json=given)
        _raise_for(response)
        return response.json()["answer"]

    def stream(self, name: str, **arguments: Any) -> Iterator[pa.RecordBatch]:
        given = {"stream": name, "arguments": arguments}
        with self.client.stream("POST", "/v1/stream", json=given) as response:
            if response.status_code != 200:
                response.read()
                _raise_for(response)
            with pa.ipc.open_stream(io.BufferedReader(_Body(response), 1 << 20)) as batches:
                for batch in batches:
                    if batch.num_rows:
                        yield batch


class _Body(io.RawIOBase):
    """A response's body as the file that Arrow reads."""

    def __init__(self, response: httpx.Response) -> None:
        self._chunks = response.iter_bytes()
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def ask(at: At, question: str, **arguments: Any) -> Any:
    """Put one named question to whoever can answer it; see `reader` for what may go wrong."""
    with reader(at) as someone:
        return someone.ask(question, **arguments)


@contextmanager
def reader(at: At) -> Iterator[Reader]:
    """Whoever answers questions about this trail, for as long as the block lasts.

    Raises TrailError: `trail_missing`, `trail_locked` after 10 s if the folder's owner does not
    answer questions, and those of `open_trail`.
    """
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        owner = None if at.dsn else find_owner(at)
        if owner is not None:
            with owner.client:
                yield owner
            return
        try:
            trail = open_trail(at.folder, at.dsn)
        except TrailLocked:
            # Another reader, gone in a moment, or an owner that is about to say where it is.
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)
            continue
        with trail:
            yield Opened(trail)
        return


def find_owner(at: At) -> Owner | None:
    """The process that says it owns the trail; None where it has ended without saying so."""
    try:
        said = json.loads(at.owner_file.read_text("utf-8"))
        process = psutil.Process(said["pid"])
        # Another process may have got its pid. (The start time is told by a clock that is set.)
        if abs(process.create_time() - said["created"]) > _CLOCK_SECONDS:
            return None
        facts = said["facts"]
    except (OSError, ValueError, KeyError, TypeError, OverflowError, psutil.Error):
        return None
    url = f"http://127.0.0.1:{facts['port']}"
    try:
        httpx.get(f"{url}/health", timeout=_HEALTH_SECONDS, trust_env=False)
    except httpx.TransportError:
        return None
    client = httpx.Client(
        base_url=url,
        headers={"Authorization": f"Bearer {facts['token']}"},
        timeout=httpx.Timeout(_HEALTH_SECONDS, read=_ANSWER_SECONDS),
        trust_env=False,
    )
    return Owner(said["pid"], client)


def asker() -> str:
    """The user of the operating system, as noted in the access log."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "?"


def _raise_for(response: httpx.Response) -> None:
    if response.status_code == 422:
        raise BadQuestion(response.json()["detail"])
    if response.status_code != 200:
        raise TrailError("trail_unusable", f"HTTP {response.status_code}: {response.text[:200]}")
