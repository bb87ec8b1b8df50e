"""The client alone: what its wheel holds, what an installation of it brings, and that it works."""

import json
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from deploy.broker.broker import Broker
from deploy.building.client_wheel import ENTRY, build, modules, requirements, rewritten
from deploy.building.compiled import ROOT
from deploy.errors import ShiluError
from producers.sdk import __all__ as public
from schemas.events import CheckedIn, CheckedOut
from schemas.topics import CHECKINS
from schemas.wire.codec import EVENT_TYPES, decode_event, encode
from schemas.wire.jsonform import event_from_json
from tests.producers.helpers import AT, event_ids, read_topic

GOOD = [
    path
    for path in sorted((ROOT / "schemas" / "examples" / "good").glob("*/*.json"))
    if path.parent.name in EVENT_TYPES
]
INSTALLED = "import sysconfig; print(sysconfig.get_path('purelib'))"
MEGABYTES = 30


def run(python: Path, code: str, *arguments: str, given: str = "") -> str:
    """What the environment's Python says, with nothing of this repository in reach."""
    away = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-c", code, *arguments], input=given, cwd=python.parent, env=away,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_puts_one_name_on_top_and_holds_the_client_alone(client_wheel: Path) -> None:
    assert client_wheel.name.startswith("shilu_client-")
    assert client_wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(client_wheel) as wheel:
        names = wheel.namelist()
        metadata = next(wheel.read(n).decode() for n in names if n.endswith("/METADATA"))
    code = {name for name in names if ".dist-info/" not in name}
    assert {name.split("/")[0] for name in code} == {"shilu_client"}
    assert {name.split("/")[0] for name in names} - {"shilu_client"} == {
        client_wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info"
    }
    assert {name.split("/")[1] for name in code if name.count("/") > 1} == {"schemas", "producers"}
    assert not [name for name in code if "gateway" in name or "simulate" in name]
    needed = [line for line in metadata.splitlines() if line.startswith("Requires-Dist: ")]
    assert sorted(line.split()[1].split("<")[0].split(">")[0] for line in needed) == [
        "fastavro", "kafka-python", "uuid6",
    ]  # fmt: skip
    assert "==" not in metadata


def test_what_the_contract_reads_of_files_is_in_the_wheel(client_wheel: Path) -> None:
    with zipfile.ZipFile(client_wheel) as wheel:
        names = set(wheel.namelist())
        locked = json.loads(wheel.read("shilu_client/schemas/ids.lock.json"))
    there = {f"shilu_client/schemas/avro/{title}.avsc" for title in locked}
    assert there == {name for name in names if name.endswith(".avsc")}
    assert {"shilu_client/schemas/reasons.json", "shilu_client/py.typed"} <= names


def test_the_same_sources_give_the_same_wheel(client_wheel: Path, tmp_path: Path) -> None:
    assert build(tmp_path).read_bytes() == client_wheel.read_bytes()


def test_an_installation_is_small_and_brings_nothing_of_the_rest(client_python: Path) -> None:
    folder = Path(run(client_python, INSTALLED).strip())
    tops = {path.name for path in folder.iterdir() if "-" not in path.name}
    assert tops - {"__pycache__"} == {"shilu_client", "kafka", "fastavro", "uuid6"}
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert size < MEGABYTES * 1_000_000, f"{size / 1e6:.1f} MB"


def test_every_public_name_is_there_and_every_module_can_be_imported(client_python: Path) -> None:
    code = """
import importlib, json, pkgutil, sys, shilu_client
for module in pkgutil.walk_packages(shilu_client.__path__, "shilu_client."):
    importlib.import_module(module.name)
ours = {"schemas", "producers", "ledger", "streams", "consumers", "deploy"}
assert not ours & set(sys.modules), ours & set(sys.modules)
assert all(reason.zh and reason.en for reason in shilu_client.REASONS.values())
assert "id_form" in shilu_client.REASONS
print(json.dumps([name for name in shilu_client.__all__ if hasattr(shilu_client, name)]))
"""
    assert json.loads(run(client_python, code)) == public


def test_the_client_writes_and_reads_the_bytes_of_every_good_example(client_python: Path) -> None:
    code = """
import json, sys
from shilu_client import decode_event, encode, event_from_json, to_json
for line in sys.stdin:
    event = event_from_json(json.loads(line))
    value = encode(event)
    assert decode_event(value) == event and event_from_json(to_json(event)) == event
    print(value.hex())
"""
    given: list[Any] = [json.loads(path.read_text("utf-8")) for path in GOOD]
    assert len({one["type"] for one in given}) == len(EVENT_TYPES)
    said = run(client_python, code, given="\n".join(map(json.dumps, given)))
    assert said.split() == [encode(event_from_json(one)).hex() for one in given]


@pytest.mark.kafka
def test_an_event_of_the_installed_client_arrives_acknowledged(
    client_python: Path, producer_time: Broker, tmp_path: Path
) -> None:
    code = """
import sys
from pathlib import Path
from shilu_client import Client, Device, Place
place = Place("a-visit", "p-dcr", recording_org_id="sw1")
with Client(sys.argv[1], Path(sys.argv[2]), device=Device("kiosk/1.0", "d-1")) as client:
    arrived = client.check_in("v-wheel", place, occurred_at=int(sys.argv[3]))
    left = client.check_out("v-wheel", place, session_id=arrived.session_id)
    client.flush(timeout=60)
    assert client.pending == 0 and client.trouble is None
print(arrived.event_id, left.event_id)
"""
    said = run(client_python, code, producer_time.bootstrap, str(tmp_path / "box.db"), str(AT))
    records = [r for r in read_topic(producer_time.bootstrap, CHECKINS) if r.key == b"v-wheel"]
    assert event_ids(records) == said.split()
    arrived, left = (decode_event(record.value) for record in records)
    assert isinstance(arrived, CheckedIn)
    assert isinstance(left, CheckedOut)
    assert (arrived.occurred_at, arrived.app) == (AT, "kiosk/1.0")
    assert arrived.session_id == left.session_id


@pytest.mark.kafka
def test_a_malformed_event_is_refused_by_the_installed_client(
    client_python: Path, tmp_path: Path
) -> None:
    code = """
import sys
from pathlib import Path
from shilu_client import Client, MalformedEvent, Place
with Client("127.0.0.1:9", Path(sys.argv[1])) as client:
    try:
        client.check_in("张三", Place("a-visit", "p-dcr", recording_org_id="sw1"))
    except MalformedEvent as error:
        print(error.faults[0].field, client.pending)
"""
    assert run(client_python, code, str(tmp_path / "box.db")).split() == ["volunteer_id", "0"]


OURS = {"schemas": Path(), "schemas.times": Path(), "producers": Path()}


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("from schemas.times import DAY", "from shilu_client.schemas.times import DAY"),
        ("from schemas import times as t", "from shilu_client.schemas import times as t"),
        ("import schemas", "from shilu_client import schemas"),
        ("import schemas.times as t", "import shilu_client.schemas.times as t"),
        ("if x:\n    from schemas import y", "if x:\n    from shilu_client.schemas import y"),
        ("from schemas.times import (  # so\n    DAY,\n)",
         "from shilu_client.schemas.times import (  # so\n    DAY,\n)"),
        ("from librt.strings import BytesWriter",
         "from shilu_client.schemas.bytewriter import BytesWriter"),
        ("from schematics import schemas", "from schematics import schemas"),
        ("import json, sys\nx = 'schemas.y'", "import json, sys\nx = 'schemas.y'"),
    ],
)  # fmt: skip
def test_imports_of_ours_are_written_under_the_package(source: str, written: str) -> None:
    assert rewritten(source, OURS) == written


@pytest.mark.parametrize("line", ["import schemas.times", "import json, schemas as s"])
def test_an_import_that_cannot_be_written_so_stops_the_build(line: str) -> None:
    with pytest.raises(ShiluError, match="write from"):
        rewritten(line, OURS)


def test_a_package_outside_the_dependencies_stops_the_build(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text("import numpy")
    with pytest.raises(ShiluError, match="numpy"):
        requirements({"producers.x": file}, {"dependencies": ["uuid6>=2024"]})


def test_a_module_that_moved_is_found_where_it_went(tmp_path: Path) -> None:
    for name, source in {
        "producers/__init__.py": "",
        "producers/sdk.py": "from producers.sending.client import Client",
        "producers/sending/__init__.py": "",
        "producers/sending/client.py": "def f():\n    from schemas import times",
        "schemas/__init__.py": "",
        "schemas/times.py": "import json",
        "schemas/unused.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    assert sorted(modules(tmp_path)) == [
        "producers", ENTRY, "producers.sending", "producers.sending.client",
        "schemas", "schemas.times",
    ]  # fmt: skip
