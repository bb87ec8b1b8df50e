"""A chunk of one partition's records -> everything its transaction writes. No I/O, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple, Protocol

from aiokafka.partitioner import murmur2

from ledger.account.record import Record, digest_of_event
from ledger.catalogue.catalogue import Catalogue
from ledger.fold import fold, sent_on
from ledger.hours.admission import barred
from schemas.posting import Quarantined
from schemas.topics import OUTPUT_BATCH_BYTES_MAX, TRANSFERS
from schemas.wire.codec import Undecodable, decode_event, encode
from schemas.wire.headers import ORIGIN, origin_header
from streams.state.accounts import Change, Store, Working

KEPT_BYTES_MAX: Final = 64 * 1024
"""How much of an unreadable value goes into quarantine."""

KEY_BYTES_MAX: Final = 1024
"""Largest key of a quarantine record; a longer one is its SHA-256, `sha256:` and hex digits."""

OVERHEAD_BYTES: Final = 1024
"""What a batch, a record and its headers add to key and value, at most."""

HEADER_BYTES_MAX: Final = 8 * 1024
"""Headers up to which a record is sent on with all of them; beyond, with none but our own."""

Header = tuple[str, bytes | None]

Verdicts = dict[int, tuple[str, str]]
"""Offset -> reason and detail with which a record is quarantined unlooked at."""


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
    @property
    def headers(self) -> Sequence[Header]: ...


class Origin(NamedTuple):
    """Where a record that was sent on was first, and since when (ms), as the log bears out."""

    partition: int
    offset: int
    timestamp: int


@dataclass(slots=True)
class Folded:
    """What one transaction writes: (key, value, timestamp ms) per topic, transfers by the partition
    they go to, and the accounts it is about, for the store to keep once the transaction is
    committed. `forwards` are records of this very topic, with their headers, by the partition where
    their keys belong. It is about the first `count` records of the chunk."""

    postings: list[tuple[bytes, bytes, int]] = field(default_factory=list)
    quarantined: list[tuple[bytes | None, bytes, int]] = field(default_factory=list)
    transfers: dict[int, list[tuple[bytes, bytes, int]]] = field(default_factory=dict)
    forwards: dict[int, list[tuple[bytes | None, bytes, int, list[Header]]]] = field(
        default_factory=dict
    )
    changes: list[Change] = field(default_factory=list)
    next_index: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    working: Working | None = None
    count: int = 0


class TooLarge(Exception):
    """A record of the output would weigh more than the broker takes."""


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
    *,
    origins: Mapping[int, Origin] | None = None,
    verdicts: Verdicts | None = None,
    record_bytes_max: int = OUTPUT_BATCH_BYTES_MAX,
) -> Folded:
    """Fold records of one topic-partition, or the first of them; the store's records are left as
    they are.

    `origins` says of records that were sent on where and when they were recorded first: they are
    judged by that. A record on which the rules raise twice is a bug in them; it is quarantined as
    `internal_error`. Where an account would outgrow `record_bytes_max`, the chunk is halved down to
    the one record that makes it so, which is quarantined as `output_too_large`. Raises OSError
    where the store's records cannot be read, and MemoryError: neither says anything of a record.
    """
    before = {} if origins is None else origins
    known = {} if verdicts is None else dict(verdicts)
    most = record_bytes_max - OVERHEAD_BYTES
    count = len(chunk)
    while True:
        part = chunk[:count]
        fold_of = _Fold(store, topic, catalogue, partitions, before, known, most)
        try:
            for fetched in part:
                fold_of.take(fetched)
        except (OSError, MemoryError):
            # The disk below the accounts, or the machine; not the record.
            raise
        except Exception:
            fold_of = _Fold(store, topic, catalogue, partitions, before, known, most)
            for fetched in part:
                fold_of.take_with_care(fetched)
        folded = fold_of.done(part)
        if (large := _too_large(folded.changes, most)) is None:
            return folded
        if count > 1:
            count //= 2
        elif part[0].offset in known:
            # It is in quarantine already, and what is too large was so before.
            return folded
        else:
            known[part[0].offset] = ("output_too_large", large)


def _too_large(changes: Sequence[Change], most: int) -> str | None:
    """What an account's record would weigh that is too large, in words."""
    for key, value, _, _ in changes:
        if len(key) + len(value) > most:
            return f"the record {key} would have {len(value)} bytes, at most {most}"
    return None


def _verdict(failed: Exception) -> tuple[str, str]:
    """Reason and detail for a record that failed twice."""
    if isinstance(failed, TooLarge):
        return "output_too_large", f"{failed}"
    return "internal_error", f"{type(failed).__name__}: {failed}"


class _Fold:
    """The fold of one chunk over working copies."""

    def __init__(
        self,
        store: Store,
        topic: str,
        catalogue: Catalogue,
        partitions: int,
        origins: Mapping[int, Origin],
        verdicts: Verdicts,
        most: int,
    ) -> None:
        self._store = store
        self._topic = topic
        self._catalogue = catalogue
        self._partitions = partitions
        self._origins = origins
        self._verdicts = verdicts
        self._most = most
        self._working = Working(store)
        self._out = Folded(next_index=store.next_index)

    def take(self, fetched: Fetched) -> None:
        """One record: its postings, or its place in quarantine."""
        if fetched.offset in self._verdicts:
            self._quarantine(fetched, *self._verdicts[fetched.offset])
            return
        try:
            event = decode_event(fetched.value)
        except Undecodable as fault:
            self._quarantine(fetched, fault.code, fault.detail)
            return
        value, key = fetched.value, fetched.key
        assert value is not None
        origin = self._origins.get(fetched.offset)
        record = Record(
            self._topic,
            self._store.partition,
            fetched.offset,
            (fetched.timestamp if origin is None else origin.timestamp) * 1000,
            None if key is None else key.decode("utf-8", "replace"),
            event,
            digest_of_event(event, value),
        )
        why = barred(record, self._catalogue)
        home = self._home_of(record) if why is None else None
        if home is not None and self._topic == TRANSFERS:
            # Written by workers alone, who know where it belongs.
            why = "wrong_partition", f"partition {record.partition}, belongs in {home}"
        if why is not None:
            self._quarantine(fetched, *why)
        elif home is not None:
            self._send_on(fetched, record, home)
        else:
            self._fold(record, fetched.timestamp)

    def take_with_care(self, fetched: Fetched) -> None:
        """The same; where the rules raise, what they did is undone and they are asked once more."""
        self._working.careful()
        failed: Exception | None = None
        for _ in range(2):
            try:
                self.take(fetched)
            except (OSError, MemoryError):
                raise
            except Exception as why:
                failed = why
            else:
                return
            self._working.undo()
        if failed is not None:
            self._quarantine(fetched, *_verdict(failed))

    def _fold(self, record: Record, timestamp: int) -> None:
        """All or nothing of what one record gives: it is encoded before any of it is kept."""
        out = self._out
        postings = []
        outcomes = []
        for posting in fold(self._working, record, self._catalogue, out.next_index):
            postings.append((posting.volunteer_id.encode(), encode(posting), timestamp))
            outcomes.append(posting.outcome)
        transfers = []
        for event in self._working.transfers:
            home = partition_of(event.volunteer_id, self._partitions)
            transfers.append((home, (event.volunteer_id.encode(), encode(event), timestamp)))
        for key, value, _ in postings:
            if len(key) + len(value) > self._most:
                raise TooLarge(f"a posting would have {len(value)} bytes, at most {self._most}")
        out.postings += postings
        out.next_index += len(postings)
        for outcome in outcomes:
            out.outcomes[outcome] = out.outcomes.get(outcome, 0) + 1
        if transfers:
            self._working.transfers.clear()
            for home, told in transfers:
                out.transfers.setdefault(home, []).append(told)

    def _home_of(self, record: Record) -> int | None:
        """Where a record belongs if not here: a producer with another partitioner would split a
        volunteer's account in two."""
        volunteer_id = getattr(record.event, "volunteer_id", None)
        if volunteer_id is None or not self._working.is_new(volunteer_id):
            return None
        home = partition_of(volunteer_id, self._partitions)
        return None if home == record.partition else home

    def _send_on(self, fetched: Fetched, record: Record, home: int) -> None:
        """Write a record once more, where it belongs; here it counts nothing."""
        out, value = self._out, fetched.value
        assert value is not None
        posting = sent_on(record, self._catalogue, out.next_index)
        headers: list[Header] = [origin_header(record.partition, record.offset)]
        others = [header for header in fetched.headers if header[0] != ORIGIN]
        if sum([len(name) + len(text or b"") for name, text in others]) <= HEADER_BYTES_MAX:
            headers += others
        out.forwards.setdefault(home, []).append((fetched.key, value, fetched.timestamp, headers))
        out.postings.append((b"", encode(posting), fetched.timestamp))
        out.next_index += 1
        out.outcomes["sent_on"] = out.outcomes.get("sent_on", 0) + 1

    def _quarantine(self, fetched: Fetched, reason: str, detail: str) -> None:
        key, value = fetched.key, fetched.value
        size = 0 if value is None else len(value)
        if reason == "personal_data":
            # Where it came from says enough to find it; its bytes are not written a second time.
            key = value = None
        if (origin := self._origins.get(fetched.offset)) is not None:
            detail = f"sent on from {self._topic}/{origin.partition}/{origin.offset}; {detail}"
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
        if key is not None and len(key) > KEY_BYTES_MAX:
            key = b"sha256:" + sha256(key).hexdigest().encode()
        self._out.quarantined.append((key, encode(entry), fetched.timestamp))
        self._out.outcomes["quarantined"] = self._out.outcomes.get("quarantined", 0) + 1

    def done(self, part: Sequence[Fetched]) -> Folded:
        """Everything the transaction writes, the partition's own state last."""
        out = self._out
        out.count = len(part)
        out.working = self._working
        out.changes = list(self._working.changes())
        positions = {**self._store.positions, self._topic: part[-1].offset + 1}
        out.changes.append(
            self._store.state(
                out.next_index,
                self._catalogue.next_offset,
                positions,
                self._working.ticked_offset,
            )
        )
        return out
