"""Processes watched from outside: all of their CPU time, their end, and their faults."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bench.watch import Failed, Start, Tree, watch

FOR_EVER = "import time\nwhile True: pass  # until it is stopped"
BURN = "import time\nwhile time.process_time() < {seconds}: pass\n"
FAMILY = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {burn!r}])
child.wait()
"""


def start(home: Path, source: str) -> Start:
    return Start((sys.executable, "-c", source), {"BENCH_TEST": "1"}, home / "log")


def nothing(_: int) -> None:
    pass


def counting(values: list[int]) -> Callable[[], int]:
    """Says one value after another, and the last one for ever."""
    left = list(values)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def test_one_that_ends_is_measured_with_its_children(tmp_path: Path) -> None:
    family = start(tmp_path, FAMILY.format(burn=BURN.format(seconds=0.4)))
    found = watch(family, facts=100, done=None, seconds_max=60, told=nothing)
    assert found.end.events == 100
    assert found.end.cpu_seconds >= 0.4
    assert found.end.wall_seconds >= 0.4
    assert found.peak_mb > 0


def test_one_that_goes_on_is_measured_up_to_where_it_was_done_and_then_stopped(
    tmp_path: Path,
) -> None:
    family = start(tmp_path, FAMILY.format(burn=FOR_EVER))
    told: list[int] = []
    found = watch(family, facts=90, done=counting([0, 0, 30, 60, 90]), seconds_max=60,
                  told=told.append)  # fmt: skip
    assert (found.end.events, found.half.events) == (90, 60)
    assert found.half.wall_seconds < found.end.wall_seconds
    assert found.half.cpu_seconds < found.end.cpu_seconds
    assert told == [30, 60, 90]
    assert not [
        p for p in psutil.process_iter(["cmdline"]) if FOR_EVER in (p.info["cmdline"] or ())
    ]


def test_what_was_done_when_the_time_was_up_counts(tmp_path: Path) -> None:
    idle = start(tmp_path, "import time; time.sleep(600)")
    found = watch(idle, facts=1_000, done=counting([0, 10, 20]), seconds_max=2.0, told=nothing)
    # The last step seen, not the end of the time: nothing is known of what lies between.
    assert found.end.events == 20
    assert found.end.wall_seconds < 2.0


@pytest.mark.parametrize("ends", [True, False])
def test_one_that_dies_says_why(tmp_path: Path, ends: bool) -> None:
    broken = start(tmp_path, "raise SystemExit('no broker here')")
    with pytest.raises(Failed, match="no broker here"):
        watch(broken, facts=10, done=None if ends else counting([0]), seconds_max=60,
              told=nothing)  # fmt: skip


def test_one_that_does_nothing_is_no_result(tmp_path: Path) -> None:
    idle = start(tmp_path, "print('waiting', flush=True)\nimport time; time.sleep(600)")
    with pytest.raises(Failed, match="nothing done in 1 s"):
        watch(idle, facts=10, done=counting([0]), seconds_max=1.0, told=nothing)


def test_a_process_that_has_ended_keeps_its_cpu_time() -> None:
    tree = Tree(psutil.Process())
    before = tree.look()
    child = subprocess.Popen([sys.executable, "-c", BURN.format(seconds=0.3) + "input()"],
                             stdin=subprocess.PIPE)  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while tree.look() - before < 0.3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        alive = tree.look()
    finally:
        child.communicate(b"\n")
    assert tree.look() >= alive
    assert tree.root.pid == os.getpid()
