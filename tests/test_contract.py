"""The contract holds together: files, lock, dataclasses, topics and examples."""

import dataclasses
import json
import re
from pathlib import Path
from typing import get_args

import pytest

from schemas import events, posting, topics
from schemas.events import CatalogueEvent, ClockTicked, Fact
from schemas.evolution import compat
from schemas.evolution.avrorules import named as named_types
from schemas.topics import KEY_OF, TOPIC_OF
from schemas.wire.codec import BY_ID, EVENT_TYPES, LATEST, OUTPUT_TYPES, encode
from schemas.wire.jsonform import event_from_json

ROOT = Path(__file__).parent.parent
SCHEMAS = ROOT / "schemas"
GOOD = sorted((SCHEMAS / "examples" / "good").glob("*/*.json"))
BAD = sorted(path for path in (SCHEMAS / "examples" / "bad").glob("*/*") if path.is_file())

RAISED_BY_SCHEMAS = frozenset(
    {"bad_framing", "unknown_schema", "oversized", "undecodable", "not_canonical", "not_json"}
    | {"unknown_type", "unknown_field", "missing_field", "id_form", "code_form", "value_form"}
    | {"personal_data"}
)
GENERATED = frozenset({"oversized"})
"""Codes whose example is made by a test: 16 KiB need not lie in the repository."""

TOPICS = {
    # DESIGN.md section 5: name -> (key, clean-up, one partition, written from outside)
    "service.checkins": ("volunteer_id", "delete", False, True),
    "service.hours": ("volunteer_id", "delete", False, True),
    "service.evaluations": ("volunteer_id", "delete", False, True),
    "service.recognition": ("volunteer_id", "delete", False, True),
    "service.transfers": ("volunteer_id of the survivor", "delete", False, True),
    "registry.catalogue": ("entity id", "delete", True, True),
    "registry.access": ("volunteer_id", "delete", True, True),
    "ledger.postings": ("volunteer_id", "delete", False, False),
    "ledger.accounts": ("volunteer_id, or a state page of it", "compact", False, False),
    "ledger.quarantine": ("original key", "delete", False, False),
    "ledger.checkpoints": ("partition", "delete", False, False),
}


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def as_hex(value: bytes) -> str:
    text = value.hex()
    return "\n".join(text[i : i + 64] for i in range(0, len(text), 64)) + "\n"


def test_the_tree_passes_its_own_gate() -> None:
    said = [f"{p.title} {p.where} {p.field}: {p.en}; {p.fix_en}" for p in compat.tree(SCHEMAS)]
    assert not said, "\n".join(said)


def test_every_locked_id_is_a_positive_32_bit_number() -> None:
    assert all(0 < schema_id < 2**31 for schema_id in BY_ID)


def test_events_and_outputs_are_exactly_the_schemas() -> None:
    assert set(EVENT_TYPES) | set(OUTPUT_TYPES) == set(LATEST)
    assert not set(EVENT_TYPES) & set(OUTPUT_TYPES)


def test_every_dataclass_of_the_contract_is_used_by_a_schema() -> None:
    parts = {name for schema in LATEST.values() for name in named_types(json.loads(schema.text))}
    for module in (events, posting):
        classes = {
            name
            for name, value in vars(module).items()
            if dataclasses.is_dataclass(value) and value.__module__ == module.__name__
        }
        assert classes <= parts, f"no .avsc has a record for {sorted(classes - parts)}"


@pytest.mark.parametrize("name", sorted(LATEST))
def test_dataclass_and_schema_have_the_same_fields_in_the_same_order(name: str) -> None:
    for record_name, record in named_types(json.loads(LATEST[name].text)).items():
        if record["type"] != "record":
            continue
        kind = getattr(events, record_name, None) or getattr(posting, record_name)
        fields = [field.name for field in dataclasses.fields(kind)]
        assert fields == [field["name"] for field in record["fields"]], record_name


@pytest.mark.parametrize("name", sorted(LATEST))
def test_a_named_type_means_the_same_in_every_schema(name: str) -> None:
    # The JSON form finds a named type by its name alone.
    for record_name, record in named_types(json.loads(LATEST[name].text)).items():
        for other in LATEST.values():
            twin = named_types(json.loads(other.text)).get(record_name, record)
            assert twin == record, f"{record_name} differs between {name} and {other.name}"


def test_schemas_holds_no_file_that_nothing_uses() -> None:
    for path in GOOD:
        assert path.with_suffix(".hex").exists(), (
            f"{named(path)} lacks its bytes; put this beside it as {path.stem}.hex:\n"
            + as_hex(encode(event_from_json(json.loads(path.read_text(encoding="utf-8")))))
        )
    known = {path for good in GOOD for path in (good, good.with_suffix(".hex"))} | set(BAD)
    examples = {path for path in (SCHEMAS / "examples").rglob("*") if path.is_file()}
    assert not {named(path) for path in examples - known}
    assert {path.suffix for path in BAD} <= {".json", ".hex"}
    assert {path.parent.name for path in GOOD} == set(LATEST)
    assert {path.parent.name for path in BAD} | GENERATED == RAISED_BY_SCHEMAS
    ddl = [path for path in SCHEMAS.glob("clickhouse/**/*") if path.is_file()]
    assert {path.suffix for path in ddl} <= {".sql"}


def test_the_topics_are_those_of_the_design() -> None:
    found = {t.name: (t.key, t.cleanup, t.single, t.facts) for t in topics.ALL}
    assert found == TOPICS


def test_every_event_type_travels_on_the_topic_that_says_so() -> None:
    assert set(TOPIC_OF) == set(EVENT_TYPES)
    for topic in topics.ALL:
        carried = {name for name in re.findall(r"[A-Z]\w+", topic.carries) if name in EVENT_TYPES}
        assert carried == {name for name, where in TOPIC_OF.items() if where == topic.name}
    facts = {kind.__name__ for kind in (*get_args(Fact), ClockTicked)}
    assert {name for name, where in TOPIC_OF.items() if where in topics.FACTS} == facts
    catalogue = {kind.__name__ for kind in get_args(CatalogueEvent)}
    assert {name for name, where in TOPIC_OF.items() if where == topics.CATALOGUE} == catalogue


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_the_key_is_a_required_id_of_the_event(name: str) -> None:
    assert set(KEY_OF) <= set(EVENT_TYPES)
    if name == "ClockTicked":
        return
    key = KEY_OF.get(name, "volunteer_id")
    field = next(f for f in json.loads(LATEST[name].text)["fields"] if f["name"] == key)
    assert field["type"] == "string"
    assert "default" not in field


def test_nothing_is_ever_deleted_from_a_topic() -> None:
    for topic in topics.ALL:
        config = topics.broker_config(topic)
        assert config["retention.ms"] == config["retention.bytes"] == "-1"
        by_broker = config["message.timestamp.type"] == "LogAppendTime"
        assert by_broker == topic.facts
        by_producer = topics.broker_config(topic, producer_time=True)
        assert by_producer["message.timestamp.type"] == "CreateTime"
