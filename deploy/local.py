"""Where Kafka is: the cluster that was named, or the local broker that `shilu up` started."""

from pathlib import Path

from deploy.broker import Broker
from deploy.errors import ShiluError
from deploy.settings import Settings


def kafka_dir(settings: Settings) -> Path:
    """The folder of the local broker."""
    return settings.place / "kafka"


def bootstrap(settings: Settings) -> str:
    """host:port of Kafka; raises ShiluError `no_broker` where there is none."""
    if settings.bootstrap:
        return settings.bootstrap
    broker = Broker.attach(kafka_dir(settings))
    if broker is None:
        raise ShiluError(
            "no_broker",
            "没有正在运行的 Kafka:请先运行 shilu up,或用 SHILU_BOOTSTRAP 指定集群地址。",
            "No Kafka is running: start one with `shilu up`, or name a cluster in SHILU_BOOTSTRAP.",
        )
    return broker.bootstrap
