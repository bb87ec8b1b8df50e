"""Bugs planted in the core on purpose: the reference must find every one, else it proves nothing.

Each bug replaces one small function of `ledger` in every module that uses it. Then made-up
histories are judged until one is found wrong; a bug that survives them all fails its test.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis.errors import NoSuchExample

import ledger.replay  # every module of the core is loaded before a bug is planted
from ledger import account, admission, catalogue, clock, rating, rules, spans
from ledger.account import Account
from ledger.spans import Span
from schemas.events import CheckedIn, HoursGranted
from schemas.posting import Line
from schemas.times import MINUTE
from tests.histories import Arrival, log, words
from tests.model import check
from tests.strategies import KNOWN, histories

pytestmark = pytest.mark.skipif(
    not rules.__file__.endswith(".py"),
    reason="bugs are planted in plain Python; `make test` runs this folder so, too",
)

SEED = 20250301
TRIES = 4_000
SEARCH = settings(
    max_examples=TRIES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

Plant = Callable[[pytest.MonkeyPatch], None]


def everywhere(original: Callable[..., Any], bug: Callable[..., Any]) -> Plant:
    """Plant a bug in the place of a function, in each module of the core that imported it."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        for name, module in list(sys.modules.items()):
            if name.startswith("ledger.") and getattr(module, original.__name__, None) is original:
                patch.setattr(module, original.__name__, bug)

    return plant


def method(owner: type, name: str, bug: Callable[..., Any]) -> Plant:
    """Plant a bug in the place of a method."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(owner, name, bug)

    return plant


def _no_dedupe(own: Account, text: str) -> int | None:
    return None if text.startswith("e/") else account_lookup(own, text)


def _higher_id_wins(span: Span) -> tuple[object, ...]:
    return (span.state != "effective", span.start, [-ord(letter) for letter in span.id],
            span.kind == "manual")  # fmt: skip


def _later_start_wins(span: Span) -> tuple[object, ...]:
    return (span.state != "effective", -(span.start or 0), span.id, span.kind == "manual")


def _grant_first(span: Span) -> tuple[object, ...]:
    return (span.state != "effective", span.start, span.id, span.kind != "manual")


def _held_first_come(span: Span) -> tuple[object, ...]:
    return (False, span.start, span.id, span.kind == "manual")


def _floor_each_day(pieces: Any, days: Any) -> Any:
    pieces = list(pieces)
    until = [*(at for at, _ in days[1:]), 2**62]
    minutes: dict[int, int] = {}
    for (begin, day), end in zip(days, until, strict=True):
        inside = [(max(low, begin), min(high, end)) for low, high in pieces]
        time = sum(high - low for low, high in inside if low < high)
        minutes[day] = minutes.get(day, 0) + time // MINUTE
    return tuple(sorted(minutes.items()))


def _round_up(pieces: Any, days: Any) -> Any:
    return spans_whole_minutes([(low, -(-high // MINUTE) * MINUTE) for low, high in pieces], days)


def _ignore_overlap(span: Span, covers: Any) -> Any:
    return spans_share_of(span, ())


def _touching_overlaps(span: Span, covers: Any) -> Any:
    """A span that touches an earlier one is cut by a minute, as with closed intervals."""
    touching: list[tuple[int, int]] = []
    for low, high in covers:
        touching = spans.joined(touching, low, high + MINUTE)
    return spans_share_of(span, touching)


def _only_the_span_itself(own: Account, old: Span | None, new: Span) -> Any:
    changes, lost = rating_rated(own, old, new)
    return changes[:1], lost


def _void_is_ignored(span: Span, known: Any) -> Span:
    return spans_settled(replace(span, voided=False), known)


def _last_check_out(start: int | None, outs: Any) -> int | None:
    return max((out for out in outs if start is not None and out >= start), default=None)


def _any_check_out(start: int | None, outs: Any) -> int | None:
    """The first check-out ends the session, a later check-in or not."""
    return None if start is None or not outs else int(outs[0])


def _balance_of_all_lines(own: Account, line: Line) -> None:
    key = (line.kind, line.state)
    own.totals[key] = own.totals.get(key, 0) + line.minutes
    own.balance_minutes += line.minutes


def _own_approval_is_enough(own: Account, event: HoursGranted, known: Any) -> Any:
    second = event.approver and replace(event.approver, id="somebody-else")
    return rules_grant(own, replace(event, approver=second), known)


def _evidence_is_not_asked(own: Account, event: HoursGranted, known: Any) -> Any:
    return rules_grant(own, replace(event, evidence=("x",)), known)


def _closing_credits(own: Account, span: Span) -> Any:
    if span.start is None:
        return clock_closed(own, span)
    end = span.start + 60 * MINUTE
    days = ((span.start, span.start // (1440 * MINUTE)),)
    paid = replace(span, end=end, outs=(end,), state="effective", policy="default@0", days=days)
    rating.set_due(own, span.key, None)
    _, lines, _ = rating.credit(own, span, paid)
    return "held", "no_check_out", lines


def _first_arrival_stands(span: Span, at: int, event_id: str) -> bool:
    return span.start is not None


def _nothing_taken_back(old: Span | None, new: Span) -> Any:
    return ((span, day, minutes) for span, day, minutes in spans_differences(old, new)
            if minutes > 0)  # fmt: skip


def _attended_for_ever(own: Account, old: Span | None, new: Span) -> None:
    rating_count_project(own, None, new)


def _sequence_skips_copies(own: Account, record: Any, known: Any, index: int, result: Any) -> Any:
    made = rules_posting(own, record, known, index, result)
    if made.outcome == "duplicate":
        own.sequence -= 1
    return made


def _check_in_moves_place(own: Account, event: CheckedIn, recorded_at: int, known: Any) -> Any:
    """The latest check-in says where, the earliest when."""
    result = rules_check_in(own, event, recorded_at, known)
    span = account.span_of(own, "service", event.session_id)
    if span is not None and span.start is not None and span.end is None:
        account.put(own, span, replace(span, place=rules.place_of(event)))
    return result


account_lookup = account.lookup
spans_share_of = spans.share_of
spans_whole_minutes = spans.whole_minutes
spans_settled = spans.settled
spans_differences = spans.differences
rules_grant = rules._grant
rules_check_in = rules._check_in
rules_posting = rules.posting
clock_closed = clock._closed
rating_count_project = rating._count_project
rating_rated = rating._rated
Catalogue = catalogue.Catalogue
offset_micros = Catalogue.offset_micros

BUGS: dict[str, Plant] = {
    "no dedupe": everywhere(account.lookup, _no_dedupe),
    "a conflict passes as a copy": everywhere(
        rules._seen_before, lambda same: ("duplicate", "duplicate_event", ())
    ),
    "a tie goes to the higher id": everywhere(spans.rank, _higher_id_wins),
    "a tie goes to the grant": everywhere(spans.rank, _grant_first),
    "the later start keeps the minute": everywhere(spans.rank, _later_start_wins),
    "held spans take time from effective ones": everywhere(spans.rank, _held_first_come),
    "overlap counts twice": everywhere(spans.share_of, _ignore_overlap),
    "touching counts as overlap": everywhere(spans.share_of, _touching_overlaps),
    "minutes do not come back to the loser": everywhere(rating._rated, _only_the_span_itself),
    "overlap is sought within the same day": everywhere(
        spans.days_between, lambda low, high: range(low // (1440 * MINUTE),
                                                    low // (1440 * MINUTE) + 1)
    ),
    "seconds are floored each day": everywhere(spans.whole_minutes, _floor_each_day),
    "minutes are rounded up": everywhere(spans.whole_minutes, _round_up),
    "days end at midnight UTC": method(Catalogue, "offset_micros", lambda self, site, at: 0),
    "days end at midnight in China everywhere": method(
        Catalogue, "offset_micros", lambda self, site, at: offset_micros(self, None, at)
    ),
    "a void is ignored": everywhere(spans.settled, _void_is_ignored),
    "a late fact is paired": everywhere(rules.is_late, lambda *_: False),
    "the last check-out stands": everywhere(spans.end_of, _last_check_out),
    "a check-out pairs with a later check-in": everywhere(spans.end_of, _any_check_out),
    "the check-in that arrives first stands": everywhere(rules._stands, _first_arrival_stands),
    "the latest check-in says where": everywhere(rules._check_in, _check_in_moves_place),
    "the balance includes what is held": everywhere(rating._add, _balance_of_all_lines),
    "a requester may approve": everywhere(rules._grant, _own_approval_is_enough),
    "a grant needs no evidence": everywhere(rules._grant, _evidence_is_not_asked),
    "closing an open session credits": everywhere(clock._closed, _closing_credits),
    "an unknown activity counts": method(Catalogue, "knows", lambda self, place: True),
    "a release never comes": everywhere(clock._released, lambda *_: None),
    "the newest policy rules every day": method(
        Catalogue,
        "_version",
        lambda self, name, day: next(
            iter(reversed(self.policies.get(name, ()))),
            catalogue.BUILT_IN if name == "default" else None,
        ),
    ),
    "what happens in the future is admitted": everywhere(
        admission._in_the_future, lambda *_: None
    ),
    "nothing is taken back": everywhere(spans.differences, _nothing_taken_back),
    "who attended once has attended for ever": everywhere(
        rating._count_project, _attended_for_ever
    ),
    "copies have no sequence": everywhere(rules.posting, _sequence_skips_copies),
}  # fmt: skip


def found_wrong(history: list[Arrival]) -> bool:
    """Does the reference disagree with what the core makes of a history?"""
    records = log(*KNOWN, *history)
    return check(records, ledger.replay.replay(records).postings) != []


def search() -> list[Arrival] | None:
    """The first made-up history that the core gets wrong, None if it gets all right."""
    try:
        return find(histories(), found_wrong, settings=SEARCH, random=Random(SEED))
    except NoSuchExample:
        return None


@pytest.mark.parametrize("bug", BUGS)
def test_the_reference_finds_the_planted_bug(bug: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        BUGS[bug](patch)
        history = search()
    assert history is not None, f"{bug!r} survived {TRIES} histories of seed {SEED}"
    assert not found_wrong(history), f"the core gets this wrong without a bug:\n{words(history)}"
