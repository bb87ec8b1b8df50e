"""How far the ledger is behind the facts, for who waits for it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consumers.reconcile.lag import Lag


def worker_lag(bootstrap: str) -> "list[Lag]":
    """Every fact partition: what the ledger holds of it, and where its log ends.

    Raises ShiluError `no_broker`, `topic_missing`.
    """
    return next(worker_lags(bootstrap))


def worker_lags(bootstrap: str) -> "Iterator[list[Lag]]":
    """The same each time it is asked, over one connection; raises as `worker_lag`."""
    # What reads the log takes a second to import.
    from consumers.kafka.reader import Log
    from consumers.reconcile.lag import ledger_positions, measure
    from deploy.trail.trail_errors import trail_errors

    with trail_errors(), Log(bootstrap) as log:
        while True:
            yield measure(log, ledger_positions(log))
