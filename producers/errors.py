"""What can go wrong between an application and the broker; each says what a person needs to act."""

from collections.abc import Sequence

from schemas.validity import Fault


class ProducerError(Exception):
    """Any error of this package."""


class BrokerUnreachable(ProducerError):
    """Nobody at `address` (host:port, several joined by commas) answers as a Kafka broker."""

    def __init__(self, address: str) -> None:
        super().__init__(f"no Kafka broker answers at {address}")
        self.address = address


class TopicMissing(ProducerError):
    """The topic does not exist; it is never created by writing to it."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"the topic {topic} does not exist; create it first")
        self.topic = topic


class NotAcknowledged(ProducerError):
    """`pending` events are still without the broker's acknowledgement; `cause` says why, if known.

    They stay in the outbox and are sent again.
    """

    def __init__(self, pending: int, cause: str) -> None:
        super().__init__(f"{pending} events are not acknowledged yet: {cause}")
        self.pending = pending
        self.cause = cause


class MalformedEvent(ProducerError):
    """An event that the ledger would not admit: every fault with its field and what is allowed."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{f.code} {f.field}: {f.value} ({f.allowed})" for f in faults))
        self.faults = tuple(faults)


class EventIdTaken(ProducerError):
    """The outbox holds another event under this `event_id`; a new event needs a new id."""

    def __init__(self, event_id: str) -> None:
        super().__init__(f"the outbox holds another event under the id {event_id}")
        self.event_id = event_id


class OutboxInUse(ProducerError):
    """Another client has the outbox at `path` open; one process owns one outbox."""

    def __init__(self, path: str) -> None:
        super().__init__(f"the outbox {path} is open in another client")
        self.path = path


class OutboxFull(ProducerError):
    """The disk under the outbox at `path` is full; what it holds is kept, nothing was added."""

    def __init__(self, path: str) -> None:
        super().__init__(f"the disk under the outbox {path} is full; free space, then send again")
        self.path = path


class UnknownZone(ProducerError):
    """No time zone of this name; `near` is the most similar name, if there is one."""

    def __init__(self, zone: str, near: str | None) -> None:
        super().__init__(f"there is no time zone {zone}")
        self.zone = zone
        self.near = near


class UnreadableInput(ProducerError):
    """A file that holds no JSON; `kind` says what it is instead: utf_16, zip, xls, csv, ...

    Nothing of it was sent, but for `gzip_broken`: what comes before the fault.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(f"the input is no JSON but {kind}")
        self.kind = kind
