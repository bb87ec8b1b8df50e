"""What does not count and why: held, refused, quarantined, anomalous; and who may decide it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from consumers.questions.facts.catalogue_view import ORGS, PLACES, RULES, catalogue
from consumers.questions.facts.catalogued import outcomes, refused
from consumers.questions.facts.persons import everybody
from consumers.questions.facts.sessions import SpanKey
from consumers.questions.hours.totals import quarantine_list
from consumers.questions.open_items.anomalies import anomalies
from consumers.questions.open_items.open_items import waiting
from consumers.questions.open_items.remedies import ABOVE, REMEDIES, remedy
from consumers.questions.open_items.waiting_item import Place, Waiting
from consumers.trail.query import Query, as_known, if_asked
from consumers.wording import moment, reason_texts
from ledger.catalogue import catalogue as registry
from schemas.times import iso_date

_SOURCE = ("source_topic", "source_partition", "source_offset")
_POSTED = f"{', '.join(_SOURCE)}, volunteer_id, outcome, reason, event_id, event_type"
_LOOKED_UP_AT_ONCE = 1_000


def exceptions(query: Query, limit: int = 20, as_of: int | None = None) -> dict[str, Any]:
    """Everything that does not count, as known at `as_of` (UTC microseconds).

    `counts` has for each outcome and reason: `count` postings ever, how many things are `waiting`
    for that reason now (minutes that another session pushed over a tier have no posting of their
    own), what it means, who may decide and by which events. `waiting` has the `limit` longest
    waiting of each reason with the organisations that have a say; `rows` the newest `limit` held
    and refused postings of each reason;
    `catalogue` the newest `limit` catalogue events that are refused; `anomalies` what should be
    looked at.
    """
    items = waiting(query, as_of)
    now = Counter(item.reason for item in items)
    counts = query(
        "SELECT outcome, reason, count() AS n FROM posting WHERE outcome IN ('held', 'refused')"
        f"{if_asked(as_of)} GROUP BY outcome, reason UNION ALL "
        "SELECT 'quarantined' AS outcome, reason, count() AS n FROM quarantine "
        f"WHERE 1{if_asked(as_of)} GROUP BY reason",
        **as_known(as_of),
    )
    published = outcomes(query, as_of)
    turned_away = Counter(one.reason for one in published if one.reason is not None)
    counts += [
        {"outcome": "catalogue_refused", "reason": reason, "n": n}
        for reason, n in turned_away.items()
    ]
    said = {row["reason"] for row in counts if row["outcome"] == "held"}
    counts += [{"outcome": "held", "reason": reason, "n": 0} for reason in now.keys() - said]
    return {
        "as_of": moment(as_of),
        "counts": [
            {
                "outcome": row["outcome"],
                "reason": row["reason"],
                "count": row["n"],
                "waiting": now[row["reason"]] if row["outcome"] == "held" else 0,
                **reason_texts(row["reason"]),
                **remedy(row["reason"], row["outcome"]),
            }
            for row in sorted(counts, key=lambda row: (-row["n"], row["outcome"], row["reason"]))
        ],
        "waiting": told(query, _first_of_each(items, limit), as_of),
        "rows": _newest(query, {item.key for item in items}, limit, as_of),
        "quarantined": quarantine_list(query, limit, as_of),
        "catalogue": refused(published, limit),
        "anomalies": anomalies(query, limit, as_of),
    }


def _first_of_each(items: Iterable[Waiting], limit: int) -> list[Waiting]:
    taken, kept = Counter[str](), []
    for item in items:
        taken[item.reason] += 1
        if taken[item.reason] <= limit:
            kept.append(item)
    return kept


def _newest(query: Query, now: set[SpanKey], limit: int, as_of: int | None) -> list[dict[str, Any]]:
    """The newest held and refused postings; `waiting` says whether what they speak of still does
    (null for refused ones and for ticks, which name no session)."""
    rows = query(
        f"SELECT {_POSTED}, toUnixTimestamp64Micro(recorded_at) AS at FROM posting "
        f"WHERE outcome IN ('held', 'refused'){if_asked(as_of)} "
        "ORDER BY recorded_at DESC, partition, offset DESC LIMIT {limit:Int64} BY outcome, reason",
        limit=limit, **as_known(as_of),
    )  # fmt: skip
    places = [tuple(row[name] for name in _SOURCE) for row in rows]
    spans = _spans_at(query, places)
    people = everybody(query, as_of)
    found = []
    for row, place in zip(rows, places, strict=True):
        session_id, grant_id = spans.get(place, ("", ""))
        key = (people.survivor(row["volunteer_id"]), session_id, grant_id)
        named = row["outcome"] == "held" and (key[1] or key[2])
        found.append(
            {name: row[name] for name in ("outcome", "reason", "event_id", "event_type")}
            | {
                "volunteer_id": row["volunteer_id"],
                "session_id": session_id or None,
                "grant_id": grant_id or None,
                "source": "/".join(map(str, place)),
                "recorded_at": moment(row["at"]),
                "waiting": key in now if named else None,
            }
        )
    return found


def _spans_at(
    query: Query, places: Sequence[tuple[Any, ...]]
) -> dict[tuple[Any, ...], tuple[str, str]]:
    """The session and grant that the events at these (topic, partition, offset) name."""
    found = {}
    for first in range(0, len(places), _LOOKED_UP_AT_ONCE):
        rows = query(
            "SELECT topic, partition, offset, session_id, grant_id FROM event WHERE "
            "(topic, partition, offset) IN {places:Array(Tuple(String, Int64, Int64))}",
            places=list(places[first : first + _LOOKED_UP_AT_ONCE]),
        )
        for row in rows:
            place = (row["topic"], row["partition"], row["offset"])
            found[place] = (row["session_id"], row["grant_id"])
    return found


def told(query: Query, items: Sequence[Waiting], as_of: int | None = None) -> list[dict[str, Any]]:
    """Things that wait, with the organisations that have a say about each (docs/rules.md, 7)."""
    places = _places(query, items, as_of)
    known = catalogue(query, (*ORGS, *RULES, *PLACES), as_of) if items else registry.Catalogue()
    return [
        {
            "reason": item.reason,
            "volunteer_id": item.key[0],
            "session_id": item.key[1] or None,
            "grant_id": item.key[2] or None,
            "ref": item.ref or None,
            "state": item.state,
            "minutes": item.minutes,
            "since": moment(item.since),
            "service_date": None if item.day is None else iso_date(item.day),
            "recording_org_id": place[0] or None,
            "project_id": place[2] or None,
            "site_id": place[3] or None,
            "activity_id": place[4] or None,
            "asked_by": item.actor_id or None,
            **remedy(item.reason),
            "orgs": [] if REMEDIES[item.reason].who in ABOVE else _with_a_say(known, place, item),
        }
        for item in items
        for place in [places.get(item.key, item.place)]
    ]


def _places(query: Query, items: Sequence[Waiting], as_of: int | None) -> dict[SpanKey, Place]:
    """Where those sessions and grants are whose own item does not say it."""
    wanted = sorted({item.key for item in items if not item.place[0]})
    if not wanted:
        return {}
    rows = query(
        "SELECT volunteer_id, session_id, grant_id, argMax((recording_org_id, host_org_id, "
        "project_id, site_id, activity_id), (sequence, line_no)) AS place FROM line WHERE "
        "(volunteer_id, session_id, grant_id) IN {keys:Array(Tuple(String, String, String))}"
        f"{if_asked(as_of)} GROUP BY volunteer_id, session_id, grant_id",
        keys=wanted, **as_known(as_of),
    )  # fmt: skip
    return {(r["volunteer_id"], r["session_id"], r["grant_id"]): tuple(r["place"]) for r in rows}


def _with_a_say(known: registry.Catalogue, place: Place, item: Waiting) -> list[str]:
    """The recorder, the organisation above it, the project's own, who runs the site that day, and
    who took over from one of these."""
    recorder, _, project_id, site_id, _ = place
    if not recorder:
        return []
    day = item.day if item.day is not None else known.local_day(site_id or None, item.since)
    orgs = {recorder, *known.project_orgs.get(project_id, ())}
    orgs.update(known.operators_of(site_id or None, day))
    if recorder in known.parents:
        orgs.add(known.parents[recorder])
    for org_id in list(orgs):
        while (org_id := known.successors.get(org_id, "")) and org_id not in orgs:
            orgs.add(org_id)
    return sorted(orgs)
