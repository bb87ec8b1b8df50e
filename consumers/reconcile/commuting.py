"""What a ledger's facts promise in another order, and what only the order of the log decides.

Balances follow from the set of facts; but where two say different things under one id, or a person
asked to be forgotten, the first in the log stands. Such facts changed nothing when they came, so
they are left out of another order, and are compared by the rule that turned them away.
"""

from collections.abc import Iterable, Mapping

from schemas.posting import Posting

Source = tuple[str, int]
"""Topic and offset of a fact of the partition."""

_BY_ORDER = frozenset(
    {"event_id_conflict", "duplicate_event", "grant_exists", "already_imported"}
    | {"volunteer_erased", "too_many_facts", "too_many_spans"}
)
"""Why a fact did nothing because of what had come before it."""


def decided_by_order(
    postings: Iterable[Posting], digests: Mapping[Source, int], erased: Mapping[str, int]
) -> tuple[set[Source], list[str]]:
    """The facts that did nothing because of what came before them, and what is wrong with that, as
    sentences. `digests` stand for what facts say; `erased` has the catalogue offset at which a
    person was forgotten.
    """
    left_out: set[Source] = set()
    wrong: list[str] = []
    first: dict[tuple[str, str], int] = {}
    for posting in sorted(postings, key=lambda one: one.index):
        source = (posting.source_topic, posting.source_offset)
        digest = digests.get(source)
        if digest is None:
            continue
        if posting.reason in _BY_ORDER:
            left_out.add(source)
        stands = first.setdefault((posting.volunteer_id, posting.event_id), digest)
        if posting.reason == "event_id_conflict" and stands == digest:
            wrong.append(f"{source}: no other content came before it under {posting.event_id}")
        if posting.reason == "duplicate_event" and stands != digest:
            wrong.append(f"{source}: another content stands under {posting.event_id}")
        gone = erased.get(posting.volunteer_id, posting.catalogue_offset) < posting.catalogue_offset
        repeated = posting.reason in ("event_id_conflict", "duplicate_event")
        if not repeated and gone != (posting.reason == "volunteer_erased"):
            said = "was known" if gone else "was not known"
            wrong.append(f"{source}: {posting.reason}, and {said} to be forgotten then")
    return left_out, wrong
