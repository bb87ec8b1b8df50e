"""Three measures of any lines: minutes, attendances, distinct volunteers; and their breakdowns.

An attendance is a distinct volunteer, activity and local day with effective minutes. The three are
never added to each other, and training is in none of them. Only minutes sum over the rows of a
breakdown: an attendance of two kinds, or a volunteer of two organisations, is in both rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from consumers.trail.query import Lines, Query, names, newest

By = Literal[
    "org", "host_org", "project", "site", "activity", "day", "month", "kind", "state",
    "field", "region", "province", "city", "county",
]  # fmt: skip

MEASURES = ("minutes", "attendances", "volunteers")
"""What every row of a breakdown has."""

_KEYS: Mapping[By, str] = {
    "org": "l.recording_org_id",
    "host_org": "l.host_org_id",
    "project": "l.project_id",
    "site": "l.site_id",
    "activity": "l.activity_id",
    "day": "toString(l.service_date)",
    "month": "substring(toString(l.service_date), 1, 7)",
    "kind": "toString(l.kind)",
    "state": "toString(l.state)",
    "field": "f.category",
}
_NAMED_KINDS: Mapping[By, str] = {
    "org": "org", "host_org": "org", "project": "project", "site": "site"
}  # fmt: skip
_DIGITS: Mapping[By, int] = {"province": 2, "city": 4, "county": 6}
"""Digits of an administrative division's code (GB/T 2260) that name a level."""

_SERVED = "l.kind != 'training'"
_EFFECTIVE = f"l.state = 'effective' AND {_SERVED}"
_ATTENDED = (
    "countIf(served > 0) AS attendances, uniqExactIf(volunteer_id, served > 0) AS volunteers"
)


def measures(query: Query, some: Lines) -> dict[str, int]:
    """What these lines come to; minutes that do not count, and training, each by itself."""
    sums = query(
        "SELECT l.kind AS kind, l.state AS state, sum(l.minutes) AS minutes FROM line AS l "
        f"WHERE {some.where()} GROUP BY kind, state",
        **some.values,
    )
    (attended,) = query(
        f"SELECT {_ATTENDED} FROM (SELECT l.volunteer_id AS volunteer_id, sum(l.minutes) AS served "
        f"FROM line AS l WHERE {some.where(_EFFECTIVE)} "
        "GROUP BY l.volunteer_id, l.activity_id, l.service_date)",
        **some.values,
    )

    def minutes(*states: str, training: bool = False) -> int:
        kept = (row for row in sums if (row["kind"] == "training") is training)
        return sum(row["minutes"] for row in kept if row["state"] in states)

    return {
        "minutes": minutes("effective"),
        "attendances": attended["attendances"],
        "volunteers": attended["volunteers"],
        "training_minutes": minutes("effective", training=True),
        "held_minutes": minutes("held_org", "held_province", "held_review"),
        "rejected_minutes": minutes("rejected"),
    }


def breakdown(
    query: Query, some: Lines, by: By | Sequence[By], as_of: int | None = None
) -> dict[str, Any]:
    """The effective minutes of these lines by something (`minutes` is the sum of the rows), those
    in every state where it is state. What the catalogue says is taken as known at `as_of`.

    By several things: each of each that has minutes; then `by`, and `key` and `name` of every row,
    are lists in that order. By one of a list as by that one.
    """
    several = [by] if isinstance(by, str) else list(dict.fromkeys(by))
    keys = [_key(one, as_of) for one in several]
    joins = "".join(dict.fromkeys(join for _, joined in keys for join in joined))
    named_keys = ", ".join(f"{key} AS key{n}" for n, (key, _) in enumerate(keys))
    grouped = ", ".join(f"key{n}" for n in range(len(keys)))
    counted = _SERVED if "state" in several else _EFFECTIVE
    rows = query(
        f"SELECT {grouped}, sum(served) AS minutes, {_ATTENDED} FROM ("
        f"SELECT {named_keys}, l.volunteer_id AS volunteer_id, sum(l.minutes) AS served "
        f"FROM line AS l {joins}WHERE {some.where(counted)} "
        f"GROUP BY {grouped}, l.volunteer_id, l.activity_id, l.service_date) "
        f"GROUP BY {grouped} HAVING minutes != 0 ORDER BY {grouped}",
        **some.values,
    )
    named = [names(query, _NAMED_KINDS.get(one, ""), (row[f"key{n}"] for row in rows), as_of)
             for n, one in enumerate(several)]  # fmt: skip
    found = []
    for row in rows:
        key = [row[f"key{n}"] for n in range(len(several))]
        name = [known.get(one) for known, one in zip(named, key, strict=True)]
        alone = len(several) == 1
        found.append({"key": key[0] if alone else key, "name": name[0] if alone else name}
                     | {each: row[each] for each in MEASURES})  # fmt: skip
    return {
        "by": several[0] if len(several) == 1 else several,
        "minutes": sum(row["minutes"] for row in rows),
        "rows": found,
    }


def _key(by: By, as_of: int | None) -> tuple[str, tuple[str, ...]]:
    """SQL of the key of a breakdown, and the joins it needs."""
    if by == "field":
        fields = newest("project", "category", as_of)
        return _KEYS[by], (f"LEFT JOIN ({fields}) AS f ON f.entity_id = l.project_id ",)
    if by in _KEYS:
        return _KEYS[by], ()
    return in_level("if(s.region != '', s.region, o.region)", by), (
        f"LEFT JOIN ({newest('site', 'region', as_of)}) AS s ON s.entity_id = l.site_id ",
        f"LEFT JOIN ({newest('org', 'region', as_of)}) AS o ON o.entity_id = l.recording_org_id ",
    )


def in_level(region: str, by: str) -> str:
    """SQL: a region's code cut to a level (province, city, county); other texts stay whole."""
    digits = _DIGITS.get(by)  # type: ignore[call-overload]
    if digits is None:
        return region
    return f"if(match({region}, '^[0-9]+$'), substring({region}, 1, {digits}), {region})"
