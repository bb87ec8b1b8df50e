"""What waits, as the ledger's own accounts remember it."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from ledger.account.acts import Court
from ledger.account.spans import Span
from ledger.hours.settling import HELD, WAITS

HELD_STATES = ("held_org", "held_province", "held_review")


def waits(who: str, span: Span) -> Iterator[tuple[str, str, str, str, int]]:
    """What the ledger itself remembers of a span that waits: id, reason, state, minutes."""
    states = Counter[str]()
    for _, minutes, state in span.minutes:
        states[state] += minutes
    pushed = {"held_org": "over_org_tier", "held_province": "over_province_tier",
              "held_review": "over_day_cap"}  # fmt: skip
    for held in HELD_STATES:
        if states[held]:
            reason = span.reason if span.reason in HELD - {"changed_after_decision"} else None
            yield who, span.id, reason or pushed[held], held, states[held]
    if span.reason == "changed_after_decision" or span.reason == "over_max_session":
        yield who, span.id, span.reason, "", 0
    elif span.reason is None and span.state is None:
        if span.facts.start is None and span.facts.outs:
            yield who, span.id, "no_check_in" if span.closed else "awaiting_check_in", "", 0
        elif span.facts.start is not None and span.closed:
            yield who, span.id, "no_check_out", "", 0
    court = Court(span.facts.acts, span.facts.requester)
    decided = {(act.what, act.ref) for act in span.facts.acts}
    for ref in court.asks:
        if not decided & {("correct", ref), ("refuse", ref)}:
            yield who, span.id, "awaiting_decision", ref, 0
    for ref in court.appeals:
        if not decided & {("uphold", ref), ("dismiss", ref)}:
            yield who, span.id, "awaiting_decision", ref, 0
    for act in span.facts.acts:
        if act.event_id in court.waiting:
            yield who, span.id, "awaiting_request", act.ref, 0


def by_cause(found: Counter[Any]) -> Counter[Any]:
    """With one name for all reasons that the catalogue may take away: a tick that finds another of
    them moves no minute, so its posting does not say of which session (docs/decisions/0014)."""
    told: Counter[Any] = Counter()
    for (who, span_id, reason, *rest), count in found.items():
        told[who, span_id, "the catalogue" if reason in WAITS else reason, *rest] += count
    return told
