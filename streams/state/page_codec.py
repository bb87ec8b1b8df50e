"""A page of spans or cases <-> bytes: the form of a state page, Avro without a schema file."""

from collections.abc import Callable
from typing import Any, Final, cast, get_args

from librt.strings import BytesWriter

from ledger.account import statements
from ledger.account.account import CasePage, DayPage
from ledger.account.acts import Act
from ledger.account.spans import Begin, Facts, Minutes, Part, Span
from ledger.account.statements import Case
from ledger.catalogue.catalogue import Place
from schemas.events import CaseKind, Said
from schemas.posting import Kind, State
from schemas.wire.binary import (
    Boolean,
    Integer,
    Optional,
    Reader,
    Record,
    Sequence,
    Symbol,
    Text,
    Type,
    Word,
    read_whole,
    write_varint,
    write_whole,
)

FORM: Final = b"\5"
"""Version of the form of a day page, its first byte; form 3 had no parts and rows, form 4 nothing
of when check-ins and check-outs were recorded, and no level that withholds."""


CASE_FORM: Final = b"\1"
"""Version of the form of a page of cases, its first byte."""


class _Pair(Type):
    """Two whole numbers."""

    def read(self, source: Reader) -> Any:
        first = source.varint()
        return first, source.varint()

    def write(self, out: BytesWriter, value: Any) -> None:
        first, second = cast(tuple[int, int], value)
        write_varint(out, first)
        write_varint(out, second)


class _Piece(Type):
    """A day's minutes with their state."""

    def read(self, source: Reader) -> Any:
        day = source.varint()
        minutes = source.varint()
        return day, minutes, _STATE.read(source)

    def write(self, out: BytesWriter, value: Any) -> None:
        day, minutes, state = cast(tuple[int, int, State], value)
        write_varint(out, day)
        write_varint(out, minutes)
        _STATE.write(out, state)


def _span(
    kind: Kind,
    span_id: str,
    facts: Facts,
    closed: bool,
    state: State | None,
    reason: str | None,
    policy: str,
    moved_to: Place | None,
    low: int,
    high: int,
    block: bool,
    corrected: bool,
    approved: int,
    days: tuple[tuple[int, int], ...],
    minutes: Minutes,
    parts: tuple[Part, ...] = (),
    withheld: tuple[int, ...] = (),
) -> Span:
    """A span of which only the page's day is still missing."""
    return Span(
        kind,
        span_id,
        0,
        facts,
        closed,
        state,
        reason,
        policy,
        moved_to or facts.place,
        low,
        high,
        block,
        corrected,
        approved,
        days,
        minutes,
        parts,
        withheld,
    )


def _values(span: Span) -> tuple[object, ...]:
    """What `_span` takes."""
    return (
        span.kind,
        span.id,
        span.facts,
        span.closed,
        span.state,
        span.reason,
        span.policy,
        span.moved_to,
        span.low,
        span.high,
        span.block,
        span.corrected,
        span.approved,
        span.days,
        span.minutes,
        span.parts,
        span.withheld,
    )


_TEXT: Final = Text()
_MAYBE_TEXT: Final = Optional(_TEXT, null_first=True)
_REPEATED: Final = Word()
_MAYBE_REPEATED: Final = Optional(_REPEATED, null_first=True)
_TRUTH: Final = Boolean()
_NUMBER: Final = Integer(64)
_MAYBE_NUMBER: Final = Optional(_NUMBER, null_first=True)
_STATE: Final = Symbol(list(get_args(State)))
_PLACE: Final = Optional(
    Record(
        ["activity_id", "project_id", "site_id", "recording_org_id", "host_org_id"],
        [_REPEATED, _REPEATED, _MAYBE_REPEATED, _REPEATED, _REPEATED],
        Place,
        Place.values,
    ),
    null_first=True,
)


def _record(make: Callable[..., Any], **fields: Type) -> Record:
    """A record by its fields, in the order in which `make` takes them."""
    return Record(list(fields), list(fields.values()), make)


_ACT: Final = _record(
    Act,
    at=_NUMBER,
    event_id=_TEXT,
    what=_TEXT,
    by=_TEXT,
    org=_TEXT,
    level=_NUMBER,
    ref=_TEXT,
    sure=_TRUTH,
    start=_NUMBER,
    end=_NUMBER,
    place=_PLACE,
)
_FACTS_3: Final = _record(
    Facts,
    start=_MAYBE_NUMBER,
    start_event=_TEXT,
    place=_PLACE,
    shift_id=_MAYBE_REPEATED,
    outs=Sequence(_NUMBER),
    minutes=_MAYBE_NUMBER,
    date=_MAYBE_NUMBER,
    signed=_TRUTH,
    claimed=_TRUTH,
    requester=_TEXT,
    acts=Sequence(_ACT),
)
_FACTS_4: Final = Record([*_FACTS_3.names, "row"], [*_FACTS_3.types, _TEXT], Facts)
_BEGIN: Final = _record(
    Begin,
    at=_NUMBER,
    event_id=_TEXT,
    heard=_NUMBER,
    place=_PLACE,
    shift_id=_MAYBE_REPEATED,
)
_FACTS: Final = Record(
    [*_FACTS_4.names, "heard", "outs_heard", "begins"],
    [*_FACTS_4.types, _NUMBER, Sequence(_NUMBER), Sequence(_BEGIN)],
    Facts,
    Facts.values,
)
_KIND: Final = Symbol(list(get_args(Kind)))
_PART_4: Final = _record(Part, origin=_TEXT, kind=_KIND, facts=_FACTS_4)
_PART: Final = _record(Part, origin=_TEXT, kind=_KIND, facts=_FACTS)
_SPAN_3: Final = _record(
    _span,
    kind=_KIND,
    id=_TEXT,
    facts=_FACTS_3,
    closed=_TRUTH,
    state=Optional(_STATE, null_first=True),
    reason=_MAYBE_REPEATED,
    policy=_REPEATED,
    moved_to=_PLACE,
    low=_NUMBER,
    high=_NUMBER,
    block=_TRUTH,
    corrected=_TRUTH,
    approved=_NUMBER,
    days=Sequence(_Pair()),
    minutes=Sequence(_Piece()),
)
_SPAN_4: Final = Record(
    [*_SPAN_3.names, "parts"],
    [_FACTS_4 if kind is _FACTS_3 else kind for kind in _SPAN_3.types] + [Sequence(_PART_4)],
    _span,
)
_SPAN: Final = Record(
    [*_SPAN_4.names, "withheld"],
    [_FACTS if kind is _FACTS_3 else kind for kind in _SPAN_3.types]
    + [Sequence(_PART), Sequence(_NUMBER)],
    _span,
    _values,
)
_WORD: Final = _record(
    statements.Word,
    origin=_TEXT,
    what=Symbol(list(get_args(Said))),
    whose=_TEXT,
    at=_NUMBER,
    number=_NUMBER,
    ref=_TEXT,
)
_CASES: Final = Sequence(
    _record(Case, kind=Symbol(list(get_args(CaseKind))), id=_TEXT, words=Sequence(_WORD))
)
_SPANS: Final = Sequence(_SPAN)
_OLDER: Final = {b"\3": Sequence(_SPAN_3), b"\4": Sequence(_SPAN_4)}
"""Forms that are still read."""


def pack_day(page: DayPage) -> bytes:
    """The spans of a day: FORM, then an Avro array of records."""
    return write_whole(_SPANS, FORM, tuple(page.values()))


def unpack_day(value: bytes, day: int) -> DayPage:
    """The inverse of `pack_day`; raises ValueError for a form it does not know."""
    form = _SPANS if value[:1] == FORM else _OLDER.get(value[:1])
    if form is None:
        raise ValueError(f"state page of form {value[:1]!r}, this worker knows {FORM!r}")
    page: DayPage = {}
    for span in cast(tuple[Span, ...], read_whole(form, value, 1)):
        span.day = day
        page[span.key] = span
    return page


def pack_cases(page: CasePage) -> bytes:
    """Some cases: CASE_FORM, then an Avro array of records."""
    return write_whole(_CASES, CASE_FORM, page)


def unpack_cases(value: bytes) -> CasePage:
    """The inverse of `pack_cases`; raises ValueError for a form it does not know."""
    if value[:1] != CASE_FORM:
        raise ValueError(f"page of cases of form {value[:1]!r}, this worker knows {CASE_FORM!r}")
    return cast(CasePage, read_whole(_CASES, value, 1))
