"""Small histories with one thing in each: marks of sold hours, a wrong clock, who may decide."""

import re
from pathlib import Path
from typing import Any

import pytest

import consumers
from consumers.questions.hours.headcounts import headcount
from consumers.questions.hours.histories import explain, trace
from consumers.questions.hours.organisation import org
from consumers.questions.open_items.anomalies import USUAL, anomalies
from consumers.questions.open_items.exceptions import exceptions
from consumers.questions.open_items.open_items import waiting
from consumers.questions.open_items.overdue import overdue
from consumers.questions.open_items.remedies import REMEDIES, WHO
from consumers.trail.store import Trail, open_trail
from ledger.hours.settling import HELD
from schemas.events import Actor, Event
from schemas.times import DAY, HOUR, MINUTE
from tests.drawn import histories as h
from tests.drawn.honours import apply_star, decide_star, recognised_by
from tests.trail.told import tell

SELLER, FRIEND = Actor("seller", "admin", "sw1"), Actor("friend", "admin", "sw1")
NEXT_DAY = h.when("09:00", "2025-03-02")


def told(trail: Trail, *items: Event | h.Arrival) -> Trail:
    tell(trail, *items)
    return trail


def booked(n: int, **more: Any) -> h.Arrival:
    """A grant to a volunteer of its own, the n-th within a few minutes."""
    usual: dict[str, Any] = {"actor": SELLER, "approver": FRIEND, "evidence": ()}
    times = {"start": "09:00", "end": "14:00"}
    made = h.grant(f"v{n}", f"g{n}", **(usual | times | more))
    return h.Arrival(made, NEXT_DAY + n * 4 * 1_000_000)


def found(trail: Trail, **bounds: int) -> dict[str, list[dict[str, Any]]]:
    kinds = anomalies(trail.query, 5, bounds=USUAL._replace(**bounds))
    assert all(kind["zh"] and kind["en"] for kind in kinds)
    return {kind["code"]: kind["rows"] for kind in kinds if kind["count"]}


def test_hours_booked_for_many_in_minutes_leave_four_marks(trail: Trail) -> None:
    marks = found(told(trail, *(booked(n) for n in range(25))))
    (bulk,) = marks.pop("booked_in_bulk")
    assert (bulk["actor_id"], bulk["most_grants"], bulk["most_minutes"]) == ("seller", 25, 7500)
    (bare,) = marks.pop("grant_without_evidence")
    assert (bare["grants"], bare["volunteers"], bare["recording_org_id"]) == (25, 25, "sw1")
    (pair,) = marks.pop("same_two_people")
    assert (pair["actor_id"], pair["decider_id"], pair["grants"]) == ("seller", "friend", 25)
    (same,) = marks.pop("identical_intervals")
    assert (same["volunteers"], same["start_at"]) == (25, "2025-03-01T09:00:00+08:00")
    assert marks == {}


def test_four_grants_of_59_minutes_and_two_seconds_are_236_minutes(trail: Trail) -> None:
    """From 09:00:59 to 10:00:01 a clock's minute changes sixty times; the ledger has 59."""
    made = [booked(n, start="09:00:59", end="10:00:01") for n in range(4)]
    book = tell(trail, *made)
    assert sum(account.balance_minutes for account in book.accounts.values()) == 0
    held = sum(line.minutes for posting in book.postings for line in posting.lines)
    marks = found(trail, bulk_minutes=236)
    assert held == marks["booked_in_bulk"][0]["most_minutes"] == 236
    assert marks["grant_without_evidence"][0]["minutes"] == 236
    assert found(trail, bulk_minutes=237).get("booked_in_bulk") is None


def test_of_grants_of_one_instant_the_answer_names_the_same_each_time(tmp_path: Path) -> None:
    """Six grants of one person are recorded at once, for organisations of their own: whichever is
    named must follow from what they say, in whatever order the trail was written."""
    made = [
        h.Arrival(h.grant(f"v{n}", f"g{n}", org=("sw1", "vo1")[n % 2],
                          project=("p1", "p2")[n % 2],
                          actor=Actor("seller", "regulator"), approver=FRIEND, evidence=()),
                  NEXT_DAY)
        for n in range(6)
    ]  # fmt: skip
    answers = []
    for number, order in enumerate((made, list(reversed(made)))):
        with open_trail(tmp_path / f"trail-{number}", create=True) as trail:
            tell(trail, *order)
            answers.append(found(trail, bulk_grants=6))
    first, second = answers
    assert first == second
    assert first["booked_in_bulk"][0]["recording_org_id"] == "vo1"
    assert [row["event_id"][:8] for row in first["grant_without_evidence"]] == [
        "grant-v4", "grant-v5"
    ]  # fmt: skip


def test_every_newest_and_every_sample_of_the_trail_has_a_key_of_its_own() -> None:
    """A maximum by time alone, a sample of five, an order by time alone: ties fall as they like."""
    loose = re.compile(
        r"arg(?:Max|Min)\(\s*[\w.]+, [\w.]*recorded_at\)|group\w*Array\(\d+\)|anyLast|"
        r"ORDER BY [\w.]*recorded(?:_at)?(?: DESC)?[\"']"
    )
    for path in sorted(Path(str(consumers.__file__)).parent.rglob("*.py")):
        text = re.sub(r'"\s*f?"', "", path.read_text(encoding="utf-8"))
        assert loose.findall(text) == [], path.name


def test_what_was_changed_after_its_approval_waits_until_somebody_decides(trail: Trail) -> None:
    late = h.received(h.check_in(at="08:30", offline=True), "09:00", "2025-03-02")
    again = h.confirm(session="s1", at="10:00", day="2025-03-02")
    tell(trail, *h.served(), h.confirm(session="s1", at="20:00"), late, again)
    (item,) = waiting(trail.query, h.when("09:30", "2025-03-02"))
    assert (item.reason, item.key) == ("changed_after_decision", ("v1", "s1", ""))
    assert waiting(trail.query, h.when("09:30", "2025-03-03")) == []


def test_what_the_catalogue_refuses_is_named_by_trace_and_exceptions(trail: Trail) -> None:
    """The merge of somebody with themselves, and a policy beyond all bounds: both were accepted by
    the broker, and nobody ever said that neither is in force."""
    wide = h.policy("wide", 1, open_minutes=1800)
    tell(trail, h.merge("v1", "v1"), wide, h.project("p-wide", "wide"), *h.served(project="p-wide"))
    refused = exceptions(trail.query)["catalogue"]
    assert [(row["event_id"], row["reason"]) for row in refused] == [
        (wide.event_id, "value_out_of_range"), (h.merge("v1", "v1").event_id, "merge_cycle")
    ]  # fmt: skip
    assert all(row["zh"] and row["en"] for row in refused)
    counted = {row["reason"]: row["outcome"] for row in exceptions(trail.query)["counts"]}
    assert counted["merge_cycle"] == counted["value_out_of_range"] == "catalogue_refused"
    (copy,) = trace(trail.query, wide.event_id)["copies"]
    said = copy["catalogue"]
    assert (said["outcome"], said["reason"]) == ("refused", "value_out_of_range")
    (copy,) = trace(trail.query, h.project("p-wide", "wide").event_id)["copies"]
    assert copy["catalogue"] == {"outcome": "in_force", "reason": None}
    (item,) = waiting(trail.query)
    assert item.reason == "awaiting_policy"


def test_explain_shows_what_was_left_out_of_an_import(trail: Trail) -> None:
    again = h.imported(grant_id="i2", minutes=60, at="21:00", batch_id="b2")
    tell(trail, h.imported(minutes=60), again)
    first, second = explain(trail.query, "v1")["postings"]
    assert first["left_out"] is None
    assert second["reason"] == "already_imported"
    assert second["left_out"] == {
        "source_system": "old_platform", "batch_id": "b2", "row_hash": "row-1",
        "service_date": h.TODAY, "minutes": 60,
    }  # fmt: skip


def test_a_few_grants_with_evidence_leave_none(trail: Trail) -> None:
    assert found(told(trail, *(booked(n, evidence=("sha256:1",)) for n in range(9)))) == {}


def test_a_burst_over_a_full_hour_is_one_burst(trail: Trail) -> None:
    made = [booked(n) for n in range(25)]
    around = [h.Arrival(a.event, a.recorded_at - 50 * 1_000_000) for a in made]
    (bulk,) = found(told(trail, *around))["booked_in_bulk"]
    assert bulk["most_grants"] == 25


def test_people_who_approve_each_other_are_seen_whatever_their_share(trail: Trail) -> None:
    one = [booked(n, evidence=("sha256:1",)) for n in range(3)]
    other = [booked(n, actor=FRIEND, approver=SELLER, evidence=("sha256:1",)) for n in (3, 4, 5)]
    others = [booked(n, approver=h.CHIEF, evidence=("sha256:1",)) for n in range(6, 12)]
    marks = found(told(trail, *one, *other, *others), pair_grants=3, same_interval_volunteers=99)
    pairs = {(row["actor_id"], row["decider_id"]): row["the_other_way"]
             for row in marks["same_two_people"]}  # fmt: skip
    assert pairs == {("seller", "friend"): 3, ("friend", "seller"): 3}


def test_who_approves_afterwards_counts_as_approving(trail: Trail) -> None:
    held = [booked(n, approver=None) for n in range(3)]
    decided = [
        h.received(h.decide(f"v{n}", grant_id=f"g{n}", actor=FRIEND, day="2025-03-02",
                            at="12:00", evidence=("sha256:1",)), "12:01", "2025-03-02")
        for n in range(3)
    ]  # fmt: skip
    marks = found(told(trail, *held, *decided), pair_grants=3)
    assert [row["decider_id"] for row in marks["same_two_people"]] == ["friend"]


def test_service_from_before_the_registration_and_long_days_are_seen(trail: Trail) -> None:
    late = h.received(h.register("v0"), "08:00", "2025-03-02")
    long = h.Arrival(
        h.grant("v9", "g99", "06:00", "20:00", evidence=("sha256:1",)), NEXT_DAY + 2 * HOUR
    )
    marks = found(told(trail, late, booked(0, evidence=("sha256:1",)), long))
    (early,) = marks["before_registration"]
    assert (early["grants"], early["volunteers"], early["minutes"]) == (1, 1, 300)
    (day,) = marks["long_day"]
    assert (day["volunteer_id"], day["minutes"], day["service_date"]) == ("v9", 840, "2025-03-01")


def test_one_phone_for_many_is_seen_and_a_kiosk_is_not(trail: Trail) -> None:
    def arrive(n: int, channel: str, device: str) -> Event:
        return h.check_in(f"v{n}", f"s{channel}{n}", f"09:{n:02}", channel=channel,
                          device_id=device)  # fmt: skip

    phone = [arrive(n, "qr", "phone") for n in range(12)]
    kiosk = [arrive(n, "kiosk", "box") for n in range(12)]
    slow = [h.check_in(f"v{n}", f"t{n}", f"{9 + n // 2:02}:{n % 2 * 30:02}", channel="qr",
                       device_id="desk") for n in range(12)]  # fmt: skip
    (row,) = found(told(trail, *phone, *kiosk, *slow))["one_phone_many_people"]
    assert (row["device_id"], row["most_volunteers"]) == ("phone", 11)


def test_a_wrong_clock_is_corrected_in_the_gross_as_in_the_net(trail: Trail) -> None:
    ahead = 2 * HOUR
    came = h.check_in(at=h.when("09:00") + ahead, sent_at=h.when("09:00") + ahead)
    left = h.check_out(at="11:00")
    told(trail, h.received(came, "09:00"), h.received(left, "11:00"))
    answer = org(trail.query, "sw1")["recorder"]
    assert answer["gross"]["minutes"] == answer["net"]["minutes"] == 120


def test_who_may_decide_names_those_who_have_a_say(trail: Trail) -> None:
    told(
        trail, h.org("up"), h.org("sw1", "up"), h.site("site-x"), h.operator("site-x", "vo1"),
        h.org("heir"), h.succeed("sw1", "heir"), h.project("p5", org_id="sw1", partners=()),
        h.claim("v1", "c1", project="p5", site="site-x"),
    )  # fmt: skip
    (row,) = exceptions(trail.query)["waiting"]
    assert (row["reason"], row["orgs"]) == ("awaiting_organiser", ["heir", "sw1", "up", "vo1"])
    assert row["events"] == ["SessionConfirmed", "SessionDenied"]


def test_what_a_tick_moved_waits_for_the_reason_that_the_tick_gave(trail: Trail) -> None:
    told(
        trail, *h.served("v4", project="p9", activity="a1", org="sw1", host="sw1"),
        *(h.received(event, "20:00") for event in (
            h.org("sw1"), h.project("p9"), h.shift("late", "p9", "a1"), h.accept("v1", "late"))),
        h.tick("22:00"),
    )  # fmt: skip
    before, after = h.when("21:00"), h.when("23:00")
    assert [[item.reason for item in waiting(trail.query, at)] for at in (before, after)] == [
        ["unknown_activity"], ["not_on_roster"]
    ]  # fmt: skip


def test_a_decision_waits_until_its_target_comes_also_if_it_has_no_minutes(trail: Trail) -> None:
    earlier = h.served(start="09:00", end="12:00")
    told(
        trail, *(h.decide(grant_id=g, at="12:10") for g in ("covered", "short", "never")),
        h.void(grant_id="back", at="12:20"), h.reinstate(grant_id="back", at="12:30"),
        h.received(h.grant(grant_id="covered", start="10:00", end="11:00"), "13:00"),
        *(h.received(event, "13:10") for event in earlier),
        h.received(h.grant(grant_id="short", start="14:00", end="14:00:20"), "09:00", "2025-03-20"),
    )  # fmt: skip

    def targets(at: int) -> set[str]:
        return {i.key[2] for i in waiting(trail.query, at) if i.reason == "awaiting_target"}

    assert targets(h.when("12:25")) == {"covered", "short", "never"}
    assert targets(h.when("12:35")) == {"covered", "short", "never", "back"}
    assert targets(h.when("13:20")) == {"short", "never", "back"}
    assert targets(h.when("09:01", "2025-03-20")) == {"never", "back"}


def test_an_application_for_a_star_waits_until_it_is_decided(trail: Trail) -> None:
    told(trail, recognised_by(), *h.served("v1", end="13:30"), apply_star(at="14:00"),
         decide_star(at="15:00"))  # fmt: skip
    (applied, decided) = (h.arrival(e).recorded_at for e in
                          (apply_star(at="14:00"), decide_star(at="15:00")))  # fmt: skip
    for at, refs in ((applied - 1, []), (applied, [apply_star().application_id]), (decided, [])):
        assert [item.ref for item in waiting(trail.query, at)] == refs


def test_an_open_session_waits_when_the_policy_it_was_re_rated_to_has_closed_it(
    trail: Trail,
) -> None:
    def rerated(volunteer: str, session: str, policy_id: str, at: str, **more: Any) -> Event:
        return h.rerate(volunteer, session, policy_id=policy_id, at=at, **more)

    outsider = Actor("outsider", "organiser", "nobody-knows")
    told(
        trail, h.policy("strict", 1, open_minutes=90), h.policy("generous", 1, open_minutes=1000),
        # Before anybody knows where it is, anybody may say it; it counts if they have a say there.
        rerated("v5", "s5", "strict", "08:00", actor=outsider),
        *(h.check_in(f"v{n}", f"s{n}", "09:00") for n in range(1, 7)),
        rerated("v1", "s1", "strict", "09:30"), rerated("v2", "s2", "generous", "09:30"),
        rerated("v3", "s3", "strict", "09:30"), rerated("v3", "s3", "generous", "09:40"),
        h.tick("12:00"), rerated("v4", "s4", "strict", "12:30"), h.tick("21:30"),
        rerated("v6", "s6", "generous", "21:40"), h.tick("22:00"),
    )  # fmt: skip
    for at, who in (("12:00", ["v1"]), ("12:40", ["v1"]), ("21:30", ["v1", "v4", "v5", "v6"]),
                    ("22:00", ["v1", "v4", "v5", "v6"])):  # fmt: skip
        found = waiting(trail.query, h.when(at))
        assert sorted((w.key[0], w.reason) for w in found) == [(v, "no_check_out") for v in who]


def test_what_waits_is_overdue_from_its_day_on(trail: Trail) -> None:
    told(trail, h.claim("v1", "c1"), h.check_in("v2", "s2"), h.tick("22:00"))
    since = h.arrival(h.claim("v1", "c1")).recorded_at
    for at, count in ((since + 3 * DAY - 1, 0), (since + 3 * DAY, 1)):
        assert overdue(trail.query, at, 3)["waiting"]["count"] == count
    ended = overdue(trail.query, since + 9 * DAY, 3)
    assert [row["reason"] for row in ended["unended"]["rows"]] == ["no_check_out"]
    assert ended["waiting"]["rows"][0]["waiting_days"] == 9


def test_merged_and_erased_people_are_counted_no_more_and_unmerged_ones_again(
    trail: Trail,
) -> None:
    events: list[Event] = [h.register(f"v{n}") for n in range(4)]
    later: list[Event] = [h.merge("v1", "v0"), h.erase("v2"), h.unmerge("v1")]
    told(trail, *events, *(h.Arrival(e, NEXT_DAY + n * MINUTE) for n, e in enumerate(later)))
    counts = [headcount(trail.query, NEXT_DAY + n * MINUTE)["registered"] for n in (-1, 0, 1, 2)]
    assert counts == [4, 3, 2, 3]


def test_who_served_on_the_day_a_year_ago_is_active_no_more(trail: Trail) -> None:
    told(trail, h.register("v1"), *h.served("v1"))
    active = [headcount(trail.query, h.when("12:00", day))["active"]
              for day in ("2025-02-28", "2025-03-01", "2026-02-28", "2026-03-01")]  # fmt: skip
    assert active == [0, 1, 1, 0]


@pytest.mark.parametrize("reason", sorted(HELD | {"over_org_tier", "over_province_tier"}))
def test_every_reason_of_a_hold_has_somebody_who_can_end_it(reason: str) -> None:
    assert REMEDIES[reason].who in WHO
    assert REMEDIES[reason].events
