"""Reads the whole log of a cluster and says whether the ledger in it is right.

Used after every fault run: nothing lost, nothing double, every balance as the reference model has
it, accounts and postings in step.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from ledger.account.record import Record
from schemas.events import ClockTicked
from schemas.posting import Account, Posting, Quarantined
from schemas.topics import ACCOUNTS, CATALOGUE, FACTS, PARTITIONS, POSTINGS, QUARANTINE
from schemas.wire.codec import Undecodable, decode_event, decode_output
from schemas.wire.headers import origin_of
from streams.partitions.fold_batch import partition_of
from tests.reference.model import check
from tests.reference.model_people import check_people

_BY_WORKERS = {"wrong_partition", "output_too_large", "output_refused"}
"""Reasons of quarantine that say nothing of the record itself."""

Source = tuple[str, int, int]
"""Topic, partition, offset."""


def read(bootstrap: str, *topics: str, only: Collection[int] | None = None) -> Iterator[Any]:
    """Every committed record of some topics, or of some of their partitions, up to where they end
    now."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    try:
        tps = [
            TopicPartition(topic, partition)
            for topic in topics
            for partition in consumer.partitions_for_topic(topic) or ()
            if only is None or partition in only or topic == CATALOGUE
        ]
        consumer.assign(tps)
        ends = consumer.end_offsets(tps)
        while any(consumer.position(tp) < ends[tp] for tp in tps):
            for records in consumer.poll(timeout_ms=500, max_records=5_000).values():
                yield from records
    finally:
        consumer.close()


@dataclass(slots=True)
class Log:
    """A cluster's log, decoded."""

    inputs: dict[Source, Record | None] = field(default_factory=dict)
    catalogue: list[Record] = field(default_factory=list)
    postings: dict[int, list[Posting]] = field(default_factory=lambda: defaultdict(list))
    quarantined: list[Quarantined] = field(default_factory=list)
    accounts: dict[str, Account] = field(default_factory=dict)
    copies: dict[Source, list[Source]] = field(default_factory=lambda: defaultdict(list))
    """Where a record was first -> where the same was sent on to, as headers say and bytes bear out.
    """


def take(bootstrap: str, only: Collection[int] | None = None) -> Log:
    """Read everything, or what some partitions have."""
    log = Log()
    raws = {
        (raw.topic, raw.partition, raw.offset): raw
        for raw in read(bootstrap, CATALOGUE, *FACTS, only=only)
    }
    for source, raw in raws.items():
        recorded = raw.timestamp
        if (said := origin_of(raw.headers)) is not None:
            first = raws.get((raw.topic, *said))
            if first and (first.key, first.value) == (raw.key, raw.value):
                recorded = min(recorded, first.timestamp)
                log.copies[raw.topic, *said].append(source)
        key = None if raw.key is None else raw.key.decode("utf-8", "replace")
        try:
            event = decode_event(raw.value)
        except Undecodable:
            record = None
        else:
            record = Record(*source, recorded * 1000, key, event)
        if raw.topic != CATALOGUE:
            log.inputs[source] = record
        elif record is not None:
            log.catalogue.append(record)
    for raw in read(bootstrap, POSTINGS, only=only):
        posting = decode_output(raw.value)
        assert isinstance(posting, Posting)
        log.postings[raw.partition].append(posting)
    for raw in read(bootstrap, QUARANTINE, only=only):
        entry = decode_output(raw.value)
        assert isinstance(entry, Quarantined)
        log.quarantined.append(entry)
    for raw in read(bootstrap, ACCOUNTS, only=only):
        if (stored := decode_output(raw.value)) and isinstance(stored, Account):
            log.accounts[stored.volunteer_id] = stored
    return log


def _answered(log: Log) -> Counter[Source]:
    """How often each input record was answered; the postings of one tick count once."""
    answers: Counter[Source] = Counter()
    ticked: set[Source] = set()
    for postings in log.postings.values():
        for posting in postings:
            source = (posting.source_topic, posting.source_partition, posting.source_offset)
            if isinstance(getattr(log.inputs.get(source), "event", None), ClockTicked):
                ticked.add(source)
            else:
                answers[source] += 1
    answers.update(ticked)
    for entry in log.quarantined:
        answers[entry.source_topic, entry.source_partition, entry.source_offset] += 1
    return answers


def judge(bootstrap: str, only: Collection[int] | None = None) -> list[str]:
    """Everything that is wrong with the ledger of a cluster, as sentences; [] if it is right.

    `only`: some of its partitions, where nobody is merged with somebody of another one.
    """
    log = take(bootstrap, only)
    answers = _answered(log)
    found = [f"lost: {source}" for source in log.inputs if not answers[source]]
    found += [f"{n} times: {source}" for source, n in answers.items() if n > 1]
    found += [f"from nowhere: {source}" for source in answers if source not in log.inputs]
    sent_on = {
        (p.source_topic, p.source_partition, p.source_offset)
        for postings in log.postings.values()
        for p in postings
        if p.reason == "wrong_partition"
    }
    found += _astray_faults(log, sent_on)
    for partition, postings in sorted(log.postings.items()):
        indexes = [posting.index for posting in postings]
        if indexes != list(range(len(indexes))):
            found.append(f"partition {partition}: indexes are not 0, 1, 2 ...")
        barred = {
            (e.source_topic, e.source_offset)
            for e in log.quarantined
            if e.source_partition == partition and e.reason in _BY_WORKERS
        }
        records = [
            record
            for (topic, number, offset), record in log.inputs.items()
            if number == partition
            and record is not None
            and (topic, offset) not in barred
            and (topic, number, offset) not in sent_on
        ]
        found += [f"partition {partition}: {s}" for s in check(log.catalogue + records, postings)]
        found += _account_faults(log, postings)
    facts = [r for at, r in log.inputs.items() if r is not None and at not in sent_on]
    found += check_people([*log.catalogue, *facts], [p for ps in log.postings.values() for p in ps])
    return found


def _astray_faults(log: Log, sent_on: set[Source]) -> Iterator[str]:
    """What was sent on arrived once, where it belongs; and what belongs elsewhere was sent on."""
    for source in sorted(sent_on):
        record = log.inputs[source]
        assert record is not None
        home = partition_of(str(getattr(record.event, "volunteer_id", "")), PARTITIONS)
        if home == source[1]:
            yield f"{source} was sent on from where it belongs"
        arrived = [copy for copy in log.copies[source] if copy[1] == home]
        if len(arrived) != 1:
            yield f"{source} arrived {len(arrived)} times in partition {home}"
    for partition, postings in log.postings.items():
        for posting in postings:
            name = posting.volunteer_id
            if name and partition_of(name, PARTITIONS) != partition:
                yield f"{name} has a posting in partition {partition}"


def _account_faults(log: Log, postings: list[Posting]) -> list[str]:
    """Accounts that do not stand where their last posting left them."""
    last = {posting.volunteer_id: posting for posting in postings if posting.volunteer_id}
    found = []
    for name, posting in last.items():
        account = log.accounts.get(name)
        if account is None:
            found.append(f"{name}: has postings and no account")
        elif (account.sequence, account.balance_minutes) != (
            posting.sequence,
            posting.balance_minutes,
        ):
            found.append(f"{name}: account at {account.sequence}, postings at {posting.sequence}")
    return found
