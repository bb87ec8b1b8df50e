"""The whole ledger at a glance: people, minutes, attendances, outcomes. Read-only."""

from typing import Any

from consumers.questions.hours.measures import breakdown, measures
from consumers.trail.query import Query, lines


def overview(query: Query, top: int = 5) -> dict[str, Any]:
    """Sums over everything; `orgs` are the recording organisations with the most minutes.

    The three measures are those of every other answer (`consumers.questions.hours.measures`), and
    so are the rows of `orgs`, which are those of a breakdown by organisation.
    """
    everything = lines()
    sums = query(
        "SELECT kind, state, sum(minutes) AS minutes FROM line GROUP BY kind, state ORDER BY 1, 2"
    )
    outcomes = query(
        "SELECT outcome, count() AS records FROM posting GROUP BY outcome "
        "ORDER BY records DESC, outcome"
    )
    quarantined = query("SELECT count() AS records FROM quarantine")
    orgs = breakdown(query, everything, "org")["rows"]
    orgs.sort(key=lambda row: (-row["minutes"], row["key"]))
    most = query(
        "SELECT volunteer_id, sum(minutes) AS minutes FROM line "
        "WHERE state = 'effective' AND kind != 'training' "
        "GROUP BY volunteer_id ORDER BY minutes DESC, volunteer_id LIMIT 1"
    )
    found = measures(query, everything)
    return {
        **{name: found[name] for name in ("volunteers", "attendances", "minutes")},
        "sums": sums,
        "outcomes": {row["outcome"]: row["records"] for row in outcomes}
        | {"quarantined": quarantined[0]["records"]},
        "orgs": [{"org_id": row.pop("key")} | row for row in orgs[:top]],
        "most_served": most[0]["volunteer_id"] if most else None,
    }
