"""Cells lead back to the exact bytes, whatever the posting; the codec is the judge."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.bundle.cell_bytes import whole, wholes
from consumers.bundle.cells import form_of, items, newest_form, titled
from schemas.posting import Line, Posting
from schemas.validity import EARLIEST, LATEST
from schemas.wire.codec import decode_raw, encode

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["", "'", "''", "=1+1", "-x", "@", "+a", "a,b", 'a"b', "a\nb", "v-1"]
)
ids = st.none() | texts
times = st.integers(EARLIEST, LATEST - 1) | st.integers(-(2**63), 2**63 - 1)
ints = st.integers(-(2**31), 2**31 - 1)
lines = st.builds(
    Line, st.integers(0, 9), ids, ids, texts, texts, texts, ids, texts,
    st.integers(10_957, 84_005) | ints, ints,
    st.sampled_from(["service", "manual", "import", "training"]),
    st.sampled_from(["effective", "held_org", "rejected"]), texts,
)  # fmt: skip
longs = st.integers(-(2**63), 2**63 - 1)
outcomes = st.sampled_from(["posted", "held", "duplicate", "refused"])
postings = st.builds(
    Posting, ints, longs, texts, ints, longs, texts, texts, texts, longs, times, times, ids, longs,
    outcomes, ids, st.lists(lines, max_size=3).map(tuple), longs,
)  # fmt: skip


def codec_long(number: int) -> bytes:
    """Avro's own words: zigzag, seven bits at a time."""
    left, out = (number << 1) ^ (number >> 63), b""
    while left > 0x7F:
        out, left = out + bytes([left & 0x7F | 0x80]), left >> 7
    return out + bytes([left])


@given(postings)
@settings(max_examples=300, deadline=None)
def test_the_cells_of_any_posting_give_its_bytes(posting: Posting) -> None:
    value = encode(posting)
    schema, raw = decode_raw(value)
    form = form_of(schema.id)
    assert form.bytes_of(form.cells_of(raw), {"lines": form.part_cells("lines", raw)}) == value
    assert form is titled(form.title)


@given(st.lists(postings, min_size=1, max_size=8))
@settings(max_examples=200, deadline=None)
def test_many_cells_at_once_give_the_bytes_of_each(some: list[Posting]) -> None:
    values = [encode(posting) for posting in some]
    raws = [decode_raw(value)[1] for value in values]
    form = newest_form("Posting")
    arrays = [
        [b"".join(c.encoded[cell] for c, cell in zip(form.parts["lines"], cells, strict=True))
         for cells in form.part_cells("lines", raw)]
        for raw in raws
    ]  # fmt: skip
    columns = list(zip(*map(form.cells_of, raws), strict=True))
    assert form.all_of(columns, {"lines": list(map(items, arrays))}) == values


@pytest.mark.parametrize("bits", range(64))
def test_numbers_of_any_length_are_as_one_by_one(bits: int) -> None:
    for some in ([1 << bits, (1 << bits) + 1], [-(1 << bits), 1 << bits], [0, 1 << bits]):
        if max(some) < 1 << 63:
            assert wholes(some) == [whole(n) for n in some] == [codec_long(n) for n in some]


@pytest.mark.parametrize(
    ("column", "cell"),
    [("occurred_at", "2025-03-01T08:55:02"), ("occurred_at", "2025-03-01T08:55:60+08:00"),
     ("occurred_at", "2025-03-01T08:55:+2+08:00"), ("occurred_at", "2025-03-01T08:55:02.5+08:00"),
     ("occurred_at", "2025-03-01T08:55:60.000000+08:00"),
     ("occurred_at", "2025-03-01T08:55:02.5_0000+08:00"),
     ("occurred_at", "2025-03-01T08:55:02,500000+08:00"), ("occurred_at", "x"), ("index", ""),
     ("index", str(2**64)), ("outcome", "gift"), ("occurred_at", "2025-13-01T08:55:02+08:00")],
)  # fmt: skip
def test_a_cell_that_the_column_cannot_have_is_refused(column: str, cell: str) -> None:
    form = newest_form("Posting")
    found = next(c for c in form.columns if c.name == column)
    with pytest.raises((ValueError, KeyError)):
        found.encoded[cell]
    with pytest.raises((ValueError, KeyError)):
        found.many([cell])


def test_what_a_spreadsheet_would_run_is_text() -> None:
    form = newest_form("Posting")
    shown = next(c.shown for c in form.columns if c.name == "reason")
    assert [shown(v) for v in (None, "", "=1+1", "'x", "x")] == ["", "'", "'=1+1", "''x", "x"]
