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
from ledger import rules
from ledger.account import account, acts, heard, record, spans
from ledger.account.account import Account
from ledger.account.spans import Span
from ledger.catalogue import catalogue, policy
from ledger.catalogue.workdays import Workdays
from ledger.hours import (
    admission,
    bounds,
    clock,
    decisions,
    entries,
    lateness,
    presence,
    rating,
    results,
    settling,
)
from schemas.events import CheckedIn, HoursGranted
from schemas.posting import Line
from schemas.times import DAY, MINUTE
from tests.drawn.histories import Arrival, log, words
from tests.drawn.strategies import (
    KNOWN,
    changed_later,
    disputes,
    entered,
    first_mornings,
    histories,
    left_open,
    long_nights,
    midnights,
)
from tests.reference.model import check

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


def _no_dedupe(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "lookup_key", lambda own, key: None)


def _higher_id_wins(span: Span) -> tuple[object, ...]:
    return (span.state != "effective", span.low, [-ord(letter) for letter in span.id],
            span.kind != "service")  # fmt: skip


def _later_start_wins(span: Span) -> tuple[object, ...]:
    return (span.state != "effective", -span.low, span.id, span.kind != "service")


def _grant_first(span: Span) -> tuple[object, ...]:
    return (span.state != "effective", span.low, span.id, span.kind == "service")


def _held_first_come(span: Span) -> tuple[object, ...]:
    return (False, span.low, span.id, span.kind != "service")


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


def _only_the_span_itself_is_rated(own: Account, old: Span | None, new: Span, known: Any) -> Any:
    changes, lost = rating_rated(own, old, new, known)
    return changes[:1], lost


def _last_check_out(start: int | None, outs: Any) -> int | None:
    return max((out for out in outs if start is not None and out >= start), default=None)


def _any_check_out(start: int | None, outs: Any) -> int | None:
    """The first check-out ends the session, a later check-in or not."""
    return None if start is None or not outs else int(outs[0])


def _balance_of_all_lines(own: Account, line: Line) -> None:
    key = (line.kind, line.state)
    own.totals[key] = own.totals.get(key, 0) + line.minutes
    own.balance_minutes += line.minutes


def _own_approval_is_enough(own: Account, event: HoursGranted, at: int, known: Any) -> Any:
    second = event.approver and replace(event.approver, id="somebody-else")
    return entries_grant(own, replace(event, approver=second), at, known)


def _evidence_is_not_asked(own: Account, event: HoursGranted, at: int, known: Any) -> Any:
    return entries_grant(own, replace(event, evidence=("x",)), at, known)


def _closing_credits(own: Account, span: Span) -> Any:
    start = span.facts.start
    if start is None or span.facts.place is None:
        return clock_closed(own, span)
    end = start + 60 * MINUTE
    paid = span.copy()
    paid.facts = replace(span.facts, outs=(end,))
    paid.place, paid.low, paid.high = span.facts.place, start, end
    paid.state, paid.policy = "effective", "default@0"
    paid.days = ((start, start // (1440 * MINUTE)),)
    rating.set_due(own, span.key, None)
    _, lines, _ = rating.credit(own, span, paid, catalogue.Catalogue())
    return "held", "no_check_out", lines


def _first_arrival_stands(span: Span, at: int, event_id: str) -> bool:
    return span.facts.start is not None


def _nothing_taken_back(old: Span | None, new: Span) -> Any:
    return (each for each in spans_differences(old, new) if each[2] > 0)


def _attended_for_ever(own: Account, old: Span | None, new: Span) -> None:
    rating_count_project(own, None, new)


def _sequence_skips_copies(own: Account, record: Any, known: Any, index: int, result: Any) -> Any:
    made = rules_posting(own, record, known, index, result)
    if made.outcome == "duplicate":
        own.sequence -= 1
    return made


def _check_in_moves_place(own: Account, event: CheckedIn, recorded_at: int, known: Any) -> Any:
    """The latest check-in says where, the earliest when."""
    result = presence_check_in(own, event, recorded_at, known)
    span = account.span_of(own, "service", event.session_id)
    if span is not None and span.facts.start is not None and span.facts.end is None:
        moved = span.copy()
        moved.facts = replace(span.facts, place=results.place_of(event))
        account.put(own, span, moved)
    return result


def _acts_count_as_they_arrive(told: Any, act: Any) -> Any:
    return (*told, act)


def _each_piece_alone(span: Span, served: int, known: Any) -> Any:
    return rating_tier(span, max((m for _, m, _ in span.minutes), default=0), known)


def _one_approval_for_all(span: Span, served: int, known: Any) -> Any:
    return "effective" if span.approved else rating_tier(span, served, known)


def _without(what: str, instead: str) -> Callable[..., Any]:
    """An act of one kind is taken for one of another."""

    def act_of(event: Any, volunteer_id: str) -> Any:
        act = decisions_act_of(event, volunteer_id)
        return replace(act, what=instead) if act.what == what else act

    return act_of


def _gate_passes(*reasons: str) -> Callable[..., Any]:
    """The gate lets through what it should hold for one of these reasons."""

    def gate(case: Any, known: Any) -> Any:
        state, reason = settling_gate(case, known)
        return ("effective", None) if reason in reasons else (state, reason)

    return gate


def _requester_may_decide(told: Any, requester: str) -> Any:
    return Court(told, "nobody")


def _one_person_for_both(self: Any, act: Any) -> Any:
    """Whoever asked, voided or appealed decides about it, too."""
    return court_hear(self, replace(act, by="somebody-else"))


def _whoever_asked_corrects(self: Any, act: Any) -> Any:
    return court_correct(self, replace(act, by="somebody-else"))


def _only_the_end_is_corrected(event: Any, recorded_at: int, known: Any) -> Any:
    if isinstance(event, CheckedIn):
        return event.occurred_at, None
    return lateness_happened_at(event, recorded_at, known)


def _approved_as_it_is_now(facts: Any, now: Any) -> Any:
    return facts, max([level for _, level in now.approvals], default=0), False


def _the_first_that_was_heard(facts: Any, until: int) -> Any:
    begins = [begin.heard for begin in facts.begins]
    return heard_heard_by(facts, min([until, *begins]) if begins else until)


class _Held(str):
    """A state that is not known for a rejection while the day is added up."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return other != "rejected" and str.__eq__(self, str(other))

    __hash__ = str.__hash__


def _rejection_fills_the_day(span: Span, served: int, known: Any) -> Any:
    return _Held(rating_tier(span, served, known))


def _rejection_of_pieces_is_lost(span: Span, served: int, known: Any) -> Any:
    bare = span.copy()
    bare.withheld = ()
    return rating_tier(bare, served, known)


def _skew_by_utc(site_id: str | None, recorded_at: int, known: Any) -> int:
    return int(known.default_policy(recorded_at // DAY).max_clock_skew_minutes) * MINUTE


def _delay_is_corrected(at: int, sent_at: int | None, recorded_at: int, skew: int) -> Any:
    if sent_at is None or abs(sent_at - recorded_at) <= skew:
        return at, None
    return at - sent_at + recorded_at, "clock_corrected"


def _row_taken_twice(event: Any) -> str:
    return f"i/{event.event_id}"


def _training_counts(own: Account, line: Line) -> None:
    rating_add(own, line)
    if line.kind == "training" and line.state == "effective":
        own.balance_minutes += line.minutes


spans_share_of = spans.share_of
spans_whole_minutes = spans.whole_minutes
spans_differences = spans.differences
entries_grant = entries.grant
presence_check_in = presence.check_in
rules_posting = results.posting
clock_closed = clock._closed
heard_heard_by = heard.heard_by
rating_count_project = rating._count_project
rating_rated = rating._rated
rating_tier = rating._tier
rating_add = rating._add
decisions_act_of = decisions.act_of
settling_gate = settling._gate
lateness_happened_at = lateness.happened_at
Court = acts.Court
court_hear = Court._hear
court_correct = Court._correct
Catalogue = catalogue.Catalogue
offset_micros = Catalogue.offset_micros

BUGS: dict[str, Plant] = {
    "no dedupe": _no_dedupe,
    "a conflict passes as a copy": everywhere(
        rules._seen_before, lambda same: ("duplicate", "duplicate_event", ())
    ),
    "a tie goes to the higher id": everywhere(spans.rank, _higher_id_wins),
    "a tie goes to the grant": everywhere(spans.rank, _grant_first),
    "the later start keeps the minute": everywhere(spans.rank, _later_start_wins),
    "held spans take time from effective ones": everywhere(spans.rank, _held_first_come),
    "overlap counts twice": everywhere(spans.share_of, _ignore_overlap),
    "touching counts as overlap": everywhere(spans.share_of, _touching_overlaps),
    "minutes do not come back to the loser": everywhere(
        rating._rated, _only_the_span_itself_is_rated
    ),
    "overlap is sought within the same day": everywhere(
        # Where there are tiers, two days more at each side are looked at.
        spans.days_between, lambda low, high: range(low // (1440 * MINUTE) + 2,
                                                    low // (1440 * MINUTE) - 1)
    ),
    "seconds are floored each day": everywhere(spans.whole_minutes, _floor_each_day),
    "minutes are rounded up": everywhere(spans.whole_minutes, _round_up),
    "days end at midnight UTC": method(Catalogue, "offset_micros", lambda self, site, at: 0),
    "days end at midnight in China everywhere": method(
        Catalogue, "offset_micros", lambda self, site, at: offset_micros(self, None, at)
    ),
    "a void is ignored": everywhere(decisions.act_of, _without("void", "dismiss")),
    "a late fact is paired": everywhere(lateness.is_late, lambda *_: False),
    "the last check-out stands": everywhere(spans.end_of, _last_check_out),
    "a check-out pairs with a later check-in": everywhere(spans.end_of, _any_check_out),
    "the check-in that arrives first stands": everywhere(presence.stands, _first_arrival_stands),
    "the latest check-in says where": everywhere(presence.check_in, _check_in_moves_place),
    "the balance includes what is held": everywhere(rating._add, _balance_of_all_lines),
    "a requester may approve": everywhere(entries.grant, _own_approval_is_enough),
    "a grant needs no evidence": everywhere(entries.grant, _evidence_is_not_asked),
    "closing an open session credits": everywhere(clock._closed, _closing_credits),
    "an unknown activity counts": method(Catalogue, "knows", lambda self, place: True),
    "a release never comes": everywhere(clock._released, lambda *_: None),
    "the newest policy rules every day": method(
        Catalogue,
        "_version",
        lambda self, name, day: next(
            iter(reversed(self.policies.get(name, ()))),
            policy.BUILT_IN if name == "default" else None,
        ),
    ),
    "what happens in the future is admitted": everywhere(
        admission._in_the_future, lambda *_: None
    ),
    "nothing is taken back": everywhere(spans.differences, _nothing_taken_back),
    "who attended once has attended for ever": everywhere(
        rating._count_project, _attended_for_ever
    ),
    "acts count in the order in which they arrive": everywhere(
        acts.with_act, _acts_count_as_they_arrive
    ),
    "a long day needs nobody's approval": everywhere(rating._tier, lambda *_: "effective"),
    "a tier looks at each piece alone": everywhere(rating._tier, _each_piece_alone),
    "any approval is enough for any tier": everywhere(rating._tier, _one_approval_for_all),
    "a reinstatement does nothing": everywhere(
        decisions.act_of, _without("reinstate", "dismiss")
    ),
    "a correction changes nothing": everywhere(decisions.act_of, _without("correct", "refuse")),
    "an upheld appeal restores nothing": everywhere(
        decisions.act_of, _without("uphold", "dismiss")
    ),
    "a rejection does nothing": everywhere(decisions.act_of, _without("reject", "dismiss")),
    "a re-rating does nothing": everywhere(decisions.act_of, _without("rerate", "dismiss")),
    "what is open is closed by its project's policy all the same": everywhere(
        results.open_policy,
        lambda facts, place, start, known: lateness.policy_at(
            place.project_id, place.site_id, start, known
        ),
    ),
    "a claim counts by itself": everywhere(settling._gate, _gate_passes("awaiting_organiser")),
    "a walk-in counts by itself": everywhere(settling._gate, _gate_passes("not_on_roster")),
    "a child serves without consent": everywhere(
        settling._gate, _gate_passes("guardian_consent_missing")
    ),
    "the over-long are never reviewed": everywhere(settling._gate, _gate_passes("over_max_open")),
    "what was rejected counts": everywhere(settling._gate, _gate_passes("rejected")),
    "who asks decides": everywhere(acts.Court, _requester_may_decide),
    "who decided hears the appeal": method(Court, "_hear", _one_person_for_both),
    "who wants a correction decides it": method(Court, "_correct", _whoever_asked_corrects),
    "anybody decides": everywhere(settling.entitled, lambda *_: True),
    "anybody enters hours in anybody's name": method(
        Catalogue, "speaks_for", lambda self, actor, org_id: True
    ),
    "anybody records afterwards": method(Catalogue, "may_record", lambda *_: True),
    "a wrong clock is believed": everywhere(
        lateness.happened_at, lambda event, *_: (event.occurred_at, None)
    ),
    "a delay is taken for a slow clock": everywhere(lateness.by_clock, _delay_is_corrected),
    "what ends at midnight ends the next day": method(
        Catalogue, "last_day", lambda self, site, start, end: self.local_day(site, end)
    ),
    "what comes after an approval is approved, too": everywhere(
        heard.as_approved, _approved_as_it_is_now
    ),
    "an approval is of the session that came first": everywhere(
        heard.heard_by, _the_first_that_was_heard
    ),
    "a tier's rejection is of the whole session": everywhere(settling.tiers_of, lambda _: ()),
    "a rejected piece fills the day": everywhere(rating._tier, _rejection_fills_the_day),
    "what a tier rejects stays held": everywhere(rating._tier, _rejection_of_pieces_is_lost),
    "a version begins at midnight UTC": everywhere(lateness.skew_micros, _skew_by_utc),
    "a second try is another event": everywhere(record.unsent, lambda event: event),
    "a wrong clock is mended at one end": everywhere(
        lateness.happened_at, _only_the_end_is_corrected
    ),
    "nothing is ever recorded late": everywhere(lateness.lateness, lambda *_: None),
    "a year without a calendar is guessed": method(Workdays, "knows", lambda *_: True),
    "every day is a working day": method(Workdays, "works", lambda *_: True),
    "time outside the shift counts": everywhere(settling._shift, lambda *_: None),
    "an imported row counts each time it comes": everywhere(bounds.row_key, _row_taken_twice),
    "of rows that read alike one counts": everywhere(bounds.batch_key, _row_taken_twice),
    "learning counts as service": everywhere(rating._add, _training_counts),
    "copies have no sequence": everywhere(results.posting, _sequence_skips_copies),
}  # fmt: skip


SOUGHT_IN = {
    "what comes after an approval is approved, too": changed_later,
    "an approval is of the session that came first": changed_later,
    "a tier's rejection is of the whole session": long_nights,
    "a rejected piece fills the day": long_nights,
    "what a tier rejects stays held": long_nights,
    "a version begins at midnight UTC": first_mornings,
    "what ends at midnight ends the next day": midnights,
    "a correction changes nothing": disputes,
    "who decided hears the appeal": disputes,
    "who wants a correction decides it": disputes,
    "nothing is ever recorded late": entered,
    "every day is a working day": entered,
    "a year without a calendar is guessed": entered,
    "what is open is closed by its project's policy all the same": left_open,
}
"""Bugs that a history of everything meets too seldom."""


def found_wrong(history: list[Arrival]) -> bool:
    """Does the reference disagree with what the core makes of a history?"""
    records = log(*KNOWN, *history)
    return check(records, ledger.replay.replay(records).postings) != []


def search(bug: str) -> list[Arrival] | None:
    """The first made-up history that the core gets wrong, None if it gets all right."""
    sought_in = SOUGHT_IN[bug] if bug in SOUGHT_IN else histories()
    try:
        return find(sought_in, found_wrong, settings=SEARCH, random=Random(SEED))
    except NoSuchExample:
        return None


@pytest.mark.parametrize("bug", BUGS)
def test_the_reference_finds_the_planted_bug(bug: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        BUGS[bug](patch)
        history = search(bug)
    assert history is not None, f"{bug!r} survived {TRIES} histories of seed {SEED}"
    assert not found_wrong(history), f"the core gets this wrong without a bug:\n{words(history)}"
