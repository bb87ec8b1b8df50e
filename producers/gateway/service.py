"""The gateway as an HTTP service: who asks, how much at a time, and the answer's form."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from producers.gateway import metrics
from producers.gateway.apps import App, Apps, AppsError, Scope
from producers.gateway.body import BODY_BYTES_MAX, KINDS, BadBody, items_of, kind_of
from producers.gateway.intake import Intake, KafkaAway, answer
from producers.gateway.sentences import fix_of

_logger = logging.getLogger(__name__)
_BUSY_SECONDS: Final = 1
_AWAY_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """What one gateway takes on: requests under way, and seconds for a body to arrive."""

    under_way: int = 24
    body_seconds: float = 10.0


class _Refused(Exception):
    """An answer of one sentence for the whole request."""

    def __init__(
        self, status: int, code: str, *, headers: dict[str, str] | None = None, **said: str | None
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.headers = headers or {}
        self.said = said


class Gateway:
    """The requests of one process: authenticated, counted, read within limits, handed to Kafka."""

    def __init__(self, apps: Apps, intake: Intake, limits: Limits) -> None:
        self._apps = apps
        self._intake = intake
        self._limits = limits
        self._under_way = 0

    async def take(self, request: Request, scope: Scope) -> Response:
        """The answer to a POST of events."""
        # Before anything is read: nobody unknown makes us work.
        app = self._who(request, scope)
        if self._under_way >= self._limits.under_way:
            raise _Refused(429, "busy", headers={"Retry-After": str(_BUSY_SECONDS)})
        self._under_way += 1
        metrics.UNDER_WAY.set(self._under_way)
        try:
            with metrics.SECONDS.labels(scope).time():
                return await self._taken(request, app, scope)
        finally:
            self._under_way -= 1
            metrics.UNDER_WAY.set(self._under_way)

    def _who(self, request: Request, scope: Scope) -> App:
        form, _, key = request.headers.get("authorization", "").partition(" ")
        try:
            app = self._apps.known_by(key.strip()) if form.lower() == "bearer" else None
        except AppsError as error:
            # Nobody can be told apart: nobody gets in.
            _logger.error("the register of apps cannot be read: %s", error)
            raise _Refused(503, "gateway_fault", headers=_later(_AWAY_SECONDS)) from error
        if app is None:
            raise _Refused(401, "no_key", headers={"WWW-Authenticate": "Bearer"})
        if scope not in app.scopes:
            raise _Refused(403, "no_scope", value=scope, allowed=", ".join(app.scopes))
        return app

    async def _taken(self, request: Request, app: App, scope: Scope) -> Response:
        headers = request.headers
        kind = kind_of(headers.get("content-type"), headers.get("content-encoding"))
        body = await self._body(request)
        now = time.time_ns() // 1000
        try:
            status, said = await run_in_threadpool(self._worked, kind, body, app, scope, now)
        except KafkaAway as error:
            _logger.warning("not everything was acknowledged: %s", error)
            raise _Refused(503, "kafka_away", headers=_later(_AWAY_SECONDS)) from error
        for name in ("accepted", "duplicate", "rejected"):
            metrics.EVENTS.labels(scope, name).inc(said[name])
        metrics.REQUESTS.labels(scope, str(status)).inc()
        return _json(status, said)

    def _worked(
        self, kind: str, body: bytes, app: App, scope: Scope, now: int
    ) -> tuple[int, dict[str, Any]]:
        return answer(self._intake.take(items_of(kind, body), app, scope, now))

    async def _body(self, request: Request) -> bytes:
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:20]) > BODY_BYTES_MAX:
            raise _too_large()
        parts, size = [], 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                async for part in request.stream():
                    size += len(part)
                    if size > BODY_BYTES_MAX:
                        raise _too_large()
                    parts.append(part)
        except (TimeoutError, ClientDisconnect):
            raise _Refused(408, "too_slow", headers={"Connection": "close"}) from None
        return b"".join(parts)


def build(gateway: Gateway, kafka_answers: Callable[[], bool]) -> FastAPI:
    """The application; only /health, /metrics and /openapi.json answer without a key."""
    app = FastAPI(title="shilu gateway", version="1", docs_url=None, redoc_url=None)

    @app.post("/v1/events", **_described("facts: check-ins, hours, evaluations, recognition"))
    async def events(request: Request) -> Response:
        return await gateway.take(request, "events")

    @app.post("/v1/catalogue", **_described("the catalogue: organisations, projects, sites"))
    async def catalogue(request: Request) -> Response:
        return await gateway.take(request, "catalogue")

    # Plain functions: each runs in a thread of its own.
    @app.get("/health")
    def health() -> Response:
        there = kafka_answers()
        return _json(200 if there else 503, {"state": "green" if there else "red", "kafka": there})

    @app.get("/metrics")
    def show_metrics() -> Response:
        return Response(generate_latest(metrics.REGISTRY), media_type=CONTENT_TYPE_LATEST)

    app.exception_handler(_Refused)(_refused)
    app.exception_handler(BadBody)(_bad_body)
    app.exception_handler(HTTPException)(_no_such_path)
    app.exception_handler(Exception)(_fault)
    return app


def _described(what: str) -> dict[str, Any]:
    """What /openapi.json says of a path whose body we read ourselves."""
    event = {"type": "object", "required": ["type", "event_id"], "additionalProperties": True}
    several = {"type": "array", "minItems": 1, "maxItems": 500, "items": event}
    forms = dict(zip(KINDS, ({"oneOf": [event, several]}, event, several), strict=True))
    said = {
        "200": "all accepted, or known already", "207": "some rejected: see items",
        "400": "not readable", "401": "no valid key", "403": "not entitled",
        "408": "the body came too slowly", "409": "every event_id is taken by other content",
        "413": "too large", "415": "not a media type that is read here", "422": "all rejected",
        "429": "busy: again after Retry-After", "503": "Kafka is away: again after Retry-After",
    }  # fmt: skip
    return {
        "summary": f"Send {what}",
        "openapi_extra": {
            "security": [{"key": []}],
            "requestBody": {
                "required": True,
                "content": {k: {"schema": s} for k, s in forms.items()},
            },
            "responses": {status: {"description": text} for status, text in said.items()},
        },
    }


def _later(seconds: int) -> dict[str, str]:
    return {"Retry-After": str(seconds)}


def _too_large() -> _Refused:
    return _Refused(413, "too_large", allowed=f"{BODY_BYTES_MAX} bytes",
                    headers={"Connection": "close"})  # fmt: skip


def _json(status: int, said: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    # Half a surrogate pair that came in goes out as the escape that it was.
    body = json.dumps(said, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Response(body, status, headers, "application/json")


def _refusal(request: Request, status: int, code: str, headers: dict[str, str] | None = None,
             **said: str | None) -> Response:  # fmt: skip
    scope = request.url.path.removeprefix("/v1/")
    if scope in ("events", "catalogue"):
        metrics.REQUESTS.labels(scope, str(status)).inc()
    told = {name: said.get(name) or None for name in ("field", "value", "allowed")}
    return _json(status, {"code": code, **told, "fix": fix_of(code)}, headers)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, _Refused)
    return _refusal(request, error.status, error.code, error.headers, **error.said)


async def _bad_body(request: Request, error: Exception) -> Response:
    assert isinstance(error, BadBody)
    return _refusal(request, error.status, error.code, None, field=error.field, value=error.value,
                    allowed=error.allowed)  # fmt: skip


async def _no_such_path(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _refusal(request, error.status_code, "no_such_path", dict(error.headers or {}))


async def _fault(request: Request, error: Exception) -> Response:
    return _refusal(request, 500, "gateway_fault")
