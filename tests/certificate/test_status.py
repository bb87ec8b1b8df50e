"""What can be certified and what becomes of a certificate, over a real chDB."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from consumers.api.questions_by_name import BadQuestion, answer
from consumers.certificates.certificate import Row as Certified
from consumers.certificates.certificate import new_number
from consumers.trail.rows import Row, arrow, rows_of
from consumers.trail.store import Trail, open_trail
from schemas.events import (
    Actor,
    CertificateIssued,
    CertificateRevoked,
    OrgSucceeded,
    ProjectPublished,
    VolunteerErased,
    VolunteerMerged,
    VolunteerUnmerged,
)
from schemas.posting import Outcome
from schemas.times import DAY, day
from tests.trail.book import MORNING, Book, line

FIRST, SECOND = new_number(b"a" * 10), new_number(b"b" * 10)
_TOKENS = count()
DAY_ONE = day("2025-03-01")
DESK = Actor("desk-1", "organiser", "org-a")
ACT: Any = {"occurred_at": MORNING, "sent_at": None, "channel": "admin", "device_id": None,
            "app": None, "offline": False, "actor": DESK, "evidence": ()}  # fmt: skip


class Desk:
    """An organisation's desk over a book: it certifies, revokes, and asks the trail."""

    def __init__(self, trail: Trail) -> None:
        self.trail = trail
        self.book = Book()
        self.filled: set[tuple[str, int, int]] = set()
        for table in ("event", "posting", "line", "catalogue"):
            trail.command(f"TRUNCATE TABLE {table}")
        self.book.org("org-a", "春风社工")

    def ask(self, question: str, **arguments: Any) -> Any:
        """What is new in the book goes into the trail, then the question is put."""
        records = [*self.book.inputs, *self.book.outputs()]
        fresh = [record for record in records if record[:3] not in self.filled]
        self.filled |= {record[:3] for record in fresh}
        rows: defaultdict[str, list[Row]] = defaultdict(list)
        for record in fresh:
            for table, row in rows_of(record):
                rows[table].append(row)
        for table, own in rows.items():
            self.trail.insert(table, arrow(table, own), f"{table}/{next(_TOKENS)}")
        return answer(self.trail, question, arguments, asker="test")

    def issue(self, number: str = FIRST, *, minutes: int = 120, outcome: Outcome | None = "posted",
              reason: str | None = None, **changes: Any) -> None:  # fmt: skip
        event = CertificateIssued(
            self.book.event_id(), "v-1", number, "org-a", DAY_ONE, DAY_ONE + 30, minutes, 1,
            "0" * 64, None, None, None, **ACT,
        )  # fmt: skip
        self._put(replace(event, **changes), outcome, reason)

    def revoke(self, number: str = FIRST, *, outcome: Outcome | None = "posted",
               reason: str | None = None, **changes: Any) -> None:  # fmt: skip
        event = CertificateRevoked(
            self.book.event_id(), "v-1", number, "org-a", "issued_by_mistake", **ACT
        )
        self._put(replace(event, **changes), outcome, reason)

    def _put(
        self,
        event: CertificateIssued | CertificateRevoked,
        outcome: Outcome | None,
        reason: str | None,
    ) -> None:
        record = self.book.put(event)
        if outcome is not None:
            self.book.post(record, event, outcome=outcome, reason=reason)

    def state(self, number: str = FIRST) -> str:
        return str(self.ask("certificate", number=number)["state"])


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trail]:
    with open_trail(tmp_path_factory.mktemp("trail"), create=True) as opened:
        yield opened


@pytest.fixture
def desk(trail: Trail) -> Desk:
    found = Desk(trail)
    found.book.serve("v-1", "s-1", line(120))
    return found


def test_only_effective_service_recorded_by_the_organisation_is_certified(desk: Desk) -> None:
    book = desk.book
    book.catalogue(
        ProjectPublished(book.event_id(), "p-1", "org-a", "稻草人计划", None, "community", None,
                         None, None, MORNING, None)
    )  # fmt: skip
    book.serve("v-1", "s-2", line(45, session_id="s-2", recording_org_id="org-b"))
    book.serve(
        "v-1", "s-3", line(50, session_id="s-3", recording_org_id="org-b", host_org_id="org-a")
    )
    for number, state in enumerate(("held_org", "held_province", "held_review", "rejected")):
        book.serve("v-1", f"h-{number}", line(60, session_id=f"h-{number}", state=state))
    book.serve("v-1", "s-4", line(70, session_id="s-4", kind="training"))
    book.serve("v-2", "s-5", line(80, session_id="s-5"))
    book.serve("v-1", "s-6", line(90, session_id="s-6"))
    book.void("v-1", "s-6", line(-90, session_id="s-6"))
    book.serve("v-1", "s-7", line(33, session_id="s-7", at=MORNING + 40 * DAY, kind="manual"))
    found = desk.ask("certifiable", volunteer_id="v-1", org_id="org-a")
    rows = [Certified(**row) for row in found["rows"]]
    assert rows == [
        Certified("p-1", "a-1", DAY_ONE, "service", 120),
        Certified("p-1", "a-1", DAY_ONE + 40, "manual", 33),
    ]
    assert found["org"]["name"] == "春风社工"
    assert found["projects"] == [{"id": "p-1", "name": "稻草人计划", "field": "community"}]
    assert found["sequence"] == book.kept["v-1"].sequence
    moved = {(p.partition, p.index) for p in book.postings if p.volunteer_id == "v-1" and any(
        one.recording_org_id == "org-a" and one.state == "effective" and one.kind != "training"
        for one in p.lines)}  # fmt: skip
    assert {(one["partition"], one["index"]) for one in found["postings"]} == moved
    span = desk.ask("certifiable", volunteer_id="v-1", org_id="org-a", from_date=DAY_ONE + 1,
                    to_date=DAY_ONE + 40)  # fmt: skip
    assert [row["minutes"] for row in span["rows"]] == [33]
    nobody = desk.ask("certifiable", volunteer_id="v-9", org_id="org-a")
    assert (nobody["sequence"], nobody["rows"], nobody["postings"]) == (0, [], [])


def test_a_certificate_is_valid_until_something_happens(desk: Desk) -> None:
    assert desk.ask("certificate", number=FIRST) is None
    desk.issue()
    found = desk.ask("certificate", number=FIRST)
    assert (found["state"], found["minutes"], found["change_minutes"]) == ("valid", 120, 0)
    assert found["issuer_org"]["name"] == "春风社工"
    assert "v-1" not in str(found)


def test_what_comes_after_its_days_or_from_elsewhere_changes_nothing(desk: Desk) -> None:
    desk.issue()
    book = desk.book
    book.serve("v-1", "s-2", line(45, session_id="s-2", at=MORNING + 31 * DAY))
    book.serve("v-1", "s-3", line(45, session_id="s-3", recording_org_id="org-b"))
    book.serve("v-1", "s-4", line(45, session_id="s-4", state="held_org"))
    book.serve("v-2", "s-5", line(45, session_id="s-5"))
    assert desk.state() == "valid"


def test_e19_a_correction_amends_and_says_by_how_much(desk: Desk) -> None:
    desk.issue()
    desk.book.void("v-1", "s-1", line(-50))
    found = desk.ask("certificate", number=FIRST)
    assert (found["state"], found["minutes"], found["minutes_now"]) == ("amended", 120, 70)
    assert found["change_minutes"] == -50
    assert found["changes"] == [
        {"project_id": "p-1", "activity_id": "a-1", "service_date": "2025-03-01", "kind": "service",
         "minutes": 120, "minutes_now": 70}
    ]  # fmt: skip
    desk.book.serve("v-1", "s-2", line(50, session_id="s-2"))
    assert desk.state() == "valid"


def test_i11_what_a_certificate_says_never_changes_whatever_its_status(desk: Desk) -> None:
    desk.issue()
    says = ("number", "minutes", "attendances", "from_date", "to_date", "snapshot_sha256",
            "issuer_org", "issued_at")  # fmt: skip
    states, said = [], []

    def look() -> None:
        found = desk.ask("certificate", number=FIRST)
        states.append(found["state"])
        said.append({name: found[name] for name in says})

    look()
    desk.book.void("v-1", "s-1", line(-50))
    look()
    desk.issue(SECOND, supersedes_id=FIRST, minutes=70)
    look()
    desk.revoke()
    look()
    assert states == ["valid", "amended", "superseded", "revoked"]
    assert said[1:] == said[:1] * 3
    assert said[0]["minutes"] == 120


def test_minutes_moved_to_another_day_amend_by_nothing_but_amend(desk: Desk) -> None:
    desk.issue()
    desk.book.void("v-1", "s-1", line(-120), line(120, at=MORNING + DAY))
    found = desk.ask("certificate", number=FIRST)
    assert (found["state"], found["change_minutes"], len(found["changes"])) == ("amended", 0, 2)


def test_what_came_between_snapshot_and_posting_is_a_change_too(desk: Desk) -> None:
    desk.issue(minutes=75)
    found = desk.ask("certificate", number=FIRST)
    assert (found["state"], found["change_minutes"], found["changes"]) == ("amended", 45, [])


def test_e19_a_reissue_supersedes_and_a_refused_one_does_not(desk: Desk) -> None:
    desk.issue()
    desk.issue(SECOND, supersedes_id=FIRST, outcome="refused", reason="volunteer_erased")
    assert desk.state() == "valid"
    desk.issue(SECOND, supersedes_id=FIRST)
    found = desk.ask("certificate", number=FIRST)
    assert (found["state"], found["superseded_by"]) == ("superseded", SECOND)
    assert desk.ask("certificate", number=SECOND)["supersedes"] == FIRST
    assert desk.state(SECOND) == "valid"


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "revoked"),
        # It came before its certificate, and waits for it.
        ({"outcome": "held", "reason": "awaiting_target"}, "revoked"),
        ({"outcome": "refused", "reason": "volunteer_erased"}, "valid"),
        ({"outcome": None}, "valid"),
        ({"issuer_org_id": "org-b"}, "valid"),
        ({"volunteer_id": "v-2"}, "valid"),
        ({"number": SECOND}, "valid"),
    ],
)
def test_a_revocation_counts_if_the_ledger_took_it(
    desk: Desk, changes: dict[str, Any], state: str
) -> None:
    desk.issue()
    desk.revoke(**changes)
    assert desk.state() == state


def test_what_the_worker_has_not_judged_or_has_refused_is_no_certificate(desk: Desk) -> None:
    desk.issue(outcome=None)
    found = desk.ask("certificate", number=FIRST)
    assert (found["state"], found["change_minutes"], found["changes"]) == ("pending", 0, [])
    desk.issue(SECOND, outcome="refused", reason="volunteer_erased")
    found = desk.ask("certificate", number=SECOND)
    assert (found["state"], found["reason"]) == ("refused", "volunteer_erased")
    assert found["zh"]
    assert found["en"]


def test_the_first_of_two_under_one_number_stands(desk: Desk) -> None:
    desk.issue(minutes=120)
    desk.issue(minutes=1, volunteer_id="v-2")
    assert desk.ask("certificate", number=FIRST)["minutes"] == 120


def test_an_erased_holder_leaves_the_state_and_nothing_else(desk: Desk) -> None:
    desk.issue()
    desk.book.catalogue(VolunteerErased(desk.book.event_id(), "v-1", MORNING, None))
    assert desk.ask("certificate", number=FIRST) == {"number": FIRST, "state": "withdrawn"}
    assert desk.ask("certificates") == [{"number": FIRST, "state": "withdrawn"}]
    assert desk.ask("certifiable", volunteer_id="v-1", org_id="org-a")["erased"]


def test_a_successor_that_the_catalogue_does_not_know_certifies_nothing(desk: Desk) -> None:
    """What the ledger would refuse is refused before anything is signed."""
    asked: dict[str, Any] = {"volunteer_id": "v-1", "org_id": "org-a"}
    assert desk.ask("certifiable", **asked)["refused"] is None
    assert desk.ask("certifiable", **asked, successor_id="org-b")["refused"] == "not_for_org"
    assert desk.ask("certificate_refusal", **asked, successor_id="org-b") == "not_for_org"
    assert desk.ask("certificate_refusal", **asked, actor_id="v-1") == "own_record"
    desk.book.catalogue(OrgSucceeded("suc-1", "org-a", "org-b", MORNING, None))
    assert desk.ask("certifiable", **asked, successor_id="org-b")["refused"] is None


def test_a_merged_holder_is_asked_for_under_the_survivor(desk: Desk) -> None:
    desk.issue()
    book = desk.book
    book.serve("v-11", "s-2", line(30, session_id="s-2"))
    book.catalogue(VolunteerMerged(book.event_id(), "v-11", "v-12", MORNING, None))
    assert desk.state() == "valid"
    book.serve("v-2", "s-3", line(30, session_id="s-3"))
    book.catalogue(VolunteerMerged(book.event_id(), "v-1", "v-2", MORNING, None))
    found = desk.ask("certificate", number=FIRST)
    assert (found["state"], found["change_minutes"]) == ("amended", 30)
    assert desk.ask("certifiable", volunteer_id="v-1", org_id="org-a")["merged_into"] == "v-2"
    book.catalogue(VolunteerUnmerged(book.event_id(), "v-1", MORNING, None))
    assert desk.state() == "valid"
    book.catalogue(VolunteerMerged(book.event_id(), "v-1", "v-2", MORNING, None))
    book.catalogue(VolunteerErased(book.event_id(), "v-2", MORNING, None))
    assert desk.state() == "withdrawn"


def test_the_newest_are_listed_by_organisation_and_volunteer(desk: Desk) -> None:
    desk.issue()
    desk.issue(SECOND, volunteer_id="v-2", issuer_org_id="org-b")
    listed = desk.ask("certificates")
    assert [(one["number"], one["volunteer_id"]) for one in listed] == [
        (SECOND, "v-2"),
        (FIRST, "v-1"),
    ]
    assert [one["number"] for one in desk.ask("certificates", org_id="org-a")] == [FIRST]
    assert [one["number"] for one in desk.ask("certificates", volunteer_id="v-2")] == [SECOND]
    assert [one["number"] for one in desk.ask("certificates", limit=1)] == [SECOND]
    assert desk.ask("certificate_holder", number=FIRST) == {
        "volunteer_id": "v-1",
        "issuer_org_id": "org-a",
    }
    assert desk.ask("certificate_holder", number="x") is None


def test_hostile_numbers_are_only_numbers_that_are_not_there(desk: Desk) -> None:
    desk.issue()
    for text in ("", "' OR 1=1 --", "{number:String}", "\0", "%"):
        if text:
            assert desk.ask("certificate", number=text) is None
    with pytest.raises(BadQuestion):
        desk.ask("certificate", number=7)
