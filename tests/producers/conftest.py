"""What this folder shares: brokers with all topics, under either time, and the client installed."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.broker.broker import Broker
from deploy.building.client_wheel import build
from deploy.building.compiled import ROOT
from tests.conftest import create_topics


@pytest.fixture(scope="session")
def producer_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """All topics, created with `--timestamps producer`."""
    with Broker(tmp_path_factory.mktemp("producer-time"), tied_to_parent=True) as running:
        create_topics(running.bootstrap, producer_time=True)
        yield running


@pytest.fixture(scope="session")
def broker_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """All topics as they are by default."""
    with Broker(tmp_path_factory.mktemp("broker-time"), tied_to_parent=True) as running:
        create_topics(running.bootstrap, producer_time=False)
        yield running


@pytest.fixture(scope="session")
def client_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client's wheel, built of these sources."""
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def client_python(client_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an empty environment into which pip has put the client, and what it needs."""
    home = tmp_path_factory.mktemp("client")
    pins = re.findall(r"^\S+==\S+", (ROOT / "requirements.lock").read_text("utf-8"), re.M)
    (home / "pins").write_text("\n".join(pins), "utf-8")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "venv"], check=True)
    python = home / "venv" / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet",
         "--only-binary", ":all:", "--constraint", home / "pins", client_wheel],
        check=True,
    )  # fmt: skip
    return python
