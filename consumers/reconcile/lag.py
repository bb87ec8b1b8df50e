"""How far ledger and trail are behind the log: by what they hold, whoever runs or not.

What the ledger holds is said by the partition's own record in ledger.accounts, written with the
postings in one transaction; what the trail holds is said by the trail. A consumer group's commits
may be lost or expire while the ledger is complete, and a process may say anything of itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError

from consumers.kafka.reader import Log
from consumers.kafka.records import Place, Record
from consumers.seal.published import newest
from schemas.posting import PartitionState
from schemas.topics import ACCOUNTS, FACTS
from schemas.wire.codec import Undecodable, decode_output

_ANSWER_MS = 5_000


@dataclass(frozen=True, slots=True)
class Lag:
    """One place of the log, and how much of it somebody holds; all in offsets.

    `held` is the next one to be taken over. The log has `begin` up to `end`, where a transaction
    may be open that reaches up to `top`. `records` are to come: what is committed and not held, and
    every offset from an open transaction on, since nothing behind it can be read before it ends.
    """

    place: Place
    held: int
    begin: int
    end: int
    top: int
    records: int

    @property
    def gap(self) -> tuple[int, int] | None:
        """From and up to which offset the log has lost what was never taken over."""
        return (self.held, self.begin) if self.held < self.begin else None

    @property
    def ahead(self) -> tuple[int, int] | None:
        """From and up to which offset something is held that the log does not have any more."""
        return (self.top, self.held) if self.held > self.top else None

    @property
    def open(self) -> tuple[int, int] | None:
        """From and up to which offset records wait for an open transaction."""
        return (self.end, self.top) if self.end < self.top else None


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """Who holds a place up; `transactional_id` is '' where the cluster does not say."""

    place: Place
    first: int
    transactional_id: str
    producer_id: int


def ledger_positions(log: Log, topics: Sequence[str] = FACTS) -> dict[Place, int]:
    """For each fact partition the next offset that is not in the ledger yet; raises LogError.

    A partition that never was written stands at 0, all do where there is no ledger.accounts.
    """
    facts = log.places(topics)
    states = {} if log.absent([ACCOUNTS]) else partition_states(log)
    return {place: position_of(states.get(place.partition), place) for place in facts}


def partition_states(log: Log) -> dict[int, PartitionState]:
    """The newest own record of each ledger partition that has one; raises LogError."""
    found = newest(log, log.places([ACCOUNTS]), state_in)
    return {place.partition: states[-1] for place, states in found.items()}


def position_of(state: PartitionState | None, place: Place) -> int:
    """The next offset of a fact partition that its ledger partition wants."""
    positions = () if state is None else state.positions
    return next((p.next_offset for p in positions if p.topic == place.topic), 0)


def measure(log: Log, held: Mapping[Place, int]) -> list[Lag]:
    """How far these places are behind, in their order; raises LogError."""
    # The top before the end: what comes in between is then never taken for an open transaction.
    tops, begins, ends = log.tops(held), log.begins(held), log.ends(held)
    starts = {place: max(offset, begins[place]) for place, offset in held.items()}
    counts = log.count(starts, ends)
    return [
        Lag(
            place, offset, begins[place], ends[place], max(tops[place], ends[place]),
            counts.get(place, 0) + max(0, tops[place] - max(ends[place], starts[place])),
        )
        for place, offset in held.items()
    ]  # fmt: skip


def open_transactions(bootstrap: str, lags: Iterable[Lag]) -> list[OpenTransaction]:
    """The transactions that hold places up, first offsets first; what the cluster says of them.

    A place whose transaction has ended meanwhile is left out.
    """
    held_up = {TopicPartition(*lag.place): lag.place for lag in lags if lag.open is not None}
    if not held_up:
        return []
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=bootstrap.split(","), bootstrap_timeout_ms=_ANSWER_MS
        )
    except KafkaError:
        return []
    try:
        states = admin.describe_producers(list(held_up))
        names = {
            one.producer_id: one.transactional_id
            for some in admin.list_transactions().values()
            for one in some
        }
    except KafkaError:
        # Told by offsets alone: a cluster may refuse to name others' transactions.
        return []
    finally:
        admin.close()
    found = [
        OpenTransaction(
            held_up[tp], one.current_transaction_start_offset,
            names.get(one.producer_id, ""), one.producer_id,
        )
        for tp, state in states.items()
        for one in state.active_producers
        if one.current_transaction_start_offset >= 0
    ]  # fmt: skip
    return sorted(found, key=lambda one: (one.place, one.first))


def state_in(record: Record) -> PartitionState | None:
    """What a partition's own record of ledger.accounts says; None for any other record."""
    if not (record.key or b"").startswith(b"@") or record.value is None:
        return None
    try:
        state = decode_output(record.value)
    except Undecodable:
        return None
    return state if isinstance(state, PartitionState) else None


def total(lags: Sequence[Lag]) -> int:
    """Records still to come, of all places."""
    return sum(lag.records for lag in lags)
