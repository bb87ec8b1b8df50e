"""The local broker, for real: where it listens, what it keeps, how it ends, what it says."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic

from deploy.broker.broker import Broker
from deploy.broker.jars import cache_dir, fetch_jars
from deploy.broker.java import find_java
from deploy.errors import ShiluError
from deploy.host.pidfile import lives
from deploy.host.ports import free_port

TOPIC = "service.checkins"
RECORDS = [f"check-in {n}".encode() for n in range(1_000)]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker"), tied_to_parent=True) as broker:
        yield broker


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A folder whose broker, if any is left, is ended after the test."""
    # A name as people have them: Java and Kafka must get it right too.
    data_dir = tmp_path / "数据, 一"
    yield data_dir
    left = Broker.attach(data_dir)
    if left is not None:
        left.kill()


def listening(process: psutil.Process) -> set[tuple[str, int]]:
    return {
        (connection.laddr.ip.removeprefix("::ffff:"), connection.laddr.port)
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr
    }


def create_topic(broker: Broker, topic: str = TOPIC, **configs: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.create_topics([NewTopic(topic, 1, 1, topic_configs=configs)])
    admin.close()


def send_records(broker: Broker, topic: str = TOPIC) -> None:
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    sent = [producer.send(topic, value) for value in RECORDS]
    for future in sent:
        future.get(timeout=30)
    producer.close()


def read_records(broker: Broker) -> list[bytes]:
    consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    partition = TopicPartition(TOPIC, 0)
    consumer.assign([partition])
    (end,) = consumer.end_offsets([partition]).values()
    values: list[bytes] = []
    while consumer.position(partition) < end:
        for records in consumer.poll(timeout_ms=1_000).values():
            values += [record.value for record in records]
    consumer.close()
    return values


def wait_for(condition: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    while not condition():
        assert process.poll() is None


@pytest.mark.kafka
def test_only_loopback_is_listened_on(broker: Broker) -> None:
    addresses = listening(psutil.Process(broker.pid))
    assert (broker.bootstrap.partition(":")[0], broker.port) in addresses
    assert {ip for ip, _ in addresses} == {"127.0.0.1"}
    # Clients and controller: nothing else, no JMX.
    assert len(addresses) == 2


@pytest.mark.kafka
def test_it_is_apache_kafka_4_1_and_says_what_it_does(broker: Broker) -> None:
    assert "Kafka version: 4.1.0" in broker.log_path.read_text("utf-8")


@pytest.mark.kafka
def test_a_topic_that_nobody_created_does_not_come_into_being(broker: Broker) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    consumer = KafkaConsumer("service.chekins", bootstrap_servers=broker.bootstrap)
    consumer.poll(timeout_ms=100)
    assert "service.chekins" not in admin.list_topics()
    consumer.close()
    admin.close()


@pytest.mark.kafka
@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
def test_the_broker_itself_can_compress(broker: Broker, compression: str) -> None:
    # Three of them need a library that Java unpacks into its temporary folder.
    create_topic(broker, compression, **{"compression.type": compression})
    send_records(broker, compression)


@pytest.mark.kafka
def test_ctrl_c_in_the_terminal_does_not_reach_it(broker: Broker) -> None:
    assert os.getpgid(broker.pid) == broker.pid != os.getpgid(0)
    assert os.getsid(broker.pid) == broker.pid


@pytest.mark.kafka
def test_a_second_start_over_the_same_data_names_the_first(broker: Broker) -> None:
    with pytest.raises(ShiluError, match=rf"pid {broker.pid}, port {broker.port}") as error:
        Broker(broker.data_dir).start()
    assert error.value.code == "broker_running"
    assert broker.is_running


@pytest.mark.kafka
def test_no_second_broker_runs_over_the_same_data_even_if_the_note_is_lost(
    broker: Broker,
) -> None:
    note = broker.data_dir / "broker.json"
    note.rename(note.with_suffix(".lost"))
    with pytest.raises(ShiluError, match="already runs over"):
        Broker(broker.data_dir).start()
    note.with_suffix(".lost").rename(note)


@pytest.mark.kafka
def test_of_several_that_start_at_once_one_wins(data_dir: Path) -> None:
    parents = [start_elsewhere(data_dir, "tied") for _ in range(3)]
    for parent in parents:
        parent.communicate()
    assert sorted(parent.returncode for parent in parents) == [0, 1, 1]


@pytest.mark.kafka
def test_a_failed_start_gives_the_brokers_own_reason(data_dir: Path) -> None:
    with Broker(data_dir) as broker:
        pass
    meta = data_dir / "log" / "meta.properties"
    meta.write_text(meta.read_text().replace("node.id=1", "node.id=7"))
    with pytest.raises(ShiluError, match="Stored node id 7 doesn't match") as error:
        broker.start()
    assert error.value.code == "broker_died"
    assert "Stored node id 7" in error.value.zh
    assert str(broker.log_path) in error.value.en
    assert not broker.is_running
    assert Broker.attach(data_dir) is None


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("settings", "jvm_options", "reason"),
    [
        ({"log.retention.hours": "soon"}, (), "Invalid value soon .* log.retention.hours"),
        ({}, ("-XX:+NoSuchOption",), "Unrecognized VM option 'NoSuchOption'"),
    ],
)
def test_a_bad_setting_is_named(
    data_dir: Path, settings: dict[str, str], jvm_options: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(ShiluError, match=reason):
        Broker(data_dir, settings=settings, jvm_options=jvm_options).start()
    # Nothing half formatted is taken for a store later.
    assert not (data_dir / "log").exists()


@pytest.mark.kafka
def test_the_data_outlives_restart_and_kill(data_dir: Path) -> None:
    with Broker(data_dir, tied_to_parent=True) as broker:
        create_topic(broker)
        send_records(broker)
        bootstrap, pid = broker.bootstrap, broker.pid
        broker.restart()
        assert broker.bootstrap == bootstrap
        assert broker.pid != pid
        assert read_records(broker) == RECORDS
        send_records(broker)
        broker.kill()
        assert not broker.is_running
        broker.start()
        assert broker.bootstrap == bootstrap
        assert read_records(broker) == RECORDS + RECORDS
        # And it can still be written to: the partition has its leader back.
        send_records(broker)


@pytest.mark.kafka
def test_stop_leaves_no_process_and_no_port(data_dir: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    broker = Broker(data_dir).start()
    ports = {port for _, port in listening(psutil.Process(broker.pid))}
    broker.stop()
    assert not broker.is_running
    assert set(psutil.Process().children(recursive=True)) == before
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    # Twice is no error.
    broker.stop()
    broker.kill()


@pytest.mark.kafka
def test_another_process_finds_and_stops_it_even_when_it_is_paused(data_dir: Path) -> None:
    assert Broker.attach(data_dir) is None
    broker = Broker(data_dir, tied_to_parent=True).start()
    found = Broker.attach(data_dir)
    assert found is not None
    assert (found.pid, found.bootstrap) == (broker.pid, broker.bootstrap)
    os.kill(found.pid, signal.SIGSTOP)
    found.stop()
    assert not found.is_running
    assert not broker.is_running
    assert Broker.attach(data_dir) is None


START = """
import signal
import sys
from pathlib import Path
from deploy.broker.broker import Broker
# Whoever was started in the background of a script inherits that Ctrl-C is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
broker = Broker(
    Path(sys.argv[1]), tied_to_parent=sys.argv[2] == "tied", jvm_options=sys.argv[3:]
).start()
print(broker.pid, flush=True)
sys.stdin.read()
"""


def start_elsewhere(
    data_dir: Path, tied: str, jvm_option: str = "-XX:TieredStopAtLevel=1"
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", START, str(data_dir), tied, jvm_option],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


@pytest.mark.kafka
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tie a process to its parent")
def test_tied_to_its_parent_it_ends_with_it_and_untied_it_stays(data_dir: Path) -> None:
    for tied in ("tied", "free"):
        parent = start_elsewhere(data_dir, tied)
        assert parent.stdout is not None
        process = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        parent.communicate()
        if tied == "tied":
            process.wait(timeout=60)
        else:
            left = Broker.attach(data_dir)
            assert left is not None
            assert left.pid == process.pid
            left.stop()
        assert not lives(process)


@pytest.mark.kafka
def test_ctrl_c_while_it_starts_leaves_nothing(data_dir: Path) -> None:
    # Interpreted, a broker takes far longer to start than the signal to arrive.
    parent = start_elsewhere(data_dir, "free", "-Xint")
    wait_for((data_dir / "broker.json").exists, parent)
    process = psutil.Process(parent.pid)
    brokers = process.children()
    parent.send_signal(signal.SIGINT)
    parent.communicate()
    assert parent.returncode != 0
    assert not any(lives(broker) for broker in brokers)
    assert not (data_dir / "broker.json").exists()


def test_a_taken_port_names_the_process_that_holds_it(tmp_path: Path) -> None:
    port = free_port()
    script = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1])));"
        "print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        name = psutil.Process(other.pid).name()
        with pytest.raises(ShiluError) as error:
            Broker(tmp_path / "data", port=port).start()
        other.communicate()
    assert error.value.code == "port_taken"
    for sentence in (error.value.en, error.value.zh):
        assert str(port) in sentence
        assert f"{name} (pid {other.pid})" in sentence
    assert not (tmp_path / "data" / "log").exists()


@pytest.mark.kafka
def test_the_asked_port_is_the_one(data_dir: Path) -> None:
    port = free_port()
    with Broker(data_dir, port=port, tied_to_parent=True) as broker:
        assert broker.bootstrap == f"127.0.0.1:{port}"


def fake_java(folder: Path, script: str) -> Path:
    java = folder / "java"
    java.write_text(f"#!/bin/sh\n{script}\n")
    java.chmod(0o755)
    return java


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("echo 'openjdk version \"11.0.2\" 2019-01-15' >&2", "java_too_old", "Java 11 .* needs 17"),
        ("echo 'java version \"1.8.0_292\"' >&2", "java_too_old", "Java 8 "),
        ("echo 'no such library' >&2; exit 127", "java_unusable", "no such library"),
        ("echo hello", "java_unusable", "hello"),
    ],
)
def test_a_java_that_will_not_do_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, code: str, words: str
) -> None:
    monkeypatch.setenv("SHILU_JAVA", str(fake_java(tmp_path, script)))
    with pytest.raises(ShiluError, match=words) as error:
        Broker(tmp_path / "data").start()
    assert error.value.code == code
    assert "SHILU_JAVA" in error.value.en
    assert "SHILU_JAVA" in error.value.zh


def test_a_java_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHILU_JAVA", "/no/such/java")
    with pytest.raises(ShiluError, match="/no/such/java") as error:
        find_java()
    assert error.value.code == "java_missing"


def test_a_new_java_is_taken_and_by_default_the_bundled_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = fake_java(tmp_path, "echo 'openjdk version \"26-ea\" 2026-03-17' >&2")
    monkeypatch.setenv("SHILU_JAVA", str(newer))
    assert (find_java().path, find_java().major) == (newer, 26)
    monkeypatch.setenv("SHILU_JAVA", "")
    answer = subprocess.run([find_java().path, "-version"], capture_output=True, check=True)
    assert f'version "{find_java().major}'.encode() in answer.stderr


@pytest.mark.kafka
@pytest.mark.skipif(shutil.which("java") is None, reason="no other Java here")
def test_the_java_of_the_user_runs_the_broker(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHILU_JAVA", "java")
    with Broker(data_dir, tied_to_parent=True) as broker:
        assert psutil.Process(broker.pid).cmdline()[0] == shutil.which("java")


def copy_jars(cache: Path) -> Path:
    """A cache that has the real jars and no AOT cache; returns the folder for the latter."""
    jars = fetch_jars()
    home = cache / jars.parent.relative_to(cache_dir())
    shutil.copytree(jars, home / "jars")
    return home


def damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.kafka
def test_the_aot_cache_is_made_by_the_first_run_and_a_broken_one_is_harmless(
    tmp_path: Path, data_dir: Path
) -> None:
    home = copy_jars(tmp_path / "cache")
    broker = Broker(data_dir, cache=tmp_path / "cache", tied_to_parent=True)
    with broker:
        assert list(home.glob("*.aot")) == []
    (aot_cache,) = home.glob("java-*")
    with broker:
        assert f"-XX:AOTCache={aot_cache}" in psutil.Process(broker.pid).cmdline()
    damage(aot_cache)
    with broker:
        assert not aot_cache.exists()
        create_topic(broker)
    (aot_cache,) = home.glob("java-*")
    # Java itself refuses a cache that was made with other jars.
    (home / "jars" / "argparse4j-0.7.0.jar").touch()
    with broker:
        assert not aot_cache.exists()


def test_the_fixed_settings_keep_what_is_promised() -> None:
    text = (Path(__file__).parents[2] / "deploy" / "kafka" / "server.properties").read_text("utf-8")
    settings = dict(re.findall(r"^([\w.]+)=(.*)$", text, re.MULTILINE))
    assert settings["auto.create.topics.enable"] == "false"
    assert settings["log.retention.hours"] == "-1"
    assert int(settings["group.min.session.timeout.ms"]) <= 3_000


def test_what_is_acknowledged_is_flushed_to_the_disk_within_a_fraction_of_a_second(
    broker: Broker,
) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    wanted = ["log.flush.interval.ms", "log.flush.scheduler.interval.ms"]
    resource = ConfigResource(ConfigResourceType.BROKER, "1", wanted)
    found = admin.describe_configs([resource], config_filter="all")
    admin.close()
    values = {key: int(entry["value"]) for key, entry in found["broker"]["1"].items()}
    assert values["log.flush.interval.ms"] + values["log.flush.scheduler.interval.ms"] <= 200
