"""Memory and descriptors as slopes: a leak shows through restarts, and a restart is no leak."""

import os

import psutil
import pytest

from bench.watching.vitals import Sample, Vitals, slope_per_hour


def test_a_leak_shows_through_the_deaths_of_its_processes() -> None:
    # Each process starts small and grows by a megabyte a minute.
    lives = [[(at, 100.0 + at / 60) for at in range(60, 600, 10)] for _ in range(5)]
    assert slope_per_hour(lives) == pytest.approx(60.0)


def test_one_process_that_is_larger_than_the_one_before_is_no_leak() -> None:
    assert slope_per_hour([[(60.0, 100.0), (300.0, 100.0)], [(60.0, 400.0), (300.0, 400.0)]]) == 0


def test_nothing_is_said_of_what_was_seen_once() -> None:
    assert slope_per_hour([[(60.0, 100.0)], []]) is None


def test_a_process_is_looked_at_with_its_memory_and_its_descriptors() -> None:
    vitals = Vitals(lambda: {"me": psutil.Process()})
    vitals.look()
    (seen,) = vitals.samples["me"]
    assert (seen.pid, seen.rss > 1 << 20, seen.descriptors > 2) == (os.getpid(), True, True)
    assert vitals.report()["me"]["processes"] == 1


def test_what_warms_up_is_no_part_of_the_slope() -> None:
    growing = [Sample(at, 1, at, int(at * 2**20), 10) for at in (1.0, 30.0, 59.0)]
    steady = [Sample(at, 1, at, 60 << 20, 10) for at in (60.0, 120.0, 180.0)]
    vitals = Vitals(dict, samples={"worker": growing + steady})
    assert vitals.report()["worker"]["mb_per_hour"] == 0.0
    assert vitals.report(warm=0.0)["worker"]["mb_per_hour"] != 0.0
