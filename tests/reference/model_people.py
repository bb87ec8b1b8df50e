"""The reference's view of merges: what a person has is what one registration would have had.

Nothing moves here. The log is told anew, as if everybody had always used the registration that
counts their hours at its end, with nothing of merges in it; that log is the model's to judge.

What a person is recognised by is what was taken down under all their registrations: `Told` answers
with all of it and keeps each fact under the registration it names, so that an unmerge parts it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ledger.account.record import Record
from schemas.events import Evaluation, Recognition, VolunteerMerged, VolunteerUnmerged
from schemas.posting import Posting
from schemas.topics import CATALOGUE, KEY_OF, TRANSFERS
from tests.reference.model import share_of, truth_of
from tests.reference.model_catalogue import Registry
from tests.reference.model_recognition import Honours
from tests.reference.model_rules import Share
from tests.reference.model_spans import Answer, Entry, said_alike


def led(records: Iterable[Record]) -> dict[str, str]:
    """Registration -> the one that counts its hours, for all that a merge ever named."""
    into: dict[str, str] = {}
    named: set[str] = set()
    for event in (record.event for record in records):
        if isinstance(event, VolunteerUnmerged):
            into.pop(event.volunteer_id, None)
        elif isinstance(event, VolunteerMerged):
            named |= {event.volunteer_id, event.into_volunteer_id}
            if event.volunteer_id in into:
                continue
            into[event.volunteer_id] = event.into_volunteer_id
            if _end(into, event.volunteer_id) is None:
                del into[event.volunteer_id]
    return {name: _end(into, name) or name for name in sorted(named)}


def _volunteer(record: Record) -> str | None:
    return getattr(record.event, "volunteer_id", None)


def _end(into: dict[str, str], name: str) -> str | None:
    """Where somebody leads; None for a circle."""
    met: set[str] = set()
    while name in into:
        if name in met:
            return None
        met.add(name)
        name = into[name]
    return name


def persons(records: Iterable[Record], who: dict[str, str]) -> list[Record]:
    """The log told anew; transfers and merges are left out."""
    told, offsets = [], Counter[str]()
    for record in records:
        event: Any = record.event
        if record.topic == TRANSFERS or isinstance(event, VolunteerMerged | VolunteerUnmerged):
            continue
        if hasattr(event, "volunteer_id"):
            event = replace(event, volunteer_id=who.get(event.volunteer_id, event.volunteer_id))
        actor = getattr(event, "actor", None)
        if actor is not None and actor.id in who:
            event = replace(event, actor=replace(actor, id=who[actor.id]))
        key = getattr(event, KEY_OF.get(type(event).__name__, "volunteer_id"), None)
        offset = offsets[record.topic]
        offsets[record.topic] += 1
        told.append(Record(record.topic, 0, offset, record.recorded_at, key, event))
    return told


def check_people(records: Iterable[Record], postings: Iterable[Posting]) -> Iterator[str]:
    """What is wrong with the minutes of those whom merges name, over all partitions.

    `records`: catalogue and facts of all partitions; every merge has been heard of by a tick.
    """
    records = list(records)
    who = led(records)
    if not who:
        return
    own = [r for r in records if r.topic == CATALOGUE]
    own += sorted(
        (r for r in records if r.topic != CATALOGUE and _volunteer(r) in who),
        key=lambda record: record.recorded_at,
    )
    expected = truth_of(persons(own, who)).minutes
    net: defaultdict[Share, int] = defaultdict(int)
    for posting in postings:
        for line in posting.lines:
            if posting.volunteer_id in who:
                net[share_of(posting.volunteer_id, line)] += line.minutes
    for share in sorted(net.keys() | expected.keys(), key=repr):
        if net.get(share, 0) != expected.get(share, 0):
            yield f"{share}: {net.get(share, 0)} minutes, expected {expected.get(share, 0)}"


def taken_together(facts: Iterable[Any], own: set[str], registry: Registry) -> Honours:
    """What facts come to that were taken down under some registrations of one person.

    Of two under one id the one that happened first stands, on a tie that of the lower registration.
    """
    honours = Honours(own, registry)
    for fact in sorted(facts, key=lambda fact: (fact.occurred_at, fact.volunteer_id)):
        honours.take(fact)
    return honours


@dataclass
class Told:
    """A log as it grows, every merge being heard of at once: what must be said to the next fact."""

    records: list[Record] = field(default_factory=list)
    taken: list[Any] = field(default_factory=list)
    seen: dict[tuple[str, str], Any] = field(default_factory=dict)

    def answer(self, record: Record) -> Answer | None:
        """Let one more record come; what the ledger must say to a fact of recognition."""
        self.records.append(record)
        event: Any = record.event
        if not isinstance(event, Evaluation | Recognition):
            return None
        name = event.volunteer_id
        before = self.seen.setdefault((name, event.event_id), event)
        if before is not event:
            same = said_alike(before, event)
            return ("duplicate", "duplicate_event") if same else ("refused", "event_id_conflict")
        who = led(self.records)
        counted_by = who.get(name, name)
        own = {name} | {other for other, end in who.items() if end == counted_by}
        catalogue = [one for one in self.records if one.topic == CATALOGUE]
        honours = taken_together(
            [fact for fact in self.taken if fact.volunteer_id in own], own, Registry(catalogue)
        )
        entry = Entry(len(self.records), len(catalogue), record)
        said = honours.answer(
            entry, lambda: truth_of(persons(self.records, who)).moment(counted_by)
        )
        if said[0] in ("posted", "held"):
            self.taken.append(event)
        return said
