"""A wrong or misspelt setting is one sentence that names the right one."""

import re
from importlib.metadata import version

import pytest

from deploy.broker.topics_admin import REPLICAS_MAX, Found, Wanted, differences
from deploy.errors import ShiluError
from deploy.settings import Settings, require_known
from schemas.topics import ALL, broker_config
from tests.trail.running import shilu


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SHILU_PARTITIONS", "abc", 'SHILU_PARTITIONS cannot be "abc" (a whole number is wanted)'),
        ("SHILU_PARTITIONS", "0", "at least 1"),
        ("SHILU_KAFKA_PORT", "70000", "at most 65535"),
        ("SHILU_LANG", "fr", "zh or en"),
    ],
)
def test_a_wrong_value_is_told_with_its_name(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ShiluError) as raised:
        Settings()
    assert raised.value.code == "bad_setting"
    assert words in raised.value.en
    assert name in raised.value.zh
    assert re.search(r"[\u4e00-\u9fff]", raised.value.zh)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("SHILU_LAGN", "SHILU_LANG"),
        ("SHILU_PARTITION", "SHILU_PARTITIONS"),
        ("SHILU_BOOTSTRAPS", "SHILU_BOOTSTRAP"),
        ("SHILU_KAFKAPORT", "SHILU_KAFKA_PORT"),
    ],
)
def test_a_misspelt_name_is_told_with_the_nearest_one(wrong: str, right: str) -> None:
    with pytest.raises(ShiluError) as raised:
        require_known({wrong: "1", "PATH": "/bin"})
    assert raised.value.code == "unknown_setting"
    assert f"There is no setting {wrong}: did you mean {right}?" == raised.value.en
    require_known({right: "1", "SHILU_SEED": "1"})


def test_a_name_that_is_like_none_leads_to_the_page() -> None:
    with pytest.raises(ShiluError, match=r"docs/operators\.md"):
        require_known({"SHILU_QQQQ": "1"})


def test_the_command_says_it_without_a_traceback_and_knows_its_version(tmp_path: object) -> None:
    from pathlib import Path

    home = Path(str(tmp_path))
    done = shilu(home, "", "status", SHILU_PARTITIONS="abc")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    done = shilu(home, "", "--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"shilu {version('shilu')}")


def test_fewer_replicas_than_the_cluster_allows_are_a_difference_only_where_asked_for() -> None:
    found = {topic.name: Found(1 if topic.single else 8, 1, broker_config(topic)) for topic in ALL}
    assert differences(found, Wanted(8, False, REPLICAS_MAX, is_default=True)) == []
    asked = differences(found, Wanted(8, False, REPLICAS_MAX))
    assert {d.setting for d in asked} == {"replication"}
