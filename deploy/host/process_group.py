"""Several like processes forked from one: imports are paid for once, and all end together.

A worker folds in one thread, so a machine with more cores wants more of them.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from types import FrameType
from typing import Any

Tell = Callable[[Any], None]
"""Takes what one process has to say to the one that forked it."""

_PATIENCE_SECONDS = 15.0
"""How long one that was asked to end may take."""


def run_forked(names: Sequence[str], run: Callable[[str, Tell], None], told: Tell) -> int:
    """Run `run(name, tell)` in a process for each name; when one of them ends, the others do.

    What they tell is `told` here. The result is the exit code of the first that ended, 128 + the
    signal's number where a signal ended it, and 0 where this process was asked to end (SIGTERM,
    SIGINT). If this process is killed, they end as well. Nothing may be open yet and no thread
    begun: a fork copies neither well.
    """
    context = multiprocessing.get_context("fork")
    life, living = context.Pipe(duplex=False)
    children: list[tuple[ForkProcess, Connection]] = []
    for name in names:
        ear, mouth = context.Pipe(duplex=False)
        child = context.Process(name=name, target=_child, args=(run, mouth, life, living))
        child.start()
        mouth.close()
        children.append((child, ear))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _asked_to_end)
    try:
        return _first_end(children, told)
    except SystemExit:
        return 0
    finally:
        for child, _ in children:
            child.terminate()
        for child, _ in children:
            child.join(_PATIENCE_SECONDS)
            child.kill()


def _asked_to_end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _first_end(children: Sequence[tuple[ForkProcess, Connection]], told: Tell) -> int:
    ears = {ear for _, ear in children}
    ends = {child.sentinel: child for child, _ in children}
    while True:
        for ready in wait([*ears, *ends]):
            if isinstance(ready, Connection):
                try:
                    told(ready.recv())
                except EOFError:
                    ears.discard(ready)
            elif isinstance(ready, int):
                child = ends[ready]
                child.join()
                code = child.exitcode or 0
                return code if code >= 0 else 128 - code


def _child(
    run: Callable[[str, Tell], None], mouth: Connection, life: Connection, living: Connection
) -> None:
    # Its parent alone holds the other end: when that is closed, the parent is gone.
    living.close()

    def end_with_parent() -> None:
        with suppress(EOFError):
            life.recv()
        os.kill(os.getpid(), signal.SIGTERM)

    def tell(said: Any) -> None:
        with suppress(OSError):
            mouth.send(said)

    threading.Thread(target=end_with_parent, daemon=True).start()
    run(multiprocessing.current_process().name, tell)
