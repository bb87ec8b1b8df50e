"""Is a ledger over a known log whole? Read once, without the reference model.

Each input answered exactly once, the indexes dense, every account where its last posting left it.
Whether the minutes are right as well is the model's to say (tests/judge.py); what it said of one
run holds for every other with the same balances, and any order of arrival must give the same.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition

from bench.contest.log import Entry
from schemas.posting import Account, Posting, Quarantined
from schemas.topics import ACCOUNTS, FACTS, PARTITIONS, POSTINGS, QUARANTINE, TRANSFERS
from schemas.wire.codec import LATEST, decode_output
from schemas.wire.headers import origin_of

Source = tuple[str, int, int]
"""Topic, partition, offset."""

_TICK = LATEST["ClockTicked"].frame
_NAMED = 5
"""So many of a kind are spelled out."""


@dataclass(slots=True)
class Whole:
    """What a ledger comes to: what is wrong with it, and minutes by volunteer."""

    wrong: list[str] = field(default_factory=list)
    balances: dict[str, int] = field(default_factory=dict)


def sources(log: Iterable[Entry]) -> dict[Source, bool]:
    """Each fact of a log as it lies in empty topics, and whether it is a tick.

    A tick may be answered by several postings.
    """
    offsets: Counter[tuple[str, int]] = Counter()
    found = {}
    for entry in log:
        if entry.topic in FACTS:
            place = entry.topic, entry.partition
            found[(*place, offsets[place])] = entry.value.startswith(_TICK)
            offsets[place] += 1
    return found


def look(bootstrap: str, inputs: dict[Source, bool]) -> Whole:
    """Read the outputs of a cluster whose facts are `inputs` and what accounts gave each other."""
    answers: Counter[Source] = Counter()
    ticked: set[Source] = set()
    indexes: list[list[int]] = [[] for _ in range(PARTITIONS)]
    last: dict[str, Posting] = {}
    accounts: dict[str, Account] = {}
    copies = _sent_on(bootstrap, inputs)
    inputs = inputs | dict.fromkeys(copies, False)
    for message in _read(bootstrap, POSTINGS, ACCOUNTS, QUARANTINE):
        said = decode_output(message.value() or b"")
        if isinstance(said, Posting):
            source = (said.source_topic, said.source_partition, said.source_offset)
            if inputs.get(source):
                ticked.add(source)
            else:
                answers[source] += 1
            indexes[said.partition].append(said.index)
            if said.volunteer_id:
                last[said.volunteer_id] = said
        elif isinstance(said, Quarantined):
            answers[said.source_topic, said.source_partition, said.source_offset] += 1
        elif isinstance(said, Account):
            accounts[said.volunteer_id] = said
    answers.update(ticked)
    found = Whole(balances={who: account.balance_minutes for who, account in accounts.items()})
    found.wrong += _named("lost", (source for source in inputs if not answers[source]))
    found.wrong += _named("double", (source for source, n in answers.items() if n > 1))
    strange = (s for s in answers if s not in inputs and s[0] != TRANSFERS)
    found.wrong += _named("from nowhere", strange)
    found.wrong += _named(
        "sent on twice", (o for o, n in Counter(copies.values()).items() if n > 1)
    )
    found.wrong += [
        f"partition {p}: indexes are not 0, 1, 2 ..."
        for p, these in enumerate(indexes)
        if these != list(range(len(these)))
    ]
    found.wrong += _named("account not where its last posting left it", _apart(last, accounts))
    return found


def _sent_on(bootstrap: str, inputs: Collection[Source]) -> dict[Source, Source]:
    """Records that a worker sent on to their own partition: copy -> the input it is of."""
    found: dict[Source, Source] = {}
    # They lie behind all inputs.
    behind = Counter((topic, partition) for topic, partition, _ in inputs)
    for message in _read(bootstrap, *FACTS, begins=behind):
        copy = (str(message.topic()), int(message.partition() or 0), int(message.offset() or 0))
        headers: Any = message.headers() or ()
        origin = origin_of(headers)
        if origin is not None and (copy[0], *origin) in inputs:
            found[copy] = (copy[0], *origin)
    return found


def _apart(last: dict[str, Posting], accounts: dict[str, Account]) -> Iterator[str]:
    for who, posting in last.items():
        account = accounts.get(who)
        there = account and (account.sequence, account.balance_minutes)
        if there != (posting.sequence, posting.balance_minutes):
            yield who


def differing(found: dict[str, int], expected: dict[str, int]) -> list[str]:
    """Volunteers whose balances are not what another run of the same log came to."""
    return _named(
        "balance differs",
        (
            f"{who}: {found.get(who)} for {expected.get(who)}"
            for who in sorted(found.keys() | expected.keys())
            if found.get(who) != expected.get(who)
        ),
    )


def _named(what: str, those: Iterable[object]) -> list[str]:
    listed = list(those)
    if not listed:
        return []
    return [f"{len(listed)} {what}: {', '.join(map(str, listed[:_NAMED]))}"]


def _read(
    bootstrap: str, *topics: str, begins: Mapping[tuple[str, int], int] | None = None
) -> Iterator[Message]:
    """All committed records that have a value, partition by partition in order; of a partition that
    `begins` names, from that offset on."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bench-exactly",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "log_level": 0,
        }
    )
    try:
        first = begins or {}
        places = [
            TopicPartition(topic, number, first.get((topic, number), 0))
            for topic in topics
            for number in range(PARTITIONS)
        ]
        consumer.assign(places)
        at_end: set[tuple[str | None, int | None]] = set()
        while len(at_end) < len(places):
            for message in consumer.consume(10_000, timeout=1.0):
                if message.error() is not None:
                    at_end.add((message.topic(), message.partition()))
                elif message.value():
                    yield message
    finally:
        consumer.close()
