"""`shilu schema check`: each bad change gets its sentence, each good one passes."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import avro.schema
import pytest
import typer
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from deploy.commands import schema as command
from deploy.errors import ShiluError
from schemas.evolution import compat
from schemas.wire.codec import BY_ID

CASES = Path(__file__).parent / "compat"
RELEASED = CASES / "released"
BAD = sorted((CASES / "bad").iterdir())
GOOD = sorted((CASES / "good").iterdir())
SCHEMAS = Path(__file__).parent.parent.parent / "schemas"


def shilu(*arguments: str | Path, lang: str = "en") -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"SHILU_LANG": lang})


def only_file(case: Path) -> Path:
    (file,) = case.glob("*.avsc")
    return file


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_a_bad_change_is_told_which_field_why_and_the_way_out(case: Path, lang: str) -> None:
    ran = shilu("schema", "check", "--against", RELEASED, only_file(case), lang=lang)
    assert ran.exit_code == 1
    assert ran.output == (case / f"{lang}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
def test_a_good_change_passes(case: Path) -> None:
    ran = shilu("schema", "check", "--against", RELEASED, only_file(case))
    assert ran.exit_code == 0, ran.output
    assert ran.output.startswith(f"✔ {only_file(case).stem}  ")


def test_the_goldens_show_every_sentence_that_concerns_one_file() -> None:
    of_the_tree = {"not_locked", "file_missing", "id_reused", "stray_file"}
    sentences = json.loads((SCHEMAS / "compat.json").read_text(encoding="utf-8"))
    shown = set()
    for case in BAD:
        file = only_file(case)
        locked = compat.texts_in(RELEASED)
        found = compat.candidate(file.stem, file.read_text(encoding="utf-8"), locked)
        shown |= {problem.code for problem in found}
    # `incompatible` is what remains should Apache Avro ever object where our walk does not.
    assert shown == set(sentences) - of_the_tree - {"incompatible"}
    for texts in sentences.values():
        assert set(texts) == {"zh", "en", "fix_zh", "fix_en"}


def test_our_own_tree_passes() -> None:
    ran = shilu("schema", "check", lang="zh")
    assert (ran.exit_code, ran.output[:1]) == (0, "✔")
    assert f" {len(BY_ID)} " in ran.output


def test_our_own_tree_may_follow_itself() -> None:
    ran = shilu("schema", "check", "--against", SCHEMAS / "avro")
    assert ran.exit_code == 0
    assert ran.output.count("✔") == len(BY_ID)


def test_two_new_versions_are_checked_together(tmp_path: Path) -> None:
    third = json.loads(only_file(CASES / "good" / "optional-field-added").read_text())
    (tmp_path / "HoursGranted.v3.avsc").write_text(json.dumps(third), encoding="utf-8")
    third["fields"].pop()
    (tmp_path / "HoursGranted.v4.avsc").write_text(json.dumps(third), encoding="utf-8")
    ran = shilu("schema", "check", "--against", RELEASED, *sorted(tmp_path.iterdir()))
    assert ran.exit_code == 1
    assert "✔ HoursGranted.v3  compatible (BACKWARD_TRANSITIVE, against v1…v2)" in ran.output
    assert "/fields org_id [v3]: the field was removed" in ran.output


def test_a_missing_folder_and_an_unreadable_file_are_said_in_a_sentence(tmp_path: Path) -> None:
    gone = shilu("schema", "check", "--against", tmp_path / "gone", only_file(GOOD[0]))
    assert isinstance(gone.exception, ShiluError)
    assert gone.exception.code == "folder_missing"
    latin = tmp_path / "HoursGranted.v3.avsc"
    latin.write_bytes(b"\xff")
    for file in (latin, tmp_path / "nothing.v1.avsc"):
        unreadable = shilu("schema", "check", file)
        assert isinstance(unreadable.exception, ShiluError)
        assert unreadable.exception.code == "file_unreadable"


def test_list_names_everything_that_travels() -> None:
    ran = shilu("schema", "list", "--json")
    rows = json.loads(ran.output)
    assert [row["id"] for row in rows] == sorted(BY_ID)
    checked_in = rows[0]
    assert checked_in | {"fields": checked_in["fields"][:3]} == {
        "type": "CheckedIn", "version": 1, "id": 1, "topic": "service.checkins",
        "fields": ["event_id", "volunteer_id", "session_id"],
    }  # fmt: skip
    lines = shilu("schema", "list").output.splitlines()
    assert [int(line.split()[0]) for line in lines] == sorted(BY_ID)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of our files that a test may spoil."""
    shutil.copytree(SCHEMAS / "avro", tmp_path / "avro")
    shutil.copy(SCHEMAS / "ids.lock.json", tmp_path)
    assert not compat.tree(tmp_path)
    return tmp_path


def codes(tree: Path) -> set[tuple[str, str]]:
    return {(problem.title, problem.code) for problem in compat.tree(tree)}


def spoil_lock(tree: Path, **changes: Any) -> None:
    lock = json.loads((tree / "ids.lock.json").read_text(encoding="utf-8"))
    for title, entry in changes.items():
        lock[title.replace("_", ".")] |= entry
    (tree / "ids.lock.json").write_text(json.dumps(lock), encoding="utf-8")


def test_a_released_file_that_is_edited_is_found_by_one_blank(tree: Path) -> None:
    file = tree / "avro" / "ClockTicked.v1.avsc"
    file.write_text(file.read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert codes(tree) == {("ClockTicked.v1", "edited")}


def test_a_deleted_file_is_missed(tree: Path) -> None:
    (tree / "avro" / "ClockTicked.v1.avsc").unlink()
    assert codes(tree) == {("ClockTicked.v1", "file_missing")}


def test_a_file_without_an_id_is_found(tree: Path) -> None:
    second = (tree / "avro" / "ClockTicked.v1.avsc").read_text(encoding="utf-8")
    (tree / "avro" / "ClockTicked.v2.avsc").write_text(second, encoding="utf-8")
    (problem,) = compat.tree(tree)
    assert (problem.title, problem.code) == ("ClockTicked.v2", "not_locked")
    assert json.loads(problem.fix_en.split(": ", 1)[1])["ClockTicked.v2"]["id"] not in BY_ID


def test_an_id_used_twice_is_found(tree: Path) -> None:
    spoil_lock(tree, CheckedOut_v1={"id": 1})
    assert codes(tree) == {("CheckedIn.v1", "id_reused"), ("CheckedOut.v1", "id_reused")}


def test_a_stray_file_is_found(tree: Path) -> None:
    (tree / "avro" / "notes.txt").write_text("x", encoding="utf-8")
    assert codes(tree) == {("notes.txt", "stray_file")}


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
def test_fastavro_reads_old_data_with_every_good_change(case: Path) -> None:
    new = parse_schema(json.loads(only_file(case).read_text(encoding="utf-8")))
    for file in sorted(RELEASED.glob(f"{only_file(case).stem.split('.')[0]}.*")):
        old = parse_schema(json.loads(file.read_text(encoding="utf-8")))
        out = io.BytesIO()
        record = {"event_id": "e", "volunteer_id": "v", "start_at": 0, "break_minutes": 2**40}
        record |= {"headcount": 3, "note": None, "channel": "paper", "tags": ["a"]}
        record |= {"actor": {"id": "u", "role": "r"}, "region": "r", "rank": 2}
        schemaless_writer(out, old, record)
        found: Any = schemaless_reader(io.BytesIO(out.getvalue()), old, new)
        assert found["break_minutes"] == 2**40
        assert found["rank"] == (2 if ".v2." in file.name else 1)


_TYPES: list[Any] = [
    "int", "long", "string", "bytes", "boolean", ["null", "string"], ["null", "long"],
    {"type": "array", "items": "string"}, {"type": "array", "items": "long"},
    {"type": "enum", "name": "E", "symbols": ["a", "b"]},
    {"type": "enum", "name": "E", "symbols": ["a", "b", "c"]},
    {"type": "record", "name": "R", "fields": [{"name": "x", "type": "int"}]},
    {"type": "record", "name": "R", "fields": [{"name": "x", "type": "long"}]},
    {"type": "record", "name": "S", "fields": [{"name": "x", "type": "long"}]},
]  # fmt: skip
_NARROW_ENUM, _WIDE_ENUM, _, _RECORD, _OTHER_RECORD = _TYPES[-5:]
_NARROWER = [
    (_WIDE_ENUM, _NARROW_ENUM), (_RECORD, _OTHER_RECORD),
    (["null", "string"], "string"), (["null", "long"], "long"),
]  # fmt: skip
_VALUES = {
    "int": 5, "long": 2**40, "string": "s", "bytes": b"\xff", "boolean": True,
    "array": [], "enum": "b", "record": {"x": 5},
}  # fmt: skip


def value_of(kind: Any) -> Any:
    if isinstance(kind, list):
        return None
    if isinstance(kind, dict):
        return ["s"] if kind.get("items") == "string" else _VALUES[kind["type"]]
    return _VALUES[kind]


@st.composite
def changed_schemas(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A schema and another that somebody made of it."""
    names = draw(st.lists(st.sampled_from("pqrs"), unique=True, min_size=1))
    old = {name: draw(st.sampled_from(_TYPES)) for name in names}
    new = dict(old)
    for name in draw(st.lists(st.sampled_from("pqrstu"), unique=True, min_size=1, max_size=2)):
        if draw(st.booleans()):  # a careful one
            kind = new.get(name, "")
            wider = {"int": "long", "long": ["null", "long"], "string": ["null", "string"]}
            new[name] = wider.get(str(kind), _WIDE_ENUM if "symbols" in kind else kind)
            new[name] = new[name] or ["null", "string"]
        elif name in new and draw(st.booleans()):  # one who takes something back
            kind = new[name]
            narrow = {"long": "int", "string": "bytes", "bytes": "string"}
            narrow |= {str(wide): other for wide, other in _NARROWER}
            new[name] = narrow.get(str(kind), kind)
        elif draw(st.booleans()) or name not in new:
            new[name] = draw(st.sampled_from(_TYPES))
        else:
            del new[name]

    def schema(fields: dict[str, Any]) -> dict[str, Any]:
        # One E and one R a schema: the first use defines it, later ones name it.
        defined: set[str] = set()
        listed = []
        for name, kind in fields.items():
            given_name = kind.get("name") if isinstance(kind, dict) else None
            if given_name in defined:
                kind = given_name
            elif given_name:
                defined.add(given_name)
            default = {"default": None} if isinstance(kind, list) else {}
            listed.append({"name": name, "type": kind} | default)
        return {"type": "record", "name": "Thing", "namespace": "shilu", "fields": listed}

    return schema(old), schema(new)


@settings(max_examples=400, deadline=None, print_blob=True)
@given(changed_schemas())
def test_what_passes_the_gate_can_be_read(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    old, new = pair
    if compat.check("Thing.v2", json.dumps(new), {1: json.dumps(old)}):
        return
    named = {f["type"]["name"]: f["type"] for f in old["fields"] if "name" in dict_of(f["type"])}
    record = {f["name"]: value_of(named.get(str(f["type"]), f["type"])) for f in old["fields"]}
    out = io.BytesIO()
    schemaless_writer(out, parse_schema(old), record)
    body = io.BytesIO(out.getvalue())
    found: Any = schemaless_reader(body, parse_schema(old), parse_schema(new))
    assert {name: found[name] for name in record} == record


@settings(max_examples=400, deadline=None, print_blob=True)
@given(changed_schemas())
def test_what_avro_cannot_read_does_not_pass(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    old, new = pair
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    reader, writer = (avro.schema.parse(json.dumps(text)) for text in (new, old))
    verdict = checker.get_compatibility(reader, writer)
    if verdict.compatibility is not SchemaCompatibilityType.compatible:
        found = compat.check("Thing.v2", json.dumps(new), {1: json.dumps(old)})
        assert found
        assert "incompatible" not in {problem.code for problem in found}, "no field was named"


def dict_of(kind: Any) -> dict[str, Any]:
    return kind if isinstance(kind, dict) else {}
