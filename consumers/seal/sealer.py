"""The sealer: reads what is sealed, grows each log's tree, publishes signed checkpoints.

It goes on from its own folder, and asks the topic ledger.checkpoints what has been published: what
is there it never contradicts. One sealer at a time holds the folder; a second one elsewhere with
the same key would sign the same, because a tree is a function of the log and Ed25519 of the text.
"""

import fcntl
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kafka import KafkaProducer
from kafka.errors import KafkaError

from consumers.kafka.reader import Log, LogError
from consumers.kafka.records import Place, Record
from consumers.seal.log_names import SEALED, log_of, origin_of
from consumers.seal.published import newest_notes
from consumers.seal.sealed_log import SealedLog, SealError
from consumers.seal.witness_client import Witness, cosigned
from consumers.signing.notes import Checkpoint, Note, SignerKey, VerifierKey
from schemas.posting import Posting
from schemas.topics import CHECKPOINTS, POSTINGS
from schemas.wire.codec import Undecodable, decode_output

_PENDING_MAX = 50_000
_POLL_SECONDS = 0.25
_RETRY_SECONDS = 1.0
_SEND_SECONDS = 30.0

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """How to seal: the ledger's key and all keys before it, how often, and whom to ask to cosign.

    `every_seconds` is the least time between two checkpoints of one partition.
    """

    signer: SignerKey
    trusted: Sequence[VerifierKey]
    every_seconds: float = 5.0
    witnesses: Sequence[Witness] = ()


@contextmanager
def holding(folder: Path) -> Iterator[None]:
    """Be the folder's only sealer; raises SealError `seal_locked` if there is one."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SealError("seal_locked", str(folder)) from None
        yield


def open_log(folder: Path, terms: Terms, place: Place) -> SealedLog:
    """The sealed log of a place, in its own folder and under its own name."""
    name = log_of(place)
    origin = origin_of(terms.signer.name, name)
    trusted = [key.named(origin) for key in terms.trusted]
    return SealedLog(folder / name, terms.signer.named(origin), trusted)


class Sealer:
    """Seals all partitions of a cluster into `folder`, which the caller holds.

    Two readers of the log: one goes ahead, the other reads again what is about to be signed.
    """

    def __init__(self, log: Log, again: Log, bootstrap: str, folder: Path, terms: Terms) -> None:
        self._log = log
        self._again = again
        self._terms = terms
        self._places = log.places(SEALED)
        log.places([CHECKPOINTS])
        self._logs = {p: open_log(folder, terms, p) for p in self._places}
        self._counts: dict[Place, int] = {}
        self._ends: dict[Place, int] = {}
        self._firsts: dict[Place, int] = {}
        self._published: dict[Place, Note] = {}
        self._sealed_at = float("-inf")
        self._producer = KafkaProducer(
            bootstrap_servers=bootstrap.split(","),
            client_id="shilu-seal",
            acks="all",
            enable_idempotence=True,
            metrics_enabled=False,
        )

    def close(self) -> None:
        """Close the connection to the broker that checkpoints go through."""
        self._producer.close(timeout=_SEND_SECONDS)

    @property
    def sizes(self) -> Mapping[str, int]:
        """What is sealed of each log."""
        return {log_of(place): log.tree.size for place, log in self._logs.items()}

    def run(
        self,
        stop: threading.Event,
        *,
        once: bool = False,
        retired: Callable[[], bool] = lambda: False,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """Seal until `stop` is set; with `once`, until everything that is there now is sealed.

        `retired` says that the key is no longer the one to sign with: then it returns, too. `alive`
        is called in every round, so that one that stands still is noticed.

        Raises SealError, LogError (`topic_missing`, `log_truncated`), TilesDiffer, OSError.
        """
        self._resume()
        goal = self._log.ends(self._places) if once else {}
        while not stop.is_set() and not retired():
            alive()
            fetched = self._fetch(stop)
            for place, records in fetched.items():
                self._take(place, records)
            waited = time.monotonic() - self._sealed_at >= self._terms.every_seconds
            full = max(log.pending for log in self._logs.values()) >= _PENDING_MAX
            done = once and all(self._log.position(p) >= end for p, end in goal.items())
            if self._firsts and (full or done or (waited and not once)):
                self._seal(stop)
            if done:
                return

    def _fetch(self, stop: threading.Event) -> dict[Place, list[Record]]:
        try:
            return self._log.poll(_POLL_SECONDS)
        except LogError as error:
            if error.code != "kafka_unreachable":
                raise
            _logger.warning("%s", error)
            stop.wait(_RETRY_SECONDS)
            return {}

    def _resume(self) -> None:
        begins, ends = self._log.begins(self._places), self._log.ends(self._places)
        name, trusted = self._terms.signer.name, self._terms.trusted
        self._published = newest_notes(self._again, self._places, name, trusted)
        for place, sealed in self._logs.items():
            if not begins[place] <= sealed.next_offset <= ends[place]:
                detail = f"{place}: sealed up to {sealed.next_offset}, the log has"
                raise SealError("log_shrunk", f"{detail} {begins[place]} to {ends[place]}")
            published = self._published.get(place)
            if published is not None and not sealed.continues(published):
                self._catch_up(place, published)
            elif sealed.note is not None and not _same_size(published, sealed.note):
                self._publish(place, sealed.note)
        self._counts = {place: _number(log) for place, log in self._logs.items()}
        self._log.seek({place: log.next_offset for place, log in self._logs.items()})

    def _catch_up(self, place: Place, published: Note) -> None:
        """The folder is older than what is published: the log must come to the same root."""
        sealed, said = self._logs[place], Checkpoint.parse(published.text)
        _logger.info("%s: computing %s again", place, said.size)
        first, end = sealed.next_offset, self._log.ends([place])[place]
        taken: list[bytes] = []
        number = _number(sealed)
        for records in self._again.read(place, first, end):
            size = sealed.size + len(taken)
            new = _following(place, records, number, size)[: said.size - size]
            number += len(records)
            taken += [record.value or b"" for record in new]
            first = new[-1].offset + 1 if new else first
            size += len(new)
            if len(taken) >= _PENDING_MAX or size == said.size:
                sealed.absorb(taken)
                taken = []
            if size == said.size:
                sealed.adopt(published, first)
                return
        found = f"{place}: {sealed.size + len(taken)} entries, {said.size} are sealed"
        raise SealError("log_shrunk", found)

    def _take(self, place: Place, records: Sequence[Record]) -> None:
        sealed = self._logs[place]
        new = _following(place, records, self._counts[place], sealed.size)
        self._counts[place] += len(records)
        if new:
            self._firsts.setdefault(place, new[0].offset)
            self._ends[place] = new[-1].offset + 1
            sealed.take(record.value or b"" for record in new)

    def _seal(self, stop: threading.Event) -> None:
        self._sealed_at = time.monotonic()
        spans = {p: (self._firsts[p], self._ends[p]) for p in self._firsts}
        stored: dict[Place, list[bytes]] = {place: [] for place in spans}
        for place, records in self._again.read_all(spans):
            stored[place] += [record.value or b"" for record in records]
        for place, values in stored.items():
            sealed = self._logs[place]
            note = sealed.seal(values, self._ends[place])
            if self._terms.witnesses:
                published = self._published.get(place)
                known = 0 if published is None else Checkpoint.parse(published.text).size
                note = cosigned(sealed, self._terms.witnesses, known)
            self._publish(place, note, stop)
            _logger.info("%s: sealed %s", place, sealed.tree.size)
        self._firsts.clear()
        self._ends.clear()

    def _publish(self, place: Place, note: Note, stop: threading.Event | None = None) -> None:
        """Nothing more is signed before everybody can see this one; a new start publishes it."""
        key = b"%d" % place.partition if place.topic == POSTINGS else log_of(place).encode()
        value = str(note).encode()
        while True:
            try:
                sent = self._producer.send(
                    CHECKPOINTS, key=key, value=value, partition=place.partition
                )
                sent.get(timeout=_SEND_SECONDS)
                break
            except KafkaError as error:
                _logger.warning("%s: not published yet: %r", place, error)
                if stop is None or stop.wait(_RETRY_SECONDS):
                    raise LogError("kafka_unreachable", str(error)) from error
        self._published[place] = note


def _same_size(one: Note | None, other: Note) -> bool:
    return one is not None and Checkpoint.parse(one.text) == Checkpoint.parse(other.text)


def _number(sealed: SealedLog) -> int:
    """Which entry the record at a log's next offset is, where entries are counted."""
    return sealed.size if sealed.next_offset else 0


def _following(place: Place, records: Sequence[Record], number: int, size: int) -> list[Record]:
    """The records from entry `size` on, which must come densely; `number` is the first one's.

    A posting says its index itself; elsewhere records are counted. Raises SealError `index_gap`: a
    leaf's place in the tree is its entry's index.
    """
    following = []
    for counted, record in enumerate(records, number):
        found = _index(record) if place.topic == POSTINGS else counted
        if found < size:
            continue
        if found != size:
            where = f"{place}/{record.offset}"
            raise SealError("index_gap", f"{where}: index {found}, expected {size}")
        following.append(record)
        size += 1
    return following


def _index(record: Record) -> int:
    try:
        posting = decode_output(record.value or b"")
    except Undecodable as error:
        raise SealError("index_gap", f"{record.topic}/{record.partition}: {error}") from error
    if not isinstance(posting, Posting) or posting.partition != record.partition:
        raise SealError("index_gap", f"{record.topic}/{record.partition}/{record.offset}: foreign")
    return posting.index
