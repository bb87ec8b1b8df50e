"""The auditors' questions, put to a real chDB."""

import random
from collections import Counter
from dataclasses import asdict, replace
from typing import Any, get_args

import pytest

from consumers.api.questions_by_name import BadQuestion, answer
from consumers.questions.hours import totals
from consumers.questions.hours.histories import explain, trace
from consumers.questions.hours.measures import By
from consumers.questions.hours.totals import total
from consumers.questions.open_items.exceptions import exceptions
from consumers.trail.store import Trail
from schemas.events import CheckedOut
from schemas.reasons import REASONS
from schemas.times import DAY, day, instant
from schemas.topics import CHECKINS
from tests.trail.book import DESK, MORNING, Book, line, random_book
from tests.trail.fill import fill

HOSTILE = (
    "v-1' OR '1'='1", "'; DROP TABLE line; --", "v-1\\", "{volunteer_id:String}", "%s", "\0", "\\N",
    "v-1') UNION ALL SELECT 1, 1, 1 --", "志愿者", "v-1\n", "\t", "*/", "{", "}", "v-1;",
)  # fmt: skip


def held(trail: Trail, book: Book) -> Trail:
    fill(trail, book.inputs + book.outputs())
    return trail


def test_every_breakdown_sums_to_its_total(trail: Trail) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    book = random_book(random.Random(seed), 600, volunteers=5)
    held(trail, book)
    for volunteer_id, kept in book.kept.items():
        for by in get_args(By):
            found = total(trail.query, volunteer_id, by=by)
            rows = found["breakdown"]["rows"]
            assert sum(row["minutes"] for row in rows) == found["breakdown"]["minutes"]
            if by != "state":
                assert found["breakdown"]["minutes"] == found["minutes"]
        assert found["minutes"] == kept.balance
        assert found["training_minutes"] == kept.totals["training", "effective"]
        states = {row["key"]: row["minutes"] for row in
                  total(trail.query, volunteer_id, by="state")["breakdown"]["rows"]}  # fmt: skip
        assert states.get("effective", 0) == kept.balance
        assert states.get("held_org", 0) == sum(
            n for (kind, state), n in kept.totals.items()
            if state == "held_org" and kind != "training"
        )  # fmt: skip


def test_days_organisations_and_hosts_are_told_apart(trail: Trail) -> None:
    book = Book()
    book.org("org-a", "春风社工")
    book.serve("v-1", "s-1", line(120), line(30, service_date=day("2025-03-02")))
    book.serve("v-1", "s-2", line(45, session_id="s-2", recording_org_id="org-b",
                                  host_org_id="org-c", service_date=day("2025-03-02")))  # fmt: skip
    held(trail, book)

    def rows(by: By, **span: Any) -> list[tuple[str, str | None, int]]:
        found = total(trail.query, "v-1", by=by, **span)["breakdown"]["rows"]
        return [(row["key"], row["name"], row["minutes"]) for row in found]

    assert rows("org") == [("org-a", "春风社工", 150), ("org-b", None, 45)]
    assert rows("host_org") == [("org-a", "春风社工", 150), ("org-c", None, 45)]
    assert rows("day") == [("2025-03-01", None, 120), ("2025-03-02", None, 75)]
    second = day("2025-03-02")
    assert rows("org", from_date=second) == [("org-a", "春风社工", 30), ("org-b", None, 45)]
    assert rows("org", to_date=second - 1) == [("org-a", "春风社工", 120)]
    assert rows("org", from_date=second + 1) == []


def test_attendances_are_distinct_activities_and_days_and_training_stays_apart(
    trail: Trail,
) -> None:
    book = Book()
    book.serve("v-1", "s-1", line(60))
    book.serve("v-1", "s-2", line(30, session_id="s-2"))
    book.serve("v-1", "s-3", line(20, session_id="s-3", activity_id="a-2"))
    book.serve("v-1", "s-4", line(90, session_id="s-4", kind="training", activity_id="a-3"))
    book.serve("v-1", "s-5", line(40, session_id="s-5", state="held_org", activity_id="a-4"))
    book.void("v-1", "s-3", line(-20, session_id="s-3", activity_id="a-2"))
    found = total(held(trail, book).query, "v-1")
    measures = ("minutes", "training_minutes", "held_minutes", "attendances")
    assert [found[name] for name in measures] == [90, 90, 40, 1]


def test_what_was_known_before_a_correction_stays_readable(trail: Trail) -> None:
    book = Book()
    book.org("org-a", "旧名")
    book.serve("v-1", "s-1", line(300))
    before = book.now
    book.org("org-a", "新名")
    book.void("v-1", "s-1", line(-300))
    book.grant("v-1", "g-1", line(120, session_id=None, grant_id="g-1", kind="manual"))
    held(trail, book)

    def known(as_of: int | None) -> tuple[int, list[tuple[str, int]]]:
        found = total(trail.query, "v-1", as_of=as_of, by="org")
        return found["minutes"], [
            (row["name"], row["minutes"]) for row in found["breakdown"]["rows"]
        ]

    assert known(None) == (120, [("新名", 120)])
    assert known(before) == (300, [("旧名", 300)])
    assert known(before - 1) == (0, [])
    assert known(book.now - 1) == (0, [])
    assert known(MORNING) == (0, [])
    assert total(trail.query, "v-1", as_of=MORNING)["postings"] == 0


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_arguments_are_values_and_nothing_else(trail: Trail, text: str) -> None:
    book = Book()
    book.serve("v-1", "s-1", line(60))
    held(trail, book)
    assert total(trail.query, text, by="org")["postings"] == 0
    assert explain(trail.query, text)["postings"] == []
    assert trace(trail.query, text)["copies"] == []
    assert totals.quarantine_show(trail.query, text, 0, 0) == []
    assert answer(trail, "total", {"volunteer_id": text}, asker=text)["minutes"] == 0
    (logged,) = trail.query("SELECT asker, arguments FROM access_log")
    assert logged["asker"] == text
    assert total(trail.query, "v-1")["minutes"] == 60


def test_a_volunteer_with_a_hostile_id_has_a_total(trail: Trail) -> None:
    book = Book()
    for text in HOSTILE:
        book.serve(text, "s-1", line(60))
    held(trail, book)
    for text in HOSTILE:
        assert total(trail.query, text)["minutes"] == 60
        assert len(explain(trail.query, text)["postings"]) == 2


@pytest.mark.parametrize(
    ("question", "arguments"),
    [
        ("drop", {}),
        ("explain", {}),
        ("org", {}),
        ("plan", {"project_id": "p-1"}),
        ("overdue", {"as_of": None}),
        ("headcount", {"as_of": 0, "by": "volunteer"}),
        ("total", {"volunteer_id": "v", "by": "volunteer_id"}),
        ("total", {"volunteer_id": 5}),
        ("total", {"volunteer_id": "v", "by": "minutes; DROP TABLE line"}),
        ("total", {"volunteer_id": "v", "as_of": "now"}),
        ("total", {"volunteer_id": "v", "sql": "SELECT 1"}),
        ("exceptions", {"limit": "1; DROP TABLE line"}),
        ("quarantine_show", {"topic": "t", "partition": "0", "offset": 0}),
    ],
)
def test_a_wrong_question_is_refused(
    trail: Trail, question: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(BadQuestion):
        answer(trail, question, arguments, asker="x")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_ids_of_organisations_and_projects_are_values(trail: Trail, text: str) -> None:
    assert answer(trail, "org", {"org_id": text}, asker="x")["recorder"]["net"]["minutes"] == 0
    found = answer(trail, "plan", {"project_id": text, "now": MORNING}, asker="x")
    assert (found["shifts"], found["published"]) == ([], False)


def test_who_asked_about_whom_is_noted(trail: Trail) -> None:
    answer(trail, "explain", {"volunteer_id": "v-1"}, asker="auditor")
    (row,) = trail.query("SELECT asker, question, arguments FROM access_log")
    assert (row["asker"], row["question"]) == ("auditor", "explain")
    assert row["arguments"] == '{"volunteer_id": "v-1"}'


def test_explain_names_event_actor_times_position_and_policy_of_every_line(trail: Trail) -> None:
    book = Book()
    out = book.serve("v-1", "s-1", line(120))
    book.serve("v-2", "s-9", line(45, session_id="s-9"))
    found = explain(held(trail, book).query, "v-1")
    assert found["balance_minutes"] == 120
    assert [posting["outcome"] for posting in found["postings"]] == ["posted", "posted"]
    posting = found["postings"][1]
    assert posting["event_id"] == out.event_id
    assert posting["actor"] == {"id": "desk-1", "role": "organiser", "org_id": "org-a"}
    assert (instant(posting["occurred_at"]), instant(posting["sent_at"])) == (
        out.occurred_at, out.sent_at,
    )  # fmt: skip
    record = book.inputs[1]
    assert instant(posting["recorded_at"]) == record.timestamp * 1000
    assert posting["source"] == f"{CHECKINS}/{record.partition}/1"
    assert posting["record"] == f"ledger.postings/{record.partition}/1"
    assert (posting["index"], posting["sequence"]) == (1, 2)
    assert (posting["change_minutes"], posting["balance_minutes"]) == (120, 120)
    (entry,) = posting["lines"]
    assert (entry["minutes"], entry["policy"], entry["service_date"]) == (
        120, "default@0", "2025-03-01",
    )  # fmt: skip


def test_explain_says_why_an_hour_is_missing(trail: Trail) -> None:
    book = Book()
    event = book.check_in("v-1", "s-1")
    book.post(book.put(event), event, outcome="duplicate", reason="duplicate_event")
    book.grant("v-1", "g-1", outcome="refused", reason="end_before_start")
    book.grant("v-1", "g-2", line(60, grant_id="g-2", state="held_org"),
               outcome="held", reason="no_second_person")  # fmt: skip
    lost = book.put(b"\0garbage", key="v-1", topic=CHECKINS)
    book.quarantine(lost, "unknown_schema", "id 1734439522")
    late = replace(event, event_id="e-late")
    book.put(late)
    found = explain(held(trail, book).query, "v-1")
    outcomes = [(p["outcome"], p["reason"], p["change_minutes"]) for p in found["postings"]]
    assert outcomes == [
        ("posted", None, 0),
        ("duplicate", "duplicate_event", 0),
        ("refused", "end_before_start", 0),
        ("held", "no_second_person", 0),
    ]
    assert found["postings"][2]["zh"] == REASONS["end_before_start"].zh
    assert found["postings"][2]["en"] == REASONS["end_before_start"].en
    assert [waiting["event_id"] for waiting in found["waiting"]] == ["e-late"]
    assert [bad["reason"] for bad in found["quarantined"]] == ["unknown_schema"]
    assert found["balance_minutes"] == 0


def test_explain_finds_the_tick_that_closed_a_session(trail: Trail) -> None:
    book = Book()
    book.check_in("v-1", "s-1")
    tick = book.tick("v-1")
    book.postings.pop()
    book.indexes[book.inputs[1].partition] -= 1
    book.post(book.inputs[1], tick, volunteer_id="v-1", outcome="held", reason="no_check_out")
    last = explain(held(trail, book).query, "v-1")["postings"][-1]
    assert (last["event_type"], last["reason"]) == ("ClockTicked", "no_check_out")
    assert last["source"] == f"{CHECKINS}/{book.inputs[1].partition}/1"


def test_trace_shows_every_copy_and_what_it_did(trail: Trail) -> None:
    book = Book()
    out = book.serve("v-1", "s-1", line(120))
    book.post(book.put(out), out, outcome="duplicate", reason="duplicate_event")
    book.quarantine(book.put(out, key="v-2"), "wrong_key")
    found = trace(held(trail, book).query, out.event_id)
    assert len(found["copies"]) == 3
    posted = [[p["outcome"] for p in copy["postings"]] for copy in found["copies"]]
    assert sorted(posted) == [[], ["duplicate"], ["posted"]]
    bad = [[q["reason"] for q in copy["quarantined"]] for copy in found["copies"]]
    assert sorted(bad) == [[], [], ["wrong_key"]]
    (did,) = (p for copy in found["copies"] for p in copy["postings"] if p["lines"])
    assert (did["change_minutes"], did["balance_minutes"]) == (120, 120)
    assert all(copy["event"]["session_id"] == "s-1" for copy in found["copies"])
    assert found["postings_without_event"] == []


def test_exceptions_count_by_reason_and_tell_what_waits(trail: Trail) -> None:
    book = Book()
    out = CheckedOut(**asdict(book.check_in("v-1", "s-0")) | {"actor": DESK, "evidence": ()})
    late = replace(out, session_id="s-1", event_id="e-out")
    book.post(book.put(late), late, outcome="held", reason="awaiting_check_in")
    book.serve("v-1", "s-1", line(60))
    for n in range(3):
        book.grant(f"v-{n}", "g-1", outcome="refused", reason="grant_exists")
    book.grant("v-9", "g-9", line(60, session_id=None, grant_id="g-9", state="held_org"),
               outcome="held", reason="no_second_person")  # fmt: skip
    book.quarantine(book.put(b"x", key="v-1", topic=CHECKINS), "bad_framing", "1 bytes")
    found = exceptions(held(trail, book).query, limit=2)
    counts = {(c["outcome"], c["reason"]): (c["count"], c["waiting"]) for c in found["counts"]}
    assert counts == {
        ("held", "awaiting_check_in"): (1, 0),
        ("held", "no_second_person"): (1, 1),
        ("refused", "grant_exists"): (3, 0),
        ("quarantined", "bad_framing"): (1, 0),
    }
    assert Counter(row["reason"] for row in found["rows"]) == {
        "awaiting_check_in": 1, "no_second_person": 1, "grant_exists": 2,
    }  # fmt: skip
    waiting = {row["reason"]: row["waiting"] for row in found["rows"]}
    assert waiting == {"awaiting_check_in": False, "no_second_person": True, "grant_exists": None}
    (one,) = found["waiting"]
    assert (one["grant_id"], one["minutes"], one["events"]) == ("g-9", 60, ["HoursDecided"])
    assert (one["who"], one["orgs"]) == ("organisation", ["org-a"])
    assert [row["reason"] for row in found["quarantined"]] == ["bad_framing"]
    assert all(count["zh"] and count["en"] for count in found["counts"])


def test_a_quarantined_record_shows_its_bytes_and_what_they_decode_to(trail: Trail) -> None:
    book = Book()
    event = book.check_in("v-1", "s-1")
    whole = book.put(event, key="v-2")
    book.quarantine(whole, "wrong_key")
    torn = book.put(b"\0\0\0\0\1torn", key="v-3", topic=CHECKINS)
    book.quarantine(torn, "undecodable")
    held(trail, book)
    for record, decodes in ((whole, True), (torn, False)):
        (found,) = totals.quarantine_show(
            trail.query, record.topic, record.partition, record.offset
        )
        assert bytes.fromhex(found["value_hex"]) == record.value
        assert (found["decoded"] is not None) is decodes
    assert len(totals.quarantine_list(trail.query, 10)) == 2
    assert len(totals.quarantine_list(trail.query, 1)) == 1


def test_a_service_day_is_local_to_the_place(trail: Trail) -> None:
    book = Book()
    night = instant("2025-03-02T00:30:00+08:00")
    book.serve("v-1", "s-1", line(20, at=night))
    found = total(held(trail, book).query, "v-1", by="day")["breakdown"]["rows"]
    assert [row["key"] for row in found] == ["2025-03-02"]
    assert night % DAY > 16 * DAY // 24
