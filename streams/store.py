"""One partition's accounts as bytes, and the working copies of a batch over them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from ledger.account import Account, Saved, go_back, save
from ledger.clock import due_at
from ledger.people import People
from schemas.codec import decode_output, encode
from schemas.events import Transfer
from schemas.posting import PartitionState, Position, StatePage
from streams import pages

DUE_HEADER: Final = "due"
"""Header of an account record: when a tick must look at it, so that restoring need not decode."""

LENT_HEADER: Final = "lent"
"""Header of an account record: who counts its hours, where it is not the account itself."""

LIVE_ACCOUNTS_MAX: Final = 2_048
"""Accounts of a partition that stay unpacked between batches; those used last."""

LIVE_PAGES_MAX: Final = 64
"""Pages of an account up to which it may stay unpacked."""

Live = tuple[Account, dict[str, bytes]]
"""An unpacked account, and the pages in its record as they are."""

Change = tuple[str, bytes, int | None, str]
"""Record key, framed value, and for an account record when it is due and who counts its hours."""


Marks = dict[str, tuple[int | None, str]]
"""Accounts by what their records' headers say: when each is due, and who counts its hours."""


def state_key(partition: int) -> str:
    """The key of a partition's own state: no volunteer id begins with @."""
    return f"@{partition}"


def is_account(key: str) -> bool:
    """Is this the key of an account's own record, and not of a page or of the partition?"""
    return key[0] != "@" and "/" not in key


class Records(Protocol):
    """Record key -> framed value, wherever they are kept."""

    def get(self, key: str, /) -> bytes | None:
        """The newest value of a key."""

    def put(self, changes: Sequence[Change], marks: Marks, read_from: int, /) -> None:
        """Take over committed changes, with the marks that are others than before; the log has
        nothing newer before this offset."""


class InMemory:
    """Records in memory, for who folds without a worker."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def get(self, key: str, /) -> bytes | None:
        """The newest value of a key."""
        return self.values.get(key)

    def put(self, changes: Sequence[Change], marks: Marks, read_from: int, /) -> None:
        """Take over committed changes."""
        for key, value, _, _ in changes:
            self.values[key] = value


@dataclass(slots=True)
class Store:
    """What ledger.accounts holds for one partition: its records, and what is asked of all of them.

    `due` and `lent` are the headers of account records that have any. `live` holds some accounts
    unpacked; each is as its record says.
    """

    partition: int
    # Not in its repr: asyncio shows the results of tasks, and this is a million records.
    records: Records = field(default_factory=InMemory, repr=False)
    due: dict[str, int] = field(default_factory=dict, repr=False)
    lent: dict[str, str] = field(default_factory=dict, repr=False)
    next_index: int = 0
    catalogue_offset: int = 0
    positions: dict[str, int] = field(default_factory=dict)
    live: dict[str, Live] = field(default_factory=dict, repr=False)

    def take(self, changes: Sequence[Change], read_from: int = 0) -> None:
        """Take over records of a committed batch.

        `read_from` is an offset in the topic before which there is nothing newer.
        """
        said: Marks = {}
        for key, _, due, lent_to in changes:
            if is_account(key):
                said[key] = (due, lent_to)
        marks = {
            name: mark
            for name, mark in said.items()
            if mark != (self.due.get(name), self.lent.get(name, ""))
        }
        self.records.put(changes, marks, read_from)
        for name, (due, lent_to) in marks.items():
            if due is None:
                self.due.pop(name, None)
            else:
                self.due[name] = due
            if lent_to:
                self.lent[name] = lent_to
            else:
                self.lent.pop(name, None)
        for key, value, _, _ in changes:
            if key[0] == "@":
                self.stand(value)

    def stand(self, value: bytes) -> None:
        """Stand where the partition's own record says."""
        state = decode_output(value)
        assert isinstance(state, PartitionState)
        self.next_index = state.next_index
        self.catalogue_offset = state.catalogue_offset
        self.positions = {p.topic: p.next_offset for p in state.positions}

    def state(self, next_index: int, catalogue_offset: int, positions: dict[str, int]) -> Change:
        """The record that says where the partition stands after a batch."""
        state = PartitionState(
            self.partition,
            next_index,
            catalogue_offset,
            tuple(Position(topic, offset) for topic, offset in sorted(positions.items())),
        )
        return state_key(self.partition), encode(state), None, ""


def _no_page(_: str) -> bytes | None:
    return None


class Working:
    """The accounts that a batch works on, taken out of the store's `live` ones.

    They are given back once the transaction is committed (`keep`). If it aborts, or the fold
    raises, they are dropped with whatever was done to them, and the records count.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[str, Live] = {}
        self._due: dict[str, int | None] = {}
        self.transfers: list[Transfer] = []
        self._saved: dict[str, tuple[Saved | None, int | None, bool]] | None = None

    def careful(self) -> None:
        """From now on remember how accounts were, for `undo`."""
        self._saved = {}

    def undo(self) -> None:
        """Let every account be as it was when `careful` was said last."""
        for name, (saved, due, touched) in (self._saved or {}).items():
            if saved is None:
                self._open.pop(name, None)
            else:
                go_back(self._open[name][0], saved)
            if touched:
                self._due[name] = due
            else:
                self._due.pop(name, None)
        self._saved = {}
        self.transfers.clear()

    def is_new(self, volunteer_id: str) -> bool:
        """Has this volunteer no account yet?"""
        if volunteer_id in self._open or volunteer_id in self._store.live:
            return False
        return self._store.records.get(volunteer_id) is None

    def account(self, volunteer_id: str) -> Account:
        """The volunteer's working copy, a new one for a volunteer not seen before."""
        found = self._open.get(volunteer_id)
        if found is None:
            found = self._store.live.pop(volunteer_id, None)
            if found is None:
                found = self._load(volunteer_id)
            if self._saved is not None:
                self._saved[volunteer_id] = (None, None, False)
            self._open[volunteer_id] = found
        elif self._saved is not None and volunteer_id not in self._saved:
            due, touched = self._due.get(volunteer_id), volunteer_id in self._due
            self._saved[volunteer_id] = (save(found[0]), due, touched)
        return found[0]

    def _load(self, volunteer_id: str) -> Live:
        records = self._store.records

        def page(name: str) -> bytes | None:
            value = records.get(f"{volunteer_id}/{name}")
            if value is None:
                return None
            stored = decode_output(value)
            assert isinstance(stored, StatePage)
            return stored.value

        value = records.get(volunteer_id)
        if value is None:
            # A new account has no page that it does not make itself.
            return pages.empty(volunteer_id, _no_page), {}
        return pages.unpack(value, page)

    def due_by(self, at: int) -> list[str]:
        """The volunteers with anything due at this instant or before, in ascending order."""
        changed = self._due
        due = [n for n, when in self._store.due.items() if when <= at and n not in changed]
        due += [n for n, when in changed.items() if when is not None and when <= at]
        return sorted(due)

    def elsewhere(self, people: People) -> list[str]:
        """The volunteers whose hours are not counted where they ought to be, in ascending order."""
        lent = dict(self._store.lent)
        for name, (account, _) in self._open.items():
            lent[name] = account.lent_to
        known = [name for name in people.into if name not in lent and not self.is_new(name)]
        lent.update(dict.fromkeys(known, ""))
        return sorted(name for name, to in lent.items() if to != people.counted_by(name))

    def hand(self, transfers: list[Transfer]) -> None:
        """What accounts hand to others, written in the batch's transaction."""
        self.transfers += transfers

    def touched(self, account: Account) -> None:
        """An account has changed and must be written."""
        self._due[account.volunteer_id] = due_at(account)

    def changes(self) -> Iterator[Change]:
        """The records of every changed account, in the order in which they changed names."""
        for name in sorted(self._due):
            account, inline = self._open[name]
            for key, value in pages.pack(account, inline):
                own = key == name
                yield key, value, self._due[name] if own else None, account.lent_to if own else ""

    def keep(self) -> None:
        """Give the accounts back, now that their records are committed."""
        live = self._store.live
        for name, opened in self._open.items():
            account = opened[0]
            days, buckets, cases = account.days, account.buckets, account.cases
            if len(days.loaded) + len(buckets.loaded) + len(cases.loaded) <= LIVE_PAGES_MAX:
                live[name] = opened
        for name in list(live)[: max(0, len(live) - LIVE_ACCOUNTS_MAX)]:
            del live[name]
        self._open = {}
