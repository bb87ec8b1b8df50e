"""Whatever shape a file of events has, its events are read, or the file is named for what it is."""

import gzip
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest

from deploy.broker.topics_admin import in_words
from producers.errors import UnreadableInput
from producers.sending.lines import read_lines
from tests.producers.helpers import as_line, check_in

EVENTS = [check_in(f"v-{number}", number, evidence=('x{["\\y]}', "文,件")) for number in range(5)]
OBJECTS = [json.loads(as_line(event)) for event in EVENTS]
SHAPES = {
    "lines": b"".join(map(as_line, EVENTS)),
    "an array on one line": json.dumps(OBJECTS).encode(),
    "an array, one object a line": b"[\n" + b",\n".join(map(as_line, EVENTS)) + b"]\n",
    "a pretty-printed array": json.dumps(OBJECTS, indent=2, ensure_ascii=False).encode(),
    "an array behind a byte order mark": b"\xef\xbb\xbf" + json.dumps(OBJECTS).encode(),
    "pretty-printed objects": "\n".join(json.dumps(one, indent=1) for one in OBJECTS).encode(),
    "both forms of object": json.dumps(OBJECTS[0], indent=4).encode() + b"\n"
    + b"".join(map(as_line, EVENTS[1:])),
}  # fmt: skip


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_read(shape: str, packed: bool) -> None:
    raw = gzip.compress(SHAPES[shape]) if packed else SHAPES[shape]
    assert [line.event for line in read_lines(io.BytesIO(raw))] == EVENTS


def test_an_event_of_several_lines_has_the_number_of_its_first() -> None:
    text = json.dumps(OBJECTS, indent=1).splitlines()
    begins = [number for number, line in enumerate(text, 1) if line == " {"]
    lines = read_lines(io.BytesIO("\n".join(text).encode()))
    assert [line.number for line in lines] == begins


def test_long_arrays_are_read_whole_across_all_borders() -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    rng = random.Random(seed)
    sizes = [rng.randrange(1, 70_000) for _ in range(30)]
    texts = ["".join(rng.choices('ab"\\{}[],文', k=256)) for _ in sizes]
    events = [OBJECTS[0] | {"x": [text] * (size // 256)}
              for text, size in zip(texts, sizes, strict=True)]  # fmt: skip
    for indent in (None, 1):
        found = list(read_lines(io.BytesIO(json.dumps(events, indent=indent).encode())))
        # Too much of an unknown field, so each is refused for that and for nothing else.
        assert [line.fault and (line.fault.code, line.fault.field) for line in found] == [
            ("unknown_field", "x")
        ] * 30


def test_what_is_wrong_in_an_array_is_said_of_that_element_alone() -> None:
    bad = OBJECTS[1] | {"volunteer_id": "v 1"}
    twice = as_line(EVENTS[2]).strip()[:-1] + b', "app": "x"}'
    raw = b"[" + b",\n".join(
        [as_line(EVENTS[0]).strip(), json.dumps(bad).encode(), b"17", b'"text"', twice,
         as_line(EVENTS[3]).strip()]
    )  # fmt: skip
    found = list(read_lines(io.BytesIO(raw)))
    codes = [line.fault.code if line.fault else None for line in found]
    assert codes == [None, "id_form", "not_json", "not_json", "repeated_field", None, "not_json"]
    assert [line.number for line in found] == [1, 2, 3, 4, 5, 6, 6]


OTHERS: dict[str, tuple[bytes, str, str]] = {
    "UTF-16 with a mark": (SHAPES["lines"].decode().encode("utf-16"), "UTF-16", "iconv"),
    "UTF-16 without one": (SHAPES["lines"].decode().encode("utf-16-le"), "UTF-16", "iconv"),
    "an Excel book": (b"PK\x03\x04" + bytes(100), "xlsx", "JSON"),
    "an old Excel book": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "xls", "JSON"),
    "a table": ("志愿者,开始,结束\nv-1,9:00,10:00\n".encode(), "CSV", "docs/events.md"),
    "a table in GBK": ("志愿者,开始,结束\nv-1,9:00,10:00\n".encode("gbk"), "CSV", "JSON"),
    "a table with tabs": (b"a\tb\n1\t2\n", "CSV", "JSON"),
    "half of a gzip file": (gzip.compress(SHAPES["lines"])[:-20], "gzip", "重新压缩"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_json_is_named_with_the_way_out(kind: str) -> None:
    raw, name, way_out = OTHERS[kind]
    with pytest.raises(UnreadableInput) as found:
        list(read_lines(io.BytesIO(raw)))
    said = in_words(found.value)
    assert name in said.zh
    assert name in said.en
    assert way_out in said.zh


def test_gbk_is_named_on_the_lines_that_have_it() -> None:
    lines: list[Any] = list(read_lines(io.BytesIO(
        as_line(EVENTS[0]) + as_line(EVENTS[1]).decode().encode("gbk")
        + as_line(check_in("v-9", evidence=()))
    )))  # fmt: skip
    assert [line.fault and line.fault.code for line in lines] == [None, "not_json", None]
    assert "GBK" in lines[1].fault.allowed


def test_no_bytes_raise_anything_else(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    rng = random.Random(seed)
    good = [*SHAPES.values()]
    for _ in range(400):
        raw = bytearray(rng.choice(good))
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(len(raw))
            raw[at : at + rng.randrange(3)] = rng.choice([b"", b'"', b"{", b"]", b"\n", b"\xff"])
        try:
            found = list(read_lines(io.BytesIO(bytes(raw))))
        except UnreadableInput:
            continue
        assert all((line.event is None) != (line.fault is None) for line in found)
