"""Is a merged person one person for what service is recognised by? See `tests.drawn.town`."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Protocol

from ledger.account.account import Account
from ledger.account.record import Record
from ledger.account.statements import EVALUATION, STAR, decision, is_back, opened
from ledger.recognition.cases import all_cases
from ledger.recognition.recognition import points_spent
from ledger.replay import Book
from schemas.events import (
    Evaluation,
    Event,
    FactForwarded,
    Recognition,
    VolunteerMerged,
    VolunteerUnmerged,
)
from schemas.posting import Posting
from schemas.topics import CATALOGUE
from schemas.wire.codec import decode_event
from tests.drawn.histories import Arrival, arrival, log, tick
from tests.drawn.town import Town
from tests.reference.model_catalogue import Registry
from tests.reference.model_people import Told, led, taken_together
from tests.reference.model_recognition import Honours

PASSED_ON = ("forwarded", "given_back", "volunteer_absorbed")


def answers_wrong(history: Iterable[Event | Arrival]) -> list[str]:
    """What accounts answer otherwise than the reference, where every merge is heard of at once."""
    town, told = Town(3), Told()
    wrong = []
    with_ticks = []
    for one in map(arrival, history):
        with_ticks.append(one)
        if isinstance(one.event, VolunteerMerged | VolunteerUnmerged):
            with_ticks.append(Arrival(tick(one.recorded_at), one.recorded_at))
    for one, record in zip(with_ticks, log(*with_ticks), strict=True):
        before = [len(book.postings) for book in town.books]
        town.take([one])
        new = [p for book, n in zip(town.books, before, strict=True) for p in book.postings[n:]]
        if record.topic != CATALOGUE and not new:
            continue  # in quarantine
        expected = told.answer(record)
        if expected is not None and expected != (found := _last(new)):
            wrong.append(f"{one.event.event_id} about {record.key}: {found}, expected {expected}")
    return wrong + parted_wrong(town.settle())


def _last(new: list[Posting]) -> tuple[str, str | None]:
    """What was said in the end: by the account that judged, else by the one that was asked."""
    judged = [p for p in new if p.event_type == "FactForwarded" and p.reason not in PASSED_ON]
    own = [p for p in new if p.event_type not in ("FactForwarded", "CaseTransferred")]
    said = (judged or own or new)[-1]
    return said.outcome, said.reason


class Folded(Protocol):
    """Partitions as they were folded: their books, and their records with the catalogue's."""

    books: list[Book]
    records: list[list[Record]]

    def account(self, volunteer_id: str) -> Account:
        """Somebody's account."""


def parted_wrong(town: Folded) -> list[str]:
    """What accounts keep otherwise than it was taken down, once nothing is on its way any more."""
    records = [record for record in town.records[0] if record.topic == CATALOGUE]
    who, registry = led(records), Registry(records)
    facts = _taken(town)
    wrong = []
    for name in sorted(facts.keys() | who.keys()):
        if who.get(name, name) != name:
            continue
        own = {name} | {other for other, end in who.items() if end == name}
        together = [fact for one in sorted(own) for fact in facts[one]]
        expected = taken_together(together, own, registry)
        if (found := _kept(town.account(name))) != _as_kept(expected):
            wrong.append(f"{name} keeps {found}, expected {_as_kept(expected)}")
        if (spent := points_spent(town.account(name))) != expected.spent():
            wrong.append(f"{name} spent {spent} points, expected {expected.spent()}")
    return wrong


def _taken(town: Folded) -> dict[str, list[Any]]:
    """Registration -> the facts about it that some account took down."""
    found = defaultdict(list)
    for book, records in zip(town.books, town.records, strict=True):
        there: dict[tuple[str, int], Record] = {(r.topic, r.offset): r for r in records}
        for posting in book.postings:
            event: Any = there[posting.source_topic, posting.source_offset].event
            if isinstance(event, FactForwarded):
                event = decode_event(event.fact)
            elif not isinstance(event, Evaluation | Recognition):
                continue
            if posting.outcome in ("posted", "held") and posting.reason not in PASSED_ON:
                found[event.volunteer_id].append(event)
    return found


Kept = dict[tuple[str, str], tuple[Any, ...]]


def _kept(account: Account) -> Kept:
    """Kind and id of each case -> whose it is, taken back or not, how it was decided."""
    found: Kept = {}
    for case in all_cases(account):
        first, last = opened(case), decision(case)
        if first is not None:
            said = None if last is None else last.what
            found[case.kind, case.id] = first.whose, is_back(case, first.whose), said
    return found


def _as_kept(honours: Honours) -> Kept:
    found: Kept = {}
    for case_id, whose in honours.evaluations.items():
        back = (EVALUATION, case_id, *whose) in honours.back
        found[EVALUATION, case_id] = "/".join(whose), back, None
    for (kind, case_id), (org, _) in honours.given.items():
        found[kind, case_id] = org, (kind, case_id, org) in honours.back, None
    for case_id, one in honours.applications.items():
        said = "approve" if one.is_awarded else "reject" if one.is_rejected else None
        found[STAR, case_id] = one.by, False, said
    return found
