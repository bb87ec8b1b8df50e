"""Avro binary, strictly: every value has one form in bytes, and no other form is read.

A schema becomes a tree of types, each of which reads and writes itself. That the bytes are the
canonical ones is seen while they are read, so nothing has to be written again to be compared.
(Apache Avro 1.12 specification, "Binary encoding"; our rules on top: docs/decisions/0008.)
Compiled by mypyc where a C compiler is, so: plain loops, plain classes.
"""

from collections.abc import Callable
from typing import Any, Final

from librt.strings import BytesWriter


class Malformed(ValueError):
    """Bytes that hold no value of the type."""


class NotCanonical(ValueError):
    """Bytes that hold a value, but not in the one form in which it is written."""


class Reader:
    """Bytes, and how far they have been read."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data: Final = data
        self.size: Final = len(data)
        self.at = at

    def varint(self) -> int:
        """A zigzag number of at most 64 bits."""
        data = self.data
        at = self.at
        size = self.size
        number = 0
        shift = 0
        while True:
            if at >= size:
                raise Malformed("ends within a number")
            byte = data[at]
            at += 1
            if byte < 0x80:
                break
            number |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:
                raise NotCanonical("a number of more than 64 bits")
        if shift:
            if byte == 0:
                raise NotCanonical("a number with leading zeros")
            if shift == 63 and byte > 1:
                raise NotCanonical("a number of more than 64 bits")
        number |= byte << shift
        self.at = at
        return number >> 1 if not number & 1 else -(number >> 1) - 1

    def take(self) -> bytes:
        """A length, and so many bytes."""
        length = self.varint()
        at = self.at
        if length < 0 or length > self.size - at:
            raise Malformed("ends within a text")
        self.at = at + length
        return self.data[at : at + length]


def write_varint(out: BytesWriter, value: int) -> None:
    """The inverse of `Reader.varint`."""
    rest = value << 1 if value >= 0 else (-value << 1) - 1
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)


class Type:
    """One type of a schema.

    `read` raises Malformed or NotCanonical, `write` ValueError or TypeError for a value that is
    not of the type.
    """

    def read(self, source: Reader) -> Any:
        """The value that comes next."""
        raise NotImplementedError

    def write(self, out: BytesWriter, value: Any) -> None:
        """Append a value."""
        raise NotImplementedError


class Null(Type):
    """Nothing, in no bytes."""

    def read(self, source: Reader) -> Any:
        return None

    def write(self, out: BytesWriter, value: Any) -> None:
        if value is not None:
            raise TypeError("null expected")


class Boolean(Type):
    """One byte, 0 or 1."""

    def read(self, source: Reader) -> Any:
        if source.at >= source.size:
            raise Malformed("ends before a boolean")
        byte = source.data[source.at]
        if byte > 1:
            raise NotCanonical("a boolean that is neither 0 nor 1")
        source.at += 1
        return byte == 1

    def write(self, out: BytesWriter, value: Any) -> None:
        if value is True:
            out.append(1)
        elif value is False:
            out.append(0)
        else:
            raise TypeError("boolean expected")


class Integer(Type):
    """A whole number of 32 or 64 bits."""

    def __init__(self, bits: int) -> None:
        self.limit: Final = 1 << (bits - 1)
        self.wide: Final = bits == 64

    def read(self, source: Reader) -> Any:
        value = source.varint()
        if not self._fits(value):
            raise Malformed("a number too large for its type")
        return value

    def write(self, out: BytesWriter, value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError("whole number expected")
        if not self._fits(value):
            raise ValueError("a number too large for its type")
        write_varint(out, value)

    def _fits(self, value: int) -> bool:
        # These two are compared in a register, the limits of 64 bits are objects.
        if self.wide and -0x3FFF_FFFF_FFFF_FFFF <= value <= 0x3FFF_FFFF_FFFF_FFFF:
            return True
        return -self.limit <= value < self.limit


class Bytes(Type):
    """Bytes as they are."""

    def read(self, source: Reader) -> Any:
        return source.take()

    def write(self, out: BytesWriter, value: Any) -> None:
        if not isinstance(value, bytes):
            raise TypeError("bytes expected")
        write_varint(out, len(value))
        out.write(value)


class Text(Type):
    """Text in UTF-8."""

    def read(self, source: Reader) -> Any:
        return source.take().decode("utf-8")

    def write(self, out: BytesWriter, value: Any) -> None:
        if not isinstance(value, str):
            raise TypeError("text expected")
        data = value.encode("utf-8")
        write_varint(out, len(data))
        out.write(data)


_WORDS_MAX: Final = 4_096
_WORD_BYTES_MAX: Final = 64
_WORDS: Final[dict[bytes, str]] = {}


class Word(Text):
    """Text that comes again and again: one object for all times it is read saves memory."""

    def read(self, source: Reader) -> Any:
        data = source.take()
        text = _WORDS.get(data)
        if text is None:
            text = data.decode("utf-8")
            if len(_WORDS) >= _WORDS_MAX:
                _WORDS.clear()
            if len(data) <= _WORD_BYTES_MAX:
                _WORDS[data] = text
        return text


class Symbol(Type):
    """One of a few words, by its number."""

    def __init__(self, words: list[str]) -> None:
        self.words: Final = words
        self.numbers: Final = {word: number for number, word in enumerate(words)}

    def read(self, source: Reader) -> Any:
        number = source.varint()
        if number < 0:
            raise NotCanonical("a symbol counted from the end")
        if number >= len(self.words):
            raise Malformed("a symbol that the schema does not have")
        return self.words[number]

    def write(self, out: BytesWriter, value: Any) -> None:
        number = self.numbers.get(value)
        if number is None:
            raise ValueError(f"{value!r} is none of {', '.join(self.words)}")
        write_varint(out, number)


class Sequence(Type):
    """Any number of one type, a tuple in Python: one block with its count, then the empty one."""

    def __init__(self, item: Type) -> None:
        self.item: Final = item

    def read(self, source: Reader) -> Any:
        count = source.varint()
        if count < 0:
            raise NotCanonical("a block with its size in bytes")
        if count == 0:
            return ()
        # Every type an array may hold takes a byte or more (schemas.evolution.avrorules).
        if count > source.size - source.at:
            raise Malformed("ends within an array")
        item = self.item
        items = []
        for _ in range(count):
            items.append(item.read(source))
        if source.varint() != 0:
            raise NotCanonical("an array in several blocks")
        return tuple(items)

    def write(self, out: BytesWriter, value: Any) -> None:
        if not isinstance(value, (tuple, list)):
            raise TypeError("sequence expected")
        if len(value):
            write_varint(out, len(value))
            item = self.item
            for one in value:
                item.write(out, one)
        out.append(0)


class Optional(Type):
    """A union of null and one type; `null_first` as the schema has them."""

    def __init__(self, inner: Type, *, null_first: bool) -> None:
        self.inner: Final = inner
        self.null: Final = 0 if null_first else 1

    def read(self, source: Reader) -> Any:
        branch = source.varint()
        if branch == self.null:
            return None
        if branch < 0:
            raise NotCanonical("a branch counted from the end")
        if branch > 1:
            raise Malformed("a branch that the union does not have")
        return self.inner.read(source)

    def write(self, out: BytesWriter, value: Any) -> None:
        if value is None:
            out.append(self.null << 1)
        else:
            out.append(2 - (self.null << 1))
            self.inner.write(out, value)


class Record(Type):
    """Fields one after the other; in Python what `make` gives for their values in order.

    `values` is the way back; where it is not given, the values are looked up by name.
    """

    def __init__(
        self,
        names: list[str],
        types: list[Type],
        make: Callable[..., Any],
        values: Callable[[Any], tuple[Any, ...]] | None = None,
    ) -> None:
        self.names: Final = names
        self.types: Final = types
        self.make: Final = make
        self.values: Final = values

    def read(self, source: Reader) -> Any:
        values = []
        for kind in self.types:
            values.append(kind.read(source))
        return self.make(*values)

    def write(self, out: BytesWriter, value: Any) -> None:
        types = self.types
        if self.values is None:
            for number, name in enumerate(self.names):
                types[number].write(out, getattr(value, name))
        else:
            for number, field in enumerate(self.values(value)):
                types[number].write(out, field)


class Frozen(Record):
    """A record whose Python class is a frozen dataclass: made field by field past its `__init__`,
    which would take ten times as long."""

    def __init__(self, names: list[str], types: list[Type], kind: type) -> None:
        super().__init__(names, types, kind)
        self.kind: Final[Any] = kind
        self.setters: Final = [vars(kind)[name].__set__ for name in names]

    def read(self, source: Reader) -> Any:
        made = self.kind.__new__(self.kind)
        for number, kind in enumerate(self.types):
            self.setters[number](made, kind.read(source))
        return made


def read_whole(kind: Type, data: bytes, at: int) -> Any:
    """The value that fills data[at:]; raises Malformed, NotCanonical, UnicodeDecodeError."""
    source = Reader(data, at)
    value = kind.read(source)
    if source.at != source.size:
        raise NotCanonical("bytes after the end")
    return value


def write_whole(kind: Type, prefix: bytes, value: Any) -> bytes:
    """The prefix and the value in bytes; raises ValueError or TypeError for a value not of the
    type."""
    out = BytesWriter()
    out.write(prefix)
    kind.write(out, value)
    return out.getvalue()
