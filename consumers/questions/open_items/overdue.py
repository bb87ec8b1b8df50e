"""What is late: recorded after its deadline, undecided for too long, begun and never ended."""

from typing import Any

from consumers.questions.open_items.exceptions import told
from consumers.questions.open_items.open_items import waiting
from consumers.questions.open_items.remedies import remedy
from consumers.questions.open_items.waiting_item import Waiting
from consumers.trail.query import Query, as_known, if_asked, names, source_events
from consumers.wording import moment, reason_texts
from schemas.times import DAY

_UNENDED = ("no_check_out", "no_check_in", "awaiting_check_in")


def overdue(query: Query, as_of: int, days: int = 7, limit: int = 20) -> dict[str, Any]:
    """As known at an instant (UTC microseconds): `recorded_late`, by organisation, are records that
    the ledger flagged as recorded after the policy's deadline (10 working days, Order 67, article
    11; they count all the same), and `deadline_unknown` those of which nobody can tell, for want of
    a year's calendar; `waiting` is what has been held for `days` days or more and
    `unended` are sessions with one end, each by reason with the `limit` oldest.
    """
    old = [item for item in waiting(query, as_of) if as_of - item.since >= days * DAY]
    undecided = [item for item in old if item.reason not in _UNENDED]
    unended = [item for item in old if item.reason in _UNENDED]
    return {
        "as_of": moment(as_of),
        "days": days,
        "recorded_late": _recorded(query, "recorded_late", as_of, limit),
        "deadline_unknown": _recorded(query, "deadline_unknown", as_of, limit),
        "waiting": _grouped(query, undecided, as_of, limit),
        "unended": _grouped(query, unended, as_of, limit),
    }


def _grouped(query: Query, items: list[Waiting], as_of: int, limit: int) -> dict[str, Any]:
    reasons = sorted({item.reason for item in items})
    groups = {reason: [item for item in items if item.reason == reason] for reason in reasons}
    return {
        "count": len(items),
        "minutes": sum(item.minutes for item in items),
        "reasons": [
            {
                "reason": reason,
                "count": len(group),
                "minutes": sum(item.minutes for item in group),
                "oldest_days": (as_of - group[0].since) // DAY,
                **reason_texts(reason),
                **remedy(reason),
            }
            for reason, group in groups.items()
        ],
        "rows": [
            row | {"waiting_days": (as_of - item.since) // DAY}
            for group in groups.values()
            for item, row in zip(group[:limit], told(query, group[:limit], as_of), strict=True)
        ],
    }


def _recorded(query: Query, reason: str, as_of: int, limit: int) -> dict[str, Any]:
    late = (
        "SELECT source_topic, source_partition, source_offset, event_id, volunteer_id, recorded_at "
        "FROM posting "
        f"WHERE reason = {{reason:String}}{if_asked(as_of)}"
    )
    rows = query(
        "SELECT e.recording_org_id AS org_id, count() AS n, "
        "toUnixTimestamp64Micro(max(p.recorded_at)) AS newest, "
        "argMax(p.event_id, (p.recorded_at, p.volunteer_id, p.event_id)) AS event_id "
        f"FROM {source_events(late)} AS e "
        f"INNER JOIN ({late}) AS p ON p.source_topic = e.topic "
        "AND p.source_partition = e.partition AND p.source_offset = e.offset "
        "GROUP BY org_id ORDER BY n DESC, org_id",
        reason=reason,
        **as_known(as_of),
    )
    named = names(query, "org", (row["org_id"] for row in rows[:limit]), as_of)
    return {
        "count": sum(row["n"] for row in rows),
        "orgs": [
            {
                "org_id": row["org_id"],
                "name": named.get(row["org_id"]),
                "count": row["n"],
                "newest": moment(row["newest"]),
                "event_id": row["event_id"],
            }
            for row in rows[:limit]
        ],
    }
