"""Who is measured, as data: how to start each, and when it is done."""

import os
import sys
from dataclasses import dataclass
from typing import Literal

from bench.contest.java import Peer
from schemas.topics import PARTITIONS

WORKER = "worker"
QUICK_WORKER = "workers"
"""The worker of bench-quick: a process a core, as Kafka Streams has a thread a core."""
QUICK_STREAMS = "streams-c1"
"""The Kafka Streams of bench-quick: in so short a run the quicker of Java's compilers wins."""

Needs = Literal["nothing", "java", "quix"]


@dataclass(frozen=True, slots=True)
class Contestant:
    """One row of the table. Words in braces in the command and the environment are filled in.

    One that `ends` by itself reads exactly {facts} records and is done when it has ended; the
    others are done when their group {app_id} has committed everything. `note` says where it does
    less, or more, than the worker.
    """

    key: str
    title: str
    note: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    ends: bool = False
    needs: Needs = "nothing"
    ours: bool = False
    kafka_streams: bool = False
    checked: bool = False
    """Does it follow the peers' rules, so that its accounts can be recomputed?"""


_RAW = "consumes, decodes, counts; writes nothing"
_CORES = min(os.cpu_count() or 1, PARTITIONS)
_STREAMS = f"simpler rules; threads: {_CORES}"
_C1 = "-XX:TieredStopAtLevel=1"
_JVM = ("-XX:+UseSerialGC", "-Xmx2g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")


def _raw(key: str, title: str, module: str) -> Contestant:
    command = (sys.executable, "-m", module, "{bootstrap}", "{facts}")
    return Contestant(key, title, _RAW, command, ends=True)


def _streams(
    key: str, what: str, *, store: str = "rocksdb", cache: str = "on", jvm: tuple[str, ...] = ()
) -> Contestant:
    command = (
        "{java}",
        *_JVM,
        *jvm,
        "-cp",
        "{jars}",
        "shilu.peer.Main",
        *("--bootstrap", "{bootstrap}", "--app-id", "{app_id}"),
        *("--schemas", "{schemas}", "--state-dir", "{home}/state"),
        *("--store", store, "--cache", cache, "--threads", str(_CORES)),
    )
    title = f"Kafka Streams EOS v2, {what}"
    return Contestant(key, title, _STREAMS, command, needs="java", kafka_streams=True, checked=True)


def _worker(key: str, title: str, processes: int) -> Contestant:
    return Contestant(
        key,
        title,
        "the full rules",
        (sys.executable, "-m", "deploy.cli", "worker", "--processes", str(processes)),
        (
            ("SHILU_HOME", "{home}"),
            ("SHILU_BOOTSTRAP", "{bootstrap}"),
            ("SHILU_APP_ID", "{app_id}"),
        ),
        ours=True,
    )


ALL = (
    _raw("confluent", "confluent-kafka and fastavro: a limit", "bench.peers.confluent_raw"),
    _raw("aiokafka", "aiokafka and fastavro: our client's limit", "bench.peers.aiokafka_raw"),
    _streams("streams", "RocksDB, cache"),
    _streams(QUICK_STREAMS, "RocksDB, cache, only Java's C1", jvm=(_C1,)),
    _streams("streams-uncached", "RocksDB, no cache", cache="off"),
    _streams("streams-memory", "memory, cache", store="memory"),
    _streams("streams-memory-uncached", "memory, no cache", store="memory", cache="off"),
    Contestant(
        "quix",
        "Quix Streams, exactly once",
        "simpler rules",
        ("{quix_python}", "-m", "bench.peers.quix", "{bootstrap}", "{app_id}", "{home}"),
        needs="quix",
        checked=True,
    ),
    Contestant(
        "faust",
        "Faust, stock tables",
        "simpler rules; at least once",
        (sys.executable, "-m", "bench.peers.faust_tables", "{bootstrap}", "{app_id}", "{home}"),
        checked=True,
    ),
    _worker(WORKER, "shilu worker, one process", 1),
    _worker(QUICK_WORKER, f"shilu worker, {_CORES} processes", _CORES),
)

BY_KEY = {contestant.key: contestant for contestant in ALL}


@dataclass(frozen=True, slots=True)
class Tools:
    """What has been built or found for those who need it."""

    java: Peer | None = None
    quix_python: str | None = None
