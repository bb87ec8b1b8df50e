"""Who stands still, told from commits alone: not while a group settles, and never for ever."""

from bench.watching.gaps import Gaps


def look(
    gaps: Gaps, seconds: range, *, moving: tuple[int, ...], left: int = 10, settled: bool = True
) -> None:
    """A look a second at partitions 0 and 1, of which some commit each time."""
    for now in seconds:
        committed = {p: now if p in moving else 0 for p in (0, 1)}
        gaps.look(float(now), committed, dict.fromkeys((0, 1), left), settled=settled)


def test_a_partition_with_records_that_commits_nothing_stands_still_however_busy_the_others() -> (
    None
):
    gaps = Gaps()
    look(gaps, range(0, 15), moving=(0,))
    assert not gaps.stalled
    look(gaps, range(15, 20), moving=(0,))
    assert gaps.stalled == {1: 19.0}
    assert gaps.slowest == 19.0


def test_a_partition_without_records_has_nothing_to_commit() -> None:
    gaps = Gaps()
    look(gaps, range(0, 60), moving=(), left=0)
    look(gaps, range(60, 70), moving=())
    assert not gaps.stalled
    # Counted from when there was something.
    assert gaps.slowest == 10.0


def test_nobody_is_blamed_while_the_group_settles_and_the_count_begins_when_it_has() -> None:
    gaps = Gaps()
    look(gaps, range(0, 10), moving=(0, 1))
    gaps.disturb(10.0)
    look(gaps, range(10, 25), moving=(), settled=False)
    assert gaps.slowest <= 1.0
    look(gaps, range(25, 40), moving=())
    assert not gaps.stalled
    look(gaps, range(40, 42), moving=())
    assert set(gaps.stalled) == {0, 1}


def test_a_group_that_never_settles_is_blamed_all_the_same() -> None:
    gaps = Gaps()
    gaps.disturb(0.0)
    look(gaps, range(0, 60), moving=(0,), settled=False)
    assert set(gaps.stalled) == {1}


def test_a_gap_that_has_ended_is_remembered() -> None:
    gaps = Gaps()
    look(gaps, range(0, 18), moving=(0,))
    look(gaps, range(18, 30), moving=(0, 1))
    assert gaps.stalled == {1: 18.0}
    assert gaps.slowest == 18.0
