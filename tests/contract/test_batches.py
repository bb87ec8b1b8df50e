"""Compressed batches become plain ones; one that holds too much becomes a single record."""

import gzip
import random
import tracemalloc
from collections.abc import Callable
from typing import Any

import cramjam
import pytest
from aiokafka.consumer import fetcher as aiokafka_fetcher
from aiokafka.record.util import calc_crc32c
from kafka.consumer import fetcher as kafka_fetcher
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from consumers.kafka.decompression import guard as guard_kafka
from schemas.wire.batches import (
    INFLATED_BYTES_MAX,
    RECORD_BYTES_MAX,
    STRETCH_BYTES,
    batches_of,
    is_plain,
    opened,
)
from streams.kafka.decompression import guard as guard_aiokafka

HEADER_BYTES = 61
Packing = Callable[[bytes], bytes]


def xerial(records: bytes) -> bytes:
    """Snappy as Java's clients write it: blocks of 32 KiB behind a header."""
    blocks = (records[at : at + 32_768] for at in range(0, len(records), 32_768))
    packed = [bytes(cramjam.snappy.compress_raw(block)) for block in blocks]
    framed = b"".join(len(block).to_bytes(4, "big") + block for block in packed)
    return b"\x82SNAPPY\0" + (1).to_bytes(4, "big") * 2 + framed


PACKINGS: dict[str, tuple[int, Packing]] = {
    "gzip": (1, gzip.compress),
    "snappy": (2, lambda records: bytes(cramjam.snappy.compress_raw(records))),
    "xerial": (2, xerial),
    "lz4": (3, lambda records: bytes(cramjam.lz4.compress(records))),
    "zstd": (4, lambda records: bytes(cramjam.zstd.compress(records))),
    "two members": (1, lambda r: gzip.compress(r[:9]) + gzip.compress(r[9:])),
}


def plain(count: int, rng: random.Random, base: int = 0) -> bytes:
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=1 << 30)
    for n in range(count):
        key = None if n % 3 else b"v-%d" % n
        headers = [("ce_type", rng.randbytes(n))]
        builder.append(timestamp=1_000 + n, key=key, value=rng.randbytes(n * 7), headers=headers)
    builder.close()
    return base.to_bytes(8, "big") + bytes(builder.buffer())[8:]


def changed(batch: bytes, codec: int, records: bytes, count: int | None = None) -> bytes:
    """A batch with other contents, and with the right length and CRC."""
    said = batch[57:61] if count is None else count.to_bytes(4, "big")
    body = (int.from_bytes(batch[21:23], "big") | codec).to_bytes(2, "big") + batch[23:57] + said
    body += records
    length, crc = 9 + len(body), int(calc_crc32c(body))
    head = batch[:8] + length.to_bytes(4, "big") + batch[12:17]
    return head + crc.to_bytes(4, "big") + body


def read(batch: bytes) -> list[tuple[int, bytes | None, bytes | None, int]]:
    found = MemoryRecords(batch).next_batch()
    assert found.validate_crc()
    return [(r.offset, r.key, r.value, r.timestamp) for r in found]


@pytest.mark.parametrize("name", PACKINGS)
@pytest.mark.parametrize("count", [1, 2, 300])
def test_the_same_records_come_out_of_every_compression(name: str, count: int) -> None:
    batch = plain(count, random.Random(count), base=70_000)
    codec, pack = PACKINGS[name]
    packed = changed(batch, codec, pack(batch[HEADER_BYTES:]))
    assert not is_plain(batch + packed)
    assert opened(packed, calc_crc32c) == batch
    assert is_plain(batch * 2)
    assert opened(batch, calc_crc32c) is batch


@pytest.mark.parametrize("name", PACKINGS)
def test_what_holds_too_much_becomes_its_own_bytes(name: str) -> None:
    codec, pack = PACKINGS[name]
    zeros = pack(bytes(INFLATED_BYTES_MAX + 1))
    packed = changed(plain(5, random.Random(1), base=40), codec, zeros)
    assert read(opened(packed, calc_crc32c)) == [(44, None, b"\xff" + packed, 1_004)]


def test_no_more_memory_is_taken_than_may_be() -> None:
    codec, pack = PACKINGS["zstd"]
    packed = changed(plain(5, random.Random(1)), codec, pack(bytes(20 * INFLATED_BYTES_MAX)))
    tracemalloc.start()
    opened(packed, calc_crc32c)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < INFLATED_BYTES_MAX + (1 << 20)


def built(*values: bytes, base: int = 0) -> bytes:
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=1 << 30)
    for value in values:
        builder.append(timestamp=1, key=None, value=value, headers=[])
    builder.close()
    return base.to_bytes(8, "big") + bytes(builder.buffer())[8:]


def test_a_record_that_no_broker_would_take_uncompressed_becomes_its_batch() -> None:
    codec, pack = PACKINGS["zstd"]
    for size, taken in ((RECORD_BYTES_MAX - 20, True), (RECORD_BYTES_MAX + 1, False)):
        batch = built(b"x", bytes(size))
        packed = changed(batch, codec, pack(batch[HEADER_BYTES:]))
        assert (opened(packed, None)[HEADER_BYTES:] == batch[HEADER_BYTES:]) == taken


@pytest.mark.parametrize("module", [aiokafka_fetcher, kafka_fetcher])
def test_a_stretch_of_many_batches_is_opened_in_parts(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part is followed by a fetch from the offset after it, as if the broker had sent less."""
    monkeypatch.setattr(module, "MemoryRecords", None)
    if module is aiokafka_fetcher:
        guard_aiokafka()
    else:
        guard_kafka(checks_crcs=False)
    codec, pack = PACKINGS["zstd"]
    values = [bytes(1 << 19)] * 6
    batches = [built(*values, base=6 * n) for n in range(20)]
    packed = [changed(b, codec, pack(b[HEADER_BYTES:])) for b in batches]
    at, parts = 0, []
    while at < len(packed):
        records = module.MemoryRecords(b"".join(packed[at:]))
        part = 0
        while records.has_next():
            found = records.next_batch()
            assert found.base_offset == 6 * (at + part)
            assert found.validate_crc()
            assert [len(record.value) for record in found] == [1 << 19] * 6
            part += 1
        assert records.next_batch() is None
        parts.append(part)
        at += part
    assert parts == [STRETCH_BYTES // (6 << 19) + 1] * 6 + [2]
    plainly = module.MemoryRecords(b"".join(batches))
    assert not hasattr(plainly, "_left")


@pytest.mark.parametrize("name", PACKINGS)
def test_what_cannot_be_opened_becomes_its_own_bytes(name: str) -> None:
    codec, pack = PACKINGS[name]
    batch = plain(5, random.Random(1))
    records = batch[HEADER_BYTES:]
    for wrong in (b"", b"garbage", pack(records)[:-3], pack(records + b"\0"), pack(records[:-1]),
                  pack(b"\x80" * 40), pack(b"\x01")):  # fmt: skip
        packed = changed(batch, codec, wrong)
        assert read(opened(packed, calc_crc32c)) == [(4, None, b"\xff" + packed, 1_004)]
    for count in (4, 6, 2**31 - 1):
        packed = changed(batch, codec, pack(records), count)
        assert read(opened(packed, calc_crc32c)) == [(4, None, b"\xff" + packed, 1_004)]
    packed = changed(batch, 7, records)
    assert read(opened(packed, calc_crc32c)) == [(4, None, b"\xff" + packed, 1_004)]


def test_any_bytes_as_a_payload_give_records_that_can_be_read() -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    rng = random.Random(seed)
    batch = plain(9, rng)
    for _ in range(500):
        codec, pack = rng.choice(list(PACKINGS.values()))
        payload = bytearray(pack(batch[HEADER_BYTES:]))
        for _ in range(rng.randrange(1, 4)):
            payload[rng.randrange(len(payload))] = rng.randrange(256)
        found = opened(changed(batch, codec, bytes(payload)), calc_crc32c)
        assert len(MemoryRecords(found).next_batch()._buffer) == len(found)
        assert MemoryRecords(found).next_batch().records_count in (1, 9)


def test_what_was_damaged_on_the_way_is_left_to_the_client() -> None:
    batch = plain(5, random.Random(1))
    packed = bytearray(changed(batch, 1, gzip.compress(batch[HEADER_BYTES:])))
    packed[-1] ^= 1
    assert opened(bytes(packed), calc_crc32c) == bytes(packed)
    assert not MemoryRecords(bytes(packed)).next_batch().validate_crc()
    assert opened(batch[:40], calc_crc32c) == batch[:40]


def test_a_stretch_falls_into_its_batches_and_one_cut_off_is_left_out() -> None:
    some = [plain(n, random.Random(n), base=n) for n in range(1, 5)]
    raw = b"".join(some)
    assert list(batches_of(raw)) == some
    for cut in (1, 12, 60, len(some[-1]) - 1):
        assert list(batches_of(raw[:-cut])) == some[:-1]
    assert list(batches_of(b"")) == []
