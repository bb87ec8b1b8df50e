"""Who asks about a merged person is answered for all registrations, as the ledger counts them."""

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, settings

from consumers.questions.open_items.open_items import waiting
from consumers.questions.recognition.evaluations import evaluations, unevaluated
from consumers.questions.recognition.recognition import benefit, recognition
from consumers.trail.store import Trail
from ledger.recognition.recognition import points_spent
from schemas.events import Event, ProjectClosed, Score
from schemas.times import DAY
from tests.drawn.histories import (
    BASICS,
    Arrival,
    evaluate,
    merge,
    served,
    tick,
    training,
    unmerge,
    when,
)
from tests.drawn.honours import (
    apply_star,
    close,
    commend,
    decide_star,
    recognised_by,
    redeem,
    respond,
    reverse,
    revise,
    take_back,
)
from tests.drawn.strategies_honours import KNOWN_HERE, honoured_people
from tests.drawn.town import Town
from tests.reference.model_people import led
from tests.trail.told import tell

SERVED: tuple[Event | Arrival, ...] = (
    recognised_by(1, (1, 2, 3)),
    close("p1", "2025-03-01"),
    *served(),
    *served("v2", "s2", "10:00", "12:00"),
)
MERGED = (Arrival(merge("v2", "v1"), when("13:00")), tick("13:00"))


def test_points_of_all_registrations_are_one_balance(trail: Trail) -> None:
    tell(trail, *SERVED, redeem("v1", 1, "r1"), redeem("v2", 1, "r2"), *MERGED,
         redeem("v2", 1, "r3", at="18:00"), redeem("v2", 1, "r4", at="18:10"),
         redeem("v1", 1, "r3", at="18:20"), reverse("v1", "r2", "18:30"))  # fmt: skip
    for asked in ("v1", "v2"):
        found = recognition(trail.query, asked)
        assert (found["volunteer_id"], found["asked_for"]) == ("v1", asked)
        points = found["points"]
        assert (points["earned"], points["redeemed"], points["reversed"]) == (3, 3, 1)
        assert benefit(trail.query, asked, "points:1")["eligible"]
        assert not benefit(trail.query, asked, "points:2")["eligible"]

    def alone(name: str) -> tuple[int, set[str]]:
        found = recognition(trail.query, name, exact=True)
        return found["minutes"], {r["redemption_id"] for r in found["points"]["redemptions"]}

    assert (alone("v1"), alone("v2")) == ((180, {"r1"}), (0, {"r2", "r3"}))
    assert not benefit(trail.query, "v2", "hours:1", exact=True)["eligible"]


def test_it_is_answered_as_it_was_before_and_after(trail: Trail) -> None:
    hours = (one for one in SERVED if not isinstance(one, ProjectClosed))
    tell(trail, *hours, redeem("v2", 1, "r1", "12:30"), *MERGED, commend("v2", at="14:00"),
         Arrival(unmerge("v2"), when("19:00")), tick("20:00"))  # fmt: skip

    def answer(at: str) -> tuple[str, int, int, int]:
        found = recognition(trail.query, "v2", when(at))
        return (found["volunteer_id"], found["minutes"], found["points"]["balance"],
                len(found["commendations"]))  # fmt: skip

    assert answer("12:59") == ("v2", 120, 1, 0)
    assert answer("18:59") == ("v1", 180, 2, 1)
    assert answer("21:00") == ("v2", 120, 1, 1)
    assert recognition(trail.query, "v1")["commendations"] == []


def test_stars_and_training_of_either_registration_are_the_persons(trail: Trail) -> None:
    tell(trail, *SERVED, training("v2", minutes=30), apply_star("v2", 1), decide_star("v2", 1),
         *MERGED, apply_star("v2", 2, at="14:00"), decide_star("v1", 2, at="14:10"),
         apply_star("v1", 3, at="14:20"))  # fmt: skip
    found = recognition(trail.query, "v2")
    assert found["stars"]["awarded"] == 2
    stand = {one["star"]: one["status"] for one in found["stars"]["applications"]}
    assert stand == {1: "awarded", 2: "awarded", 3: "pending"}
    assert found["training"]["minutes"] == 30
    assert [one["grant_id"] for one in found["training"]["entries"]] == ["t1"]
    assert benefit(trail.query, "v2", "star:2,hours:3")["eligible"]


def test_an_application_waits_until_either_registration_hears_of_its_decision(trail: Trail) -> None:
    tell(trail, *SERVED, apply_star("v2", 1), *MERGED, decide_star("v1", 1, at="13:30"),
         apply_star("v2", 2, at="14:00"), decide_star("v1", 2, at="21:00"))  # fmt: skip

    def refs(at: str) -> list[str]:
        return [one.ref for one in waiting(trail.query, when(at))]

    assert refs("13:10") == ["sa-1"]
    # What accounts hand to each other is told at eight in the evening.
    assert refs("20:30") == ["sa-2"]
    assert refs("22:00") == []


def test_an_evaluation_under_one_registration_is_the_persons(trail: Trail) -> None:
    tell(trail, *SERVED, evaluate("v2", at="12:30", evaluation_id="e1"), *MERGED,
         revise("v1", evaluation="e1", at="13:10", scores=(Score("quality", 2),)),
         respond("v2", evaluation="e1", at="13:20"),
         evaluate("v2", org="vo1", at="13:30", evaluation_id="e2"))  # fmt: skip
    for asked in ("v1", "v2"):
        found = evaluations(trail.query, asked)
        assert (found["volunteer_id"], found["asked_for"], found["standing"]) == ("v1", asked, 2)
        first: dict[str, Any] = found["evaluations"][0]
        assert [v["scores"]["quality"] for v in first["versions"]] == [5, 2]
        assert len(first["responses"]) == 1
    assert evaluations(trail.query)["count"] == 2
    alone = evaluations(trail.query, "v2", exact=True)["evaluations"]
    assert [len(one["versions"]) for one in alone] == [1, 1]
    assert evaluations(trail.query, "v1", exact=True)["count"] == 0
    assert unevaluated(trail.query, when("00:00", "2025-04-01"))["count"] == 0


def test_who_was_evaluated_under_the_absorbed_id_alone_is_not_overdue(trail: Trail) -> None:
    tell(trail, *SERVED, evaluate("v2", at="12:30"), *MERGED,
         take_back("v1", evaluation="ev-v2-p1-sw1", at="23:00"))  # fmt: skip

    def due(at: int) -> list[str]:
        return [row["volunteer_id"] for row in unevaluated(trail.query, at)["rows"]]

    assert due(when("22:00", "2025-03-01") + 30 * DAY) == ["v1"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_trail_counts_a_persons_points_as_the_ledger_does(trail: Trail, seed: int) -> None:
    def telling(history: list[Arrival]) -> bool:
        town = Town(1).take([*BASICS, *KNOWN_HERE, *history]).settle()
        told = {p.event_type for p in town.books[0].postings if p.outcome == "posted"}
        spent = [points_spent(account) for account in town.books[0].accounts.values()]
        return {"FactForwarded", "CaseTransferred", "RedemptionReversed"} <= told and any(spent)

    how = settings(max_examples=3_000, phases=[Phase.generate], database=None, deadline=None,
                   suppress_health_check=list(HealthCheck))  # fmt: skip
    history = find(honoured_people(), telling, settings=how, random=Random(seed))
    last = max(one.recorded_at for one in history)
    book = tell(trail, *KNOWN_HERE, *history, Arrival(tick(last), last), Arrival(tick(last), last))
    who = led(Town(1).take([*KNOWN_HERE, *history]).records[0])
    for name, account in book.accounts.items():
        found = recognition(trail.query, name)
        assert found["volunteer_id"] == who.get(name, name)
        if found["volunteer_id"] == name:
            assert found["minutes"] == account.balance_minutes
            points = found["points"]
            assert points["redeemed"] - points["reversed"] == points_spent(account)
