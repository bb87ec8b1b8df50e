"""Reading the log: committed records of named partitions, without a group and without commits.

Transactions leave holes: the end of a partition may lie beyond its last record, so whether
anything is missing is told by the reader's position, never by the last offset seen.
"""

import importlib.util
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    LogTruncationError,
    OffsetOutOfRangeError,
)

from consumers.kafka.decompression import guard
from consumers.kafka.records import Place, Record
from schemas.wire.headers import origin_of

_FETCH_BYTES = 8 << 20
_SILENCE_SECONDS = 30.0
_ANSWER_MS = 5_000
_CLOSE_MS = 2_000
_HOP_SECONDS = 0.02


class LogError(Exception):
    """The log cannot be read: `kafka_unreachable`, `topic_missing`, `log_truncated`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class Log:
    """A reader of committed records; `bootstrap` as host:port[,host:port]."""

    def __init__(
        self, bootstrap: str, *, start_seconds: float = 10.0, follows: bool = False
    ) -> None:
        """Raises LogError `kafka_unreachable` after `start_seconds`.

        `follows`: for one that stays at the end of its places and waits, not one that hops.
        """
        self._bootstrap = bootstrap
        self._start_seconds = start_seconds
        self._follows = follows
        self._reading: dict[Place, int] = {}
        self._uncommitted: KafkaConsumer | None = None
        # Without the C library it takes 0.2 s of CPU for each megabyte. The broker has checked the
        # sum when the batch came in, and TCP guards the way to here.
        self._checks_crcs = importlib.util.find_spec("crc32c") is not None
        guard(checks_crcs=self._checks_crcs)
        self._consumer = self._connected()
        self._spent = False

    def _connected(self) -> KafkaConsumer:
        try:
            return KafkaConsumer(
                bootstrap_servers=self._bootstrap.split(","),
                client_id="shilu-trail",
                isolation_level="read_committed",
                enable_auto_commit=False,
                auto_offset_reset="none",
                allow_auto_create_topics=False,
                fetch_max_bytes=_FETCH_BYTES,
                # The client sends no new fetch before the last one is answered: one that hops
                # would wait for the place it has left.
                fetch_max_wait_ms=500 if self._follows else 5,
                bootstrap_timeout_ms=int(self._start_seconds * 1000),
                metrics_enabled=False,
                check_crcs=self._checks_crcs,
            )
        except KafkaError as error:
            raise LogError("kafka_unreachable", self._bootstrap) from error

    @contextmanager
    def _asked(self) -> Iterator[KafkaConsumer]:
        """The consumer; what it raises when no broker answers becomes a LogError.

        One that has raised is spent, for it may hold what it will never let go: the next question
        goes to another one, which reads on where this one was.
        """
        if self._spent:
            self._close()
            self._consumer = self._connected()
            self._spent = False
            self._assign()
        try:
            yield self._consumer
        except KafkaError as error:
            self._spent = True
            raise LogError("kafka_unreachable", self._bootstrap) from error

    def _close(self) -> None:
        with suppress(KafkaError, OSError):
            self._consumer.close(timeout_ms=_CLOSE_MS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; takes seconds at most."""
        self._close()
        self._close_uncommitted()

    def places(self, topics: Iterable[str]) -> list[Place]:
        """All partitions of the topics; raises LogError `topic_missing` naming every absentee."""
        wanted = list(topics)
        missing = self.absent(wanted)
        if missing:
            raise LogError("topic_missing", ", ".join(missing))
        with self._asked() as consumer:
            return [
                Place(topic, partition)
                for topic in wanted
                for partition in sorted(consumer.partitions_for_topic(topic))
            ]

    def absent(self, topics: Iterable[str]) -> list[str]:
        """Those of the topics that do not exist; raises LogError `kafka_unreachable`."""
        with self._asked() as consumer:
            there = consumer.topics()
        return [topic for topic in topics if topic not in there]

    def begins(self, places: Iterable[Place]) -> dict[Place, int]:
        """The first offset still kept of each place."""
        with self._asked() as consumer:
            return _all_of(consumer.beginning_offsets, _partitions(places))

    def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offset after the last committed one of each place."""
        with self._asked() as consumer:
            return _all_of(consumer.end_offsets, _partitions(places))

    def tops(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offset after the last one of each place, committed or not."""
        try:
            if self._uncommitted is None:
                self._uncommitted = KafkaConsumer(
                    bootstrap_servers=self._bootstrap.split(","),
                    client_id="shilu-tops",
                    isolation_level="read_uncommitted",
                    enable_auto_commit=False,
                    allow_auto_create_topics=False,
                    bootstrap_timeout_ms=int(self._start_seconds * 1000),
                    metrics_enabled=False,
                )
            return _all_of(self._uncommitted.end_offsets, _partitions(places))
        except KafkaError as error:
            self._close_uncommitted()
            raise LogError("kafka_unreachable", self._bootstrap) from error

    def _close_uncommitted(self) -> None:
        consumer, self._uncommitted = self._uncommitted, None
        if consumer is not None:
            with suppress(KafkaError, OSError):
                consumer.close(timeout_ms=_CLOSE_MS)

    def seek(self, starts: Mapping[Place, int]) -> None:
        """Read these places, and only these, from these offsets on."""
        self._reading = dict(starts)
        self._assign()

    def _assign(self) -> None:
        self._consumer.assign(_partitions(self._reading))
        for place, offset in self._reading.items():
            self._consumer.seek(TopicPartition(*place), offset)

    def poll(self, wait_seconds: float, records_max: int = 2_000) -> dict[Place, list[Record]]:
        """Records that have come, after waiting for the first at most so long.

        Raises LogError `log_truncated` when an offset to be read is no longer there.
        """
        with self._asked() as consumer:
            try:
                fetched = consumer.poll(int(wait_seconds * 1000), max_records=records_max)
            except (OffsetOutOfRangeError, LogTruncationError) as error:
                raise LogError("log_truncated", str(error)) from error
        found = {}
        for tp, records in fetched.items():
            place = Place(tp.topic, tp.partition)
            self._reading[place] = records[-1].offset + 1
            found[place] = [
                Record(
                    r.topic,
                    r.partition,
                    r.offset,
                    r.timestamp,
                    r.key,
                    r.value,
                    origin_of(r.headers),
                )
                for r in records
            ]
        return found

    def position(self, place: Place) -> int:
        """The next offset to be read; beyond markers of transactions that have been passed."""
        with self._asked() as consumer:
            self._reading[place] = int(
                consumer.position(TopicPartition(*place), timeout_ms=_ANSWER_MS)
            )
        return self._reading[place]

    def read(
        self, place: Place, start: int, end: int, records_max: int = 2_000
    ) -> Iterator[list[Record]]:
        """The records from `start` up to, not including, `end`; raises as `read_all` does."""
        for _, records in self.read_all({place: (start, end)}, records_max):
            yield records

    def read_all(
        self, spans: Mapping[Place, tuple[int, int]], records_max: int = 2_000
    ) -> Iterator[tuple[Place, list[Record]]]:
        """The records of several places from a start up to, not including, an end, as they come.

        Raises LogError `kafka_unreachable` when nothing comes for half a minute.
        """
        open_ends = {place: end for place, (start, end) in spans.items() if start < end}
        if not open_ends:
            return
        self.seek({place: spans[place][0] for place in open_ends})
        positions = {place: spans[place][0] for place in open_ends}
        heard_at = time.monotonic()
        while any(positions[place] < end for place, end in open_ends.items()):
            # Short: where only a marker is left, the position moves on but poll sees nothing come.
            for place, fetched in self.poll(_HOP_SECONDS, records_max).items():
                records = [r for r in fetched if r.offset < open_ends[place]]
                if records:
                    yield place, records
            # After the yield: the reader's own work is no silence of the broker.
            now = {place: self.position(place) for place in open_ends}
            if now != positions:
                positions, heard_at = now, time.monotonic()
            elif time.monotonic() - heard_at > _SILENCE_SECONDS:
                raise LogError("kafka_unreachable", self._bootstrap)

    def count(
        self,
        starts: Mapping[Place, int],
        ends: Mapping[Place, int] | None = None,
        counted_max: int = 10_000,
    ) -> dict[Place, int]:
        """How many records there are from each start to each end; places with none are left out.

        Without `ends` to where the log ends now. Beyond `counted_max` the distance in offsets
        stands for the count, unless nothing lies there but markers and aborted records.
        """
        counts, near = Counter[Place](), {}
        for place, end in (self.ends(starts) if ends is None else ends).items():
            if end - starts[place] <= counted_max:
                near[place] = (starts[place], end)
            elif any(self.read(place, starts[place], end, records_max=1)):
                counts[place] = end - starts[place]
        for place, records in self.read_all(near):
            counts[place] += len(records)
        return dict(counts)


def _partitions(places: Iterable[Place]) -> list[TopicPartition]:
    return [TopicPartition(*place) for place in places]


def _all_of(
    ask: Callable[[list[TopicPartition], int], dict[TopicPartition, int]],
    tps: list[TopicPartition],
) -> dict[Place, int]:
    """What the client says of every partition.

    It knows the leaders of the topics it has read last, asks for the others, and meanwhile trips
    over their absence from its own answer: KeyError. A little later it knows them.
    """
    deadline = time.monotonic() + _SILENCE_SECONDS
    while True:
        try:
            return _plain(ask(tps, _ANSWER_MS))
        except KeyError as missing:
            if time.monotonic() > deadline:
                raise KafkaTimeoutError(f"no leader of {missing}") from missing
            time.sleep(0.05)


def _plain(offsets: Mapping[TopicPartition, int]) -> dict[Place, int]:
    return {Place(tp.topic, tp.partition): offset for tp, offset in offsets.items()}
