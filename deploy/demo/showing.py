"""What the demo shows of trust: an altered copy is found out, a certificate is checked."""

import csv
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.certificates.certificate_check import check
from deploy.certificates.certificate_issue import Wish, issue
from deploy.errors import ShiluError
from deploy.seal.seal_audit import verified, write_bundle
from deploy.settings import Settings

_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Altered:
    """A copy of the export in which one number was changed, and what verification found in both."""

    file: str
    row: int
    before: int
    after: int
    whole: dict[str, Any]
    changed: dict[str, Any]


def alter_a_copy(settings: Settings) -> Altered:
    """Export the ledger, change the minutes of one line in a copy, verify both."""
    honest, forged = settings.place / "export", settings.place / "export-altered"
    write_bundle(settings, honest)
    shutil.copytree(honest, forged)
    file = max(forged.rglob("lines-*.csv"), key=lambda path: path.stat().st_size)
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    column = rows[0].index("minutes")
    row = next(n for n, cells in enumerate(rows) if n and int(cells[column]) > 0)
    before = int(rows[row][column])
    _replace_cell(file, rows[row], column, before + 60)
    return Altered(
        file=str(file.relative_to(forged)),
        row=row,
        before=before,
        after=before + 60,
        # In this process: so little is done before another one has started.
        whole=verified(settings, honest, [], [], [], 1),
        changed=verified(settings, forged, [], [], [], 1),
    )


def _replace_cell(file: Path, cells: Sequence[str], column: int, value: int) -> None:
    """Write a number over another one, leaving every other byte as it was."""
    old = ",".join(cells)
    new = ",".join([*cells[:column], str(value), *cells[column + 1 :]])
    raw = file.read_text("utf-8")
    if raw.count(f"\n{old}") == 0:
        raise ShiluError(
            "demo_failed",
            f"演示无法改动 {file}:请把这条信息报告给开发者。",
            f"The demo cannot alter {file}: report this to the developers.",
        )
    file.write_text(raw.replace(f"\n{old}", f"\n{new}", 1), "utf-8")


def certify(settings: Settings, volunteer_id: str, org_id: str) -> dict[str, Any]:
    """Issue a certificate, let the ledger take it down, and check the file as anybody would."""
    file = settings.place / "certificate.pdf"
    wish = Wish(volunteer_id, org_id, None, None, None, None, None, False)
    issued = issue(settings, wish, lambda _: "演示志愿者", file, None)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        found = check(settings, str(file), [])
        if found["state"] != "pending" or time.monotonic() > deadline:
            return issued | {"state": found["state"], "file": str(file)}
        time.sleep(0.3)
