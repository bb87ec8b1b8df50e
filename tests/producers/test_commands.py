"""`shilu emit`, `catalogue publish`, `simulate` and `topics` as a person runs them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from typer.testing import CliRunner, Result

from deploy.broker.broker import Broker
from deploy.broker.topics_admin import describe
from deploy.commands.services import topics as topics_command
from deploy.commands.writing import write as write_command
from deploy.errors import ShiluError
from schemas.events import ClockTicked
from schemas.times import instant
from schemas.topics import ALL, CATALOGUE, CHECKINS, FACTS
from schemas.wire.jsonform import event_from_json
from tests.drawn.histories import merge
from tests.producers.helpers import AT, as_line, check_in, read_topic, wait_until
from tests.producers.test_emit import org

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "linkage.jsonl"


def shilu(*arguments: str, at: str, lang: str = "en", given: bytes | None = None) -> Result:
    """Run one command against the broker at this address."""
    app = typer.Typer()
    topics_command.register(app)
    write_command.register(app)
    return CliRunner().invoke(
        app, arguments, input=given, env={"SHILU_BOOTSTRAP": at, "SHILU_LANG": lang}
    )


def refusal(result: Result) -> ShiluError:
    assert isinstance(result.exception, ShiluError), result.output
    return result.exception


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker on which these tests create the topics."""
    with Broker(tmp_path_factory.mktemp("bare"), tied_to_parent=True) as running:
        yield running


@pytest.mark.kafka
def test_topics_are_created_once_and_then_compared(bare: Broker) -> None:
    at = bare.bootstrap
    before = json.loads(shilu("topics", "list", "--json", at=at).stdout)
    assert [(row["name"], row["exists"]) for row in before] == [(t.name, False) for t in ALL]
    assert "missing" in shilu("topics", "list", at=at).stdout
    first = shilu("topics", "create", "--partitions", "4", "--timestamps", "producer", at=at)
    assert (first.exit_code, first.stdout.count("created")) == (0, len(ALL))
    again = shilu("topics", "create", "--partitions", "4", "--timestamps", "producer", at=at)
    assert (again.exit_code, again.stdout.count("exists")) == (0, len(ALL))
    rows = json.loads(shilu("topics", "list", "--json", at=at).stdout)
    assert [(row["partitions"], row["timestamps"]) for row in rows] == [
        (1 if topic.single else 4, "producer") for topic in ALL
    ]
    assert [row["cleanup"] for row in rows] == [topic.cleanup for topic in ALL]
    other = shilu("topics", "create", "--partitions", "8", at=at)
    assert other.exit_code == 1
    assert "service.checkins has partitions 4, asked for is 8" in other.stderr
    assert "keep it with --partitions 4" in other.stderr
    assert "message.timestamp.type CreateTime, asked for is LogAppendTime" in other.stderr
    assert "keep it with --timestamps producer" in other.stderr
    unchanged = json.loads(shilu("topics", "list", "--json", at=at).stdout)
    assert unchanged == rows


@pytest.mark.kafka
def test_a_single_missing_topic_is_added_and_a_changed_setting_found(bare: Broker) -> None:
    at = bare.bootstrap
    arguments = ("topics", "create", "--partitions", "4", "--timestamps", "producer")
    shilu(*arguments, at=at)
    admin = KafkaAdminClient(bootstrap_servers=at)
    admin.delete_topics(["ledger.quarantine"])
    wait_until(lambda: "ledger.quarantine" not in admin.list_topics())
    added = shilu(*arguments, at=at)
    assert "ledger.quarantine  created (1 replica(s))" in added.stdout.splitlines()
    assert added.stdout.count("exists") == len(ALL) - 1
    admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, "service.hours", {"retention.ms": "1000"})]
    )
    wait_until(lambda: describe(at)["service.hours"].config["retention.ms"] == "1000")
    admin.close()
    found = shilu(*arguments, at=at)
    assert found.exit_code == 1
    assert "service.hours has retention.ms 1000, asked for is -1" in found.stderr
    assert "kafka-configs --alter --topic service.hours --add-config retention.ms=-1" in (
        found.stderr
    )


@pytest.mark.kafka
def test_more_replicas_than_brokers_is_said_in_a_sentence(broker: Broker) -> None:
    error = refusal(shilu("topics", "create", "--replication", "3", at=broker.bootstrap))
    assert error.code == "topic_not_created"
    assert "replication factor" in error.en


@pytest.mark.kafka
def test_emit_exits_0_only_if_every_line_was_acknowledged(
    producer_time: Broker, tmp_path: Path
) -> None:
    at, file = producer_time.bootstrap, tmp_path / "events.jsonl"
    event = check_in("v-command")
    file.write_bytes(as_line(event))
    good = shilu("emit", str(file), at=at)
    assert (good.exit_code, good.stdout) == (0, "1 lines accepted, 0 refused\n")
    file.write_bytes(as_line(event) + b'{"type": "CheckedOff"}\n' + as_line(event))
    bad = shilu("emit", str(file), at=at)
    assert bad.exit_code == 1
    first, summary = bad.stdout.splitlines()
    named = "[unknown_type] type = CheckedOff (did you mean CheckedOut?) "
    assert first.startswith(f"2\trefused\t-\t{named}")
    assert first.endswith("see the type names in docs/events.md.")
    assert summary == "2 lines accepted, 1 refused"


@pytest.mark.kafka
def test_emit_speaks_chinese_and_lists_every_line_when_asked(producer_time: Broker) -> None:
    event = check_in("v-verbose")
    result = shilu(
        "emit", "-", "--verbose", at=producer_time.bootstrap, lang="zh",
        given=as_line(event) + b"{}\n",
    )  # fmt: skip
    first, second, summary = result.stdout.splitlines()
    assert first.startswith(f"1\t已接收\t{event.event_id}\t{CHECKINS} ")
    assert second.startswith("2\t退回\t-\ttype = None(允许:")
    assert summary == "已接收 1 行,退回 1 行"


@pytest.mark.kafka
def test_json_results_are_alone_on_standard_output(producer_time: Broker) -> None:
    event = check_in("v-json")
    result = shilu(
        "emit", "-", "--json", at=producer_time.bootstrap, given=as_line(event) + b"{}\n"
    )
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["line"], row["status"]) for row in rows] == [(1, "accepted"), (2, "refused")]
    assert rows[0]["event_id"] == event.event_id
    assert result.stderr == "1 lines accepted, 1 refused\n"


@pytest.mark.kafka
def test_an_ignored_recorded_at_is_said_once(broker_time: Broker) -> None:
    lines = [as_line(check_in("v-1"), "2025-03-01T09:00:00+08:00") for _ in range(3)]
    result = shilu("emit", "-", at=broker_time.bootstrap, given=b"".join(lines))
    assert result.exit_code == 0
    assert result.stderr.startswith("recorded_at of 3 lines was not used: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.kafka
def test_catalogue_publish_takes_catalogue_events_alone(producer_time: Broker) -> None:
    given = as_line(org(900)) + as_line(check_in("v-1"))
    result = shilu("catalogue", "publish", "-", at=producer_time.bootstrap, given=given)
    assert result.exit_code == 1
    assert "[wrong_topic] type = CheckedIn" in result.stdout
    assert b"o900" in [record.key for record in read_topic(producer_time.bootstrap, CATALOGUE)]


@pytest.mark.kafka
def test_catalogue_publish_says_what_the_catalogue_refuses(producer_time: Broker) -> None:
    """A person merged into themselves: the broker takes it, the catalogue does not."""
    merged = as_line(merge("v-self", "v-self"))
    given, at = as_line(org(901)) + merged, producer_time.bootstrap
    result = shilu("catalogue", "publish", "-", at=at, given=given)
    assert result.exit_code == 1
    refused, summary = result.stdout.splitlines()[1:]
    assert refused.startswith("2\trefused by the catalogue\tmerge-v-self-v-self\t[merge_cycle] ")
    assert summary == "1 in force, 1 refused by the catalogue"
    told = shilu("catalogue", "publish", "-", "--json", at=at, given=merged)
    assert [json.loads(line).get("reason") for line in told.stdout.splitlines()] == [
        None, "merge_cycle"
    ]  # fmt: skip
    assert shilu("catalogue", "publish", "-", "--no-wait", at=at, given=merged).exit_code == 0
    assert shilu("catalogue", "publish", "-", at=at, given=as_line(org(902))).exit_code == 0


@pytest.mark.kafka
def test_the_worked_example_is_accepted_line_by_line(cluster: Broker) -> None:
    result = shilu("emit", str(EXAMPLE), "--json", at=cluster.bootstrap)
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    given = [json.loads(line) for line in EXAMPLE.read_text("utf-8").splitlines()]
    assert [row["event_id"] for row in rows] == [line["event_id"] for line in given]
    placed = {
        (topic, record.partition, record.offset): record.timestamp
        for topic in (*FACTS, CATALOGUE)
        for record in read_topic(cluster.bootstrap, topic)
    }
    for row, line in zip(rows, given, strict=True):
        places = row["positions"] or [[row["partition"], row["offset"]]]
        for partition, offset in places:
            at = placed[row["topic"], partition, offset] * 1000
            assert at == instant(line["recorded_at"])


def test_a_broker_that_does_not_answer_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(as_line(check_in("v-1")))
    for arguments in (
        ("emit", str(tmp_path / "events.jsonl")),
        ("topics", "list"),
        ("topics", "create"),
        ("simulate", "--send"),
    ):
        error = refusal(shilu(*arguments, at="127.0.0.1:9"))
        assert error.code == "no_broker"
        assert "127.0.0.1:9" in error.en
        assert "shilu up" in error.en
        assert "127.0.0.1:9" in error.zh


@pytest.mark.kafka
def test_a_missing_topic_is_named_with_the_way_out(broker: Broker) -> None:
    error = refusal(shilu("emit", "-", at=broker.bootstrap, given=as_line(check_in("v-1"))))
    assert error.code == "topic_missing"
    assert "shilu topics create" in error.en
    assert "shilu topics create" in error.zh


def test_a_file_that_is_not_there_is_named() -> None:
    error = refusal(shilu("emit", "no-such-file.jsonl", at="127.0.0.1:9"))
    assert (error.code, "no-such-file.jsonl" in error.en) == ("no_file", True)


@pytest.mark.kafka
def test_simulate_sends_exactly_as_many_records_with_their_times(cluster: Broker) -> None:
    arguments = ("simulate", "--events", "3000", "--volunteers", "300", "--days", "10", "--send")
    result = shilu(*arguments, at=cluster.bootstrap)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("3,000 records acknowledged")
    topics = (*FACTS, CATALOGUE)
    records = [record for topic in topics for record in read_topic(cluster.bootstrap, topic)]
    assert len(records) == 3000
    assert min(record.timestamp for record in records) * 1000 == instant(
        "2025-03-01T00:05:00+08:00"
    )
    assert sum(not record.headers for record in records) > 0


@pytest.mark.kafka
def test_under_the_brokers_time_the_history_is_moved_and_said_so(broker_time: Broker) -> None:
    before = len(read_topic(broker_time.bootstrap, CHECKINS))
    result = shilu(
        "simulate", "--events", "500", "--volunteers", "50", "--days", "3", "--send",
        at=broker_time.bootstrap,
    )  # fmt: skip
    assert result.exit_code == 0
    assert "lateness is judged against now" in result.stderr
    records = read_topic(broker_time.bootstrap, CHECKINS)
    assert len(records) > before
    times = [
        (record.timestamp * 1000 - instant(dict(record.headers)["ce_time"].decode()))
        // 86_400_000_000
        for record in records
        if dict(record.headers).get("ce_type") == b"shilu.ClockTicked.v1"
    ]
    assert times
    assert min(times) >= 0
    assert max(times) <= 4


@pytest.mark.kafka
def test_a_history_that_would_reach_into_the_future_is_refused(producer_time: Broker) -> None:
    error = refusal(
        shilu("simulate", "--send", "--start", "2190-01-01", at=producer_time.bootstrap)
    )
    assert error.code == "history_in_the_future"
    assert "--start" in error.en


def test_simulate_writes_lines_that_emit_would_accept(tmp_path: Path) -> None:
    out = tmp_path / "history.jsonl"
    arguments = ("simulate", "--events", "3000", "--volunteers", "300", "--days", "10", "--out")
    result = shilu(*arguments, str(out), at="127.0.0.1:9")
    assert result.exit_code == 0
    events: list[Any] = []
    for line in out.read_text("utf-8").splitlines():
        given = json.loads(line)
        assert instant(given.pop("recorded_at")) >= AT - 86_400_000_000
        events.append(event_from_json(given))
    ticks = [event for event in events if isinstance(event, ClockTicked)]
    assert len({tick.event_id for tick in ticks}) == len(ticks) == 10
    assert 2800 < len(events) < 3000
    again = shilu(*arguments, "-", at="127.0.0.1:9")
    assert again.stdout == out.read_text("utf-8")


@pytest.mark.parametrize("arguments", [(), ("--send", "--out", "x.jsonl")])
def test_simulate_wants_one_way_out(arguments: tuple[str, ...]) -> None:
    assert refusal(shilu("simulate", *arguments, at="127.0.0.1:9")).code == "nothing_to_do"


def test_a_start_that_is_no_date_is_refused() -> None:
    error = refusal(shilu("simulate", "--send", "--start", "March", at="127.0.0.1:9"))
    assert error.code == "bad_date"
