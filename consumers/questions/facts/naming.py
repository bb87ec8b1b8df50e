"""The names that stand beside ids: of the organisations, projects and sites an answer mentions."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from consumers.trail.query import Query, names

_KINDS: Final = {
    "org_id": "org",
    "recording_org_id": "org",
    "host_org_id": "org",
    "evaluator_org_id": "org",
    "orgs": "org",
    "project_id": "project",
    "site_id": "site",
}
"""Field of an answer -> kind of what it names by id, alone or in a list."""


def names_beside(query: Query, answer: Any, as_of: int | None = None) -> dict[str, dict[str, str]]:
    """Kind -> id -> name, as the catalogue had it at `as_of`; without ids that have no name."""
    wanted = defaultdict[str, set[str]](set)
    for kind, entity_id in _ids_in(answer):
        wanted[kind].add(entity_id)
    return {
        kind: names(query, kind, wanted[kind], as_of) if kind in wanted else {}
        for kind in ("org", "project", "site")
    }


def _ids_in(answer: Any) -> Iterator[tuple[str, str]]:
    """The (kind, id) of everything that an answer names, however deep."""
    if isinstance(answer, Mapping):
        for field, value in answer.items():
            kind = _KINDS.get(field)
            if kind is not None and isinstance(value, str):
                yield kind, value
            elif kind is not None and isinstance(value, list) and _are_ids(value):
                yield from ((kind, one) for one in value)
            elif isinstance(value, Mapping | list):
                yield from _ids_in(value)
    elif isinstance(answer, list):
        for part in answer:
            yield from _ids_in(part)


def _are_ids(value: list[Any]) -> bool:
    return all(isinstance(one, str) for one in value)
