"""Does every input record have exactly one outcome? A posting, or a place in quarantine.

Counts take one byte for each input record, so ten million records cost ten megabytes.
"""

from collections.abc import Iterable, Mapping

from consumers.kafka.gaps import GAP_ACCEPTED, GAP_REASON, gap_by_id
from consumers.kafka.records import Place, Record
from consumers.reconcile.findings import Difference, Findings
from consumers.trail.rows import TABLES, Row
from schemas.topics import POSTINGS

_POSTED = TABLES["posting"].names
_INDEX, _OFFSET = _POSTED.index("posting_index"), _POSTED.index("offset")
_POSTED_TYPE, _POSTED_ID = _POSTED.index("event_type"), _POSTED.index("event_id")
_REASON, _DETAIL = (TABLES["quarantine"].names.index(name) for name in ("reason", "detail"))
_TYPE, _EVENT_ID, _VOLUNTEER_ID = (
    TABLES["event"].names.index(name) for name in ("type", "event_id", "volunteer_id")
)
_MANY = 255


class Outcomes:
    """Postings and quarantine records counted by the input record they name."""

    def __init__(self, ends: Mapping[Place, int]) -> None:
        """`ends` of the fact partitions: outcomes of later records are not looked at."""
        self._posted = {place: bytearray(end) for place, end in ends.items()}
        self._quarantined = {place: bytearray(end) for place, end in ends.items()}
        self._next_index: dict[int, int] = {}

    def take(self, place: Place, rows: Iterable[Row], findings: Findings) -> None:
        """Count the rows of one chunk of ledger.postings or ledger.quarantine."""
        is_posting = place.topic == POSTINGS
        names = TABLES["posting" if is_posting else "quarantine"].names
        columns = [names.index(f"source_{part}") for part in ("topic", "partition", "offset")]
        for row in rows:
            if is_posting:
                self._check_index(place, row, findings)
            topic, partition, offset = (row[column] for column in columns)
            if is_posting and row[_POSTED_TYPE] == GAP_ACCEPTED:
                self._forget(self._posted, row[_POSTED_ID])
                continue
            if not is_posting and row[_REASON] == GAP_REASON:
                self._forget(self._quarantined, row[_DETAIL].partition(":")[0])
                continue
            counts = (self._posted if is_posting else self._quarantined).get(
                Place(topic, partition)
            )
            if counts is not None and 0 <= offset < len(counts):
                counts[offset] = min(_MANY, counts[offset] + 1)

    def _forget(self, counted: Mapping[Place, bytearray], event_id: str) -> None:
        """What was judged of an accepted gap's offsets before belongs to records that are gone; a
        log that had been shorter gives these offsets to others after it."""
        gap = gap_by_id(event_id)
        if gap is not None and gap.place in counted:
            counts = counted[gap.place]
            end = min(len(counts), max(gap.end, gap.first))
            counts[gap.first : end] = bytes(max(0, end - gap.first))

    def _check_index(self, place: Place, row: Row, findings: Findings) -> None:
        index, expected = row[_INDEX], self._next_index.get(place.partition, 0)
        if index != expected:
            code = "index_gap" if index > expected else "index_repeat"
            event_id, volunteer_id = (
                row[_POSTED.index(name)] for name in ("event_id", "volunteer_id")
            )
            detail = f"index {index}, expected {expected}"
            record = f"{place}/{row[_OFFSET]}"
            findings.add(Difference(code, record, event_id, volunteer_id, detail))
        self._next_index[place.partition] = max(expected, index + 1)

    def judge(
        self,
        place: Place,
        chunk: Iterable[Record],
        rows: Iterable[Row],
        position: int,
        findings: Findings,
    ) -> None:
        """Check one chunk of a fact partition, whose records before `position` were judged.

        `rows` are the chunk's `event` rows, one for each record.
        """
        posted, quarantined = self._posted[place], self._quarantined[place]
        for record, row in zip(chunk, rows, strict=True):
            p, q = posted[record.offset], quarantined[record.offset]
            posted[record.offset] = quarantined[record.offset] = 0
            is_tick = row[_TYPE] == "ClockTicked"
            if (p == 1 and q == 0) or (p == 0 and q == 1) or (is_tick and p >= 1 and q == 0):
                continue
            if p == q == 0:
                if record.offset >= position:
                    continue
                code = "outcome_missing"
            else:
                code = "outcome_doubled"
            findings.add(
                Difference(
                    code,
                    f"{place}/{record.offset}",
                    row[_EVENT_ID],
                    row[_VOLUNTEER_ID],
                    f"{p} postings, {q} in quarantine",
                )
            )

    def finish(self, place: Place, begin: int, below: int, findings: Findings) -> None:
        """After the last chunk, from `begin` to `below`: what names a record that there is not."""
        for code, counts in (("posting", self._posted), ("quarantine", self._quarantined)):
            for offset, n in enumerate(counts[place][begin:below], begin):
                if n:
                    where = f"{place}/{offset}"
                    detail = "names an offset where the log has no record"
                    findings.add(Difference(f"{code}_without_record", where, "", "", detail))
