"""`shilu accept-gap`: somebody says that records which the log has lost are not coming back.

Written in the worker's stead, under its transactional id, so that no worker writes beside it: a
posting that is sealed like any other, a record in quarantine with the reason in words, and the
partition's new position, in one transaction. Nothing that was credited changes.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError

from consumers.kafka.gaps import GAP_ACCEPTED, Gap, accepted, home_of
from consumers.kafka.reader import Log
from consumers.kafka.records import Place, Record
from consumers.reconcile.lag import Lag, ledger_positions, measure, state_in
from consumers.seal.published import newest
from consumers.trail.sink import TOPICS
from deploy.errors import ShiluError
from deploy.services.local import bootstrap
from deploy.settings import Settings
from deploy.trail.trail_errors import trail_errors
from deploy.trail.trail_heads import trail_heads
from schemas.posting import PartitionState, Position, Posting, Quarantined
from schemas.topics import ACCOUNTS, FACTS, POSTINGS, QUARANTINE
from schemas.wire.codec import encode

_TRIES = 10
_AGAIN_SECONDS = 0.3
_TOLD_SECONDS = 30.0


def accept_gaps(settings: Settings, reason: str, actor: str) -> list[Gap]:
    """Accept every gap that nobody has accepted yet: those accepted now.

    Raises ShiluError: `no_gap` where there is none, `gap_in_ledger` where postings themselves are
    gone, `not_accepted` where the transaction failed.
    """
    address = bootstrap(settings)
    with trail_errors(), Log(address) as log:
        gaps = _gaps(log, trail_heads(settings)[0] or {})
        for gap in gaps:
            if gap.place.topic == POSTINGS:
                raise ShiluError(
                    "gap_in_ledger",
                    f"{gap.place} 的台账记录缺失(偏移量 {gap.first} 至 {gap.end - 1}):"
                    "这不能接受,请从备份恢复该主题。",
                    f"Postings are gone from {gap.place} (offsets {gap.first} to {gap.end - 1}): "
                    "that cannot be accepted, restore the topic from a backup.",
                )
        if not gaps:
            raise ShiluError(
                "no_gap",
                "没有未接受的缺口:请用 shilu status 和 shilu reconcile 查看。",
                "There is no gap that nobody has accepted: see `shilu status` and "
                "`shilu reconcile`.",
            )
        ends = log.tops({gap.place for gap in gaps})
        for home in sorted({home_of(gap.place) for gap in gaps}):
            some = [gap for gap in gaps if home_of(gap.place) == home]
            _accept(log, settings, home, some, ends, reason, actor)
    return gaps


def _gaps(log: Log, heads: Mapping[str, int]) -> list[Gap]:
    """What the log lacks: before its begin, or from its end up to what the ledger has folded."""
    facts = ledger_positions(log)
    trail = measure(log, {p: heads.get(str(p), 0) for p in log.places(TOPICS)})
    ledger = measure(log, facts)
    found = [
        Gap(lag.place, min(lag.held if heads else lag.begin, facts.get(lag.place, lag.begin),
                           lag.begin), lag.begin)
        for lag in trail
        if lag.begin
    ]  # fmt: skip
    found += [Gap(lag.place, *lag.ahead) for lag in ledger if lag.ahead is not None]
    known = accepted(log, found)
    return [gap for gap in found if gap not in known or _still_ahead(gap, ledger)]


def _still_ahead(gap: Gap, ledger: Iterable[Lag]) -> bool:
    """A log that has become shorter twice by the same records: accepted once is not enough."""
    return any(lag.place == gap.place and lag.ahead == (gap.first, gap.end) for lag in ledger)


def _accept(
    log: Log, settings: Settings, home: int, gaps: Sequence[Gap], ends: Mapping[Place, int],
    reason: str, actor: str,
) -> None:  # fmt: skip
    """One transaction for the gaps of a ledger partition, tried again where a worker that starts
    meanwhile takes the partition over."""
    for left in reversed(range(_TRIES)):
        producer = KafkaProducer(
            bootstrap_servers=bootstrap(settings).split(","),
            transactional_id=f"{settings.app_id}-{home}",
            acks="all",
            metrics_enabled=False,
        )
        try:
            # From here on no worker's transaction can be committed: what is read next is final.
            producer.init_transactions()
            state, headers = _stand(log, settings, home)
            producer.begin_transaction()
            _send(producer, state, headers, gaps, ends, f"{actor}: {reason}", actor)
            producer.commit_transaction()
        except KafkaError as error:
            if left:
                time.sleep(_AGAIN_SECONDS)
                continue
            raise ShiluError(
                "not_accepted",
                f"没有写入({type(error).__name__}):请先停止台账进程后重试。",
                f"Nothing was written ({type(error).__name__}): stop the workers and try again.",
            ) from error
        else:
            return
        finally:
            with suppress(KafkaError):
                producer.close(timeout=5)


def _stand(
    log: Log, settings: Settings, home: int
) -> tuple[PartitionState, list[tuple[str, bytes]]]:
    """Where the ledger partition stands, and the headers of the record that says so."""
    place = Place(ACCOUNTS, home)

    def told(record: Record) -> tuple[int, PartitionState] | None:
        state = state_in(record)
        return None if state is None else (record.offset, state)

    found = newest(log, [place], told).get(place)
    if not found:
        return PartitionState(home, 0, 0, ()), []
    offset, state = found[-1]
    tp = TopicPartition(*place)
    with closing(
        KafkaConsumer(
            bootstrap_servers=bootstrap(settings).split(","),
            isolation_level="read_committed",
            enable_auto_commit=False,
            metrics_enabled=False,
        )
    ) as consumer:
        consumer.assign([tp])
        consumer.seek(tp, offset)
        deadline = time.monotonic() + _TOLD_SECONDS
        while time.monotonic() < deadline:
            for record in consumer.poll(timeout_ms=500, max_records=1).get(tp, ()):
                return state, list(record.headers)
    raise KafkaTimeoutError(f"{place}/{offset}")


def _send(
    producer: KafkaProducer, state: PartitionState, headers: list[tuple[str, bytes]],
    gaps: Sequence[Gap], ends: Mapping[Place, int], words: str, actor: str,
) -> None:  # fmt: skip
    now = time.time_ns() // 1_000
    home = state.partition
    positions = {position.topic: position.next_offset for position in state.positions}
    sent = []
    for number, gap in enumerate(gaps):
        place, last = gap.place, max(0, gap.end - 1)
        posting = Posting(
            home, state.next_index + number, place.topic, place.partition, last, gap.event_id,
            GAP_ACCEPTED, "", 0, now, now, actor, state.catalogue_offset, "posted", "gap_accepted",
            (), 0,
        )  # fmt: skip
        bad = Quarantined(
            place.topic, place.partition, last, now, "gap_accepted", f"{gap.event_id}: {words}",
            None, None, 0,
        )  # fmt: skip
        sent += [
            producer.send(topic, encode(value), b"", partition=home, timestamp_ms=now // 1_000)
            for topic, value in ((POSTINGS, posting), (QUARANTINE, bad))
        ]
        if place.topic in FACTS:
            # Beyond what is gone, or back to the end of a log that has become shorter.
            positions[place.topic] = min(gap.end, max(ends[place], gap.first))
    after = PartitionState(
        home, state.next_index + len(gaps), state.catalogue_offset,
        tuple(Position(topic, offset) for topic, offset in sorted(positions.items())),
    )  # fmt: skip
    sent.append(
        producer.send(ACCOUNTS, encode(after), b"@%d" % home, headers=headers, partition=home,
                      timestamp_ms=now // 1_000)
    )  # fmt: skip
    for future in sent:
        future.get(timeout=_TOLD_SECONDS)
