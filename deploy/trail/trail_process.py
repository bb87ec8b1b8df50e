"""The sink as a process: opens the trail, answers on loopback, copies until it is told to stop."""

import logging
import signal
import threading
import time

from rich.console import Console

from consumers.api.trail_client import At, find_owner
from consumers.api.trail_server import serving
from consumers.kafka.reader import Log
from consumers.trail.progress import Progress
from consumers.trail.sink import Sink
from consumers.trail.store import Trail, TrailLocked, open_trail
from consumers.watchdog import Watchdog
from deploy.host.repeats import leave_out_repeats
from deploy.lang import text
from deploy.services.local import bootstrap
from deploy.settings import Settings
from deploy.trail.trail_errors import trail_errors

_LOCK_SECONDS = 10.0
_POLL_SECONDS = 0.1


def run_sink(settings: Settings, port: int) -> None:
    """Run until SIGTERM or SIGINT; raises ShiluError for what a person can mend."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    leave_out_repeats()
    at = At(settings.place, settings.clickhouse)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    progress = Progress()
    with (
        trail_errors(),
        Log(bootstrap(settings), follows=True) as log,
        _opened(at, stop) as trail,
        serving(trail, progress, at.owner_file, port=port) as url,
    ):
        where = settings.clickhouse.rpartition("@")[2] or str(at.folder)
        Console(highlight=False, soft_wrap=True).print(
            text(f"审计库 {where} 已打开:{url}", f"The audit trail {where} is open: {url}"),
            markup=False,
        )
        with Watchdog() as watchdog:
            Sink(trail, log, progress, alive=watchdog.alive).run(stop)


def _opened(at: At, stop: threading.Event) -> Trail:
    """The trail, made if there is none; waits for a reader that has it open for a moment."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            return open_trail(at.folder, at.dsn, create=True)
        except TrailLocked:
            if find_owner(at) or time.monotonic() > deadline or stop.wait(_POLL_SECONDS):
                raise
