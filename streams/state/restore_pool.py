"""Shelves filled by processes that do nothing else, one for each core: where there is much to read,
the worker's own process goes on with what it has to do, and its heap stays small.

Nothing depends on them. They do what the worker would do; it looks at the shelf as they leave it,
whatever has become of them, and reads the rest itself. One whose worker has died ends when it next
says how far it is, and a shelf that somebody else has opened refuses its writes.
"""

import asyncio
import gc
import os
import sys
from asyncio.subprocess import PIPE, Process
from logging import getLogger
from pathlib import Path
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import KafkaError

from streams.kafka.bounded import STOP_SECONDS, within
from streams.kafka.decompression import guard
from streams.state.restore import Restoring, restored

log = getLogger(__name__)

SILENT_SECONDS = 30.0
"""Without a word for so long, a process is given up; it says something several times a second."""


class Fillers:
    """At most so many processes, which end when there is nothing left to fill."""

    def __init__(self, bootstrap: str, at_most: int) -> None:
        self._bootstrap = bootstrap
        self._places = asyncio.Semaphore(at_most)
        self._asking = 0
        self._idle: list[Process] = []

    async def fill(self, folder: Path, partition: int, restoring: Restoring) -> None:
        """Have a shelf brought to the end of the log, as far as that can be done."""
        self._asking += 1
        try:
            async with self._places:
                await self._fill(folder, partition, restoring)
        finally:
            self._asking -= 1
            while self._idle and not self._asking:
                await _ended(self._idle.pop())

    async def _fill(self, folder: Path, partition: int, restoring: Restoring) -> None:
        process = self._idle.pop() if self._idle else await self._started()
        try:
            done = await _asked(process, folder, partition, restoring)
        except BaseException:
            process.kill()
            raise
        if done:
            self._idle.append(process)
        else:
            log.warning("partition %s: its filling ended early; reading on here", partition)
            await _ended(process)

    async def _started(self) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "streams.state.restore_pool",
            self._bootstrap,
            stdin=PIPE,
            stdout=PIPE,
            # What a terminal says to the worker, the worker passes on if it likes.
            start_new_session=True,
        )


async def _ended(process: Process) -> None:
    _writing(process).close()
    try:
        await within(STOP_SECONDS, process.wait(), "the end of a filling process")
    except KafkaError:
        process.kill()


def _writing(process: Process) -> asyncio.StreamWriter:
    assert process.stdin is not None
    return process.stdin


async def _asked(process: Process, folder: Path, partition: int, restoring: Restoring) -> bool:
    """Ask for one shelf, and pass on how far it is; False if the process ended instead."""
    assert process.stdout is not None
    _writing(process).write(f"{partition} {folder.absolute()}\n".encode())
    what = f"filling partition {partition}"
    while line := await within(SILENT_SECONDS, process.stdout.readline(), what):
        if line == b"done\n":
            return True
        done, total = line.split()
        restoring(partition, int(done), int(total))
    return False


class _Bare(fetcher.PartitionRecords):  # type: ignore[misc]
    """Hands records over as they were decoded; to copy each into a ConsumerRecord took a third of
    the time. aiokafka has no setting for it."""

    def __iter__(self) -> Any:
        return self._records_iterator

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record


def _say(partition: int, done: int, total: int) -> None:
    print(done, total, flush=True)


async def _fill(folder: Path, partition: int, bootstrap: str, restoring: Restoring) -> None:
    shelf, _ = await restored(folder, partition, bootstrap=bootstrap, restoring=restoring)
    shelf.hand_over()


def main() -> None:
    """Fill the shelves that standard input names: partition and folder, a line for each."""
    guard()
    fetcher.PartitionRecords = _Bare
    gc.freeze()
    gc.disable()
    for line in sys.stdin:
        partition, _, folder = line.rstrip("\n").partition(" ")
        try:
            asyncio.run(_fill(Path(folder), int(partition), sys.argv[1], _say))
            print("done", flush=True)
        except BrokenPipeError:
            # The worker is dead.
            os._exit(1)
        except (KafkaError, OSError) as error:
            sys.exit(f"partition {partition}: {error!r}")


if __name__ == "__main__":
    main()
