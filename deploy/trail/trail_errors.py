"""What goes wrong around the audit trail, as one sentence with cause and way out."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from consumers.api.questions_by_name import BadQuestion
from consumers.kafka.reader import LogError
from consumers.trail.resume import SinkError
from consumers.trail.store import TrailError
from deploy.errors import ShiluError

_TEXTS = {
    "kafka_unreachable": (
        "no_broker",
        "连不上 Kafka({0}):请检查地址,或运行 shilu up。",
        "No Kafka broker answers at {0}: check the address, or start one with `shilu up`.",
    ),
    "topic_missing": (
        "topic_missing",
        "主题 {0} 不存在:请先运行 shilu topics create。",
        "Topic {0} does not exist: create the topics with `shilu topics create`.",
    ),
    "log_truncated": (
        "log_truncated",
        "Kafka 已不再保留需要读取的记录({0}):请把主题的保留时间设为永久,并从备份恢复。",
        "Kafka no longer keeps records that are to be read ({0}): set the topic's retention to "
        "for ever, and restore it from a backup.",
    ),
    "log_gap": (
        "log_gap",
        "Kafka 中审计库尚未读到的记录已被删除({0}):请把主题的保留时间设为永久,并从备份恢复;"
        "无法恢复时请用 shilu accept-gap 说明理由后继续。",
        "Records that the trail does not have are gone from Kafka ({0}): set the topic's "
        "retention to for ever and restore it from a backup, or go on with `shilu accept-gap`.",
    ),
    "foreign_log": (
        "foreign_log",
        "审计库与这个 Kafka 的记录对不上({0}):主题被重建,或审计库被改动。"
        "请核对 SHILU_BOOTSTRAP 与 SHILU_HOME;断电后 Kafka 变短时见 shilu set-aside。",
        "The trail does not continue this log ({0}): the topic was made anew, or somebody changed "
        "the trail. Check SHILU_BOOTSTRAP and SHILU_HOME; after a power cut see `shilu set-aside`.",
    ),
    "trail_missing": (
        "no_trail",
        "还没有审计库({0}):请先运行 shilu up 或 shilu sink。",
        "There is no audit trail yet ({0}): start `shilu up` or `shilu sink` first.",
    ),
    "trail_locked": (
        "trail_locked",
        "审计库 {0} 正被另一个进程占用:请等它结束,或先停止它。",
        "The audit trail {0} is held by another process: wait until it ends, or stop it first.",
    ),
    "trail_unreachable": (
        "trail_unreachable",
        "连不上 ClickHouse({0}):请检查 SHILU_CLICKHOUSE。",
        "ClickHouse does not answer ({0}): check SHILU_CLICKHOUSE.",
    ),
    "trail_unusable": (
        "trail_unusable",
        "审计库无法使用({0}):请检查文件权限。",
        "The audit trail cannot be used ({0}): check file permissions.",
    ),
    "trail_full": (
        "trail_full",
        "磁盘空间不足({0}):请在审计库所在的磁盘上腾出至少 256 MiB,然后重试。",
        "The disk is full ({0}): free at least 256 MiB on the audit trail's disk and try again.",
    ),
    "trail_damaged": (
        "trail_damaged",
        "审计库 {0} 的部分数据无法读取(磁盘曾写满或突然断电):请把它移走,再运行 shilu sink,"
        "它会从 Kafka 重建。",
        "Rows of the audit trail {0} cannot be read (its disk was full, or lost power): move it "
        "away and start `shilu sink`, which builds it anew from Kafka.",
    ),
    "schema_changed": (
        "schema_changed",
        "审计库由另一版本的 {0} 建成:请使用建库时的版本,或新增一个编号的 SQL 文件。",
        "The audit trail was made by another version of {0}: use the version that made it, or add "
        "a numbered SQL file.",
    ),
    "bad_question": (
        "bad_question",
        "查询参数不正确({0}):请对照 shilu --help。",
        "The question's arguments are not right ({0}): see `shilu --help`.",
    ),
}


@contextmanager
def trail_errors() -> Iterator[None]:
    """Turns the errors of trail, log and sink into sentences; keeps kafka-python's log quiet."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    try:
        yield
    except BadQuestion as error:
        raise _sentence("bad_question", str(error)) from error
    except (LogError, SinkError, TrailError) as error:
        raise _sentence(error.code, error.detail) from error


def _sentence(code: str, detail: str) -> ShiluError:
    stable, zh, en = _TEXTS[code]
    return ShiluError(stable, zh.format(detail), en.format(detail))
