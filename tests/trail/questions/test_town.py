"""Each answer about a town beside the same answer computed in Python: from its postings and lines,
from its facts one by one, and from what the ledger's own accounts remember."""

import os
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from consumers.questions.facts.sessions import SpanKey
from consumers.questions.hours.headcounts import CountBy, headcount
from consumers.questions.hours.histories import explain
from consumers.questions.hours.measures import By
from consumers.questions.hours.organisation import org
from consumers.questions.hours.plans import plan
from consumers.questions.hours.totals import total
from consumers.questions.open_items.anomalies import Bounds, anomalies
from consumers.questions.open_items.exceptions import exceptions
from consumers.questions.open_items.open_items import waiting
from consumers.questions.open_items.overdue import overdue
from consumers.questions.open_items.remedies import REMEDIES
from consumers.trail.store import Trail, open_trail
from ledger.account.spans import Span
from ledger.catalogue.catalogue import Catalogue
from ledger.publish import publish
from schemas.events import (
    ApplicationDecided,
    AssignmentWithdrawn,
    CheckedIn,
    CheckedOut,
    CorrectionRequested,
    HoursImported,
    NoShowRecorded,
    ProjectPublished,
    ShiftCancelled,
    ShiftScheduled,
    TrainingRecorded,
)
from schemas.posting import Line, Posting
from schemas.times import DAY, HOUR, MINUTE, instant, iso_date
from schemas.topics import CATALOGUE
from tests.trail.fill import fill
from tests.trail.remembered import HELD_STATES, by_cause, waits
from tests.trail.town import FIRST_DAY, ORGS, SITES, VOLUNTEERS, Town, town

SPAN: tuple[int | None, int | None] = (FIRST_DAY + 5, FIRST_DAY + 12)
SPANS = ((None, None), SPAN)
Rows = list[tuple[Posting, Line]]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Town, Trail]]:
    seed = int(os.environ.get("SHILU_SEED", random.SystemRandom().randrange(10**6)))
    print(f"SHILU_SEED={seed}")
    made = town(seed)
    with open_trail(tmp_path_factory.mktemp("town") / "trail", create=True) as trail:
        fill(trail, made.rows())
        yield made, trail


def lines_of(made: Town, as_of: int | None = None) -> Rows:
    return [
        (posting, line)
        for posting in made.book.postings
        if as_of is None or posting.recorded_at <= as_of
        for line in posting.lines
    ]


def within(day: int, first: int | None, last: int | None) -> bool:
    return (first is None or first <= day) and (last is None or day <= last)


def counts(line: Line) -> bool:
    return line.state == "effective" and line.kind != "training"


def three(rows: Rows) -> tuple[int, int, int]:
    """Minutes, attendances, distinct volunteers of lines, one by one."""
    served = Counter[tuple[str, str, int]]()
    for posting, line in rows:
        served[posting.volunteer_id, line.activity_id, line.service_date] += line.minutes
    attended = [key for key, minutes in served.items() if minutes > 0]
    return sum(served.values()), len(attended), len({who for who, _, _ in attended})


def key_of(made: Town, by: By, line: Line, as_of: int | None) -> str:
    match by:
        case "org" | "host_org" | "project" | "site" | "activity":
            column = "recording_org" if by == "org" else by
            return getattr(line, f"{column}_id") or ""
        case "day":
            return iso_date(line.service_date)
        case "month":
            return iso_date(line.service_date)[:7]
        case "kind" | "state":
            return str(getattr(line, by))
        case "field":
            said = [e.event.service_field for e in made.inputs
                    if isinstance(e.event, ProjectPublished) and e.event.project_id ==
                    line.project_id and (as_of is None or e.recorded_at <= as_of)]  # fmt: skip
            return (said[-1] if said else None) or ""
    region = SITES.get(line.site_id or "", (None, None))[1] or ORGS[line.recording_org_id][1]
    digits = {"region": 99, "province": 2, "city": 4, "county": 6}[by]
    return region[:digits] if region.isdecimal() else region


def test_every_breakdown_is_that_of_the_lines_at_every_moment(here: tuple[Town, Trail]) -> None:
    made, trail = here
    seen, chance = set[str](), random.Random(made.seed)
    for volunteer_id, moments in ((None, (None, *made.moments())), ("v1", made.moments()[1:])):
        for as_of in moments:
            for by in get_args(By):
                first, last = SPANS[0] if as_of is None else chance.choice(SPANS)
                rows = [
                    (posting, line)
                    for posting, line in lines_of(made, as_of)
                    if volunteer_id in (None, posting.volunteer_id)
                    and within(line.service_date, first, last)
                ]
                found = total(trail.query, volunteer_id, as_of, first, last, by)
                effective = [(posting, line) for posting, line in rows if counts(line)]
                measured = tuple(found[n] for n in ("minutes", "attendances", "volunteers"))
                assert measured == three(effective)
                assert found["held_minutes"] == sum(
                    line.minutes for _, line in rows if line.state in HELD_STATES
                    and line.kind != "training"
                )  # fmt: skip
                assert found["training_minutes"] == sum(
                    line.minutes for _, line in rows if line.state == "effective"
                    and line.kind == "training"
                )  # fmt: skip
                groups = defaultdict[str, Rows](list)
                for posting, line in rows:
                    if line.kind != "training" and (by == "state" or line.state == "effective"):
                        groups[key_of(made, by, line, as_of)].append((posting, line))
                expected = {key: three(some) for key, some in groups.items()}
                shown = {
                    row["key"]: (row["minutes"], row["attendances"], row["volunteers"])
                    for row in found["breakdown"]["rows"]
                }
                assert shown == {key: some for key, some in expected.items() if some[0]}, by
                sums = sum(minutes for minutes, _, _ in shown.values())
                assert sums == found["breakdown"]["minutes"]
                if by != "state":
                    assert sums == found["minutes"]
                seen |= shown.keys()
    assert {"effective", "manual", "import", "service", "44", "440103", "海外"} <= seen


def test_explain_sums_to_total_at_every_moment_and_in_every_span(
    here: tuple[Town, Trail],
) -> None:
    made, trail = here
    for volunteer_id in ("v1", "v4", "v8"):
        for as_of in (None, *made.moments()[:2]):
            for first, last in SPANS:
                asked = (volunteer_id, as_of, first, last)
                told = explain(trail.query, *asked)
                assert told["balance_minutes"] == total(trail.query, *asked)["minutes"]
                assert told["balance_minutes"] == sum(p["change_minutes"] for p in told["postings"])
                if (first, last) == (None, None):
                    assert len(told["postings"]) == sum(
                        p.volunteer_id == volunteer_id and (as_of is None or p.recorded_at <= as_of)
                        for p in made.book.postings
                    )


def recorded_alone(made: Town, as_of: int | None) -> list[tuple[Any, str, list[tuple[int, int]]]]:
    """(event, volunteer, [(day, minutes)]) of each session and entry as if it were alone."""
    by_source = {(entry.topic, entry.offset): entry.event for entry in made.inputs}
    taken: list[Any] = []
    for posting in made.book.postings:
        was_taken = posting.outcome in ("posted", "held") and posting.reason != "too_late"
        if was_taken and (as_of is None or posting.recorded_at <= as_of):
            taken.append(by_source[posting.source_topic, posting.source_offset])
    found = []
    ins = defaultdict[tuple[str, str], list[Any]](list)
    for event in taken:
        if isinstance(event, CheckedIn):
            ins[event.volunteer_id, event.session_id].append(event)
        elif isinstance(event, HoursImported | TrainingRecorded):
            found.append((event, event.volunteer_id, [(event.service_date, event.minutes)]))
        elif hasattr(event, "start_at") and hasattr(event, "grant_id") and not isinstance(
            event, CorrectionRequested
        ):  # fmt: skip
            days = split(event.start_at, event.end_at)
            found.append((event, event.volunteer_id, days))
    for (who, session), events in ins.items():
        first = min(events, key=lambda event: (event.occurred_at, event.event_id))
        outs = [
            event.occurred_at
            for event in taken
            if isinstance(event, CheckedOut)
            and (event.volunteer_id, event.session_id) == (who, session)
            and event.occurred_at >= first.occurred_at
        ]
        found.append((first, who, split(first.occurred_at, min(outs)) if outs else []))
    return found


def split(start: int, end: int) -> list[tuple[int, int]]:
    """Whole minutes by day in China: those before each midnight, and the rest."""
    days, given, at = [], 0, start
    while at < end:
        day = (at + 8 * HOUR) // DAY
        at = min(end, (day + 1) * DAY - 8 * HOUR)
        days.append((day, (at - start) // MINUTE - given))
        given += days[-1][1]
    return days


def test_gross_is_what_was_recorded_and_net_what_counts(here: tuple[Town, Trail]) -> None:
    made, trail = here
    whole = {"recorder": 0, "host": 0}
    alone = {as_of: recorded_alone(made, as_of) for as_of in (None, made.moments()[1])}
    for org_id in ORGS:
        for as_of, first, last in ((None, None, None), (made.moments()[1], *SPAN)):
            found = org(trail.query, org_id, as_of, first, last, "project")
            for role, column in (("recorder", "recording_org_id"), ("host", "host_org_id")):
                answer = found[role]
                rows = [
                    (posting, line) for posting, line in lines_of(made, as_of)
                    if getattr(line, column) == org_id
                    and within(line.service_date, first, last)
                ]  # fmt: skip
                net = three([(posting, line) for posting, line in rows if counts(line)])
                assert (
                    tuple(answer["net"][n] for n in ("minutes", "attendances", "volunteers")) == net
                )
                gross, attended = Counter[bool](), set()
                for event, who, days in alone[as_of]:
                    for day, minutes in days:
                        if getattr(event, column) == org_id and within(day, first, last):
                            training = isinstance(event, TrainingRecorded)
                            gross[training] += minutes
                            if minutes and not training:
                                attended.add((who, event.activity_id, day))
                assert answer["gross"] == {
                    "minutes": gross[False], "attendances": len(attended),
                    "volunteers": len({who for who, _, _ in attended}),
                    "training_minutes": gross[True],
                }  # fmt: skip
                assert gross.total() == (
                    answer["net"]["minutes"] + answer["net"]["training_minutes"]
                    + answer["held_minutes"] + answer["rejected_minutes"]
                    + answer["reduced_minutes"]
                )  # fmt: skip
                if as_of is None:
                    whole[role] += net[0]
            assert found["breakdown"]["minutes"] == found["recorder"]["net"]["minutes"]
    everything = total(trail.query)["minutes"]
    assert whole == {"recorder": everything, "host": everything}


def spans_of(made: Town) -> Iterator[tuple[str, Span]]:
    for volunteer_id, account in made.book.accounts.items():
        for day in range(FIRST_DAY - 3, FIRST_DAY + 60):
            for span in account.days.get(day).values():
                yield volunteer_id, span


def test_what_waits_is_what_the_ledger_itself_remembers(here: tuple[Town, Trail]) -> None:
    made, trail = here
    found = Counter(
        (item.key[0], item.key[1] or item.key[2], item.reason, item.state or item.ref, item.minutes)
        for item in waiting(trail.query)
        if item.reason not in ("too_late", "awaiting_target")
    )
    expected = Counter(wait for who, span in spans_of(made) for wait in waits(who, span))
    assert by_cause(found) == by_cause(expected)
    assert len({reason for _, _, reason, _, _ in found}) >= 6
    assert set(REMEDIES) >= {reason for _, _, reason, _, _ in found}
    later = Counter(
        (item.key, item.reason) for item in waiting(trail.query) if item.reason in _UNSETTLED
    )
    assert later == Counter(unsettled(made).items())


_UNSETTLED = ("too_late", "awaiting_target")
"""Why something waits of which the ledger keeps no more than its posting, or acts alone."""


def unsettled(made: Town) -> dict[SpanKey, str]:
    """What was said of spans that the ledger knows nothing of still, or nothing but acts."""
    by_source = {(entry.topic, entry.offset): entry.event for entry in made.inputs}
    known = {
        (who, span.key)
        for who, span in spans_of(made)
        if span.facts.start or span.facts.outs or span.state or span.reason
    }
    said = defaultdict[SpanKey, set[str]](set)
    for posting in made.book.postings:
        if posting.outcome == "held" and posting.reason in _UNSETTLED:
            event: Any = by_source[posting.source_topic, posting.source_offset]
            session, grant = event.session_id or "", getattr(event, "grant_id", None) or ""
            if (event.volunteer_id, f"s/{session}" if session else f"g/{grant}") not in known:
                said[event.volunteer_id, session, grant].add(posting.reason)
    return {key: next(r for r in _UNSETTLED if r in reasons) for key, reasons in said.items()}


def test_exceptions_count_each_reason_once_and_say_who_decides(here: tuple[Town, Trail]) -> None:
    made, trail = here
    for as_of in (None, made.moments()[1]):
        found = exceptions(trail.query, 3, as_of)
        ever: Counter[Any] = Counter(
            (p.outcome, p.reason) for p in made.book.postings
            if p.outcome in ("held", "refused") and (as_of is None or p.recorded_at <= as_of)
        )  # fmt: skip
        ever += Counter(("catalogue_refused", reason) for reason in turned_away(made, as_of))
        shown = {(row["outcome"], row["reason"]): row["count"] for row in found["counts"]}
        assert {key: n for key, n in shown.items() if n} == ever
        now = Counter(item.reason for item in waiting(trail.query, as_of))
        assert {r["reason"]: r["waiting"] for r in found["counts"] if r["waiting"]} == now
        for row in found["counts"]:
            assert all(row[text] for text in ("zh", "en", "who_zh", "who_en"))
            assert bool(row["events"]) is (row["outcome"] == "held")
        for row in found["waiting"]:
            if row["who"] in ("province", "registry", "guardian"):
                assert row["orgs"] == []
            elif row["recording_org_id"]:
                assert row["recording_org_id"] in row["orgs"]
        late = overdue(trail.query, as_of or made.moments()[-1], 0, 3)
        assert late["waiting"]["count"] + late["unended"]["count"] == now.total()
        for reason in ("recorded_late", "deadline_unknown"):
            assert late[reason]["count"] == sum(
                p.reason == reason for p in made.book.postings
                if as_of is None or p.recorded_at <= as_of
            )  # fmt: skip


def turned_away(made: Town, as_of: int | None) -> Iterator[str]:
    """The reason of each catalogue event that is refused, folded from what was written."""
    known = Catalogue()
    for entry in made.inputs:
        if entry.topic == CATALOGUE and (as_of is None or entry.recorded_at <= as_of):
            event: Any = entry.event
            reason = publish(known, event)
            if reason is not None:
                yield reason


def ends_of(made: Town, event: Any, who: str) -> tuple[int, int] | None:
    """Where a session or entry begins and ends; None without an end or times."""
    if not isinstance(event, CheckedIn):
        return (event.start_at, event.end_at) if hasattr(event, "start_at") else None
    (span,) = (
        span for name, span in spans_of(made) if (name, span.key) == (who, f"s/{event.session_id}")
    )
    return None if span.facts.end is None else (event.occurred_at, span.facts.end)


def nearest(
    event: Any, ends: tuple[int, int] | None, shifts: dict[str, Any], cancelled: set[str]
) -> str | None:
    """The shift of the activity that shares most time with it, the earliest of equals."""
    if ends is None:
        return None
    shared = Counter[str]()
    for shift_id, shift in sorted(shifts.items(), key=lambda pair: (pair[1].start_at, pair[0])):
        sites = {event.site_id, shift.site_id} - {None}
        if shift.activity_id == event.activity_id and len(sites) < 2 and shift_id not in cancelled:
            shared[shift_id] = min(ends[1], shift.end_at) - max(ends[0], shift.start_at)
    best = max(shared, key=lambda shift_id: shared[shift_id], default=None)
    return best if best is not None and shared[best] > 0 else None


@pytest.mark.parametrize("project_id", ["p1", "p2", "p3"])
def test_plan_and_actual_are_those_of_shifts_rosters_and_lines(
    here: tuple[Town, Trail], project_id: str
) -> None:
    made, trail = here
    found = plan(trail.query, project_id, made.moments()[-1])
    published = (e.event for e in made.inputs if isinstance(e.event, ShiftScheduled))
    shifts = {event.shift_id: event for event in published if event.project_id == project_id}
    rows = {row["shift_id"]: row for row in found["shifts"]}
    assert rows.keys() - {None} == shifts.keys()
    of_span, came = {}, defaultdict[str | None, set[str]](set)
    cancelled = {e.event.shift_id for e in made.inputs if isinstance(e.event, ShiftCancelled)}
    for event, who, _ in recorded_alone(made, None):
        if event.project_id == project_id:
            named = event.shift_id if event.shift_id in shifts else None
            if named is None:
                named = nearest(event, ends_of(made, event, who), shifts, cancelled)
            of_span[who, getattr(event, "session_id", None) or event.grant_id] = named
            came[named].add(who)
    served = defaultdict[str | None, Rows](list)
    for posting, line in lines_of(made):
        if line.project_id == project_id and counts(line):
            span = (posting.volunteer_id, line.session_id or line.grant_id)
            served[of_span.get(span)].append((posting, line))
    for shift_id, event in shifts.items():
        roster: set[str] | None = None
        for entry in made.inputs:
            said = entry.event
            if isinstance(said, ApplicationDecided) and said.shift_id == shift_id:
                roster = (roster or set()) | {said.volunteer_id}
            if isinstance(said, AssignmentWithdrawn) and said.shift_id == shift_id and roster:
                roster -= {said.volunteer_id}
        row, length = rows[shift_id], (event.end_at - event.start_at) // MINUTE
        assert row["planned_minutes"] == (0 if row["cancelled"] else (event.capacity or 0) * length)
        assert (row["minutes"], row["attendances"]) == three(served[shift_id])[:2]
        assert row["came"] == len(came[shift_id])
        assert row["expected"] == len(roster or ())
        assert row["walk_ins"] == (0 if roster is None else len(came[shift_id] - roster))
        gone = len((roster or set()) - came[shift_id])
        assert row["absent"] == (0 if row["cancelled"] else gone)
        assert row["no_shows"] == len({e.event.volunteer_id for e in made.inputs if
                                       isinstance(e.event, NoShowRecorded) and
                                       e.event.shift_id == shift_id})  # fmt: skip
    assert found["minutes"] == sum(row["minutes"] for row in found["shifts"])
    assert found["minutes"] == total(trail.query, by="project")["breakdown"]["rows"][
        ["p1", "p2", "p3"].index(project_id)
    ]["minutes"]  # fmt: skip
    assert found["minutes"] == sum(row["minutes"] for row in found["sites"])


@pytest.mark.parametrize("by", [None, *get_args(CountBy)])
def test_people_are_counted_as_the_log_had_them(here: tuple[Town, Trail], by: CountBy) -> None:
    made, trail = here
    for at in (*made.moments(), instant("2026-03-12T00:00:00+08:00")):
        names = [(type(e.event).__name__, getattr(e.event, "volunteer_id", ""))
                 for e in made.inputs if e.recorded_at <= at]  # fmt: skip
        registered = {who for what, who in names if what == "VolunteerRegistered"}
        live = registered - {who for what, who in names
                             if what in ("VolunteerMerged", "VolunteerErased")}  # fmt: skip
        today = (at + 8 * HOUR) // DAY
        recent = Counter[str]()
        for posting, line in lines_of(made, at):
            if counts(line) and today - 365 < line.service_date <= today:
                recent[posting.volunteer_id] += line.minutes
        active = {who for who, minutes in recent.items() if minutes > 0}
        found = headcount(trail.query, at, by)
        figures = (found["registered"], found["active"], found["unregistered_active"])
        assert figures == (len(live), len(live & active), len(active - live))
        if by is not None:
            for name in ("registered", "active", "unregistered_active"):
                assert sum(row[name] for row in found["breakdown"]["rows"]) == found[name]
        if by == "org":
            assert {row["key"]: row["registered"] for row in found["breakdown"]["rows"]
                    if row["registered"]} == Counter(
                {"v9": ""}.get(who, "sw1" if who in VOLUNTEERS[::2] else "vo1") for who in live
            )  # fmt: skip


def test_every_field_of_every_answer_is_documented(here: tuple[Town, Trail]) -> None:
    made, trail = here
    last = made.moments()[-1]
    least = Bounds(*([1] * len(Bounds._fields)))
    answers = [
        total(trail.query, by="org"), explain(trail.query, "v1"), exceptions(trail.query),
        org(trail.query, "vo1", by="kind"), plan(trail.query, "p1", last),
        overdue(trail.query, last, 0), headcount(trail.query, last, "org"),
        anomalies(trail.query, bounds=least),
    ]  # fmt: skip
    page = (Path(__file__).parents[3] / "docs" / "answers.md").read_text("utf-8")
    named = set(re.findall(r"`([a-z_]+)`", page))
    assert {key for answer in answers for key in keys_of(answer)} - named == set()


def keys_of(answer: Any) -> Iterator[str]:
    if isinstance(answer, dict):
        yield from answer
    for part in answer.values() if isinstance(answer, dict) else answer:
        if isinstance(part, dict | list):
            yield from keys_of(part)
