"""When records that were sent on were recorded first, as the log bears out (decision 0022)."""

from collections import defaultdict
from collections.abc import Iterable

from kafka.partitioner.default import murmur2

from consumers.kafka.reader import Log
from consumers.kafka.records import Place, Record

_HOP_RECORDS = 2_000
"""So many records are rather read than jumped over."""


def partition_of(volunteer_id: str, partitions: int) -> int:
    """Kafka's default partition for a key."""
    return int((murmur2(volunteer_id.encode()) & 0x7FFFFFFF) % partitions)


def first_recorded(log: Log, records: Iterable[Record]) -> dict[tuple[str, int], int]:
    """(topic, offset) -> timestamp (ms) of the first record, for those of one partition that say
    where they were before and whose words the log bears out: the same bytes, no later.

    Raises LogError.
    """
    said: dict[Place, dict[int, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        if record.origin is not None:
            said[Place(record.topic, record.origin[0])][record.origin[1]].append(record)
    there = set(log.places({place.topic for place in said}))
    found = {}
    for place in sorted(said.keys() & there):
        copies = said[place]
        begin, end = log.begins([place])[place], log.ends([place])[place]
        for low, high in _stretches(sorted(at for at in copies if begin <= at < end)):
            for read in log.read(place, low, high + 1):
                for first in read:
                    for copy in copies.get(first.offset, ()):
                        if _is_first(first, copy):
                            found[copy.topic, copy.offset] = first.timestamp
    return found


def _is_first(first: Record, copy: Record) -> bool:
    same = (first.key, first.value) == (copy.key, copy.value)
    return same and first.timestamp <= copy.timestamp


def _stretches(offsets: list[int]) -> list[tuple[int, int]]:
    """Offsets, ascending, as stretches that are read at once."""
    stretches: list[tuple[int, int]] = []
    for at in offsets:
        if stretches and at - stretches[-1][1] < _HOP_RECORDS:
            stretches[-1] = (stretches[-1][0], at)
        else:
            stretches.append((at, at))
    return stretches
