"""Sealing as part of `shilu up`: keys by themselves, behind or not, and what a refusal shows."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.signing import keyring
from consumers.signing.notes import Checkpoint, Note, opened
from schemas.topics import CHECKPOINTS, POSTINGS
from tests.seal.published import must_be_one_truth, values
from tests.trail.running import shilu, until

pytestmark = pytest.mark.kafka


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    shilu(tmp_path / "home", "", "down")


def status(home: Path, wait: int = 60) -> tuple[int, dict[str, Any]]:
    done = shilu(home, "", "status", "--wait", str(wait), "--json")
    return done.returncode, json.loads(done.stdout)


def emit(home: Path, count: int, name: str) -> None:
    """Sessions of some people, half of them; what becomes of them is of no matter here."""
    lines = home / f"{name}.jsonl"
    lines.write_text("".join(
        json.dumps({
            "type": "CheckedIn", "event_id": f"{name}-{n}", "volunteer_id": f"v-{n}",
            "session_id": f"s-{name}-{n}", "activity_id": "a-1", "project_id": "p-1",
            "recording_org_id": "sw1", "host_org_id": "sw1", "channel": "qr",
            "actor": {"id": f"v-{n}", "role": "volunteer"}, "evidence": [],
            "occurred_at": "2026-03-02T09:00:00+08:00", "recorded_at": "2026-03-02T09:00:00+08:00",
        }) + "\n" for n in range(count)
    ), "utf-8")  # fmt: skip
    done = shilu(home, "", "emit", str(lines))
    assert done.returncode == 0, done.stdout + done.stderr


def pid(home: Path) -> int | None:
    try:
        return int(json.loads((home / "run" / "sealer.json").read_text("utf-8"))["pid"])
    except FileNotFoundError:
        return None


def test_up_seals_by_itself_and_a_refusal_is_seen(home: Path) -> None:
    done = shilu(home, "", "up", "-d", "--timestamps", "producer")
    assert done.returncode == 0, done.stderr
    keys = home / "keys"
    assert (keys / "1.key").stat().st_mode & 0o777 == 0o600
    said = [line for line in (home / "log" / "up.log").read_text("utf-8").splitlines()
            if (keys / "1.vkey").read_text("utf-8").strip() in line]  # fmt: skip
    assert len(said) == 1
    assert (keys / "1.key").read_text("utf-8").strip() not in (home / "log" / "up.log").read_text()

    emit(home, 40, "first")
    code, found = status(home)
    assert (code, found["seal_behind"], found["services"]["sealer"]) == (0, 0, {})
    at = found["kafka"]
    assert sum(map(len, values(at, POSTINGS).values())) == 40
    must_be_one_truth(at, keyring.load(keys).verifier)
    assert shilu(home, "", "seal", "--once").returncode == 0

    # A sealer at work takes up a new key.
    assert shilu(home, "", "keys", "rotate").returncode == 0
    emit(home, 41, "second")
    assert status(home)[0] == 0
    for partition, notes in values(at, CHECKPOINTS).items():
        newest = keyring.load(keys).named(f"shilu.local/hours/p{partition}").verifier
        note = max(map(Note.parse, map(bytes.decode, notes)),
                   key=lambda one: Checkpoint.parse(one.text).size)  # fmt: skip
        opened(str(note), [newest])

    # What is on the disk is no longer what was signed: nothing new is, and everybody can see it.
    spoilt = next(path for path in (home / "seal").rglob("checkpoint"))
    sound = spoilt.read_bytes()
    spoilt.write_bytes(sound.replace(b"\n", b"\nx", 1))
    ended = pid(home)
    assert ended is not None
    os.kill(ended, signal.SIGKILL)
    until(lambda: "stored_differs" in (home / "log" / "sealer.log").read_text("utf-8")
          or "not what was signed" in (home / "log" / "sealer.log").read_text("utf-8"),
          "the sealer to refuse")  # fmt: skip
    emit(home, 40, "third")
    code, found = status(home, wait=1)
    assert code == 1
    assert found["seal_behind"] > 0
    spoilt.write_bytes(sound)
    assert status(home)[0] == 0
    assert pid(home) not in (None, ended)
    down = shilu(home, "", "down")
    assert "sealer" in down.stdout
    assert pid(home) is None

    # Without its key a ledger that was sealed gets no other one.
    keys.rename(home / "kept-elsewhere")
    assert shilu(home, "", "up", "-d").returncode == 0
    assert "sealed with a key that is not in" in (home / "log" / "up.log").read_text("utf-8")
    assert not keys.exists()
    code, found = status(home)
    assert (code, found["seal_behind"], "sealer" in found["services"]) == (0, None, False)
