"""While something starts, `shilu status` says so and waits for it instead of a red light."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import typer
from typer.testing import CliRunner, Result

from consumers.kafka.records import Place
from consumers.trail.progress import Fault, Progress
from deploy.commands.services import local
from deploy.errors import ShiluError
from deploy.host.pidfile import write_pidfile
from deploy.services.local import bootstrap, kafka_dir, note_path
from deploy.services.running import is_starting
from deploy.settings import Settings
from deploy.stack import standing as standing_module
from deploy.stack.standing import _state

AT_WORK: dict[str, Any] = {"in_step": True, "states": {"trail": "running"}}
STARTING: dict[str, Any] = {"in_step": False, "states": {"trail": "starting"}}
BEHIND: dict[str, Any] = {"in_step": False, "states": {"trail": "running"}}
NO_BROKER = ShiluError("no_broker", "没有", "none")


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHILU_HOME", str(tmp_path))


def status(monkeypatch: pytest.MonkeyPatch, answers: Iterator[Any], *more: str) -> Result:
    """`shilu status` where the answers are those, one after another."""

    def standing(_: object) -> dict[str, Any]:
        found = next(answers)
        if isinstance(found, ShiluError):
            raise found
        return dict(found)

    monkeypatch.setattr(standing_module, "standing", standing)
    app = typer.Typer()
    local.register(app)
    return CliRunner().invoke(app, ["status", "--json", *more])


def test_a_sink_that_has_not_seen_the_log_yet_is_starting() -> None:
    progress = Progress()

    def said() -> dict[str, Any]:
        return {"state": progress.state, "starting": progress.is_starting}

    assert is_starting(said())
    assert _state("trail", said()) == "starting"
    progress.saw({Place("service.checkins", 0): 3})
    assert _state("trail", said()) == "running"
    # Later it may lose sight of the log again, and that is no start.
    progress.hinder(None)
    assert _state("trail", said()) == "unknown"
    other = Progress()
    other.add(Fault("index_gap", "ledger.postings/0", "offset 7"))
    assert _state("trail", {"state": other.state, "starting": other.is_starting}) == "red"


def test_status_waits_for_a_sink_that_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    done = status(monkeypatch, iter([STARTING, STARTING, AT_WORK]))
    assert (done.exit_code, json.loads(done.stdout)) == (0, AT_WORK)


def test_status_waits_for_nothing_else_unless_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    done = status(monkeypatch, iter([BEHIND, AT_WORK]))
    assert (done.exit_code, json.loads(done.stdout)) == (1, BEHIND)
    done = status(monkeypatch, iter([BEHIND, AT_WORK]), "--wait", "30")
    assert (done.exit_code, json.loads(done.stdout)) == (0, AT_WORK)


def test_a_kafka_that_is_started_again_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    done = status(monkeypatch, iter([NO_BROKER, NO_BROKER, AT_WORK]), "--wait", "30")
    assert (done.exit_code, json.loads(done.stdout)) == (0, AT_WORK)
    done = status(monkeypatch, iter([NO_BROKER, AT_WORK]))
    assert done.exception is NO_BROKER


def test_a_kafka_whose_port_is_not_open_yet_is_started_by_up_and_not_by_the_reader() -> None:
    """Who is told to run `shilu up` while it runs goes round in a circle."""
    settings = Settings()
    with socket.socket() as mine:
        mine.bind(("127.0.0.1", 0))
        port = mine.getsockname()[1]
        kafka_dir(settings).mkdir(parents=True)
        write_pidfile(kafka_dir(settings) / "broker.json", psutil.Process(), port=port)
        note_path(settings, "up").parent.mkdir(parents=True)
        write_pidfile(note_path(settings, "up"), psutil.Process())
        with pytest.raises(ShiluError) as found:
            bootstrap(settings)
        assert found.value.code == "no_broker"
        assert "the `shilu up` that runs starts it" in found.value.en
        mine.listen()
        assert bootstrap(settings) == f"127.0.0.1:{port}"
