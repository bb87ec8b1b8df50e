"""Gaps: records that the log has lost before ledger or trail had them, and who accepted that.

An acceptance is a posting of its own, written by `shilu accept-gap` in the worker's stead: it
stands in the partition's sealed tree like any other, and its id names the offsets. It has no lines,
so what was credited before stays as it is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from consumers.kafka.reader import Log
from consumers.kafka.records import Place, Record
from schemas.posting import Posting
from schemas.topics import CATALOGUE, POSTINGS
from schemas.wire.codec import Undecodable, decode_output

GAP_ACCEPTED: Final = "GapAccepted"
"""The event type of such a posting; its source is the last record that is gone."""

GAP_REASON: Final = "gap_accepted"
"""Why such a posting was made; the words of whoever accepted it are in quarantine beside it."""

_LOOK_BACK_OFFSETS: Final = 64

_ID: Final = re.compile(r"gap-([a-z.]+)-(\d+)-(\d+)-(\d+)")


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """Offsets `first` up to, not including, `end` of one place that the log does not have."""

    place: Place
    first: int
    end: int

    @property
    def event_id(self) -> str:
        """The id of the posting that accepts it."""
        return f"gap-{self.place.topic}-{self.place.partition}-{self.first}-{self.end}"

    def covers(self, other: "Gap") -> bool:
        """Is the other one a part of this?"""
        return self.place == other.place and self.first <= other.first and other.end <= self.end


def gap_by_id(event_id: str) -> Gap | None:
    """The gap that an acceptance's id names; None for another id."""
    found = _ID.fullmatch(event_id)
    if found is None:
        return None
    return Gap(Place(found[1], int(found[2])), int(found[3]), int(found[4]))


def accepted(log: Log, gaps: Iterable[Gap]) -> set[Gap]:
    """Those of the gaps that somebody has accepted; raises LogError.

    Reads the postings of their partitions from the end on until all acceptances are found.
    """
    left = set(gaps)
    found: set[Gap] = set()
    for home in sorted({home_of(gap.place) for gap in left}):
        place, distance = Place(POSTINGS, home), _LOOK_BACK_OFFSETS
        begin, end = log.begins([place])[place], log.ends([place])[place]
        while end > begin and (wanted := {g for g in left - found if home_of(g.place) == home}):
            start = max(begin, end - distance)
            for records in log.read(place, start, end):
                said = [gap for record in records if (gap := _gap(record)) is not None]
                found |= {gap for gap in wanted if any(one.covers(gap) for one in said)}
            end, distance = start, distance * 8
    return found


def home_of(place: Place) -> int:
    """The ledger partition whose postings tell of a gap at this place."""
    return 0 if place.topic == CATALOGUE else place.partition


def _gap(record: Record) -> Gap | None:
    try:
        posting = decode_output(record.value or b"")
    except Undecodable:
        return None
    if not isinstance(posting, Posting) or posting.event_type != GAP_ACCEPTED:
        return None
    return gap_by_id(posting.event_id)
