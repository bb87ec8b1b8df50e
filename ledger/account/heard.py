"""What was known of a session when: an approval approves what was there (docs/rules.md, section 7).

When a check-in or check-out was recorded is part of the fact, so what an approval covers follows
from the set of facts and not from the order in which they were read.
"""

from ledger.account.acts import Standing
from ledger.account.spans import Begin, Facts


def begin_of(facts: Facts) -> Begin | None:
    """The check-in that a session begins with."""
    if facts.start is None:
        return None
    return Begin(facts.start, facts.start_event, facts.heard, facts.place, facts.shift_id)


def with_begin(facts: Facts, begin: Begin) -> Facts:
    """A session's facts with one more check-in; the facts themselves if it says nothing new.

    A check-in matters while no earlier one was known: those kept are ever earlier, and were
    recorded ever later.
    """
    own = begin_of(facts)
    known = [] if own is None else [own, *facts.begins]
    if any(_order(one) <= _order(begin) and one.heard <= begin.heard for one in known):
        return facts
    kept = [one for one in known if _order(one) < _order(begin) or one.heard < begin.heard]
    kept.append(begin)
    kept.sort(key=_order)
    new = facts.copy()
    first = kept[0]
    new.start, new.start_event, new.heard = first.at, first.event_id, first.heard
    new.place, new.shift_id = first.place, first.shift_id
    new.begins = tuple(kept[1:])
    return new


def with_out(facts: Facts, at: int, heard: int) -> Facts:
    """A session's facts with one more check-out; the facts themselves if it says nothing new."""
    known = dict(_outs(facts))
    if known.get(at, heard + 1) <= heard:
        return facts
    known[at] = heard
    new = facts.copy()
    new.outs = tuple(sorted(known))
    new.outs_heard = tuple([known[out] for out in new.outs])
    return new


def joined(first: Facts, other: Facts) -> Facts:
    """The ends of two registrations' facts of one session; all else as in the first."""
    new = first
    own = begin_of(other)
    for begin in other.begins if own is None else (own, *other.begins):
        new = with_begin(new, begin)
    for at, heard in _outs(other):
        new = with_out(new, at, heard)
    return new


def heard_by(facts: Facts, until: int) -> Facts:
    """What was known of a session at an instant."""
    own = begin_of(facts)
    known = [] if own is None else [own, *facts.begins]
    seen = facts.copy()
    seen.start = seen.place = seen.shift_id = None
    seen.start_event = ""
    for begin in known:
        if begin.heard <= until:
            seen.start, seen.start_event, seen.heard = begin.at, begin.event_id, begin.heard
            seen.place, seen.shift_id = begin.place, begin.shift_id
            break
    seen.outs = tuple([at for at, heard in _outs(facts) if heard <= until])
    return seen


def as_approved(facts: Facts, now: Standing) -> tuple[Facts, int, bool]:
    """A session as it was when it was last approved, the highest level that approved it so, and
    whether something came after that which would change it.

    An approval that was given before both ends were known is of the first that were. A correction
    that stands has times of its own, which nothing changes.
    """
    if facts.end is None or now.correction is not None or not now.approvals:
        return facts, max([level for _, level in now.approvals], default=0), False
    whole_at = _whole_at(facts)
    seen = heard_by(facts, max(whole_at, max([at for at, _ in now.approvals])))
    same = [
        level
        for at, level in now.approvals
        if alike(heard_by(facts, max(whole_at, at)), seen)
    ]  # fmt: skip
    if alike(seen, facts):
        return facts, max(same), False
    return seen, max(same), True


def alike(one: Facts, other: Facts) -> bool:
    """Do two versions of a session say the same of when and where it was?"""
    return (
        one.start == other.start
        and one.end == other.end
        and one.place == other.place
        and one.shift_id == other.shift_id
    )


def _whole_at(facts: Facts) -> int:
    """When both ends of a session were first known."""
    own = begin_of(facts)
    assert own is not None
    times = [
        max(begin.heard, heard)
        for begin in (own, *facts.begins)
        for at, heard in _outs(facts)
        if at >= begin.at
    ]
    return min(times)


def _outs(facts: Facts) -> list[tuple[int, int]]:
    """Check-outs, each with when it was recorded; 0 where that was not kept."""
    if len(facts.outs_heard) != len(facts.outs):
        return [(at, 0) for at in facts.outs]
    return list(zip(facts.outs, facts.outs_heard, strict=True))


def _order(begin: Begin) -> tuple[int, str]:
    return begin.at, begin.event_id
