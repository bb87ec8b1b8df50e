"""Ends a process whose loop stands still: a library's call that never returns cannot be cancelled.

kafka-python 3.0.12 was seen not to come back from `poll`. Whoever runs the process starts it again,
and it goes on from what it has written.
"""

import faulthandler
from types import TracebackType
from typing import Final, Self

STILL_SECONDS: Final = 120.0
"""No round takes so long: the longest waits for an answer of the broker or the engine."""


_STDERR: Final = 2
"""The descriptor itself: whatever stands for `sys.stderr` need not have one."""


class Watchdog:
    """Ends the process with code 1 unless `alive`, once called, is called every so many seconds.

    What every thread was doing then is written to standard error. One a process; a context manager.
    """

    def __init__(self, still_seconds: float = STILL_SECONDS) -> None:
        self._still_seconds = still_seconds

    def alive(self) -> None:
        """The loop goes round."""
        faulthandler.dump_traceback_later(self._still_seconds, exit=True, file=_STDERR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        faulthandler.cancel_dump_traceback_later()
