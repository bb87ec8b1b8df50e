"""The client for field apps: events stored on disk first, sent when there is a network.

`Client` sends; `events` has every kind of event, `event_from_json` and `to_json` their JSON form;
`decode_event` and `decode_output` read what the topics hold. Each name here is public, and stays.
"""

from producers.attendance import Device, Place, new_session_id
from producers.client import Client
from producers.errors import (
    BrokerUnreachable,
    EventIdTaken,
    MalformedEvent,
    NotAcknowledged,
    OutboxFull,
    OutboxInUse,
    ProducerError,
    TopicMissing,
)
from producers.ids import new_event_id
from schemas import events, topics
from schemas.events import Actor, CheckedIn, CheckedOut
from schemas.reasons import REASONS, Reason
from schemas.times import instant, rfc3339
from schemas.validity import Fault
from schemas.wire.codec import Undecodable, decode_event, decode_output, encode
from schemas.wire.jsonform import BadEvent, event_from_json, to_json

__all__ = [
    "REASONS",
    "Actor",
    "BadEvent",
    "BrokerUnreachable",
    "CheckedIn",
    "CheckedOut",
    "Client",
    "Device",
    "EventIdTaken",
    "Fault",
    "MalformedEvent",
    "NotAcknowledged",
    "OutboxFull",
    "OutboxInUse",
    "Place",
    "ProducerError",
    "Reason",
    "TopicMissing",
    "Undecodable",
    "decode_event",
    "decode_output",
    "encode",
    "event_from_json",
    "events",
    "instant",
    "new_event_id",
    "new_session_id",
    "rfc3339",
    "to_json",
    "topics",
]
