"""Accounts <-> bytes: the account record with its small pages, and pages that outgrew it.

A small account is one record. Its id index moves out when it needs a second page, its older days
when the newer ones fill INLINE_BYTES; after that an event rewrites the account record and the two
or three pages it touches, however long the history.
"""

from collections.abc import Callable, Iterator
from typing import Final

from ledger.account.account import Account, CasePage, DayPage
from ledger.account.index import bucket_count
from ledger.account.pages import Pages
from schemas import posting
from schemas.posting import Due, InlinePage, StatePage, Total
from schemas.times import DAY
from schemas.validity import EARLIEST, LATEST
from schemas.wire.codec import decode_output, encode
from streams.state.page_codec import pack_cases, pack_day, unpack_cases, unpack_day

INLINE_BYTES: Final = 1024

Load = Callable[[str], bytes | None]
"""Page name -> its bytes where the page has a record of its own."""


def unpack(value: bytes, load: Load) -> tuple[Account, dict[str, bytes]]:
    """An account record -> a working copy, and its inline pages as they are.

    Pages that are not inline are loaded when the account first looks at them.
    """
    stored = decode_output(value)
    assert isinstance(stored, posting.Account)
    inline = {page.key: page.value for page in stored.pages}
    account = empty(stored.volunteer_id, lambda name: inline.get(name) or load(name))
    account.sequence = stored.sequence
    account.balance_minutes = stored.balance_minutes
    account.totals = {(total.kind, total.state): total.minutes for total in stored.totals}
    account.index_entries = stored.index_entries
    account.due = {due.key: due.at for due in stored.due}
    account.lent_to = stored.lent_to or ""
    if stored.first_date is not None and stored.last_date is not None:
        account.first_day, account.last_day = stored.first_date, stored.last_date
    elif stored.index_entries:
        # Written by a version that did not note them: any day is possible.
        account.first_day, account.last_day = EARLIEST // DAY - 1, LATEST // DAY
    return account, inline


def empty(volunteer_id: str, load: Load) -> Account:
    """A new volunteer's account, or the shell of a stored one."""

    def day_page(number: int) -> DayPage:
        if number < account.first_day or number > account.last_day:
            return {}
        value = load(f"d{number}")
        return {} if value is None else unpack_day(value, number)

    def bucket(number: int) -> bytes:
        return load(f"b{number}") or b""

    def case_page(number: int) -> CasePage:
        value = load(f"c{number}")
        return () if value is None else unpack_cases(value)

    account = Account(
        volunteer_id, days=Pages(day_page), buckets=Pages(bucket), cases=Pages(case_page)
    )
    return account


def pack(account: Account, inline: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """The records of a changed account: (record key, framed value), the account record last.

    `inline` holds the pages in the account record and is brought up to date.
    """
    name = account.volunteer_id
    for number in account.days.written:
        inline[f"d{number}"] = pack_day(account.days.get(number))
    if bucket_count(account.index_entries) == 1:
        if 0 in account.buckets.written:
            inline["b0"] = account.buckets.get(0)
    else:
        inline.pop("b0", None)
        for number in account.buckets.written:
            yield page_record(name, f"b{number}", account.buckets.get(number))
    for number in account.cases.written:
        yield page_record(name, f"c{number}", pack_cases(account.cases.get(number)))
    for page in _too_much(inline):
        yield page_record(name, page, inline.pop(page))
    account.days.written.clear()
    account.buckets.written.clear()
    account.cases.written.clear()
    stored = posting.Account(
        name,
        account.sequence,
        account.balance_minutes,
        tuple(Total(kind, state, n) for (kind, state), n in sorted(account.totals.items())),
        account.index_entries,
        tuple(Due(at, key) for key, at in sorted(account.due.items())),
        tuple(InlinePage(key, value) for key, value in sorted(inline.items())),
        account.lent_to or None,
        account.first_day if account.first_day <= account.last_day else None,
        account.last_day if account.first_day <= account.last_day else None,
    )
    yield name, encode(stored)


def _too_much(inline: dict[str, bytes]) -> list[str]:
    """The oldest days, as many as do not fit beside the newer ones."""
    days = [page for page in inline if page[0] == "d"]
    if len(days) < 2 or sum([len(inline[page]) for page in days]) <= INLINE_BYTES:
        return []
    days.sort(key=_newest_first)
    room = INLINE_BYTES
    fitting = 0
    for page in days:
        room -= len(inline[page])
        if room < 0 and fitting:
            break
        fitting += 1
    return days[fitting:]


def _newest_first(page: str) -> int:
    return -int(page[1:])


def page_record(volunteer_id: str, page: str, value: bytes) -> tuple[str, bytes]:
    """A page as a record of its own."""
    return f"{volunteer_id}/{page}", encode(StatePage(volunteer_id, page, value))
