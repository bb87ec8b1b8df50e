"""Issuing, checking and revoking at the terminal, over a real Kafka, a sink and a seal.

`tests/test_cli_page.py` does it once more with the real worker; here a book says what a worker
would, so that every state comes up.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
import zxingcpp

from consumers.kafka.reader import Log
from consumers.kafka.records import Place
from deploy.broker.broker import Broker
from schemas.events import CertificateIssued, CertificateRevoked, VolunteerErased
from schemas.topics import RECOGNITION
from schemas.wire.codec import decode_event
from tests.certificate.samples import picture
from tests.seal.conftest import cluster, trail_broker
from tests.trail.book import MORNING, Book, line
from tests.trail.fill import Sender
from tests.trail.running import copied, shilu_here, sink_process
from tests.vault.people import ADULT

__all__ = ["cluster", "trail_broker"]
pytestmark = pytest.mark.kafka


class Office:
    """A deployment whose worker is a book."""

    def __init__(self, home: Path, cluster: Broker) -> None:
        self.home, self.at = home, cluster.bootstrap
        self.book, self.sender = Book(), Sender(cluster.bootstrap)
        self.judged = 0

    def run(self, *arguments: str, code: int = 0, **changes: str) -> Any:
        done = shilu_here(self.home, self.at, *arguments, **changes)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def json(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run(*arguments, "--json", code=code).stdout)
        return found

    def send(self) -> None:
        """Everything of the book into the log, and wait until the trail has it."""
        self.sender.send(self.book)
        self.wait()

    def wait(self) -> None:
        """Until the trail has what the log holds."""
        copied(self.home, self.at)

    def judge(self) -> list[Any]:
        """Post, as a worker would, what the commands have sent since the last time."""
        with Log(self.at) as log:
            ends = log.ends(log.places([RECOGNITION]))
            records = [
                (place, record)
                for place, some in log.read_all({place: (0, end) for place, end in ends.items()})
                for record in some
            ]
        records.sort(key=lambda one: one[1].timestamp)
        new = records[self.judged :]
        self.judged = len(records)
        events = []
        for _, record in new:
            event: Any = decode_event(record.value)
            self.book.post(record, event)
            place = Place(record.topic, record.partition)
            self.book.offsets[place] = max(self.book.offsets[place], record.offset + 1)
            events.append(event)
        self.send()
        return events


@pytest.fixture
def office(cluster: Broker, tmp_path: Path) -> Iterator[Office]:
    found = Office(tmp_path / "home", cluster)
    book = found.book
    book.org("org-a", "春风社工")
    book.serve("v-1", "s-1", line(150))
    book.serve("v-1", "s-2", line(45, session_id="s-2", recording_org_id="org-b"))
    book.serve("v-1", "s-3", line(60, session_id="s-3", state="held_org"))
    with sink_process(found.home, found.at):
        found.send()
        yield found


def test_from_issue_to_withdrawal(office: Office, tmp_path: Path) -> None:
    pdf, home = tmp_path / "c.pdf", office.home
    issue = ("certificate", "issue", "v-1", "--org", "org-a", "--out", str(pdf))
    key = tmp_path / "ledger.vkey"
    assert "keys init" in office.run(*issue, code=1).stderr
    key.write_text(office.run("keys", "init", "--name", "example.org/hours").stdout)
    assert "seal --once" in office.run(*issue, code=1).stderr
    assert not pdf.exists()
    office.run("seal", "--once")
    assert "OrgSucceeded" in office.run(*issue, "--successor", "org-b", code=1).stderr
    assert not pdf.exists()
    name = tmp_path / "name"
    name.write_text("张三\n")
    done = office.json(*issue, "--name-file", str(name))
    number = done["number"]
    assert (done["minutes"], done["attendances"], done["proofs"]) == (150, 1, 1)
    drawn = picture(pdf.read_bytes())
    assert [code.text for code in zxingcpp.read_barcodes(drawn)] == [done["qr"]]
    proven = office.run("verify", str(pdf.with_suffix(".proofs")), "--key", str(key)).stdout
    assert json.loads(proven)["posting"]["volunteer_id"] == "v-1"

    office.wait()
    assert office.json("certificate", "check", number, code=3)["state"] == "pending"
    events = office.judge()
    assert [type(event) for event in events] == [CertificateIssued]
    assert (events[0].minutes, events[0].issuer_org_id) == (150, "org-a")
    assert events[0].checkpoint_origin.startswith("example.org/hours/p")
    for subject in (number, number.lower(), str(pdf), str(pdf.with_suffix(".jwt")), done["qr"]):
        found = office.json("certificate", "check", subject)
        assert (found["state"], found["minutes"], found["exit_code"]) == ("valid", 150, 0)
        assert "v-1" not in str(found)
    _nothing_forged_passes(office, pdf, done, tmp_path)
    # Somewhere else, without a ledger: what is signed can be told, its state cannot.
    away = tmp_path / "elsewhere"
    elsewhere = shilu_here(
        away, office.at, "certificate", "check", str(pdf), "--key", str(key), "--json"
    )
    assert (elsewhere.returncode, json.loads(elsewhere.stdout)["state"]) == (3, "offline")

    office.book.void("v-1", "s-1", line(-30))
    office.send()
    said = office.run("certificate", "check", str(pdf), code=4).stdout
    assert "amended by -30 minutes" in said
    second = tmp_path / "second.pdf"
    again = office.json("certificate", "issue", "v-1", "--org", "org-a", "--out", str(second),
                        "--no-proofs", "--supersedes", number)  # fmt: skip
    assert (again["minutes"], again["supersedes"], again["proofs"]) == (120, number, 0)
    office.judge()
    assert office.json("certificate", "check", number, code=5)["superseded_by"] == again["number"]
    revoke = ("certificate", "revoke", again["number"], "--reason", "issued_by_mistake")
    assert "OrgSucceeded" in office.run(*revoke, "--successor", "org-b", code=1).stderr
    office.run(*revoke)
    assert [type(event) for event in office.judge()] == [CertificateRevoked]
    said = office.run("certificate", "check", str(second), code=6, SHILU_LANG="zh").stdout
    assert "已撤销" in said
    assert number in office.run("certificate", "list", "--org", "org-a").stdout

    office.book.catalogue(VolunteerErased(office.book.event_id(), "v-1", MORNING, None))
    office.send()
    found = office.json("certificate", "check", str(second), code=7)
    assert found == {
        "signed": True,
        "number": again["number"],
        "state": "withdrawn",
        "exit_code": 7,
    }
    assert "forgotten" in office.run(*issue[:-1], str(tmp_path / "x.pdf"), code=1).stderr
    for place in (home, tmp_path):
        for file in place.rglob("*"):
            if file.is_file() and file.name not in ("name", "rare"):
                assert "张三".encode() not in file.read_bytes(), f"the name is in {file}"


def test_the_name_is_the_vaults_where_somebody_says_why(office: Office, tmp_path: Path) -> None:
    lines, out = tmp_path / "people.jsonl", tmp_path / "c.pdf"
    lines.write_text(json.dumps(ADULT) + "\n", "utf-8")
    office.run("vault", "init")
    known = json.loads(office.run("vault", "register", str(lines), "--json").stdout)
    person = known["volunteer_id"]
    office.book.serve(person, "s-9", line(90, session_id="s-9"))
    office.send()
    office.run("keys", "init")
    office.run("seal", "--once")
    issue = ("certificate", "issue", person, "--out", str(out), "--name-from-vault")
    why = ("--reason", "asked at the counter")
    assert "--reason" in office.run(*issue, "--org", "org-a", code=1).stderr
    assert (
        "--name-file"
        in office.run(*issue, "--org", "org-a", *why, "--name-file", str(lines), code=1).stderr
    )
    # Where nothing is certified nobody is looked at.
    office.run(*issue, *why, "--org", "org-none", code=1)
    assert office.json("vault", "status")["head"].startswith("0:")
    done = office.json(*issue, *why, "--org", "org-a", "--by", "u-9")
    with pypdfium2.PdfDocument(out.read_bytes()) as document:
        assert ADULT["name"] in document[0].get_textpage().get_text_bounded()
    assert office.json("vault", "status")["head"].startswith("1:")
    told = json.loads(office.run("vault", "export", person, *why, "--out", "-").stdout)
    look = told["accesses"][0]
    assert (look["action"], look["purpose"], look["opened"]) == ("name", "certificate", ["name"])
    assert look["reason"] == f"{done['number']}: asked at the counter"
    assert look["actor"] == {"id": "u-9", "role": "organiser", "org_id": "org-a"}
    # The look is in the ledger, and under the seal; the name is neither there nor anywhere else.
    office.run("seal", "--once")
    office.wait()
    office.run("export", "--bundle", str(tmp_path / "bundle"))
    report = office.json("verify", str(tmp_path / "bundle"))
    assert (report["state"], report["sealed"]["access"]) == ("green", 2)
    for file in (*office.home.rglob("*"), *(tmp_path / "bundle").rglob("*")):
        if file.is_file():
            assert str(ADULT["name"]).encode() not in file.read_bytes(), file
    office.run("forget", person, *why)
    again = (*issue[:4], str(tmp_path / "again.pdf"), issue[5])
    assert "forgotten" in office.run(*again, "--org", "org-a", *why, code=1).stderr


def _nothing_forged_passes(office: Office, pdf: Path, done: Any, tmp_path: Path) -> None:
    """Each is refused with a sentence."""
    number, forged = done["number"], tmp_path / "forged.pdf"
    content = pdf.read_bytes()
    middle = len(content) // 2
    token = pdf.with_suffix(".jwt").read_bytes()
    for wrong in (
        content[:-1],
        content[:middle],
        content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        # The last byte of a signature is below 17, so it is zero now and then.
        token[:-2] + (b"AA" if token[-2:] != b"AA" else b"AQ"),
        b"",
    ):
        forged.write_bytes(wrong)
        said = office.run("certificate", "check", str(forged), code=1).stderr
        assert said.startswith("✘")
        assert "Traceback" not in said
    mistyped = number[:-1] + ("0" if number[-1] != "0" else "1")
    assert "mistyped" in office.run("certificate", "check", mistyped, code=1).stderr
    assert (
        "no such number" in office.run("certificate", "check", "60RK-4CSM-6MV3-EE1P", code=1).stdout
    )
    for text in ("x" * 9000, "no/such.pdf", "张三", str(tmp_path)):
        assert "looks like" in office.run("certificate", "check", text, code=1).stderr
    scanned = done["qr"].replace("#", "#x")[:-1]
    assert "do not rely" in office.run("certificate", "check", scanned, code=1).stderr
    stranger = tmp_path / "stranger.vkey"
    init = ("keys", "init", "--name", "example.org/hours")
    stranger.write_text(shilu_here(tmp_path / "other", office.at, *init).stdout)
    said = office.run("certificate", "check", str(pdf), "--key", str(stranger), code=1).stderr
    assert "you do not know" in said
    rare = tmp_path / "rare"
    rare.write_text("张\u1234\n")
    issue = ("certificate", "issue", "v-1", "--org", "org-a", "--out", str(tmp_path / "y.pdf"))
    said = office.run(*issue, "--name-file", str(rare), code=1).stderr
    assert "U+1234" in said
    assert "--font" in said
    said = office.run(*issue, "--name-file", str(rare), "--font", str(stranger), code=1).stderr
    assert "TrueType" in said
    rare.write_bytes(b"\xff\n")
    assert "UTF-8" in office.run(*issue, "--name-file", str(rare), code=1).stderr
    for arguments in (
        ("issue", "v-1", "--org", "org-a", "--out", str(pdf)),
        ("issue", "v-1", "--org", "org-a", "--out", str(tmp_path / "name")),
        ("issue", "v-1", "--org", "org-c", "--out", "x.pdf"),
        ("issue", "v-9", "--org", "org-a", "--out", "x.pdf"),
        ("issue", "v-1", "--org", "org-b", "--out", "x.pdf", "--supersedes", number),
        ("issue", "v-1", "--org", "org-a", "--out", "x.pdf", "--from", "2026-02-30"),
        ("revoke", number, "--reason", "Because!"),
        ("revoke", "60RK-4CSM-6MV3-EE1P", "--reason", "mistake"),
    ):
        assert office.run("certificate", *arguments, code=1).stderr.startswith("✘")
