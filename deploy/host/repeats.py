"""Log lines that repeat are let through now and then: a client that cannot reach its broker says so
hundreds of times a second, which in a day fills the disk that the broker needs."""

import logging
import re
import time
from collections.abc import Callable

ALIKE_MAX = 5
"""So many lines that read alike come through in each `EVERY_SECONDS`."""

EVERY_SECONDS = 60.0

_KINDS_MAX = 1_000
_NUMBERS = re.compile(r"0x[0-9a-f]+|\d+")
_OURS = ("streams", "consumers")
_TALKERS = ("aiokafka", "kafka", "faust", "mode", *_OURS)


class Repeats(logging.Filter):
    """Lets few records through of those that read alike, whatever numbers are in them; of our own
    those that are the same, for which partition it is about matters.

    The next one that comes through says how many were left out before it. `clock` in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._since: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a record that is left out."""
        text = record.getMessage()
        is_ours = record.name.partition(".")[0] in _OURS
        alike = text[:200] if is_ours else _NUMBERS.sub("#", text[:200])
        kind = (record.name, record.levelno, alike)
        now = self._clock()
        if kind not in self._since and len(self._since) >= _KINDS_MAX:
            self._since.clear()
        since, count = self._since.get(kind, (now, 0))
        if now - since >= EVERY_SECONDS:
            left_out = max(0, count - ALIKE_MAX)
            self._since[kind] = (now, 1)
            if left_out:
                record.msg, record.args = f"{text} (and {left_out} alike before)", ()
            return True
        self._since[kind] = (since, count + 1)
        return count < ALIKE_MAX


def leave_out_repeats() -> None:
    """From now on, in every logger that exists of the clients that talk to a broker, and ours.

    On loggers and not on handlers: Faust replaces those when it starts.
    """
    repeats = Repeats()
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if name.partition(".")[0] in _TALKERS and isinstance(logger, logging.Logger):
            logger.addFilter(repeats)
