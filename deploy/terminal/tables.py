"""Tables and lines that fit the screen: no id is cut, no sentence breaks where it should not.

A table that is wider than the screen loses its bars first, then lets its sentences fold; where its
ids alone are too wide, each row becomes a paragraph, with the heads beside the values.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.bar import Bar
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from deploy.lang import text

_PIPE_COLUMNS: Final = 140
_BAR_COLUMNS: Final = 20
_SENTENCE_COLUMNS: Final = 16
"""A sentence in less is a tower of single words."""
_WHOLE_COLUMNS: Final = 40
"""What is longer than this is no id; a uuid has 36."""
_CLOSING: Final = ",.:;!?)/,。:;!?、)”》"
# A word of Latin letters, or one character, each with the punctuation that may not begin a line.
_PIECE: Final = re.compile(rf"[!-~]+[{_CLOSING}]*|[^ ][{_CLOSING}]*| +")
_MINUTE: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")


def console() -> Console:
    """For answers on stdout; wide enough not to fold ids when it goes to a file or a pipe."""
    width = None if sys.stdout.isatty() else _PIPE_COLUMNS
    return Console(highlight=False, markup=False, emoji=False, width=width)


def cell(value: object) -> Text:
    """A value from the log as a table cell: no markup, and nothing that moves the cursor."""
    shown = "" if value is None else str(value)
    return Text("".join(c if c.isprintable() else repr(c)[1:-1] for c in shown))


def bar(value: int, largest: int) -> Bar:
    """How large a number is beside the largest of its column."""
    return Bar(max(largest, 1), 0, max(value, 0), width=_BAR_COLUMNS)


def wrapped(said: str, columns: int) -> list[str]:
    """Lines of at most so many columns; a word or an id longer than that alone is broken."""
    lines, line = [], ""
    for piece in _PIECE.findall(said):
        if cell_len(line + piece.rstrip()) <= columns:
            line += piece
            continue
        if line.strip():
            lines.append(line.rstrip())
        line = piece.lstrip()
        while cell_len(line) > columns:
            cut = max((n for n in range(1, len(line)) if cell_len(line[:n]) <= columns), default=1)
            lines.append(line[:cut])
            line = line[cut:]
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


@dataclass(frozen=True, slots=True)
class Folded:
    """A line of an answer, its parts two blanks apart; folded on a screen, whole in a pipe."""

    said: str

    def __rich_console__(self, out: Console, options: ConsoleOptions) -> RenderResult:
        """Its lines, each within the screen."""
        shown = cell(self.said).plain
        inside = shown.lstrip(" ")
        first = len(shown) - len(inside)
        rest = first + 4
        if cell_len(shown) <= options.max_width or not out.is_terminal:
            yield Text(shown)
            return
        head, *more = _lines(inside.split("  "), max(options.max_width - rest, 1))
        yield Text("\n".join([" " * first + head, *(" " * rest + line for line in more)]))


def folded(said: str) -> Folded:
    """A line of an answer that may be longer than the screen is wide."""
    return Folded(said)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A table that fits the screen on which it is printed; heads beginning with `>` go right."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    def __rich_console__(self, out: Console, options: ConsoleOptions) -> RenderResult:
        """The widest of its forms that fits."""
        every = range(len(self.columns))
        without = [place for place in every if not self._is_bar(place)]
        for places in (list(every), without):
            if self._columns_of(places, {}) <= options.max_width:
                yield self._drawn(places, {})
                return
        widths = self._sentences(without, options.max_width)
        if widths is not None:
            yield self._drawn(without, widths)
        else:
            yield from self._paragraphs(without, options.max_width)

    def _is_bar(self, place: int) -> bool:
        return any(isinstance(row[place], Bar) for row in self.rows if place < len(row))

    def _head(self, place: int) -> str:
        return self.columns[place].removeprefix(">")

    def _shown(self, row: Sequence[object], place: int) -> str:
        return cell(row[place]).plain if place < len(row) else ""

    def _values(self, place: int) -> list[str]:
        return [self._shown(row, place) for row in self.rows]

    def _natural(self, place: int) -> int:
        if self._is_bar(place):
            return max(_BAR_COLUMNS, cell_len(self._head(place)))
        return max(map(cell_len, [self._head(place), *self._values(place)]))

    def _columns_of(self, places: Sequence[int], widths: dict[int, int]) -> int:
        return 1 + sum(3 + widths.get(place, self._natural(place)) for place in places)

    def _is_sentence(self, place: int) -> bool:
        return any(
            cell_len(value) > _SENTENCE_COLUMNS
            and not _MINUTE.fullmatch(value)
            and (" " in value or not value.isascii() or len(value) > _WHOLE_COLUMNS)
            for value in self._values(place)
        )

    def _sentences(self, places: Sequence[int], columns: int) -> dict[int, int] | None:
        """The widths of the columns that hold sentences; None where they are left too little."""
        folding = [place for place in places if self._is_sentence(place)]
        spare = columns - self._columns_of(places, dict.fromkeys(folding, 0))
        widths: dict[int, int] = {}
        # The shortest first: what it does not need is for the others.
        for left, place in zip(range(len(folding), 0, -1), sorted(folding, key=self._natural),
                               strict=True):  # fmt: skip
            widths[place] = min(self._natural(place), spare // left)
            spare -= widths[place]
        fits = folding and all(
            width >= max(_SENTENCE_COLUMNS, self._longest_word(place))
            for place, width in widths.items()
        )
        return widths if fits else None

    def _longest_word(self, place: int) -> int:
        return max((cell_len(piece) for value in self._values(place)
                    for piece in _PIECE.findall(value)), default=0)  # fmt: skip

    def _drawn(self, places: Sequence[int], widths: dict[int, int]) -> Table:
        drawn = Table(title=self.title or None, title_justify="left", header_style="bold")
        for place in places:
            right = self.columns[place].startswith(">")
            head = self._head(place)
            if place in widths:
                head = "\n".join(wrapped(head, widths[place]))
            drawn.add_column(head, justify="right" if right else "left", overflow="fold",
                             no_wrap=True)  # fmt: skip
        for row in self.rows:
            drawn.add_row(*(self._cell(row, place, widths.get(place)) for place in places))
        return drawn

    def _cell(self, row: Sequence[object], place: int, width: int | None) -> RenderableType:
        value = row[place] if place < len(row) else None
        if isinstance(value, Bar):
            return value
        shown = self._shown(row, place)
        return Text(shown if width is None else "\n".join(wrapped(shown, width)))

    def _paragraphs(self, places: Sequence[int], columns: int) -> Iterator[Text]:
        if self.title:
            yield Text(self.title, style="italic")
        for row in self.rows:
            named = [(self._head(place), self._shown(row, place)) for place in places]
            parts = [self._part(head, value) for head, value in named if value]
            for number, line in enumerate(_lines(parts, columns - 2)):
                yield Text(("· " if number == 0 else "  ") + line)

    def _part(self, head: str, value: str) -> str:
        return f"{head}{text(':', ': ')}{value}" if head else value


def _lines(parts: Iterable[str], columns: int) -> Iterator[str]:
    """As many parts on a line as fit whole; one that is longer than a line is folded below it."""
    line = ""
    for part in parts:
        together = f"{line}  {part}" if line else part
        if cell_len(together) <= columns:
            line = together
            continue
        if line:
            yield line
        *full, line = wrapped(part, columns)
        yield from full
    if line:
        yield line


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Fitted:
    """A table; columns whose name begins with `>` are set to the right, ids are never cut."""
    return Fitted(title, columns, list(rows))
