"""Evaluations, stars, points and benefits as the trail answers them, put to a real chDB."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, settings

from consumers.api.questions_by_name import BadQuestion, answer
from consumers.api.trail_client import At
from consumers.questions.open_items.overdue import overdue
from consumers.questions.recognition.evaluations import evaluations, unevaluated
from consumers.questions.recognition.recognition import benefit, recognition
from consumers.trail.store import Trail, open_trail
from ledger.recognition.recognition import points_spent
from ledger.replay import replay
from schemas.events import Score
from tests.drawn.histories import (
    BASICS,
    Arrival,
    claim,
    evaluate,
    holidays,
    log,
    policy,
    received,
    served,
    training,
    void,
    when,
)
from tests.drawn.honours import (
    apply_star,
    certify,
    close,
    commend,
    decide_star,
    deliver,
    recognised_by,
    redeem,
    respond,
    reverse,
    revise,
    revoke,
    take_back,
    uncommend,
)
from tests.drawn.strategies_honours import KNOWN_HERE, honoured
from tests.trail.running import shilu_here
from tests.trail.told import tell

SERVED = (*served(), *served("v2"), close())
FOUR_HOURS = served(start="07:00", end="11:00")
RULES = recognised_by()


def dimension(found: dict[str, Any], name: str) -> tuple[int, int, str] | None:
    means = {mean["dimension"]: mean for mean in found["means"]}
    mean = means.get(name)
    return None if mean is None else (mean["count"], mean["sum"], mean["mean"])


def test_means_are_of_the_scores_that_stand_and_were_others_before(trail: Trail) -> None:
    scores = (Score("quality", 5), Score("care", 4))
    tell(trail, *SERVED, evaluate(scores=scores), evaluate("v2", scores=(Score("quality", 4),)),
         evaluate(org="vo1", scores=(Score("quality", 1),)),
         revise(scores=(Score("quality", 2),)), take_back(org="vo1"))  # fmt: skip
    now = evaluations(trail.query)
    assert now["standing"] == 2
    assert dimension(now, "quality") == (2, 6, "3.00")
    assert dimension(now, "care") is None
    assert dimension(now, "") == (2, 6, "3.00")
    then = evaluations(trail.query, as_of=when("21:20"))
    assert dimension(then, "quality") == (3, 10, "3.33")
    assert dimension(then, "") == (4, 14, "3.50")
    assert evaluations(trail.query, as_of=when("20:30"))["evaluations"] == []


def test_an_evaluation_keeps_its_versions_and_the_latest_by_its_own_time_stands(
    trail: Trail,
) -> None:
    early = received(revise(at="21:05", scores=(Score("quality", 1),)), "23:00")
    tell(trail, *SERVED, evaluate(), revise(), early, deliver(), respond(agrees=False))
    (one,) = evaluations(trail.query, volunteer_id="v1")["evaluations"]
    assert [(v["scores"]["quality"], v["latest"]) for v in one["versions"]] == [
        (5, False), (1, False), (3, True)
    ]  # fmt: skip
    assert one["delivered_at"] == "2025-03-01T21:10:00+08:00"
    assert [said["agrees"] for said in one["responses"]] == [False]


def test_evaluations_are_found_by_volunteer_project_and_organisation(trail: Trail) -> None:
    tell(trail, *SERVED, evaluate(), evaluate("v2", org="vo1"), evaluate("v2", project="p2"))

    def found(**by: Any) -> list[str]:
        return [one["evaluation_id"] for one in evaluations(trail.query, **by)["evaluations"]]

    assert found() == ["ev-v1-p1-sw1", "ev-v2-p1-vo1"]
    assert found(volunteer_id="v2") == found(org_id="vo1") == ["ev-v2-p1-vo1"]
    assert found(project_id="p2") == []


def test_a_deadline_that_hangs_on_a_year_without_a_calendar_is_named_and_not_guessed(
    trail: Trail,
) -> None:
    ours, days_of_2024 = policy("default", 1, calendar="cn"), holidays(("2024-10-01",))
    tell(trail, ours, days_of_2024, *SERVED, received(evaluate("v2"), "10:00", "2025-03-20"))
    at = when("23:00", "2025-03-20")
    found = unevaluated(trail.query, at)
    assert (found["count"], found["deadline_unknown"]) == (0, ["p1"])
    (one,) = evaluations(trail.query, volunteer_id="v2")["evaluations"]
    assert one["late"] is None
    # The evaluation, and nothing else: what was served was recorded at once.
    assert overdue(trail.query, at)["deadline_unknown"]["count"] == 1
    assert overdue(trail.query, at)["recorded_late"]["count"] == 0


def test_e32_who_has_no_evaluation_after_ten_working_days_is_listed(trail: Trail) -> None:
    tell(trail, *SERVED, *served("v3", project="p2"), claim("v4"), training("v5"),
         evaluate("v2"), take_back("v2", day="2025-03-15"))  # fmt: skip

    def due(at: int) -> list[tuple[str, str, int]]:
        rows = unevaluated(trail.query, at)["rows"]
        return [(row["volunteer_id"], row["deadline"], row["days_over"]) for row in rows]

    assert due(when("23:59", "2025-03-14")) == []
    assert due(when("00:00", "2025-03-15")) == [("v1", "2025-03-14", 1)]
    assert due(when("23:00", "2025-03-15")) == [("v1", "2025-03-14", 1), ("v2", "2025-03-14", 1)]
    assert unevaluated(trail.query, when("23:00", "2025-03-15"))["deadline_unknown"] == []
    later = unevaluated(trail.query, when("23:00", "2025-03-15"), limit=1)
    assert later["count"] == 2
    assert [p["count"] for p in later["projects"]] == [2]
    assert len(later["rows"]) == 1


def test_e27_a_fall_below_a_star_shows_and_its_award_goes_to_review(trail: Trail) -> None:
    tell(trail, RULES, *FOUR_HOURS, apply_star(), decide_star(), apply_star(star=2, at="13:10"),
         decide_star(star=2, at="13:20"), void(session="s1"), decide_star(at="21:00"),
         decide_star(star=2, at="21:10", decision="reject"))  # fmt: skip

    def stars(at: str) -> tuple[int, int, list[str]]:
        found = recognition(trail.query, "v1", when(at))["stars"]
        return found["eligible"], found["awarded"], [a["status"] for a in found["applications"]]

    assert stars("12:30") == (2, 0, ["pending"])
    assert stars("14:00") == (2, 2, ["awarded", "awarded"])
    assert stars("20:30") == (0, 2, ["in_review", "in_review"])
    assert stars("21:05") == (0, 2, ["awarded", "in_review"])
    assert stars("22:00") == (0, 1, ["awarded", "rejected"])
    changes = recognition(trail.query, "v1")["stars"]["changes"]
    assert [(c["from"], c["to"], c["minutes"]) for c in changes] == [(0, 2, 240), (2, 0, 0)]
    assert changes[1]["event_id"] == void(session="s1").event_id


def test_a_years_star_counts_that_years_hours(trail: Trail) -> None:
    eve = served(start="21:00", end="02:00", day="2024-12-31", end_day="2025-01-01")
    tell(trail, recognised_by(basis="yearly"), *eve, apply_star(year=2025), decide_star())
    found = recognition(trail.query, "v1", when("23:00"))
    assert (found["minutes"], found["stars"]["year"], found["stars"]["eligible"]) == (300, 2025, 1)
    assert recognition(trail.query, "v1", when("23:00", "2026-03-01"))["stars"]["eligible"] == 0


def test_e28_the_balance_of_points_may_fall_below_zero(trail: Trail) -> None:
    tell(trail, *FOUR_HOURS, redeem(points=3), redeem(points=1, case_id="r2"),
         reverse(case_id="r2"), redeem(points=2, case_id="r3", at="18:00"),
         void(session="s1"))  # fmt: skip

    def points(at: str | None = None) -> tuple[int, int, int, int]:
        as_of = None if at is None else when(at)
        found = recognition(trail.query, "v1", as_of)["points"]
        return found["earned"], found["redeemed"], found["reversed"], found["balance"]

    assert points("16:30") == (4, 4, 0, 0)
    assert points("18:30") == (4, 4, 1, 1)
    assert points() == (0, 4, 1, -3)
    assert recognition(trail.query, "v1")["minutes"] == 0


def test_a_reversal_counts_once_and_only_for_what_was_redeemed(trail: Trail) -> None:
    tell(trail, *FOUR_HOURS, redeem(points=2), reverse(), reverse(at="17:30"),
         reverse(case_id="r9", at="17:40"), reverse(case_id="r2", at="17:50"),
         redeem(points=3, case_id="r2", at="18:00"))  # fmt: skip
    found = recognition(trail.query, "v1")["points"]
    assert (found["redeemed"], found["reversed"], found["balance"]) == (2, 2, 4)
    (one,) = found["redemptions"]
    assert one["reversed_at"] == "2025-03-01T17:00:02+08:00"


def test_commendations_and_certificates_say_what_was_taken_back(trail: Trail) -> None:
    tell(trail, *FOUR_HOURS, commend(), commend(case_id="cm2"), uncommend(), certify(), revoke(),
         certify(case_id="c-2", at="19:10"))  # fmt: skip
    found = recognition(trail.query, "v1")
    assert [(c["commendation_id"], c["revoked"] is None) for c in found["commendations"]] == [
        ("cm1", False), ("cm2", True)
    ]  # fmt: skip
    assert [(c["certificate_id"], c["revoked"] is None) for c in found["certificates"]] == [
        ("c-1", False), ("c-2", True)
    ]  # fmt: skip


def test_training_has_a_transcript_of_its_own_and_is_in_nothing_else(trail: Trail) -> None:
    tell(trail, *FOUR_HOURS, training(minutes=90), training(minutes=60, at="20:05"),
         training(grant_id="t2", minutes=600, day="2025-02-28"), training(grant_id="t3"),
         training(grant_id="t4", project="p-unknown"), void(grant_id="t3", at="21:00"),
         )  # fmt: skip
    found = recognition(trail.query, "v1")
    assert (found["minutes"], found["points"]["earned"]) == (240, 4)
    assert found["training"]["minutes"] == 690
    assert [(e["grant_id"], e["name"], e["service_date"], e["minutes"])
            for e in found["training"]["entries"]] == [
        ("t2", "first aid", "2025-02-28", 600), ("t1", "first aid", "2025-03-01", 90)
    ]  # fmt: skip
    assert recognition(trail.query, "v1", when("20:30"))["training"]["minutes"] == 780


def test_a_benefit_is_answered_with_yes_or_no_and_nothing_about_the_person(trail: Trail) -> None:
    tell(trail, RULES, *FOUR_HOURS, claim(start="12:00", end="20:00"), apply_star(), decide_star(),
         redeem(points=1))  # fmt: skip

    def yes(needs: str) -> bool:
        found = benefit(trail.query, "v1", needs)
        reason = None if found["eligible"] else "not_met"
        assert found == {"eligible": found["eligible"], "reason": reason, "needs": needs,
                         "policy": "default@1", "as_of": None}  # fmt: skip
        return bool(found["eligible"])

    assert yes("star:1")
    assert not yes("star:2")
    assert yes("hours:4")
    assert not yes("hours:5")
    assert yes("points:3")
    assert not yes("points:4")
    assert yes("star:1,hours:4,points:3")
    assert not yes("star:1,hours:5")
    assert not benefit(trail.query, "v-nobody", "hours:1")["eligible"]


def test_a_star_whose_award_is_in_review_is_no_benefit_until_it_is_decided_anew(
    trail: Trail,
) -> None:
    gone = void(session="s1", at="21:00")
    again = decide_star(at="22:00", event_id="confirmed-anew")
    tell(trail, RULES, *FOUR_HOURS, apply_star(), decide_star(), gone, again)

    def asked(needs: str, at: str) -> tuple[bool, str | None, str]:
        found = benefit(trail.query, "v1", needs, when(at))
        return found["eligible"], found["reason"], found["policy"]

    assert asked("star:1", "20:59") == (True, None, "default@1")
    assert asked("star:1", "21:30") == (False, "under_review", "default@1")
    assert asked("star:1,hours:4", "21:30") == (False, "not_met", "default@1")
    assert asked("star:1", "22:30") == (True, None, "default@1")


def test_needs_that_cannot_be_read_are_a_bad_question(trail: Trail) -> None:
    for needs in ("", "star", "star:x", "hours:1;", "hours:1,", "points:-1", "' OR 1=1"):
        with pytest.raises(BadQuestion):
            answer(trail, "benefit", {"volunteer_id": "v1", "needs": needs}, asker="test")


@pytest.mark.parametrize("seed", [1, 2])
def test_the_trail_counts_stars_and_points_as_the_ledger_does(trail: Trail, seed: int) -> None:
    def telling(history: list[Arrival]) -> bool:
        said = {p.event_type for p in replay(log(*BASICS, *KNOWN_HERE, *history)).postings
                if (p.outcome, p.reason) == ("posted", None)}  # fmt: skip
        return {"PointsRedeemed", "StarDecided"} <= said

    how = settings(max_examples=3_000, phases=[Phase.generate], database=None, deadline=None,
                   suppress_health_check=list(HealthCheck))  # fmt: skip
    book = tell(trail, *KNOWN_HERE, *find(honoured(), telling, settings=how, random=Random(seed)))
    account = book.accounts["v1"]
    found = recognition(trail.query, "v1")
    points = found["points"]
    assert found["minutes"] == account.balance_minutes
    assert points["redeemed"] - points["reversed"] == points_spent(account)
    posted = [p for p in book.postings if p.event_type == "StarDecided" and p.outcome == "posted"]
    assert sum(len(a["decisions"]) for a in found["stars"]["applications"]) == len(posted)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with open_trail(At(tmp_path).folder, create=True) as trail:
        tell(trail, RULES, *SERVED, evaluate(), apply_star(), decide_star(), redeem(points=1))
    return tmp_path


def test_the_commands_show_people_words_and_programs_json(home: Path) -> None:
    def run(*arguments: str, code: int = 0) -> str:
        done = shilu_here(home, "127.0.0.1:1", *arguments)
        assert done.returncode == code, done.stderr
        return str(done.stdout)

    assert "quality 5" in run("evaluations", "--project", "p1")
    assert json.loads(run("evaluations", "--json"))["standing"] == 1
    assert "v2" in run("evaluations", "--overdue")
    assert json.loads(run("evaluations", "--overdue", "--json", "--as-of", "2025-03-14"))[
        "count"] == 0  # fmt: skip
    assert "awarded 1" in run("recognition", "v1")
    assert json.loads(run("recognition", "v1", "--json"))["points"]["balance"] == 1
    assert run("benefit", "v1", "--needs", "star:1") == "yes (default@1)\n"
    assert run("benefit", "v1", "--needs", "star:2", code=1) == "no (default@1)\n"
    refused = json.loads(run("benefit", "v1", "--needs", "hours:9", "--json", code=1))
    assert refused["eligible"] is False
    assert "star:3" in shilu_here(home, "127.0.0.1:1", "benefit", "v1", "--needs", "x").stderr
