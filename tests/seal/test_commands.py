"""From keys to proofs at the terminal, over a real Kafka, a sink process and a sealer process."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.broker.broker import Broker
from schemas.topics import CHECKPOINTS
from tests.seal.published import values
from tests.trail.book import line, random_book
from tests.trail.fill import Sender
from tests.trail.running import copied, environment, shilu, sink_process

pytestmark = pytest.mark.kafka


def test_seal_export_verify_prove_and_a_light_that_stays_on(
    cluster: Broker, tmp_path: Path
) -> None:
    at, home = cluster.bootstrap, tmp_path / "home"
    book = random_book(random.Random(4), 150)
    book.serve("v-1", "s-own", line(45))
    Sender(at).send(book)

    def ok(*arguments: str) -> str:
        done = shilu(home, at, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return str(done.stdout)

    assert "keys init" in shilu(home, at, "seal", "--once").stderr
    key = tmp_path / "ledger.vkey"
    key.write_text(ok("keys", "init", "--name", "example.org/hours"))
    assert ok("keys", "show") == key.read_text()
    assert "rotate" in shilu(home, at, "keys", "init").stderr
    bundle, kept = tmp_path / "bundle", tmp_path / "kept"
    with sink_process(home, at):
        ok("seal", "--once")
        ok("keys", "rotate")
        copied(home, at)
        ok("export", "--bundle", str(bundle))
        assert (
            "name a folder that is not" in shilu(home, at, "export", "--bundle", str(bundle)).stderr
        )
        light = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "reconcile", "--every", "1", "--json"],
            env=environment(home, at), stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert light.stdout is not None
        seen = [json.loads(light.stdout.readline()) for _ in range(2)]
        assert {one["checked"]["checkpoint"] for one in seen} == {
            sum(map(len, values(at, CHECKPOINTS).values()))
        }
        light.send_signal(signal.SIGTERM)
        # The book has no accounts of a real worker behind it: the light says what it sees.
        assert light.wait(60) == max(one["exit_code"] for one in seen)
        assert shilu(home, at, "verify", "--key", str(key)).returncode == 0
        proofs = ok("prove", "v-1", "--out", str(tmp_path / "proofs")).splitlines()
    assert len(proofs) == sum(p.volunteer_id == "v-1" for p in book.postings)
    for path in bundle.glob("p*/checkpoint"):
        (kept / path.parent.name).mkdir(parents=True)
        (kept / path.parent.name / "checkpoint").write_bytes(path.read_bytes())
    report = json.loads(ok("verify", str(bundle), "--key", str(key), "--kept", str(kept), "--json"))
    assert (report["state"], report["faults"]) == ("green", [])
    assert "every posting is as it was sealed" in ok("verify", str(bundle))
    proven = [
        json.loads(one)
        for one in ok("verify", str(tmp_path / "proofs"), "--key", str(key)).splitlines()
    ]
    assert {one["posting"]["volunteer_id"] for one in proven} == {"v-1"}
    told = next(bundle.glob("p*/postings-*.csv"))
    told.write_text(told.read_text("utf-8").replace("posted", "refused", 1), "utf-8")
    done = shilu(home, at, "verify", str(bundle), "--key", str(key), SHILU_LANG="zh")
    assert done.returncode == 1
    assert "结果(outcome)是 refused,封存的是 posted" in done.stdout
    assert "与签署时不同" in done.stdout
    for wrong in (
        ("prove",),
        ("prove", "--posting", "x"),
        ("prove", "v-none"),
        ("prove", "v-1", "--month", "2025-13"),
        ("verify", "/nowhere"),
        ("verify", str(bundle), "--key", str(told)),
    ):
        done = shilu(home, at, *wrong)
        assert done.returncode == 1
        assert done.stderr.startswith("✘")
