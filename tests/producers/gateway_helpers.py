"""What the tests of the gateway share: a running one, apps, requests."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deploy.host.pidfile import read_pidfile
from producers.gateway.apps import Apps, Scope
from schemas.wire.jsonform import to_json
from tests.producers.helpers import wait_until

NOW = "2025-03-01T09:00:00+08:00"
ROOT = Path(__file__).parents[2]


@dataclass
class Running:
    """A gateway over real HTTP; `home` is its SHILU_HOME."""

    url: str
    home: Path
    key: str = ""
    process: Any = None

    def post(self, path: str, body: Any, key: str | None = None, **headers: str) -> httpx.Response:
        """A POST of JSON, or of bytes as they are."""
        raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"content-type": "application/json"} | named
        given["authorization"] = f"Bearer {self.key if key is None else key}"
        return httpx.post(f"{self.url}{path}", content=raw, headers=given, timeout=30)

    def events(self, *events: Any, key: str | None = None) -> httpx.Response:
        """Events of ours as an array."""
        return self.post("/v1/events", [to_json(event) for event in events], key)


def app(home: Path, name: str, *orgs: str, scopes: tuple[Scope, ...] = ("events",)) -> str:
    """Register an app; its key."""
    return Apps(home / "gateway" / "apps.json").register(name, orgs, scopes, NOW)[1]


@contextmanager
def gateway_process(home: Path, bootstrap: str, *, killed: bool = False) -> Iterator[Running]:
    """`shilu gateway` as a process, until it is told to stop, or `killed` by the test."""
    environment = os.environ | {
        "SHILU_HOME": str(home), "SHILU_BOOTSTRAP": bootstrap, "SHILU_LANG": "en",
    }  # fmt: skip
    log = (home / "gateway.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "gateway"], cwd=ROOT, env=environment, stdout=log,
        stderr=log,
    )  # fmt: skip
    note = home / "run" / "gateway.json"
    try:
        wait_until(lambda: read_pidfile(note) is not None or process.poll() is not None)
        assert process.poll() is None, (home / "gateway.log").read_text()
        port = json.loads(note.read_text())["facts"]["port"]
        yield Running(f"http://127.0.0.1:{port}", home, process=process)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(20)
        log.close()
    wanted = (-signal.SIGKILL, True) if killed else (0, False)
    assert (code, note.exists()) == wanted, (home / "gateway.log").read_text()
