"""The topics of the contract on a real cluster: created once, compared ever after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import for_code

from deploy.errors import ShiluError
from producers.connection import TIMESTAMP_TYPE, open_admin
from producers.errors import (
    BrokerUnreachable,
    NotAcknowledged,
    ProducerError,
    TopicMissing,
    UnreadableInput,
)
from schemas.topics import ALL, Topic, broker_config

REPLICAS_MAX = 3
"""Replicas of a partition where nobody asks for a number and the cluster has the brokers."""


@dataclass(frozen=True, slots=True)
class Found:
    """An existing topic as the broker describes it."""

    partitions: int
    replication: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting of an existing topic that is not as asked; `setting` in the broker's words."""

    topic: str
    setting: str
    found: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the topics are asked for.

    `replication` is what new ones get; where it was not asked for (`is_default`), what existing
    ones have is no difference.
    """

    partitions: int
    producer_time: bool
    replication: int
    is_default: bool = False

    def partitions_of(self, topic: Topic) -> int:
        """The partition count of one topic."""
        return 1 if topic.single else self.partitions


def replicas_allowed(bootstrap: str) -> int:
    """How many replicas the cluster lets a partition have, three at most; raises BrokerUnreachable.

    With three, one may be lost and everything acknowledged is still there twice.
    """
    with open_admin(bootstrap) as admin:
        return min(REPLICAS_MAX, len(admin.describe_cluster()["brokers"]))


def describe(bootstrap: str) -> dict[str, Found]:
    """The topics of the contract that exist; raises BrokerUnreachable."""
    names = [topic.name for topic in ALL]
    with open_admin(bootstrap) as admin:
        there = {t["name"]: t for t in admin.describe_topics(names) if t["error_code"] == 0}
        resources = [
            ConfigResource(ConfigResourceType.TOPIC, name, list(broker_config(topic)))
            for name, topic in zip(names, ALL, strict=True)
            if name in there
        ]
        configs = admin.describe_configs(resources, config_filter="all") if there else {}
    return {
        name: Found(
            partitions=len(topic["partitions"]),
            replication=min(len(p["replica_nodes"]) for p in topic["partitions"]),
            config={key: entry["value"] for key, entry in configs["topic"][name].items()},
        )
        for name, topic in there.items()
    }


def differences(found: Mapping[str, Found], wanted: Wanted) -> list[Difference]:
    """Where existing topics are not as asked; more replicas than asked for are no difference."""
    unlike = []
    for topic in ALL:
        there = found.get(topic.name)
        if there is None:
            continue
        count = wanted.partitions_of(topic)
        if there.partitions != count:
            unlike.append(Difference(topic.name, "partitions", str(there.partitions), str(count)))
        if there.replication < wanted.replication and not wanted.is_default:
            unlike.append(
                Difference(
                    topic.name, "replication", str(there.replication), str(wanted.replication)
                )
            )
        asked = broker_config(topic, producer_time=wanted.producer_time)
        unlike += [
            Difference(topic.name, key, there.config.get(key, ""), value)
            for key, value in asked.items()
            if there.config.get(key) != value
        ]
    return unlike


def create(bootstrap: str, wanted: Wanted, topics: Sequence[Topic]) -> None:
    """Create these topics and wait until each has its leaders.

    Raises BrokerUnreachable, or ShiluError `topic_not_created` with the broker's own reason.
    """
    asked: dict[str, dict[str, Any]] = {
        topic.name: {
            "num_partitions": wanted.partitions_of(topic),
            "replication_factor": wanted.replication,
            "configs": {
                **broker_config(topic, producer_time=wanted.producer_time),
                # Else one replica alone may acknowledge, and be lost.
                **({"min.insync.replicas": "2"} if wanted.replication >= REPLICAS_MAX else {}),
            },
        }
        for topic in topics
    }
    with open_admin(bootstrap) as admin:
        answers = admin.create_topics(asked, raise_errors=False)["topics"]
        for answer in answers:
            if answer["error_code"] != 0:
                why = answer["error_message"] or for_code(answer["error_code"]).__name__
                raise _not_created(answer["name"], why)
        admin.wait_for_topics(list(asked))


def fix(difference: Difference) -> tuple[str, str]:
    """What to do about a difference, in Chinese and English."""
    d = difference
    match d.setting:
        case "partitions":
            return (
                f"用 --partitions {d.found} 保留它,或删除主题(数据会丢失)后重新创建。",
                f"keep it with --partitions {d.found}, or delete the topic with its data "
                "and create it anew.",
            )
        case "replication":
            return (
                f"用 --replication {d.found} 保留它,或用 kafka-reassign-partitions 增加副本。",
                f"keep it with --replication {d.found}, or add replicas with "
                "kafka-reassign-partitions.",
            )
        case setting if setting == TIMESTAMP_TYPE:
            other = "producer" if d.found == "CreateTime" else "broker"
            return (
                f"用 --timestamps {other} 保留它,或删除主题(数据会丢失)后重新创建。",
                f"keep it with --timestamps {other}, or delete the topic with its data "
                "and create it anew.",
            )
        case _:
            command = f"kafka-configs --alter --topic {d.topic} --add-config {d.setting}={d.wanted}"
            return f"用 {command} 改正它。", f"correct it with {command}."


_NO_JSON = {
    "utf_16": (
        "文件是 UTF-16 编码:请另存为 UTF-8,或运行 iconv -f UTF-16 -t UTF-8。",
        "The file is UTF-16: save it as UTF-8, or run iconv -f UTF-16 -t UTF-8.",
    ),
    "zip": (
        "这是 Excel(xlsx)或 zip 文件,不是 JSON:请导出为每行一个 JSON 事件,或先解压。",
        "This is an Excel (xlsx) or zip file, no JSON: export one JSON event a line, or unpack it.",
    ),
    "xls": (
        "这是旧版 Excel(xls)文件,不是 JSON:请导出为每行一个 JSON 事件。",
        "This is an old Excel (xls) file, no JSON: export one JSON event a line.",
    ),
    "csv": (
        "这是 CSV 表格,不是 JSON:请转成每行一个 JSON 事件,字段见 docs/events.md。",
        "This is a CSV table, no JSON: turn it into one JSON event a line, with the fields of "
        "docs/events.md.",
    ),
    "gzip_broken": (
        "gzip 文件不完整或已损坏:请重新压缩或重新传输;此前的行已经发送,整个重发也只计一次。",
        "The gzip file is cut short or damaged: pack or copy it again. What came before was sent; "
        "sent again, it counts once.",
    ),
}


def in_words(error: ProducerError) -> ShiluError:
    """What went wrong between us and the broker, as a person should read it."""
    match error:
        case BrokerUnreachable(address=address):
            return ShiluError(
                "no_broker",
                f"连不上 Kafka({address}):请检查地址,或运行 shilu up。",
                f"No Kafka broker answers at {address}: check the address, or start one with "
                "`shilu up`.",
            )
        case TopicMissing(topic=topic):
            return ShiluError(
                "topic_missing",
                f"主题 {topic} 不存在:请先运行 shilu topics create。",
                f"Topic {topic} does not exist: create the topics with `shilu topics create`.",
            )
        case NotAcknowledged(pending=pending, cause=cause):
            return ShiluError(
                "unacknowledged",
                f"还有 {pending} 条没有得到 Kafka 的确认({cause}):请稍后原样重发。",
                f"{pending} records are not acknowledged by Kafka ({cause}): send the same "
                "records again later.",
            )
        case UnreadableInput(kind=kind):
            return ShiluError("unreadable_input", *_NO_JSON[kind])
        case _:
            return ShiluError("producer_failed", f"发送失败:{error}。", f"Sending failed: {error}.")


def _not_created(topic: str, why: str) -> ShiluError:
    return ShiluError(
        "topic_not_created",
        f"主题 {topic} 没有创建成功({why}):请按原因调整参数后重试。",
        f"Topic {topic} was not created ({why}): mend that and try again.",
    )
