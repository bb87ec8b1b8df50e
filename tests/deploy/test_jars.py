"""The jars are exactly those of the lock file, whoever brought them and whatever went wrong.

Maven and jgo run for real; the repository they ask is a folder served on loopback.
"""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.broker.jars import Quiet, class_path, fetch_jars, kafka_home, read_lock, verify
from deploy.errors import ShiluError

JARS = {"one-1.0.jar": b"first", "two-2.0.jar": b"second " * 50_000}

POM = """<project><modelVersion>4.0.0</modelVersion>
<groupId>test</groupId><artifactId>{artifact}</artifactId><version>{version}</version>
<dependencies>{dependencies}</dependencies></project>"""
DEPENDENCY = """<dependency><groupId>test</groupId>
<artifactId>{0}</artifactId><version>{1}</version></dependency>"""


@dataclass
class Heard(Quiet):
    """A Progress that remembers."""

    counts: list[tuple[int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def jars(self, there: int, needed: int) -> None:
        self.counts.append((there, needed))

    def note(self, zh: str, en: str) -> None:
        assert zh
        self.notes.append(en)


@dataclass(frozen=True)
class Place:
    """A lock file and a POM for two jars, a cache, and the repository that has them."""

    root: Path
    asked: list[str]

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def lock_file(self) -> Path:
        return self.root / "jars.sha256"

    @property
    def pom_file(self) -> Path:
        return self.root / "pom.xml"

    @property
    def home(self) -> Path:
        return kafka_home(self.cache, self.lock_file)

    def in_repository(self, name: str) -> Path:
        artifact, version = name.rpartition(".")[0].split("-")
        return self.root / "repository" / "test" / artifact / version / name

    def fetch(self, progress: Quiet | None = None) -> Path:
        return fetch_jars(
            progress=progress, cache=self.cache, lock_file=self.lock_file, pom_file=self.pom_file
        )


BRING_ONE = """
for a; do case $a in -DoutputDirectory=*) printf first > "${a#*=}/one-1.0.jar";; esac; done
"""


class Repository(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: object, asked: list[str], directory: str) -> None:
        self._asked = asked
        super().__init__(*arguments, directory=directory)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._asked.append(self.path.rpartition("/")[2])
        super().do_GET()

    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    place = Place(tmp_path, asked=[])
    place.lock_file.write_text(
        "".join(f"{sha256(content).hexdigest()}  {name}\n" for name, content in JARS.items())
    )
    one, two = DEPENDENCY.format("one", "1.0"), DEPENDENCY.format("two", "2.0")
    place.pom_file.write_text(POM.format(artifact="root", version="1", dependencies=one))
    for name, content in JARS.items():
        jar = place.in_repository(name)
        jar.parent.mkdir(parents=True)
        jar.write_bytes(content)
    for artifact, version, needs in (("one", "1.0", two), ("two", "2.0", "")):
        pom = place.in_repository(f"{artifact}-{version}.pom")
        pom.write_text(POM.format(artifact=artifact, version=version, dependencies=needs))
    handler = partial(Repository, asked=place.asked, directory=str(tmp_path / "repository"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        config = tmp_path / "jgo.conf"
        config.write_text(f"[repositories]\ncentral = http://127.0.0.1:{server.server_port}\n")
        monkeypatch.setenv("JGO_CONFIG_FILE", str(config))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        # No Maven, unless a test puts one here.
        (tmp_path / "bin").mkdir()
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        yield place
        server.shutdown()


def put_maven(place: Place, script: str) -> None:
    maven = place.root / "bin" / "mvn"
    maven.write_text(f"#!/bin/sh\n{script}\n")
    maven.chmod(0o755)


def test_the_jars_of_the_lock_are_fetched_once_and_progress_is_told(place: Place) -> None:
    heard = Heard()
    jars = place.fetch(heard)
    assert {jar.name: jar.read_bytes() for jar in jars.iterdir()} == JARS
    assert heard.counts == [(0, 2), (1, 2), (2, 2), (2, 2)]
    asked = len(place.asked)
    assert place.fetch(heard) == jars
    assert len(place.asked) == asked
    assert [path.name for path in place.home.iterdir()] == ["jars"]
    assert not place.home.with_name(f"{place.home.name}.partial").exists()


def test_the_class_path_has_a_fixed_order(place: Place) -> None:
    jars = place.fetch()
    assert class_path(jars) == f"{jars / 'one-1.0.jar'}{os.pathsep}{jars / 'two-2.0.jar'}"


def alter(jars: Path) -> None:
    (jars / "two-2.0.jar").write_bytes(b"second, altered")


def lose(jars: Path) -> None:
    (jars / "two-2.0.jar").unlink()


def add(jars: Path) -> None:
    (jars / "evil-9.jar").write_bytes(b"")


@pytest.mark.parametrize(
    ("hurt", "code", "name"),
    [
        (alter, "jar_altered", "two-2.0.jar"),
        (lose, "jar_missing", "two-2.0.jar"),
        (add, "jar_extra", "evil-9.jar"),
    ],
)
def test_a_jar_that_is_not_as_locked_is_named_with_the_way_out(
    place: Place, hurt: Callable[[Path], None], code: str, name: str
) -> None:
    jars = place.fetch()
    hurt(jars)
    with pytest.raises(ShiluError) as error:
        place.fetch()
    assert error.value.code == code
    for sentence in (error.value.en, error.value.zh):
        assert name in sentence
        assert str(jars) in sentence
    assert f"delete {jars}" in error.value.en
    shutil.rmtree(jars)
    assert place.fetch() == jars


def test_a_repository_that_sends_another_jar_is_not_believed(place: Place) -> None:
    jar = place.in_repository("two-2.0.jar")
    jar.write_bytes(b"something else")
    with pytest.raises(ShiluError, match=r"two-2\.0\.jar .* check the Maven mirror") as error:
        place.fetch()
    assert error.value.code == "jar_altered"
    assert not place.home.exists()
    jar.write_bytes(JARS["two-2.0.jar"])
    place.fetch()


def test_a_repository_without_a_jar_is_an_error_and_the_rest_is_not_asked_again(
    place: Place,
) -> None:
    jar = place.in_repository("two-2.0.jar")
    jar.unlink()
    with pytest.raises(ShiluError, match="two") as error:
        place.fetch()
    assert error.value.code == "jars_unreachable"
    assert not place.home.exists()
    jar.write_bytes(JARS["two-2.0.jar"])
    place.asked.clear()
    place.fetch()
    assert place.asked == ["two-2.0.jar"]


def test_a_page_of_a_proxy_in_place_of_a_pom_is_forgotten(place: Place) -> None:
    pom = place.in_repository("one-1.0.pom")
    right = pom.read_text()
    pom.write_text("<html>Please log in<br></html>")
    with pytest.raises(ShiluError, match="no POM") as error:
        place.fetch()
    assert error.value.code == "jars_unreachable"
    pom.write_text(right)
    place.fetch()


def test_an_unreachable_network_is_an_error_with_a_way_out(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = place.root / "nowhere.conf"
    config.write_text("[repositories]\ncentral = http://127.0.0.1:1\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(config))
    with pytest.raises(ShiluError, match="check the network") as error:
        place.fetch()
    assert error.value.code == "jars_unreachable"


def test_when_maven_fails_jgo_fetches_and_the_reason_is_told(place: Place) -> None:
    put_maven(place, "echo '[ERROR] no route to anywhere'; exit 1")
    heard = Heard()
    place.fetch(heard)
    assert heard.notes == [
        "Maven did not bring the jars (no route to anywhere), fetching them with jgo."
    ]


def test_when_maven_can_not_even_run_jgo_fetches(place: Place) -> None:
    put_maven(place, "")
    (place.root / "bin" / "mvn").write_text("#!/no/such/shell")
    heard = Heard()
    place.fetch(heard)
    assert "No such file" in heard.notes[0]


def test_when_maven_brings_half_jgo_fetches(place: Place) -> None:
    put_maven(place, BRING_ONE)
    heard = Heard()
    jars = place.fetch(heard)
    assert "two-2.0.jar is missing" in heard.notes[0]
    verify(jars, read_lock(place.lock_file))


FETCH = """
import sys
from pathlib import Path
from deploy.broker.jars import fetch_jars
root = Path(sys.argv[1])
fetch_jars(cache=root / "cache", lock_file=root / "jars.sha256", pom_file=root / "pom.xml")
"""


def test_several_processes_at_once_fetch_each_jar_once(place: Place) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", FETCH, str(place.root)]) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert sorted(name for name in place.asked if name.endswith(".jar")) == sorted(JARS)
    place.fetch()


def test_a_fetch_killed_half_way_leaves_nothing_that_would_be_used(place: Place) -> None:
    put_maven(place, f"{BRING_ONE}\nread forever < $0.pipe")
    os.mkfifo(place.root / "bin" / "mvn.pipe")
    process = subprocess.Popen([sys.executable, "-c", FETCH, str(place.root)])
    half = place.home.with_name(f"{place.home.name}.partial") / "jars" / "one-1.0.jar"
    while not half.exists():
        assert process.poll() is None
    process.kill()
    process.wait()
    # Its Maven waits for this.
    with (place.root / "bin" / "mvn.pipe").open("w") as pipe:
        pipe.write("\n")
    assert not place.home.exists()
    (place.root / "bin" / "mvn").unlink()
    jars = place.fetch()
    assert {jar.name for jar in jars.iterdir()} == set(JARS)


@pytest.mark.kafka
@pytest.mark.parametrize("hidden", [(), ("mvn", "java")], ids=["maven", "jgo"])
def test_both_ways_bring_the_real_jars_of_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hidden: tuple[str, ...]
) -> None:
    if hidden:
        monkeypatch.setenv("PATH", str(tmp_path))
    elif shutil.which("mvn") is None:
        pytest.skip("no Maven here")
    heard = Heard()
    jars = fetch_jars(cache=tmp_path / "cache", progress=heard)
    assert heard.notes == []
    assert {jar.name for jar in jars.iterdir()} == read_lock().keys()
