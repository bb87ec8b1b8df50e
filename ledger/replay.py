"""The ledger as a function of the log: fold records in recorded order, in memory."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger.account.account import Account
from ledger.account.record import Record
from ledger.catalogue.catalogue import Catalogue
from ledger.fold import fold
from ledger.hours.admission import barred
from ledger.publish import learn
from schemas.events import Transfer
from schemas.posting import Posting
from schemas.topics import CATALOGUE


@dataclass(slots=True)
class Book:
    """What a partition's log amounts to; `refused_entry` lists (record, reason code, detail),
    `transfers` what its accounts hand to others, which may live in other partitions."""

    postings: list[Posting] = field(default_factory=list)
    accounts: dict[str, Account] = field(default_factory=dict)
    refused_entry: list[tuple[Record, str, str]] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)

    def account(self, volunteer_id: str) -> Account:
        """The volunteer's account."""
        found = self.accounts.get(volunteer_id)
        if found is None:
            found = self.accounts[volunteer_id] = Account(volunteer_id)
        return found

    def due_by(self, at: int, catalogue: Catalogue) -> list[str]:
        """The volunteers with anything due at this instant or before, and all who wait."""
        return sorted(
            name
            for name, account in self.accounts.items()
            if any(due <= at for due in account.due.values())
        )

    def elsewhere(self, catalogue: Catalogue) -> list[str]:
        """The volunteers whose hours are not counted where they ought to be."""
        return sorted(
            name
            for name, account in self.accounts.items()
            if account.lent_to != catalogue.people.counted_by(name)
        )

    def ticked(self, catalogue: Catalogue) -> None:
        """Nothing to do: every tick looks at all who wait."""

    def hand(self, transfers: list[Transfer]) -> None:
        """Note what accounts hand to others."""
        self.transfers += transfers

    def touched(self, account: Account) -> None:
        """Nothing to do: the accounts here are the originals."""

    def unchanged(self, account: Account) -> None:
        """Nothing to do."""


def replay(records: Iterable[Record]) -> Book:
    """Fold one partition's records, catalogue records among them, in recorded order."""
    book, catalogue = Book(), Catalogue()
    for record in records:
        if record.topic == CATALOGUE:
            learn(catalogue, record)
        elif (why := barred(record, catalogue)) is not None:
            book.refused_entry.append((record, *why))
        else:
            book.postings += fold(book, record, catalogue, len(book.postings))
    return book
