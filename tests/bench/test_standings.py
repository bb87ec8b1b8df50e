"""The figures as text: table, ratio line, and where they go in the page."""

import re
from pathlib import Path

import pytest

from bench.contest.contestants import BY_KEY, QUICK_STREAMS, WORKER
from bench.contest.standings import MARKERS, PAGE, Medians, Rounds, ahead, ratio_line, table, write
from bench.watching.watch import Measured, Sample

OURS, THEIRS = BY_KEY[WORKER], BY_KEY[QUICK_STREAMS]


def measured(events: int, wall: float, cpu: float, peak_mb: int = 100) -> Measured:
    """A run that was half done after half of its time."""
    half = Sample(events // 2, wall / 2, cpu / 2)
    return Measured(Sample(events, wall, cpu), half, peak_mb)


def results() -> Rounds:
    return {
        OURS: [measured(90_000, 9.0, 6.0), measured(90_000, 4.5, 4.5), measured(90_000, 9.0, 9.0)],
        THEIRS: [measured(400_000, 20.0, 40.0), measured(400_000, 40.0, 80.0)],
    }


def test_the_median_round_counts() -> None:
    assert Medians.of(results()[OURS]) == Medians(90_000, 10_000.0, 15_000.0, 15_000.0, 100)


def test_the_ratio_line_is_ours_over_theirs() -> None:
    # Kafka Streams: 15,000 events/s and 7,500 per CPU-second in the median of two.
    assert ratio_line(results()) == "worker/kafka-streams wall 0.67 cpu 2.00"


def test_the_ratio_line_is_over_the_best_kafka_streams_there_is() -> None:
    slow_but_thrifty = [measured(100_000, 100.0, 5.0)]
    found = {**results(), BY_KEY["streams"]: slow_but_thrifty, BY_KEY["quix"]: results()[OURS]}
    assert ratio_line(found) == "worker/kafka-streams wall 0.67 cpu 0.75"


def test_the_ratio_line_is_of_the_best_worker_there_is() -> None:
    # More processes: quicker by the clock, dearer by CPU.
    found = {**results(), BY_KEY["workers"]: [measured(90_000, 3.0, 9.0)]}
    assert ratio_line(found) == "worker/kafka-streams wall 2.00 cpu 2.00"


def test_where_a_peer_is_ahead_is_said() -> None:
    assert ahead(results()).endswith(
        "ahead in: events/s: Kafka Streams EOS v2, RocksDB, cache, only Java's C1 (1.50×)."
    )
    lean = {**results(), BY_KEY["quix"]: [measured(1_000, 1.0, 1.0, peak_mb=50)]}
    assert ahead(lean).endswith("(1.50×); memory: Quix Streams, exactly once (2.00×).")
    assert ahead({OURS: results()[OURS], BY_KEY["quix"]: [measured(9, 9.0, 9.0)]}).endswith(
        "ahead in: nowhere."
    )


def test_a_limit_that_does_not_do_the_job_is_not_ahead() -> None:
    limit = {OURS: results()[OURS], BY_KEY["confluent"]: [measured(10**6, 1.0, 1.0, 1)]}
    assert ahead(limit) == ""


def test_the_ratio_line_has_a_form_that_scripts_can_read() -> None:
    line = re.compile(r"worker/kafka-streams wall \d+\.\d\d cpu \d+\.\d\d")
    few = {OURS: [measured(1, 30.0, 30.0)], THEIRS: [measured(10**6, 1.0, 1.0)]}
    assert line.fullmatch(ratio_line(results()))
    assert line.fullmatch(ratio_line(few))


def test_every_contestant_is_a_row_with_its_figures() -> None:
    head, rule, *rows = table(results()).splitlines()
    assert len({line.count("|") for line in (head, rule, *rows)}) == 1
    assert rows[0].startswith(
        "| shilu worker, one process | 10,000 | 15,000 | 15,000 | 100 | 90,000 |"
    )
    assert len(rows) == 2


def test_a_run_too_short_for_its_second_half_shows_none() -> None:
    sudden = Measured(Sample(1000, 2.0, 2.0), Sample(1000, 2.0, 2.0), 50)
    assert Medians.of([sudden]).warm is None
    assert "| 500 | 500 |  | 50 | 1,000 |" in table({OURS: [sudden]})


def test_only_what_lies_between_the_markers_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{MARKERS[0]}\nold\n{MARKERS[1]}\nafter\n", "utf-8")
    write(page, "new\n")
    write(page, "newer\n")
    assert page.read_text("utf-8") == f"before\n{MARKERS[0]}\nnewer\n{MARKERS[1]}\nafter\n"


@pytest.mark.parametrize("text", ["", MARKERS[0], f"{MARKERS[1]}", MARKERS[0] * 2 + MARKERS[1]])
def test_a_page_without_its_markers_is_left_alone(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, "utf-8")
    with pytest.raises(ValueError, match="has not one"):
        write(page, "new")
    assert page.read_text("utf-8") == text


def test_the_page_of_the_figures_has_its_markers() -> None:
    text = PAGE.read_text("utf-8")
    assert [text.count(marker) for marker in MARKERS] == [1, 1]
