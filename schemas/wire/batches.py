"""Record batches as a broker keeps them, opened only so far (Kafka protocol, "Record Batch", v2).

A batch of some kilobytes may hold gigabytes, and Kafka's clients inflate it before anybody can
look; or it is compressed in a way that a client has not learnt. Here every compressed batch becomes
a plain one with the same records, and one that holds too much, or cannot be opened, becomes a
single record: the batch's own bytes, at its last offset. So it goes the way of all unreadable ones.
Of many small batches only the first are opened; a reader goes on from where it has come to.
"""

import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import cramjam

INFLATED_BYTES_MAX: Final = 16 << 20
"""Most bytes that the records of one batch may be. Producers' batches are about 1 MiB at most."""

RECORD_BYTES_MAX: Final = 1 << 20
"""Most bytes of one record; without compression a broker takes no larger ones by default."""

STRETCH_BYTES: Final = 8 << 20
"""When so much of a fetched stretch has been opened, the rest is left, to be fetched again."""

_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
"""Base offset, length, leader epoch, magic, CRC, attributes, last offset delta, first and last
time, producer id, epoch and sequence, number of records."""

_LENGTH_AT: Final = 8
_LENGTH_FROM: Final = 12
_MAGIC_AT: Final = 16
_CRC_FROM: Final = 21
_ATTRIBUTES_AT: Final = 22
_CODEC: Final = 7
_XERIAL: Final = b"\x82SNAPPY\x00"
_XERIAL_BLOCKS_FROM: Final = 16
_ROOM_FACTOR: Final = 16
_NOT_A_FRAME: Final = b"\xff"
"""What no event begins with: the batch's own bytes must not be taken for one."""

Crc = Callable[[bytes], int]
"""CRC-32C of some bytes."""


def batches_of(raw: bytes) -> Iterator[bytes]:
    """The batches of a fetched stretch; the last one, if cut off, is left out."""
    at = 0
    while at + _LENGTH_FROM <= len(raw):
        end = at + _LENGTH_FROM + int.from_bytes(raw[at + _LENGTH_AT : at + _LENGTH_FROM], "big")
        if end > len(raw):
            return
        yield raw[at:end]
        at = end


def is_plain(raw: bytes) -> bool:
    """Is nothing in a fetched stretch compressed?"""
    at = 0
    while at + _HEADER.size <= len(raw):
        if raw[at + _MAGIC_AT] != 2 or raw[at + _ATTRIBUTES_AT] & _CODEC:
            return False
        at += _LENGTH_FROM + int.from_bytes(raw[at + _LENGTH_AT : at + _LENGTH_FROM], "big")
    return True


class Stretch:
    """A fetched stretch with compressed batches, each opened when its turn comes.

    It stands in for the MemoryRecords of aiokafka and of kafka-python; `form` gives a batch the
    client's own form, told whether it was opened here.
    """

    def __init__(self, raw: bytes, crc: Crc | None, form: Callable[[bytes, bool], Any]) -> None:
        self._size = len(raw)
        self._left = STRETCH_BYTES
        self._crc = crc
        self._form = form
        self._batches = deque(batches_of(raw))

    def size_in_bytes(self) -> int:
        """How long the stretch is, as it was fetched."""
        return self._size

    def has_next(self) -> bool:
        """Is there another batch?"""
        return bool(self._batches)

    def next_batch(self) -> Any:
        """The client's own form of the next batch, None after the last."""
        if not self._batches:
            return None
        fetched = self._batches.popleft()
        batch = opened(fetched, self._crc)
        self._left -= len(batch)
        if self._left <= 0:
            self._batches.clear()
        return self._form(batch, batch is not fetched)


def opened(batch: bytes, crc: Crc | None) -> bytes:
    """The same records, not compressed; `crc` is None where nobody will look at it.

    One whose CRC is wrong stays as it is: it was damaged on the way, and the client says so.
    """
    if len(batch) < _HEADER.size or batch[_MAGIC_AT] != 2:
        return batch
    head = list(_HEADER.unpack_from(batch))
    attributes, count = head[5], head[12]
    if not attributes & _CODEC or (crc is not None and crc(batch[_CRC_FROM:]) != head[4]):
        return batch
    records = _inflated(attributes & _CODEC, batch[_HEADER.size :])
    if records is None or not _holds(records, count):
        records, head[12] = _instead(batch, head[6], head[8] - head[7]), 1
    head[1] = _HEADER.size - _LENGTH_FROM + len(records)
    head[5] = attributes & ~_CODEC
    made = _HEADER.pack(*head) + records
    if crc is not None:
        head[4] = crc(made[_CRC_FROM:])
        made = _HEADER.pack(*head) + records
    return made


def _inflated(codec: int, payload: bytes) -> bytes | None:
    """The records' bytes; None for more than may be, or what is not so compressed."""
    # The largest room is dear to make, and hardly any batch needs it.
    for room_bytes in (min(_ROOM_FACTOR * len(payload), INFLATED_BYTES_MAX), INFLATED_BYTES_MAX):
        room = bytearray(room_bytes)
        try:
            size = _inflated_into(codec, payload, room)
        except (cramjam.DecompressionError, ValueError, struct.error):
            continue
        return None if size is None else bytes(memoryview(room)[:size])
    return None


def _inflated_into(codec: int, payload: bytes, room: bytearray) -> int | None:
    """How many bytes they are; None for a compression that Kafka does not have."""
    match codec:
        case 1:
            return cramjam.gzip.decompress_into(payload, room)
        case 2:
            return _unsnapped(payload, room)
        case 3:
            return cramjam.lz4.decompress_into(payload, room)
        case 4:
            return cramjam.zstd.decompress_into(payload, room)
        case _:
            return None


def _unsnapped(payload: bytes, room: bytearray) -> int:
    """Java's framing is blocks of four bytes' length; others write one block without any."""
    if not payload.startswith(_XERIAL):
        return cramjam.snappy.decompress_raw_into(payload, room)
    at, size, free = _XERIAL_BLOCKS_FROM, 0, memoryview(room)
    while at < len(payload):
        (length,) = struct.unpack_from(">I", payload, at)
        block = payload[at + 4 : at + 4 + length]
        size += cramjam.snappy.decompress_raw_into(block, free[size:])
        at += 4 + length
    return size


def _holds(records: bytes, count: int) -> bool:
    """Are these just so many records, by their lengths, and none too long? A client would stumble
    over others for ever."""
    at, seen, end = 0, 0, len(records)
    while at < end and seen < count:
        length, shift = 0, 0
        while True:
            if at >= end or shift > 28:
                return False
            byte = records[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if length & 1 or length >> 1 > RECORD_BYTES_MAX:
            return False
        at += length >> 1
        seen += 1
    return at == end and seen == count


def read_on(
    batch: Iterable[Any], raw: Callable[[], bytes], form: Callable[[bytes], Iterable[Any]]
) -> Iterator[Any]:
    """The records of a client's batch, also where it stumbles over a header's name that is no
    UTF-8: the broker takes such a record, and a client would stumble over it for ever.

    `raw` gives the batch's bytes, not compressed, `form` bytes the client's own form.
    """
    seen = 0
    try:
        for record in batch:
            yield record
            seen += 1
        return
    except Exception as error:
        whole = raw()
        mended = without_bad_headers(whole)
        if mended is whole:
            raise error
    for number, record in enumerate(form(mended)):
        if number >= seen:
            yield record


def without_bad_headers(batch: bytes) -> bytes:
    """The same records, those that have a header whose name is no UTF-8 without any headers; the
    batch itself if there is none. Its CRC is not made anew."""
    at, made, is_mended = _HEADER.size, [], False
    head = list(_HEADER.unpack_from(batch))
    for _ in range(head[12]):
        length, begin = _zigzag(batch, at)
        end = begin + length
        bare = _bare(batch, begin, end)
        is_mended = is_mended or bare is not None
        body = batch[begin:end] if bare is None else bare
        made.append(_varint(len(body)) + body)
        at = end
    if not is_mended:
        return batch
    records = b"".join(made)
    head[1] = _HEADER.size - _LENGTH_FROM + len(records)
    return _HEADER.pack(*head) + records


def _bare(batch: bytes, begin: int, end: int) -> bytes | None:
    """A record without headers; None if the names of those that it has are UTF-8."""
    at = begin + 1
    for _ in range(2):
        _, at = _zigzag(batch, at)
    for _ in range(2):
        length, at = _zigzag(batch, at)
        at += max(length, 0)
    headers_at = at
    count, at = _zigzag(batch, at)
    for _ in range(count):
        length, at = _zigzag(batch, at)
        name = batch[at : at + length]
        length, at = _zigzag(batch, at + length)
        at += max(length, 0)
        try:
            name.decode()
        except UnicodeDecodeError:
            return batch[begin:headers_at] + _varint(0)
    return None


def _zigzag(batch: bytes, at: int) -> tuple[int, int]:
    """A number, and where the next thing begins; raises ValueError beyond the batch."""
    number, shift = 0, 0
    while True:
        if at >= len(batch) or shift > 63:
            raise ValueError("a record ends beyond its batch")
        byte = batch[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at


def _instead(batch: bytes, offset_delta: int, time_delta: int) -> bytes:
    """One record without a key, whose value is the batch as it is."""
    value = _NOT_A_FRAME + batch
    body = b"".join(
        (b"\0", _varint(time_delta), _varint(offset_delta), _varint(-1), _varint(len(value)),
         value, _varint(0))
    )  # fmt: skip
    return _varint(len(body)) + body


def _varint(number: int) -> bytes:
    left = number << 1 if number >= 0 else (-number << 1) - 1
    out = bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)
