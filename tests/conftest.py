"""Fixtures that several test folders share: a real broker, and one with topics of its own."""

import importlib.machinery
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

if os.environ.get("SHILU_PLAIN"):
    # Before anything of ours is imported: the sources count, also where they are compiled.
    for _folder in ("schemas", "ledger", "streams"):
        _root = Path(__file__).parent.parent / _folder
        for _path in map(str, (_root, *(path for path in _root.rglob("*") if path.is_dir()))):
            sys.path_importer_cache[_path] = importlib.machinery.FileFinder(
                _path, (importlib.machinery.SourceFileLoader, [".py"])
            )

from kafka.admin import KafkaAdminClient, NewTopic

from bench.reliability import note
from deploy.broker.broker import Broker
from deploy.building.compiled import require_fresh
from schemas.topics import ALL, PARTITIONS, broker_config

logging.getLogger("kafka").setLevel(logging.CRITICAL)
if not os.environ.get("SHILU_PLAIN"):
    require_fresh()


LONG = os.environ.get("SHILU_FAULTS") == "long"
"""Is this `make faults`, which notes what was seen for docs/reliability.md?"""

_REPORTS = pytest.StashKey[dict[str, pytest.TestReport]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    item.stash.setdefault(_REPORTS, {})[report.when] = report
    return report


def create_topics(bootstrap: str, *, producer_time: bool = True) -> None:
    """All topics of the contract, with the producers' time unless said otherwise."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics(
            [
                NewTopic(
                    name=topic.name,
                    num_partitions=1 if topic.single else PARTITIONS,
                    replication_factor=1,
                    topic_configs=broker_config(topic, producer_time=producer_time),
                )
                for topic in ALL
            ]
        )
    finally:
        admin.close()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A running broker for the whole session, without topics."""
    with Broker(tmp_path_factory.mktemp("kafka"), tied_to_parent=True) as running:
        yield running


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of the test's own, with all topics under the producers' time."""
    with Broker(tmp_path_factory.mktemp("cluster"), tied_to_parent=True) as running:
        create_topics(running.bootstrap)
        yield running


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Iterator[Callable[[str], None]]:
    """Told what a test saw, in a few words with figures; a long run keeps it for the page."""
    said: list[str] = []

    def say(what: str) -> None:
        print(what)
        said.append(what)

    yield say
    if LONG:
        report = request.node.stash[_REPORTS].get("call")
        params = getattr(request.node, "callspec", None)
        note(
            request.node.name.partition("[")[0],
            "producer" if params is None else str(params.params.get("cluster", "producer")),
            seed=request.getfixturevalue("seed") if "seed" in request.fixturenames else None,
            passed=report is not None and report.passed,
            seconds=0.0 if report is None else report.duration,
            seen="; ".join(said),
        )


@pytest.fixture
def broker_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of the test's own, with all topics under its own time, as they are by default."""
    with Broker(tmp_path_factory.mktemp("cluster"), tied_to_parent=True) as running:
        create_topics(running.bootstrap, producer_time=False)
        yield running
