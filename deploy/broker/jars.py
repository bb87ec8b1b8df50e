"""The jars of Kafka: fetched once by Maven or jgo into the user's cache, each held to its SHA-256.

Both ways must bring exactly the files that `kafka/jars.sha256` names, or nothing is used.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Protocol

from deploy.errors import ShiluError

KAFKA_VERSION = "4.1.0"

_KAFKA = Path(__file__).parents[1] / "kafka"
POM_FILE = _KAFKA / "pom.xml"
LOCK_FILE = _KAFKA / "jars.sha256"


class Progress(Protocol):
    """What is told while jars are fetched; calls come from the calling thread."""

    def jars(self, there: int, needed: int) -> None:
        """So many of the jars needed are there."""

    def note(self, zh: str, en: str) -> None:
        """One sentence for the person who waits."""


class Quiet:
    """A Progress that says nothing."""

    def jars(self, there: int, needed: int) -> None: ...

    def note(self, zh: str, en: str) -> None: ...


def cache_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Where everything that can be fetched again is kept: `shilu` in the user's cache."""
    root = environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "shilu"


def read_lock(path: Path = LOCK_FILE) -> dict[str, str]:
    """The lock file as {file name: SHA-256 in hex}."""
    pairs = (line.split() for line in path.read_text("utf-8").splitlines() if line)
    return {name: digest for digest, name in pairs}


def kafka_home(cache: Path, lock_file: Path = LOCK_FILE) -> Path:
    """The folder in the cache that belongs to this lock file, whether it exists or not."""
    return cache / f"kafka-{KAFKA_VERSION}-{sha256(lock_file.read_bytes()).hexdigest()[:12]}"


def fetch_jars(
    *,
    progress: Progress | None = None,
    cache: Path | None = None,
    lock_file: Path = LOCK_FILE,
    pom_file: Path = POM_FILE,
) -> Path:
    """The folder with exactly the jars of the lock file, fetched first if it isn't there.

    Every call checks every jar. Any number of processes may call at once: one fetches, the others
    wait. Raises ShiluError `jar_missing`, `jar_extra`, `jar_altered` or `jars_unreachable`; what
    was fetched up to then is kept aside and used by the next call, never run.
    """
    cache = cache or cache_dir()
    progress = progress or Quiet()
    home = kafka_home(cache, lock_file)
    jars = home / "jars"
    lock = read_lock(lock_file)
    if not jars.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with _alone(home.with_name(f"{home.name}.lock"), progress):
            # Another process may have fetched them while we waited.
            if not jars.exists():
                _fetch(jars, home.with_name(f"{home.name}.partial"), lock, pom_file, progress)
    verify(jars, lock)
    return jars


def verify(jars: Path, lock: Mapping[str, str]) -> None:
    """Raises ShiluError `jar_missing`, `jar_extra` or `jar_altered`, naming the first such jar."""
    fault = _fault(jars, lock)
    if fault is not None:
        code, zh, en = fault
        raise ShiluError(
            code,
            f"{zh}:请删除 {jars} 后重试,会重新下载。",
            f"{en}: delete {jars} and try again, they will be fetched anew.",
        )


def class_path(jars: Path) -> str:
    """The jars in a fixed order: Java's AOT cache is only valid for the order it was made with."""
    return os.pathsep.join(str(jar) for jar in sorted(jars.iterdir()))


def _fault(jars: Path, lock: Mapping[str, str]) -> tuple[str, str, str] | None:
    there = {jar.name for jar in jars.iterdir()} if jars.exists() else set()
    for name in sorted(lock.keys() - there):
        return "jar_missing", f"{jars} 缺少 {name}", f"{name} is missing from {jars}"
    for name in sorted(there - lock.keys()):
        return (
            "jar_extra",
            f"{jars} 多出 jars.sha256 中没有的 {name}",
            f"{name} in {jars} is not listed in jars.sha256",
        )
    for name, digest in lock.items():
        with (jars / name).open("rb") as jar:
            if file_digest(jar, "sha256").hexdigest() != digest:
                return (
                    "jar_altered",
                    f"{jars} 中 {name} 的内容与 jars.sha256 不符",
                    f"{name} in {jars} does not match its SHA-256 in jars.sha256",
                )
    return None


def _fetch(
    jars: Path, partial: Path, lock: Mapping[str, str], pom_file: Path, progress: Progress
) -> None:
    fresh = partial / "jars"
    maven = shutil.which("mvn")
    if maven is not None:
        _empty(fresh)
        why = _fetch_with_maven(maven, pom_file, fresh, lock, progress)
        if why is None and (fault := _fault(fresh, lock)):
            why = fault[2]
        if why:
            progress.note(
                f"Maven 没有取得全部文件({why}),改用 jgo 下载。",
                f"Maven did not bring the jars ({why}), fetching them with jgo.",
            )
            maven = None
    if maven is None:
        _empty(fresh)
        _fetch_with_jgo(pom_file, fresh, partial, lock, progress)
        _require_as_locked(fresh, partial, lock)
    progress.jars(len(lock), len(lock))
    jars.parent.mkdir(exist_ok=True)
    os.rename(fresh, jars)
    shutil.rmtree(partial)


def _require_as_locked(fresh: Path, partial: Path, lock: Mapping[str, str]) -> None:
    fault = _fault(fresh, lock)
    if fault is None:
        return
    # Whole files, but not ours: asking the same repository again must start from nothing.
    shutil.rmtree(partial)
    code, zh, en = fault
    raise ShiluError(
        code,
        f"{zh}:请检查 Maven 镜像(~/.m2/settings.xml 或 ~/.config/jgo.conf)后重试。",
        f"{en}: check the Maven mirror in ~/.m2/settings.xml or ~/.config/jgo.conf and try again.",
    )


def _fetch_with_maven(
    maven: str, pom_file: Path, fresh: Path, lock: Mapping[str, str], progress: Progress
) -> str | None:
    """None, or why it failed in Maven's words."""
    command = [
        maven,
        "--batch-mode",
        "--file",
        str(pom_file),
        "dependency:copy-dependencies",
        f"-DoutputDirectory={fresh}",
    ]
    progress.jars(0, len(lock))
    try:
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None
            try:
                error = _follow_maven(process.stdout, lock, progress)
            except BaseException:
                process.kill()
                raise
    except OSError as not_run:
        return str(not_run)
    return None if process.returncode == 0 else error or f"exit {process.returncode}"


def _follow_maven(said: Iterable[str], lock: Mapping[str, str], progress: Progress) -> str:
    """Count the jars as Maven tells of them; returns its first error."""
    there: set[str] = set()
    error = ""
    for line in said:
        if "Downloaded from" in line:
            there |= {word.rpartition("/")[2] for word in line.split()} & lock.keys()
            progress.jars(len(there), len(lock))
        elif not error and "ERROR" in line:
            error = line.partition("ERROR")[2].strip(" ]:\n")
    return error


def _fetch_with_jgo(
    pom_file: Path, fresh: Path, partial: Path, lock: Mapping[str, str], progress: Progress
) -> None:
    # Here, not above: jgo takes half a second to import and is needed once in a machine's life.
    from deploy.broker.jars_jgo import NotFetched, fetch_with_jgo

    progress.jars(0, len(lock))
    try:
        fetch_with_jgo(
            pom_file, fresh, partial / "maven", lambda there: progress.jars(there, len(lock))
        )
    except NotFetched as why:
        raise ShiluError(
            "jars_unreachable",
            f"无法下载 Kafka 的文件({why}):请检查网络或 ~/.config/jgo.conf 中的镜像后重试。",
            f"The jars of Kafka could not be fetched ({why}): check the network, or the mirror "
            "in ~/.config/jgo.conf, and try again.",
        ) from why


@contextmanager
def _alone(lock_file: Path, progress: Progress) -> Iterator[None]:
    with lock_file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.note(
                "另一个进程正在下载 Kafka,等它完成。",
                "Another process is fetching Kafka; waiting for it.",
            )
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
