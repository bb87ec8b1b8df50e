"""Copies the log into the trail, each record exactly once, through any kill.

Where to go on is told by the trail itself: a table's rows of a partition are filtered by that
table's own highest offset. Tables are written in a fixed order and the last one of a topic decides
where to resume, so a crash between two inserts costs a second reading and nothing else.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from consumers.kafka.reader import Log, LogError
from consumers.kafka.records import Place, Record
from consumers.trail import metrics
from consumers.trail.batch import Batch, Limits
from consumers.trail.progress import Fault, Progress
from consumers.trail.resume import prove, starts
from consumers.trail.rows import TABLES, Row, arrow, rows_of
from consumers.trail.store import Trail, TrailError
from consumers.trail.watermarks import (
    Heads,
    head_of,
    heads,
    next_indexes,
    unreadable,
    unreadable_outputs,
)
from schemas.topics import ACCOUNTS, ALL, CHECKPOINTS, POSTINGS, QUARANTINE

TOPICS = tuple(topic.name for topic in ALL if topic.name != ACCOUNTS)
"""The topics that are copied."""

WRITE_ORDER = ("catalogue", "access_log", "line", "event", "posting", "quarantine", "checkpoint")
"""Whoever sees a posting sees its lines, whoever sees a catalogue event sees its entity."""

_INDEX = TABLES["posting"].get_field_index("posting_index")
_FAULT = TABLES["event"].get_field_index("fault")

_IDLE_SECONDS = 0.25
_LINGER_SECONDS = 0.02
_ENDS_EVERY_SECONDS = 1.0
_RETRY_SECONDS = 1.0

_WAITED_OUT = {
    "trail_unreachable": "ClickHouse 没有应答 / ClickHouse does not answer",
    "trail_full": "磁盘已满,请腾出 256 MiB / the disk is full, free 256 MiB on it",
}
"""What hinders a sink without ending it, and what is to be done."""

_logger = logging.getLogger(__name__)


class Sink:
    """One trail's only writer, over an open trail and an open log."""

    def __init__(
        self,
        trail: Trail,
        log: Log,
        progress: Progress,
        limits: Limits | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """`alive` is called in every round, so that one that stands still is noticed."""
        self._alive = alive
        self._trail = trail
        self._log = log
        self._progress = progress
        self._limits = limits or Limits()
        self._heads: Heads = {}
        self._unproven: dict[Place, int] = {}
        self._next_index: dict[int, int] = {}
        self._places: Sequence[Place] = ()
        self._looked_at = float("-inf")
        self._batch: Batch | None = None
        self._hindrance: str | None = None

    def run(self, stop: threading.Event) -> None:
        """Copy until `stop` is set, then write what is waiting and return.

        Raises LogError (`topic_missing`, `log_truncated`), SinkError, TrailError.
        """
        self._resume()
        while not stop.is_set():
            self._alive()
            fetched = self._fetch(stop)
            for place, records in fetched.items():
                self._take(place, records)
            if self._batch is not None and (not fetched or self._batch.is_full):
                self._write(self._batch, stop)
            self._look_ahead()
        if self._batch is not None:
            self._write(self._batch, stop)

    def _resume(self) -> None:
        self._places = places = self._log.places(TOPICS)
        self._heads = heads(self._trail)
        self._next_index, faults = next_indexes(self._trail)
        for fault in (*faults, *unreadable_outputs(self._trail)):
            self._report(fault)
        first = starts(self._log, self._heads, places)
        known = {place: head_of(self._heads, place) for place in places}
        self._unproven = {place: head for place, head in known.items() if head > first[place]}
        self._progress.wrote(known)
        self._log.seek(first)

    def _fetch(self, stop: threading.Event) -> dict[Place, list[Record]]:
        """What has come; nothing while no broker answers, which `_look_ahead` makes known."""
        try:
            return self._log.poll(_IDLE_SECONDS if self._batch is None else _LINGER_SECONDS)
        except LogError as error:
            if error.code != "kafka_unreachable":
                raise
            _logger.warning("%s", error)
            stop.wait(_RETRY_SECONDS)
            return {}

    def _take(self, place: Place, records: list[Record]) -> None:
        if place in self._unproven:
            prove(self._trail, place, self._unproven.pop(place), records[0])
        batch = self._batch
        if batch is None:
            batch = self._batch = Batch(self._limits, oldest_at=records[0].timestamp / 1000)
        for record in records:
            batch.value_bytes += len(record.value or b"")
            for table, row in rows_of(record):
                if record.offset >= self._heads.get((table, place), 0):
                    self._check(table, place, record.offset, row)
                    batch.add(table, place, record.offset, row)

    def _check(self, table: str, place: Place, offset: int, row: Row) -> None:
        """Turn red at what the worker must never write; the record is kept all the same."""
        if table == "posting":
            index, expected = row[_INDEX], self._next_index.get(place.partition, 0)
            if index != expected:
                code = "index_gap" if index > expected else "index_repeat"
                found = f"offset {offset}: index {index}, expected {expected}"
                self._report(Fault(code, str(place), found))
            self._next_index[place.partition] = max(expected, index + 1)
        elif table == "event" and place.topic in (POSTINGS, QUARANTINE, CHECKPOINTS):
            self._report(unreadable(place, offset, row[_FAULT]))

    def _report(self, fault: Fault) -> None:
        _logger.error("%s at %s, %s", fault.code, fault.place, fault.detail)
        self._progress.add(fault)
        metrics.FAULTS.labels(fault.code).inc()

    def _write(self, batch: Batch, stop: threading.Event) -> None:
        began = time.monotonic()
        for table in WRITE_ORDER:
            if batch.rows[table]:
                self._insert(batch, table, stop)
        self._batch = None
        metrics.BATCH_SECONDS.observe(time.monotonic() - began)
        metrics.VISIBLE_AFTER_SECONDS.observe(max(0.0, time.time() - batch.oldest_at))
        self._show_written()

    def _insert(self, batch: Batch, table: str, stop: threading.Event) -> None:
        block = arrow(table, batch.rows[table])
        while True:
            try:
                self._trail.insert(table, block, batch.token(table))
                break
            except TrailError as error:
                self._alive()
                # The same rows under the same token count once, also if only the answer was lost.
                self._hindered(error)
                if error.code not in _WAITED_OUT or stop.wait(_RETRY_SECONDS):
                    raise
        self._hindered(None)
        metrics.ROWS.labels(table).inc(block.num_rows)
        for place, (_, last) in batch.spans[table].items():
            self._heads[table, place] = last + 1

    def _hindered(self, error: TrailError | None) -> None:
        """Say once what hinders the sink, and once that it no longer does."""
        code = None if error is None else error.code
        if code != self._hindrance:
            if error is None:
                _logger.warning("%s: no longer, going on", self._hindrance)
            else:
                _logger.warning("%s: %s; trying again", code, _WAITED_OUT.get(error.code, error))
            self._hindrance = code
            self._looked_at = float("-inf")
            self._progress.hinder(Fault(error.code, "trail", error.detail) if error else None)

    def _show_written(self) -> None:
        """Only while nothing waits: then all that has been read has been written."""
        self._progress.wrote({place: self._log.position(place) for place in self._places})

    def _look_ahead(self) -> None:
        """Learn where the log ends now; while no broker answers that is unknown."""
        if time.monotonic() - self._looked_at < _ENDS_EVERY_SECONDS:
            return
        try:
            ends = self._log.ends(self._places)
        except LogError as error:
            _logger.warning("%s", error)
            return
        finally:
            self._looked_at = time.monotonic()
        if self._batch is None:
            # Also where nothing came but the markers of transactions.
            self._show_written()
        self._progress.saw(ends)
        metrics.show_behind(self._places, self._progress.behind())
