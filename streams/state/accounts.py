"""One partition's accounts as bytes, and the working copies of a batch over them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from ledger.account.account import Account, Saved, go_back, save
from ledger.catalogue.catalogue import Catalogue
from ledger.catalogue.changes import persons_in
from ledger.hours.clock import is_due
from schemas.events import Transfer
from schemas.posting import PartitionState, Position, StatePage
from schemas.wire.codec import decode_output, encode
from streams.state import account_codec
from streams.state.wakes import UNSAID, Wakes, wake_of

DUE_HEADER: Final = "due"
"""Header of an account record: when a tick must look at it, so that restoring need not decode."""

WAITS_HEADER: Final = "waits"
"""Header of an account record that is due at once: what it waits for (`streams.state.wakes`)."""

LENT_HEADER: Final = "lent"
"""Header of an account record: who counts its hours, where it is not the account itself."""

LIVE_ACCOUNTS_MAX: Final = 2_048
"""Accounts of a partition that stay unpacked between batches; those used last."""

LIVE_PAGES_MAX: Final = 64
"""Pages of an account up to which it may stay unpacked."""

Live = tuple[Account, dict[str, bytes]]
"""An unpacked account, and the pages in its record as they are."""

Change = tuple[str, bytes, str, str]
"""Record key, framed value, and for an account record when a tick must look at it
(`streams.state.wakes`) and who counts its hours."""


Marks = dict[str, tuple[str, str]]
"""Accounts by what their records' headers say: when a tick must look at each, and who counts its
hours."""


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

    `wakes` and `lent` are the headers of account records that have any. `live` holds some accounts
    unpacked; each is as its record says. `ticked_offset` is where the catalogue ended at the last
    tick, `only_ticks` says that no fact was posted since.
    """

    partition: int
    # Not in its repr: asyncio shows the results of tasks, and this is a million records.
    records: Records = field(default_factory=InMemory, repr=False)
    wakes: Wakes = field(default_factory=Wakes, repr=False)
    lent: dict[str, str] = field(default_factory=dict, repr=False)
    next_index: int = 0
    catalogue_offset: int = 0
    ticked_offset: int = 0
    only_ticks: bool = False
    positions: dict[str, int] = field(default_factory=dict)
    live: dict[str, Live] = field(default_factory=dict, repr=False)

    def take(self, changes: Sequence[Change], read_from: int = 0) -> None:
        """Take over records of a committed batch.

        `read_from` is an offset in the topic before which there is nothing newer.
        """
        said: Marks = {}
        for key, _, wake, lent_to in changes:
            if is_account(key):
                said[key] = (wake, lent_to)
        marks = {
            name: mark
            for name, mark in said.items()
            if mark != (self.wakes.texts.get(name, ""), self.lent.get(name, ""))
        }
        self.records.put(changes, marks, read_from)
        for name, (wake, lent_to) in marks.items():
            self.wakes.put(name, wake)
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
        self.ticked_offset = state.ticked_offset
        self.positions = {p.topic: p.next_offset for p in state.positions}

    def state(
        self,
        next_index: int,
        catalogue_offset: int,
        positions: dict[str, int],
        ticked_offset: int,
    ) -> Change:
        """The record that says where the partition stands after a batch."""
        state = PartitionState(
            self.partition,
            next_index,
            catalogue_offset,
            tuple(Position(topic, offset) for topic, offset in sorted(positions.items())),
            ticked_offset,
        )
        return state_key(self.partition), encode(state), "", ""


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
        self._touched: set[str] = set()
        self.ticked_offset = store.ticked_offset
        """Where the catalogue ended at the last tick."""
        self._only_ticks = store.only_ticks
        self.transfers: list[Transfer] = []
        self._saved: dict[str, tuple[Saved | None, bool]] | None = None

    def careful(self) -> None:
        """From now on remember how accounts were, for `undo`."""
        self._saved = {}

    def undo(self) -> None:
        """Let every account be as it was when `careful` was said last."""
        for name, (saved, touched) in (self._saved or {}).items():
            if saved is None:
                self._open.pop(name, None)
            elif name in self._open:
                go_back(self._open[name][0], saved)
            if not touched:
                self._touched.discard(name)
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
                self._saved[volunteer_id] = (None, False)
            self._open[volunteer_id] = found
        elif self._saved is not None and volunteer_id not in self._saved:
            self._saved[volunteer_id] = (save(found[0]), volunteer_id in self._touched)
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
            return account_codec.empty(volunteer_id, _no_page), {}
        return account_codec.unpack(value, page)

    def due_by(self, at: int, catalogue: Catalogue) -> list[str]:
        """The volunteers with anything due at this instant or before, and those for whom something
        they wait for may have changed since the last tick, in ascending order."""
        changed, wakes = catalogue.changes.since(self.ticked_offset), self._store.wakes
        due = wakes.due_by(at, changed) - self._touched
        for name in due:
            if wakes.texts[name] == UNSAID:
                self.touched(self.account(name))
        due |= {n for n in self._touched if is_due(self._open[n][0], at, changed)}
        return sorted(due)

    def elsewhere(self, catalogue: Catalogue) -> list[str]:
        """The volunteers whose hours are not counted where they ought to be, in ascending order."""
        people, lent = catalogue.people, self._store.lent
        changed = persons_in(catalogue.changes.since(self.ticked_offset))
        found = []
        for name in {*people.into, *lent, *self._open} if changed is None else changed:
            opened = self._open.get(name)
            to = lent.get(name, "") if opened is None else opened[0].lent_to
            if to != people.counted_by(name) and (name in lent or not self.is_new(name)):
                found.append(name)
        return sorted(found)

    def ticked(self, catalogue: Catalogue) -> None:
        """A tick has looked at whoever is due by this catalogue."""
        self.ticked_offset = catalogue.next_offset
        self._only_ticks = True

    def hand(self, transfers: list[Transfer]) -> None:
        """What accounts hand to others, written in the batch's transaction."""
        self.transfers += transfers

    def touched(self, account: Account) -> None:
        """An account has changed and must be written."""
        self._only_ticks = False
        self._touched.add(account.volunteer_id)

    def unchanged(self, account: Account) -> None:
        """A tick looks at many accounts, which need not all be in memory at once."""
        if account.volunteer_id not in self._touched:
            del self._open[account.volunteer_id]

    def changes(self) -> Iterator[Change]:
        """The records of every changed account, in the order of their names."""
        for name in sorted(self._touched):
            account, inline = self._open[name]
            wake = wake_of(account)
            for key, value in account_codec.pack(account, inline):
                own = key == name
                yield key, value, wake if own else "", account.lent_to if own else ""

    def keep(self) -> None:
        """Give the accounts back, now that their records are committed."""
        self._store.only_ticks = self._only_ticks
        live = self._store.live
        for name, opened in self._open.items():
            account = opened[0]
            days, buckets, cases = account.days, account.buckets, account.cases
            if len(days.loaded) + len(buckets.loaded) + len(cases.loaded) <= LIVE_PAGES_MAX:
                live[name] = opened
        for name in list(live)[: max(0, len(live) - LIVE_ACCOUNTS_MAX)]:
            del live[name]
        self._open = {}
