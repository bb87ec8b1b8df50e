"""Running a sink: in a thread of the test, or as a process of its own."""

import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import httpx

from consumers.api.trail_client import At, find_owner
from consumers.kafka.reader import Log
from consumers.trail.batch import Limits
from consumers.trail.progress import Progress
from consumers.trail.sink import TOPICS, Sink
from consumers.trail.store import Trail
from deploy.cli import main

PATIENCE_SECONDS = 90.0


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait until something is true; fails after a minute and a half."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
    return found


@contextmanager
def sinking(
    trail: Trail, bootstrap: str, limits: Limits | None = None
) -> Iterator[tuple[Progress, threading.Thread]]:
    """A sink in a thread while the block lasts; raises what the sink raised."""
    progress, stop, raised = Progress(), threading.Event(), list[BaseException]()

    def run(log: Log) -> None:
        try:
            Sink(trail, log, progress, limits).run(stop)
        except BaseException as error:  # told to the test's own thread
            raised.append(error)

    with Log(bootstrap, follows=True) as log:
        thread = threading.Thread(target=run, args=(log,))
        thread.start()
        try:
            yield progress, thread
        finally:
            stop.set()
            thread.join(PATIENCE_SECONDS)
    if raised:
        raise raised[0]


def copy_all(trail: Trail, bootstrap: str, limits: Limits | None = None) -> Progress:
    """Run a sink until nothing is behind; gives its progress, which stays as it was."""
    with sinking(trail, bootstrap, limits) as (progress, thread):
        until(lambda: caught_up(progress) or not thread.is_alive(), "the sink to catch up")
    return progress


def caught_up(progress: Progress) -> bool:
    return progress.state != "unknown" and not progress.behind()


@contextmanager
def sink_process(home: Path, bootstrap: str) -> Iterator[subprocess.Popen[bytes]]:
    """`shilu sink` as a process, once it answers; killed at the end if it still runs."""
    process = start_sink(home, bootstrap)
    try:
        until(lambda: health(home) or process.poll() is not None, "the sink to answer")
        yield process
    finally:
        process.kill()
        process.wait()


def start_sink(home: Path, bootstrap: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "sink"],
        env=environment(home, bootstrap),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def shilu(home: Path, bootstrap: str, *arguments: str, **changes: str) -> Any:
    """Run a command to its end: a CompletedProcess with text."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        env=environment(home, bootstrap) | changes,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def shilu_here(home: Path, bootstrap: str, *arguments: str, **changes: str) -> Any:
    """The same command without a process of its own, which costs two seconds of CPU to start.

    For commands that read a trail nobody owns; whatever is about processes uses `shilu`.
    """
    ours = environment(home, bootstrap) | changes
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.dict(os.environ, ours),
        mock.patch.object(sys, "argv", ["shilu", *arguments]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def environment(home: Path, bootstrap: str) -> dict[str, str]:
    ours = {"SHILU_HOME": str(home), "SHILU_BOOTSTRAP": bootstrap, "SHILU_LANG": "en"}
    return {**os.environ, **ours}


def copied(home: Path, bootstrap: str) -> None:
    """Wait until the sink that runs has everything in the trail that the log holds now.

    Its light does not say so: it may be green from before something was sent, for the sink looks
    where the log ends once in a second.
    """
    with Log(bootstrap) as log:
        ends = log.ends(log.places(TOPICS))

        def nothing_lacks() -> bool:
            owner = find_owner(At(home))
            assert owner is not None, "the sink has ended"
            with owner.client:
                heads = owner.ask("heads")
            return not log.count({place: heads.get(str(place), 0) for place in ends}, ends)

        until(nothing_lacks, "the sink to have everything")


def health(home: Path) -> dict[str, Any] | None:
    """What the owner of the trail says of itself, None if there is none."""
    owner = find_owner(At(home))
    if owner is None:
        return None
    with owner.client as client:
        try:
            found: dict[str, Any] = client.get("/health").json()
        except httpx.HTTPError:
            return None
    return found
