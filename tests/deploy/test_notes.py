"""Notes of running processes: found again, never another's; a damaged one is no traceback."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from consumers.api.trail_client import At, find_owner
from deploy.host.pidfile import claim_pidfile, drop_pidfile, read_pidfile, write_pidfile
from deploy.services.running import end_leftovers, noted
from deploy.settings import Settings
from tests.trail.running import shilu_here

DAMAGED = {
    "empty": b"",
    "cut off": b'{"pid": 12',
    "zeros": bytes(64),
    "no JSON object": b"[]",
    "a number": b"7",
    "null": b"null",
    "nothing in it": b"{}",
    "a pid of text": b'{"pid": "x", "created": 1, "facts": {}}',
    "a pid below 0": b'{"pid": -5, "created": 1, "facts": {}}',
    "a huge pid": b'{"pid": 1e300, "created": 1, "facts": {}}',
    "a pid beyond any": b'{"pid": 99999999999999999999, "created": 1, "facts": {}}',
    "a time of text": b'{"pid": %d, "created": "x", "facts": {}}' % os.getpid(),
    "facts of text": b'{"pid": %d, "created": 1, "facts": "x"}' % os.getpid(),
    "bytes": b"\xff\xfe\x00",
}


@pytest.fixture
def other() -> Iterator[psutil.Process]:
    """A process that lives."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield psutil.Process(process.pid)
    process.kill()
    process.wait()


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_note_is_nobody_and_down_removes_it(what: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("worker-1", "trail", "up", "sealer"):
        (run / f"{name}.json").write_bytes(DAMAGED[what])
        assert read_pidfile(run / f"{name}.json") is None
    assert find_owner(At(tmp_path)) is None
    settings = Settings(home=tmp_path)
    assert noted(settings) == ["sealer", "trail", "up", "worker-1"]
    done = shilu_here(tmp_path, "127.0.0.1:1", "status")
    assert done.returncode == 1
    assert "does not answer" in done.stderr or "No Kafka broker answers" in done.stderr
    assert end_leftovers(settings) == []
    assert noted(settings) == []


def test_two_processes_of_one_name_have_a_note_each(tmp_path: Path, other: psutil.Process) -> None:
    name, me = tmp_path / "worker.json", psutil.Process()
    assert claim_pidfile(name, other, port=1) == name
    own = claim_pidfile(name, me, port=2)
    assert own == tmp_path / f"worker-{me.pid}.json"
    assert claim_pidfile(name, me, port=3) == own
    drop_pidfile(name, me)
    found = read_pidfile(name)
    assert found == (other, {"port": 1})
    found = read_pidfile(own)
    assert found == (me, {"port": 3})
    drop_pidfile(own, me)
    assert [path.name for path in tmp_path.iterdir()] == ["worker.json"]


def test_who_starts_takes_the_place_of_one_that_died(tmp_path: Path, other: psutil.Process) -> None:
    name, me = tmp_path / "worker.json", psutil.Process()
    write_pidfile(name, other)
    dead = tmp_path / "worker-999999.json"
    dead.write_text(json.dumps({"pid": 999_999, "created": 1.0, "facts": {}}))
    # One that `up` numbers is somebody else's.
    numbered = tmp_path / "worker-2.json"
    numbered.write_text(json.dumps({"pid": 999_998, "created": 1.0, "facts": {}}))
    claim_pidfile(name, me)
    assert not dead.exists()
    assert numbered.exists()
    other.kill()
    other.wait()
    assert claim_pidfile(name, me) == name


def test_a_note_is_on_the_disk_before_it_is_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    real_sync, real_rename, real_link = os.fsync, Path.rename, os.link

    def sync(descriptor: int) -> None:
        done.append("sync")
        real_sync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        done.append("put")
        return real_rename(self, target)

    def link(source: Path, target: Path) -> None:
        done.append("put")
        real_link(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "rename", rename)
    monkeypatch.setattr(os, "link", link)
    write_pidfile(tmp_path / "a.json", psutil.Process())
    claim_pidfile(tmp_path / "b.json", psutil.Process())
    assert done == ["sync", "put", "sync"] * 2
