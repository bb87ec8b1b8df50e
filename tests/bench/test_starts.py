"""What `make bench-starts` plans, and how it tells a whole ledger from one with a hole in it."""

from collections import Counter
from pathlib import Path

from confluent_kafka import Producer

from bench.contest.exactly import Source, differing, look, sources
from bench.contest.log import Log, entries, prepared, produce
from bench.starts import Outcome, last_line, summed
from bench.watching.comings import KINDS, plans
from bench.watching.positions import Group, Positions, by_partition, left, settled
from deploy.broker.broker import Broker
from schemas.posting import Posting
from schemas.topics import CHECKINS, HOURS, POSTINGS, TRANSFERS
from schemas.wire.codec import decode_output
from tests.faults.harness import Cluster, wait_until
from tests.judge import read

SESSION = 6.0


def test_a_seed_gives_the_same_starts_again_and_another_one_others() -> None:
    assert list(plans(7, 20, 5.0, SESSION)) == list(plans(7, 20, 5.0, SESSION))
    assert list(plans(7, 20, 5.0, SESSION)) != list(plans(8, 20, 5.0, SESSION))


def test_twenty_starts_have_every_kind_of_fault_among_two_and_among_three_workers() -> None:
    all_of_them = list(plans(1, 20, 5.0, SESSION))
    assert Counter(len(plan.delays) for plan in all_of_them) == {2: 10, 3: 10}
    faults = [(len(plan.delays), plan.fault) for plan in all_of_them if plan.fault]
    assert Counter(workers for workers, _ in faults) == {2: 5, 3: 5}
    assert {fault.kind for _, fault in faults} == set(KINDS)
    for workers, fault in faults:
        assert 0 <= fault.victim < workers
        assert fault.kind != "SIGSTOP" or fault.again_seconds > SESSION
    assert all(0 <= delay <= 5 for plan in all_of_them for delay in plan.delays)


def test_a_group_has_settled_when_it_is_another_one_with_as_many_as_there_should_be() -> None:
    before = frozenset("ab")
    assert settled(Group(True, frozenset("ac")), before, 2)
    # The one that was killed is a member until its session times out.
    assert not settled(Group(True, before), before, 2)
    assert not settled(Group(False, frozenset("ac")), before, 2)
    assert not settled(Group(True, frozenset("acd")), before, 2)
    assert not settled(None, before, 2)


def test_what_is_left_is_counted_by_partition_and_without_what_accounts_give_each_other() -> None:
    ends = {(CHECKINS, 0): 10, (HOURS, 0): 5, (CHECKINS, 1): 3, (TRANSFERS, 1): 4}
    committed = {(CHECKINS, 0): 10, (HOURS, 0): 2, (CHECKINS, 1): 3}
    found = left(committed, ends)
    assert (found[0], found[1], found[2]) == (3, 0, 0)
    assert by_partition(committed)[0] == 12


def test_the_last_line_counts_starts_and_not_partitions() -> None:
    (plan, other) = plans(1, 2, 5.0, SESSION)
    stuck = Outcome(plan, 40.0, 60.0, 17.3, ["partition 1", "partition 2"])
    line = last_line(summed([stuck, Outcome(other, 12.0, 30.0, 2.0, wrong=["1 lost: x"])]))
    assert line == "starts 2 stalled 1 slowest_gap_seconds 17.3 wrong 1"


def test_a_ledger_is_whole_once_all_is_folded_and_has_holes_before(tmp_path: Path) -> None:
    log = Log(4_000)
    path = prepared(log, lambda done, total: None)
    inputs = sources(entries(path))
    assert len(inputs) == log.facts
    assert any(inputs.values()), "no tick in the log"
    with Cluster(tmp_path) as cluster:
        address = cluster.broker.bootstrap
        produce(address, entries(path), log.facts, lambda done, total: None)
        nothing = look(address, inputs)
        assert nothing.wrong == [f"{log.facts} lost: {_first(inputs)}"]
        cluster.worker("w")
        with Positions(address, "shilu-worker") as positions:
            wait_until(lambda: _folded(positions), "everything is folded")
            group = positions.group()
        assert group is not None
        assert len(group.members) == 1
        whole = look(address, inputs)
        assert whole.wrong == []
        assert differing(whole.balances, dict(whole.balances)) == []
        # Plant a posting too many.
        _say_twice(cluster.broker)
        (double, dense, *_) = look(address, inputs).wrong
        assert double.startswith("1 double: ")
        assert dense.endswith("indexes are not 0, 1, 2 ...")
        who = max(whole.balances)
        other = whole.balances | {who: whole.balances[who] + 1}
        assert differing(other, whole.balances) == [
            f"1 balance differs: {who}: {other[who]} for {whole.balances[who]}"
        ]


def _first(inputs: dict[Source, bool]) -> str:
    return ", ".join(map(str, list(inputs)[:5]))


def _folded(positions: Positions) -> bool:
    both = positions.both()
    return both is not None and not any(left(*both).values())


def _say_twice(broker: Broker) -> None:
    """Write a posting once more; not one of a tick, which may have several."""
    raw = next(
        raw
        for raw in read(broker.bootstrap, POSTINGS)
        if isinstance(said := decode_output(raw.value), Posting)
        and said.event_type != "ClockTicked"
    )
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    producer.produce(POSTINGS, raw.value, raw.key, raw.partition)
    assert producer.flush(30) == 0
