"""The whole ledger at a glance: people, minutes, attendances, outcomes. Read-only."""

from typing import Any

from consumers.query import Query

_COUNTED = "state = 'effective' AND kind != 'training'"


def overview(query: Query, top: int = 5) -> dict[str, Any]:
    """Sums over everything; `orgs` are the recording organisations with the most minutes.

    Three measures that are never mixed: distinct volunteers, attendances (distinct volunteer,
    activity and local day with effective minutes), minutes.
    """
    sums = query(
        "SELECT kind, state, sum(minutes) AS minutes FROM line GROUP BY kind, state ORDER BY 1, 2"
    )
    attended = query(
        "SELECT count() AS attendances, uniqExact(volunteer_id) AS volunteers FROM ("
        "SELECT volunteer_id, activity_id, service_date FROM line "
        f"WHERE {_COUNTED} GROUP BY volunteer_id, activity_id, service_date "
        "HAVING sum(minutes) > 0)"
    )
    outcomes = query(
        "SELECT outcome, count() AS records FROM posting GROUP BY outcome "
        "ORDER BY records DESC, outcome"
    )
    quarantined = query("SELECT count() AS records FROM quarantine")
    orgs = query(
        "SELECT recording_org_id AS org_id, sum(minutes) AS minutes, "
        "uniqExact(volunteer_id) AS volunteers FROM line "
        f"WHERE {_COUNTED} GROUP BY org_id ORDER BY minutes DESC, org_id LIMIT {{top:UInt32}}",
        top=top,
    )
    most = query(
        "SELECT volunteer_id, sum(minutes) AS minutes FROM line "
        f"WHERE {_COUNTED} GROUP BY volunteer_id ORDER BY minutes DESC, volunteer_id LIMIT 1"
    )
    return {
        "volunteers": attended[0]["volunteers"],
        "attendances": attended[0]["attendances"],
        "minutes": sum(
            row["minutes"]
            for row in sums
            if row["state"] == "effective" and row["kind"] != "training"
        ),
        "sums": sums,
        "outcomes": {row["outcome"]: row["records"] for row in outcomes}
        | {"quarantined": quarantined[0]["records"]},
        "orgs": orgs,
        "most_served": most[0]["volunteer_id"] if most else None,
    }
