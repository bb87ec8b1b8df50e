"""What runs here: Kafka, named or started by `shilu up`, and the notes of our own processes."""

from pathlib import Path

import psutil

from deploy.broker.broker import Broker
from deploy.errors import ShiluError
from deploy.host.pidfile import claim_pidfile, drop_pidfile, read_pidfile
from deploy.settings import Settings


def kafka_dir(settings: Settings) -> Path:
    """The folder of the local broker."""
    return settings.place / "kafka"


def bootstrap(settings: Settings) -> str:
    """host:port of Kafka; raises ShiluError `no_broker` where there is none."""
    if settings.bootstrap:
        return settings.bootstrap
    broker = Broker.attach(kafka_dir(settings))
    is_away = broker is None or not broker.is_listening
    if is_away and read_pidfile(note_path(settings, "up")) is not None:
        log = settings.place / "log" / "up.log"
        raise ShiluError(
            "no_broker",
            f"本机 Kafka 已停止或正在启动,正在运行的 shilu up 会启动它:请稍后重试;仍不行请看 {log},"
            "再运行 shilu down 和 shilu up。",
            f"The local Kafka has stopped or is starting, and the `shilu up` that runs starts it: "
            f"try in a moment; if that does not help look into {log}, then run `shilu down` and "
            "`shilu up`.",
        )
    if broker is None:
        raise ShiluError(
            "no_broker",
            "没有正在运行的 Kafka:请先运行 shilu up,或用 SHILU_BOOTSTRAP 指定集群地址。",
            "No Kafka is running: start one with `shilu up`, or name a cluster in SHILU_BOOTSTRAP.",
        )
    return broker.bootstrap


def note_path(settings: Settings, name: str) -> Path:
    """Where a running process of this deployment notes itself."""
    return settings.place / "run" / f"{name}.json"


def note_process(settings: Settings, name: str, **facts: str | int) -> Path:
    """Note this process, so that `shilu status` and `shilu down` find it: the note's path.

    Under NAME-PID where another process of that name runs. `forget_process` removes it; who is
    killed leaves it behind, and is missed by `shilu status`.
    """
    path = note_path(settings, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return claim_pidfile(path, psutil.Process(), **facts)


def forget_process(note: Path) -> None:
    """Remove this process's note."""
    drop_pidfile(note, psutil.Process())
