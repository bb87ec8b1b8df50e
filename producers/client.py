"""The client for field apps: an event is stored first, sent when there is a network, never lost.

`send` returns when the event is on disk. A thread brings it to the broker, keeps the order of each
volunteer, and begins again after any failure with the same bytes.
"""

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from producers.attendance import Device, Place, attendance, new_session_id
from producers.connection import answers
from producers.courier import Courier
from producers.errors import (
    BrokerUnreachable,
    MalformedEvent,
    NotAcknowledged,
    ProducerError,
    TopicMissing,
)
from producers.outbox import Held, Outbox
from producers.record import record_of, require_well_formed
from schemas.events import (
    Actor,
    CatalogueEvent,
    CheckedIn,
    CheckedOut,
    ClockTicked,
    Fact,
    Transfer,
)
from schemas.validity import Fault

_PAUSE_SECONDS = 0.5
_PAUSE_SECONDS_MAX = 15.0


class Client:
    """Sends events through an outbox file; use it as a context manager or call `close`.

    `bootstrap` is host:port of a broker (several joined by commas); it need not be reachable.
    `outbox` is a file that belongs to this client alone. Every method may be called from any
    thread. Raises OutboxInUse.
    """

    def __init__(
        self,
        bootstrap: str,
        outbox: Path,
        *,
        device: Device = Device(),  # noqa: B008 (a frozen value)
        give_up_seconds: float = 30.0,
    ) -> None:
        self._bootstrap = bootstrap
        self._device = device
        self._outbox = Outbox(outbox)
        self._courier = Courier(bootstrap, self._outbox, give_up_seconds=give_up_seconds)
        self._state = threading.Condition()
        self._stopping = False
        self._hurried = False
        self._begun = 0
        self._ended = 0
        self._trouble: ProducerError | None = None
        self._thread = threading.Thread(target=self._work, name="shilu-client", daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """How many events are stored and not yet acknowledged by the broker."""
        return len(self._outbox)

    @property
    def trouble(self) -> ProducerError | None:
        """Why the last attempt left something in the outbox; None if it did not."""
        return self._trouble

    def send(self, event: Fact | CatalogueEvent) -> None:
        """Store the event for sending; on disk when this returns.

        The same event again is stored once while it is held, and counted once by the ledger ever
        after. Raises MalformedEvent, EventIdTaken for another content under a held id, or
        OutboxFull; then the event is not stored, and the same one can be sent again later.
        """
        if isinstance(event, ClockTicked):
            allowed = "facts and catalogue events; shilu emit writes ticks to every partition"
            raise MalformedEvent([Fault("wrong_topic", "type", "ClockTicked", allowed)])
        if isinstance(event, Transfer):
            allowed = "facts and catalogue events; the worker alone writes transfers"
            raise MalformedEvent([Fault("wrong_topic", "type", type(event).__name__, allowed)])
        require_well_formed(event)
        record = record_of(event)
        self._outbox.put(
            Held(event.event_id, record.topic, record.key, record.value, tuple(record.headers))
        )
        with self._state:
            self._state.notify_all()

    def check_in(
        self,
        volunteer_id: str,
        place: Place,
        *,
        session_id: str | None = None,
        occurred_at: int | None = None,
        channel: str = "api",
        offline: bool = False,
        actor: Actor | None = None,
    ) -> CheckedIn:
        """Store a check-in and return it; keep its `session_id` for the check-out.

        `occurred_at` in microseconds since 1970 UTC, None for now. Raises as `send`.
        """
        event = attendance(
            CheckedIn,
            volunteer_id,
            place,
            session_id=session_id or new_session_id(),
            occurred_at=occurred_at,
            channel=channel,
            offline=offline,
            device=self._device,
            actor=actor,
        )
        self.send(event)
        return event

    def check_out(
        self,
        volunteer_id: str,
        place: Place,
        *,
        session_id: str,
        occurred_at: int | None = None,
        channel: str = "api",
        offline: bool = False,
        actor: Actor | None = None,
    ) -> CheckedOut:
        """Store the check-out of a session and return it; arguments and errors as `check_in`."""
        event = attendance(
            CheckedOut,
            volunteer_id,
            place,
            session_id=session_id,
            occurred_at=occurred_at,
            channel=channel,
            offline=offline,
            device=self._device,
            actor=actor,
        )
        self.send(event)
        return event

    def flush(self, timeout: float = 30.0) -> None:
        """Wait until nothing is pending, at most `timeout` seconds.

        Raises TopicMissing as soon as it is known, BrokerUnreachable, OutboxFull or NotAcknowledged
        when the time is over; what is pending stays stored either way.
        """
        with self._state:
            # What a round now under way says of a topic may be out of date already.
            begun = self._begun
            self._hurried = True
            self._state.notify_all()
            self._state.wait_for(
                lambda: not self.pending or (self._lacks_a_topic and self._ended > begun), timeout
            )
            if not self.pending:
                return
            trouble = self._trouble
        if trouble is None and not answers(self._bootstrap):
            trouble = BrokerUnreachable(self._bootstrap)
        raise trouble or NotAcknowledged(self.pending, "the time to wait is over")

    def close(self, timeout: float = 5.0) -> None:
        """Wait at most `timeout` seconds for what is pending, then stop; raises nothing.

        What is still pending is sent by the next client that opens the outbox.
        """
        if not self._thread.is_alive():
            return
        if self.pending and timeout > 0:
            with self._state:
                self._hurried = True
                self._state.notify_all()
                self._state.wait_for(lambda: not self.pending, timeout)
        with self._state:
            self._stopping = True
            self._state.notify_all()
        self._thread.join()
        self._outbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _lacks_a_topic(self) -> bool:
        return isinstance(self._trouble, TopicMissing)

    def _work(self) -> None:
        """The thread: a round whenever something is held; after trouble, a pause that grows."""
        pause = 0.0
        while self._wait(pause):
            trouble = self._courier.round(lambda: self._stopping)
            pause = min(max(pause * 2, _PAUSE_SECONDS), _PAUSE_SECONDS_MAX) if trouble else 0.0
            with self._state:
                self._trouble = trouble
                self._ended = self._begun
                self._state.notify_all()
        self._courier.close()

    def _wait(self, pause: float) -> bool:
        """Until there is something to send and the pause is over; False when it is time to stop."""
        ready_at = time.monotonic() + pause
        with self._state:
            while not self._stopping:
                rest = ready_at - time.monotonic()
                if self.pending and (rest <= 0 or self._hurried):
                    break
                self._state.wait(rest if self.pending else None)
            self._hurried = False
            self._begun += 1
            return not self._stopping
