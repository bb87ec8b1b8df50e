"""Does an event get dearer as the ledger grows? CPU of `fold_chunk`, in process.

Three ways to grow: more events in the log, more accounts, a longer history of one volunteer. The
cost of an event must stay flat. `make bench-growth`; `--full` takes the largest sizes, too.
"""

import argparse
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from bench.material.histories import CHUNK, Sent, commit, folded, history
from bench.output.plots import Series, chart
from bench.output.report import ROOT, machine, table, write
from ledger.catalogue.catalogue import Catalogue
from producers.ids import event_id_at
from schemas.events import Actor, CheckedIn, CheckedOut, Event
from schemas.times import DAY, HOUR, day
from schemas.topics import CHECKINS, PARTITIONS
from schemas.wire.codec import encode
from streams.partitions.fold_batch import fold_chunk, partition_of
from streams.state.accounts import Store
from streams.state.state_store import Shelf

MEASURED_EVENTS = 4_000
"""How many events are timed at each size, after everything before them was folded."""

console = Console(stderr=True, highlight=False)
Points = list[tuple[int, float]]


def by_events(sizes: list[int]) -> Points:
    """Microseconds an event over the whole log, as the log gets longer; 20 events a volunteer."""
    return [(size, _whole_log(size, max(size // 20, 100))) for size in sizes]


def _whole_log(events: int, volunteers: int) -> float:
    found = folded(history(events, volunteers), keep=False)
    cost = found.fold_cpu_seconds / events * 1e6
    console.print(f"{events:,} events: {cost:.1f} µs an event")
    return cost


def by_accounts(sizes: list[int]) -> Points:
    """Microseconds an event for the next events of a ledger with so many accounts."""
    points: Points = []
    with _shelved() as store:
        made = 0
        for size in sizes:
            made = _add_accounts(store, made, size)
            points.append((size, _timed(store, _days_work(size))))
            console.print(f"{size:,} accounts: {points[-1][1]:.1f} µs an event")
    return points


@contextmanager
def _shelved() -> Iterator[Store]:
    """An empty ledger as a worker has it: its records on local disk."""
    with TemporaryDirectory() as folder:
        shelf = Shelf(Path(folder), 0)
        yield shelf.store()
        shelf.close()


def by_history(sizes: list[int]) -> Points:
    """Microseconds an event of a volunteer who has so many sessions, twenty more at a time."""
    points: Points = []
    for size in sizes:
        with _shelved() as store:
            points.append((size, _after(store, size)))
        console.print(f"{size:,} sessions: {points[-1][1]:.1f} µs an event")
    return points


def _after(store: Store, size: int) -> float:
    names = [_name(number) for number in range(20 if size <= 1_000 else 1)]
    for name in names:
        for first in range(0, size, CHUNK // 2):
            count = min(CHUNK // 2, size - first)
            _fold(store, _records(store, _sessions(name, first, count)))
    spent, events = 0.0, 0
    for turn in range(20):
        name = names[turn % len(names)]
        more = list(_sessions(name, size + turn // len(names) * 20, 20))
        spent += _timed(store, more) * len(more)
        events += len(more)
    return spent / events


def _name(number: int) -> str:
    """The `number`-th volunteer of partition 0, under an id as they are."""
    tried = 0
    while partition_of(name := f"v-{number:012x}{tried:04x}", PARTITIONS) != 0:
        tried += 1
    return name


def _add_accounts(store: Store, made: int, size: int) -> int:
    """Accounts of one session each, by copying one that was folded: its id is all that differs."""
    if not made:
        _fold(store, _records(store, _sessions(_name(0), 0, 1)))
    old = _name(0)
    value = store.records.get(old)
    assert value is not None
    for first in range(max(made, 1), size, CHUNK):
        some = range(first, min(first + CHUNK, size))
        store.take(
            [
                (
                    name,
                    value.replace(old.encode(), name.encode()),
                    store.wakes.texts.get(old, ""),
                    "",
                )
                for name in map(_name, some)
            ]
        )
    return size


def _days_work(accounts: int) -> list[Event]:
    """Check-ins and check-outs of volunteers from all over the ledger, on a later day."""
    step = max(accounts * 2 // MEASURED_EVENTS, 1)
    names = [_name(number) for number in range(0, accounts, step)]
    return [event for name in names for event in _sessions(name, 40, 1)]


def _sessions(name: str, first: int, count: int) -> Iterator[Event]:
    """So many sessions of three hours, three a day, one after the other."""
    for number in range(first, first + count):
        begin = day("2015-03-01") * DAY + number // 3 * DAY + number % 3 * 4 * HOUR
        for kind, at in ((CheckedIn, begin), (CheckedOut, begin + 3 * HOUR)):
            yield kind(
                event_id=event_id_at(at // 1000, hash((name, number, at)) & (2**62 - 1)),
                volunteer_id=name, session_id=f"s-{number:016x}", activity_id="a-1",
                project_id="p-1", site_id="site-1", shift_id=None, recording_org_id="org-1",
                host_org_id="org-1", occurred_at=at, sent_at=None, channel="qr", device_id="d-1",
                app="app/1", offline=False, actor=Actor(name, "volunteer"), evidence=(),
            )  # fmt: skip


def _records(store: Store, events: Iterator[Event] | list[Event]) -> list[Sent]:
    at = store.positions.get(CHECKINS, 0)
    return [
        Sent(CHECKINS, 0, at + n, (event.occurred_at + HOUR) // 1000,
               event.volunteer_id.encode(), encode(event))  # type: ignore[union-attr]
        for n, event in enumerate(events)
    ]  # fmt: skip


def _fold(store: Store, records: list[Sent]) -> None:
    for at in range(0, len(records), CHUNK):
        part = records[at : at + CHUNK]
        commit(store, fold_chunk(store, CHECKINS, part, Catalogue(), PARTITIONS))


def _timed(store: Store, events: list[Event]) -> float:
    """CPU microseconds an event to fold these and keep the result."""
    records = _records(store, events)
    began = time.process_time()
    _fold(store, records)
    return (time.process_time() - began) / len(records) * 1e6


def main() -> None:
    """Every size, the plot, the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="also 10^7 events, 10^6 accounts")
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    asked = parser.parse_args()
    # As in a worker, which looks for cycles once a minute.
    gc.disable()
    where = machine("fastavro")
    top = 5 if asked.quick else 7 if asked.full else 6
    events = by_events([10**n for n in range(4 if asked.quick else 5, top + 1)])
    accounts = by_accounts([10**n for n in range(4, top if asked.full or asked.quick else 6)])
    sessions = by_history([10**n for n in range(1, 5 if asked.quick else 6)])
    result = {"machine": where, "events": events, "accounts": accounts, "sessions": sessions}
    svg = chart(
        "每个事件的处理时间 · CPU an event",
        "µs",
        [
            Series("事件数 · events in the log", events),
            Series("账户数 · accounts", accounts),
            Series("一人的服务次数 · sessions of one volunteer", sessions),
        ],
    )
    (ROOT / "docs" / "growth.svg").write_text(svg, "utf-8")
    write("growth", result, "规模增长 · How cost grows", page(result))


def page(result: dict[str, Any]) -> str:
    """The section of docs/performance.md."""
    rows = []
    for key, label in (("events", "events in the log"), ("accounts", "accounts of a partition"),
                       ("sessions", "sessions of one volunteer")):  # fmt: skip
        points = result[key]
        costs = ", ".join(f"{size:,}: {cost:.0f}" for size, cost in points)
        rows.append((label, costs, f"{points[-1][1] / points[0][1]:.2f}"))
    return (
        "CPU microseconds of `fold_chunk` an event: decode, rules, encode, pages; no Kafka.\n\n"
        + table(("", "size: µs", "last / first"), rows)
        + "\n![CPU an event over the size of the ledger](growth.svg)\n"
    )


if __name__ == "__main__":
    main()
