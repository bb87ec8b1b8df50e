"""What must be remembered about one volunteer.

An account is a working copy: `post` writes into the one it is given and hands it back, and a caller
who must be able to step back (a transaction may abort) works on a copy it can drop. Pages are
replaced, never changed in place, so copies share what they have in common.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger.account import index
from ledger.account.index import key_of
from ledger.account.pages import Held, Pages
from ledger.account.spans import Span, span_key
from ledger.account.statements import Case
from schemas.posting import Kind, State

DayPage = dict[str, Span]
"""Span key -> span, for the spans of one UTC day."""

CasePage = tuple[Case, ...]
"""Some cases, in the order in which they were first heard of."""


def _no_spans(_: int) -> DayPage:
    return {}


def _no_entries(_: int) -> bytes:
    return b""


def _no_cases(_: int) -> CasePage:
    return ()


@dataclass(slots=True)
class Account:
    """One volunteer's totals, spans and seen ids; minutes throughout, instants UTC microseconds.

    `balance_minutes` is the effective service time. `due` says for a span when a tick must look
    at it (0: whenever the catalogue has changed in what it waits for). `lent_to` is the
    registration that absorbed this one and counts its hours, empty if it counts them itself. All
    its spans lie on UTC days from `first_day` to `last_day`, both included.
    """

    volunteer_id: str
    sequence: int = 0
    balance_minutes: int = 0
    totals: dict[tuple[Kind, State], int] = field(default_factory=dict)
    index_entries: int = 0
    due: dict[str, int] = field(default_factory=dict)
    lent_to: str = ""
    first_day: int = 0
    last_day: int = -1
    days: Pages[DayPage] = field(default_factory=lambda: Pages(_no_spans))
    buckets: Pages[bytes] = field(default_factory=lambda: Pages(_no_entries))
    cases: Pages[CasePage] = field(default_factory=lambda: Pages(_no_cases))


@dataclass(slots=True)
class Saved:
    """All that an account held at a moment; what it holds is shared, for it is never changed."""

    sequence: int
    balance_minutes: int
    totals: dict[tuple[Kind, State], int]
    index_entries: int
    due: dict[str, int]
    lent_to: str
    first_day: int
    last_day: int
    days: Held[DayPage]
    buckets: Held[bytes]
    cases: Held[CasePage]


def save(account: Account) -> Saved:
    """What to go back to if an event cannot be applied whole."""
    return Saved(
        account.sequence,
        account.balance_minutes,
        dict(account.totals),
        account.index_entries,
        dict(account.due),
        account.lent_to,
        account.first_day,
        account.last_day,
        account.days.held(),
        account.buckets.held(),
        account.cases.held(),
    )


def go_back(account: Account, saved: Saved) -> None:
    """Let an account be as it was when it was saved."""
    account.sequence = saved.sequence
    account.balance_minutes = saved.balance_minutes
    account.totals = saved.totals
    account.index_entries = saved.index_entries
    account.due = saved.due
    account.lent_to = saved.lent_to
    account.first_day = saved.first_day
    account.last_day = saved.last_day
    account.days.go_back(saved.days)
    account.buckets.go_back(saved.buckets)
    account.cases.go_back(saved.cases)


def lookup(account: Account, text: str) -> int | None:
    """What the account remembers under a text."""
    return lookup_key(account, key_of(text))


def remember(account: Account, text: str, value: int) -> None:
    """Let the account remember a 64-bit integer under a text."""
    remember_key(account, key_of(text), value)


def lookup_key(account: Account, key: bytes) -> int | None:
    """What the account remembers under the key of a text."""
    return index.lookup(account.buckets, account.index_entries, key)


def remember_key(account: Account, key: bytes, value: int) -> None:
    """Let the account remember a 64-bit integer under the key of a text."""
    account.index_entries = index.store(account.buckets, account.index_entries, key, value)


def may_be_full(account: Account) -> bool:
    """Has the account so many ids that one of their pages could be full?"""
    return index.may_be_full(account.index_entries)


def has_room(account: Account, text: str) -> bool:
    """May the account remember one more text? False only where ids were made to clash."""
    return index.has_room(account.buckets, account.index_entries, key_of(text))


def span_of(account: Account, kind: Kind, span_id: str) -> Span | None:
    """A session or grant of the account, None if it has none of that id."""
    key = span_key(kind, span_id)
    day = lookup(account, key)
    # .get: ids made to clash in the index would lead to a day that does not have the span.
    return None if day is None else account.days.get(day).get(key)


def put(account: Account, old: Span | None, new: Span) -> None:
    """Keep the new version of a span, on the page of its day."""
    key = new.key
    if old is None or old.day != new.day:
        if account.last_day < account.first_day:
            account.first_day = account.last_day = new.day
        account.first_day = min(account.first_day, new.day)
        account.last_day = max(account.last_day, new.day)
        remember(account, key, new.day)
        if old is not None:
            left = dict(account.days.get(old.day))
            left.pop(key, None)
            account.days.put(old.day, left)
    page = dict(account.days.get(new.day))
    page[key] = new
    account.days.put(new.day, page)


def drop(account: Account, span: Span) -> None:
    """Forget a span of which nothing is known any more."""
    page = dict(account.days.get(span.day))
    page.pop(span.key, None)
    account.days.put(span.day, page)


def spans_on(account: Account, days: Iterable[int], *, but: str = "") -> list[Span]:
    """All spans that lie on the pages of these UTC days, except the one of this key."""
    first, last = account.first_day, account.last_day
    near = [day for day in days if first <= day <= last]
    return [span for day in near for key, span in account.days.get(day).items() if key != but]
