"""Nothing by which a person is known leaves the vault: the whole pipeline, searched byte by byte.

One name is planted where it must not be, in three forms; a search that does not find it is no
search.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from consumers.api.trail_client import At, find_owner
from consumers.trail.store import open_trail
from deploy.services.local import bootstrap
from deploy.settings import Settings
from schemas.topics import (
    ACCESS,
    ACCOUNTS,
    ALL,
    CATALOGUE,
    CHECKINS,
    CHECKPOINTS,
    HOURS,
    POSTINGS,
    QUARANTINE,
)
from schemas.wire.codec import encode
from schemas.wire.jsonform import event_from_json
from tests.trail.running import environment, shilu, shilu_here, until
from tests.vault.people import ADULT, CHILD, TRAVELLER, files_of, leaks, secrets_of
from vault.ask import find_owner as find_vault
from vault.store import Place

pytestmark = pytest.mark.kafka

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples" / "good"
PLANTED = "诸葛植入泄漏"
PEOPLE = (ADULT, CHILD, TRAVELLER)
REASON = "asked at the counter"


class Deployment:
    """A deployment of its own in `home`, and everything its commands printed."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.printed: list[tuple[str, bytes]] = []

    def run(
        self, *arguments: str, exit_code: int = 0, secret: bool = False, vault: Path | None = None
    ) -> str:
        """A command; its output must not say anything of anybody unless it is `secret`."""
        changes = {} if vault is None else {"SHILU_VAULT": str(vault)}
        quick = arguments[0] not in ("up", "down", "seal", "status", "--debug")
        done = (shilu_here if quick else shilu)(self.home, "", *arguments, **changes)
        assert done.returncode == exit_code, (arguments, done.stdout, done.stderr)
        said = done.stderr if secret else done.stdout + done.stderr
        self.printed.append((" ".join(arguments[:3]), said.encode()))
        return str(done.stdout)

    @property
    def place(self) -> Place:
        return Place(self.home / "vault", self.home / "vault-key" / "master.key")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Kafka, worker, sink and vault, each a process of its own."""
    made = Deployment(tmp_path_factory.mktemp("leaks") / "home")
    serving = None
    try:
        made.run("up", "-d", "--timestamps", "producer")
        made.run("vault", "init")
        with (made.home / "log" / "vault.log").open("wb") as log:
            serving = subprocess.Popen(
                [sys.executable, "-m", "deploy.cli", "--debug", "vault", "serve"],
                env=environment(made.home, ""), stdout=log, stderr=log,
            )  # fmt: skip
        until(lambda: find_vault(made.place), "the vault to answer")
        yield made
    finally:
        if serving is not None:
            serving.terminate()
            serving.wait(30)
        shilu(made.home, "", "down")


def events_of(names: list[str]) -> Iterator[dict[str, Any]]:
    """An organisation with a project, and an hour of each of these people."""
    known = {"org_id": "sw1", "occurred_at": "2026-03-01T08:00:00+08:00"}
    yield {"type": "OrgRegistered", "event_id": "leak-1", "kind": "social_work",
           "name": PLANTED, **known}  # fmt: skip
    yield {"type": "ProjectPublished", "event_id": "leak-2", "project_id": "p-1",
           "service_field": "elderly", **known}  # fmt: skip
    for number, name in enumerate(names):
        common = {"volunteer_id": name, "session_id": f"s-{number}", "activity_id": "a-1",
                  "project_id": "p-1", "recording_org_id": "sw1", "host_org_id": "sw1",
                  "channel": "qr", "actor": {"id": name, "role": "volunteer"},
                  "evidence": [f"https://x.example/?who={quote(PLANTED)}"]}  # fmt: skip
        for kind, hour in (("CheckedIn", "09"), ("CheckedOut", "10")):
            at = f"2026-03-02T{hour}:00:00+08:00"
            yield {"type": kind, "event_id": f"{kind}-{number}", "occurred_at": at,
                   "recorded_at": at, **common}  # fmt: skip


def send_others(bootstrap: str, name: str) -> None:
    """Something on the topics that the hour does not touch; some bytes are no event."""
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for topic in ALL:
        if topic.facts and topic.name not in (CHECKINS, CATALOGUE, ACCESS):
            file = min((EXAMPLES / topic.carries.partition(",")[0]).glob("*.json"))
            event = event_from_json(json.loads(file.read_text()) | {"volunteer_id": name})
            producer.send(topic.name, key=name.encode(), value=encode(event))
    producer.send(HOURS, key=name.encode(), value=b"no event")
    producer.close()


def records_of(bootstrap: str) -> Iterator[tuple[str, bytes]]:
    """Key, headers and value of every record of every topic."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, consumer_timeout_ms=10_000)
    try:
        for topic in ALL:
            places = [
                TopicPartition(topic.name, number)
                for number in consumer.partitions_for_topic(topic.name) or ()
            ]
            consumer.assign(places)
            ends = consumer.end_offsets(places)
            consumer.seek_to_beginning(*places)
            while any(consumer.position(place) < ends[place] for place in places):
                for records in consumer.poll(1_000).values():
                    for r in records:
                        headers = b" ".join(key.encode() + value for key, value in r.headers)
                        yield topic.name, b" ".join((r.key or b"", headers, r.value or b""))
    finally:
        consumer.close()


def tables_of(home: Path) -> Iterator[tuple[str, bytes]]:
    """Every column of every row of every table of the trail."""
    with open_trail(home / "trail") as trail:
        for row in trail.query("SELECT name FROM system.tables WHERE database = 'shilu'"):
            name = row["name"]
            cells = [
                cell if isinstance(cell, bytes) else repr(cell).encode()
                for batch in trail.stream(f"SELECT * FROM {name}")
                for one in batch.to_pylist()
                for cell in one.values()
            ]
            yield f"table {name}", b"\n".join(cells)


def pages_of(running: Deployment) -> Iterator[tuple[str, bytes]]:
    """What the processes say of themselves over HTTP."""
    ports = [json.loads((running.home / "run" / "worker-1.json").read_text())["facts"]["port"]]
    owner, vault = find_owner(At(running.home)), find_vault(running.place)
    assert owner is not None
    assert vault is not None
    addresses = [f"http://127.0.0.1:{port}" for port in ports]
    with owner.client as sink, vault.client as client:
        addresses += [str(sink.base_url), str(client.base_url)]
    for address in addresses:
        for page in ("/health", "/metrics"):
            yield address + page, httpx.get(address + page, trust_env=False).content


def test_nothing_personal_leaves_the_vault(running: Deployment, tmp_path: Path) -> None:
    lines = tmp_path / "people.jsonl"
    lines.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in PEOPLE))
    bad = tmp_path / "bad.jsonl"
    bad.write_text(
        json.dumps(ADULT | {"phone": ADULT["name"]})
        + f"\n{ADULT['name']} {ADULT['phone']}\n"
        + json.dumps({ADULT["name"]: 1})
    )
    found = running.run("vault", "register", str(lines), "--json")
    names = [json.loads(line)["volunteer_id"] for line in found.splitlines()]
    running.run("vault", "register", str(bad), exit_code=1)
    assert "3 known" in running.run("vault", "register", str(lines))

    history = tmp_path / "events.jsonl"
    history.write_text("".join(json.dumps(event) + "\n" for event in events_of(names)))
    running.run("emit", str(history))
    address = bootstrap(Settings(home=running.home, bootstrap=""))
    send_others(address, names[1])
    running.run("status", "--wait", "60")
    assert {total(running, name) for name in names} == {60}
    running.run("seal", "--once")
    running.run("status", "--wait", "60")

    forgotten = names[0]
    assert "欧****" in running.run("vault", "show", forgotten)
    reason = ("--reason", REASON)
    full = running.run("vault", "show", forgotten, "--unmask", *reason, secret=True)
    assert json.loads(full)["name"] == ADULT["name"]
    given = tmp_path / "given.json"
    running.run("vault", "export", forgotten, *reason, "--out", str(given))
    told = json.loads(given.read_text())
    assert told["personal"]["phone"] == "13800138000"
    assert told["ledger"]["total"]["minutes"] == 60
    assert [one["action"] for one in told["accesses"]] == ["lookup", "unmask", "export"]
    assert given.stat().st_mode & 0o777 == 0o600
    named = ("--reason", f"{ADULT['name']} wants it")
    for command in (("vault", "show", forgotten, "--unmask"), ("forget", forgotten)):
        running.run(*command, *named, exit_code=1)
    running.run("--debug", "vault", "show", "v-nobody", exit_code=1)

    running.run("export", "--bundle", str(running.home / "bundle-before"))
    before = (total(running, names[1]), total(running, forgotten))
    backup = tmp_path / "backup"
    shutil.copytree(running.place.folder, backup)
    (backup / "serve.json").unlink()
    running.run("forget", forgotten, *reason)
    assert "before" in running.run("forget", forgotten, *reason)
    running.run("vault", "show", forgotten, exit_code=1)
    running.run("status", "--wait", "60")
    running.run("vault", "verify")
    assert (total(running, names[1]), total(running, forgotten)) == before
    assert "old copy" in running.run("vault", "verify", exit_code=1, vault=backup)
    assert "1 people forgotten again" in running.run("vault", "catch-up", vault=backup)
    running.run("vault", "verify", vault=backup)
    running.run("vault", "show", forgotten, exit_code=1, vault=backup)
    running.run("export", "--bundle", str(running.home / "bundle"))
    running.run("verify", str(running.home / "bundle"))
    running.run("verify", str(running.home / "bundle-before"))
    again = json.loads(running.run("vault", "register", str(lines), "--json").splitlines()[0])
    assert again["status"] == "registered"
    assert again["volunteer_id"] not in names
    running.run("status", "--wait", "60")

    haystacks = [*records_of(address), *pages_of(running), *running.printed]
    running.run("down")
    haystacks += tables_of(running.home)
    haystacks += files_of(running.home)
    places = {place.partition("/")[0] for place, _ in haystacks}
    written = {POSTINGS, ACCOUNTS, QUARANTINE, CHECKPOINTS}
    assert {topic.name for topic in ALL if topic.facts} | written <= places
    secrets = [*(secret for one in PEOPLE for secret in secrets_of(one)), REASON]
    assert leaks(secrets, haystacks) == []
    planted = {place for place, _ in leaks([PLANTED], haystacks)}
    assert {CATALOGUE, CHECKINS, "table event", "table catalogue"} <= planted


def total(running: Deployment, name: str) -> int:
    found: int = json.loads(running.run("total", name, "--json"))["minutes"]
    return found


def test_the_access_log_of_the_trail_has_every_look(running: Deployment) -> None:
    with open_trail(running.home / "trail") as trail:
        rows = trail.query(
            "SELECT question, asker, volunteer_id, arguments FROM access_log "
            "WHERE startsWith(question, 'vault.') ORDER BY offset"
        )
    assert [row["question"] for row in rows][-4:] == [
        "vault.export", "vault.erase", "vault.lookup", "vault.lookup",
    ]  # fmt: skip
    unmasked = next(row for row in rows if row["question"] == "vault.unmask")
    said = json.loads(unmasked["arguments"])
    assert (said["purpose"], len(said["reason_hash"])) == ("contact", 64)
    assert "name" in said["opened"]
    assert [json.loads(row["arguments"])["entry_no"] for row in rows] == list(
        range(1, len(rows) + 1)
    )
