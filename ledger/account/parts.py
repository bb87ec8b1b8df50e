"""The facts of a session or grant that more than one registration of a person spoke of.

After a merge the survivor's account holds, beside its own facts, those that absorbed registrations
handed over, each by itself, so that they can be given back. What counts is their union: one
session_id of one person is one session, whichever registration its ends were recorded under.
"""

from bisect import bisect_left

from ledger.account.acts import Act, key
from ledger.account.heard import joined
from ledger.account.spans import NO_FACTS, Facts, Part, Span
from schemas.posting import Kind
from schemas.times import DAY


def whole(span: Span) -> Facts:
    """The facts that count: the account's own and those handed over, as if all were its own."""
    if not span.parts:
        return span.facts
    if span.kind == "service":
        facts = span.facts
        for part in span.parts:
            facts = union(facts, part.facts)
        return facts
    # Of two grants under one id the account's own stands, else the one that began first.
    begun = [part.facts for part in span.parts if part.facts.start is not None]
    standing = span.facts if span.facts.start is not None or not begun else min(begun, key=_begin)
    return _with_acts(standing, [span.facts, *(part.facts for part in span.parts)])


def union(own: Facts, other: Facts) -> Facts:
    """All that two sets of facts say; of two beginnings the earlier stands, by id on a tie."""
    first = own
    if other.start is not None and (own.start is None or _begin(other) < _begin(own)):
        first = other
    return _with_acts(joined(own, other) if first is own else joined(other, own), [own, other])


def _begin(facts: Facts) -> tuple[int, str]:
    return (0 if facts.start is None else facts.start, facts.start_event)


def _with_acts(standing: Facts, all_facts: list[Facts]) -> Facts:
    acts: dict[tuple[int, str], Act] = {}
    for facts in all_facts:
        for act in facts.acts:
            acts.setdefault(key(act), act)
    together = standing.copy()
    together.acts = tuple([acts[each] for each in sorted(acts)])
    return together


def said_anything(facts: Facts) -> bool:
    """Has anybody said anything of the span under this registration?"""
    return facts.start is not None or len(facts.outs) > 0 or len(facts.acts) > 0


def day_of(facts: Facts, otherwise: int) -> int:
    """The UTC day that facts lie on: of their start, else of the first that was said."""
    if facts.start is not None:
        return facts.start // DAY
    if facts.outs:
        return facts.outs[0] // DAY
    return facts.acts[0].at // DAY if facts.acts else otherwise


def with_part(span: Span, origin: str, kind: Kind, facts: Facts) -> Span:
    """A copy of the span that an origin's facts were added to."""
    new = span.copy()
    at = bisect_left(span.parts, origin, key=_origin)
    before = span.parts[at : at + 1] if _holds(span, origin, at) else ()
    known = before[0].facts if before else NO_FACTS
    part = Part(origin, kind, union(known, facts))
    new.parts = (*span.parts[:at], part, *span.parts[at + len(before) :])
    return _of_kind(new)


def without_part(span: Span, origin: str) -> Span | None:
    """A copy of the span without an origin's facts; None if it has none of them."""
    at = bisect_left(span.parts, origin, key=_origin)
    if not _holds(span, origin, at):
        return None
    new = span.copy()
    new.parts = (*span.parts[:at], *span.parts[at + 1 :])
    return _of_kind(new)


def _holds(span: Span, origin: str, at: int) -> bool:
    return at < len(span.parts) and span.parts[at].origin == origin


def _origin(part: Part) -> str:
    return part.origin


def _of_kind(span: Span) -> Span:
    """A grant is of the kind of what stands of it."""
    begun = [part for part in span.parts if part.facts.start is not None]
    if span.kind != "service" and span.facts.start is None and begun:
        span.kind = min(begun, key=_part_begin).kind
    return span


def _part_begin(part: Part) -> tuple[int, str]:
    return _begin(part.facts)
