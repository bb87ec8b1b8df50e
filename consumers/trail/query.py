"""How questions are put to the trail: SQL whose values are bound, and which lines are meant."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

Column = Literal["volunteer_id", "recording_org_id", "host_org_id", "project_id"]
"""Columns by which lines may be picked."""

_BOUND_AT_ONCE = 1_000
"""A list of more ids than this is no value to be bound: all are read instead."""


@runtime_checkable
class Query(Protocol):
    """How a question is put to the trail: SQL with `{name:Type}` places, and their values."""

    def __call__(self, sql: str, **values: object) -> list[dict[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines: conditions on `line AS l` as SQL, and the values they name."""

    conditions: tuple[str, ...] = ()
    values: Mapping[str, object] = field(default_factory=dict)

    def where(self, *more: str) -> str:
        """The conditions with some of the caller's own; all lines where there is none."""
        return " AND ".join((*self.conditions, *more)) or "1"


def lines(
    as_of: int | None = None,
    from_date: int | None = None,
    to_date: int | None = None,
    **equal: str | None,
) -> Lines:
    """The lines known at `as_of` (UTC microseconds), of service days from one to another (days
    since 1970, both included), with these values in columns (see `Column`; None: any)."""
    conditions: list[str] = []
    values: dict[str, object] = {}
    for column, value in equal.items():
        if value is not None:
            conditions.append(f"l.{column} = {{{column}:String}}")
            values[column] = value
    if as_of is not None:
        conditions.append(known("l.recorded_at"))
    if from_date is not None:
        conditions.append("toInt32(l.service_date) >= {from_date:Int64}")
        values["from_date"] = from_date
    if to_date is not None:
        conditions.append("toInt32(l.service_date) <= {to_date:Int64}")
        values["to_date"] = to_date
    return Lines(tuple(conditions), values | as_known(as_of))


def known(column: str = "recorded_at") -> str:
    """SQL: was it recorded at the moment that is asked for? Its value is `as_known`'s."""
    return f"toUnixTimestamp64Micro({column}) <= {{as_of:Int64}}"


def as_known(as_of: int | None) -> dict[str, object]:
    """The value that `known` wants; none where everything is meant."""
    return {} if as_of is None else {"as_of": as_of}


def if_asked(as_of: int | None, column: str = "recorded_at") -> str:
    """SQL to be added to a WHERE: nothing at all where everything is meant."""
    return "" if as_of is None else f" AND {known(column)}"


def source_events(postings: str) -> str:
    """SQL, as a table: the events of these postings, which are a subquery with their source.

    Found by the event table's own order: a join alone would read all of it.
    """
    return (
        "(SELECT * FROM event WHERE (topic, partition, offset) IN "
        f"(SELECT source_topic, source_partition, source_offset FROM ({postings})))"
    )


def newest(kind: str, column: str, as_of: int | None) -> str:
    """SQL: what the catalogue's newest publication of each entity of a kind says in a column."""
    return (
        f"SELECT entity_id, argMax({column}, offset) AS {column} FROM catalogue "
        f"WHERE kind = '{kind}'{if_asked(as_of)} GROUP BY entity_id"
    )


def names(query: Query, kind: str, ids: Iterable[str], as_of: int | None = None) -> dict[str, str]:
    """The names that the catalogue had for entities of a kind; without those that had none."""
    wanted = {entity_id for entity_id in ids if entity_id}
    if not kind or not wanted:
        return {}
    values: dict[str, object] = {"kind": kind, **as_known(as_of)}
    which = ""
    if len(wanted) <= _BOUND_AT_ONCE:
        which = " AND entity_id IN {ids:Array(String)}"
        values["ids"] = sorted(wanted)
    rows = query(
        "SELECT entity_id, argMax(name, offset) AS newest FROM catalogue "
        f"WHERE kind = {{kind:String}} AND name != ''{which}{if_asked(as_of)} GROUP BY entity_id",
        **values,
    )
    return {row["entity_id"]: row["newest"] for row in rows if row["entity_id"] in wanted}
