"""An outside judge: the Go code of transparency-dev accepts our tiles, checkpoints and proofs.

Needs Go and its module proxy (versions and sums are locked in tests/seal/go); skipped without.
"""

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from consumers.seal.proofs import prove
from consumers.seal.sealed_log import SealedLog
from consumers.seal.tiles import TILE_WIDTH, Tiles
from consumers.signing.notes import COSIGNATURE, SignerKey
from schemas.wire.codec import encode
from tests.seal.notes import LEDGER, SIGNER
from tests.trail.book import Book, line

GO = shutil.which("go")
KEY = SIGNER.named(f"{LEDGER}/p0")
WITNESS = SignerKey("witness.example/w1", COSIGNATURE, b"w" * 32)
SIZES = (1, 255, 256, 300, 65_536, 66_000)

pytestmark = pytest.mark.skipif(GO is None, reason="Go is not installed")


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The judge as a program."""
    program = tmp_path_factory.mktemp("go") / "judge"
    folder = Path(__file__).parent / "go"
    environment = {**os.environ, "GOFLAGS": "-mod=readonly"}
    fetched = subprocess.run(
        ["go", "mod", "download"], cwd=folder, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if fetched.returncode:
        pytest.skip(f"the Go module proxy does not answer: {fetched.stderr[-200:]}")
    subprocess.run(["go", "build", "-o", program, "."], cwd=folder, env=environment, check=True)
    return program


def entries(n: int) -> list[bytes]:
    book = Book()
    book.serve("v-1", "s-1", line(60))
    posting = encode(book.postings[-1])
    return [posting[:5] + struct.pack(">I", i) + posting[9:] for i in range(n)]


def bundled(folder: Path, values: list[bytes]) -> None:
    """Entry bundles as tlog-tiles has them: the postings, each after its length in two bytes."""
    tiles = Tiles(folder)
    for begin in range(0, len(values), TILE_WIDTH):
        part = values[begin : begin + TILE_WIDTH]
        path = tiles.path(0, begin // TILE_WIDTH, len(part))
        path = folder / "tile" / "entries" / path.relative_to(folder / "tile" / "0")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(struct.pack(">H", len(value)) + value for value in part))


def judged(judge: Path, folder: Path, *keys: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [judge, folder, *keys], capture_output=True, text=True, timeout=120, check=False
    )


def test_fsck_and_the_proof_verifier_accept_what_the_sealer_writes(
    judge: Path, tmp_path: Path
) -> None:
    log, everything = SealedLog(tmp_path, KEY, (KEY.verifier,)), entries(SIZES[-1])
    for size in SIZES:
        new = everything[log.size : size]
        log.take(new)
        note = log.seal(new, size)
        log.add([WITNESS.sign(note.text, 1_700_000_000)])
        bundled(tmp_path, everything[:size])
        for index in {0, size // 2, size - 1}:
            text = prove(tmp_path, index, everything[index])
            (tmp_path / f"{size}-{index}.tlog-proof").write_text(text, "utf-8")
        done = judged(judge, tmp_path, str(KEY.verifier), str(WITNESS.verifier))
        assert done.returncode == 0, done.stdout + done.stderr
    assert "accepted" in done.stdout


@pytest.mark.parametrize("what", ["tile/0/000", "tile/entries/001.p/44", "checkpoint", "proof"])
def test_the_judge_refuses_what_is_wrong(judge: Path, tmp_path: Path, what: str) -> None:
    log, everything = SealedLog(tmp_path, KEY, (KEY.verifier,)), entries(300)
    log.take(everything)
    log.seal(everything, 300)
    bundled(tmp_path, everything)
    text = prove(tmp_path, 77, everything[77])
    (tmp_path / "77.tlog-proof").write_text(text, "utf-8")
    assert judged(judge, tmp_path, str(KEY.verifier)).returncode == 0
    path = tmp_path / ("77.tlog-proof" if what == "proof" else what)
    if what == "proof":
        path.write_text(text.replace("index 77", "index 78"), "utf-8")
    else:
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)
    assert judged(judge, tmp_path, str(KEY.verifier)).returncode == 1
