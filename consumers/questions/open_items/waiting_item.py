"""One thing that waits, and under whom: what was told of an absorbed registration waits under the
one that counts the hours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consumers.questions.facts.sessions import SpanKey
from ledger.catalogue.people import People

Place = tuple[str, str, str, str, str]
"""Recording organisation, host, project, site, activity; '' where there is none."""

NO_PLACE: Place = ("", "", "", "", "")
"""Where what waits does not say where it is: its lines do."""

Said = dict[SpanKey, tuple[int, str]]
"""What a posting said of a session or grant: the posting's sequence and reason."""

QUIET = (
    "redundant_check_in", "redundant_check_out", "awaiting_check_in", "check_out_before_check_in",
    "too_late", "awaiting_decision", "awaiting_request", "awaiting_target", "correction_rejected",
    "appeal_dismissed", "nothing_changed", "already_voided", "forwarded",
)  # fmt: skip
"""Reasons of postings that left their session or grant as it was."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that waits. `since` in UTC microseconds is when it was first recorded as it is;
    `minutes` are held ones; `ref` names a correction, an appeal or an application for a star, which
    is about no session; `day` is since 1970."""

    key: SpanKey
    reason: str
    since: int
    place: Place
    state: str | None = None
    minutes: int = 0
    day: int | None = None
    ref: str = ""
    actor_id: str = ""


def place_of(row: Mapping[str, Any]) -> Place:
    """Where it was, as a row says."""
    return (row["recording_org_id"], row["host_org_id"], row["project_id"], row["site_id"],
            row["activity_id"])  # fmt: skip


def told_of_person(row: dict[str, Any], people: People) -> None:
    """Let a row be about whoever counts the hours; `own` says if it was told of that very one."""
    counted_by = people.survivor(row["volunteer_id"])
    row["own"] = counted_by == row["volunteer_id"]
    row["volunteer_id"] = counted_by
