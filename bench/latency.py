"""From an event's acknowledgement until its posting is visible in the trail, under a steady load.

Producer, broker, worker and sink are processes of their own. What is visible is asked of the
running sink a few times a second, as anybody would ask it: an event counts as visible when the
answer that shows its posting has come, so times are too long by up to one interval, never too
short. Then the sink is stopped for a while under load: how long does it take to catch up?
`make bench-latency`.
"""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from rich.console import Console

from bench.material.histories import history
from bench.output.report import machine, table, write
from bench.watching.processes import shilu
from consumers.api.trail_client import At, find_owner
from deploy.broker.broker import Broker
from deploy.broker.topics_admin import Wanted, create
from producers.simulator.simulate import Sending
from schemas.posting import Posting
from schemas.topics import ALL, CATALOGUE, FACTS, PARTITIONS, POSTINGS
from schemas.wire.codec import decode_output
from streams.partitions.fold_batch import partition_of

SAMPLED_EVERY = 20
"""One posting in so many is followed."""
_ASKED_EVERY_SECONDS = 0.2
_DRAIN_SECONDS = 60.0
_KEPT_UP_SHARE = 0.98
TARGET_RATE, TARGET_SECONDS = 5_000, 2.0
console = Console(stderr=True, highlight=False)

Source = tuple[str, int, int]


@dataclass
class Seen:
    """What the three observers note; each field has one writer."""

    acked_at: dict[Source, float] = field(default_factory=dict)
    posted: list[tuple[Source, int, int, float]] = field(default_factory=list)
    """Source, partition and offset of the sampled postings, and when they could be read."""
    postings: int = 0
    last_offsets: dict[int, int] = field(default_factory=dict)
    """How many postings there are, and the offset of the last one of each partition."""
    heads: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    """When an answer came, and to where the trail then went in each place."""
    stop: threading.Event = field(default_factory=threading.Event)


def send(bootstrap: str, sendings: list[Sending], rate: float, seen: Seen) -> float:
    """Send at a steady rate; the seconds it took. A rate of 0: as fast as it goes."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "acks": "all"})

    def acked(error: object, message: Message) -> None:
        assert error is None, error
        if message.topic() in FACTS:
            source = (
                str(message.topic()),
                int(message.partition() or 0),
                int(message.offset() or 0),
            )
            seen.acked_at[source] = time.monotonic()

    began = time.monotonic()
    for number, sending in enumerate(sendings):
        partition = sending.partition
        if partition is None:
            single = sending.topic == CATALOGUE
            partition = 0 if single else partition_of(sending.key.decode(), PARTITIONS)
        producer.produce(sending.topic, sending.value, sending.key, partition,
                         timestamp=sending.recorded_at // 1000, on_delivery=acked)  # fmt: skip
        producer.poll(0)
        ahead = number / rate - (time.monotonic() - began) if rate else 0.0
        if ahead > 0.002:
            producer.poll(ahead)
            time.sleep(max(0.0, number / rate - (time.monotonic() - began)))
    producer.flush()
    return time.monotonic() - began


def follow_postings(bootstrap: str, seen: Seen) -> None:
    """Note where the posting of every so many sources lies."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench-latency",
                         "isolation.level": "read_committed"})  # fmt: skip
    consumer.assign([TopicPartition(POSTINGS, number, 0) for number in range(PARTITIONS)])
    while not seen.stop.is_set():
        for message in consumer.consume(1_000, timeout=0.2):
            offset, value = message.offset(), message.value()
            assert offset is not None
            assert value is not None
            seen.postings += 1
            seen.last_offsets[int(message.partition() or 0)] = offset
            if offset % SAMPLED_EVERY:
                continue
            posting = decode_output(value)
            assert isinstance(posting, Posting)
            source = (posting.source_topic, posting.source_partition, posting.source_offset)
            seen.posted.append((source, posting.partition, offset, time.monotonic()))
    consumer.close()


def follow_trail(home: Path, seen: Seen) -> None:
    """Ask the sink how far the trail goes, a few times a second."""
    while not seen.stop.wait(_ASKED_EVERY_SECONDS):
        owner = find_owner(At(home))
        if owner is None:
            continue
        with owner.client as client, suppress(httpx.HTTPError):
            while not seen.stop.wait(_ASKED_EVERY_SECONDS):
                answer = client.post("/v1/ask", json={"question": "heads"}).json()["answer"]
                seen.heads.append((time.monotonic(), answer))


def under_load(
    rate: int, seconds: float, act: Callable[[str, Path, Seen], dict[str, Any]]
) -> dict[str, Any]:
    """A cluster of its own, with observers, for one measurement."""
    with tempfile.TemporaryDirectory() as folder:
        home, seen = Path(folder), Seen()
        with Broker(home / "kafka", tied_to_parent=True, heap="512m", jvm_options=()) as broker:
            create(broker.bootstrap, Wanted(8, True, 1), ALL)
            with shilu(home, broker.bootstrap, "worker") as worker:
                watching = [
                    threading.Thread(target=follow_postings, args=(broker.bootstrap, seen)),
                    threading.Thread(target=follow_trail, args=(home, seen)),
                ]
                for thread in watching:
                    thread.start()
                try:
                    found = act(broker.bootstrap, home, seen)
                    worker.require_alive()
                finally:
                    seen.stop.set()
                    for thread in watching:
                        thread.join()
    return {"rate": rate, "load_seconds": seconds} | found


def visible(seen: Seen) -> int:
    """How many offsets of ledger.postings the trail shows now."""
    if not seen.heads:
        return 0
    return sum(n for place, n in seen.heads[-1][1].items() if place.startswith(POSTINGS))


def wait_visible(seen: Seen, sources: int, seconds: float) -> bool:
    """Until so many sources have a posting in the trail; False if the time is over before.

    The few that go to quarantine have none: 1 % may be missing.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        heads = seen.heads[-1][1] if seen.heads else {}
        shown = all(heads.get(f"{POSTINGS}/{p}", 0) > at for p, at in seen.last_offsets.items())
        if shown and seen.postings >= sources * 0.99:
            return True
        time.sleep(0.2)
    return False


def delays(seen: Seen) -> list[float]:
    """Seconds from acknowledgement to visibility of every sampled event that became visible."""
    found, at = [], 0
    per_partition: dict[int, list[tuple[int, Source]]] = {n: [] for n in range(PARTITIONS)}
    for source, partition, offset, _ in seen.posted:
        per_partition[partition].append((offset, source))
    for partition, posted in per_partition.items():
        at = 0
        for offset, source in sorted(posted):
            while (
                at < len(seen.heads)
                and seen.heads[at][1].get(f"{POSTINGS}/{partition}", 0) <= offset
            ):
                at += 1
            if at < len(seen.heads) and source in seen.acked_at:
                found.append(seen.heads[at][0] - seen.acked_at[source])
    return sorted(found)


def at_rate(rate: int, seconds: float) -> dict[str, Any]:
    """p50 and p99 at one rate, or what was kept up with."""

    def act(bootstrap: str, home: Path, seen: Seen) -> dict[str, Any]:
        warm, load = _material(rate, seconds)
        with shilu(home, bootstrap, "sink"):
            send(bootstrap, warm, 0, seen)
            facts = sum(sending.topic in FACTS for sending in warm)
            assert wait_visible(seen, facts, 120), "the start was never visible"
            seen.acked_at.clear()
            before, began = visible(seen), time.monotonic()
            took = send(bootstrap, load, rate, seen)
            offered = len(seen.acked_at) / took
            shown = (visible(seen) - before) / (time.monotonic() - began)
            facts += len(seen.acked_at)
            drained = wait_visible(seen, facts, _DRAIN_SECONDS)
        found = delays(seen)
        in_kafka = sorted(
            at - seen.acked_at[source]
            for source, _, _, at in seen.posted
            if source in seen.acked_at
        )
        return {
            "posted_p50": statistics.median(in_kafka) if in_kafka else None,
            "offered_per_second": offered,
            "shown_per_second": shown,
            "drained": drained,
            "samples": len(found),
            "p50": statistics.median(found) if found else None,
            "p99": found[int(len(found) * 0.99)] if found else None,
        }

    found = under_load(rate, seconds, act)
    # Two seconds' worth may rightly be on their way when the load ends.
    needed = found["offered_per_second"] * max(0.5, _KEPT_UP_SHARE - TARGET_SECONDS / seconds)
    found["kept_up"] = found["drained"] and found["shown_per_second"] >= needed
    console.print(found)
    return found


def after_a_stop(rate: int, stopped_seconds: float) -> dict[str, Any]:
    """How long the sink takes to catch up, under load, after it was away."""

    def act(bootstrap: str, home: Path, seen: Seen) -> dict[str, Any]:
        warm, load = _material(rate, stopped_seconds * 3)
        with shilu(home, bootstrap, "sink") as sink:
            send(bootstrap, warm, 0, seen)
            assert wait_visible(seen, sum(s.topic in FACTS for s in warm), 120)
            sink.stop()
        sender = threading.Thread(target=send, args=(bootstrap, load, rate, seen))
        sender.start()
        time.sleep(stopped_seconds)
        began, caught_up = time.monotonic(), None
        with shilu(home, bootstrap, "sink") as sink:
            while time.monotonic() - began < stopped_seconds * 4 and caught_up is None:
                sink.require_alive()
                owner = find_owner(At(home))
                if owner is not None:
                    with owner.client as client, suppress(httpx.HTTPError):
                        said = client.get("/health").json()
                        if said["state"] == "green" or 0 < said["behind"] < rate:
                            caught_up = time.monotonic() - began
                time.sleep(0.2)
            sender.join()
        return {"stopped_seconds": stopped_seconds, "caught_up_seconds": caught_up}

    found = under_load(rate, stopped_seconds * 3, act)
    console.print(found)
    return found


def _material(rate: int, seconds: float) -> tuple[list[Sending], list[Sending]]:
    """The beginning of a history, with its catalogue, and what is sent at the rate."""
    events = int(rate * seconds)
    stream = history(events + 2_000, max(events // 20, 200))
    return list(islice(stream, 2_000)), list(stream)


def main() -> None:
    """Every rate in turn, then the stop; write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=[1_000, 2_000, 5_000])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--stop-seconds", type=float, default=60)
    parser.add_argument("--stop-rate", type=int, default=1_000)
    asked = parser.parse_args()
    where = machine("chdb", "aiokafka", "faust-streaming", "kafka-python", "confluent-kafka")
    rates = [at_rate(rate, asked.seconds) for rate in asked.rates]
    stop = after_a_stop(asked.stop_rate, asked.stop_seconds)
    result = {"machine": where, "rates": rates, "stop": stop}
    write("latency", result, "从确认到可见 · From acknowledged to visible", page(result))


def page(result: dict[str, Any]) -> str:
    """The section of docs/performance.md."""
    rows = []
    for found in result["rates"]:
        said = (f"{found['posted_p50']:.2f}", f"{found['p50']:.2f}", f"{found['p99']:.2f}", "yes")
        if not found["kept_up"]:
            kept = f"**not reached**: kept up with {found['shown_per_second']:,.0f}/s"
            said = ("–", "–", "–", kept)
        rows.append((f"{found['rate']:,}", f"{found['offered_per_second']:,.0f}", *said))
    stop, seconds = result["stop"], result["rates"][0]["load_seconds"]
    back = stop["caught_up_seconds"]
    took = "not within four times the pause" if back is None else f"after {back:.1f} s"
    return (
        "Seconds from a broker's acknowledgement until the posting of the event is in an answer "
        f"of the trail; {seconds:g} s of steady load, one event in {SAMPLED_EVERY} followed. "
        "Producer, broker, worker, sink and observer share the machine; visibility is asked every "
        f"{_ASKED_EVERY_SECONDS:g} s, which is part of the figures. Target: p99 under "
        f"{TARGET_SECONDS:g} s at {TARGET_RATE:,}/s.\n\n"
        + table(
            (
                "events/s wanted",
                "offered",
                "p50 until posted",
                "p50 visible",
                "p99 visible",
                "kept up",
            ),
            rows,
        )
        + f"\nAt {stop['rate']:,} events/s, after the sink had been stopped for "
        f"{stop['stopped_seconds']:g} s, it had caught up {took} (from its start, under load).\n"
    )


if __name__ == "__main__":
    main()
