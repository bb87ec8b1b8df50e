"""What a local broker is made of: its properties, its storage, its JVM, and its first answer."""

import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.broker.jars import class_path
from deploy.broker.java import Java
from deploy.errors import ShiluError
from deploy.host.ports import LOOPBACK

_KAFKA = Path(__file__).parents[1] / "kafka"
LOG = "broker.log"
OUT = "broker.out"
RECORDED = "tmp/recorded.aot"
_PROPERTIES = "server.properties"
_STORAGE = "log"
_FORMAT_SECONDS = 60
_ANSWER_SECONDS = 1.0
_ANSWER_BYTES_MAX = 1 << 20


# Asks the kernel to end the broker with the thread that started it, then becomes the broker. Not
# as preexec_fn: that runs Python in a forked copy of a process that may have threads.
_TIED = (
    "import ctypes,os,signal,sys;"
    "ctypes.CDLL(None).prctl(1,signal.SIGTERM);"
    "os.getppid()==int(sys.argv[1]) or sys.exit(1);"
    "os.execv(sys.argv[2],sys.argv[2:])"
)


@dataclass(frozen=True, slots=True)
class Jvm:
    """A Java, the jars it runs, and how."""

    java: Java
    jars: Path
    heap: str
    options: tuple[str, ...]

    def command(self, main: str, *arguments: str, log: str, extra: Sequence[str] = ()) -> list[str]:
        """The command line; it must be run inside the data folder with `environment()`."""
        return [
            str(self.java.path),
            f"-Xmx{self.heap}",
            *self.options,
            *extra,
            # Half a broker is worse than none.
            "-XX:+ExitOnOutOfMemoryError",
            "-XX:ErrorFile=jvm-crash.log",
            "-XX:-CreateCoredumpOnCrash",
            "-Djava.io.tmpdir=tmp",
            f"-Dshilu.log={log}",
            f"-Dlog4j2.configurationFile={(_KAFKA / 'log4j2.xml').as_uri()}",
            main,
            *arguments,
        ]

    def environment(self) -> dict[str, str]:
        """Ours, with the class path; UTF-8 because Java takes its file names from the locale."""
        return {**os.environ, "CLASSPATH": class_path(self.jars), "LC_ALL": "C.UTF-8"}


def spawn(
    jvm: Jvm, data_dir: Path, *, aot_cache: Path | None, record: bool, tied: bool, keep_open: int
) -> subprocess.Popen[bytes]:
    """Start the broker of a formatted data folder; `record` makes it write an AOT cache at its end.

    Ctrl-C in the terminal does not reach it. `tied` asks Linux to end it with the calling thread.
    It holds the file descriptor `keep_open` open for as long as it lives.
    """
    extra = [f"-XX:AOTCacheOutput={RECORDED}"] if record else _using(aot_cache)
    command = jvm.command("kafka.Kafka", str(data_dir / _PROPERTIES), log=LOG, extra=extra)
    if tied:
        command = [sys.executable, "-ISc", _TIED, str(os.getpid()), *command]
    with (data_dir / OUT).open("wb") as out:
        return subprocess.Popen(
            command,
            cwd=data_dir,
            env=jvm.environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[keep_open],
        )


def write_properties(
    data_dir: Path,
    *,
    port: int,
    controller_port: int,
    settings: Mapping[str, str],
    file: str = _PROPERTIES,
    storage: str = _STORAGE,
) -> None:
    """The properties of one broker; `settings` win over everything but addresses and storage."""
    own = {
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        # Relative to the data folder: a comma in its path would be taken for two folders.
        "log.dirs": storage,
    }
    lines = [(_KAFKA / "server.properties").read_text("utf-8")]
    lines += [_property(name, value) for name, value in {**settings, **own}.items()]
    (data_dir / file).write_text("\n".join(lines) + "\n", "utf-8")


def cluster_id(data_dir: Path) -> str | None:
    """The id given when the storage was formatted; None if it isn't formatted."""
    try:
        text = (data_dir / _STORAGE / "meta.properties").read_text("utf-8")
    except FileNotFoundError:
        return None
    found = re.search(r"^cluster\.id=(.+)$", text, re.MULTILINE)
    return found[1] if found else None


def format_storage(
    data_dir: Path,
    jvm: Jvm,
    *,
    aot_cache: Path | None,
    settings: Mapping[str, str],
    keep_open: int,
) -> None:
    """Format the storage if it isn't. Cut short, it leaves nothing that looks formatted.

    `keep_open` as in `spawn`. Raises ShiluError `storage_not_formatted` with Kafka's words.
    """
    if cluster_id(data_dir) is not None:
        return
    half = data_dir / f"{_STORAGE}.formatting"
    shutil.rmtree(half, ignore_errors=True)
    properties = "format.properties"
    write_properties(
        data_dir,
        port=1,
        controller_port=2,
        settings=settings,
        file=properties,
        storage=half.name,
    )
    command = jvm.command(
        "kafka.tools.StorageTool",
        *("format", "--cluster-id", _new_cluster_id(), "--config", properties),
        log="format.log",
        extra=_using(aot_cache),
    )
    why = _run_to_end(command, data_dir, jvm, keep_open)
    if why:
        raise ShiluError(
            "storage_not_formatted",
            f"Kafka 无法在 {data_dir} 建立存储({why}):请检查该目录与设置后重试。",
            f"Kafka can't format its storage in {data_dir} ({why}): "
            "check the folder and the settings, and try again.",
        )
    half.rename(data_dir / _STORAGE)


def serves(port: int, cluster: str) -> bool:
    """Does the broker of this cluster answer on the port, registered and unfenced?

    An open port is not enough: until the controller has let it in, topics can't be created.
    """
    client = b"shilu"
    # Metadata request, version 2, about no topic: the answer lists live brokers and the cluster.
    request = struct.pack(f">hhih{len(client)}si", 3, 2, 1, len(client), client, 0)
    try:
        with socket.create_connection((LOOPBACK, port), timeout=_ANSWER_SECONDS) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            size, _, brokers = struct.unpack(">iii", _exactly(connection, 12))
            rest = _exactly(connection, min(size - 8, _ANSWER_BYTES_MAX))
    except (OSError, EOFError):
        return False
    return brokers > 0 and cluster.encode() in rest


def death(data_dir: Path, log_begins: int) -> ShiluError:
    """The error `broker_died` of a run whose log begins at that byte, in the broker's own words."""
    reason, log = _reason(data_dir, log_begins), data_dir / LOG
    return ShiluError(
        "broker_died",
        f"Kafka 启动时退出({reason}):请按原因处理后重试,详情见 {log}。",
        f"Kafka ended while starting ({reason}): mend that and try again; details are in {log}.",
    )


def _run_to_end(command: list[str], data_dir: Path, jvm: Jvm, keep_open: int) -> str:
    """Empty, or why it failed."""
    try:
        done = subprocess.run(
            command,
            cwd=data_dir,
            env=jvm.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_FORMAT_SECONDS,
            check=False,
            pass_fds=[keep_open],
        )
    except subprocess.TimeoutExpired:
        return f"not done within {_FORMAT_SECONDS} s"
    if done.returncode == 0:
        return ""
    return _first_meaningful(done.stderr + done.stdout) or f"exit {done.returncode}"


def _using(aot_cache: Path | None) -> list[str]:
    return [f"-XX:AOTCache={aot_cache}"] if aot_cache else []


def _reason(data_dir: Path, log_begins: int) -> str:
    """The first error of this run, or else what Java said."""
    said = _since(data_dir / LOG, log_begins).splitlines()
    for at, line in enumerate(said):
        found = re.match(r"\S+ (?:ERROR|FATAL) (.*)", line)
        if found:
            # The line after names the exception, if there was one.
            after = said[at + 1] if at + 1 < len(said) else ""
            exception = re.match(r"[\w.$]+(?:Exception|Error): (.+)", after)
            return exception[1] if exception else found[1]
    out = _first_meaningful(_since(data_dir / OUT, 0))
    return out or (said[-1] if said else "no reason given")


def _since(path: Path, begins: int) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return ""
    # Shorter than before: the log was rolled over, so all of it is of this run.
    return content[begins if begins <= len(content) else 0 :].decode("utf-8", "replace")


def _first_meaningful(text: str) -> str:
    """The first line that is neither a warning nor a comment of the JVM about itself."""
    for line in text.splitlines():
        if line.strip(" #") and not re.match(r"WARNING|\[|\s+at |Formatting|Picked up", line):
            return line.strip(" #")
    return ""


def _exactly(connection: socket.socket, count: int) -> bytes:
    content = b""
    while len(content) < count:
        part = connection.recv(count - len(content))
        if not part:
            raise EOFError
        content += part
    return content


def _new_cluster_id() -> str:
    while True:
        text = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        # On a command line it would be read as an option.
        if not text.startswith("-"):
            return text


def _property(name: str, value: str) -> str:
    units = struct.iter_unpack(">H", value.replace("\\", "\\\\").encode("utf-16-be"))
    return f"{name}=" + "".join(chr(u) if u < 128 else f"\\u{u:04x}" for (u,) in units)
