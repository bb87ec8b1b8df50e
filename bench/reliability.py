"""docs/reliability.md: each fault, what is promised, and what the last long runs saw.

`make faults`, `make bench-starts` and `make soak` note their results under bench/results; this page
is made of them (`python -m bench.reliability`). Where a run is missing or old the page says so: no
figure in it was typed.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from bench.output.report import RESULTS, ROOT

PAGE = ROOT / "docs" / "reliability.md"
FAULTS, STARTS, SOAK = (RESULTS / f"{name}.json" for name in ("faults", "starts", "soak"))
_MARKS = "<!-- {0}: begin -->\n{1}<!-- {0}: end -->\n"
_NOT_YET = "尚未运行 · not run yet"


class Row(NamedTuple):
    """A fault, its promise, and the tests (of tests/) that show it."""

    fault: str
    promise: str
    tests: tuple[str, ...]


ROWS = (
    Row(
        "台账进程被杀(一个、多进程)· worker killed with -9",
        "不丢不重,余额不变;15 秒内继续 · nothing lost, nothing double; goes on within 15 s",
        (
            "test_killing_a_live_worker_loses_and_doubles_nothing",
            "test_killing_a_live_worker_loses_and_doubles_nothing_while_its_clock_ticks",
        ),
    ),
    Row(
        "审计库进程被杀 · sink killed with -9",
        "从审计库自身续上,`reconcile` 为绿 · resumes from the trail itself, reconcile green",
        ("test_killing_a_live_sink_loses_and_doubles_nothing",),
    ),
    Row(
        "封存进程被杀 · sealer killed with -9",
        "续在已公布的检查点之后,不分叉 · goes on after what it published, forks nothing",
        ("test_killing_a_live_sealer_forks_nothing",),
    ),
    Row(
        "Kafka 重启与被杀 · broker restarted and killed",
        "已确认的都在;进程自行恢复 · what was acknowledged stays; all go on by themselves",
        ("test_restarting_the_broker_loses_and_doubles_nothing",),
    ),
    Row(
        "僵尸:进程暂停超过会话期再醒来 · zombies: workers paused past their session, then woken",
        "醒来的不能写入 · who wakes writes nothing more into what it has lost",
        ("test_workers_paused_past_their_session_lose_and_double_nothing",),
    ),
    Row(
        "再均衡 1→3→1,同时写入 · rebalances 1→3→1 while facts come in",
        "每个有记录的分区 15 秒内又有提交 · every partition with records commits again within 15 s",
        (
            "test_one_three_and_one_worker_while_facts_come_in_leave_no_partition_standing",
            "test_two_three_and_one_worker_share_the_partitions",
        ),
    ),
    Row(
        "恢复很久时又来一个进程 · a second worker joins during a long restore",
        "恢复被撤销打断,不被逐出 · a revocation cancels the restore; nobody is expelled",
        ("test_a_second_worker_during_a_long_restore_expels_nobody",),
    ),
    Row(
        "SIGTERM 后重启 · SIGTERM, then a start",
        "10 秒内按序关闭各分区 · the partitions are closed in order, within 10 s",
        ("test_a_worker_that_is_asked_to_end_closes_its_partitions_in_order",),
    ),
    Row(
        "一个分区不断失败 · one partition that keeps failing",
        "其余分区不变慢 · the others are no slower",
        ("test_a_partition_that_fails_does_not_slow_the_others",),
    ),
    Row(
        "台账进程的磁盘写满 · the worker's disk is full",
        "有空间后自行继续,不丢不重 · goes on by itself once there is space, nothing lost or double",
        ("test_a_worker_whose_disk_is_full_goes_on_when_there_is_space",),
    ),
    Row(
        "审计库的磁盘写满 · the trail's disk is full",
        "先停下并变红,有空间后自行继续 · stops in time and turns red, goes on by itself",
        ("test_a_sink_on_a_full_disk_says_so_waits_and_then_misses_nothing",),
    ),
    Row(
        "时钟快了十分钟 · a worker whose clock is ten minutes fast",
        "时间仍在走:到期的照常到期 · time goes on: what falls due falls due",
        ("test_a_worker_whose_clock_is_fast_does_not_stop_time",),
    ),
    Row(
        "恶意字节 · hostile bytes",
        "隔离;其后的事件 10 秒内入账 · quarantined; the event behind it credited within 10 s",
        ("test_after_every_hostile_record_a_good_event_is_credited",),
    ),
    Row(
        "输出过大(键 1 MB、日页 1 MB)· oversize outputs (a key, a day page of 1 MB)",
        "只隔离那一条,分区继续 · that one record is quarantined, its partition goes on",
        (
            "test_a_key_of_a_megabyte_does_not_stop_its_partition",
            "test_a_day_page_of_a_megabyte_does_not_stop_its_partition",
        ),
    ),
    Row(
        "别的客户端的分区器,途中杀进程 · another client's partitioner, with kills on the way",
        "转到该去的分区,只计一次,以首条记录定时 · sent on, counts once, dated by the first record",
        (
            "test_every_event_of_a_stock_producer_counts_once_through_kills",
            "test_with_murmur2_random_librdkafka_needs_no_detour",
            "test_nobody_dates_an_event_back_with_a_header",
        ),
    ),
    Row(
        "隔离记录重放 · a quarantined record replayed",
        "留名、只一次、不循环 · by name, once, in no loop",
        ("test_a_record_is_replayed_once_by_name_and_a_copy_that_fails_again_is_not",),
    ),
    Row(
        "合并风暴,途中杀进程 · merge storms, with kills on the way",
        "两半同在或同不在;撤销后各归各 · both halves or neither; an unmerge gives everything back",
        (
            "test_killing_a_worker_between_the_two_halves_of_a_merge",
            "test_a_storm_of_merges_under_the_brokers_time",
        ),
    ),
)


def note(test: str, time: str, **seen: Any) -> None:
    """Keep what a test saw under one of the two times; what the others saw stays."""
    results = read(FAULTS)
    results.setdefault(test, {})[time] = seen | {"date": datetime.now(UTC).date().isoformat()}
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(results, indent=1, ensure_ascii=False, sort_keys=True)
    FAULTS.write_text(text + "\n", "utf-8")


def read(path: Path) -> dict[str, Any]:
    """A result; {} where there is none yet."""
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}


def faults_table(results: Mapping[str, Any]) -> str:
    """The table of faults."""
    lines = ["| 故障 · fault | 承诺 · promised | 所见 · seen |", "|---|---|---|"]
    for row in ROWS:
        said = [line for test in row.tests for line in _seen(test, results.get(test, {}))]
        lines.append(f"| {row.fault} | {row.promise} | {'<br>'.join(said)} |")
    return "\n".join(lines) + "\n"


def _seen(test: str, by_time: Mapping[str, Any]) -> list[str]:
    if not by_time:
        return [f"{_NOT_YET} (`{test}`)"]
    said = []
    for time, seen in sorted(by_time.items()):
        seed = "" if seen["seed"] is None else f", seed {seen['seed']}"
        mark = "" if seen["passed"] else "**✘** "
        said.append(f"{mark}{seen['seen']} ({time}'s time, {seen['seconds']:.0f} s{seed})")
    return said


def starts_text(result: Mapping[str, Any]) -> str:
    """What `make bench-starts` saw."""
    if not result:
        return f"{_NOT_YET}\n"
    return (
        f"{result['machine']['date']}, seed {result['seed']}, {result['facts']:,} facts, "
        f"{result['seconds']} s on {result['machine']['cores']} cores: "
        f"**starts {result['starts']} stalled {result['stalled']} slowest_gap_seconds "
        f"{result['slowest_gap_seconds']} wrong {result['wrong']}**\n"
    )


def soak_text(result: Mapping[str, Any]) -> str:
    """What `make soak` saw, with a row for each role."""
    if not result:
        return f"{_NOT_YET}\n"
    took = [fault["recovered"] for fault in result["faults"] if fault["recovered"] is not None]
    spared = f", spared: {', '.join(result['spared'])}" if result["spared"] else ""
    lines = [
        f"{result['machine']['date']}, seed {result['seed']}: {result['hours']:g} h at "
        f"{result['rate']} events/s, {result['sent']:,} records, {len(result['faults'])} faults "
        f"{result['every_seconds']:g} s apart{spared}; slowest gap {result['slowest_gap']:.1f} s, "
        f"slowest recovery {max(took, default=0.0):g} s, wrong: {len(result['wrong'])}.",
        "",
        "| role | processes | peak MB | MB/h | peak descriptors | descriptors/h |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for role, seen in result["vitals"].items():
        cells = ("processes", "peak_mb", "mb_per_hour", "peak_descriptors", "descriptors_per_hour")
        values = ("" if seen[cell] is None else f"{seen[cell]:,}" for cell in cells)
        lines.append(f"| {role} | {' | '.join(values)} |")
    return "\n".join(lines) + "\n"


def page(old: str) -> str:
    """The page with the results of now between its markers; raises ValueError without markers."""
    bodies = {
        "faults": faults_table(read(FAULTS)),
        "starts": starts_text(read(STARTS)),
        "soak": soak_text(read(SOAK)),
    }
    for name, body in bodies.items():
        marked = re.compile(rf"<!-- {name}: begin -->\n.*?<!-- {name}: end -->\n", re.DOTALL)
        old, count = marked.subn(lambda _, n=name, b=body: _MARKS.format(n, b), old)  # type: ignore[misc]
        if count != 1:
            raise ValueError(f"{PAGE} has not one place for {name}")
    return old


def write_page() -> None:
    """Put the results into the page."""
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    write_page()
