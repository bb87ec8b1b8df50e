"""What the catalogue said at a moment: its records in the trail, folded by the ledger's code."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from consumers.trail.query import Query, as_known, if_asked, names
from ledger.account.record import Record
from ledger.catalogue.catalogue import Catalogue
from ledger.hours.admission import barred
from ledger.publish import learn
from schemas.events import CatalogueEvent
from schemas.topics import CATALOGUE
from schemas.wire.codec import Undecodable, decode_event

PLACES = ("SitePublished", "SiteOperatorAssigned")
RULES = ("PolicyPublished", "HolidaysPublished", "ProjectPublished")
ORGS = ("OrgRegistered", "OrgSucceeded")
SHIFTS = (
    "ShiftScheduled", "ShiftCancelled", "ApplicationDecided", "AssignmentWithdrawn",
    "NoShowRecorded",
)  # fmt: skip
_OF_PROJECT = (
    "shift_id IN (SELECT shift_id FROM event WHERE topic = 'registry.catalogue' "
    "AND type = 'ShiftScheduled' AND project_id = {project_id:String})"
)
_ABOUT = "arrayExists(id -> position(assumeNotNull(value), id) > 0, {ids:Array(String)})"


def published(
    query: Query,
    types: Iterable[str],
    as_of: int | None = None,
    project_id: str | None = None,
    about: Iterable[str] | None = None,
) -> list[CatalogueEvent]:
    """The admitted catalogue events of some types in their order; those about a project's shifts
    alone where a project is named, those whose bytes hold one of the ids where some are."""
    nothing = Catalogue()
    records = _records(query, types, as_of, project_id, about)
    admitted = [record for record in records if barred(record, nothing) is None]
    return [cast(CatalogueEvent, record.event) for record in admitted]


def _records(
    query: Query,
    types: Iterable[str],
    as_of: int | None,
    project_id: str | None = None,
    about: Iterable[str] | None = None,
) -> Iterator[Record]:
    """The catalogue's readable records, as `published` takes them."""
    which, values = "", as_known(as_of)
    if project_id is not None:
        which += f" AND {_OF_PROJECT}"
        values["project_id"] = project_id
    if about is not None:
        which += f" AND {_ABOUT}"
        values["ids"] = sorted(about)
    rows = query(
        "SELECT offset, toUnixTimestamp64Micro(recorded_at) AS recorded, hex(key) AS key_hex, "
        "hex(value) AS value_hex FROM event WHERE topic = 'registry.catalogue' "
        f"AND type IN {{types:Array(String)}}{if_asked(as_of)}{which} ORDER BY partition, offset",
        types=list(types),
        **values,
    )
    for row in rows:
        try:
            event: Any = decode_event(bytes.fromhex(row["value_hex"]))
        except Undecodable:
            continue
        key = bytes.fromhex(row["key_hex"] or "").decode("utf-8", "replace")
        yield Record(CATALOGUE, 0, row["offset"], row["recorded"], key, event)


def catalogue(query: Query, types: Iterable[str], as_of: int | None = None) -> Catalogue:
    """The catalogue as far as these types of events make it."""
    folded = Catalogue()
    for record in _records(query, types, as_of):
        learn(folded, record)
    return folded


def entity(query: Query, kind: str, entity_id: str, as_of: int | None = None) -> dict[str, Any]:
    """The newest publication of an entity; empty where there is none."""
    rows = query(
        "SELECT name, category, parent_id, region FROM catalogue WHERE kind = {kind:String} "
        f"AND entity_id = {{entity_id:String}}{if_asked(as_of)} ORDER BY offset DESC LIMIT 1",
        kind=kind, entity_id=entity_id, **as_known(as_of),
    )  # fmt: skip
    return {name: value or None for row in rows for name, value in row.items()}


def with_names(
    query: Query,
    rows: Iterable[Mapping[str, Any]],
    columns: Mapping[str, str],
    as_of: int | None = None,
) -> list[dict[str, Any]]:
    """The rows with names beside ids: `columns` is id's column -> (kind of entity), and the name
    goes into that column with `_name` in place of `_id`."""
    kept = [dict(row) for row in rows]
    for column, kind in columns.items():
        named = names(query, kind, (row[column] or "" for row in kept), as_of)
        for row in kept:
            row[column.removesuffix("_id") + "_name"] = named.get(row[column])
    return kept
