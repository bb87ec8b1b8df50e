"""A second version of a schema: what was written before stays readable, unchanged, for ever."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCHEMAS = Path(__file__).parent.parent.parent / "schemas"

_READ = """
import json
from pathlib import Path
from schemas.wire.codec import LATEST, decode_event, encode
from schemas.wire.jsonform import event_from_json, to_json
for path in sorted(Path("schemas/examples/good/CheckedIn").glob("*.hex")):
    old = bytes.fromhex(path.read_text())
    event = decode_event(old)
    assert event == event_from_json(json.loads(path.with_suffix(".json").read_text()))
    assert event.batch_no is None and event.actor.team is None and event.weight == 7, event
    new = encode(event)
    assert new[:5] == b"\\0" + LATEST["CheckedIn"].id.to_bytes(4, "big") and len(new) > len(old)
    assert decode_event(new) == event
    assert to_json(event)["batch_no"] is None
print("read")
"""


@pytest.fixture
def tomorrow(tmp_path: Path) -> Path:
    """A copy of the contract in which CheckedIn has a second version with three more fields."""
    shutil.copytree(SCHEMAS, tmp_path / "schemas", ignore=shutil.ignore_patterns("*.so"))
    folder = tmp_path / "schemas"
    schema = json.loads((folder / "avro" / "CheckedIn.v1.avsc").read_text(encoding="utf-8"))
    optional = {"type": ["null", "string"], "default": None}
    actor = next(field for field in schema["fields"] if field["name"] == "actor")
    actor["type"]["fields"].append({"name": "team", **optional})
    schema["fields"].append({"name": "batch_no", **optional})
    schema["fields"].append({"name": "weight", "type": "int", "default": 7})
    text = json.dumps(schema)
    (folder / "avro" / "CheckedIn.v2.avsc").write_text(text, encoding="utf-8")
    lock = json.loads((folder / "ids.lock.json").read_text(encoding="utf-8"))
    entry = {"id": 99, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    # First in the file: nothing may depend on the order of the lock.
    (folder / "ids.lock.json").write_text(
        json.dumps({"CheckedIn.v2": entry} | lock), encoding="utf-8"
    )
    source = (folder / "events.py").read_text(encoding="utf-8")
    head, rest = source.split("class CheckedIn:", 1)
    body, tail = rest.split("@dataclass", 1)
    head = _with(head, after="org_id", team="str | None")
    body = _with(body, after="evidence", batch_no="str | None", weight="int")
    (folder / "events.py").write_text(f"{head}class CheckedIn:{body}@dataclass{tail}")
    return tmp_path


def _with(source: str, *, after: str, **fields: str) -> str:
    """A class with an `__init__` of its own, with fields added."""
    for name, kind in fields.items():
        for line, more in (
            (rf"    {after}: Final\[.*\]\n", f"    {name}: Final[{kind}]\n"),
            (rf"\b{after}: (?!Final)[^\n)]*?(?=,?\n|\))", f", {name}: {kind} = None"),
            (rf"        self\.{after} = {after}\n", f"        self.{name} = {name}\n"),
        ):
            found = re.findall(line, source)
            assert len(found) == 1, (line, found)
            source = source.replace(found[0], found[0] + more)
        after = name
    return source


def run(place: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, '.'){code}"],
        cwd=place, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_gate_lets_the_second_version_pass(tomorrow: Path) -> None:
    code = "\nfrom pathlib import Path\nfrom schemas.evolution import compat\n"
    ran = run(tomorrow, code + "print(compat.tree(Path('schemas')))")
    assert ran.stdout.strip() == "[]", ran.stdout + ran.stderr


def test_golden_bytes_of_the_first_version_are_read_by_the_second(tomorrow: Path) -> None:
    ran = run(tomorrow, _READ)
    assert ran.stdout.strip() == "read", ran.stderr
