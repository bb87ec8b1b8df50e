"""The sealer on a real Kafka: goes on after kills, never contradicts what is published."""

import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from kafka import KafkaProducer

from consumers.kafka.reader import Log
from consumers.seal.published import unsealed
from consumers.seal.sealed_log import SealError
from consumers.seal.sealer import Sealer, Terms, holding
from consumers.seal.witness_client import Witness
from consumers.signing import keyring
from consumers.signing.notes import COSIGNATURE, Checkpoint, Note, SignerKey, VerifierKey
from deploy.broker.broker import Broker
from schemas.topics import ACCESS, ALL, CHECKPOINTS, POSTINGS
from tests.seal.looks import looks
from tests.seal.notes import SIGNER
from tests.seal.published import checkpoints, must_be_one_truth, values
from tests.trail.book import random_book
from tests.trail.conftest import make_anew
from tests.trail.fill import Sender
from tests.trail.running import environment, shilu, until

pytestmark = pytest.mark.kafka

TERMS = Terms(SIGNER, [SIGNER.verifier])


def seal_all(bootstrap: str, folder: Path, terms: Terms = TERMS) -> None:
    """Everything that is there, as a new process would."""
    with (
        holding(folder),
        Log(bootstrap, follows=True) as log,
        Log(bootstrap) as again,
        closing(Sealer(log, again, bootstrap, folder, terms)) as sealer,
    ):
        sealer.run(threading.Event(), once=True)


def look(bootstrap: str, *entries: bytes) -> None:
    """What a vault publishes, and whatever else somebody puts there."""
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for value in entries:
        producer.send(ACCESS, key=b"v-1", value=value)
    producer.close()


def behind(bootstrap: str) -> int:
    with Log(bootstrap) as log:
        return sum(unsealed(log, SIGNER.name, [SIGNER.verifier]).values())


def test_everything_is_sealed_once_and_a_lost_folder_changes_nothing(
    cluster: Broker, tmp_path: Path
) -> None:
    at, folder = cluster.bootstrap, tmp_path / "seal"
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    book, sender = random_book(random.Random(seed), 400), Sender(at)
    sender.abort(*book.postings[:5])
    sender.send(book)
    look(at, *looks(7))
    assert behind(at) == len(book.postings) + 7
    seal_all(at, folder)
    assert behind(at) == 0
    first = must_be_one_truth(at, SIGNER.verifier)
    seal_all(at, folder)
    shutil.rmtree(folder)
    seal_all(at, folder)
    assert must_be_one_truth(at, SIGNER.verifier) == first
    for _ in range(20):
        book.serve(f"v-{random.randrange(20)}", f"s-more-{len(book.inputs)}")
    sender.send(book)
    look(at, b"no entry", *looks(9)[7:])
    (folder / "access" / "position").unlink()
    seal_all(at, folder)
    assert must_be_one_truth(at, SIGNER.verifier) > first
    shutil.rmtree(folder)
    seal_all(at, folder)
    assert behind(at) == 0


def test_a_log_that_was_made_anew_is_not_sealed(cluster: Broker, tmp_path: Path) -> None:
    at, folder = cluster.bootstrap, tmp_path / "seal"
    Sender(at).send(random_book(random.Random(1), 200))
    seal_all(at, folder)
    said = values(at, CHECKPOINTS)
    make_anew(at, [t.name for t in ALL if t.name != CHECKPOINTS])
    with pytest.raises(SealError, match="log_shrunk"):
        seal_all(at, folder)
    Sender(at).send(random_book(random.Random(2), 300))
    shutil.rmtree(folder)
    with pytest.raises(SealError, match=r"two_truths|log_shrunk"):
        seal_all(at, folder)
    assert values(at, CHECKPOINTS) == said


def published(bootstrap: str) -> int:
    return sum(map(len, values(bootstrap, CHECKPOINTS).values()))


def test_only_one_sealer_holds_the_folder(tmp_path: Path) -> None:
    with (
        holding(tmp_path),
        pytest.raises(SealError, match="seal_locked"),
        holding(tmp_path),
    ):
        pass


def test_killing_the_sealer_leaves_one_truth(cluster: Broker, tmp_path: Path) -> None:
    at = cluster.bootstrap
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    made = VerifierKey.parse(shilu(tmp_path, at, "keys", "init").stdout)
    book, sender = random_book(chance, 100), Sender(at)
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "seal", "--every", "0.1"],
            env=environment(tmp_path, at), stdout=subprocess.DEVNULL,
        )  # fmt: skip
        before = published(at)
        deadline = time.monotonic() + 90
        while published(at) < before + 12:
            for _ in range(30):
                book.serve(f"v-{chance.randrange(20)}", f"s-kill-{len(book.inputs)}")
            sender.send(book)
            assert process.poll() is None
            assert time.monotonic() < deadline
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
        process.wait()
        must_be_one_truth(at, made, all_sealed=False)
    keyring.rotate(tmp_path / "keys")
    done = shilu(tmp_path, at, "seal", "--once")
    assert done.returncode == 0, done.stderr
    keys = keyring.public_keys(tmp_path / "keys").keys
    assert keys[0] == made
    sizes = {p: len(rows) for p, rows in values(at, POSTINGS).items() if rows}
    for partition, notes in values(at, CHECKPOINTS).items():
        said = Checkpoint.parse(Note.parse(notes[-1].decode()).text)
        assert said.size == sizes[partition]


@contextmanager
def witnessing(home: Path, log_key: VerifierKey) -> Iterator[Witness]:
    """`shilu witness` as a process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "witness", "--log", str(log_key)],
        env=environment(home, ""), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        url, _, key = process.stdout.readline().strip().partition("=")
        until(lambda: _answers(url), "the witness to answer")
        yield Witness(url, VerifierKey.parse(key))
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_a_witness_cosigns_what_continues_and_nothing_else(cluster: Broker, tmp_path: Path) -> None:
    at = cluster.bootstrap
    book, sender = random_book(random.Random(5), 200), Sender(at)
    with witnessing(tmp_path / "w", SIGNER.verifier) as witness:
        terms = Terms(SIGNER, [SIGNER.verifier], witnesses=[witness])
        for _ in range(2):
            sender.send(book)
            seal_all(at, tmp_path / "seal", terms)
            for n in range(40):
                book.serve(f"v-{n % 20}", f"s-w-{len(book.inputs)}")
        for partition, notes in values(at, CHECKPOINTS).items():
            for written in notes:
                note = Note.parse(written.decode())
                (signature,) = [s for s in note.signatures if witness.key.made(s)]
                assert abs(witness.key.check(signature, note.text) - time.time()) < 600
            assert len(checkpoints(at, SIGNER.verifier)[f"p{partition}"]) == 2
        # The operator rolls everything back and tells another history, with the right key.
        make_anew(at, [t.name for t in ALL])
        Sender(at).send(random_book(random.Random(6), 600))
        seal_all(at, tmp_path / "other", terms)
        for notes in values(at, CHECKPOINTS).values():
            assert len(Note.parse(notes[-1].decode()).signatures) == 1
    refused = list((tmp_path / "w" / "witness" / "seen" / "refused").glob("*.note"))
    assert refused


def test_a_witness_that_is_away_stops_nothing(cluster: Broker, tmp_path: Path) -> None:
    away = SignerKey("witness.example/w1", COSIGNATURE, b"w" * 32).verifier
    Sender(cluster.bootstrap).send(random_book(random.Random(7), 50))
    terms = Terms(SIGNER, [SIGNER.verifier], witnesses=[Witness("http://127.0.0.1:9", away)])
    seal_all(cluster.bootstrap, tmp_path, terms)
    assert must_be_one_truth(cluster.bootstrap, SIGNER.verifier)
