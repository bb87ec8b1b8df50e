"""What the writing commands share: files or pipes, a progress bar, errors of the broker."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from deploy.broker.topics_admin import in_words
from deploy.errors import ShiluError
from producers.errors import ProducerError

_IN_CHINESE: dict[type[OSError], str] = {
    FileNotFoundError: "没有这个文件",
    IsADirectoryError: "是文件夹",
    NotADirectoryError: "路径中有一段不是文件夹",
    PermissionError: "没有权限",
}


@contextmanager
def broker_errors() -> Iterator[None]:
    """Turns the errors of producers into sentences; keeps kafka-python's own log quiet."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    try:
        yield
    except ProducerError as error:
        raise in_words(error) from error


@contextmanager
def input_bytes(file: str) -> Iterator[tuple[BinaryIO, int | None]]:
    """The bytes of a file and how many there are, or of standard input."""
    if file == "-":
        yield sys.stdin.buffer, None
        return
    try:
        stream = open(file, "rb")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise _no_file(file, error) from error
    with stream:
        yield stream, os.fstat(stream.fileno()).st_size


@contextmanager
def output_text(file: str) -> Iterator[TextIO]:
    """A file to be written, or standard output."""
    if file == "-":
        yield sys.stdout
        return
    try:
        stream = open(file, "w", encoding="utf-8")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise _no_file(file, error) from error
    with stream:
        yield stream


def _no_file(file: str, error: OSError) -> ShiluError:
    why = error.strerror or type(error).__name__
    return ShiluError(
        "no_file",
        f"打不开文件 {file}({_IN_CHINESE.get(type(error), why)}):请检查路径和权限。",
        f"The file {file} cannot be opened ({why}): check its path and permissions.",
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """How far it is, and lines beside it that do not tear it apart."""

    reach: Callable[[int], None]
    say: Callable[[str], None]


@contextmanager
def bar(title: str, total: int | None, *, shows_lines: bool) -> Iterator[Bar]:
    """A progress bar on stderr for a person who watches; none where the lines go there too."""
    console = Console(stderr=True)
    crowded = shows_lines and sys.stdout.isatty()
    if not console.is_terminal or crowded:
        yield Bar(lambda _: None, _to_stdout)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
               TimeRemainingColumn())  # fmt: skip
    # Redirected, what goes to a pipe on stdout would come out on the terminal instead.
    with Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=False) as shown:
        task = shown.add_task(title, total=total)
        beside = sys.stdout.isatty()
        yield Bar(
            lambda done: shown.update(task, completed=done),
            (lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True))
            if beside
            else _to_stdout,
        )


def _to_stdout(line: str) -> None:
    sys.stdout.write(line + "\n")
