"""As a deployment is by default: the broker's time counts, and the worker's ticks pass it."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.broker.broker import Broker
from deploy.host.pidfile import read_pidfile
from schemas.posting import Posting
from schemas.times import HOUR, SECOND
from schemas.topics import POSTINGS
from schemas.wire.codec import decode_output
from schemas.wire.jsonform import to_json
from tests.drawn.histories import BASICS, check_in, project, served, tick
from tests.judge import judge, read
from tests.trail.running import copied, environment, shilu, sink_process, until

pytestmark = pytest.mark.kafka


@contextmanager
def ticking_worker(home: Path, bootstrap: str) -> Iterator[None]:
    """`shilu worker` whose clock ticks twice a second; ended in order."""
    log = (home / "worker.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "worker"],
        env=environment(home, bootstrap) | {"SHILU_TICK_SECONDS": "0.5"},
        stdout=log,
        stderr=log,
    )
    try:
        yield
        assert process.poll() is None, (home / "worker.log").read_text()
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()
            log.close()


def said(bootstrap: str) -> list[tuple[str, str, str | None]]:
    """Type, outcome and reason of every posting."""
    found = [decode_output(raw.value) for raw in read(bootstrap, POSTINGS)]
    return [(p.event_type, p.outcome, p.reason) for p in found if isinstance(p, Posting)]


def emit(home: Path, bootstrap: str, *events: Any) -> None:
    """Send events by the command."""
    lines = home / "events.jsonl"
    lines.write_text("".join(json.dumps(to_json(event)) + "\n" for event in events))
    done = shilu(home, bootstrap, "emit", str(lines))
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_open_session_is_closed_and_a_held_one_released_by_the_worker_s_own_ticks(
    broker_time: Broker, tmp_path: Path
) -> None:
    bootstrap = broker_time.bootstrap
    now = int(time.time()) * SECOND
    late = {"project": "p-late"}
    emit(tmp_path, bootstrap, *BASICS)
    emit(
        tmp_path, bootstrap,
        check_in("v-forgot", "s-forgot", now - 13 * HOUR),
        check_in("v-serves", "s-serves", now - HOUR),
        *served("v-waits", "s-waits", now - 3 * HOUR, now - HOUR, **late),
        # Forged: whoever may write can say any time, and nothing comes of it.
        tick(now + 300 * 24 * HOUR),
    )  # fmt: skip
    with sink_process(tmp_path, bootstrap), ticking_worker(tmp_path, bootstrap):
        until(lambda: ("ClockTicked", "held", "no_check_out") in said(bootstrap), "a closing tick")
        emit(tmp_path, bootstrap, project("p-late"))
        until(lambda: ("ClockTicked", "posted", None) in said(bootstrap), "a releasing tick")
        status = json.loads(shilu(tmp_path, bootstrap, "status", "--json").stdout)
        worker = status["services"]["worker"]
        assert (worker["ready"], worker["reasons"]) == (True, [])
        assert abs(worker["clock_skew_seconds"]) < 5
        assert read_pidfile(tmp_path / "run" / "worker.json") is not None
    ticks = [each for each in said(bootstrap) if each[0] == "ClockTicked"]
    assert sorted(set(ticks), key=str) == [
        ("ClockTicked", "held", "no_check_out"),
        ("ClockTicked", "posted", "nothing_due"),
        ("ClockTicked", "posted", None),
    ]
    assert judge(bootstrap) == []
    with sink_process(tmp_path, bootstrap):
        copied(tmp_path, bootstrap)
        total = json.loads(shilu(tmp_path, bootstrap, "total", "v-waits", "--json").stdout)
        assert (total["minutes"], total["held_minutes"]) == (120, 0)
        exceptions = shilu(tmp_path, bootstrap, "exceptions", "--json").stdout
        assert "s-forgot" in exceptions or "v-forgot" in exceptions
        assert "v-serves" not in exceptions
