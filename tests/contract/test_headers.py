"""A header whose name is no text is taken by the broker, and stops no client that we read with."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiokafka.consumer import fetcher as aiokafka_fetcher
from kafka.consumer import fetcher as kafka_fetcher
from kafka.record.default_records import DefaultRecordBatchBuilder

from consumers.kafka.decompression import guard as guard_kafka
from schemas.wire.batches import batches_of, without_bad_headers
from streams.kafka.decompression import guard as guard_aiokafka


class Bytes(str):
    """A header's name that a client writes as other bytes than text gives."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"\xff\xfe\xfd"


GOOD: list[tuple[str, bytes | None]] = [("ce_id", b"1"), ("\u5c31", None)]
BAD: list[tuple[str, bytes | None]] = [("ce_id", b"1"), (Bytes("bad"), b"2")]


def batch(*headers: list[tuple[str, bytes | None]]) -> bytes:
    """A batch as a client writes it, a record for each list of headers."""
    made = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=False, producer_id=-1, producer_epoch=-1,
        base_sequence=-1, batch_size=1 << 20,
    )  # fmt: skip
    for number, some in enumerate(headers):
        made.append(number, 1_700_000_000_000 + number, b"k", b"v%d" % number, some)
    return bytes(made.build())


@pytest.fixture(params=["aiokafka", "kafka-python"])
def read(request: pytest.FixtureRequest) -> Iterator[Callable[[bytes], list[Any]]]:
    """The records of a fetched stretch as one of the two clients reads them."""
    module = aiokafka_fetcher if request.param == "aiokafka" else kafka_fetcher
    before = module.MemoryRecords
    if request.param == "aiokafka":
        guard_aiokafka()
    else:
        guard_kafka(checks_crcs=True)

    def records(raw: bytes) -> list[Any]:
        stretch, found = module.MemoryRecords(raw), []
        while stretch.has_next():
            one = stretch.next_batch()
            assert one.validate_crc()
            found += list(one)
        return found

    yield records
    module.MemoryRecords = before


def test_a_record_with_a_header_that_is_no_text_is_read_without_headers_and_all_others_whole(
    read: Callable[[bytes], list[Any]],
) -> None:
    raw = batch(GOOD) + batch(GOOD, BAD, GOOD) + batch(BAD)
    found = read(raw)
    assert [record.value for record in found] == [b"v0", b"v0", b"v1", b"v2", b"v0"]
    assert [record.offset for record in found] == [0, 0, 1, 2, 0]
    assert [record.timestamp - 1_700_000_000_000 for record in found] == [0, 0, 1, 2, 0]
    assert [len(record.headers) for record in found] == [2, 2, 0, 2, 0]


def test_what_is_well_is_left_as_it_is() -> None:
    good = batch(GOOD, [], GOOD)
    assert without_bad_headers(good) is good
    [only] = batches_of(good)
    assert only == good


def test_a_record_that_ends_beyond_its_batch_is_no_endless_loop() -> None:
    bad = batch(BAD)
    with pytest.raises(ValueError, match="beyond its batch"):
        without_bad_headers(bad[:-6])
