"""Progress bars on stderr for whoever waits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

console = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for one piece of work; what it yields is told how much is done, and of how much."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with progress:
        task = progress.add_task(title, total=None)
        yield lambda done, in_all: progress.update(task, completed=done, total=in_all)
