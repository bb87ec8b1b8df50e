"""The commands without Kafka: what is kept then, what is said, and that it is never personal."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.vault.vault_errors import _TEXTS, REFUSALS
from schemas.topics import ACCESS
from schemas.wire.codec import encode
from tests.trail.fill import fill
from tests.trail.running import environment, shilu_here, until
from tests.vault.people import ADULT, CHILD, TRAVELLER, leaks, secrets_of
from vault.ask import asked, find_owner
from vault.store import Place

ROOT = Path(__file__).parents[2]
NOBODY = "127.0.0.1:1"
REASON = ("--reason", "asked at the counter")


def run(home: Path, *arguments: str, **changes: str) -> Any:
    return shilu_here(home, NOBODY, *arguments, **changes)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    assert run(tmp_path / "home", "vault", "init").returncode == 0
    return tmp_path / "home"


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    file = tmp_path / "people.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in (ADULT, TRAVELLER, CHILD)))
    return file


def raised(kind: str) -> set[str]:
    """Every code with which the vault raises an error of this kind, read from the source."""
    found = set()
    for path in (ROOT / "vault").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name == kind:
                    found |= _said(first)
    return found


def _said(node: ast.expr) -> set[str]:
    match node:
        case ast.Constant(value=str(code)):
            return {code}
        case ast.IfExp(body=one, orelse=other):
            return _said(one) | _said(other)
    return set()


def test_every_code_has_a_sentence_in_both_languages_and_every_sentence_a_code() -> None:
    codes = raised("VaultError") | {"vault_full", "unreadable", "token", "failed"}
    assert codes == set(_TEXTS)
    assert raised("Refused") | {"not_json", "oversized", "repeated_field"} == set(REFUSALS)
    for zh, en in (*_TEXTS.values(), *REFUSALS.values()):
        assert re.search(r"[\u4e00-\u9fff]", zh)
        assert not re.search(r"[\u4e00-\u9fff]", en)
        assert zh.count("{0}") == en.count("{0}")


def test_without_kafka_it_is_done_kept_and_said(home: Path, lines: Path) -> None:
    done = run(home, "vault", "register", str(lines), "--json")
    assert done.returncode == 1
    assert "4 events have not reached Kafka" in done.stderr
    name, *_ = [json.loads(line)["volunteer_id"] for line in done.stdout.splitlines()]
    gone = run(home, "forget", name, *REASON, "--json")
    assert (gone.returncode, json.loads(gone.stdout)["forgotten_now"]) == (1, True)
    again = run(home, "forget", name, *REASON, "--json")
    assert (again.returncode, json.loads(again.stdout)["forgotten_now"]) == (1, False)
    status = run(home, "vault", "status", "--json")
    found = json.loads(status.stdout)
    assert (found["people"], found["forgotten"], found["pending"]) == (2, 1, 6)


def test_each_line_has_its_result_and_a_bad_one_stops_no_other(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "mixed.jsonl"
    file.write_bytes(
        b"\xef\xbb\xbf" + json.dumps(ADULT).encode() + b"\n\n"
        + b"\xff\xfe not json\n"
        + json.dumps(ADULT | {"phone": "110"}).encode() + b"\n"
        + b'{"name": "' + b"x" * 20_000 + b'"}\n'
        + json.dumps(TRAVELLER).encode() + b"\n"
        + json.dumps(CHILD).encode().replace(b'"relation"', b'"phone": "1", "relation"') + b"\n"
        + json.dumps(ADULT).encode()[:-1] + b', "x": {"\xe5\xbc\xa0\xe4\xb8\x89": 1, '
        + b'"\xe5\xbc\xa0\xe4\xb8\x89": 2}}'
    )  # fmt: skip
    done = run(home, "vault", "register", str(file), "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["line"], one["status"], one["code"]) for one in found] == [
        (1, "registered", None),
        (3, "refused", "not_json"),
        (4, "refused", "phone"),
        (5, "refused", "oversized"),
        (6, "registered", None),
        (7, "refused", "repeated_field"),
        (8, "refused", "repeated_field"),
    ]
    # A field that nobody knows may be named after a person.
    assert [one["field"] for one in found[-2:]] == ["guardian.phone", ""]
    assert "张三" not in done.stdout + done.stderr
    assert not leaks(secrets_of(ADULT), [("said", (done.stdout + done.stderr).encode())])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_goes_wrong_is_one_sentence_that_names_nobody(
    home: Path, lines: Path, language: str
) -> None:
    done = run(home, "vault", "register", str(lines), "--json")
    name = json.loads(done.stdout.splitlines()[0])["volunteer_id"]
    said = []
    for arguments, code in (
        (("vault", "init"), "exist"),
        (("vault", "show", str(ADULT["name"])), "under this id"),
        (("vault", "show", name, "--unmask"), "--reason"),
        (("vault", "show", name, "--unmask", "--reason", f"for {ADULT['name']}"), "by the id"),
        (("vault", "show", name, "--unmask", *REASON, "--purpose", "x"), "purpose"),
        (("vault", "show", name, "--unmask", *REASON, "--actor", str(ADULT["name"])), "actor.id"),
        (("vault", "export", name, *REASON, "--out", str(lines), "--without-ledger"), "not exist"),
        (("vault", "export", name, *REASON, "--out", "-"), "trail"),
        (("vault", "verify", "--head", "1:xyz"), "--head"),
        (("forget", str(ADULT["name"]), *REASON), "under this id"),
    ):
        done = run(home, *arguments, SHILU_LANG=language)
        assert done.returncode == 1, arguments
        assert (code in done.stderr) or language == "zh", (arguments, done.stderr)
        assert done.stderr.count("\n") == 1, done.stderr
        assert not done.stdout
        said.append((" ".join(arguments[:2]), done.stderr.encode()))
    assert not leaks(secrets_of(ADULT), said)
    head = json.loads(run(home, "vault", "status", "--json").stdout)["head"]
    assert head.startswith("0:"), "a look that shows nothing leaves no entry"


def test_a_traceback_names_nobody_either(home: Path, lines: Path) -> None:
    run(home, "vault", "register", str(lines))
    for arguments in (
        ("vault", "show", str(ADULT["name"])),
        ("vault", "register", str(home / "nowhere.jsonl")),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "deploy.cli", "--debug", *arguments],
            env=environment(home, NOBODY), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert "Traceback" in done.stderr
        assert not leaks(secrets_of(ADULT), [("traceback", done.stderr.encode())])


def test_the_log_of_the_vault_and_its_copy_in_the_trail_are_compared(
    home: Path, lines: Path
) -> None:
    from consumers.kafka.records import Record
    from consumers.trail.store import open_trail
    from schemas.wire.codec import decode_event

    done = run(home, "vault", "register", str(lines), "--json")
    name = json.loads(done.stdout.splitlines()[0])["volunteer_id"]
    for _ in range(3):
        assert run(home, "vault", "show", name, "--unmask", *REASON).returncode == 1
    place = Place(home / "vault", home / "vault-key" / "master.key")
    with asked(place, lambda some: 0) as someone:
        values = [bytes.fromhex(one) for one in someone.ask("entries", {})["answer"]]

    def verified(copied: list[bytes], *arguments: str) -> tuple[int, Any]:
        with open_trail(home / "trail", create=True) as trail:
            trail.command("TRUNCATE TABLE event")
            fill(trail, [Record(ACCESS, 0, n, 1_000, None, v) for n, v in enumerate(copied)])
        done = run(home, "vault", "verify", "--json", *arguments)
        return done.returncode, json.loads(done.stdout)

    code, found = verified(values)
    # Nothing of it has reached Kafka here, which is said too.
    assert (code, found["entries"], found["behind"], found["faults"]) == (0, 3, 0, [])
    head = found["head"]
    assert verified([values[0], *values])[1]["faults"] == []
    assert verified(values[:2])[1]["behind"] == 1
    event = decode_event(values[2])
    forged = encode(type(event)(**{
        name: getattr(event, name) for name in event.__dataclass_fields__
    } | {"purpose": "inspection"}))  # fmt: skip
    for copied, arguments, codes in (
        ([values[0], values[2]], (), ["missing"]),
        ([*values[:2], forged], (), ["differs"]),
        ([*values[:2], forged], ("--without-vault", "--head", head), ["unknown_head"]),
    ):
        code, found = verified(copied, *arguments)
        assert (code, [one["code"] for one in found["faults"]]) == (1, codes)
    assert verified(values, "--without-vault", "--head", head)[0] == 0


def test_the_process_says_where_it_is_and_stops_when_told(home: Path) -> None:
    place = Place(home / "vault", home / "vault-key" / "master.key")
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "vault", "serve"],
        env=environment(home, NOBODY), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        owner = until(lambda: find_owner(place), "the vault to answer")
        with owner.client:
            assert owner.ask("status", {})["answer"]["people"] == 0
        token = json.loads(place.owner_file.read_text())["token"]
        process.terminate()
        said, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "http://127.0.0.1:" in said
        assert token not in said
        assert not place.owner_file.exists()
    finally:
        process.kill()
        process.wait()
