"""The catalogue in this worker: registry.catalogue read whole, then followed."""

import asyncio
from collections import defaultdict
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError
from faust import Service

from ledger import publish
from ledger.account.record import Record
from ledger.catalogue.catalogue import Catalogue
from schemas.topics import CATALOGUE
from schemas.wire.codec import Undecodable, decode_event
from streams.kafka.bounded import ASK_SECONDS, stop, within

_TP = TopicPartition(CATALOGUE, 0)
_POLL_SECONDS = 0.005

PATIENCE_SECONDS = 10.0
"""How long a partition waits for the catalogue before it says why and tries again."""


def learn(catalogue: Catalogue, record: Any) -> str | None:
    """Fold one fetched record of registry.catalogue; the reason code if it was left out.

    The trail shows such records; here only the offset counts, because a posting names the offset it
    saw.
    """
    try:
        event = decode_event(record.value)
    except Undecodable as fault:
        catalogue.next_offset = record.offset + 1
        return fault.code
    key = None if record.key is None else record.key.decode("utf-8", "replace")
    entry = Record(CATALOGUE, 0, record.offset, record.timestamp * 1000, key, event)
    return publish.learn(catalogue, entry)


class CatalogueShorter(KafkaError):  # type: ignore[misc]
    """registry.catalogue ends before what the ledger has seen of it."""

    def __init__(self, end: int, seen: int) -> None:
        super().__init__(
            f"{CATALOGUE} ends at {end}, the ledger has seen it up to {seen}: the topic was made "
            "anew or restored from an older copy; restore it whole"
        )


class CatalogueFollower(Service):
    """Keeps a catalogue at the end of its topic; `ready` is set once it was there."""

    def __init__(self, bootstrap: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.catalogue = Catalogue()
        self.ready = asyncio.Event()
        self._bootstrap = bootstrap
        self._consumer: AIOKafkaConsumer | None = None
        self._position = 0
        self.left_out: dict[str, int] = defaultdict(int)
        """Reason code -> how many records were left out for it."""

    async def current(self, at_least: int) -> Catalogue:
        """The catalogue with everything that is published now, and at least up to an offset.

        So a fact that was sent after a catalogue event had been acknowledged always finds it.
        Raises KafkaError when the topic cannot be asked or is shorter than that.
        """
        await within(PATIENCE_SECONDS, self.ready.wait(), f"reading {CATALOGUE}")
        if self._consumer is None:
            raise KafkaConnectionError(f"{CATALOGUE} cannot be read")
        asking = self._consumer.end_offsets([_TP])
        end = (await within(ASK_SECONDS, asking, f"where {CATALOGUE} ends"))[_TP]
        if end < at_least:
            raise CatalogueShorter(end, at_least)
        what = f"reading {CATALOGUE} from {self._position} to {max(end, at_least)}"
        await within(PATIENCE_SECONDS, self._reached(end, at_least), what)
        return self.catalogue

    async def _reached(self, end: int, at_least: int) -> None:
        while self._position < end or self.catalogue.next_offset < at_least:
            await asyncio.sleep(_POLL_SECONDS)

    @Service.task
    async def _follow(self) -> None:
        while not self.should_stop:
            try:
                await self._read()
            except (KafkaError, OSError) as error:
                self.log.warning("catalogue: %r; trying again", error)
                await self.sleep(1)

    def _learn(self, record: Any) -> None:
        why = learn(self.catalogue, record)
        if why is not None:
            self.left_out[why] += 1
        if why == "internal_error":
            self.log.error("%s/0/%s: the rules fail on it; left out", CATALOGUE, record.offset)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=100,
        )
        try:
            await within(ASK_SECONDS, consumer.start(), "connecting to read registry.catalogue")
            consumer.assign([_TP])
            self._position = self.catalogue.next_offset
            what = "reading registry.catalogue"
            end = (await within(ASK_SECONDS, consumer.end_offsets([_TP]), what))[_TP]
            consumer.seek(_TP, self._position)
            self._consumer = consumer
            while not self.should_stop:
                if self._position >= end:
                    self.ready.set()
                reading = consumer.getmany(_TP, timeout_ms=100, max_records=5_000)
                fetched = await within(ASK_SECONDS, reading, what)
                for record in fetched.get(_TP, ()):
                    self._learn(record)
                self._position = await within(ASK_SECONDS, consumer.position(_TP), what)
        finally:
            self._consumer = None
            await stop(consumer, "the consumer of registry.catalogue")
