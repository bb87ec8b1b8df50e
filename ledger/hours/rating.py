"""Keeping a span: its minutes, its neighbours' minutes, the lines that follow, the totals."""

from typing import Final

from ledger.account.account import Account, lookup_key, put, remember_key, spans_on
from ledger.account.acts import ORG, PROVINCE
from ledger.account.index import key_of
from ledger.account.parts import day_of, whole
from ledger.account.spans import (
    Minutes,
    Span,
    days_between,
    differences,
    joined,
    line,
    overlap,
    rank,
    share_of,
    whole_minutes,
)
from ledger.catalogue.catalogue import Catalogue
from schemas.posting import Line, State
from schemas.times import MINUTE

Change = tuple[Span | None, Span]
"""A span before and after."""

DAY_MINUTES: Final = 1440


def credit(
    account: Account, old: Span | None, new: Span, catalogue: Catalogue
) -> tuple[Span, tuple[Line, ...], int]:
    """Keep the new version of a span and give it and all it bears on their minutes.

    Returns the span with its minutes, the differences as lines (totals follow them), and the
    microseconds of the span that others keep.
    """
    if account.lent_to:
        return _kept(account, old, new), (), 0
    changes, lost = _rated(account, old, new, catalogue)
    _count_project(account, old, new)
    lines: list[Line] = []
    for before, after in changes:
        put(account, before, after)
        for span, day, minutes, state in differences(before, after):
            lines.append(line(len(lines), span, day, minutes, state))
            _add(account, lines[-1])
    return changes[0][1], tuple(lines), lost


def uncredit(account: Account, span: Span) -> tuple[Line, ...]:
    """Take back all that a span credits; its facts stay."""
    bare = _kept(account, span, span)
    _count_project(account, span, bare)
    lines: list[Line] = []
    for each, day, minutes, state in differences(span, bare):
        lines.append(line(len(lines), each, day, minutes, state))
        _add(account, lines[-1])
    return tuple(lines)


def _kept(account: Account, old: Span | None, new: Span) -> Span:
    """Keep the facts of a span and nothing that follows from them: somebody else counts it."""
    bare = Span(new.kind, new.id, day_of(whole(new), new.day), new.facts, parts=new.parts)
    put(account, old, bare)
    return bare


def _add(account: Account, line: Line) -> None:
    key = (line.kind, line.state)
    account.totals[key] = account.totals.get(key, 0) + line.minutes
    if line.state == "effective" and line.kind != "training":
        account.balance_minutes += line.minutes


def _rated(
    account: Account, old: Span | None, new: Span, catalogue: Catalogue
) -> tuple[list[Change], int]:
    """The new version of a span and every neighbour whose minutes it changes, before and after;
    and the microseconds of the new version that others keep.
    """
    here = [span for span in (old, new) if span is not None and span.state is not None]
    if not here:
        return [(old, new)], 0
    low, high = min(s.low for s in here), max(s.high for s in here)
    pages = days_between(low, high)
    if not (
        catalogue.tiered
        or any(span.block for span in here)
        or _anybody_bears(account, new, pages, low, high)
    ):
        return [(old, _alone(new))], 0
    # What overlaps those that overlap, and whoever has minutes on the same civil days.
    wide = range(pages.start - 2, pages.stop + 2)
    near = [s for s in spans_on(account, wide, but=new.key) if s.state is not None]
    shares, lost = _shares(near, old, new, low, high)
    days = {day for span in here for _, day in span.days}
    days.update(day for s in near if s.key in shares for _, day in s.days)
    states = _states(near, new, shares, days, catalogue)
    changes: list[Change] = [(old, _with_minutes(new, _minutes(new, shares, states)))]
    for span in near:
        minutes = _minutes(span, shares, states)
        if minutes != span.minutes:
            changes.append((span, _with_minutes(span, minutes)))
    return changes, lost


def _anybody_bears(account: Account, new: Span, days: range, low: int, high: int) -> bool:
    """May another span that credits something share time with an interval, or a day's 24 hours?"""
    for span in spans_on(account, days, but=new.key):
        if span.state is not None and (span.block or overlap(span, low, high)):
            return True
    return False


def _alone(new: Span) -> Span:
    """A span that shares its time with nobody."""
    state = new.state
    if state is None:
        return new
    share = whole_minutes([(new.low, new.high)], new.days)
    return _with_minutes(new, tuple([(day, minutes, state) for day, minutes in share]))


def _with_minutes(span: Span, minutes: Minutes) -> Span:
    new = span.copy()
    new.minutes = minutes
    return new


Shares = dict[str, tuple[tuple[int, int], ...]]
"""Span key -> (day, minutes) of the time it gets."""


def _shares(
    near: list[Span], old: Span | None, new: Span, low: int, high: int
) -> tuple[Shares, int]:
    """What the new version and all that touch it get, and what others keep of the new version.

    One sweep in the order of rank: each takes what the ones before it have left.
    """
    shares: Shares = {}
    if new.state is not None and new.block:
        shares[new.key] = _block_share(new)
    lost_micros = _count_rows_once([*near, new], new, shares)
    timed = [span for span in near if not span.block]
    touched = {span.key for span in timed if overlap(span, low, high)}
    wide = [span for span in timed if span.key in touched]
    if new.state is not None and not new.block:
        wide.append(new)
    if not wide:
        return shares, lost_micros
    wide_low, wide_high = min(s.low for s in wide), max(s.high for s in wide)
    bearing = [s for s in timed if overlap(s, wide_low, wide_high)]
    if new.state is not None and not new.block:
        bearing.append(new)
    covers: list[tuple[int, int]] = []
    for span in sorted(bearing, key=rank):
        if span is new:
            shares[new.key], lost_micros = share_of(new, covers)
        elif span.key in touched:
            shares[span.key], _ = share_of(span, covers)
        covers = joined(covers, span.low, span.high)
    return shares, lost_micros


def _block_share(span: Span) -> tuple[tuple[int, int], ...]:
    minutes = whole(span).minutes
    assert minutes is not None
    return ((span.days[0][1], minutes),)


def _count_rows_once(spans: list[Span], new: Span, shares: Shares) -> int:
    """Of one source row that was taken over under two registrations the first span gets the
    minutes; what the new span loses, in microseconds. Within one registration it comes but once.
    """
    rows: dict[str, str] = {}
    lost_micros = 0
    for span in sorted((s for s in spans if s.state is not None and s.block), key=rank):
        row = whole(span).row
        if not row:
            continue
        share = _block_share(span)
        if rows.setdefault(row, span.key) != span.key:
            if span is new:
                lost_micros = share[0][1] * MINUTE
            share = ((share[0][0], 0),)
        shares[span.key] = share
    return lost_micros


def _minutes(span: Span, shares: Shares, states: dict[tuple[str, int], State]) -> Minutes:
    """A span's minutes with their states; where nothing was said anew, as they were."""
    if span.state is None:
        return ()
    share = shares.get(span.key)
    if share is None:
        share = tuple((day, minutes) for day, minutes, _ in span.minutes)
    was = {day: state for day, _, state in span.minutes}
    return tuple(
        (day, minutes, states.get((span.key, day)) or was.get(day) or span.state)
        for day, minutes in share
    )


def _states(
    near: list[Span], new: Span, shares: Shares, days: set[int], catalogue: Catalogue
) -> dict[tuple[str, int], State]:
    """The state of each piece of an effective span on these days: (span key, day) -> state.

    Pieces of a day are looked at by start, those without times last. The piece that takes the day
    past a tier is held whole at its level, and so are all after it; one without times is held
    where it would take the effective day past 24 hours.
    """
    spans = [*near, new] if new.state is not None else near
    if not catalogue.tiered and not any(span.block for span in spans):
        return {}
    states: dict[tuple[str, int], State] = {}
    served = dict.fromkeys(days, 0)
    credited = dict.fromkeys(days, 0)
    for span in sorted((s for s in spans if _counts(s)), key=_turn):
        share = shares.get(span.key) or tuple((d, m) for d, m, _ in span.minutes)
        for day, minutes in share:
            if day not in served or not minutes:
                continue
            served[day] += minutes
            state = _tier(span, served[day], catalogue)
            if state == "rejected":
                served[day] -= minutes
            if state == "effective" and span.block and credited[day] + minutes > DAY_MINUTES:
                state = "held_review"
            if state == "effective":
                credited[day] += minutes
            states[span.key, day] = state
    return states


def _counts(span: Span) -> bool:
    return span.state == "effective" and span.kind != "training"


def _turn(span: Span) -> tuple[bool, int, str, bool]:
    return (span.block, span.low, span.id, span.kind != "service")


def _tier(span: Span, served_minutes: int, catalogue: Catalogue) -> State:
    """The state of a piece with which the day has so many minutes (R14)."""
    policy = catalogue.labelled[span.policy]
    province, org = policy.province_tier_minutes, policy.org_tier_minutes
    if province is not None and served_minutes > province and span.approved < PROVINCE:
        return "rejected" if PROVINCE in span.withheld else "held_province"
    if org is not None and served_minutes > org and span.approved < ORG:
        return "rejected" if ORG in span.withheld else "held_org"
    return "effective"


def _count_project(account: Account, old: Span | None, new: Span) -> None:
    """How many effective spans a project has: who attended may be evaluated (section 10)."""
    was, now = _project_attended(old), _project_attended(new)
    if was == now:
        return
    for project_id, step in ((was, -1), (now, 1)):
        if project_id is not None:
            key = key_of("p/" + project_id)
            remember_key(account, key, (lookup_key(account, key) or 0) + step)


def _project_attended(span: Span | None) -> str | None:
    if span is None or span.place is None or span.state != "effective" or span.kind == "training":
        return None
    return span.place.project_id


def set_due(account: Account, key: str, due: int | None) -> None:
    """Let ticks look at a span from an instant on; None: no more."""
    if due is not None:
        account.due[key] = due
    else:
        account.due.pop(key, None)
