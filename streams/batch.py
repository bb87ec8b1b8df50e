"""A chunk of one partition's records -> everything its transaction writes. No I/O, no clock."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Protocol

from aiokafka.partitioner import murmur2

from ledger.admission import barred
from ledger.catalogue import Catalogue
from ledger.fold import fold
from ledger.record import Record, digest_of
from schemas.codec import Undecodable, decode_event, encode
from schemas.posting import Posting, Quarantined
from streams.store import Change, Store, Working

KEPT_BYTES_MAX: Final = 64 * 1024
"""How much of an unreadable value goes into quarantine."""


class Fetched(Protocol):
    """The part of aiokafka's ConsumerRecord that we read; `timestamp` in milliseconds."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


@dataclass(slots=True)
class Folded:
    """What one transaction writes: (key, value, timestamp ms) per topic, transfers by the partition
    they go to, and the accounts it is about, for the store to keep once the transaction is
    committed."""

    postings: list[tuple[bytes, bytes, int]] = field(default_factory=list)
    quarantined: list[tuple[bytes | None, bytes, int]] = field(default_factory=list)
    transfers: dict[int, list[tuple[bytes, bytes, int]]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    next_index: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    working: Working | None = None


@lru_cache(maxsize=100_000)
def partition_of(volunteer_id: str, partitions: int) -> int:
    """Kafka's default partition for a key."""
    return int((murmur2(volunteer_id.encode()) & 0x7FFFFFFF) % partitions)


def fold_chunk(
    store: Store,
    topic: str,
    chunk: Sequence[Fetched],
    catalogue: Catalogue,
    partitions: int,
) -> Folded:
    """Fold records of one topic-partition; the store's records are left as they are.

    A record on which the rules raise is a bug in them; it is quarantined as `internal_error` and
    the chunk is folded again without it, so that one event cannot stop a partition. Raises OSError
    where the store's records cannot be read.
    """
    broken: dict[int, str] = {}
    while True:
        fold_of = _Fold(store, topic, catalogue, partitions, broken)
        for fetched in chunk:
            try:
                fold_of.take(fetched)
            except OSError:
                # The disk below the accounts, not the record.
                raise
            except Exception as bug:
                broken[fetched.offset] = f"{type(bug).__name__}: {bug}"
                break
        else:
            return fold_of.done(chunk[-1].offset + 1)


class _Fold:
    """The fold of one chunk over working copies."""

    def __init__(
        self,
        store: Store,
        topic: str,
        catalogue: Catalogue,
        partitions: int,
        broken: dict[int, str],
    ) -> None:
        self._store = store
        self._topic = topic
        self._catalogue = catalogue
        self._partitions = partitions
        self._broken = broken
        self._working = Working(store)
        self._out = Folded(next_index=store.next_index)

    def take(self, fetched: Fetched) -> None:
        """One record: its postings, or its place in quarantine."""
        offset, timestamp = fetched.offset, fetched.timestamp
        key, value = fetched.key, fetched.value
        if offset in self._broken:
            self._quarantine(fetched, "internal_error", self._broken[offset])
            return
        try:
            event = decode_event(value)
        except Undecodable as fault:
            self._quarantine(fetched, fault.code, fault.detail)
            return
        assert value is not None
        record = Record(
            self._topic,
            self._store.partition,
            offset,
            timestamp * 1000,
            None if key is None else key.decode("utf-8", "replace"),
            event,
            digest_of(value),
        )
        if (why := barred(record, self._catalogue) or self._astray(record)) is not None:
            self._quarantine(fetched, *why)
            return
        for posting in fold(self._working, record, self._catalogue, self._out.next_index):
            self._post(posting, timestamp)
        if self._working.transfers:
            self._hand_over(timestamp)

    def _hand_over(self, timestamp: int) -> None:
        """What this record made accounts hand to others, each to its partition."""
        for event in self._working.transfers:
            home = partition_of(event.volunteer_id, self._partitions)
            told = (event.volunteer_id.encode(), encode(event), timestamp)
            self._out.transfers.setdefault(home, []).append(told)
        self._working.transfers.clear()

    def _astray(self, record: Record) -> tuple[str, str] | None:
        """A producer with another partitioner would split a volunteer's account in two."""
        volunteer_id = getattr(record.event, "volunteer_id", None)
        if volunteer_id is None or not self._working.is_new(volunteer_id):
            return None
        home = partition_of(volunteer_id, self._partitions)
        if home == record.partition:
            return None
        return "wrong_partition", f"partition {record.partition}, belongs in {home}"

    def _post(self, posting: Posting, timestamp: int) -> None:
        out = self._out
        out.postings.append((posting.volunteer_id.encode(), encode(posting), timestamp))
        out.outcomes[posting.outcome] = out.outcomes.get(posting.outcome, 0) + 1
        out.next_index += 1

    def _quarantine(self, fetched: Fetched, reason: str, detail: str) -> None:
        key, value = fetched.key, fetched.value
        size = 0 if value is None else len(value)
        if reason == "personal_data":
            # Where it came from says enough to find it; its bytes are not written a second time.
            key = value = None
        entry = Quarantined(
            self._topic,
            self._store.partition,
            fetched.offset,
            fetched.timestamp * 1000,
            reason,
            detail[:500],
            None if key is None else key[:KEPT_BYTES_MAX],
            None if value is None else value[:KEPT_BYTES_MAX],
            size,
        )
        self._out.quarantined.append((key, encode(entry), fetched.timestamp))
        self._out.outcomes["quarantined"] = self._out.outcomes.get("quarantined", 0) + 1

    def done(self, next_offset: int) -> Folded:
        """Everything the transaction writes, the partition's own state last."""
        out = self._out
        out.working = self._working
        out.changes = list(self._working.changes())
        positions = {**self._store.positions, self._topic: next_offset}
        out.changes.append(
            self._store.state(out.next_index, self._catalogue.next_offset, positions)
        )
        return out
