"""The id most like one that nobody has, so that a slip of the finger is answered with a name."""

from typing import Literal

from consumers.trail.query import Query

What = Literal["volunteer", "event", "organisation", "project"]

_KNOWN: dict[What, str] = {
    "volunteer": (
        "SELECT volunteer_id AS id FROM posting UNION ALL "
        "SELECT entity_id AS id FROM catalogue WHERE kind = 'volunteer'"
    ),
    "event": "SELECT event_id AS id FROM event",
    "organisation": (
        "SELECT entity_id AS id FROM catalogue WHERE kind = 'org' UNION ALL "
        "SELECT recording_org_id AS id FROM line UNION ALL SELECT host_org_id AS id FROM line"
    ),
    "project": (
        "SELECT entity_id AS id FROM catalogue WHERE kind = 'project' UNION ALL "
        "SELECT project_id AS id FROM line"
    ),
}


def nearest(query: Query, what: What, name: str) -> str | None:
    """The known id that is the fewest edits away, at most a third of its length; None: there is
    none. Of several that are as near, the first in order. A volunteer may be known by registration
    alone: then it is the very id."""
    rows = query(
        "SELECT id, damerauLevenshteinDistance(lower(id), lower({name:String})) AS edits "
        f"FROM (SELECT DISTINCT id FROM ({_KNOWN[what]}) "
        "WHERE abs(toInt64(length(id)) - toInt64(length({name:String}))) <= {most:Int64}) "
        "WHERE edits <= {most:Int64} ORDER BY edits, id LIMIT 1",
        name=name,
        most=max(1, len(name) // 3),
    )
    return str(rows[0]["id"]) if rows else None
