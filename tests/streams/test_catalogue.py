"""The catalogue in a worker: no event stops anybody, and no wait is without end."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError

import ledger.publish
import streams.worker.catalogue_follower
from consumers.kafka.records import Record as Raw
from consumers.questions.facts.catalogue_view import catalogue as catalogue_of
from consumers.reconcile.replay import _learn
from ledger.catalogue.catalogue import Catalogue
from ledger.replay import replay
from schemas.topics import CATALOGUE
from schemas.wire.codec import encode
from streams.worker.catalogue_follower import CatalogueFollower, CatalogueShorter, learn
from tests.drawn.histories import BASICS, check_in, log, org, project

plain = pytest.mark.skipif(
    not ledger.publish.__file__.endswith(".py"),
    reason="a defect is planted in plain Python; `make test` runs this folder so, too",
)


def raws(*events: Any) -> list[Raw]:
    return [
        Raw(CATALOGUE, 0, r.offset, r.recorded_at // 1000, (r.key or "").encode(), encode(r.event))
        for r in log(*events)
    ]


@plain
def test_a_catalogue_event_that_the_rules_fail_on_is_left_out_by_everybody_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = ledger.publish.publish

    def broken(catalogue: Catalogue, event: Any) -> str | None:
        if getattr(event, "org_id", "") == "bad":
            raise IndexError("a defect")
        return right(catalogue, event)

    monkeypatch.setattr(ledger.publish, "publish", broken)
    events = [*BASICS, org("bad"), project("p9")]
    worker, reader = Catalogue(), Catalogue()
    said = [learn(worker, raw) for raw in raws(*events)]
    assert said == [None] * len(BASICS) + ["internal_error", None]
    for raw in raws(*events):
        _learn(reader, raw)
    assert worker == reader
    assert worker.next_offset == len(events)
    assert "p9" in worker.project_orgs
    made = replay(log(*events, check_in(project="p9")))
    assert [(p.outcome, p.catalogue_offset) for p in made.postings] == [("posted", len(events))]

    def query(*_: Any, **__: Any) -> list[dict[str, Any]]:
        return [
            {"offset": raw.offset, "recorded": raw.timestamp * 1000,
             "key_hex": (raw.key or b"").hex(), "value_hex": (raw.value or b"").hex()}
            for raw in raws(*events)
        ]  # fmt: skip

    assert catalogue_of(query, ()) == worker


@plain
def test_too_little_memory_is_no_verdict_on_a_catalogue_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any) -> str | None:
        raise MemoryError

    monkeypatch.setattr(ledger.publish, "publish", broken)
    with pytest.raises(MemoryError):
        learn(Catalogue(), raws(*BASICS)[0])


def test_what_may_not_enter_is_left_out_with_its_reason() -> None:
    catalogue = Catalogue()
    good = raws(*BASICS)[0]
    assert learn(catalogue, good._replace(value=b"hello")) == "bad_framing"
    assert learn(catalogue, good._replace(key=b"another")) == "wrong_key"
    assert catalogue == Catalogue(next_offset=good.offset + 1)


class Ends:
    """A consumer that knows where the topic ends, and no more."""

    def __init__(self, end: int) -> None:
        self.end = end

    async def end_offsets(self, tps: list[Any]) -> dict[Any, int]:
        return dict.fromkeys(tps, self.end)


def follower(end: int) -> CatalogueFollower:
    found = CatalogueFollower("nowhere:1")
    found._consumer = Ends(end)
    found.ready.set()
    return found


def test_a_catalogue_that_is_shorter_than_what_the_ledger_saw_is_named() -> None:
    with pytest.raises(CatalogueShorter, match="ends at 3, the ledger has seen it up to 7"):
        asyncio.run(asyncio.wait_for(follower(3).current(7), 5))


def test_a_catalogue_that_is_not_read_on_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams.worker.catalogue_follower, "PATIENCE_SECONDS", 0.05)
    with pytest.raises(KafkaTimeoutError, match=r"reading .* from 0 to 7"):
        asyncio.run(asyncio.wait_for(follower(7).current(7), 5))
