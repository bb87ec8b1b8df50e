"""What was said of a case: an evaluation, a star applied for, a commendation, a redemption, a
certificate (docs/rules.md, sections 10 to 12).

A case is the set of words about it, each kept under the registration it was said under, its
*origin*. What stands follows from the set, so words that a merge brings together, and an unmerge
parts again, need no order.
"""

from dataclasses import dataclass
from typing import Final

from schemas.events import CaseKind, Said

EVALUATION: Final[CaseKind] = "evaluation"
COMMENDATION: Final[CaseKind] = "commendation"
REDEMPTION: Final[CaseKind] = "redemption"
CERTIFICATE: Final[CaseKind] = "certificate"
STAR: Final[CaseKind] = "star"

OPEN: Final[Said] = "open"
BACK: Final[Said] = "back"
APPROVE: Final[Said] = "approve"
REJECT: Final[Said] = "reject"


@dataclass(frozen=True, slots=True)
class Word:
    """One thing said: the case was opened, taken back, approved or rejected.

    `whose` is who answers for it: an organisation, an organisation in a project, or for a star
    applied for whoever applied. `number` is the points of a redemption or the star, `ref` the
    benefit or the year of a star. `at` is when it was said.
    """

    origin: str
    what: Said
    whose: str
    at: int
    number: int = 0
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A case and all words about it, sorted; without any it is only a name that was asked for."""

    kind: CaseKind
    id: str
    words: tuple[Word, ...] = ()


Standing = tuple[str, int]
"""What a case counts towards, and how much."""


def opened(case: Case) -> Word | None:
    """What opened a case; where two registrations did so by accident, the earlier stands."""
    found = None
    for word in case.words:
        if word.what == OPEN and (
            found is None or (word.at, word.origin) < (found.at, found.origin)
        ):
            found = word
    return found


def is_back(case: Case, whose: str) -> bool:
    """Have they taken it back?"""
    return (BACK, whose) in [(word.what, word.whose) for word in case.words]


def decision(case: Case) -> Word | None:
    """The latest decision; of two of one microsecond the rejection counts."""
    found = None
    for word in case.words:
        if word.what in (APPROVE, REJECT) and (found is None or later(word, found)):
            found = word
    return found


def later(word: Word, other: Word) -> bool:
    """Does a decision stand before another one?"""
    return (word.at, word.what == REJECT) > (other.at, other.what == REJECT)


def is_awarded(case: Case) -> bool:
    """Does an approval stand?"""
    last = decision(case)
    return last is not None and last.what == APPROVE


def standing(case: Case) -> Standing | None:
    """What a case counts towards as it stands: a key of the account's and a number."""
    first = opened(case)
    if first is None or is_back(case, first.whose):
        return None
    if case.kind == REDEMPTION:
        return SPENT, first.number
    if case.kind == EVALUATION:
        return evaluated(first.whose), 1
    if case.kind == STAR:
        last = decision(case)
        if last is None or last.what == APPROVE:
            return starred(first.number, last is not None), 1
    return None


SPENT: Final = "pt"
"""Counts the points that are redeemed and not returned."""


def evaluated(whose: str) -> str:
    """Counts the evaluations by an organisation in a project that stand."""
    return "v/" + whose


def starred(star: int, awarded: bool) -> str:
    """Counts the applications for a star that are awarded, or wait."""
    return f"st/{star}" if awarded else f"sw/{star}"


def said_by(case: Case, origin: str) -> tuple[Word, ...]:
    """What was said of a case under one registration."""
    return tuple([word for word in case.words if word.origin == origin])


def with_words(case: Case, words: tuple[Word, ...]) -> Case:
    """A case with words added; the case itself if it has them all.

    Of one origin's openings the earlier is kept, and of its decisions the latest.
    """
    kept = list(case.words)
    for word in words:
        same = [other for other in kept if other.origin == word.origin and _alike(word, other)]
        if not same:
            kept.append(word)
        elif _goes_before(word, same[0]):
            kept[kept.index(same[0])] = word
    kept.sort(key=_order)
    return case if tuple(kept) == case.words else Case(case.kind, case.id, tuple(kept))


def without_origin(case: Case, origin: str) -> Case:
    """A case without what was said under a registration; the case itself if that is nothing."""
    kept = tuple([word for word in case.words if word.origin != origin])
    return case if kept == case.words else Case(case.kind, case.id, kept)


def _alike(word: Word, other: Word) -> bool:
    """Is there room for one of the two alone?"""
    if word.what == BACK:
        return other.what == BACK and other.whose == word.whose
    return (word.what == OPEN) == (other.what == OPEN) and other.what != BACK


def _goes_before(word: Word, other: Word) -> bool:
    if word.what in (APPROVE, REJECT):
        return later(word, other)
    return word.at < other.at


def _order(word: Word) -> tuple[str, str, str]:
    return word.origin, word.what, word.whose
