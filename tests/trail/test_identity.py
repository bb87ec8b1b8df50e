"""Who asks for an absorbed registration is answered for the one that counts its hours."""

import pytest

from consumers.questions.hours.histories import explain
from consumers.questions.hours.totals import total
from consumers.trail.store import Trail
from deploy.trail.trail_view import show_total
from schemas.events import VolunteerErased, VolunteerMerged, VolunteerUnmerged
from tests.trail.book import Book, line
from tests.trail.fill import fill


def merged(book: Book, volunteer_id: str, into: str) -> None:
    book.catalogue(VolunteerMerged(book.event_id(), volunteer_id, into, book.now, None))


def test_an_absorbed_id_is_answered_with_the_survivor_which_says_so(
    trail: Trail, capsys: pytest.CaptureFixture[str]
) -> None:
    book = Book()
    book.serve("v-1", "s-1", line(120))
    book.serve("v-2", "s-2", line(45, session_id="s-2"))
    merged(book, "v-2", "v-1")
    merged(book, "v-3", "v-2")
    merged(book, "v-1", "v-3")  # a circle: refused by the catalogue
    fill(trail, book.inputs + book.outputs())
    found = total(trail.query, "v-3")
    assert (found["volunteer_id"], found["asked_for"], found["minutes"]) == ("v-1", "v-3", 120)
    assert total(trail.query, "v-2", exact=True)["minutes"] == 45
    assert total(trail.query, "v-1")["asked_for"] == "v-1"
    told = explain(trail.query, "v-2")
    assert (told["volunteer_id"], told["asked_for"], told["balance_minutes"]) == ("v-1", "v-2", 120)
    assert explain(trail.query, "v-2", exact=True)["balance_minutes"] == 45
    show_total(found)
    assert capsys.readouterr().out.splitlines()[0].startswith("v-3")


def test_it_is_answered_as_known_then(trail: Trail) -> None:
    book = Book()
    book.serve("v-1", "s-1", line(120))
    before = book.now
    merged(book, "v-2", "v-1")
    while_merged = book.now
    book.catalogue(VolunteerUnmerged(book.event_id(), "v-2", book.now, None))
    fill(trail, book.inputs + book.outputs())
    answers = [total(trail.query, "v-2", as_of=at)["volunteer_id"] for at in (before, while_merged)]
    assert answers == ["v-2", "v-1"]
    assert total(trail.query, "v-2")["volunteer_id"] == "v-2"


def test_an_erased_registration_is_merged_no_more(trail: Trail) -> None:
    book = Book()
    book.catalogue(VolunteerErased(book.event_id(), "v-2", book.now, None))
    merged(book, "v-2", "v-1")
    fill(trail, book.inputs + book.outputs())
    assert total(trail.query, "v-2")["volunteer_id"] == "v-2"


def test_a_merge_that_the_catalogue_quarantined_merges_nobody(trail: Trail) -> None:
    book = Book()
    book.serve("v-2", "s-1", line(45))
    merged(book, "v-2", "v-1")
    good = book.inputs.pop()
    stray = [good._replace(key=key, offset=good.offset + n) for n, key in enumerate((None, b"v-9"))]
    fill(trail, book.inputs + stray + book.outputs())
    assert total(trail.query, "v-2")["volunteer_id"] == "v-2"
    fill(trail, [good._replace(offset=good.offset + 2)])
    assert total(trail.query, "v-2")["volunteer_id"] == "v-1"
