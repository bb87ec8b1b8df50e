"""The commands as people type them, with a sink running and without."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.api.trail_client import At
from consumers.api.trail_server import serving
from consumers.trail.progress import Progress
from consumers.trail.store import open_trail
from deploy.broker.broker import Broker
from deploy.errors import ShiluError
from deploy.terminal.tables import cell
from deploy.terminal.times import day_of, days_of, moment_of
from deploy.trail.trail_view import hours
from schemas.times import day, instant, rfc3339
from schemas.topics import CHECKINS
from tests.trail.book import Book, line, random_book
from tests.trail.fill import Sender, fill
from tests.trail.running import health, shilu, shilu_here, sink_process, until


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trail that nobody owns, and no Kafka."""
    place = tmp_path_factory.mktemp("home")
    book = Book()
    book.org("org-a", "春风社工")
    book.serve("v-1", "s-1", line(125))
    book.grant("v-1", "g-1", line(60, session_id=None, grant_id="g-1", state="held_org"),
               outcome="held", reason="no_second_person")  # fmt: skip
    book.quarantine(book.put(b"\0bad", key="v-1", topic=CHECKINS), "bad_framing", "4 bytes")
    with open_trail(At(place).folder, create=True) as trail:
        fill(trail, book.inputs + book.outputs())
    return place


NO_KAFKA = "127.0.0.1:1"


def run(home: Path, *arguments: str, bootstrap: str = NO_KAFKA, **changes: str) -> str:
    """What a command says: as a process of its own beside a sink, otherwise within this one."""
    how = shilu_here if bootstrap == NO_KAFKA else shilu
    done = how(home, bootstrap, *arguments, **changes)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def test_total_shows_hours_to_people_and_minutes_to_programs(home: Path) -> None:
    assert "2h 5m" in run(home, "total", "v-1")
    assert "held: 1h 0m" in run(home, "total", "v-1")
    answer = json.loads(run(home, "total", "v-1", "--json", "--by", "org"))
    assert (answer["minutes"], answer["held_minutes"]) == (125, 60)
    assert answer["breakdown"]["rows"] == [
        {"key": "org-a", "name": "春风社工", "minutes": 125, "attendances": 1, "volunteers": 1}
    ]
    everybody = json.loads(run(home, "total", "--json", "--by", "county"))
    assert (everybody["minutes"], everybody["volunteers"]) == (125, 1)
    later = json.loads(run(home, "total", "v-1", "--json", "--from", "2025-03-02"))
    assert later["minutes"] == 0
    then = json.loads(run(home, "total", "v-1", "--json", "--as-of", "2025-02-28"))
    assert (then["minutes"], then["postings"]) == (0, 0)


def test_an_answer_says_up_to_which_record_of_the_log_it_is_true(home: Path) -> None:
    with open_trail(At(home).folder) as trail:
        (posting,) = trail.query("SELECT partition, max(offset) + 1 AS end FROM posting "
                                 "GROUP BY partition")  # fmt: skip
    place = f"ledger.postings/{posting['partition']}"
    answer = json.loads(run(home, "total", "v-1", "--json"))
    assert answer["positions"][place] == posting["end"]
    assert run(home, "total", "v-1").splitlines()[-1] == (
        f"as of ledger.postings {posting['partition']}:{posting['end']}"
    )


def test_every_reading_command_speaks_both_languages(home: Path) -> None:
    for arguments, zh, en in (
        (("total", "v-1"), "有效时长", "service"),
        (("total", "v-1", "--by", "day"), "合计", "total"),
        (("explain", "v-1"), "补录缺少第二人", "lacks a second person"),
        (("exceptions",), "补录缺少第二人", "lacks a second person"),
        (("exceptions",), "谁决定", "who decides"),
        (("total", "--by", "month"), "全部志愿者", "all volunteers"),
        (("org", "org-a", "--by", "project"), "作为接待方", "gross (recorded)"),
        (("plan", "p-1"), "不属于任何班次", "outside all shifts"),
        (("overdue", "--days", "0", "--as-of", "2025-03-05"), "久未决定", "undecided"),
        (("headcount", "--as-of", "2025-03-05", "--by", "org"), "活跃而未注册", "registered"),
        (("trace", "e-000003"), "入账", "recorded"),
        (("quarantine", "list"), "模式编号", "schema id"),
    ):
        assert zh in run(home, *arguments, SHILU_LANG="zh")
        assert en in run(home, *arguments, SHILU_LANG="en")


def test_a_command_is_a_process_of_its_own_like_any_other(home: Path) -> None:
    asked = ("total", "v-1")
    done = shilu(home, NO_KAFKA, *asked)
    assert (done.returncode, done.stdout) == (0, run(home, *asked))


def test_json_answers_are_one_json_value(home: Path) -> None:
    explained = json.loads(run(home, "explain", "v-1", "--json"))
    assert [posting["outcome"] for posting in explained["postings"]] == ["posted", "posted", "held"]
    assert json.loads(run(home, "exceptions", "--json"))["counts"]
    assert json.loads(run(home, "trace", "e-000003", "--json"))["copies"]
    assert json.loads(run(home, "org", "org-a", "--json"))["recorder"]["held_minutes"] == 60
    assert json.loads(run(home, "plan", "p-1", "--json"))["minutes"] == 125
    assert json.loads(run(home, "overdue", "--days", "0", "--json"))["waiting"]["minutes"] == 60
    counted = json.loads(run(home, "headcount", "--as-of", "2025-03-05", "--json"))
    assert counted.pop("positions")
    assert counted == {
        "as_of": "2025-03-05T23:59:59.999999+08:00", "date": "2025-03-05", "registered": 0,
        "active": 0, "unregistered_active": 1, "breakdown": None,
    }  # fmt: skip
    (bad,) = json.loads(run(home, "quarantine", "list", "--json"))
    (shown,) = json.loads(run(home, "quarantine", "show", bad["source"]))
    assert bytes.fromhex(shown["value_hex"]) == b"\0bad"


UNKNOWN = [
    ("total", "v-2", "volunteer", "v-1"),
    ("explain", "v-2", "volunteer", "v-1"),
    ("recognition", "v-2", "volunteer", "v-1"),
    ("trace", "e-000030", "event", "e-000003"),
    ("org", "org-b", "organisation", "org-a"),
    ("plan", "p-2", "project", "p-1"),
    ("total", "nobody-of-this-name", "volunteer", None),
]


@pytest.mark.parametrize(("command", "name", "what", "near"), UNKNOWN)
def test_who_is_not_in_the_ledger_is_said_with_a_code_of_its_own_and_the_nearest_name(
    home: Path, command: str, name: str, what: str, near: str | None
) -> None:
    for bounds in ((), ("--as-of", "2025-02-28")) if command != "trace" else ((),):
        done = shilu_here(home, NO_KAFKA, command, name, *bounds)
        assert (done.returncode, done.stdout) == (5, "")
        assert f"No such {what} is in the ledger: {name}" in done.stderr
        assert "Kafka does not answer" in done.stderr
        assert (f"did you mean {near}?" if near else "check the id.") in done.stderr
    zh = shilu_here(home, NO_KAFKA, command, name, SHILU_LANG="zh")
    assert (f"是不是 {near}?" if near else "请检查编号。") in zh.stderr
    said = shilu_here(home, NO_KAFKA, command, name, "--json")
    found = json.loads(said.stdout)
    assert (said.returncode, found["code"], found["field"]) == (5, "not_in_ledger", "id")
    assert found["fix"] == (f"did you mean {near}?" if near else "check the id.")


def test_who_was_not_there_yet_or_is_only_registered_is_known_all_the_same(home: Path) -> None:
    assert "0h 0m" in run(home, "total", "v-1", "--as-of", "2025-02-28")
    assert "org-a" in run(home, "org", "org-a", "--as-of", "2024-01-01")


def test_two_breakdowns_give_each_of_each_and_the_same_sum(home: Path) -> None:
    asked = ("total", "--by", "org", "--by", "month")
    found = json.loads(run(home, *asked, "--json"))["breakdown"]
    assert (found["by"], found["minutes"]) == (["org", "month"], 125)
    assert found["rows"] == [
        {"key": ["org-a", "2025-03"], "name": ["春风社工", None], "minutes": 125,
         "attendances": 1, "volunteers": 1}
    ]  # fmt: skip
    shown = run(home, *asked)
    assert [word in shown for word in ("org-a", "春风社工", "2025-03")] == [True] * 3
    assert (
        json.loads(run(home, "total", "--by", "org", "--by", "org", "--json"))["breakdown"]
        == (json.loads(run(home, "total", "--by", "org", "--json"))["breakdown"])
    )


@pytest.mark.parametrize(
    ("arguments", "code", "field", "exit_code"),
    [
        (("total", "v-1", "--as-of", "yesterday"), "time_form", None, 1),
        (("reconcile",), "no_broker", None, 1),
        (("total", "--by", "colour"), "usage", "by", 2),
        (("total", "--jason", "x"), "usage", None, 2),
        (("emit", "no-such-file"), "no_file", None, 1),
    ],
)
def test_an_error_under_json_is_json_on_standard_output(
    home: Path, arguments: tuple[str, ...], code: str, field: str | None, exit_code: int
) -> None:
    done = shilu_here(home, NO_KAFKA, *arguments, "--json")
    found = json.loads(done.stdout)
    assert list(found) == ["code", "field", "message", "fix", "zh", "en"]
    assert (done.returncode, found["code"], found["field"]) == (exit_code, code, field)
    assert found["fix"]
    assert found["en"] == f"{found['message']}: {found['fix']}"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("total", "v-1", "--as-of", "yesterday"), "看不懂时间"),
        (("total", "v-1", "--as-of", "2025-03-01T10:00:00"), "看不懂时间"),
        (("total", "v-1", "--from", "2025-13-01"), "看不懂日期"),
        (("total", "v-1", "--from", "1.3.2025"), "看不懂日期"),
        (("total", "v-1", "--from", "2025-03-02", "--to", "2025-03-01"), "晚于结束日期"),
        (("quarantine", "show", "service.checkins"), "看不懂位置"),
        (("quarantine", "show", "service.checkins/0/99"), "不在隔离区"),
        (("reconcile",), "连不上 Kafka"),
        (("tail", "service.checkins"), "连不上 Kafka"),
        (("sink",), "连不上 Kafka"),
    ],
)
def test_a_mistake_is_one_sentence(home: Path, arguments: tuple[str, ...], code: str) -> None:
    done = shilu_here(home, NO_KAFKA, *arguments, SHILU_LANG="zh")
    assert done.returncode == 1
    assert code in done.stderr
    assert "Traceback" not in done.stderr


def test_no_trail_yet_says_what_to_start(tmp_path: Path) -> None:
    for arguments in (("total", "v-1"), ("exceptions",), ("explain", "v-1")):
        done = shilu_here(tmp_path, NO_KAFKA, *arguments)
        assert done.returncode == 1
        assert "shilu up" in done.stderr
    assert not At(tmp_path).folder.exists()


def test_a_server_that_is_away_is_named_without_its_password(home: Path) -> None:
    dsn = "clickhouse://reader:secret@127.0.0.1:1/shilu"
    done = shilu_here(home, NO_KAFKA, "total", "v-1", SHILU_CLICKHOUSE=dsn)
    assert done.returncode == 1
    assert "ClickHouse does not answer" in done.stderr
    assert "secret" not in done.stderr


def test_a_day_as_time_means_its_end_in_china() -> None:
    assert rfc3339(moment_of("2025-03-01")) == "2025-03-01T23:59:59.999999+08:00"
    assert moment_of("2025-03-01T18:00:00+08:00") == instant("2025-03-01T10:00:00Z")
    assert days_of("2025-03-01", "2025-03-01") == (day("2025-03-01"), day("2025-03-01"))
    assert days_of(None, None) == (None, None)
    for text in ("2025", "2025-3-1", "20250301", "2025-02-30", "2025-W01-1"):
        with pytest.raises(ShiluError, match=text):
            day_of(text)


def test_hours_are_said_with_their_sign() -> None:
    said = [hours(n) for n in (0, 59, 60, 125, -5, -125)]
    assert said == ["0h 0m", "0h 59m", "1h 0m", "2h 5m", "-0h 5m", "-2h 5m"]


def test_nothing_from_the_log_moves_the_cursor_or_paints() -> None:
    assert cell("[red]x\x1b[2J\u202e\r\n").plain == "[red]x\\x1b[2J\\u202e\\r\\n"


@pytest.fixture
def book() -> Book:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    return random_book(random.Random(seed), 200)


@pytest.fixture
def running(cluster: Broker, book: Book, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A sink process that has caught up: home and bootstrap."""
    Sender(cluster.bootstrap).send(book)
    with sink_process(tmp_path, cluster.bootstrap):
        until(lambda: (health(tmp_path) or {}).get("state") == "green", "green")
        yield tmp_path, cluster.bootstrap


@pytest.mark.kafka
def test_with_a_sink_running_its_owner_is_asked(running: tuple[Path, str], book: Book) -> None:
    home, bootstrap = running
    for volunteer_id, kept in list(book.kept.items())[:3]:
        answer = json.loads(run(home, "total", volunteer_id, "--json", bootstrap=bootstrap))
        assert answer["minutes"] == kept.balance
    unknown = shilu(home, bootstrap, "total", "nobody")
    assert unknown.returncode == 5
    assert "the trail is not behind" in unknown.stderr
    second = shilu(home, bootstrap, "sink")
    assert second.returncode == 1
    assert "held by another process" in second.stderr


@pytest.mark.kafka
def test_status_asks_the_log_how_far_the_trail_is_behind(
    cluster: Broker, book: Book, tmp_path: Path
) -> None:
    at, progress = At(tmp_path), Progress()

    def status() -> tuple[int, int | None]:
        done = shilu_here(tmp_path, cluster.bootstrap, "status", "--json")
        said = json.loads(done.stdout)
        assert said["in_step"] is (done.returncode == 0)
        assert said["services"]["trail"]["behind"] == 0
        return done.returncode, said["trail_behind"]

    with open_trail(at.folder, create=True) as trail, serving(trail, progress, at.owner_file):
        progress.saw({})
        assert status() == (0, 0)
        # The sink looks where the log ends once in a second: before that it sees nothing of these.
        book.tick("v-0")
        Sender(cluster.bootstrap).send(book)
        assert progress.state == "green"
        assert status() == (1, len(book.inputs) + len(book.postings) + len(book.quarantined))


@pytest.mark.kafka
def test_reconcile_is_0_when_green_1_when_red_and_3_when_behind(
    cluster: Broker, book: Book, tmp_path: Path
) -> None:
    sender, bootstrap = Sender(cluster.bootstrap), cluster.bootstrap

    def reconcile(*more: str) -> tuple[int, dict[str, Any]]:
        done = shilu(tmp_path, bootstrap, "reconcile", "--json", *more)
        assert done.stdout, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        assert report["exit_code"] == done.returncode
        return done.returncode, report

    sender.send(book)
    with sink_process(tmp_path, bootstrap):
        assert reconcile("--wait", "60") == (0, reconcile()[1])
    book.serve("v-0", "s-new", line(30))
    sender.send(book)
    code, report = reconcile("--wait", "0")
    assert (code, report["state"]) == (3, "behind")
    assert sum(report["trail_behind"].values()) == 4
    late = shilu(tmp_path, bootstrap, "total", "nobody")
    assert late.returncode == 5
    assert "not yet: the trail is behind by 4 records" in late.stderr
    with open_trail(At(tmp_path).folder) as trail:
        trail.command("ALTER TABLE line DELETE WHERE posting_index < 5 SETTINGS mutations_sync = 2")
    code, report = reconcile("--wait", "0")
    assert (code, report["state"]) == (1, "red")
    assert {d["code"] for d in report["differences"]} >= {"row_missing"}
    shown = shilu(tmp_path, bootstrap, "reconcile", "--wait", "0", SHILU_LANG="zh")
    assert "对账不一致" in shown.stdout
    assert report["differences"][0]["event_id"] in shown.stdout


@pytest.mark.kafka
def test_tail_shows_the_newest_or_all_and_bytes_that_do_not_decode(
    cluster: Broker, book: Book, tmp_path: Path
) -> None:
    sender = Sender(cluster.bootstrap)
    sender.send(book)

    def tail(*arguments: str) -> list[dict[str, Any]]:
        lines = run(tmp_path, "tail", *arguments, bootstrap=cluster.bootstrap).splitlines()
        return [json.loads(line) for line in lines]

    checkins = [r for r in book.inputs if r.topic == CHECKINS]
    shown = tail(CHECKINS, "--from-beginning")
    assert len(shown) == len(checkins)
    assert {(r["partition"], r["offset"]) for r in shown} == {
        (r.partition, r.offset) for r in checkins
    }
    assert any(r.get("fault") == "bad_framing" and r["value_hex"] for r in shown)
    newest = tail(CHECKINS, "-n", "3")
    assert [r["offset"] for r in newest] == [r.offset for r in checkins[-3:]]
    assert len(tail(CHECKINS)) == 10
    assert len(tail(CHECKINS, "--from-beginning", "-n", "7")) == 7
    postings = tail("ledger.postings", "--from-beginning")
    assert len(postings) == len(book.postings)
    assert postings[0]["value"]["type"] == "Posting"
    missing = shilu(tmp_path, cluster.bootstrap, "tail", "nowhere")
    assert "There is no topic nowhere" in missing.stderr
