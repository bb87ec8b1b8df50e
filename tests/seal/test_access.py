"""The vault's access log under the seal: every way of tampering with it is found and named."""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from consumers.kafka.records import Record
from consumers.trail.store import Trail
from schemas.topics import ACCESS, CHECKPOINTS
from tests.seal.audited import Audited, both_say, verified
from tests.seal.looks import looks
from tests.trail.book import random_book
from vault.chain import check

LOOKS = 12
OFFSET = 40
"""Somebody's checkpoints of a ledger partition are in the same place, before those of this log."""


def tell(ledger: Audited, values: Sequence[bytes], *, first: int = 0) -> None:
    ledger.fill([
        Record(ACCESS, 0, n, 1_740_790_500_000 + n, b"v-1", value)
        for n, value in enumerate(values, first)
    ])  # fmt: skip


def seal(ledger: Audited, values: Sequence[bytes], folder: str = "seal") -> str:
    log = ledger.named("access", folder)
    log.take(values[log.size :])
    note = str(log.seal(values[log.tree.size :], len(values)))
    ledger.fill([Record(CHECKPOINTS, 0, OFFSET + len(values), 1, b"access", note.encode())])
    return note


@pytest.fixture
def ledger(tmp_path: Path, trail: Trail) -> Audited:
    """Some postings, and looks: one sent twice, and one record that is none."""
    found = Audited(tmp_path / "home", trail)
    found.take(random_book(random.Random(3), 60), None)
    told = looks(LOOKS)
    told = [*told[:4], told[3], b"no entry", *told[4:]]
    tell(found, told)
    seal(found, told[:5])
    seal(found, told)
    return found


def wrong(ledger: Audited, *kept: str, name: str = "bad") -> set[tuple[str, int]]:
    """What both verifiers say of a new bundle: faults of the access log; no other has any."""
    found = both_say(ledger, *kept, name=name)
    assert {fault.log for fault in found} <= {"access"}
    return {(fault.code, fault.index) for fault in found}


def again(ledger: Audited, changes: str, where: str) -> None:
    """Write some rows once more, with changes; inside, so that those are no condition."""
    ledger.command(
        f"INSERT INTO access_log SELECT * REPLACE ({changes}) "
        f"FROM (SELECT * FROM access_log WHERE {where})"
    )


def rows_at(ledger: Audited, offset: int) -> int:
    query = f"SELECT count() AS n FROM access_log WHERE offset = {offset} AND partition = 0"
    return int(next(iter(ledger.trail.query(query)))["n"])


def test_what_nobody_touched_is_green(ledger: Audited) -> None:
    assert wrong(ledger) == set()
    found = verified(ledger.bundle("whole"))
    assert found.entries["access"] == found.sealed["access"] == LOOKS + 2
    assert found.checkpoints["access"] == 2


@pytest.mark.parametrize(
    ("column", "value"),
    [("volunteer_id", "'v-other'"), ("asker", "'u-8'"), ("question", "'vault.name'"),
     ("asked_at", "asked_at + 1"), ("arguments", "replaceOne(arguments, 'contact', 'legal_order')"),
     ("arguments", "'{}'"), ("arguments", "'x'"), ("arguments", "'[1]'")],
)  # fmt: skip
def test_an_edit_of_a_row_is_named(ledger: Audited, column: str, value: str) -> None:
    """Key columns cannot be updated in place: the row goes, and another one comes."""
    here = "offset = 8 AND partition = 0"
    again(ledger, f"{value} AS {column}, -8 AS partition", here)
    ledger.command(f"ALTER TABLE access_log DELETE WHERE {here}")
    again(ledger, "0 AS partition", "partition = -8")
    assert rows_at(ledger, 8) == 1
    assert wrong(ledger) == {("columns_differ", 8)}


def test_a_second_row_for_a_look_is_named(ledger: Audited) -> None:
    again(ledger, "'v-other' AS volunteer_id", "offset = 3 AND partition = 0")
    assert rows_at(ledger, 3) == 2
    assert wrong(ledger) == {("columns_differ", 3)}


def test_a_row_that_is_gone_is_named(ledger: Audited) -> None:
    ledger.command("ALTER TABLE access_log DELETE WHERE offset = 2 AND partition = 0")
    assert wrong(ledger) == {("columns_differ", 2)}


def test_a_look_that_is_gone_everywhere_is_named(ledger: Audited) -> None:
    for table in ("access_log", "event"):
        topic = "" if table == "access_log" else f"AND topic = '{ACCESS}'"
        ledger.command(f"ALTER TABLE {table} DELETE WHERE offset = 7 AND partition = 0 {topic}")
    assert {("posting_differs", 7), ("tail_missing", LOOKS + 1)} <= wrong(ledger)


def test_the_newest_looks_taken_away_are_missed(ledger: Audited) -> None:
    for table in ("access_log", "event"):
        topic = "" if table == "access_log" else f"AND topic = '{ACCESS}'"
        ledger.command(f"ALTER TABLE {table} DELETE WHERE offset >= 11 AND partition = 0 {topic}")
    assert wrong(ledger) == {("tail_missing", 11)}


def test_changed_bytes_and_an_invented_row_are_named(ledger: Audited) -> None:
    ledger.command(f"ALTER TABLE event UPDATE value = concat(value, 'x') WHERE offset = 1 "
                   f"AND topic = '{ACCESS}'")  # fmt: skip
    assert ("posting_differs", 1) in wrong(ledger)
    again(ledger, "99 AS offset", "offset = 2 AND partition = 0")
    assert {code for code, _ in wrong(ledger, name="more")} >= {"columns_differ"}


def test_a_chain_made_anew_is_whole_and_found_all_the_same(ledger: Audited) -> None:
    """Somebody with every right writes down that another person was looked at."""
    kept = seal_of(ledger)
    told = looks(LOOKS, of="v-other")
    assert check(told)[1] == []
    for table in ("access_log", "event"):
        topic = "" if table == "access_log" else f"AND topic = '{ACCESS}'"
        ledger.command(f"ALTER TABLE {table} DELETE WHERE partition = 0 AND offset >= 0 {topic}")
    tell(ledger, [*told[:4], told[3], b"no entry", *told[4:]])
    assert ("posting_differs", 3) in wrong(ledger)
    assert ("posting_differs", 3) in wrong(ledger, kept, name="kept")


def seal_of(ledger: Audited) -> str:
    return (ledger.home / "seal" / "access" / "checkpoint").read_text("utf-8")


def test_a_log_that_is_not_in_the_bundle_is_missed(ledger: Audited) -> None:
    bundle = ledger.bundle()
    shutil.rmtree(bundle / "access")
    found = verified(bundle, [seal_of(ledger)])
    assert [fault.code for fault in found.faults] == ["log_missing"]
