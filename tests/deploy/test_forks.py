"""Forked processes: they end together, whoever ends first and however."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

PARENT = """
import sys, time
from pathlib import Path
from deploy.host.process_group import run_forked

home = Path(sys.argv[1])

def run(name, tell):
    (home / name).write_text("runs")
    tell(name)
    while True:
        time.sleep(0.02)
        order = home / f"{name}.order"
        if order.exists():
            raise SystemExit(int(order.read_text()))

raise SystemExit(run_forked(["one", "two"], run, lambda said: print(said, flush=True)))
"""

Family = tuple[psutil.Process, list[psutil.Process]]


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    """The parent, and its two children at work."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    heard = {parent.stdout.readline().strip() for _ in range(2)}
    process = psutil.Process(parent.pid)
    children = process.children(recursive=True)
    yield process, children
    for left in (process, *children):
        if left.is_running():
            left.kill()
    parent.communicate()
    assert heard == {"one", "two"}


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def ended(processes: list[psutil.Process]) -> None:
    deadline = time.monotonic() + 20
    while not all(gone(process) for process in processes):
        assert time.monotonic() < deadline, processes
        time.sleep(0.02)


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_one_that_is_asked_to_end_ends_all_with_code_0(family: Family, asked: int) -> None:
    parent, children = family
    assert len(children) == 2
    parent.send_signal(asked)
    assert parent.wait(20) == 0
    ended(children)


def test_a_parent_that_is_killed_takes_its_children_with_it(family: Family) -> None:
    parent, children = family
    parent.kill()
    ended(children)


def test_a_child_that_is_killed_ends_the_others_and_is_named_by_the_code(family: Family) -> None:
    parent, children = family
    children[0].kill()
    assert parent.wait(20) == 128 + signal.SIGKILL
    ended(children)


def test_a_child_that_fails_ends_the_others_with_its_code(family: Family, tmp_path: Path) -> None:
    parent, children = family
    (tmp_path / "two.half").write_text("3")
    os.rename(tmp_path / "two.half", tmp_path / "two.order")
    assert parent.wait(20) == 3
    ended(children)
