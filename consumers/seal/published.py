"""The newest records of partitions, looked for from their ends: what has come, what is sealed."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from consumers.kafka.reader import Log
from consumers.kafka.records import Place, Record
from consumers.seal.log_names import SEALED, log_of, origin_of
from consumers.signing.notes import BadNote, Checkpoint, Note, VerifierKey, opened
from schemas.posting import Posting
from schemas.topics import ACCESS, CHECKPOINTS, POSTINGS
from schemas.wire.codec import Undecodable, decode_output

_LOOK_BACK_OFFSETS = 64

T = TypeVar("T")


def newest(
    log: Log, places: Iterable[Place], told: Callable[[Record], T | None]
) -> dict[Place, list[T]]:
    """What the last records of each place tell, in their order; without those that tell nothing.

    Goes back until there is something, or the place's begin.
    """
    left, distance = set(places), _LOOK_BACK_OFFSETS
    begins, ends = log.begins(left), log.ends(left)
    found: dict[Place, list[T]] = {}
    while left:
        spans = {p: (max(begins[p], ends[p] - distance), ends[p]) for p in left}
        seen: dict[Place, list[T]] = {}
        for place, records in log.read_all(spans):
            some = [said for record in records if (said := told(record)) is not None]
            seen.setdefault(place, []).extend(some)
        found |= {place: some for place, some in seen.items() if some}
        left = {p for p in left if p not in found and spans[p][0] > begins[p]}
        distance *= 8
    return found


def newest_notes(
    log: Log, places: Sequence[Place], ledger: str, keys: Sequence[VerifierKey]
) -> dict[Place, Note]:
    """The newest published checkpoint of each log whose entries are at these places."""
    found: dict[Place, Note] = {}
    for topic in SEALED:
        # The checkpoints of two logs may be in one place: each is looked for by itself.
        sealed = {Place(CHECKPOINTS, one.partition): one for one in places if one.topic == topic}

        def told(record: Record, sealed: dict[Place, Place] = sealed) -> Note | None:
            origin = origin_of(ledger, log_of(sealed[Place(record.topic, record.partition)]))
            return _note(record, origin, keys)

        for place, notes in newest(log, sealed, told).items():
            found[sealed[place]] = max(notes, key=lambda note: Checkpoint.parse(note.text).size)
    return found


def _note(record: Record, origin: str, keys: Sequence[VerifierKey]) -> Note | None:
    """The signed note of a record if it is this log's and one of our keys has signed it."""
    try:
        if not (record.value or b"").startswith(f"{origin}\n".encode()):
            return None
        note, _ = opened((record.value or b"").decode(), [key.named(origin) for key in keys])
        return note if Checkpoint.parse(note.text).origin == origin else None
    except (BadNote, UnicodeDecodeError):
        return None


def unsealed(log: Log, ledger: str, keys: Sequence[VerifierKey]) -> dict[str, int]:
    """Log -> entries that no published checkpoint covers; below 0 where more are sealed than are.

    Asked of the cluster: a sealer that does not run is not there to tell. The vault writes without
    transactions, so each offset of its topic is an entry. Raises LogError.
    """
    places, there = log.places(SEALED), entries(log)
    notes = newest_notes(log, places, ledger, keys)
    sealed = {place: Checkpoint.parse(note.text).size for place, note in notes.items()}
    return {log_of(place): there[log_of(place)] - sealed.get(place, 0) for place in places}


def entries(log: Log) -> dict[str, int]:
    """Log -> how many entries there are to seal. Raises LogError."""
    places = log.places(SEALED)
    own = [place for place in places if place.topic == POSTINGS]
    there = {place: max(ends) for place, ends in newest(log, own, _after).items()}
    there |= log.ends([place for place in places if place.topic == ACCESS])
    return {log_of(place): there.get(place, 0) for place in places}


def _after(record: Record) -> int | None:
    """The index that follows the posting's."""
    try:
        posting = decode_output(record.value or b"")
    except Undecodable:
        return None
    return posting.index + 1 if isinstance(posting, Posting) else None
