"""While a sink runs it owns the folder; who has a question asks it, and nobody else can."""

import json
import os
import random
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from consumers.api.questions_by_name import BadQuestion
from consumers.api.trail_client import At, Opened, Owner, ask, find_owner, reader
from consumers.api.trail_server import serving
from consumers.kafka.records import Place
from consumers.trail.progress import Fault, Progress
from consumers.trail.rows import TABLES
from consumers.trail.store import Trail, TrailError, TrailLocked, open_trail
from tests.trail.book import Book, line, random_book
from tests.trail.fill import fill
from tests.trail.running import until

HTTP = httpx.Client(timeout=60)  # a busy machine may take more than five seconds


@pytest.fixture
def at(tmp_path: Path) -> At:
    return At(tmp_path)


@pytest.fixture
def book(trail: Trail) -> Book:
    book = Book()
    book.serve("v-1", "s-1", line(60))
    fill(trail, book.inputs + book.outputs())
    return book


@pytest.fixture
def progress() -> Progress:
    return Progress()


@pytest.fixture
def url(trail: Trail, progress: Progress, at: At) -> Iterator[str]:
    with serving(trail, progress, at.owner_file) as address:
        yield address


def test_there_is_no_trail_before_a_sink_made_one(at: At) -> None:
    with pytest.raises(TrailError) as raised:
        ask(at, "total", volunteer_id="v-1")
    assert raised.value.code == "trail_missing"
    assert not at.folder.exists()


def test_a_folder_that_nobody_owns_is_opened(tmp_path: Path) -> None:
    at = At(tmp_path)
    with open_trail(at.folder, create=True) as trail:
        book = Book()
        book.serve("v-1", "s-1", line(60))
        fill(trail, book.inputs + book.outputs())
    with reader(at) as someone:
        assert isinstance(someone, Opened)
        assert someone.ask("total", volunteer_id="v-1")["minutes"] == 60


def test_a_locked_folder_names_its_owner_and_the_owner_answers(
    book: Book, url: str, at: At
) -> None:
    """Another process cannot open the folder, but can ask."""
    script = (
        "import sys, json; from pathlib import Path\n"
        "from consumers.api.trail_client import At, ask, reader\n"
        "from consumers.trail.store import TrailLocked, open_trail\n"
        "at = At(Path(sys.argv[1]))\n"
        "try: open_trail(at.folder)\n"
        "except TrailLocked as locked: print(locked.pid)\n"
        "with reader(at) as someone: print(type(someone).__name__)\n"
        "print(json.dumps(ask(at, 'total', volunteer_id='v-1', by='org')))\n"
        "with reader(at) as someone:\n"
        "    rows = someone.stream('rows', table='event', topic='service.checkins',"
        " partition=int(sys.argv[2]), below=9)\n"
        "    print(sum(batch.num_rows for batch in rows))\n"
        "    rows = someone.stream('rows', table='event', topic='x', partition=0, below=9)\n"
        "    print(sum(batch.num_rows for batch in rows))\n"
    )
    partition = str(book.inputs[0].partition)
    done = subprocess.run(
        [sys.executable, "-c", script, str(at.home), partition],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    pid, who, answer, rows, none = done.stdout.splitlines()
    assert int(pid) == os.getpid()
    assert who == "Owner"
    assert json.loads(answer)["minutes"] == 60
    assert (int(rows), int(none)) == (2, 0)


def test_what_the_owner_answers_is_what_the_folder_says(
    trail: Trail, book: Book, url: str, at: At
) -> None:
    owner, direct = find_owner(at), Opened(trail)
    assert isinstance(owner, Owner)
    with owner.client:
        for question, arguments in (
            ("total", {"volunteer_id": "v-1", "by": "day", "as_of": book.now}),
            ("explain", {"volunteer_id": "v-1"}),
            ("trace", {"event_id": book.postings[0].event_id}),
            ("exceptions", {"limit": 3}),
            ("quarantine_list", {}),
            ("heads", {}),
            ("indexes", {}),
        ):
            assert owner.ask(question, **arguments) == direct.ask(question, **arguments)
        for stream, given in (
            ("rows", {"table": "line", "topic": "", "partition": 0, "below": 10}),
            ("accounts", {"partition": book.inputs[0].partition, "below_index": 10}),
        ):
            told = [batch.to_pylist() for batch in owner.stream(stream, **given)]
            assert told == [batch.to_pylist() for batch in direct.stream(stream, **given)]


def test_a_long_answer_comes_whole(trail: Trail, url: str, at: At) -> None:
    fill(trail, random_book(random.Random(3), 40_000).inputs)
    owner = find_owner(at)
    assert owner is not None
    with owner.client:
        for partition in range(2):
            (row,) = trail.query(
                "SELECT count() AS n FROM event WHERE topic = 'service.checkins' "
                "AND partition = {p:Int64}",
                p=partition,
            )
            given = {"table": "event", "topic": "service.checkins", "partition": partition}
            batches = list(owner.stream("rows", below=10**9, **given))
            assert sum(batch.num_rows for batch in batches) == row["n"] > 2_000
            offsets = [o for batch in batches for o in batch.column("offset").to_pylist()]
            assert offsets == sorted(offsets)
            assert batches[0].schema.names == TABLES["event"].names


def test_without_the_token_nothing_is_answered(book: Book, url: str, at: At) -> None:
    asked = {"question": "total", "arguments": {"volunteer_id": "v-1"}}
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer"}):
        assert HTTP.post(f"{url}/v1/ask", json=asked, headers=headers).status_code == 401
        assert HTTP.post(f"{url}/v1/stream", json={}, headers=headers).status_code == 401
    assert stat.S_IMODE(at.owner_file.stat().st_mode) == 0o600
    assert HTTP.get(f"{url}/docs").status_code == 404


@pytest.mark.parametrize(
    "asked",
    [
        {"question": "SELECT 1"},
        {"question": "total", "arguments": {"volunteer_id": "v", "sql": "SELECT 1"}},
        {"question": "total", "arguments": {"volunteer_id": ["v"]}},
        {"question": "explain", "arguments": {}},
        {"question": "total", "sql": "SELECT 1"},
        {"question": 5},
        {},
    ],
)
def test_there_is_no_free_question(url: str, at: At, asked: dict[str, object]) -> None:
    token = json.loads(at.owner_file.read_text())["facts"]["token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert HTTP.post(f"{url}/v1/ask", json=asked, headers=headers).status_code == 422


def test_a_stream_takes_only_known_names(url: str, at: At) -> None:
    owner = find_owner(at)
    assert owner is not None
    with owner.client:
        for name, given in (
            ("rows", {"table": "event; DROP TABLE event", "topic": "", "partition": 0, "below": 1}),
            ("rows", {"table": "event", "topic": "", "partition": "0", "below": 1}),
            ("accounts", {}),
            ("system.tables", {}),
        ):
            with pytest.raises(BadQuestion):
                list(owner.stream(name, **given))


def test_an_owner_that_was_killed_is_no_owner(
    trail: Trail, at: At, book: Book, tmp_path: Path
) -> None:
    """Its pid may be nobody's or somebody else's, and so may its port."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    me = psutil.Process()
    with serving(trail, Progress(), tmp_path / "other.json"):
        facts = json.loads((tmp_path / "other.json").read_text())["facts"]
        nobody = facts | {"port": 1}
        at.owner_file.parent.mkdir(exist_ok=True)
        for pid, created, said in (
            (dead.pid, me.create_time(), facts),
            (me.pid, me.create_time() - 100, facts),
            (me.pid, me.create_time(), nobody),
        ):
            note = {"pid": pid, "created": created, "facts": said}
            at.owner_file.write_text(json.dumps(note))
            assert find_owner(at) is None
        at.owner_file.write_text("{")
        assert find_owner(at) is None
        note = {"pid": me.pid, "created": me.create_time(), "facts": facts}
        at.owner_file.write_text(json.dumps(note))
        assert find_owner(at) is not None
    assert ask(at, "total", volunteer_id="v-1")["minutes"] == 60


def test_the_address_is_gone_when_the_owner_has_stopped(trail: Trail, at: At) -> None:
    with serving(trail, Progress(), at.owner_file) as url:
        assert HTTP.get(f"{url}/health").status_code == 503
        assert find_owner(at) is not None
    assert not at.owner_file.exists()
    assert find_owner(at) is None


def test_health_says_how_far_behind_and_is_red_for_good(url: str, progress: Progress) -> None:
    def light() -> tuple[int, str, int]:
        answer = HTTP.get(f"{url}/health")
        return answer.status_code, answer.json()["state"], answer.json()["behind"]

    place = Place("service.checkins", 3)
    assert light() == (503, "unknown", 0)
    progress.saw({place: 10})
    progress.wrote({place: 4})
    assert light() == (200, "behind", 6)
    assert HTTP.get(f"{url}/health").json()["places"] == {"service.checkins/3": 6}
    progress.wrote({place: 10})
    assert light() == (200, "green", 0)
    progress.add(Fault("index_gap", "ledger.postings/0", "offset 7"))
    progress.wrote({place: 11})
    assert light() == (503, "red", 0)
    assert HTTP.get(f"{url}/health").json()["faults"][0]["code"] == "index_gap"
    assert "shilu_trail_rows_total" in HTTP.get(f"{url}/metrics").text


def test_many_ask_at_once_and_get_their_own_answers(trail: Trail, url: str, at: At) -> None:
    book = Book()
    for n in range(40):
        book.serve(f"v-{n}", f"s-{n}", line(n + 1, session_id=f"s-{n}"))
    fill(trail, book.inputs + book.outputs())
    found: dict[int, int] = {}

    def one(n: int) -> None:
        found[n] = ask(at, "total", volunteer_id=f"v-{n}", by="org")["minutes"]

    threads = [threading.Thread(target=one, args=(n,)) for n in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: n + 1 for n in range(40)}


def test_a_reader_that_is_in_the_way_is_waited_for(tmp_path: Path) -> None:
    at = At(tmp_path)
    open_trail(at.folder, create=True).close()
    script = (
        "import sys; from pathlib import Path; from consumers.trail.store import open_trail\n"
        "trail = open_trail(Path(sys.argv[1])); print('open', flush=True)\n"
        "sys.stdin.readline(); trail.close()\n"
    )
    other = subprocess.Popen([sys.executable, "-c", script, str(at.folder)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert other.stdin is not None
    assert other.stdout is not None
    try:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(TrailLocked) as raised:
            open_trail(at.folder)
        assert raised.value.pid == other.pid
        answers: list[object] = []
        asking = threading.Thread(target=lambda: answers.append(ask(at, "heads")))
        asking.start()
        other.stdin.write("\n")
        other.stdin.flush()
        asking.join()
        assert answers == [{}]
    finally:
        other.kill()
        other.wait()
    until(lambda: other.poll() is not None, "the other process to end")


def test_a_changed_ddl_file_is_refused(trail: Trail, folder: Path) -> None:
    trail.command(
        "ALTER TABLE schema_version UPDATE sha256 = 'x' WHERE number = 1 "
        "SETTINGS mutations_sync = 2"
    )
    with pytest.raises(TrailError) as raised:
        open_trail(folder)
    assert (raised.value.code, raised.value.detail) == ("schema_changed", "0001_trail.sql")
