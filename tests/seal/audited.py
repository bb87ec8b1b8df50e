"""A sealed trail without Kafka: a book's postings, sealed as the sealer does, in chDB."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from consumers.api.trail_client import Opened
from consumers.bundle.export import export
from consumers.bundle.file_check import Fault
from consumers.bundle.verify import Verified, verify
from consumers.kafka.records import Record
from consumers.seal.sealed_log import SealedLog
from consumers.signing import keyring
from consumers.signing.keyring import PublicKeys
from consumers.signing.notes import SignerKey
from consumers.trail.rows import Row, arrow, rows_of
from consumers.trail.store import Trail
from schemas.topics import CHECKPOINTS, POSTINGS
from tests.trail.book import Book

VERIFIER = Path(__file__).parents[2] / "docs" / "verify_bundle.py"


class Audited:
    """A ledger of one operator: keys, a sealed folder for each partition, and the trail."""

    def __init__(self, home: Path, trail: Trail) -> None:
        self.home = home
        self.trail = trail
        keyring.create(home / "keys", "example.org/hours")
        self.tokens = count()
        self.offsets: defaultdict[tuple[str, int], int] = defaultdict(int)

    @property
    def keys(self) -> PublicKeys:
        return keyring.public_keys(self.home / "keys")

    def log(self, partition: int, folder: str = "seal") -> SealedLog:
        return self.named(f"p{partition}", folder)

    def named(self, log: str, folder: str = "seal") -> SealedLog:
        signer: SignerKey = keyring.load(self.home / "keys")
        origin = f"{signer.name}/{log}"
        own = [key.named(origin) for key in self.keys.keys]
        return SealedLog(self.home / folder / log, signer.named(origin), own)

    def take(self, book: Book, *sealed: int | None) -> None:
        """Put a book's new postings into the trail; seal each partition at these sizes in turn."""
        outputs = [record for record in book.outputs() if record.topic == POSTINGS]
        by_partition: defaultdict[int, list[bytes]] = defaultdict(list)
        for record in outputs:
            by_partition[record.partition].append(record.value or b"")
        new = [r for r in outputs if r.offset >= self.offsets[POSTINGS, r.partition]]
        notes = []
        for partition, values in by_partition.items():
            self.offsets[POSTINGS, partition] = len(values)
            for size in sealed:
                notes += self.seal(partition, values[:size])
        self.fill([*new, *notes])

    def fill(self, records: Sequence[Record]) -> None:
        """Write the rows of records, whatever was written before."""
        rows: defaultdict[str, list[Row]] = defaultdict(list)
        for record in records:
            for table, row in rows_of(record):
                rows[table].append(row)
        for table, own in rows.items():
            self.trail.insert(table, arrow(table, own), f"{table}/{next(self.tokens)}")

    def seal(self, partition: int, values: Sequence[bytes]) -> list[Record]:
        """Seal so many postings; the checkpoint as a record."""
        log = self.log(partition)
        if len(values) <= log.size:
            return []
        log.take(values[log.size :])
        note = log.seal(values[log.tree.size :], len(values))
        offset = self.offsets[CHECKPOINTS, partition]
        self.offsets[CHECKPOINTS, partition] += 1
        return [Record(CHECKPOINTS, partition, offset, 1, b"%d" % partition, str(note).encode())]

    def bundle(self, name: str = "bundle", seal: str = "seal") -> Path:
        """A bundle as `shilu export` writes it."""
        folder = self.home / name
        export(Opened(self.trail), self.home / seal, self.keys, folder, lambda _: None)
        return folder

    def command(self, sql: str) -> None:
        """What somebody with the database's password does."""
        self.trail.command(f"{sql} SETTINGS mutations_sync = 2")


def verified(bundle: Path, kept: Sequence[str] = (), jobs: int = 1) -> Verified:
    return verify(bundle, lambda keys: keys.keys, kept, (), lambda *_: None, jobs)


def places(faults: Sequence[Fault]) -> set[tuple[str, int, int]]:
    """Code, partition and index of each fault; -1 for the partition of what is in none."""
    return {
        (fault.code, int(fault.log[1:]) if fault.log[:1] == "p" else -1, fault.index)
        for fault in faults
    }


def small_verifier(bundle: Path, *kept: Path) -> subprocess.CompletedProcess[str]:
    """The independent one of docs/, as an auditor runs it."""
    return subprocess.run(
        [sys.executable, "-I", str(VERIFIER), str(bundle), str(bundle / "keys" / "1.vkey"),
         *map(str, kept)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def both_say(ledger: Audited, *kept: str, name: str = "bad", seal: str = "seal") -> Sequence[Fault]:
    """The faults of a new bundle; both verifiers must agree on whether there are any."""
    bundle = ledger.bundle(name, seal)
    files = []
    for n, note in enumerate(kept):
        files.append(ledger.home / f"{name}-{n}.note")
        files[-1].write_text(note, "utf-8")
    found = verified(bundle, kept)
    small = small_verifier(bundle, *files)
    assert small.returncode == found.exit_code, (found.faults, small.stdout, small.stderr)
    return found.faults
