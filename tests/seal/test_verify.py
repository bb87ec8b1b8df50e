"""Every way of tampering with the trail, or of telling two stories, is found and named."""

import json
import random
import shutil
from collections import defaultdict
from pathlib import Path

import pytest

from consumers.bundle import file_check
from consumers.kafka.records import Record
from consumers.seal.sealed_log import SealedLog
from consumers.signing.notes import BadNote
from consumers.trail.store import Trail
from schemas.posting import Posting
from schemas.topics import POSTINGS
from tests.seal.audited import VERIFIER, Audited, both_say, places, small_verifier, verified
from tests.trail.book import Book, random_book


@pytest.fixture
def book() -> Book:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    return random_book(random.Random(seed), 400)


@pytest.fixture
def ledger(tmp_path: Path, trail: Trail, book: Book) -> Audited:
    found = Audited(tmp_path / "home", trail)
    found.take(book, 20, None)
    return found


def busiest(book: Book) -> tuple[int, list[Posting]]:
    """The partition with most postings, and these."""
    by_partition: defaultdict[int, list[Posting]] = defaultdict(list)
    for posting in book.postings:
        by_partition[posting.partition].append(posting)
    return max(by_partition.items(), key=lambda item: len(item[1]))


def wrong(
    ledger: Audited, *kept: str, name: str = "bad", seal: str = "seal"
) -> set[tuple[str, int, int]]:
    """What both verifiers say of a new bundle: the places of faults; they must agree on whether."""
    return places(both_say(ledger, *kept, name=name, seal=seal))


def test_what_nobody_touched_is_green(ledger: Audited, book: Book) -> None:
    bundle = ledger.bundle()
    kept = [p.read_text("utf-8") for p in bundle.glob("p*/checkpoint")]
    for jobs in (1, 2):
        found = verified(bundle, kept, jobs)
        assert found.faults == []
        assert sum(found.entries.values()) == sum(found.sealed.values()) == len(book.postings)
    small = small_verifier(bundle, *bundle.glob("p*/checkpoint"))
    assert small.returncode == 0, small.stdout + small.stderr
    assert len([line for line in VERIFIER.read_text("utf-8").splitlines() if line]) < 100


def test_what_nobody_touched_is_read_but_once(
    ledger: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Column by column; row by row takes twice as long, and is for what is wrong."""
    bundle = ledger.bundle()
    monkeypatch.setattr(file_check, "_name_faults", None)
    assert verified(bundle).faults == []


def test_postings_that_are_not_sealed_yet_are_no_fault(ledger: Audited, book: Book) -> None:
    partition, before = busiest(book)
    for n in range(50):
        book.serve(before[0].volunteer_id or "v-1", f"s-later-{n}")
    ledger.take(book)
    found = verified(ledger.bundle())
    assert found.faults == []
    assert found.entries[f"p{partition}"] > found.sealed[f"p{partition}"] == len(before)


@pytest.mark.parametrize(
    ("table", "column", "value", "code"),
    [
        ("posting", "balance_minutes", "balance_minutes + 1", "columns_differ"),
        ("posting", "actor_id", "'somebody'", "columns_differ"),
        ("posting", "occurred_at", "occurred_at + 1", "columns_differ"),
        ("posting", "recorded_at", "recorded_at - 86400", "columns_differ"),
        ("posting", "outcome", "'posted!'", "columns_differ"),
        ("posting", "reason", "'=cmd'", "columns_differ"),
        ("posting", "value", "concat(value, 'x')", "columns_differ"),
        ("posting", "value", "''", "columns_differ"),
    ],
)
def test_an_edit_of_one_column_is_named(
    ledger: Audited, book: Book, table: str, column: str, value: str, code: str
) -> None:
    partition, own = busiest(book)
    at = random.randrange(len(own))
    ledger.command(
        f"ALTER TABLE {table} UPDATE {column} = {value} "
        f"WHERE partition = {partition} AND posting_index = {at}"
    )
    assert (code, partition, at) in wrong(ledger)


@pytest.mark.parametrize(
    "change",
    ["minutes = minutes + 60", "state = 'rejected'", "service_date = service_date + 1",
     "project_id = 'p-x'", "session_id = 's-x'", "kind = 'gift'"],
)  # fmt: skip
def test_an_edit_of_a_line_is_named(ledger: Audited, book: Book, change: str) -> None:
    partition, own = busiest(book)
    at = next(p.index for p in own if p.lines)
    ledger.command(
        f"ALTER TABLE line UPDATE {change} "
        f"WHERE partition = {partition} AND posting_index = {at} AND line_no = "
        f"(SELECT min(line_no) FROM line WHERE partition = {partition} AND posting_index = {at})"
    )
    assert wrong(ledger) == {("columns_differ", partition, at)}


def test_a_removed_or_invented_line_is_named(ledger: Audited, book: Book) -> None:
    partition, own = busiest(book)
    at = next(p.index for p in own if p.lines)
    ledger.command(
        f"ALTER TABLE line DELETE WHERE partition = {partition} AND posting_index = {at}"
    )
    assert wrong(ledger) == {("columns_differ", partition, at)}
    ledger.command(f"ALTER TABLE posting DELETE WHERE partition = {partition} "
                   f"AND posting_index = {own[-1].index}")  # fmt: skip
    found = wrong(ledger, name="again")
    assert ("tail_missing", partition, len(own) - 1) in found
    assert {code for code, _, _ in found} <= {"tail_missing", "columns_differ", "stray_lines"}


def retold(ledger: Audited, partition: int, postings: list[bytes], first_offset: int = 0) -> None:
    """Replace a partition's postings, columns and bytes alike, as somebody with all rights does."""
    ledger.command(f"ALTER TABLE posting DELETE WHERE partition = {partition}")
    ledger.command(f"ALTER TABLE line DELETE WHERE partition = {partition}")
    ledger.fill([
        Record(POSTINGS, partition, first_offset + n, 1, b"", value)
        for n, value in enumerate(postings)
    ])  # fmt: skip


def values(book: Book, partition: int) -> list[bytes]:
    return [
        r.value or b"" for r in book.outputs() if (r.topic, r.partition) == (POSTINGS, partition)
    ]


def test_swapped_rows_are_named(ledger: Audited, book: Book) -> None:
    partition, _ = busiest(book)
    told = values(book, partition)
    told[4], told[7] = told[7], told[4]
    retold(ledger, partition, told)
    found = wrong(ledger)
    assert ("posting_differs", partition, 4) in found
    assert {("order_differs", partition, 4), ("order_differs", partition, 7)} <= found


def test_a_removed_volunteer_is_found(ledger: Audited, book: Book) -> None:
    partition, own = busiest(book)
    gone = own[5].volunteer_id
    first = next(p.index for p in own if p.volunteer_id == gone)
    ledger.command(f"ALTER TABLE posting DELETE WHERE volunteer_id = '{gone}'")
    ledger.command(f"ALTER TABLE line DELETE WHERE volunteer_id = '{gone}'")
    found = wrong(ledger)
    assert ("order_differs", partition, first) in found
    assert ("posting_differs", partition, first) in found


def test_a_removed_volunteer_is_found_also_when_everything_was_renumbered(
    ledger: Audited, book: Book
) -> None:
    """Columns, bytes and indexes in order: only the tree tells, and it names the first."""
    from dataclasses import replace

    from schemas.wire.codec import encode

    partition, own = busiest(book)
    gone = own[5].volunteer_id
    first = next(p.index for p in own if p.volunteer_id == gone)
    kept = [p for p in own if p.volunteer_id != gone]
    told = [encode(replace(p, index=n)) for n, p in enumerate(kept)]
    retold(ledger, partition, told)
    found = wrong(ledger)
    assert ("posting_differs", partition, first) in found
    assert ("tail_missing", partition, len(kept)) in found


def test_without_tiles_the_stretch_between_two_checkpoints_is_named(
    ledger: Audited, book: Book
) -> None:
    partition, own = busiest(book)
    told = values(book, partition)
    assert len(told) > 25
    told[23] = told[22]
    retold(ledger, partition, told)
    assert ("posting_differs", partition, 20) in wrong(ledger, seal="nowhere")
    assert ("posting_differs", partition, 23) in wrong(ledger, name="with")
    del own


def other_history(ledger: Audited, book: Book, changed: int, size: int) -> SealedLog:
    """The operator seals another history with the right key, in another folder."""
    partition, _ = busiest(book)
    told = values(book, partition)[:size]
    told[changed] = told[changed - 1]
    log = ledger.log(partition, "other")
    log.take(told)
    log.seal(told, size)
    ledger.command(f"ALTER TABLE checkpoint DELETE WHERE partition = {partition}")
    note = Record("ledger.checkpoints", partition, 99, 1, b"", str(log.note).encode())
    retold(ledger, partition, told)
    ledger.fill([note])
    return log


def test_a_rewritten_history_is_found_by_the_checkpoint_that_was_kept(
    ledger: Audited, book: Book
) -> None:
    partition, own = busiest(book)
    kept = str(ledger.log(partition).note)
    # A posting without lines is told twice: those of one that has some would betray it.
    changed = next(n for n in range(1, len(own)) if not own[n - 1].lines)
    other_history(ledger, book, changed, len(own))
    found = wrong(ledger, kept, seal="other")
    assert ("split_view", partition, -1) in found
    assert "posting_differs" in {code for code, _, _ in found}
    # Without it nothing can be known but what the order of indexes says.
    assert {code for code, _, _ in wrong(ledger, name="alone", seal="other")} == {"order_differs"}


def test_a_roll_back_is_found_by_the_checkpoint_that_was_kept(ledger: Audited, book: Book) -> None:
    partition, _ = busiest(book)
    kept = str(ledger.log(partition).note)
    told = values(book, partition)[:20]
    ledger.command(f"ALTER TABLE checkpoint DELETE WHERE partition = {partition} AND size > 20")
    retold(ledger, partition, told)
    assert wrong(ledger) == set()
    found = wrong(ledger, kept, name="kept")
    assert {("rolled_back", partition, 20), ("tail_missing", partition, 20)} <= found


def test_a_removed_tail_is_found(ledger: Audited, book: Book) -> None:
    partition, own = busiest(book)
    for table in ("posting", "line"):
        ledger.command(f"ALTER TABLE {table} DELETE WHERE partition = {partition} "
                       f"AND posting_index >= {len(own) - 3}")  # fmt: skip
    assert wrong(ledger) == {("tail_missing", partition, len(own) - 3)}


def test_a_missing_partition_is_found_by_what_was_kept(ledger: Audited, book: Book) -> None:
    partition, _ = busiest(book)
    kept = str(ledger.log(partition).note)
    bundle = ledger.bundle()
    shutil.rmtree(bundle / f"p{partition}")
    assert places(verified(bundle, [kept]).faults) == {("log_missing", -1, -1)}


def test_a_forged_checkpoint_is_found(ledger: Audited, book: Book) -> None:
    partition, _ = busiest(book)
    bundle = ledger.bundle()
    file = bundle / f"p{partition}" / "checkpoints.jsonl"
    notes = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    notes[0] = notes[0].replace("\n20\n", "\n19\n")
    file.write_text("".join(json.dumps(note) + "\n" for note in notes), "utf-8")
    assert ("bad_checkpoint", partition, -1) in places(verified(bundle).faults)
    assert small_verifier(bundle).returncode == 1
    with pytest.raises(BadNote):
        verified(bundle, [notes[0]])


@pytest.mark.parametrize("where", ["postings", "lines"])
def test_bytes_that_are_no_table_are_found(ledger: Audited, book: Book, where: str) -> None:
    partition, _ = busiest(book)
    for n, content in enumerate((b"", b"\xff\xfe", b"a,b\n1", b'"', b"index,partition\n1,1\n")):
        bundle = ledger.bundle(f"bundle-{n}")
        (bundle / f"p{partition}" / f"{where}-{0:010}.csv").write_bytes(content)
        assert verified(bundle).faults
        assert small_verifier(bundle).returncode == 1


def test_json_that_two_readers_take_for_two_things_is_found_by_the_small_verifier(
    ledger: Audited,
) -> None:
    """Most readers take the last of two members, some the first: the bundle says neither."""
    bundle = ledger.bundle()
    file = bundle / "schemas" / "ids.json"
    whole = file.read_text("utf-8")
    title = next(iter(json.loads(whole)))
    file.write_text(whole.replace("{", f'{{"{title}": 999, ', 1), "utf-8")
    assert json.loads(file.read_text("utf-8")) == json.loads(whole)
    said = small_verifier(bundle)
    assert (said.returncode, "a member twice" in said.stdout) == (1, True)
    file.write_text(whole, "utf-8")
    assert small_verifier(bundle).returncode == 0
