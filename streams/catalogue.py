"""The catalogue in this worker: registry.catalogue read whole, then followed."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError
from faust import Service

from ledger.admission import barred
from ledger.catalogue import Catalogue
from ledger.publish import publish
from ledger.record import Record
from schemas.codec import Undecodable, decode_event
from schemas.topics import CATALOGUE
from streams.bounded import ASK_SECONDS, stop, within

_TP = TopicPartition(CATALOGUE, 0)
_POLL_SECONDS = 0.005


def learn(catalogue: Catalogue, record: Any) -> None:
    """Fold one record of registry.catalogue; what is unreadable or refused changes nothing.

    The trail shows such records with their reason; here only the offset counts, because a posting
    names the offset it saw.
    """
    try:
        event = decode_event(record.value)
    except Undecodable:
        pass
    else:
        key = None if record.key is None else record.key.decode("utf-8", "replace")
        entry = Record(CATALOGUE, 0, record.offset, record.timestamp * 1000, key, event)
        if barred(entry, catalogue) is None:
            publish(catalogue, event)  # type: ignore[arg-type]
    catalogue.next_offset = record.offset + 1


class CatalogueShrunk(KafkaError):  # type: ignore[misc]
    """The topic is shorter than what a posting has seen of it: another log, or one restored from
    an older copy."""


class CatalogueFollower(Service):
    """Keeps a catalogue at the end of its topic; `ready` is set once it was there."""

    def __init__(self, bootstrap: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.catalogue = Catalogue()
        self.ready = asyncio.Event()
        self._bootstrap = bootstrap
        self._consumer: AIOKafkaConsumer | None = None
        self._position = 0

    async def current(self, at_least: int) -> Catalogue:
        """The catalogue with everything that is published now, and at least up to an offset.

        So a fact that was sent after a catalogue event had been acknowledged always finds it.
        Raises KafkaError when the topic cannot be asked or is shorter than that.
        """
        await within(ASK_SECONDS, self.ready.wait(), "reading registry.catalogue")
        if self._consumer is None:
            raise KafkaConnectionError("registry.catalogue cannot be read")
        what = "where registry.catalogue ends"
        end = (await within(ASK_SECONDS, self._consumer.end_offsets([_TP]), what))[_TP]
        if end < at_least:
            raise CatalogueShrunk(
                f"registry.catalogue ends at {end}; this ledger has used it up to {at_least}"
            )
        await within(
            ASK_SECONDS, self._reached(end, at_least), f"reading registry.catalogue up to {end}"
        )
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
                    learn(self.catalogue, record)
                self._position = await within(ASK_SECONDS, consumer.position(_TP), what)
        finally:
            self._consumer = None
            await stop(consumer, "the consumer of registry.catalogue")
