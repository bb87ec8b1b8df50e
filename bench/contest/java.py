"""The Kafka Streams peer: built by Maven into the user's cache, once for each version of it."""

import fcntl
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from bench.output.cache import bench_cache, forget_older
from deploy.errors import ShiluError

SOURCE = Path(__file__).parents[1] / "peers" / "kafka_streams"


@dataclass(frozen=True, slots=True)
class Peer:
    """What runs it: the java beside the javac that built it, and the class path."""

    java: str
    jars: str


def missing_tool() -> str | None:
    """The first of the tools it takes that is not there."""
    return next((tool for tool in ("mvn", "javac", "java") if shutil.which(tool) is None), None)


def build(note: Callable[[str], None]) -> Peer:
    """The peer, built first if it isn't there.

    Raises ShiluError `tool_missing`, or `peer_not_built` with Maven's first error.
    """
    tool = missing_tool()
    if tool is not None:
        raise ShiluError(
            "tool_missing",
            f"找不到 {tool}:请安装 JDK 17 以上与 Maven(Debian:default-jdk-headless、maven)后重试。",
            f"{tool} is not there: install a JDK of version 17 or newer and Maven (Debian: "
            "default-jdk-headless, maven) and try again.",
        )
    digest = sha256()
    for source in (SOURCE / "pom.xml", *sorted(SOURCE.glob("src/**/*.java"))):
        digest.update(source.relative_to(SOURCE).as_posix().encode() + source.read_bytes())
    place = bench_cache() / f"kafka-streams-{digest.hexdigest()[:16]}"
    with place.with_suffix(".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not place.exists():
            note("building the Kafka Streams peer with Maven")
            _compile(place)
            forget_older(place)
    return Peer(shutil.which("java") or "java", f"{place / 'peer.jar'}:{place / 'lib'}/*")


def _compile(place: Path) -> None:
    partial = place.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    done = subprocess.run(
        ["mvn", "--batch-mode", f"--file={SOURCE}", f"-Dshilu.build={partial}", "package"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = (done.stdout + done.stderr).splitlines()
        why = next((line for line in said if "ERROR" in line), f"exit {done.returncode}")
        raise ShiluError(
            "peer_not_built",
            f"Kafka Streams 对照程序没有编译成功({why}):请检查网络、JDK 版本或 Maven 镜像后重试。",
            f"The Kafka Streams peer was not built ({why}): check the network, the JDK's version "
            "or the Maven mirror, and try again.",
        )
    partial.rename(place)
