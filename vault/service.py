"""The vault as a process: requests on loopback, for whoever can read its token's file.

Says nothing of a person but to the one who asks: no access log, no bodies in errors.
"""

import json
import logging
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from schemas.wire.strictjson import loads
from vault.errors import VaultError
from vault.journal import Announce
from vault.requests import perform
from vault.vault import Vault

LOOPBACK: Final = "127.0.0.1"
_BODY_BYTES_MAX: Final = 4 << 20
_STOP_SECONDS: Final = 5.0

_logger = logging.getLogger(__name__)


class Desk:
    """One vault for many askers: they take turns, and what is to be announced goes out at once."""

    def __init__(self, vault: Vault, send: Announce) -> None:
        self._vault = vault
        self._send = send
        self._turn = threading.Lock()
        self._hindrance = ""

    def ask(self, request: str, arguments: dict[str, object]) -> dict[str, object]:
        """`answer`, and how many events are `pending` for want of a broker; raises VaultError."""
        with self._turn:
            answer = perform(self._vault, request, arguments)
            return {"answer": answer, "pending": self._announced()}

    def retry(self) -> int:
        """Send what still waits; how much still does."""
        with self._turn:
            return self._announced()

    def _announced(self) -> int:
        try:
            pending = self._vault.announce(self._send)
            why = "no acknowledgement" if pending else ""
        except Exception as error:
            # Whatever hinders it, what was decided stands, and is sent the next time.
            pending, why = self._vault.pending, type(error).__name__
        if why != self._hindrance:
            # Once each: while a broker is away this is tried every few seconds.
            _logger.info("announcing: %s", why or "going on")
            self._hindrance = why
        return pending


def build(desk: Desk, token: str) -> Starlette:
    """The application; every request under /v1 must bring the token."""

    async def ask(request: Request) -> JSONResponse:
        given = request.headers.get("authorization", "")
        if not secrets.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return JSONResponse({"code": "token", "detail": ""}, status_code=401)
        try:
            arguments = await _body(request)
            name = request.path_params["request"]
            found = await run_in_threadpool(desk.ask, name, arguments)
        except VaultError as error:
            said = {"code": error.code, "detail": error.detail}
            return JSONResponse(said, status_code=422)
        except Exception as error:
            # Not the message, which may quote what was sent.
            _logger.error("failed: %s", type(error).__name__)
            return JSONResponse({"code": "failed", "detail": type(error).__name__}, status_code=500)
        return JSONResponse(found)

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"state": "green"})

    return Starlette(
        routes=[
            Route("/v1/{request}", ask, methods=["POST"]),
            Route("/health", health, methods=["GET"]),
        ]
    )


async def _body(request: Request) -> dict[str, object]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_BYTES_MAX:
            raise VaultError("bad_request", f"at most {_BODY_BYTES_MAX} bytes")
    try:
        found = loads(body.decode())
    except ValueError:
        raise VaultError("bad_request", "JSON") from None
    if not isinstance(found, dict):
        raise VaultError("bad_request", "JSON object")
    return found


@contextmanager
def serving(desk: Desk, owner_file: Path, *, port: int = 0) -> Iterator[str]:
    """Answer on a port of loopback (0: a free one) while the block lasts; gives the address.

    Port and token, a new one each time, are in `owner_file`, readable for this user alone.
    """
    token = secrets.token_urlsafe(32)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        # Before the address is written down: who reads it at once waits instead of being refused.
        listener.listen()
        port = listener.getsockname()[1]
        config = uvicorn.Config(
            build(desk, token), log_config=None, access_log=False, lifespan="off",
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="vault", daemon=True
        )
        thread.start()
        _write_down(owner_file, port, token)
        try:
            yield f"http://{LOOPBACK}:{port}"
        finally:
            owner_file.unlink(missing_ok=True)
            server.should_exit = True
            thread.join(_STOP_SECONDS)


def _write_down(owner_file: Path, port: int, token: str) -> None:
    me = psutil.Process()
    said = {"pid": me.pid, "created": me.create_time(), "port": port, "token": token}
    new = owner_file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
        json.dump(said, file)
        # A note that a power cut has met must not be an empty one.
        file.flush()
        os.fsync(file.fileno())
    new.replace(owner_file)
