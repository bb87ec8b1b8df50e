"""docs/events.md says what the contract says, in two languages, and nothing else."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from deploy import describe
from schemas.evolution.avrorules import named
from schemas.topics import ALL
from schemas.validity import faults
from schemas.wire.codec import EVENT_TYPES, LATEST, decode_event

ROOT = Path(__file__).parent.parent.parent
MEANINGS = json.loads((ROOT / "deploy" / "meanings.json").read_text(encoding="utf-8"))
RECORDS = {
    name: record
    for schema in LATEST.values()
    for name, record in named(json.loads(schema.text)).items()
    if record["type"] == "record"
}
FIELDS = [(name, field) for name, record in RECORDS.items() for field in record["fields"]]


def test_the_committed_page_is_what_is_generated() -> None:
    page = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    assert page == describe.page(), "docs/events.md is not up to date: run `make docs`"


def test_every_record_has_a_meaning_in_chinese() -> None:
    assert set(MEANINGS["types"]) == set(RECORDS)
    for text in MEANINGS["types"].values():
        assert re.search(r"[\u4e00-\u9fff]", text)
        assert text.endswith("。")


def test_every_field_has_a_meaning_in_both_languages() -> None:
    for owner, field in FIELDS:
        zh, en = describe.meaning(owner, field)
        assert re.search(r"[\u4e00-\u9fff]", zh), f"{owner}.{field['name']}"
        assert en, f"{owner}.{field['name']}"
        assert "|" not in zh + en, "a | would break the table"


def test_meanings_holds_no_field_that_is_gone_or_documented_twice() -> None:
    fields = {field["name"] for _, field in FIELDS}
    own = {f"{owner}.{field['name']}" for owner, field in FIELDS}
    assert set(MEANINGS["fields"]) <= fields | own
    undocumented = {f"{owner}.{f['name']}" for owner, f in FIELDS if "doc" not in f}
    bare = {f["name"] for _, f in FIELDS if "doc" not in f}
    assert set(MEANINGS["undocumented"]) <= undocumented | bare


def test_every_type_is_on_the_page_with_its_topic() -> None:
    page = describe.page()
    topics = {topic.name for topic in ALL}
    for name in LATEST:
        assert describe.topic_of(name) in topics
        assert f"\n## {name}\n" in page
        assert f"| [{name}](#{name.lower()}) v{LATEST[name].version} | {LATEST[name].id} " in page
    anchors = {line.split()[-1].lower() for line in page.splitlines() if line.startswith("#")}
    assert {link.lower() for link in re.findall(r"\]\(#(\w+)\)", page)} <= anchors


def full_example(name: str) -> Any:
    """The event of a type in which the most is filled in."""
    files = (ROOT / "schemas" / "examples" / "good" / name).glob("*.hex")
    values = [bytes.fromhex(path.read_text(encoding="ascii")) for path in files]
    return decode_event(max(values, key=len))


def spoilt(kind: Any, value: Any) -> Any:
    """A value of the same type that no limit admits."""
    if isinstance(value, tuple):
        return value * 17
    bad: dict[str, Any] = {"string": "\n", "int": -(2**62), "long": -(2**62)}
    return bad.get(kind["type"] if isinstance(kind, dict) else kind, value)


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_the_limits_on_the_page_are_those_that_are_enforced(name: str) -> None:
    event = full_example(name)
    assert not list(faults(event))
    for field in RECORDS[name]["fields"]:
        value = getattr(event, field["name"])
        kind = describe.value_type(field["type"])
        if (isinstance(kind, dict) and kind["type"] in ("enum", "record")) or kind == "Actor":
            continue  # the type says it all, and Avro enforces it
        changed = dataclasses.replace(event, **{field["name"]: spoilt(kind, value)})
        enforced = any(fault.field == field["name"] for fault in faults(changed))
        assert enforced == bool(describe.allowed(field)), f"{name}.{field['name']}"
