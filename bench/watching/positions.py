"""What a broker knows of a consumer group: its commits, its members, and where the facts end.

Asked with bounds in seconds; None where nobody answers in time, so that whoever watches through an
outage goes on watching.
"""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Self

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka import admin as kafka_admin
from confluent_kafka.admin import AdminClient
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError as KafkaPythonError

from schemas.topics import FACTS, PARTITIONS, TRANSFERS

Offsets = dict[tuple[str, int], int]
"""(topic, partition) -> offset."""

_ANSWER_SECONDS = 5.0
_MARKERS_MAX = 16
"""So many offsets before an end may be markers alone; whether they are is then looked at."""
_STABLE = "Stable"


class Group(NamedTuple):
    """A consumer group as its coordinator has it: has it settled, and who is in it."""

    stable: bool
    members: frozenset[str]


class Positions:
    """One group's positions in the fact topics; a context manager, for one thread."""

    def __init__(self, bootstrap: str, group: str) -> None:
        self._bootstrap, self._group = bootstrap, group
        self._asked = [TopicPartition(topic, p) for topic in FACTS for p in range(PARTITIONS)]
        # One that never joins, not the admin client: that one crashes for a group that is not there
        # yet (librdkafka 2.16.1).
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "enable.auto.commit": False,
                # What is committed for good; the default would wait for open transactions.
                "isolation.level": "read_uncommitted",
                "log_level": 0,
            }
        )
        self._reader = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )
        self._before: Offsets = {}
        self._ended: dict[tuple[str, int], tuple[int, int]] = {}
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        self._groups: KafkaAdminClient | None = None

    def committed(self) -> Offsets | None:
        """The next offset to be folded of each fact partition, 0 where nothing is committed."""
        try:
            found = self._consumer.committed(self._asked, timeout=_ANSWER_SECONDS)
        except KafkaException:  # its coordinator is not there, or not yet
            return None
        return {(at.topic, at.partition): max(at.offset, 0) for at in found}

    def ends(self) -> Offsets | None:
        """Where each fact partition ends for those who read what is committed."""
        try:
            return ends_of(self._admin, self._asked, IsolationLevel.READ_COMMITTED)
        except (KafkaException, TimeoutError):
            return None

    def both(self) -> tuple[Offsets, Offsets] | None:
        """Commits and ends; a commit that has only transaction markers before it is at the end.

        A record that is sent on to its own partition leaves such a marker behind itself.
        """
        committed, ends = self.committed(), self.ends()
        if committed is None or ends is None:
            return None
        resting = {
            at: committed[at]
            for at, end in ends.items()
            if 0 < end - committed[at] <= _MARKERS_MAX and committed[at] == self._before.get(at)
        }
        unknown = {at: n for at, n in resting.items() if self._ended.get(at) != (n, ends[at])}
        for at in self._without_records(unknown) if unknown else ():
            self._ended[at] = (committed[at], ends[at])
        self._before = committed
        ended = {at: ends[at] for at, n in resting.items() if self._ended.get(at) == (n, ends[at])}
        return committed | ended, ends

    def _without_records(self, begins: Offsets) -> set[tuple[str, int]]:
        """Those of some partitions in which no record lies from an offset on."""
        waited, found = set(begins), set[tuple[str, int]]()
        self._reader.assign([TopicPartition(*at, offset) for at, offset in begins.items()])
        until = time.monotonic() + _ANSWER_SECONDS
        while waited and (rest := until - time.monotonic()) > 0:
            said = self._reader.poll(rest)
            if said is None:
                continue
            error = said.error()
            at = (str(said.topic()), int(said.partition() or 0))
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                break
            if error is not None and at in waited:
                found.add(at)
            waited.discard(at)
        self._reader.unassign()
        return found

    def group(self) -> Group | None:
        """State and members of the group."""
        try:
            if self._groups is None:
                self._groups = KafkaAdminClient(bootstrap_servers=self._bootstrap)
            said = self._groups.describe_groups([self._group])[self._group]
        except (KafkaPythonError, OSError):
            # One that has failed once is not asked again.
            self._forget()
            return None
        members = frozenset(str(member["member_id"]) for member in said["members"])
        return Group(said["group_state"] == _STABLE, members)

    def _forget(self) -> None:
        if self._groups is not None:
            with suppress(KafkaPythonError, OSError):
                self._groups.close()
        self._groups = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._forget()
        self._consumer.close()
        self._reader.close()


def by_partition(offsets: Mapping[tuple[str, int], int]) -> dict[int, int]:
    """Offsets summed over the topics of each partition."""
    found = dict.fromkeys(range(PARTITIONS), 0)
    for (_, partition), offset in offsets.items():
        found[partition] += offset
    return found


def left(
    committed: Mapping[tuple[str, int], int], ends: Mapping[tuple[str, int], int]
) -> dict[int, int]:
    """Facts that each partition has not folded yet.

    Transfers apart: behind the last of them lies a transaction's marker, which nobody folds.
    """
    found = dict.fromkeys(range(PARTITIONS), 0)
    for (topic, partition), end in ends.items():
        if topic != TRANSFERS:
            found[partition] += max(end - committed.get((topic, partition), 0), 0)
    return found


def settled(now: Group | None, before: Iterable[str], expected: int) -> bool:
    """Has the group settled, with so many members, since it had those of `before`?

    Who was killed stays a member until the session times out, so their number says too little.
    """
    if now is None or not now.stable or len(now.members) != expected:
        return False
    return now.members != frozenset(before)


def ends_of(admin: AdminClient, places: Iterable[TopicPartition], level: IsolationLevel) -> Offsets:
    """Where some partitions end for readers of a level; raises KafkaException, TimeoutError."""
    # The package is typed, but does not say that this name is for others.
    latest = getattr(kafka_admin, "OffsetSpec").latest()  # noqa: B009
    futures = admin.list_offsets(
        dict.fromkeys(places, latest), isolation_level=level, request_timeout=_ANSWER_SECONDS
    )
    return {
        (at.topic, at.partition): future.result(_ANSWER_SECONDS).offset
        for at, future in futures.items()
    }
