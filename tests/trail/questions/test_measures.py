"""People, attendances and hours are counted in one way, whichever answer tells them."""

from typing import Any

from consumers.api.questions_by_name import answer
from consumers.trail.store import Trail
from schemas.times import DAY
from tests.trail.book import MORNING, Book, line
from tests.trail.fill import fill


def ask(trail: Trail, question: str, **arguments: Any) -> Any:
    return answer(trail, question, arguments, asker="tests")


def test_the_overview_counts_people_as_the_total_does(trail: Trail) -> None:
    book = Book()
    book.org("org-a", "春风社工")
    book.serve("v-1", "s-1", line(125))
    # Voided: her lines come to nothing, so she has attended nothing.
    book.serve("v-2", "s-2", line(60, session_id="s-2"))
    book.void("v-2", "s-2", line(-60, session_id="s-2"))
    book.serve("v-3", "s-3", line(30, session_id="s-3", recording_org_id="org-b"),
               line(45, session_id="s-3", recording_org_id="org-b", at=MORNING + DAY))  # fmt: skip
    fill(trail, book.inputs + book.outputs())
    seen, total = ask(trail, "overview"), ask(trail, "total", by="org")
    measures = ("volunteers", "attendances", "minutes")
    assert [seen[name] for name in measures] == [total[name] for name in measures] == [2, 3, 200]
    by_org = {row["key"]: row for row in total["breakdown"]["rows"]}
    assert {row["org_id"] for row in seen["orgs"]} == by_org.keys() == {"org-a", "org-b"}
    for row in seen["orgs"]:
        for name in (*measures, "name"):
            assert row[name] == by_org[row["org_id"]][name]
    assert by_org["org-a"]["volunteers"] == 1
    net = ask(trail, "org", org_id="org-a")["recorder"]["net"]
    assert [net[name] for name in measures] == [by_org["org-a"][name] for name in measures]
