"""How long an auditor waits: a bundle is sealed, then verified with one process and with two.

Each verification is a process of its own, watched with all its children. `make bench-verify`.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.output.report import machine, table, write
from consumers.bundle.bundle_rows import Row
from consumers.bundle.cells import newest_form
from consumers.bundle.export import write_entries
from consumers.bundle.verify import verify
from consumers.seal.log_names import CHUNK, POSTINGS_LOG
from consumers.seal.sealed_log import SealedLog
from consumers.signing import keyring
from consumers.signing.notes import SignerKey
from schemas.posting import Line, Posting
from schemas.wire.codec import decode_raw, encode

console = Console(stderr=True, highlight=False)

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

    write_entries(sealed(_rows(count)), folder / "p0", POSTINGS_LOG, lambda _: None)
    written = "".join(json.dumps(note) + "\n" for note in notes)
    (folder / "p0" / "checkpoints.jsonl").write_text(written, "utf-8")


def once(bundle: Path, jobs: int) -> dict[str, Any]:
    """One verification from the start of its process to its end; every entry must be sealed."""
    began = time.monotonic()
    command = [sys.executable, "-m", "bench.verify", "--bundle", str(bundle), "--jobs", str(jobs)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"jobs": jobs, "seconds": time.monotonic() - began, "cpu_seconds": cpu,
            "peak_mb_each": round(after.ru_maxrss / 1024), **json.loads(done.stdout)}  # fmt: skip


def check(bundle: Path, jobs: int) -> None:
    """Verify in this process; what was found, on standard output."""
    found = verify(bundle, lambda keys: keys.keys, (), (), lambda *_: None, jobs)
    assert not found.faults, found.faults[:3]
    assert found.entries == found.sealed
    print(json.dumps({"sealed": sum(found.sealed.values())}))


def main() -> None:
    """Measure, and write the section of docs/performance.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postings", type=int, default=1_000_000)
    parser.add_argument("--bundle", type=Path, help="a bundle that is there already")
    parser.add_argument("--jobs", type=int, help="only verify --bundle, in this process")
    asked = parser.parse_args()
    if asked.jobs:
        check(asked.bundle, asked.jobs)
        return
    where = machine("cryptography")
    with tempfile.TemporaryDirectory() as folder:
        bundle = asked.bundle or Path(folder)
        if not asked.bundle:
            make(bundle, asked.postings)
        rounds = [once(bundle, jobs) for jobs in (1, 2)]
        size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
    console.print(rounds)
    result = {"machine": where, "postings": rounds[0]["sealed"], "bundle_bytes": size,
              "rounds": rounds}  # fmt: skip
    write("verify", result, "核对一份导出 · Verifying a bundle", page(result))


def page(result: dict[str, Any]) -> str:
    """The section of docs/performance.md."""
    count = result["postings"]
    lines = [
        (
            f"{one['jobs']} process{'es' if one['jobs'] > 1 else ''}",
            f"{one['seconds']:.1f}",
            f"{one['cpu_seconds']:.1f}",
            f"{one['cpu_seconds'] / count * 1e6:.1f}",
            f"{one['peak_mb_each']:,}",
        )
        for one in result["rounds"]
    ]
    heads = ("`shilu verify`", "seconds", "CPU-s", "µs CPU a posting", "peak MB of one process")
    return (
        f"{count:,} postings of one partition, every second one with a line, as a bundle of "
        f"{result['bundle_bytes'] / 1e6:,.0f} MB: every posting made again from its columns and "
        "compared with its bytes, every leaf hashed and compared with the tiles, every signature "
        "and root checked. The target is 10 seconds for a million.\n\n" + table(heads, lines)
    )


if __name__ == "__main__":
    main()
