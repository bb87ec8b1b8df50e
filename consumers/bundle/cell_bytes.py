"""The Avro bytes of cells: of one cell, and of many of one column at once, which is much faster.

Both ways raise ValueError for a cell that the type cannot have.
"""

from collections.abc import Callable, Iterable, Sequence

from schemas.times import SECOND, day, instant

KEPT_CELLS = 4_096
"""Cells of one column that are remembered with their bytes."""

Cell = str
Encoder = Callable[[Cell], bytes]
Many = Callable[[Sequence[Cell]], list[bytes]]
"""The bytes of each of many cells."""

_LOW = 0x3FFF
_TWO = [bytes((n & 0x7F | 0x80, n >> 7 | 0x80)) for n in range(_LOW + 1)]
"""Fourteen bits -> two bytes of a number that goes on after them."""
_END = [bytes((n,)) if n < 0x80 else bytes((n & 0x7F | 0x80, n >> 7)) for n in range(_LOW + 1)]
"""Fourteen bits -> the one or two bytes with which a number ends."""


def whole(number: int) -> bytes:
    """An Avro int or long."""
    left = number << 1 if number >= 0 else (-number << 1) - 1
    if left >> 64:
        raise ValueError(f"{number} has more than 64 bits")
    out = b""
    while left > _LOW:
        out += _TWO[left & _LOW]
        left >>= 14
    return out + _END[left]


def wholes(numbers: Iterable[int]) -> list[bytes]:
    """Many of them: those of a column are mostly about as long as one another."""
    found = list(numbers)
    low, high = min(found, default=0) << 1, max(found, default=0) << 1
    if low >= 0 and high <= _LOW:
        return [_END[n << 1] for n in found]
    if low >> 14 > 0 and not high >> 28:
        return [_TWO[n << 1 & _LOW] + _END[n >> 13] for n in found]
    if low >> 42 > 0 and not high >> 56:
        return [
            _TWO[n << 1 & _LOW] + _TWO[n >> 13 & _LOW] + _TWO[n >> 27 & _LOW] + _END[n >> 41]
            for n in found
        ]
    return list(map(whole, found))


def text(cell: Cell) -> bytes:
    """An Avro string."""
    raw = bare(cell).encode()
    return whole(len(raw)) + raw


def texts(cells: Sequence[Cell]) -> list[bytes]:
    """Many of them."""
    raws = [cell.removeprefix("'").encode() for cell in cells]
    if max(map(len, raws), default=0) << 1 > _LOW:
        return [whole(len(raw)) + raw for raw in raws]
    return [_END[len(raw) << 1] + raw for raw in raws]


def bare(cell: Cell) -> str:
    """The text behind the apostrophe that keeps it from being a formula."""
    return cell.removeprefix("'")


def optional(encoded: Encoder) -> Encoder:
    """A union of null and one type; an empty cell is null."""
    return lambda cell: b"\0" if cell == "" else b"\2" + encoded(cell)


def optionals(many: Many) -> Many:
    """Many of them."""

    def encoded(cells: Sequence[Cell]) -> list[bytes]:
        found = iter(many([cell for cell in cells if cell]))
        return [b"\2" + next(found) if cell else b"\0" for cell in cells]

    return encoded


class _Minutes(dict[Cell, int]):
    """A time without its seconds -> microseconds: parsing a time costs more than all else."""

    def __missing__(self, minute: Cell) -> int:
        if len(self) >= KEPT_CELLS:
            self.clear()
        found = self[minute] = instant(f"{minute[:17]}00{minute[17:]}")
        return found


_MINUTES = _Minutes()
_SECONDS = {f"{n:02}": n * SECOND for n in range(60)}


def moment(cell: Cell) -> bytes:
    """RFC 3339 as `rfc3339` writes it: seconds or microseconds, then the offset."""
    return whole(_micros(cell))


def moments(cells: Sequence[Cell]) -> list[bytes]:
    """Many of them."""
    if not "".join(cells).isascii():
        raise ValueError("a time with other digits than 0 to 9")
    minutes, found = _MINUTES, []
    for cell in cells:
        digits = cell[17:19] + cell[20:26]
        if len(cell) == 32 and cell[19] == "." and digits.isdecimal() and digits < "6":
            found.append(minutes[cell[:17] + cell[26:]] + int(digits))
        else:
            found.append(_micros(cell))
    return wholes(found)


def _micros(cell: Cell) -> int:
    """Microseconds that no calendar has are written as they are."""
    if "T" not in cell:
        return int(cell)
    fraction = cell[19:-6]
    try:
        micros = _MINUTES[cell[:17] + cell[-6:]] + _SECONDS[cell[17:19]]
    except KeyError:
        raise ValueError(f"{cell} is no time") from None
    if fraction:
        digits = fraction[1:]
        if fraction[0] != "." or len(digits) != 6 or not (digits.isascii() and digits.isdecimal()):
            raise ValueError(f"{cell} is no time")
        micros += int(digits)
    return micros


def days(cell: Cell) -> bytes:
    """An ISO date; days that no calendar has are written as they are."""
    return whole(day(cell) if cell.count("-") == 2 else int(cell))
