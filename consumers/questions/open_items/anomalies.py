"""What counts and should be looked at all the same: the marks that sold hours leave.

Hours were sold at a few yuan each by administrators who booked hours in minutes with a name and a
number (reported in 2022 and 2025). Nothing here proves anything and nothing is held because of it;
each row says who, where and how much, so that a person can look.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from consumers.trail.query import Query, as_known, if_asked
from consumers.wording import moment
from schemas.times import MINUTE, iso_date

WINDOW_SECONDS = 600


class Bounds(NamedTuple):
    """From where on something is shown; all of them ours, no rule names any."""

    bulk_grants: int = 20
    bulk_minutes: int = 6_000
    pair_grants: int = 20
    pair_percent: int = 90
    same_interval_volunteers: int = 10
    device_volunteers: int = 10
    day_minutes: int = 720


USUAL = Bounds()


def anomalies(
    query: Query,
    limit: int = 20,
    as_of: int | None = None,
    bounds: Bounds = USUAL,
) -> list[dict[str, Any]]:
    """Each kind with `count` of its rows, the `limit` gravest `rows`, what it means in both
    languages, as known at `as_of` (UTC microseconds)."""
    values = bounds._asdict() | as_known(as_of)
    found = []
    for code, (zh, en, ask, gravest) in _KINDS.items():
        sql = ask(if_asked(as_of))
        rows = query(
            f"SELECT *, count() OVER () AS row_count FROM ({sql}) "
            f"ORDER BY {gravest} LIMIT {{limit:Int64}}",
            limit=max(limit, 1), **values,
        )  # fmt: skip
        found.append(
            {
                "code": code,
                "count": rows[0]["row_count"] if rows else 0,
                "zh": zh.format(**bounds._asdict()),
                "en": en.format(**bounds._asdict()),
                "rows": [_plain(row) for row in rows[:limit]],
            }
        )
    return found


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Times and days as answers say them, nothing for what is empty."""
    said: dict[str, Any] = {}
    for name, value in row.items():
        if name == "row_count":
            continue
        if name in ("at", "start_at", "end_at"):
            said[name] = moment(value)
        elif name == "service_date":
            said[name] = iso_date(value)
        else:
            said[name] = None if value == "" else value
    return said


def _grants(known: str) -> str:
    """Backfills that the ledger took, one row for each; `length` in whole minutes, floored as the
    ledger does it (`ledger.account.spans.whole_minutes`)."""
    return (
        "SELECT volunteer_id, grant_id, event_id, actor_id, approver_id, recording_org_id, "
        "activity_id, start_at, end_at, recorded_at, empty(evidence) AS bare, "
        "intDiv(toUnixTimestamp64Micro(assumeNotNull(end_at)) "
        f"- toUnixTimestamp64Micro(assumeNotNull(start_at)), {MINUTE}) AS length "
        "FROM event WHERE topic = 'service.hours' AND type = 'HoursGranted' "
        "AND start_at IS NOT NULL AND end_at IS NOT NULL "
        "AND (topic, partition, offset) IN (SELECT source_topic, source_partition, source_offset "
        "FROM posting WHERE event_type = 'HoursGranted' AND outcome IN ('posted', 'held')"
        f"{known})"
    )


_ONE = "recorded_at, volunteer_id, event_id"
"""SQL: what no two facts that the ledger took have in common, the newest being the greatest."""


def _some(column: str) -> str:
    """SQL: at most five of a column's values, the same ones each time."""
    return f"arraySlice(arraySort(groupUniqArray({column})), 1, 5)"


def _in_bulk(known: str) -> str:
    """For each administrator the ten minutes in which most was booked."""
    window = (
        "(PARTITION BY actor_id ORDER BY second RANGE BETWEEN "
        f"{WINDOW_SECONDS} PRECEDING AND CURRENT ROW)"
    )
    return (
        f"SELECT actor_id, argMax(recording_org_id, (minutes, grants, {_ONE})) "
        "AS recording_org_id, max(grants) AS most_grants, max(minutes) AS most_minutes, "
        f"argMax(at, (minutes, grants, {_ONE})) AS at FROM ("
        f"SELECT actor_id, recording_org_id, {_ONE}, toUnixTimestamp64Micro(recorded_at) AS at, "
        "toUnixTimestamp(toDateTime(recorded_at)) AS second, "
        f"count() OVER {window} AS grants, sum(length) OVER {window} AS minutes "
        f"FROM ({_grants(known)})) "
        "WHERE grants >= {bulk_grants:Int64} OR minutes >= {bulk_minutes:Int64} "
        "GROUP BY actor_id"
    )


def _bare(known: str) -> str:
    return (
        "SELECT recording_org_id, actor_id, count() AS grants, uniqExact(volunteer_id) AS "
        "volunteers, sum(length) AS minutes, toUnixTimestamp64Micro(max(recorded_at)) AS at, "
        f"argMax(event_id, ({_ONE})) AS event_id FROM ({_grants(known)}) WHERE bare "
        "GROUP BY recording_org_id, actor_id"
    )


def _pairs(known: str) -> str:
    """Who enters and who approves, on the grant itself or afterwards."""
    decided = (
        "SELECT volunteer_id, grant_id, actor_id AS decider_id FROM event "
        "WHERE type IN ('HoursDecided', 'SessionConfirmed') AND grant_id != '' "
        "AND (topic, partition, offset) IN (SELECT source_topic, source_partition, source_offset "
        "FROM posting WHERE event_type IN ('HoursDecided', 'SessionConfirmed') "
        f"AND outcome IN ('posted', 'held') AND reason != 'rejected'{known})"
    )
    both = (
        "SELECT actor_id, approver_id AS decider_id, volunteer_id, grant_id "
        f"FROM ({_grants(known)}) WHERE approver_id != '' UNION DISTINCT "
        "SELECT g.actor_id, d.decider_id, g.volunteer_id, g.grant_id "
        f"FROM ({_grants(known)}) AS g INNER JOIN ({decided}) AS d "
        "ON d.volunteer_id = g.volunteer_id AND d.grant_id = g.grant_id"
    )
    paired = (
        f"SELECT actor_id, decider_id, count() AS n FROM ({both}) GROUP BY actor_id, decider_id"
    )
    return (
        "SELECT p.actor_id AS actor_id, p.decider_id AS decider_id, p.n AS grants, "
        "p.of_all AS grants_of_actor, r.n AS the_other_way FROM ("
        f"SELECT *, sum(n) OVER (PARTITION BY actor_id) AS of_all FROM ({paired})) AS p "
        f"LEFT JOIN ({paired}) AS r ON r.actor_id = p.decider_id AND r.decider_id = p.actor_id "
        "WHERE grants >= {pair_grants:Int64} "
        "AND (grants * 100 >= grants_of_actor * {pair_percent:Int64} OR the_other_way > 0)"
    )


def _identical(known: str) -> str:
    return (
        "SELECT recording_org_id, activity_id, toUnixTimestamp64Micro(assumeNotNull(start_at)) "
        "AS start_at, toUnixTimestamp64Micro(assumeNotNull(end_at)) AS end_at, "
        "uniqExact(volunteer_id) AS volunteers, sum(length) AS minutes, "
        f"{_some('actor_id')} AS actor_ids "
        f"FROM ({_grants(known)}) GROUP BY recording_org_id, activity_id, start_at, end_at "
        "HAVING volunteers >= {same_interval_volunteers:Int64}"
    )


def _before_registration(known: str) -> str:
    registered = (
        "SELECT entity_id, min(recorded_at) AS since FROM catalogue WHERE kind = 'volunteer'"
        f"{known} GROUP BY entity_id"
    )
    return (
        "SELECT g.recording_org_id AS recording_org_id, g.actor_id AS actor_id, count() AS grants, "
        "uniqExact(g.volunteer_id) AS volunteers, sum(g.length) AS minutes, "
        "argMax(g.event_id, (g.recorded_at, g.volunteer_id, g.event_id)) AS event_id "
        f"FROM ({_grants(known)}) AS g INNER JOIN ({registered}) AS r "
        "ON r.entity_id = g.volunteer_id WHERE g.end_at < r.since "
        "GROUP BY recording_org_id, actor_id"
    )


def _one_device(known: str) -> str:
    window = (
        "(PARTITION BY device_id ORDER BY second RANGE BETWEEN "
        f"{WINDOW_SECONDS} PRECEDING AND CURRENT ROW)"
    )
    return (
        f"SELECT device_id, argMax(recording_org_id, (people, {_ONE})) AS recording_org_id, "
        f"max(people) AS most_volunteers, argMax(at, (people, {_ONE})) AS at FROM ("
        f"SELECT device_id, recording_org_id, {_ONE}, toUnixTimestamp64Micro(recorded_at) AS at, "
        "toUnixTimestamp(toDateTime(recorded_at)) AS second, "
        f"uniqExact(volunteer_id) OVER {window} AS people FROM event "
        "WHERE topic = 'service.checkins' AND type = 'CheckedIn' AND device_id != '' "
        f"AND channel IN ('qr', 'code', 'geofence') AND actor_role = 'volunteer'{known}) "
        "WHERE people >= {device_volunteers:Int64} "
        "GROUP BY device_id"
    )


def _long_days(known: str) -> str:
    return (
        "SELECT volunteer_id, toInt32(l.service_date) AS service_date, sum(l.minutes) AS minutes, "
        f"{_some('l.recording_org_id')} AS recording_org_ids FROM line AS l "
        f"WHERE l.state = 'effective' AND l.kind != 'training'{known} "
        "GROUP BY volunteer_id, l.service_date HAVING minutes > {day_minutes:Int64}"
    )


_KINDS: Mapping[str, tuple[str, str, Callable[[str], str], str]] = {
    "booked_in_bulk": (
        "同一经办人十分钟内补录 {bulk_grants} 笔以上或 {bulk_minutes} 分钟以上",
        "one administrator backfilled {bulk_grants} or more grants, or {bulk_minutes} minutes, "
        "within ten minutes",
        _in_bulk,
        "most_minutes DESC, actor_id",
    ),
    "grant_without_evidence": (
        "补录没有任何证据",
        "backfills without any evidence",
        _bare,
        "minutes DESC, recording_org_id, actor_id",
    ),
    "same_two_people": (
        "补录的经办人与批准人总是同两个人,或互相批准",
        "the same two people enter and approve, or approve each other's",
        _pairs,
        "grants DESC, actor_id, decider_id",
    ),
    "identical_intervals": (
        "同一活动给 {same_interval_volunteers} 人以上补录完全相同的起止时刻",
        "{same_interval_volunteers} or more people were backfilled for the very same times",
        _identical,
        "volunteers DESC, recording_org_id, activity_id, start_at, end_at",
    ),
    "before_registration": (
        "补录的服务早于志愿者注册",
        "backfilled service from before the volunteer was registered",
        _before_registration,
        "minutes DESC, recording_org_id, actor_id",
    ),
    "one_phone_many_people": (
        "同一手机十分钟内为 {device_volunteers} 人以上本人签到",
        "one phone checked in {device_volunteers} or more people as themselves in ten minutes",
        _one_device,
        "most_volunteers DESC, device_id",
    ),
    "long_day": (
        "一人一天计入超过 {day_minutes} 分钟",
        "more than {day_minutes} minutes of one person count on one day",
        _long_days,
        "minutes DESC, volunteer_id, service_date",
    ),
}
"""Code -> what it means in Chinese and English, the SQL of its rows, and which come first."""
