"""`shilu policy`: presets are whole policies, and a trial run names who gains and who loses."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import build
from deploy.commands.policy import load, records_of
from deploy.errors import ShiluError
from ledger.catalogue.policy import policy_of
from ledger.whatif import Difference, what_if
from schemas.wire.jsonform import to_json
from tests.drawn.histories import BASICS, arrival, log, policy, project, rerate, served, shift

PRESETS = ("default", "guangdong-ivolunteer", "clamp-to-shift")


def shilu(*arguments: str) -> str:
    ran = CliRunner().invoke(build(), ["policy", *arguments])
    assert ran.exit_code == 0, ran.output
    return ran.output


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_policy_within_range(name: str) -> None:
    assert policy_of(load(name)) is not None
    assert json.loads(shilu("show", name, "--json"))["policy_id"] == name


def test_the_preset_of_guangdong_has_its_two_tiers() -> None:
    changed = json.loads(shilu("diff", "default", "guangdong-ivolunteer", "--json"))
    assert changed == {
        "org_tier_minutes": [None, 480],
        "province_tier_minutes": [None, 720],
        "calendar_id": [None, "cn"],
    }


def test_a_trial_run_lists_who_gains_and_who_loses() -> None:
    records = log(
        *BASICS, shift(), project("p2", "generous"),
        policy("generous", 1, open_minutes=900),
        *served(start="08:30", end="12:20", shift_id="sh1"),
        *served("v2", start="09:00", end="11:00"),
        *served("v3", start="06:00", end="19:00", project="p2", org="vo1"),
    )  # fmt: skip
    assert what_if(records, load("clamp-to-shift")) == [
        Difference("v1", 230, 180), Difference("v3", 780, 0)
    ]  # fmt: skip
    assert what_if(records, load("default")) == [Difference("v3", 780, 0)]


def test_a_trial_run_reads_what_emit_takes_and_sends_nothing(tmp_path: Path) -> None:
    events = [*BASICS, shift(), *served(start="08:30", end="12:20", shift_id="sh1")]
    lines = [json.dumps(to_json(arrival(event).event)) for event in events]
    log_file = tmp_path / "log.jsonl"
    log_file.write_text("\n".join(lines), encoding="utf-8")
    found = json.loads(shilu("what-if", str(log_file), "--policy", "clamp-to-shift", "--json"))
    assert found == [
        {"volunteer_id": "v1", "minutes": 230, "minutes_then": 180, "change_minutes": -50}
    ]


def test_a_re_rating_still_names_the_versions_of_the_log() -> None:
    records = log(*BASICS, policy(), *served(start="08:00", end="18:00"), rerate(session="s1"))
    assert what_if(records, load("guangdong-ivolunteer")) == [Difference("v1", 600, 0)]


def test_a_file_without_a_policy_and_a_bad_line_are_said_clearly(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text(json.dumps(to_json(BASICS[0])) + "\n", encoding="utf-8")
    with pytest.raises(ShiluError, match="has no PolicyPublished"):
        load(str(file))
    file.write_text("{}\n", encoding="utf-8")
    with pytest.raises(ShiluError, match="line 1 is no valid event"):
        list(records_of(str(file)))
