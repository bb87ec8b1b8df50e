"""The bytes of each event in a file, whatever shape the file has.

JSON Lines above all; a JSON array, objects printed over several lines and anything of these under
gzip are read as well, in bounded memory. What is no JSON at all is named, before anything is sent.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from producers.errors import UnreadableInput

LINE_BYTES_MAX: Final = 1 << 20
"""Longest event that is read; none of 16 KiB has a JSON form near it."""

Piece = tuple[int, bytes | None]
"""The number of the line on which an event begins, and its bytes; None where it is too long."""

_CHUNK: Final = 1 << 16
_BOM: Final = b"\xef\xbb\xbf"
_TOKEN: Final = re.compile(rb'"(?:[^"\\\n]|\\.)*"|["{}\[\]]')


def pieces(stream: BinaryIO) -> Iterator[Piece]:
    """Every event of a stream; raises UnreadableInput."""
    source = _Source(stream)
    try:
        yield from _pieces(source)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UnreadableInput("gzip_broken") from error


def _pieces(source: "_Source") -> Iterator[Piece]:
    _require_text(source)
    while raw := source.line():
        bare = raw.strip().removeprefix(_BOM).lstrip()
        if len(raw) > LINE_BYTES_MAX and not raw.endswith(b"\n") and not bare.startswith(b"["):
            yield source.number, None
            source.skip()
        elif bare.startswith(b"[") and not source.begun:
            source.unread(raw)
            yield from _Array(source).elements()
        elif bare == b"{" and source.peek().lstrip().startswith(b'"'):
            yield from _printed(source, raw)
        elif bare:
            yield source.number, raw
        source.begun = source.begun or bool(bare)


def _require_text(source: "_Source") -> None:
    """Raises UnreadableInput for what is another kind of file; opens what is compressed."""
    if source.peek().startswith(b"\x1f\x8b"):
        source.unzip()
    first = source.peek()
    if first.startswith(b"PK\x03\x04"):
        raise UnreadableInput("zip")
    if first.startswith(b"\xd0\xcf\x11\xe0"):
        raise UnreadableInput("xls")
    # Without a mark at its beginning, text in UTF-16 still has every other byte 0.
    if first.startswith((b"\xff\xfe", b"\xfe\xff")) or first[:8].count(0) > 2:
        raise UnreadableInput("utf_16")
    bare = first.removeprefix(_BOM).strip()
    if bare and first.endswith(b"\n") and not bare.startswith((b"{", b"[")):
        second = source.peek(1).strip()
        for comma in (b",", b"\t", b";"):
            if bare.count(comma) and bare.count(comma) == second.count(comma):
                raise UnreadableInput("csv")


def _printed(source: "_Source", first: bytes) -> Iterator[Piece]:
    """An object over several lines, up to the line that ends it, or before the next event."""
    number, found, depth = source.number, bytearray(first), 1
    while depth > 0:
        if source.peek().startswith(b"{") or not (raw := source.line()):
            break
        for token in _TOKEN.finditer(raw):
            depth += _step(token.group())
        if len(found) <= LINE_BYTES_MAX:
            found += raw
    yield number, bytes(found) if len(found) <= LINE_BYTES_MAX else None


def _step(token: bytes) -> int:
    return 1 if token in (b"{", b"[") else -1 if token in (b"}", b"]") else 0


class _Source:
    """The lines of a stream, with a look ahead. `number` is that of the last line read, from 1."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._ahead: list[bytes] = []
        self.number = 0
        self.begun = False

    def peek(self, distance: int = 0) -> bytes:
        """A line to come, as far as it is kept; empty at the end."""
        while len(self._ahead) <= distance:
            self._ahead.append(self._stream.readline(LINE_BYTES_MAX + 1))
        return self._ahead[distance]

    def line(self, bytes_max: int = LINE_BYTES_MAX + 1) -> bytes:
        """The next line with its end, at most so many bytes of it; empty at the end."""
        raw = self._ahead.pop(0) if self._ahead else self._stream.readline(bytes_max)
        self.number += bool(raw)
        return raw

    def unread(self, raw: bytes) -> None:
        """Read this line once more."""
        self._ahead.insert(0, raw)
        self.number -= 1

    def skip(self) -> None:
        """To the end of a line that was read in part."""
        rest = b" "
        while rest and not rest.endswith(b"\n"):
            rest = self._ahead.pop(0) if self._ahead else self._stream.readline(_CHUNK)

    def unzip(self) -> None:
        """Read what gzip has packed, from the beginning."""
        self._stream = gzip.GzipFile(  # type: ignore[call-overload]
            fileobj=_Again(self._ahead.pop(0), self._stream), mode="rb"
        )


class _Again:
    """A stream of which the beginning was read already."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        if not self._head:
            return self._rest.read(size)
        cut = len(self._head) if size < 0 else size
        given, self._head = self._head[:cut], self._head[cut:]
        return given if size >= 0 else given + self._rest.read()


class _Array:
    """The elements of one JSON array, one after the other; it need not end well."""

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._depth = 0
        self._found = bytearray()
        self._begins = 0

    def elements(self) -> Iterator[Piece]:
        """Each element, and what is no element; whatever comes after the array is left unread."""
        carry, last = b"", 1
        while raw := self._source.line(_CHUNK):
            data, last = carry + raw, self._source.number
            at, carry = 0, b""
            for token in _TOKEN.finditer(data):
                if token.group() == b'"' and not data.endswith(b"\n"):
                    # A text that goes on in the next chunk.
                    carry = data[token.start() :]
                    break
                yield from self._between(data[at : token.start()])
                at = token.end()
                yield from self._take(token.group())
                if self._depth == 0:
                    if data[at:].strip():
                        self._source.unread(data[at:])
                    return
            yield from self._between(data[at : len(data) - len(carry)])
            # Only whole lines have a number; a chunk of one has that of the line.
            self._source.number -= not raw.endswith(b"\n")
            if len(carry) > LINE_BYTES_MAX:
                yield self._source.number, None
                return
        yield last, bytes(self._found) + carry or b"]"

    def _between(self, text: bytes) -> Iterator[Piece]:
        """What lies between brackets and texts: part of an element, or only a comma."""
        if self._depth > 1:
            self._keep(text)
        elif self._depth == 1 and (odd := text.replace(b",", b" ").strip()):
            yield self._source.number, odd

    def _take(self, token: bytes) -> Iterator[Piece]:
        before = self._depth
        self._depth += _step(token)
        if before == 0:
            return
        if before == 1 and self._depth > 1:
            self._begins = self._source.number
            self._found.clear()
        if before > 1 or self._depth > 1:
            self._keep(token)
        elif before == 1 and self._depth == 1:
            yield self._source.number, token
        if before == 2 and self._depth == 1:
            whole = bytes(self._found) if len(self._found) <= LINE_BYTES_MAX else None
            yield self._begins, whole
            self._found.clear()

    def _keep(self, part: bytes) -> None:
        if len(self._found) <= LINE_BYTES_MAX:
            self._found += part
