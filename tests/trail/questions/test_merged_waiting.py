"""What waits of a merged person waits once, under the registration that counts the hours."""

import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from consumers.questions.open_items.exceptions import exceptions
from consumers.questions.open_items.open_items import waiting
from consumers.trail.store import Trail
from ledger.account.account import Account
from ledger.account.parts import whole
from ledger.account.spans import Span
from schemas.events import Event
from schemas.times import DAY, SECOND
from tests.drawn import histories as h
from tests.trail.remembered import by_cause, waits
from tests.trail.told import tell
from tests.trail.town import DAYS, FIRST_DAY, town

SECOND_ID = {"v1": "v9", "v2": "v10", "v3": "v11"}
"""Under what id else people of the town are registered."""

MERGED = (h.received(h.merge("v2", "v1"), "13:00"), h.tick("13:01"))


def items(trail: Trail, at: str, day: str = h.TODAY) -> set[tuple[str, str, str]]:
    """(volunteer, session, grant or case, reason) of what waits."""
    found = waiting(trail.query, h.when(at, day))
    assert len({(item.key, item.reason, item.ref) for item in found}) == len(found)
    return {(i.key[0], i.ref or i.key[1] or i.key[2], i.reason) for i in found}


def test_a_decision_waits_for_a_target_told_of_either_registration(trail: Trail) -> None:
    tell(
        trail, h.decide("v2", grant_id="g1", at="12:00"), *MERGED,
        h.decide("v2", grant_id="g2", at="13:30"),
        h.received(h.grant("v1", "g1", "09:00", "10:00"), "14:00"),
        h.received(h.grant("v1", "g2", "10:00", "10:00:20"), "15:00"),
    )  # fmt: skip
    one, two = (("v1", g, "awaiting_target") for g in ("g1", "g2"))
    assert items(trail, "12:59") == {("v2", "g1", "awaiting_target")}
    assert items(trail, "13:20") == {one}
    assert items(trail, "13:40") == {one, two}
    assert items(trail, "14:10") == {two}
    assert items(trail, "15:10") == set()


def test_a_session_whose_ends_were_told_of_two_registrations_has_both(trail: Trail) -> None:
    tell(trail, h.check_in("v1", "s1", "09:00"), h.check_out("v2", "s1", "11:00"),
         h.check_out("v2", "s2", "12:00"), *MERGED)  # fmt: skip
    before = {("v2", "s1", "awaiting_check_in"), ("v2", "s2", "awaiting_check_in")}
    assert items(trail, "12:30") == before
    assert items(trail, "14:00") == {("v1", "s2", "awaiting_check_in")}
    shown = {row["session_id"]: row["waiting"] for row in exceptions(trail.query)["rows"]
             if row["event_type"] == "CheckedOut"}  # fmt: skip
    assert shown == {"s1": False, "s2": True}


def test_what_is_said_under_the_survivor_goes_before_what_was_said_before(trail: Trail) -> None:
    next_day, later = "2025-03-02", "2025-03-04"
    tell(
        trail, h.check_in("v2", "open", "10:00"),
        *(h.check_in("v2", "long", f"10:{n:02}") for n in range(1, 9)),
        h.received(h.check_out("v2", "long", "12:00", next_day), "12:01", next_day),
        h.received(h.merge("v2", "v1"), "13:00", next_day), h.tick("13:01", next_day),
        h.received(h.void("v1", "long", at="14:00", day=next_day), "14:01", next_day),
        h.tick("09:00", later),
    )  # fmt: skip
    assert items(trail, "12:30", next_day) == {("v2", "long", "over_max_session")}
    open_end = ("v1", "open", "no_check_out")
    assert items(trail, "13:30", next_day) == {("v1", "long", "over_max_session"), open_end}
    assert items(trail, "10:00", later) == {open_end}


def test_a_request_is_answered_whichever_registration_hears_of_it(trail: Trail) -> None:
    tell(
        trail, *h.served("v2", "s1"), h.ask("v2", "s1", at="12:00", correction="k1"), *MERGED,
        h.ask("v2", "s1", at="13:30", correction="k2"),
        h.correct("v1", "s1", at="14:00", correction="k1"),
        h.correct("v2", "s1", at="15:00", correction="k2"),
        h.correct("v2", "s1", at="16:00", correction="k3"),
        h.received(h.unmerge("v2"), "17:00"), h.tick("17:01"),
    )  # fmt: skip
    first, second = (("v1", k, "awaiting_decision") for k in ("k1", "k2"))
    assert items(trail, "12:30") == {("v2", "k1", "awaiting_decision")}
    assert items(trail, "13:20") == {first}
    assert items(trail, "13:40") == {first, second}
    assert items(trail, "14:10") == {second}
    assert items(trail, "15:10") == set()
    assert items(trail, "16:10") == {("v1", "k3", "awaiting_request")}
    # Each has what was told of it: the decision about k1 was told of v1 alone.
    assert items(trail, "18:00") == {
        ("v1", "k1", "awaiting_request"), ("v2", "k1", "awaiting_decision"),
        ("v2", "k3", "awaiting_request"),
    }  # fmt: skip


def test_what_came_while_merged_waits_where_it_was_told_once_they_are_two_again(
    trail: Trail,
) -> None:
    next_day = "2025-03-02"
    tell(
        trail, *MERGED, *(h.received(event, "14:00") for event in (
            h.claim("v2", "c1", "09:00", "10:00"), h.check_in("v2", "long", "10:00"),
            h.confirm("v2", "bare", at="12:00"), h.void("v2", "void", at="12:00"),
            h.confirm("v1", grant_id="c1", at="12:00"))),
        h.received(h.check_out("v2", "long", "13:00", next_day), "13:01", next_day),
        h.received(h.check_out("v2", "orphan", "13:10", next_day), "13:11", next_day),
        h.received(h.unmerge("v2"), "14:00", next_day), h.tick("14:01", next_day),
    )  # fmt: skip
    waits = {("long", "over_max_session"),
             ("bare", "awaiting_target"), ("orphan", "awaiting_check_in")}  # fmt: skip
    assert items(trail, "13:59", next_day) == {("v1", *one) for one in waits}
    claimed = {("v2", "c1", "awaiting_organiser"), ("v1", "c1", "awaiting_target")}
    assert items(trail, "15:00", next_day) == {("v2", *one) for one in waits} | claimed


def test_what_waits_of_merged_people_is_what_their_accounts_remember(trail: Trail) -> None:
    seed = int(os.environ.get("SHILU_SEED", random.SystemRandom().randrange(10**6)))
    print(f"SHILU_SEED={seed}")
    book = tell(trail, *twice_registered(seed))
    found, late = Counter[Any](), set[tuple[str, str]]()
    for item in waiting(trail.query):
        who, span_id = item.key[0], item.key[1] or item.key[2]
        if item.reason == "too_late":
            late.add((who, span_id))
        else:
            found[who, span_id, item.reason, item.state or item.ref, item.minutes] += 1
    expected = Counter(
        wait
        for who, account in book.accounts.items()
        if not account.lent_to
        for span in spans_of(account)
        for wait in (*waits(who, span), *awaits(who, span))
        # Of an end that came too late the ledger remembers nothing.
        if wait[2] != "awaiting_target" or (who, span.id) not in late
    )
    assert by_cause(found) == by_cause(expected)
    assert sum(who in SECOND_ID for who, *_ in found.elements()) > 5


def twice_registered(seed: int) -> list[h.Arrival]:
    """The town, much of it told of second registrations; all are merged."""
    made, chance = town(seed), random.Random(seed)
    told = [h.Arrival(_of_either(r.event, chance), r.recorded_at) for r in made.inputs]
    merges: list[tuple[Event, int]] = [
        (h.merge("v10", "v2"), chance.randrange(DAYS)),
        (h.merge("v11", "v3"), chance.randrange(DAYS)),
    ]
    for event, day in merges:
        at = (FIRST_DAY + day) * DAY
        place = next(n for n, one in enumerate(told) if one.recorded_at > at)
        told.insert(place, h.Arrival(event, at))
    end = max(one.recorded_at for one in told)
    return [*told, *(h.Arrival(h.tick(end + n * SECOND), end + n * SECOND) for n in (1, 2))]


def _of_either(event: Event, chance: random.Random) -> Event:
    """The same, or told of the second registration of whoever has one."""
    named: Any = event
    who = getattr(event, "volunteer_id", None)
    is_span = hasattr(event, "session_id") or hasattr(event, "grant_id")
    if who not in SECOND_ID or not is_span or chance.random() > 0.4:
        return event
    other = {"volunteer_id": SECOND_ID[who], "event_id": f"{event.event_id}-2"}
    actor = replace(named.actor, id=SECOND_ID[who]) if named.actor.id == who else named.actor
    told: Event = replace(named, actor=actor, **other)
    return told


def spans_of(account: Account) -> Iterator[Span]:
    """An account's spans with the facts that count, those of absorbed registrations included."""
    for day in range(FIRST_DAY - 3, FIRST_DAY + 60):
        for span in account.days.get(day).values():
            joined = span.copy()
            joined.facts = whole(span)
            yield joined


def awaits(who: str, span: Span) -> Iterator[tuple[str, str, str, str, int]]:
    """Acts alone wait for what they are about, unless they void it."""
    facts, said = span.facts, {act.what for act in span.facts.acts}
    is_bare = facts.start is None and not facts.outs and span.state is None and span.reason is None
    if is_bare and said & {"approve", "reject", "withhold", "void", "reinstate"}:
        yield who, span.id, "awaiting_target", "", 0
