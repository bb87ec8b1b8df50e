"""Opening a small ledger and reading what it says; every book is judged by the reference."""

from ledger.replay import Book, replay
from schemas import times
from schemas.events import Event
from schemas.posting import Posting
from tests.drawn.histories import BASICS, Arrival, log
from tests.reference.model import check


def book(*items: Event | Arrival) -> Book:
    """The ledger of a log that begins with the basics; the reference must agree with it."""
    records = log(*BASICS, *items)
    made = replay(records)
    assert check(records, made.postings) == []
    return made


def answer(posting: Posting) -> tuple[str, str | None]:
    return posting.outcome, posting.reason


def answers(made: Book) -> list[tuple[str, str | None]]:
    return [answer(posting) for posting in made.postings]


def lines(posting: Posting) -> list[tuple[str | None, str, int, str]]:
    """Lines as (session or grant, date, minutes, state)."""
    return [
        (line.session_id or line.grant_id, times.iso_date(line.service_date), line.minutes,
         line.state)
        for line in posting.lines
    ]  # fmt: skip


def balance(made: Book, volunteer: str = "v1") -> int:
    return made.accounts[volunteer].balance_minutes


def last(made: Book) -> Posting:
    return made.postings[-1]


def total(made: Book, kind: str, state: str) -> int:
    return {str(k): v for k, v in made.accounts["v1"].totals.items()}.get(str((kind, state)), 0)
