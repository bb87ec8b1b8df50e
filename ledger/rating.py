"""Keeping a span: its minutes, its neighbours' minutes, the lines that follow, the totals."""

from ledger.account import Account, lookup, put, remember, spans_on
from ledger.spans import Span, days_between, differences, joined, line, overlap, rank, share_of
from schemas.posting import Line

Change = tuple[Span | None, Span]
"""A span before and after."""


def credit(account: Account, old: Span | None, new: Span) -> tuple[Span, tuple[Line, ...], int]:
    """Keep the new version of a span and give it and all it overlaps their minutes.

    Returns the span with its minutes, the differences as lines (totals follow them), and the
    microseconds of the span that others keep.
    """
    changes, lost = _rated(account, old, new)
    _count_project(account, old, new)
    lines: list[Line] = []
    for before, after in changes:
        put(account, before, after)
        for span, day, minutes in differences(before, after):
            lines.append(line(len(lines), span, day, minutes))
            _add(account, lines[-1])
    return changes[0][1], tuple(lines), lost


def _add(account: Account, line: Line) -> None:
    key = (line.kind, line.state)
    account.totals[key] = account.totals.get(key, 0) + line.minutes
    if line.state == "effective" and line.kind != "training":
        account.balance_minutes += line.minutes


def _rated(account: Account, old: Span | None, new: Span) -> tuple[list[Change], int]:
    """The new version of a span and every neighbour whose minutes it changes, before and after;
    and the microseconds of the new version that others keep.

    One sweep in the order of rank: each takes what the ones before it have left.
    """
    new = _with_minutes(new, ()) if new.minutes else new
    low, high = _reach([new] if old is None else [old, new])
    if low == high:
        return [(old, new)], 0
    met = _others(account, new, low, high)
    if not met:
        return [(old, _with_minutes(new, share_of(new, ())[0]))], 0
    touched = {span.key for span in met}
    wide_low, wide_high = _reach([new, *met])
    changes: list[Change] = [(old, new)]
    lost_micros = 0
    covers: list[tuple[int, int]] = []
    bearing = _others(account, new, wide_low, wide_high)
    for span in sorted([*bearing, new] if new.state is not None else bearing, key=rank):
        if span is new:
            minutes, lost_micros = share_of(new, covers)
            changes[0] = (old, _with_minutes(new, minutes))
        elif span.key in touched:
            minutes, _ = share_of(span, covers)
            if minutes != span.minutes:
                changes.append((span, _with_minutes(span, minutes)))
        if span.start is not None and span.end is not None:
            covers = joined(covers, span.start, span.end)
    return changes, lost_micros


def _others(account: Account, new: Span, low: int, high: int) -> list[Span]:
    """The other spans that credit something and share time with [low, high)."""
    key = new.key
    return [
        span
        for span in spans_on(account, days_between(low, high))
        if span.state is not None and overlap(span, low, high) and span.key != key
    ]


def _with_minutes(span: Span, minutes: tuple[tuple[int, int], ...]) -> Span:
    new = span.copy()
    new.minutes = minutes
    return new


def _reach(spans: list[Span]) -> tuple[int, int]:
    """From the earliest start to the latest end of those that credit anything; (0, 0) if none."""
    rated = [s for s in spans if s.state is not None and s.start is not None and s.end is not None]
    if not rated:
        return 0, 0
    return min(s.start or 0 for s in rated), max(s.end or 0 for s in rated)


def _count_project(account: Account, old: Span | None, new: Span) -> None:
    """How many effective spans a project has: who attended may be evaluated (section 10)."""
    was, now = _project_attended(old), _project_attended(new)
    if was == now:
        return
    for project_id, step in ((was, -1), (now, 1)):
        if project_id is not None:
            key = "p/" + project_id
            remember(account, key, (lookup(account, key) or 0) + step)


def _project_attended(span: Span | None) -> str | None:
    if span is None or span.place is None or span.state != "effective":
        return None
    return span.place.project_id


def set_due(account: Account, key: str, due: int | None) -> None:
    """Let ticks look at a span from an instant on; None: no more."""
    if due is not None:
        account.due[key] = due
    else:
        account.due.pop(key, None)
