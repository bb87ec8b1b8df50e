"""`shilu quarantine replay`: a record out of quarantine to its topic once more, and who did it.

The record goes as it is, with the header that says where it was first, so it is judged by when it
was recorded first; the event that says who replayed it, and why, is in the same transaction. The
event's id follows from the record's first place: a second replay is a duplicate, of a copy that
failed again, too.
"""

import time
from hashlib import blake2b
from typing import Any

from consumers.kafka.origins import first_recorded
from consumers.kafka.reader import Log
from consumers.kafka.records import Place
from consumers.kafka.records import Record as Raw
from deploy.errors import ShiluError
from deploy.services.local import bootstrap
from deploy.settings import Settings
from deploy.terminal.console import broker_errors
from deploy.trail.asking import ask
from deploy.trail.trail_errors import trail_errors
from ledger.account.record import Record as Entry
from ledger.catalogue.catalogue import Catalogue
from ledger.hours.admission import barred
from producers.connection import require_topics
from producers.record import Record, record_of, require_well_formed
from producers.sending.together import send_together
from schemas.events import Actor, Event, RecordReplayed
from schemas.reasons import REASONS
from schemas.times import SECOND
from schemas.topics import FACTS, HOURS, TRANSFERS
from schemas.wire.codec import Undecodable, decode_event
from schemas.wire.headers import ce_headers, origin_header


def replay(settings: Settings, source: Place, offset: int, reason: str, by: str) -> dict[str, Any]:
    """Replay the record at a place of quarantine; what was sent.

    Raises ShiluError: not in quarantine, bytes not kept whole, still not to be read or not to be
    admitted, replayed already; or what stands in the way of Kafka or the trail.
    """
    named = f"{source}/{offset}"
    kept = _kept(source, offset)
    address = bootstrap(settings)
    raw, first = _in_the_log(address, source, offset, kept, named)
    event = _event(raw, named)
    said = RecordReplayed(
        event_id=replay_id(*first),
        volunteer_id=str(getattr(event, "volunteer_id", "")),
        source_topic=first[0],
        source_partition=first[1],
        source_offset=first[2],
        reason=reason,
        occurred_at=int(time.time()) * SECOND,
        sent_at=None,
        channel="admin",
        device_id=None,
        app=None,
        offline=False,
        actor=Actor(by, "admin"),
        evidence=(),
    )
    _require_first_time(said.event_id, named)
    with broker_errors():
        require_well_formed(said)
        topics = require_topics(address, [source.topic, HOURS])
        again = Record(
            source.topic,
            raw.key or b"",
            raw.value or b"",
            [origin_header(first[1], first[2]), *ce_headers(event)],
            timestamp_ms=raw.timestamp if topics[source.topic].producer_time else None,
        )
        send_together(address, said.event_id, [record_of(said), again], topics)
    return {
        "replayed": named,
        "event_id": event.event_id,
        "volunteer_id": said.volunteer_id,
        "replay_event_id": said.event_id,
        "reason": reason,
        "actor_id": by,
    }


def replay_id(topic: str, partition: int, offset: int) -> str:
    """The id of the event that says that the record first at this place was replayed."""
    text = f"{topic}/{partition}/{offset}"
    return "replay-" + blake2b(text.encode(), digest_size=16).hexdigest()


def _kept(source: Place, offset: int) -> bytes:
    """The bytes that quarantine kept of the record's value."""
    found = ask("quarantine_show", topic=source.topic, partition=source.partition, offset=offset)
    if not found:
        raise ShiluError(
            "not_quarantined",
            f"{source}/{offset} 不在隔离区:请用 shilu quarantine list 查看位置。",
            f"{source}/{offset} is not in quarantine: see the positions in "
            "`shilu quarantine list`.",
        )
    return bytes.fromhex(found[-1]["value_hex"])


def _in_the_log(
    address: str, source: Place, offset: int, kept: bytes, named: str
) -> tuple[Raw, tuple[str, int, int]]:
    """The record as the log has it, dated by when it was recorded first, and its first place."""
    with trail_errors(), Log(address) as log:
        read = [one for some in log.read(source, offset, offset + 1) for one in some]
        firsts = first_recorded(log, read)
    if not read or (read[0].value or b"") != kept:
        raise ShiluError(
            "bytes_not_whole",
            f"{named} 的原始字节没有完整保留:请由来源系统重新发送。",
            f"The bytes of {named} were not kept whole: let the system that it came from send it "
            "again.",
        )
    raw = read[0]
    if (at := firsts.get((raw.topic, raw.offset))) is None or raw.origin is None:
        return raw, (source.topic, source.partition, offset)
    return raw._replace(timestamp=at), (source.topic, *raw.origin)


def _event(raw: Raw, named: str) -> Event:
    """What the record says; raises ShiluError where the ledger would turn it back again."""
    if raw.topic not in FACTS or raw.topic == TRANSFERS:
        raise _still(named, "wrong_topic")
    try:
        event = decode_event(raw.value)
    except Undecodable as fault:
        raise _still(named, fault.code) from fault
    key = None if raw.key is None else raw.key.decode("utf-8", "replace")
    entry = Entry(raw.topic, raw.partition, raw.offset, raw.timestamp * 1000, key, event)
    why = barred(entry, Catalogue())
    # How far clocks may be ahead is for the catalogue to say, which the ledger has.
    if why is not None and why[0] != "in_the_future":
        raise _still(named, why[0])
    if not hasattr(event, "volunteer_id"):
        raise _still(named, "wrong_key")
    return event


def _still(named: str, code: str) -> ShiluError:
    reason = REASONS[code]
    return ShiluError(
        "still_refused",
        f"{named} 重放也无法入账({code}):{reason.zh}",
        f"{named} could not enter when replayed either ({code}). {reason.en}",
    )


def _require_first_time(event_id: str, named: str) -> None:
    copies = ask("trace", event_id=event_id)["copies"]
    if copies:
        first = copies[0]
        raise ShiluError(
            "replayed_already",
            f"{named} 已经重放过,不能再次重放:见 shilu trace {event_id}({first['recorded_at']})。",
            f"{named} was replayed already, and is not replayed again: see `shilu trace "
            f"{event_id}` ({first['recorded_at']}).",
        )
