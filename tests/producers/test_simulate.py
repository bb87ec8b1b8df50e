"""The simulated province: the same every time, exactly as long as asked, troubled as asked."""

import hashlib
import os
import subprocess
import sys
import tracemalloc
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.record import TICK_KEY, key_of, partition_of
from producers.simulator.simulate import ARRIVAL_DAYS_MAX, Plan, Sending, simulate
from producers.simulator.trouble import Trouble
from schemas.events import (
    CheckedIn,
    CheckedOut,
    ClockTicked,
    EvaluationSubmitted,
    HoursGranted,
    OrgRegistered,
    ProjectPublished,
    SessionVoided,
    ShiftScheduled,
)
from schemas.times import DAY, HOUR, MINUTE, day
from schemas.topics import FACTS, TOPIC_OF
from schemas.validity import faults
from schemas.wire.codec import Undecodable, decode_event

START = day("2025-03-01")
PLAN = Plan(events=30_000, volunteers=3_000, days=20, seed=7, start_on=START)
QUIET = Trouble(**dict.fromkeys(Trouble.__dataclass_fields__, 0.0))


@pytest.fixture(scope="module")
def history() -> list[Sending]:
    return list(simulate(PLAN))


def of(history: list[Sending], kind: type) -> list[Any]:
    return [sending.event for sending in history if isinstance(sending.event, kind)]


def digest(plan: Plan) -> str:
    """Every byte that reaches the log, and when and where."""
    found = hashlib.sha256()
    for one in simulate(plan):
        found.update(repr((one.topic, one.key, one.value, one.partition, one.recorded_at)).encode())
    return found.hexdigest()


def test_the_same_plan_gives_the_same_bytes_in_any_process() -> None:
    plan = replace(PLAN, events=2_000, volunteers=200)
    program = (
        "from tests.producers.test_simulate import PLAN, digest, replace\n"
        "print(digest(replace(PLAN, events=2_000, volunteers=200)))"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": os.getcwd(), "TZ": "Asia/Tokyo"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert elsewhere.stdout.strip() == digest(plan)


def test_another_seed_gives_another_course_of_events() -> None:
    plan = replace(PLAN, events=2_000, volunteers=200)
    first, second = (
        [one.recorded_at for one in simulate(replace(plan, seed=seed))] for seed in (7, 8)
    )
    assert first != second


@settings(max_examples=40, deadline=None, print_blob=True)
@given(
    events=st.integers(1, 1_500),
    volunteers=st.integers(1, 400),
    days=st.integers(1, 70),
    seed=st.integers(0, 5),
    hourly=st.booleans(),
)
def test_there_are_exactly_as_many_records_as_asked_in_order_of_arrival(
    events: int, volunteers: int, days: int, seed: int, hourly: bool
) -> None:
    plan = Plan(events, volunteers, days, seed, START, hourly_ticks=hourly)
    history = list(simulate(plan))
    assert len(history) == events
    assert all(a.recorded_at <= b.recorded_at for a, b in pairwise(history))
    assert history[-1].recorded_at < (START + days + ARRIVAL_DAYS_MAX) * DAY


def test_every_event_is_well_formed_and_carried_as_its_client_would(history: list[Sending]) -> None:
    for sending in history:
        if sending.event is None:
            continue
        assert decode_event(sending.value) == sending.event
        assert list(faults(sending.event)) == []
        assert sending.topic == TOPIC_OF[type(sending.event).__name__]
        assert sending.key == key_of(sending.event)
        assert sending.recorded_at % 1000 == 0


def test_event_ids_are_uuids_of_version_7_that_carry_the_time(history: list[Sending]) -> None:
    for sending in history:
        if isinstance(sending.event, CheckedOut):
            named = UUID(sending.event.event_id)
            assert (named.version, named.variant) == (7, "specified in RFC 4122")
            # Within the clock errors that the province plays with.
            assert abs((named.int >> 80) * 1000 - sending.event.occurred_at) <= 10 * MINUTE


def test_time_ticks_in_every_partition_once_a_day(history: list[Sending]) -> None:
    ticks = [sending for sending in history if isinstance(sending.event, ClockTicked)]
    by_event: dict[Any, list[int]] = defaultdict(list)
    for tick in ticks:
        assert tick.key == TICK_KEY
        assert tick.partition is not None
        by_event[tick.event].append(tick.partition)
    assert len(by_event) == PLAN.days
    assert all(sorted(parts) == list(range(PLAN.partitions)) for parts in by_event.values())


def test_the_catalogue_comes_before_its_use(history: list[Sending]) -> None:
    known: set[str] = set()
    unknown = 0
    for sending in history:
        match sending.event:
            case OrgRegistered(org_id=name) | ProjectPublished(project_id=name):
                known.add(name)
            case ShiftScheduled(activity_id=name):
                known.add(name)
            case CheckedIn() as event:
                assert {event.recording_org_id, event.host_org_id, event.project_id} <= known
                unknown += event.activity_id not in known
            case _:
                pass
    assert 0 < unknown < 0.03 * len(of(history, CheckedIn))


def test_projects_of_social_work_orgs_are_staffed_by_volunteer_orgs(history: list[Sending]) -> None:
    kinds = {event.org_id: event.kind for event in of(history, OrgRegistered)}
    pairs = Counter(
        (kinds[event.host_org_id], kinds[event.recording_org_id])
        for event in of(history, CheckedIn)
    )
    assert set(pairs) == {("social_work", "volunteer"), ("social_work", "social_work")}
    assert pairs["social_work", "volunteer"] > 0.3 * pairs.total()


def test_some_volunteers_serve_far_more_than_others(history: list[Sending]) -> None:
    served = Counter(event.volunteer_id for event in of(history, CheckedIn))
    most = sum(count for _, count in served.most_common(len(served) // 10))
    # Chosen evenly, the busiest tenth would have a fifth of it.
    assert most > 0.25 * served.total()
    assert len(served) > 0.5 * PLAN.volunteers


def shares(history: list[Sending]) -> dict[str, float]:
    """The troubles as somebody who sees only the records can count them."""
    seen: dict[str, bytes] = {}
    count: Counter[str] = Counter()
    ends: dict[str, list[Any]] = defaultdict(list)
    for sending in history:
        event = sending.event
        if event is None:
            count["raw"] += 1
        elif sending.topic in FACTS and not isinstance(event, ClockTicked):
            count["facts"] += 1
            if event.event_id in seen:
                count["duplicate" if seen[event.event_id] == sending.value else "conflict"] += 1
                continue
            seen[event.event_id] = sending.value
            if isinstance(event, CheckedIn | CheckedOut):
                ends[event.session_id].append((event, sending.recorded_at))
    sessions = [_session(facts) for facts in ends.values()]
    count.update(name for session in sessions for name in session)
    grants = of(history, HoursGranted)
    alone = [g for g in grants if not (g.evidence and g.approver and g.approver.id != g.actor.id)]
    facts, served = count["facts"], len(sessions)
    return {
        "duplicate": count["duplicate"] / facts,
        "conflict": count["conflict"] / facts,
        "raw": count["raw"] / facts,
        "grant": len(grants) / served,
        "alone": len(alone) / max(len(grants), 1),
        "void": len(of(history, SessionVoided)) / served,
        "evaluation": len(of(history, EvaluationSubmitted)) / served,
        **{
            name: count[name] / served
            for name in ("late", "too_late", "no_check_out", "double_check_in",
                         "double_check_out", "clock_ahead", "under_a_minute", "night")
        },
    }  # fmt: skip


def _session(facts: list[tuple[Any, int]]) -> set[str]:
    ins = sorted(e.occurred_at for e, _ in facts if isinstance(e, CheckedIn))
    outs = sorted(e.occurred_at for e, _ in facts if isinstance(e, CheckedOut))
    delay = max(recorded_at - event.occurred_at for event, recorded_at in facts)
    ahead = any(event.occurred_at > recorded_at + 5 * MINUTE for event, recorded_at in facts)
    civil = [(at + 8 * HOUR) // DAY for at in (ins[0], outs[0])] if ins and outs else [0, 0]
    return {
        name
        for name, holds in {
            "late": HOUR < delay <= 7 * DAY,
            "too_late": delay > 7 * DAY,
            "no_check_out": not outs,
            "double_check_in": len(ins) > 1,
            "double_check_out": len(outs) > 1,
            "clock_ahead": ahead,
            "under_a_minute": bool(outs) and outs[0] - ins[0] < MINUTE,
            "night": civil[0] != civil[1],
        }.items()
        if holds
    }


def test_each_trouble_has_its_share(history: list[Sending]) -> None:
    asked = PLAN.trouble
    found = shares(history)
    for name, share in found.items():
        wanted = getattr(asked, name)
        assert 0.5 * wanted < share < 1.6 * wanted, (name, share, wanted)


@pytest.mark.parametrize("name", sorted(Trouble.__dataclass_fields__))
def test_a_trouble_can_be_switched_off_alone(name: str) -> None:
    plan = replace(PLAN, events=6_000, volunteers=3_000, trouble=replace(Trouble(), **{name: 0.0}))
    found = shares(list(simulate(plan)))
    # The last session may be cut short, because the number of records is exact.
    assert found.get(name, 0.0) < (0.001 if name == "no_check_out" else 1e-9)


def test_without_troubles_there_are_none() -> None:
    found = shares(list(simulate(replace(PLAN, events=6_000, trouble=replace(QUIET, grant=0.1)))))
    assert found.pop("grant") > 0.05
    # The last session may be cut short, because the number of records is exact.
    assert found.pop("no_check_out") < 0.001
    assert set(found.values()) == {0.0}


def test_overlaps_are_with_another_organisation() -> None:
    trouble = replace(QUIET, overlap=0.2)
    # Few organisations, so that a choice made blindly would often be the same one.
    plan = replace(PLAN, events=4_000, volunteers=300, days=60, trouble=trouble)
    history = list(simulate(plan))
    assert len(of(history, OrgRegistered)) == 4
    spans: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for event in of(history, CheckedIn) + of(history, CheckedOut):
        spans[event.volunteer_id][event.session_id].append(event)
    overlaps = Counter[bool]()
    for sessions in spans.values():
        whole = sorted(
            (min(e.occurred_at for e in s), max(e.occurred_at for e in s), s[0].recording_org_id)
            for s in sessions.values()
        )
        for (_, end, org), (start, _, other) in pairwise(whole):
            if start < end:
                overlaps[org != other] += 1
    served = sum(len(sessions) for sessions in spans.values())
    assert 0.1 * served < overlaps[True]
    assert overlaps[False] < 0.1 * overlaps[True]


def test_no_broken_record_would_pass_for_an_event_in_its_place(history: list[Sending]) -> None:
    kinds = Counter[str]()
    for sending in history:
        if sending.event is not None:
            continue
        try:
            event = decode_event(sending.value)
        except Undecodable as bad:
            kinds[bad.code] += 1
            continue
        if sending.topic != TOPIC_OF[type(event).__name__]:
            kinds["wrong_topic"] += 1
        elif sending.key != key_of(event):
            kinds["wrong_key"] += 1
        else:
            assert sending.partition not in (None, partition_of(sending.key, PLAN.partitions))
            kinds["wrong_partition"] += 1
    assert set(kinds) >= {
        "bad_framing", "unknown_schema", "oversized", "not_canonical",
        "wrong_topic", "wrong_key", "wrong_partition",
    }  # fmt: skip


def test_memory_does_not_grow_with_the_history() -> None:
    def peak(days: int) -> int:
        plan = Plan(400 * days, 1_000, days, 1, START)
        tracemalloc.start()
        for _ in simulate(plan):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(5)  # the caches of ids and zones
    assert peak(80) < 2 * peak(20)
