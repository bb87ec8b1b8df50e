"""Does a partition's ledger say what its log says? The judge of replays and of fault runs.

The truth comes from `tests.reference.model_rules`. A judge needs no clock and no luck: it takes the
log order and what the ledger had seen of the catalogue from the postings themselves, and checks
those, too.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ledger.account.record import Record
from schemas.events import (
    CheckedIn,
    CheckedOut,
    ClockTicked,
    CommendationAwarded,
    HoursImported,
    TrainingRecorded,
    VolunteerMerged,
)
from schemas.posting import Line, Posting
from schemas.times import DAY, HOUR, MINUTE, iso_date
from schemas.topics import CATALOGUE, FACTS, TOPIC_OF
from schemas.validity import faults
from schemas.wire.codec import encode
from tests.reference.model_catalogue import CHINA_MINUTES, Place, Registry
from tests.reference.model_rules import HELD_PIECES, Share, Truth, reckon
from tests.reference.model_spans import Entry, corrected_clock, received_on

Source = tuple[str, int]
"""Topic and offset of a record of the partition."""

_RELEASED = dict.fromkeys(
    (None, "under_a_minute", "overlap_counted_once", *HELD_PIECES.values()), "released"
)
"""What a tick may say of a span that it lets count."""


def truth_of(records: Iterable[Record]) -> Truth:
    """What a log of one partition must come to; log order is the order of the records given.

    Catalogue records count for the facts after them.
    """
    records = list(records)
    registry = Registry(record for record in records if record.topic == CATALOGUE)
    entries, seen = [], 0
    for turn, record in enumerate(records):
        if record.topic == CATALOGUE:
            seen = record.offset + 1
        elif not _barred(record, registry, seen):
            entries.append(Entry(turn, seen, record))
    return reckon(entries, registry)


def check(records: Iterable[Record], postings: Iterable[Posting]) -> list[str]:
    """Every disagreement between a partition's postings and the truth, as sentences; [] if none.

    `records`: all decoded records of the partition and of registry.catalogue, in any order.
    `postings`: the partition's postings in log order. Records of a wrong partition are left out;
    that they arrived where they belong is for who sees all partitions.
    The minutes of those whom a merge names lie in several partitions:
    `tests.reference.model_people`.
    """
    records, everything = list(records), list(postings)
    postings = [posting for posting in everything if posting.reason != "wrong_partition"]
    registry = Registry(record for record in records if record.topic == CATALOGUE)
    found = list(_strangers(everything))
    entries = _entries(records, postings, registry, found)
    turns = {(e.record.topic, e.record.offset): e.turn for e in entries}
    tangled = _tangled(records)
    plain = [e for e in entries if getattr(e.record.event, "volunteer_id", None) not in tangled]
    truth = reckon(plain, registry, dict(_crowded(postings, entries, turns, found)))
    found += _unposted(records, turns, registry)
    found += _order_faults(everything)
    found += sequence_faults(postings)
    found += _answer_faults(postings, turns, truth, tangled)
    found += _minute_faults([p for p in postings if p.volunteer_id not in tangled], truth)
    found += _day_faults(truth, registry)
    return found


def _strangers(postings: list[Posting]) -> Iterator[str]:
    """What is posted of a record of a wrong partition: that it counts nothing, for nobody."""
    for posting in postings:
        if posting.reason == "wrong_partition":
            said = (posting.outcome, posting.volunteer_id, posting.sequence, posting.lines,
                    posting.balance_minutes)  # fmt: skip
            if said != ("duplicate", "", 0, (), 0):
                yield f"{_name(posting)} is of a record of another partition and says {said}"


def _tangled(records: list[Record]) -> set[str]:
    """Everybody whom a merge names."""
    events = [record.event for record in records]
    merges = [event for event in events if isinstance(event, VolunteerMerged)]
    return {name for event in merges for name in (event.volunteer_id, event.into_volunteer_id)}


def _may_be_barred(record: Record, registry: Registry) -> bool:
    """Section 1 by any version of the policy for clocks: nobody says which the ledger knew."""
    moments = {0, *(offset + 1 for offset, _ in registry.policies["default"])}
    return any(_barred(record, registry, seen) for seen in moments)


def _barred(record: Record, registry: Registry, seen: int) -> bool:
    """Section 1: is this a record for quarantine?"""
    event = record.event
    times = [getattr(event, name, None) for name in ("occurred_at", "start_at", "end_at")]
    if isinstance(event, ClockTicked):
        times = []
    if isinstance(event, CheckedIn | CheckedOut):
        times = [corrected_clock(event, record.recorded_at, registry, seen)[0]]
    if isinstance(event, HoursImported | TrainingRecorded):
        times = [event.service_date * DAY - 18 * HOUR]
    if isinstance(event, CommendationAwarded):
        times = [event.awarded_on * DAY - 18 * HOUR]
    day = received_on(event, record.recorded_at, registry, seen)
    skew = registry.default_policy(day, seen).max_clock_skew_minutes
    latest = record.recorded_at + skew * MINUTE
    return (
        TOPIC_OF[type(event).__name__] != record.topic
        or any(True for _ in faults(event))
        or (not isinstance(event, ClockTicked) and record.key != event.volunteer_id)  # type: ignore[union-attr]
        or any(at > latest for at in times if at is not None)
    )


def _entries(
    records: list[Record], postings: list[Posting], registry: Registry, found: list[str]
) -> list[Entry]:
    """The admitted records in the order in which the postings took them."""
    by_source = {(r.topic, r.offset): r for r in records if r.topic in FACTS}
    entries: dict[Source, Entry] = {}
    before: Source | None = None
    for posting in postings:
        source = (posting.source_topic, posting.source_offset)
        record = by_source.get(source)
        if record is None:
            found.append(f"{_name(posting)} names a record that is not in the log")
            continue
        found += _copy_faults(record, posting)
        if source not in entries:
            entry = entries[source] = Entry(len(entries), posting.catalogue_offset, record)
            if _barred(record, registry, entry.seen):
                found.append(f"{_name(posting)} is of a record that belongs in quarantine")
        elif not isinstance(record.event, ClockTicked) or source != before:
            found.append(f"{_name(posting)} is one more posting of its record")
        elif entries[source].seen != posting.catalogue_offset:
            found.append(f"{_name(posting)} saw another catalogue than its tick's other postings")
        before = source
    return list(entries.values())


def _crowded(
    postings: list[Posting], entries: list[Entry], turns: dict[Source, int], found: list[str]
) -> Iterator[tuple[int, str]]:
    """Turns of facts refused for what the ledger bounds by how it keeps it, with the reason.

    With fewer than 256 spans it cannot be too_many_spans; and a day of a volunteer whose events
    are 100 KiB in all is not too heavy, so too_many_facts must then be by number.
    """
    spans: dict[str, set[tuple[str | None, str | None]]] = defaultdict(set)
    sent_bytes: Counter[str] = Counter()
    for posting in postings:
        turn = turns.get((posting.source_topic, posting.source_offset))
        if turn is None or posting.event_type == "ClockTicked":
            continue
        if posting.reason == "too_many_spans":
            yield turn, "too_many_spans"
            if len(spans[posting.volunteer_id]) < 256:
                found.append(f"{_name(posting)} is too_many_spans, but there are few")
        event = entries[turn].record.event
        if posting.reason == "too_many_facts" and sent_bytes[posting.volunteer_id] > 100 * 1024:
            yield turn, "too_many_facts"
        sent_bytes[posting.volunteer_id] += len(encode(event))
        name = getattr(event, "session_id", None), getattr(event, "grant_id", None)
        spans[posting.volunteer_id].add(name)


def _unposted(records: list[Record], turns: dict[Source, int], registry: Registry) -> Iterator[str]:
    for record in records:
        source = (record.topic, record.offset)
        if record.topic in FACTS and source not in turns and not _may_be_barred(record, registry):
            yield f"{record.event.event_id} at {source} has no posting"


def _copy_faults(record: Record, posting: Posting) -> Iterator[str]:
    """A posting repeats its record's identity, times and actor."""
    event = record.event
    actor = getattr(event, "actor", None)
    is_tick = isinstance(event, ClockTicked)
    volunteer_id = posting.volunteer_id if is_tick else getattr(event, "volunteer_id", "")
    expected = (record.partition, record.partition, event.event_id, type(event).__name__,
                volunteer_id, event.occurred_at, record.recorded_at,
                None if actor is None else actor.id)  # fmt: skip
    copied = (posting.partition, posting.source_partition, posting.event_id, posting.event_type,
              posting.volunteer_id, posting.occurred_at, posting.recorded_at,
              posting.actor_id)  # fmt: skip
    if copied != expected:
        yield f"{_name(posting)} says {copied}, its record says {expected}"


def _order_faults(postings: list[Posting]) -> Iterator[str]:
    """Index dense from 0; each topic in its own order; the catalogue never goes back."""
    offsets: dict[str, int] = {}
    seen = 0
    for index, posting in enumerate(postings):
        if posting.index != index:
            yield f"{_name(posting)} has index {posting.index}, expected {index}"
        if posting.source_offset < offsets.get(posting.source_topic, 0):
            yield f"{_name(posting)} goes back in {posting.source_topic}"
        if posting.catalogue_offset < seen:
            yield f"{_name(posting)} goes back in the catalogue"
        offsets[posting.source_topic] = posting.source_offset
        seen = posting.catalogue_offset


def sequence_faults(postings: list[Posting]) -> Iterator[str]:
    """Per volunteer: sequence dense from 1, balance the running sum of lines, never negative."""
    sequences: Counter[str] = Counter()
    balances: Counter[str] = Counter()
    for posting in postings:
        who = posting.volunteer_id
        if not who:
            if (posting.reason, posting.lines, posting.balance_minutes) != ("nothing_due", (), 0):
                yield f"{_name(posting)} has no volunteer but says {posting.reason}"
            continue
        sequences[who] += 1
        if posting.sequence != sequences[who]:
            yield f"{_name(posting)} has sequence {posting.sequence}, expected {sequences[who]}"
        balances[who] += sum(
            line.minutes
            for line in posting.lines
            if line.state == "effective" and line.kind != "training"
        )
        if posting.balance_minutes != balances[who]:
            yield (f"{_name(posting)} has balance {posting.balance_minutes}, "
                   f"its lines so far sum to {balances[who]}")  # fmt: skip
        if balances[who] < 0:
            yield f"{_name(posting)} leaves a negative balance of {balances[who]}"
        yield from _line_faults(posting)


def _line_faults(posting: Posting) -> Iterator[str]:
    numbers = [line.line_no for line in posting.lines]
    if numbers != list(range(len(numbers))):
        yield f"{_name(posting)} numbers its lines {numbers}"
    shares = Counter(share_of(posting.volunteer_id, line) for line in posting.lines)
    for share, times in shares.items():
        if times > 1:
            yield f"{_name(posting)} has {times} lines for {_words(share)}"
    for line in posting.lines:
        if line.minutes == 0:
            yield f"{_name(posting)} has a line of 0 minutes"
        if (line.session_id is None) == (line.grant_id is None):
            yield f"{_name(posting)} has a line of not exactly one session or grant"


def _answer_faults(
    postings: list[Posting], turns: dict[Source, int], truth: Truth, tangled: set[str]
) -> Iterator[str]:
    """Outcome and reason of every fact's posting; for ticks what they closed and released."""
    said: dict[tuple[int, str], list[str]] = defaultdict(list)
    tick_turns = {}
    moving = set()
    for posting in postings:
        turn = turns.get((posting.source_topic, posting.source_offset))
        if turn is None:
            continue
        if posting.volunteer_id in tangled:
            moving.add(turn)
        elif posting.event_type == "ClockTicked":
            tick_turns[turn] = posting
            if posting.volunteer_id:
                reason = _RELEASED.get(posting.reason, str(posting.reason))
                said[turn, posting.volunteer_id].append(reason)
            else:
                said[turn, ""].append("nothing_due")
        elif (posting.outcome, posting.reason) not in truth.answers[turn]:
            permitted = " or ".join(f"{o}/{r}" for o, r in truth.answers[turn])
            yield f"{_name(posting)} is {posting.outcome}/{posting.reason}, expected {permitted}"
    busy = {turn for turn, _ in truth.tick_reasons} | moving
    expected = truth.tick_reasons | {(t, ""): ["nothing_due"] for t in tick_turns if t not in busy}
    for key in sorted(expected.keys() | said.keys()):
        if sorted(said.get(key, [])) != sorted(expected.get(key, [])):
            yield (f"tick {tick_turns[key[0]].event_id} says {said.get(key)} of volunteer "
                   f"{key[1]!r}, expected {expected.get(key)}")  # fmt: skip


def _minute_faults(postings: Sequence[Posting], truth: Truth) -> Iterator[str]:
    """The net of all lines of a share is the truth, and nothing else has minutes."""
    net: Counter[Share] = Counter()
    for posting in postings:
        for line in posting.lines:
            net[share_of(posting.volunteer_id, line)] += line.minutes
    for share in sorted(net.keys() | truth.minutes.keys(), key=repr):
        if net[share] != truth.minutes.get(share, 0):
            yield f"{_words(share)}: {net[share]} minutes, expected {truth.minutes.get(share, 0)}"


def _day_faults(truth: Truth, registry: Registry) -> Iterator[str]:
    """No local day has more minutes than a day; where places differ in civil time, their spread."""
    days: dict[tuple[str, int], list[tuple[Share, int]]] = defaultdict(list)
    for share, minutes in truth.minutes.items():
        if share.state == "effective" and share.kind != "training":
            days[share.volunteer_id, share.service_date].append((share, minutes))
    for (volunteer_id, date), shares in days.items():
        sites = {share.place.site_id for share, _ in shares}
        ahead = {CHINA_MINUTES} | {
            o.offset_minutes
            for site in sites
            for _, published in registry.sites.said.get(site, ())
            for o in published.utc_offsets
        }
        minutes = sum(minutes for _, minutes in shares)
        if minutes > 1440 + max(ahead) - min(ahead):
            yield f"{volunteer_id} has {minutes} minutes on {iso_date(date)}"


def share_of(volunteer_id: str, line: Line) -> Share:
    """The dimensions of a line as the reference has them."""
    place = Place(line.recording_org_id, line.host_org_id, line.project_id, line.site_id,
                  line.activity_id)  # fmt: skip
    return Share(volunteer_id, line.session_id, line.grant_id, place, line.service_date,
                 line.kind, line.state, line.policy)  # fmt: skip


def _name(posting: Posting) -> str:
    return f"posting {posting.index} of {posting.event_id}"


def _words(share: Share) -> str:
    values = [iso_date(v) if f == "service_date" else str(v) for f, v in share._asdict().items()]
    return " ".join(values)
