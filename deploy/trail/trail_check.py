"""What needs Kafka: reconciliation, looking into topics, how far the trail is behind."""

import json
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from difflib import get_close_matches
from typing import Any

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from consumers.api.trail_client import At, Opened, reader
from consumers.kafka.reader import Log, LogError
from consumers.kafka.records import Record
from consumers.kafka.tail import coming, described, newest, oldest
from consumers.reconcile.lag import Lag, measure
from consumers.reconcile.reconcile import reconcile
from consumers.trail.sink import TOPICS
from deploy.errors import ShiluError
from deploy.lang import text
from deploy.services.local import bootstrap
from deploy.settings import Settings
from deploy.trail.trail_errors import trail_errors
from schemas.topics import ALL

_DEFAULT_COUNT = 10
TOPIC_NAMES = [topic.name for topic in ALL]


class _Bar:
    """The progress of a reconciliation on stderr, for a person who watches."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn(text("对账", "reconciling")),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def told(self, done: int, total: int) -> None:
        """So many offsets of the log have been compared."""
        self._progress.update(self._task, completed=done, total=total)


def check(settings: Settings, wait_seconds: float) -> dict[str, Any]:
    """The report as plain values, with its `exit_code`; raises ShiluError."""
    at = At(settings.place, settings.clickhouse)
    with trail_errors(), Log(bootstrap(settings)) as log, reader(at) as someone, _Bar() as bar:
        # While we have the folder open ourselves no sink can catch up.
        alone = isinstance(someone, Opened) and not settings.clickhouse
        report = reconcile(someone, log, bar, wait_seconds=0 if alone else wait_seconds)
    return asdict(report) | {"exit_code": report.exit_code}


def rounds(
    settings: Settings, wait_seconds: float, every_seconds: float
) -> Iterator[dict[str, Any]]:
    """One report after the other until SIGINT or SIGTERM; raises ShiluError as `check` does.

    A round that nobody can answer, as Kafka or the trail is away, is a report of its own with the
    state `unknown` and exit code 1: a light that has gone out is not green.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        began = time.monotonic()
        try:
            yield check(settings, wait_seconds)
        except ShiluError as error:
            yield {"state": "unknown", "cause": error.code, "zh": error.zh, "en": error.en,
                   "exit_code": 1}  # fmt: skip
        stop.wait(max(0.0, every_seconds - (time.monotonic() - began)))


def trail_lags(settings: Settings, wait_seconds: float) -> list[Lag] | None:
    """How far the trail is behind, place by place; None when nobody can tell."""
    at = At(settings.place, settings.clickhouse)
    try:
        with (
            trail_errors(),
            Log(bootstrap(settings), start_seconds=wait_seconds) as log,
            reader(at) as someone,
        ):
            heads = someone.ask("heads")
            return measure(log, {p: heads.get(str(p), 0) for p in log.places(TOPICS)})
    except (ShiluError, LogError, httpx.HTTPError):
        return None


def print_records(
    settings: Settings, topic: str, *, count: int | None, beginning: bool, follow: bool
) -> None:
    """Print records of a topic as JSON Lines; with `follow` until interrupted."""
    with trail_errors(), Log(bootstrap(settings), follows=follow) as log:
        try:
            ends = log.ends(log.places([topic]))
        except LogError as error:
            if error.code != "topic_missing" or topic in TOPIC_NAMES:
                raise
            raise _no_such_topic(topic) from error
        if beginning:
            _print(oldest(log, ends, count))
        else:
            _print(newest(log, ends, count or _DEFAULT_COUNT))
        if follow:
            try:
                _print(coming(log, ends))
            except KeyboardInterrupt:
                raise typer.Exit(0) from None


def _no_such_topic(topic: str) -> ShiluError:
    """A name that is none of ours: creating topics would not help."""
    near = get_close_matches(topic, TOPIC_NAMES, 1)
    fix_zh = f"是不是 {near[0]}?" if near else f"可用的主题:{'、'.join(TOPIC_NAMES)}。"
    fix = f"did you mean {near[0]}?" if near else f"there are {', '.join(TOPIC_NAMES)}."
    return ShiluError(
        "no_such_topic",
        f"没有主题 {topic}:{fix_zh}",
        f"There is no topic {topic}: {fix}",
        field="topic",
    )


def _print(records: Iterable[Record]) -> None:
    for record in records:
        typer.echo(json.dumps(described(record), ensure_ascii=False))
