"""What a tick costs a partition in which many wait for the catalogue: `python -m bench.ticks [N]`.

In the worker's own fold and on its own disk form, without Kafka: time, and the records and bytes
that it would write to ledger.accounts.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ledger.catalogue.catalogue import Catalogue
from ledger.publish import publish
from schemas.events import Actor, CheckedIn, CheckedOut, ClockTicked, Event, OrgRegistered
from schemas.times import HOUR, MINUTE, SECOND
from schemas.topics import CHECKINS
from schemas.wire.codec import encode
from streams.partitions.fold_batch import Folded, fold_chunk
from streams.state.accounts import Store
from streams.state.state_store import Shelf

VOLUNTEERS = 20_000
TICKS = 5
BEGIN = 1_764_550_800 * SECOND


@dataclass(frozen=True, slots=True)
class Fetched:
    """A record as it is fetched."""

    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes | None], ...] = ()


def _session(name: str) -> tuple[Event, Event]:
    """Two hours in a project that nobody has registered."""
    who = Actor(name, "volunteer", None)
    place = ("a-1", "p-unknown", None, None, "o-1", "o-1")
    device = ("qr", None, None, False, who, ())
    times = (BEGIN, BEGIN + 2 * HOUR)
    arrived = CheckedIn(f"in-{name}", name, f"s-{name}", *place, times[0], None, *device)
    left = CheckedOut(f"out-{name}", name, f"s-{name}", *place, times[1], None, *device)
    return arrived, left


class Partition:
    """A partition's store on disk, fed batch by batch."""

    def __init__(self, folder: Path) -> None:
        self.shelf = Shelf(folder, 0)
        self.store: Store = self.shelf.store()
        self.catalogue = Catalogue()
        org = OrgRegistered("org", "o-1", "social_work", None, None, None, BEGIN, None)
        publish(self.catalogue, org)
        self.catalogue.next_offset = 1
        self._offset = 0

    def fold(self, events: list[Event], at: int, key: bytes | None = None) -> Folded:
        """One batch, committed."""
        chunk = []
        for event in events:
            who = key or event.volunteer_id.encode()  # type: ignore[union-attr]
            chunk.append(Fetched(self._offset, at // 1000, who, encode(event)))
            self._offset += 1
        made = fold_chunk(self.store, CHECKINS, chunk, self.catalogue, 1)
        self.store.take(made.changes, self._offset)
        assert made.working is not None
        made.working.keep()
        return made


def main() -> None:
    """Print a line for each tick."""
    volunteers = int(sys.argv[1]) if len(sys.argv) > 1 else VOLUNTEERS
    with TemporaryDirectory() as folder:
        partition = Partition(Path(folder))
        for first in range(0, volunteers, 2_000):
            names = [f"v-{n}" for n in range(first, min(first + 2_000, volunteers))]
            partition.fold([e for name in names for e in _session(name)], BEGIN + 3 * HOUR)
        for number in range(1, TICKS + 1):
            at = BEGIN + 3 * HOUR + number * MINUTE
            began = time.perf_counter()
            made = partition.fold([ClockTicked(f"tick-{number}", at)], at, b"tick")
            took = time.perf_counter() - began
            size = sum(len(change[0]) + len(change[1]) for change in made.changes)
            print(
                f"tick {number}: {took * 1000:.1f} ms, {len(made.changes):,} account records, "
                f"{size:,} bytes, {len(made.postings)} posting"
            )
        partition.shelf.close()


if __name__ == "__main__":
    main()
