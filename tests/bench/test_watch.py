"""Processes watched from outside: all of their CPU time, their end, and their faults."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bench.watching.watch import Failed, Start, Tree, watch

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
    found = watch(idle, facts=1_000, done=counting(list(range(0, 900, 10))), seconds_max=2.0,
                  told=nothing)  # fmt: skip
    # The last step seen before the end of the time: nothing is known of what lies between.
    assert 10 <= found.end.events < 200
    assert found.end.wall_seconds <= 2.0


SAYS_ITS_HEALTH = """
import http.server, json, os, pathlib, threading
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b'{"partitions": [4, 5, 7]}')
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Page)
run = pathlib.Path(os.environ["BENCH_HOME"]) / "run"
run.mkdir()
(run / "a.json").write_text(json.dumps({"facts": {"port": server.server_port}}))
print("flow resumed", flush=True)
server.serve_forever()
"""


@pytest.mark.parametrize("seconds_max", [60.0, 1.0], ids=["in its time", "as its time ends"])
def test_one_that_stands_still_fails_with_its_last_words_and_is_no_slow_one(
    tmp_path: Path, seconds_max: float
) -> None:
    command = (sys.executable, "-c", SAYS_ITS_HEALTH)
    stuck = Start(command, {"BENCH_HOME": str(tmp_path)}, tmp_path / "log", tmp_path)
    began = time.monotonic()
    with pytest.raises(Failed) as failed:
        watch(stuck, facts=400_000, done=counting([0, 1_000, 38_935]), seconds_max=seconds_max,
              told=nothing, stall_seconds=2.0)  # fmt: skip
    assert 2 <= time.monotonic() - began < 20
    said = str(failed.value)
    assert "stood still: 38,935 of 400,000 facts" in said
    assert "flow resumed" in said
    assert 'a /health 200: {"partitions": [4, 5, 7]}' in said


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
