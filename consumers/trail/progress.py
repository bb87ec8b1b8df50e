"""How far the sink is, and whether anything is wrong: shared by its thread and its service."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from consumers.kafka.records import Place

State = Literal["green", "behind", "unknown", "red"]

_STALE_SECONDS = 10.0
_FAULTS_KEPT = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that must not be: a code, where it was met, and what was found."""

    code: str
    place: str
    detail: str


class Progress:
    """What the sink has written and what there is to write; safe to read from any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._written: dict[Place, int] = {}
        self._ends: dict[Place, int] = {}
        self._seen_at = float("-inf")
        self._is_starting = True
        self._faults: list[Fault] = []
        self._fault_count = 0
        self._hindrance: Fault | None = None

    def wrote(self, positions: Mapping[Place, int]) -> None:
        """All records before these offsets are in the trail."""
        with self._guard:
            self._written.update(positions)

    def saw(self, ends: Mapping[Place, int]) -> None:
        """The log ended at these offsets a moment ago."""
        with self._guard:
            self._ends.update(ends)
            self._seen_at = time.monotonic()
            self._is_starting = False

    def add(self, fault: Fault) -> None:
        """Turn the state red for as long as the process lives."""
        with self._guard:
            self._fault_count += 1
            if len(self._faults) < _FAULTS_KEPT:
                self._faults.append(fault)

    def hinder(self, what: Fault | None) -> None:
        """Red while the trail cannot be written and the sink tries again; None: it can.

        The log went on meanwhile: its end is unknown until it is seen anew.
        """
        with self._guard:
            self._hindrance = what
            self._seen_at = float("-inf")

    def behind(self) -> dict[Place, int]:
        """Offsets still to come for each place that the sink has not finished."""
        with self._guard:
            return {
                place: end - self._written.get(place, 0)
                for place, end in self._ends.items()
                if end > self._written.get(place, 0)
            }

    def faults(self) -> tuple[int, list[Fault]]:
        """How many faults there are, and a hundred of them, what hinders the sink now first."""
        with self._guard:
            now = [] if self._hindrance is None else [self._hindrance]
            return self._fault_count + len(now), now + self._faults

    @property
    def is_starting(self) -> bool:
        """Has the log's end not been seen yet since the process began?"""
        with self._guard:
            return self._is_starting

    @property
    def state(self) -> State:
        """Red once there was a fault or while the trail cannot be written; never green while the
        log's end is not known.
        """
        with self._guard:
            stale = time.monotonic() - self._seen_at > _STALE_SECONDS
            red = self._fault_count > 0 or self._hindrance is not None
        if red:
            return "red"
        if stale:
            return "unknown"
        return "behind" if self.behind() else "green"
