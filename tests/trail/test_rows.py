"""Records become rows, and back: nothing is lost, and no bytes whatever stop the sink."""

import random
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.kafka.records import Record
from consumers.trail.rows import TABLES, arrow, rows_of
from consumers.trail.store import Trail, open_trail
from consumers.trail.watermarks import heads
from schemas.events import Actor, PolicyPublished, ShiftScheduled, VaultAccessed
from schemas.posting import Account, PartitionState
from schemas.times import DAY
from schemas.topics import ACCESS, ALL, CATALOGUE, CHECKINS, CHECKPOINTS, POSTINGS, QUARANTINE
from schemas.wire.codec import LATEST, encode
from tests.seal.notes import a_note
from tests.trail.book import Book, line, random_book
from tests.trail.fill import fill

TYPE = TABLES["event"].names.index("type")
FAULT = TABLES["event"].names.index("fault")


def a_checkpoint() -> Record:
    return Record(CHECKPOINTS, 3, 5, 1_700_000_000_000, b"3", a_note(3))


def an_access() -> Record:
    event = VaultAccessed("e-1", "v-1", 1, "unmask", "contact", ("name",), None, "0" * 64,
                          1_700_000_000_000_000, Actor("u-1", "admin"))  # fmt: skip
    return Record(ACCESS, 0, 0, 1_700_000_000_000, b"v-1", encode(event))


def test_every_table_of_the_ddl_has_the_columns_that_rows_have(trail: Trail) -> None:
    for table, schema in TABLES.items():
        columns = trail.query(
            "SELECT name FROM system.columns WHERE database = 'shilu' AND table = {t:String} "
            "ORDER BY position",
            t=table,
        )
        assert [column["name"] for column in columns] == schema.names


def test_what_is_read_from_the_trail_is_what_was_written(trail: Trail) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    book = random_book(random.Random(seed), 300)
    records = [*book.inputs, *book.outputs(), a_checkpoint(), an_access()]
    fill(trail, records)
    for table, schema in TABLES.items():
        rows = [row for record in records for name, row in rows_of(record) if name == table]
        assert rows, table
        wanted = arrow(table, rows).to_pylist()
        batches = trail.stream(f"SELECT {', '.join(schema.names)} FROM {table}")
        found = [row for batch in batches for row in batch.cast(schema).to_pylist()]
        assert sorted(map(repr, found)) == sorted(map(repr, wanted))


def test_an_undecodable_fact_keeps_its_bytes_and_says_why() -> None:
    record = Record(CHECKINS, 3, 7, 1_000, b"v-\xff", b"\x00\x00\x00\x00\x63rest")
    ((table, row),) = rows_of(record)
    named = dict(zip(TABLES[table].names, row, strict=True))
    assert table == "event"
    assert (named["type"], named["fault"]) == ("", "unknown_schema")
    assert (named["key"], named["value"]) == (record.key, record.value)
    assert (named["topic"], named["partition"], named["offset"]) == (CHECKINS, 3, 7)


def test_a_fact_without_value_is_kept_apart_from_one_with_an_empty_value(trail: Trail) -> None:
    fill(trail, [Record(CHECKINS, 0, 0, 0, None, None), Record(CHECKINS, 0, 1, 0, b"", b"")])
    rows = trail.query("SELECT isNull(key) AS k, isNull(value) AS v FROM event ORDER BY offset")
    assert [(row["k"], row["v"]) for row in rows] == [(1, 1), (0, 0)]


def test_recorded_at_is_the_record_s_timestamp(trail: Trail) -> None:
    book = Book()
    book.serve("v-1", "s-1", line(60))
    fill(trail, book.inputs + book.outputs())
    for table, expected in (("event", [r.timestamp for r in book.inputs]),
                            ("posting", [r.timestamp for r in book.inputs]),
                            ("line", [book.inputs[1].timestamp])):  # fmt: skip
        rows = trail.query(
            f"SELECT toUnixTimestamp64Milli(recorded_at) AS at FROM {table} ORDER BY at"
        )
        assert [row["at"] for row in rows] == expected


@pytest.mark.parametrize("at", [-(2**62), -1, 0, 84_006 * DAY, 2**62])
def test_a_time_that_no_calendar_has_is_null_and_the_bytes_stay(trail: Trail, at: int) -> None:
    book = Book()
    event = replace(book.check_in("v-1", "s-1"), occurred_at=at, sent_at=at)
    fill(trail, [Record(CHECKINS, 0, 0, -1, b"v-1", encode(event))])
    (row,) = trail.query(
        "SELECT isNull(occurred_at) AS none, isNull(sent_at) AS none2, hex(value) AS value, "
        "toUnixTimestamp64Micro(recorded_at) AS recorded FROM event"
    )
    assert (row["none"], row["none2"], row["recorded"]) == (1, 1, 0)
    assert bytes.fromhex(row["value"]) == encode(event)


def test_an_output_of_a_wrong_kind_or_partition_is_kept_as_bytes_only() -> None:
    book = Book()
    book.serve("v-1", "s-1", line(60))
    posting, partition = encode(book.postings[0]), book.postings[0].partition
    wrong = [
        Record(POSTINGS, 0, 0, 0, b"", encode(PartitionState(0, 0, 0, ()))),
        Record(QUARANTINE, 0, 0, 0, b"", encode(Account("v-1", 0, 0, (), 0, (), ()))),
        Record(POSTINGS, partition + 1, 0, 0, b"", posting),
        Record(POSTINGS, 0, 0, 0, b"", None),
    ]
    faults = []
    for record in wrong:
        ((table, row),) = rows_of(record)
        assert table == "event"
        faults.append(row[FAULT])
    assert faults == ["wrong_topic", "wrong_topic", "wrong_partition", "bad_framing"]


def test_a_number_too_long_for_its_field_is_kept_as_bytes() -> None:
    shift = encode(ShiftScheduled("e-1", "s-1", "a-1", "p-1", None, 0, 0, 7, 0, None))
    at = shift.rindex(b"\x02\x0e") + 1
    long = shift[:at] + b"\x80\x80\x80\x80\x80\x40" + shift[at + 1 :]
    ((table, row),) = rows_of(Record(CATALOGUE, 0, 0, 0, None, long))
    assert (table, row[TYPE], row[FAULT]) == ("event", "", "undecodable")


@pytest.mark.parametrize("kind", sorted(LATEST))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_bytes_stop_the_sink(kind: str, data: st.DataObject) -> None:
    tail = data.draw(st.binary(max_size=200))
    framed = b"\0" + struct.pack(">I", LATEST[kind].id) + tail
    for topic in ALL:
        record = Record(topic.name, 0, 0, data.draw(st.integers(-1, 2**62)), tail[:5], framed)
        for table, row in rows_of(record):
            arrow(table, [row])


@settings(max_examples=60, deadline=None)
@given(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.text(st.characters(codec="utf-8"), max_size=50),
)
def test_hostile_numbers_and_texts_become_rows(n: int, m: int, text: str) -> None:
    actor, k = Actor(text, text, text), n % 2**31
    events = (
        ShiftScheduled(text, text, text, text, text, n, m, n % 2**31, m, actor),
        PolicyPublished(text, text, k, k, k, k, k, k, n, actor),
        replace(Book().check_in("v", "s"), event_id=text, occurred_at=n, sent_at=m, actor=actor),
        VaultAccessed(text, text, k, text, text, (text,), text, text, n, actor),
    )
    for event in events:
        topic = ACCESS if isinstance(event, VaultAccessed) else CATALOGUE
        rows = rows_of(Record(topic, 0, 0, n, text.encode(), encode(event)))
        assert [row[TYPE] for table, row in rows if table == "event"] == [type(event).__name__]
        for table, row in rows:
            arrow(table, [row])


def test_a_trail_made_before_ids_were_narrow_has_the_same_rows_afterwards(folder: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    ids = ("recording_org_id", "host_org_id", "project_id", "site_id", "activity_id")
    columns = {"line": ("volunteer_id", *ids), "event": ids}
    book = random_book(random.Random(seed), 300)

    def seen(trail: Trail) -> list[object]:
        rows = [trail.query(f"SELECT * FROM {table} ORDER BY ALL") for table in columns]
        return [*rows, heads(trail)]

    with open_trail(folder, create=True) as trail:
        for table, names in columns.items():
            for name in names:
                trail.command(f"ALTER TABLE {table} MODIFY COLUMN {name} String CODEC(ZSTD(1))")
        trail.command(
            "ALTER TABLE schema_version DELETE WHERE number = 8 SETTINGS mutations_sync=2"
        )
        fill(trail, [*book.inputs, *book.outputs()])
        before = seen(trail)
    with open_trail(folder) as trail:
        assert seen(trail) == before
        types = trail.query(
            "SELECT DISTINCT table, type FROM system.columns WHERE database = 'shilu' AND "
            "table IN ('line', 'event') AND name IN {ids:Array(String)}",
            ids=list(ids),
        )
        assert {row["type"] for row in types} == {"LowCardinality(String)"}


def test_a_table_is_made_without_pandas_and_others_may_still_import_it() -> None:
    code = (
        "import sys; from consumers.trail.rows import TABLES, arrow; arrow('checkpoint', "
        "[(None,) * len(TABLES['checkpoint'])]); assert 'pandas' not in sys.modules; import pandas"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
