"""Waits on what is outside this process: each with a bound, and with a consequence.

A client library may swallow a cancellation: aiokafka 0.14.0 does where its fetch task is cancelled
while it waits for a request that it has cancelled itself. Then `asyncio.wait_for` and
`asyncio.timeout`, which wait for what they have cancelled, wait for ever. Here what is late is
cancelled and left to itself.
"""

import asyncio
from collections.abc import Awaitable
from logging import getLogger
from typing import Any, Final, Protocol, TypeVar

from aiokafka.errors import KafkaTimeoutError

log = getLogger(__name__)

T = TypeVar("T")

ASK_SECONDS: Final = 10.0
"""How long a question to the cluster may take."""

STOP_SECONDS: Final = 1.0
"""How long a client may take to close."""


class Overdue(KafkaTimeoutError):  # type: ignore[misc]
    """Something outside did not answer in time; a KafkaError, so it is dealt with as one."""


class _Stops(Protocol):
    async def stop(self) -> None: ...


_abandoned: set["asyncio.Future[Any]"] = set()
"""What was left to itself and has not ended; held here, or it would be collected on its way."""

abandoned_count = 0
"""How often something was left to itself in this process."""


async def within(seconds: float, waiting: Awaitable[T], what: str) -> T:
    """The result of an awaitable, or Overdue after so many seconds, whatever it does then.

    A cancellation from outside takes effect at once, too.
    """
    task = asyncio.ensure_future(waiting)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        _abandon(task)
        raise
    if not done:
        _abandon(task)
        raise Overdue(f"{what}: no answer within {seconds:g} s")
    return task.result()


async def stop(client: _Stops, what: str, seconds: float = STOP_SECONDS) -> bool:
    """Close a client; one that does not close in time is left to itself and counted.

    Says whether it closed. Raises nothing: what is given up has nothing left to say.
    """
    try:
        await within(seconds, client.stop(), f"closing {what}")
    except Exception as error:
        log.warning("%s was not closed in order: %r", what, error)
        return False
    return True


def _abandon(task: "asyncio.Future[Any]") -> None:
    global abandoned_count
    if task.done():
        return
    task.cancel()
    abandoned_count += 1
    _abandoned.add(task)
    task.add_done_callback(_ended)


def _ended(task: "asyncio.Future[Any]") -> None:
    _abandoned.discard(task)
    if not task.cancelled():
        # Asked for, or asyncio would print it as one that nobody had looked at.
        task.exception()
