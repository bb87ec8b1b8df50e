"""One partition's fold: any admitted record -> its postings. Worker and replay both run this."""

from typing import Protocol, cast

from ledger.account import Account
from ledger.catalogue import Catalogue
from ledger.clock import fall_due, idle
from ledger.record import Record
from ledger.rules import post
from schemas.events import ClockTicked, Fact
from schemas.posting import Posting


class Accounts(Protocol):
    """The accounts of one partition, as working copies."""

    def account(self, volunteer_id: str) -> Account:
        """The volunteer's working copy, a new one for a volunteer not seen before."""

    def due_by(self, at: int) -> list[str]:
        """The volunteers with anything due at this instant or before, in ascending order."""

    def touched(self, account: Account) -> None:
        """Told after every change of an account."""


def fold(accounts: Accounts, record: Record, catalogue: Catalogue, index: int) -> list[Posting]:
    """The postings of one admitted record of a fact topic, the first with this index."""
    if not isinstance(record.event, ClockTicked):
        volunteer_id = cast(Fact, record.event).volunteer_id
        account, entry = post(accounts.account(volunteer_id), record, catalogue, index)
        accounts.touched(account)
        return [entry]
    postings: list[Posting] = []
    for volunteer_id in accounts.due_by(record.recorded_at):
        account = accounts.account(volunteer_id)
        postings += fall_due(account, record, catalogue, index + len(postings))
        accounts.touched(account)
    return postings or [idle(record, catalogue, index)]
