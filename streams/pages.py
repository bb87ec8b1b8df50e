"""Accounts <-> bytes: the account record with its small pages, and pages that outgrew it.

A small account is one record. Its id index moves out when it needs a second page, its older days
when the newer ones fill INLINE_BYTES; after that an event rewrites the account record and the two
or three pages it touches, however long the history.
"""

import json
from collections.abc import Callable, Iterator

from ledger.account import Account, DayPage, Pages
from ledger.catalogue import Place
from ledger.index import bucket_count
from ledger.spans import Span, paired
from schemas import posting
from schemas.codec import decode_output, encode
from schemas.posting import Due, InlinePage, StatePage, Total

INLINE_BYTES = 1024
FORM = 1
"""Version of the form of a day page."""

Load = Callable[[str], bytes | None]
"""Page name -> its bytes where the page has a record of its own."""


def pack_day(page: DayPage) -> bytes:
    """The spans of a day as compact JSON: [FORM, [[kind, id, ...], ...]]."""
    rows = [
        [
            span.kind,
            span.id,
            span.start,
            span.start_event,
            None if span.place is None else _pack_place(span.place),
            span.outs,
            span.signed | span.voided << 1 | span.closed << 2,
            span.state,
            span.reason,
            span.policy,
            span.days,
            span.minutes,
        ]
        for span in page.values()
    ]
    return json.dumps([FORM, rows], separators=(",", ":")).encode()


def _pack_place(place: Place) -> list[str | None]:
    return [
        place.activity_id,
        place.project_id,
        place.site_id,
        place.recording_org_id,
        place.host_org_id,
    ]


def unpack_day(value: bytes, day: int) -> DayPage:
    """The inverse of `pack_day`; raises ValueError for a form it does not know."""
    form, rows = json.loads(value)
    if form != FORM:
        raise ValueError(f"state page of form {form}, this worker knows {FORM}")
    page = {}
    for (
        kind, span_id, start, start_event, place, outs, flags,
        state, reason, policy, days, minutes,
    ) in rows:  # fmt: skip
        span = paired(
            Span(
                kind,
                span_id,
                day,
                start,
                start_event,
                None if place is None else Place(*place),
                tuple(outs),
                None,
                bool(flags & 1),
                bool(flags & 2),
                bool(flags & 4),
                state,
                reason,
                policy,
                tuple(map(tuple, days)),
                tuple(map(tuple, minutes)),
            )
        )
        page[span.key] = span
    return page


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
    return account, inline


def empty(volunteer_id: str, load: Load) -> Account:
    """A new volunteer's account, or the shell of a stored one."""

    def day_page(number: int) -> DayPage:
        value = load(f"d{number}")
        return {} if value is None else unpack_day(value, number)

    def bucket(number: int) -> bytes:
        return load(f"b{number}") or b""

    return Account(volunteer_id, days=Pages(day_page), buckets=Pages(bucket))


def pack(account: Account, inline: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """The records of a changed account: (record key, framed value), the account record last.

    `inline` holds the pages in the account record and is brought up to date.
    """
    name = account.volunteer_id
    for number in account.days.written:
        inline[f"d{number}"] = pack_day(account.days[number])
    if bucket_count(account.index_entries) == 1:
        if 0 in account.buckets.written:
            inline["b0"] = account.buckets[0]
    else:
        inline.pop("b0", None)
        for number in account.buckets.written:
            yield page_record(name, f"b{number}", account.buckets[number])
    for page in _too_much(inline):
        yield page_record(name, page, inline.pop(page))
    account.days.written.clear()
    account.buckets.written.clear()
    stored = posting.Account(
        name,
        account.sequence,
        account.balance_minutes,
        tuple(Total(kind, state, n) for (kind, state), n in sorted(account.totals.items())),
        account.index_entries,
        tuple(Due(at, key) for key, at in sorted(account.due.items())),
        tuple(InlinePage(key, value) for key, value in sorted(inline.items())),
    )
    yield name, encode(stored)


def _too_much(inline: dict[str, bytes]) -> list[str]:
    """The oldest days, as many as do not fit beside the newer ones."""
    days = sorted((page for page in inline if page[0] == "d"), key=lambda page: -int(page[1:]))
    room = INLINE_BYTES
    fitting = 0
    for page in days:
        room -= len(inline[page])
        if room < 0 and fitting:
            break
        fitting += 1
    return days[fitting:]


def page_record(volunteer_id: str, page: str, value: bytes) -> tuple[str, bytes]:
    """A page as a record of its own."""
    return f"{volunteer_id}/{page}", encode(StatePage(volunteer_id, page, value))
