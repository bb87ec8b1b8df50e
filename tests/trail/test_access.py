"""Looks into the vault stand in `access_log` beside the questions asked of the trail itself."""

import json
from pathlib import Path

import pytest

from consumers.api.questions_by_name import answer, heads_by_name
from consumers.kafka.records import Place, Record
from consumers.trail.rows import rows_of
from consumers.trail.store import Trail, open_trail
from consumers.trail.watermarks import heads
from schemas.topics import ACCESS, CATALOGUE
from tests.trail.book import LOOKED_AT as AT
from tests.trail.book import a_look
from tests.trail.fill import fill


def test_a_look_is_a_row_beside_the_questions(trail: Trail) -> None:
    answer(trail, "total", {"volunteer_id": "v-1"}, asker="somebody")
    fill(trail, [Record(ACCESS, 0, 0, AT // 1000 + 5, b"v-1", a_look(1))])
    question, look = trail.query("SELECT * FROM access_log ORDER BY offset")
    assert (question["question"], question["partition"], question["offset"]) == ("total", -1, -1)
    assert question["recorded_at"] == question["asked_at"]
    assert (look["question"], look["asker"], look["volunteer_id"]) == ("vault.unmask", "u-1", "v-1")
    assert look["recorded_at"].timestamp() * 1000 == AT // 1000 + 5
    assert json.loads(look["arguments"]) == {
        "entry_no": 1, "purpose": "contact", "opened": ["name", "phone"], "reason_hash": None,
        "previous_hash": "0" * 64, "actor": {"id": "u-1", "role": "admin", "org_id": "sw1"},
    }  # fmt: skip


def test_questions_do_not_move_where_the_sink_goes_on(trail: Trail) -> None:
    answer(trail, "total", {"volunteer_id": "v-1"}, asker="somebody")
    assert heads(trail) == {}
    fill(trail, [Record(ACCESS, 0, n, 1, b"v-1", a_look(n + 1)) for n in range(3)])
    answer(trail, "total", {"volunteer_id": "v-1"}, asker="somebody")
    assert heads(trail)["access_log", Place(ACCESS, 0)] == 3
    assert heads_by_name(trail) == {f"{ACCESS}/0": 3}


def test_the_same_block_again_counts_once(trail: Trail) -> None:
    for _ in range(2):
        fill(trail, [Record(ACCESS, 0, 0, 1, b"v-1", a_look(1))])
    assert trail.query("SELECT count() AS n FROM access_log")[0]["n"] == 1


@pytest.mark.parametrize("topic", [ACCESS, CATALOGUE])
def test_a_look_elsewhere_or_at_no_time_is_kept_as_an_event(topic: str) -> None:
    record = Record(topic, 0, 0, 1, b"v-1", a_look(1, -(2**62)))
    tables = [table for table, _ in rows_of(record)]
    assert tables == (["event", "access_log"] if topic == ACCESS else ["event"])


def test_a_trail_made_before_gets_the_new_columns(folder: Path) -> None:
    with open_trail(folder, create=True) as trail:
        for column in ("partition", "offset", "recorded_at", "volunteer_id"):
            trail.command(f"ALTER TABLE access_log DROP COLUMN {column}")
        trail.command(
            "ALTER TABLE schema_version DELETE WHERE number = 7 SETTINGS mutations_sync=2"
        )
        trail.command("INSERT INTO access_log SELECT now64(6), 'somebody', 'total', '{}'")
    with open_trail(folder) as trail:
        (row,) = trail.query("SELECT * FROM access_log")
        assert (row["partition"], row["offset"], row["volunteer_id"]) == (-1, -1, "")
        assert row["recorded_at"] == row["asked_at"]
        fill(trail, [Record(ACCESS, 0, 0, 1, b"v-1", a_look(1))])
        assert trail.query("SELECT count() AS n FROM access_log")[0]["n"] == 2
