"""One volunteer as the trail knows them at a moment: minutes step by step, and recognition."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from consumers.questions.facts.catalogue_view import catalogue
from consumers.questions.recognition.accepted_facts import Taken, taken
from consumers.trail.query import Query
from ledger.catalogue.catalogue import Catalogue
from ledger.catalogue.policy import Policy
from schemas.times import iso_date
from schemas.topics import RECOGNITION
from schemas.validity import LATEST


@dataclass(frozen=True, slots=True)
class Step:
    """Effective minutes that one posting gave or took, by service day (days since 1970)."""

    sequence: int
    recorded_at: int
    event_id: str
    by_day: tuple[tuple[int, int], ...]

    def minutes(self, year: int | None) -> int:
        """Those of a calendar year, or all."""
        return sum(n for day, n in self.by_day if year is None or iso_date(day)[:4] == str(year))


@dataclass(slots=True)
class Volunteer:
    """What is known of one volunteer at a moment: the hours that one registration counts, and the
    facts about all registrations of that person."""

    volunteer_id: str
    steps: Sequence[Step]
    facts: Sequence[Taken]
    known: Catalogue
    at: int
    postings: int

    @property
    def policy(self) -> Policy:
        """The version of `default` in force on the day of the moment."""
        return self.policy_on(self.at)

    def policy_on(self, at: int) -> Policy:
        """The version of `default` in force on the day of an instant."""
        return self.known.default_policy(self.known.local_day(None, at))

    @property
    def year(self) -> int | None:
        """The calendar year whose hours count for stars; None where a lifetime's do."""
        if self.policy.star_basis == "lifetime":
            return None
        return int(iso_date(self.known.local_day(None, self.at))[:4])

    def minutes(self, year: int | None = None) -> int:
        """Effective service minutes."""
        return sum(step.minutes(year) for step in self.steps)

    def of(self, *kinds: type) -> Iterator[Taken]:
        """The facts of some kinds that are in force."""
        return (one for one in self.facts if one.counts and isinstance(one.event, kinds))


def volunteer(
    query: Query, volunteer_id: str, registrations: Collection[str], as_of: int | None
) -> Volunteer:
    """Whose hours one registration counts; `registrations` are all of that person."""
    at = LATEST if as_of is None else as_of
    rows = query(
        "SELECT l.sequence AS sequence, toUnixTimestamp64Micro(l.recorded_at) AS recorded, "
        "toInt32(l.service_date) AS day, sum(l.minutes) AS minutes FROM line AS l "
        "WHERE l.volunteer_id = {volunteer_id:String} AND l.state = 'effective' "
        "AND l.kind != 'training' AND toUnixTimestamp64Micro(l.recorded_at) <= {at:Int64} "
        "GROUP BY sequence, recorded, day ORDER BY sequence, day",
        volunteer_id=volunteer_id, at=at,
    )  # fmt: skip
    postings = query(
        "SELECT sequence, event_id, toUnixTimestamp64Micro(recorded_at) AS recorded FROM posting "
        "WHERE volunteer_id = {volunteer_id:String} "
        "AND toUnixTimestamp64Micro(recorded_at) <= {at:Int64}",
        volunteer_id=volunteer_id, at=at,
    )  # fmt: skip
    names = {row["sequence"]: row["event_id"] for row in postings}
    steps = [
        Step(sequence, recorded, names.get(sequence, ""),
              tuple((row["day"], row["minutes"]) for row in group))
        for (sequence, recorded), group in groupby(
            rows, key=lambda row: (row["sequence"], row["recorded"]))
    ]  # fmt: skip
    facts = list(taken(query, RECOGNITION, as_of, registrations))
    if len(registrations) > 1:
        facts.sort(key=_when)
    newest = max((row["recorded"] for row in postings), default=0)
    return Volunteer(
        volunteer_id,
        steps,
        facts,
        catalogue(query, ("PolicyPublished",), as_of),
        newest if as_of is None else as_of,
        len(postings),
    )


def _when(one: Taken) -> tuple[int, str, int]:
    """What happened in the accounts of several registrations, by when the log recorded it."""
    return one.recorded_at, one.judged_by, one.sequence
