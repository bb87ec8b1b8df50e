"""One partition's fold: any admitted record -> its postings. Worker and replay both run this."""

from typing import Protocol, cast

from ledger.account.account import Account
from ledger.account.record import Record
from ledger.catalogue.catalogue import Catalogue
from ledger.hours.clock import fall_due, idle
from ledger.hours.results import posting
from ledger.merging.moving_cases import answer
from ledger.merging.moving_hours import forward, move, named_by
from ledger.rules import post
from schemas.events import ClockTicked, Fact, FactForwarded, Transfer
from schemas.posting import Posting


class Accounts(Protocol):
    """The accounts of one partition, as working copies."""

    def account(self, volunteer_id: str) -> Account:
        """The volunteer's working copy, a new one for a volunteer not seen before."""

    def due_by(self, at: int, catalogue: Catalogue) -> list[str]:
        """The volunteers with anything due at this instant or before, and those for whom something
        they wait for in the catalogue may have changed since the last tick, in ascending order."""

    def elsewhere(self, catalogue: Catalogue) -> list[str]:
        """The volunteers whose hours are not counted where they ought to be, in ascending order."""

    def ticked(self, catalogue: Catalogue) -> None:
        """Told when a tick has looked at whoever is due by this catalogue."""

    def hand(self, transfers: list[Transfer]) -> None:
        """What accounts hand to others, to be written together with the postings."""

    def touched(self, account: Account) -> None:
        """Told after every change of an account."""

    def unchanged(self, account: Account) -> None:
        """Told of an account that was looked at, and waits on as it did."""


def fold(accounts: Accounts, record: Record, catalogue: Catalogue, index: int) -> list[Posting]:
    """The postings of one admitted record of a fact topic, the first with this index."""
    if not isinstance(record.event, ClockTicked):
        event = cast(Fact, record.event)
        account = accounts.account(event.volunteer_id)
        if account.sequence == 0:
            # Nothing to hand over: a new account hears of a merge with its first event.
            account.lent_to = catalogue.people.counted_by(event.volunteer_id)
        before = named_by(account, event) if account.lent_to else None
        account, entry = post(account, record, catalogue, index)
        if entry.reason == "forwarded":
            accounts.hand(forward(account, record, event, before, entry))
        elif isinstance(event, FactForwarded):
            accounts.hand(answer(account, record, event, entry))
        accounts.touched(account)
        return [entry]
    postings: list[Posting] = []
    for volunteer_id in accounts.elsewhere(catalogue):
        account = accounts.account(volunteer_id)
        moved, transfers = move(account, record, catalogue, index + len(postings))
        postings += moved
        accounts.hand(transfers)
        accounts.touched(account)
    for volunteer_id in accounts.due_by(record.recorded_at, catalogue):
        account = accounts.account(volunteer_id)
        fallen = fall_due(account, record, catalogue, index + len(postings))
        if fallen:
            postings += fallen
            accounts.touched(account)
        else:
            accounts.unchanged(account)
    accounts.ticked(catalogue)
    return postings or [idle(record, catalogue, index)]


def sent_on(record: Record, catalogue: Catalogue, index: int) -> Posting:
    """The posting of a record in a partition where its key does not belong: it counts nothing here.

    It is sent on to where it belongs, in the same transaction, and counts there.
    """
    nobody = Account("", sequence=-1)
    return posting(nobody, record, catalogue, index, ("duplicate", "wrong_partition", ()))
