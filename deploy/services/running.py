"""The processes of a deployment that run now, whoever started them, and what they say."""

import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import psutil

from deploy.broker.broker import Broker
from deploy.host.pidfile import lives, read_pidfile
from deploy.services.local import kafka_dir, note_path
from deploy.settings import Settings

if TYPE_CHECKING:
    from consumers.api.trail_client import Owner

STOP_SECONDS = 12.0
"""How long a process may take to end before it is killed."""

_UP_SECONDS = STOP_SECONDS + 90.0
"""How long `up` may take, which ends all others in order and lets Java write its cache."""

UP = "up"
"""The name of `shilu up` itself."""

TRAIL = "trail"
"""The name of the sink, which owns the trail and notes itself in a file of its own form."""

SEALER = "sealer"
"""The name of the sealer; it answers no questions, the checkpoints it publishes say all."""


def health(settings: Settings, name: str) -> dict[str, Any] | None:
    """What a running service says of itself; None if it does not run or is not ready yet.

    Nothing from one that has no address.
    """
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
            if "port" not in found[1]:
                return {}
            address = f"http://127.0.0.1:{found[1]['port']}/health"
            answer = httpx.get(address, timeout=2, trust_env=False)
    except httpx.HTTPError:
        return None
    return dict(answer.json()) if answer.status_code in (200, 503) else None


def is_starting(said: dict[str, Any]) -> bool:
    """Does a sink answer that has not seen the log's end yet, and is not red for another reason?"""
    return said.get("state") == "unknown" and bool(said.get("starting"))


def _trail_owner(settings: Settings) -> "Owner | None":
    # The engine takes a second to import, and `shilu --help` needs none of it.
    from consumers.api.trail_client import At, find_owner

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


def noted(settings: Settings) -> list[str]:
    """The names of all notes: of processes that run, and of those that ended without a word."""
    return sorted(path.stem for path in (settings.place / "run").glob("*.json"))


def started(settings: Settings) -> list[str]:
    """What a running `shilu up` has started, in its order."""
    found = read_pidfile(note_path(settings, UP))
    return [] if found is None else str(found[1].get("services", "")).split()


def end_leftovers(settings: Settings) -> list[str]:
    """End every noted process and the local broker; the names of what was ended.

    `up` comes first, for it would start the others again, and ends them itself, in order. Notes of
    what had ended before go as well: nothing is missed any more.
    """
    found = running(settings)
    broker = Broker.attach(kafka_dir(settings))
    ended = sorted(found, key=lambda name: name != UP)
    for name in ended:
        _end(found[name], _UP_SECONDS if name == UP else STOP_SECONDS)
    for name in noted(settings):
        if read_pidfile(note_path(settings, name)) is None:
            note_path(settings, name).unlink(missing_ok=True)
    if broker is not None:
        broker.stop()
        ended.append("kafka")
    return ended


def _end(process: psutil.Process, patience_seconds: float) -> None:
    with suppress(psutil.NoSuchProcess):
        process.terminate()
    deadline = time.monotonic() + patience_seconds
    while lives(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    with suppress(psutil.NoSuchProcess):
        if lives(process):
            process.kill()
