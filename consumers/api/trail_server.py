"""What a sink answers on loopback while it owns the trail: named questions, health, metrics.

The token keeps other users of the machine out; it is in a file that only this user can read.
"""

import json
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import psutil
import pyarrow as pa
import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Response
from fastapi.responses import JSONResponse, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict

from consumers.api import questions_by_name
from consumers.api.questions_by_name import BadQuestion
from consumers.trail import metrics
from consumers.trail.progress import Progress
from consumers.trail.store import Trail

LOOPBACK = "127.0.0.1"
_STOP_SECONDS = 5.0
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"


class Asked(BaseModel):
    """A question by name."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: str
    arguments: dict[str, Any] = {}
    asker: str = "?"


class Streamed(BaseModel):
    """A long answer by name."""

    model_config = ConfigDict(extra="forbid", strict=True)

    stream: str
    arguments: dict[str, Any] = {}


def build(trail: Trail, progress: Progress, token: str) -> FastAPI:
    """The application over an open trail; requests under /v1 must bring the token."""
    app = FastAPI(title="shilu trail", docs_url=None, redoc_url=None, openapi_url=None)

    def known(authorization: Annotated[str, Header()] = "") -> None:
        if not secrets.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
            raise HTTPException(401)

    # Plain functions: each runs in a thread of its own, with that thread's client.
    @app.post("/v1/ask", dependencies=[Depends(known)])
    def ask(asked: Asked) -> JSONResponse:
        found = questions_by_name.answer(trail, asked.question, asked.arguments, asker=asked.asker)
        return JSONResponse({"answer": found})

    @app.post("/v1/stream", dependencies=[Depends(known)])
    def stream(asked: Streamed) -> StreamingResponse:
        batches = questions_by_name.stream(trail, asked.stream, asked.arguments)
        return StreamingResponse(_ipc(batches), media_type="application/vnd.apache.arrow.stream")

    @app.get("/health")
    def health() -> JSONResponse:
        state, behind = progress.state, progress.behind()
        count, faults = progress.faults()
        return JSONResponse(
            {
                "state": state,
                "starting": progress.is_starting,
                "behind": sum(behind.values()),
                "places": {str(place): n for place, n in behind.items()},
                "fault_count": count,
                "faults": [asdict(fault) for fault in faults],
            },
            status_code=503 if state in ("red", "unknown") else 200,
        )

    @app.get("/metrics")
    def show_metrics() -> Response:
        return Response(generate_latest(metrics.REGISTRY), media_type=CONTENT_TYPE_LATEST)

    @app.exception_handler(BadQuestion)
    def bad_question(_: object, error: BadQuestion) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=422)

    return app


def _ipc(batches: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    """Arrow batches as an IPC stream; an answer without rows has no columns either."""
    first = next(batches, pa.record_batch({}))
    yield first.schema.serialize().to_pybytes()
    yield first.serialize().to_pybytes()
    for batch in batches:
        yield batch.serialize().to_pybytes()
    yield _END_OF_STREAM


@contextmanager
def serving(trail: Trail, progress: Progress, owner_file: Path, *, port: int = 0) -> Iterator[str]:
    """Answer on a port of loopback (0: a free one) while the block lasts; gives the address.

    Port and token are in `owner_file` meanwhile, readable for this user alone.
    """
    token = secrets.token_urlsafe(32)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
    # Before the address is written down: who reads it at once waits instead of being refused.
    listener.listen()
    port = listener.getsockname()[1]
    config = uvicorn.Config(
        build(trail, progress, token), log_config=None, access_log=False, lifespan="off",
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="trail-service", daemon=True
    )
    thread.start()
    _write_down(owner_file, port, token)
    try:
        yield f"http://{LOOPBACK}:{port}"
    finally:
        owner_file.unlink(missing_ok=True)
        server.should_exit = True
        thread.join(_STOP_SECONDS)
        listener.close()


def _write_down(owner_file: Path, port: int, token: str) -> None:
    me = psutil.Process()
    facts = {"port": port, "token": token}
    said = {"pid": me.pid, "created": me.create_time(), "facts": facts}
    owner_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = owner_file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
        json.dump(said, file)
        # A note that a power cut has met must not be an empty one.
        file.flush()
        os.fsync(file.fileno())
    new.replace(owner_file)
