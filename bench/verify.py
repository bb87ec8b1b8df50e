"""How long an auditor waits: `python -m bench.verify [POSTINGS]` seals and verifies a bundle.

Wall and CPU seconds of verifying, with one process and with two; a million postings by default.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from consumers import keyring
from consumers.bundle import CHUNK, Row, write_postings
from consumers.cells import newest_form
from consumers.notes import SignerKey
from consumers.seal import SealedLog
from consumers.verify import verify
from schemas.codec import decode_raw, encode
from schemas.posting import Line, Posting

_LINE = Line(0, "s-01939c1e", None, "sw1", "sw1", "p-dcr", "site-a", "a-dcr-0301", 20148, 95,
             "service", "effective", "default@0")  # fmt: skip
_POSTING = Posting(0, 0, "service.checkins", 0, 0, "01939c1e-0000-7000-8000-000000000000",
                   "CheckedOut", "v-8f3a", 1, 1_740_790_500_000_000, 1_740_790_502_000_000,
                   "v-8f3a", 12, "posted", None, (_LINE,), 190)  # fmt: skip


def _rows(count: int) -> Iterator[Row]:
    form = newest_form("Posting")
    for n in range(count):
        lines = (replace(_LINE, session_id=f"s-{n:012x}", minutes=n % 300),) if n % 2 else ()
        posting = replace(
            _POSTING, index=n, source_offset=n, event_id=f"01939c1e-{n:012x}",
            volunteer_id=f"v-{n % 50_000}", sequence=n // 50_000 + 1, lines=lines,
            occurred_at=_POSTING.occurred_at + n * 1_234_567,
            recorded_at=_POSTING.recorded_at + n * 1_234_000, balance_minutes=n % 9_999,
        )  # fmt: skip
        value = encode(posting)
        raw = decode_raw(value)[1]
        yield Row(n, form.title, form.cells_of(raw), form.part_cells("lines", raw), value)


def make(folder: Path, count: int) -> None:
    """A bundle of one partition, sealed file by file."""
    keyring.create(folder / "keys", "example.org/hours")
    key: SignerKey = keyring.load(folder / "keys").named("example.org/hours/p0")
    (folder / "p0").mkdir()
    log, pending, notes = SealedLog(folder / "p0", key, (key.verifier,)), list[bytes](), []

    def sealed(rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            pending.append(row.value)
            if len(pending) == CHUNK // 2 or row.index == count - 1:
                log.take(pending)
                notes.append(str(log.seal(pending, row.index)))
                pending.clear()
            yield row

    write_postings(sealed(_rows(count)), folder / "p0", lambda _: None)
    written = "".join(json.dumps(note) + "\n" for note in notes)
    (folder / "p0" / "checkpoints.jsonl").write_text(written, "utf-8")


def main() -> None:
    """Measure."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), count)
        for jobs in (1, 2):
            began, cpu = time.monotonic(), _cpu_seconds()
            found = verify(Path(folder), lambda k: k.keys, (), (), lambda *_: None, jobs)
            assert not found.faults, found.faults[:3]
            assert sum(found.sealed.values()) == count
            wall, cpu = time.monotonic() - began, _cpu_seconds() - cpu
            each = cpu / count * 1e6
            print(
                f"{count} postings, {jobs} process(es): {wall:.1f} s wall, {each:.1f} us CPU each"
            )


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main()
