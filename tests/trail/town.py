"""A town's weeks of service, different for each seed, folded by the ledger's own code.

Every kind of entry and decision, in the hands of few people, so that they meet: overlaps, long
days, walk-ins, claims, corrections, voids, what comes late or never.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from consumers.kafka.records import Record
from ledger.account.record import Record as Entry
from ledger.replay import Book, replay
from schemas.events import (
    Actor,
    CatalogueEvent,
    Event,
    OrgRegistered,
    ProjectPublished,
    ShiftScheduled,
    SitePublished,
    VolunteerRegistered,
)
from schemas.times import DAY, HOUR, MINUTE, SECOND, iso_date
from schemas.times import day as day_number
from schemas.topics import POSTINGS
from schemas.wire.codec import encode
from tests.drawn import histories as h

VOLUNTEERS = [f"v{n}" for n in range(1, 9)]
FIRST_DAY = day_number("2025-03-01")
DAYS = 24
ORGS = {"gov": (None, "440000"), "sw1": ("gov", "440103"), "vo1": ("sw1", "440305"),
        "vo2": (None, "海外")}  # fmt: skip
PROJECTS = {"p1": ("sw1", ("vo1",), "elderly"), "p2": ("vo1", ("sw1",), "community"),
            "p3": ("vo2", (), None)}  # fmt: skip
SITES = {"site-a": ("vo1", "440106"), "site-b": ("sw1", "431302"), "site-c": (None, None)}


@dataclass(frozen=True)
class Town:
    """What was logged, and the ledger of it; `inputs` in log order."""

    seed: int
    inputs: list[Entry]
    book: Book

    def rows(self) -> Iterator[Record]:
        """The log as a sink reads it: inputs, then postings, all in partition 0."""
        for entry in self.inputs:
            key = None if entry.key is None else entry.key.encode()
            yield Record(entry.topic, 0, entry.offset, entry.recorded_at // 1000, key,
                         encode(entry.event))  # fmt: skip
        for offset, posting in enumerate(self.book.postings):
            yield Record(POSTINGS, 0, offset, posting.recorded_at // 1000,
                         posting.volunteer_id.encode(), encode(posting))  # fmt: skip

    def moments(self) -> list[int]:
        """Some moments of its log, the last one after all of it."""
        times = sorted(entry.recorded_at for entry in self.inputs)
        return [times[len(times) // 3], times[2 * len(times) // 3], times[-1] + SECOND]


def town(seed: int, events: int = 260) -> Town:
    """The town of a seed."""
    rng = random.Random(seed)
    made: list[Event | h.Arrival] = [*registry(), *schedule(rng)]
    facts: list[h.Arrival] = [arrival for n in range(events) for arrival in happening(rng, n)]
    facts += [h.Arrival(h.tick((FIRST_DAY + n) * DAY), (FIRST_DAY + n) * DAY) for n in range(DAYS)]
    facts += [h.Arrival(event, (FIRST_DAY + rng.randrange(DAYS)) * DAY) for event in people_later()]
    facts += [h.arrival(event) for event in of_each_kind()]
    facts.sort(key=lambda arrival: arrival.recorded_at)
    made += facts
    inputs = h.log(*made)
    return Town(seed, inputs, replay(inputs))


def registry() -> list[CatalogueEvent]:
    """Organisations, projects, sites, policies, people."""
    long_ago: dict[str, Any] = {"occurred_at": h.when("00:00", "2025-01-01"), "actor": None}
    found: list[CatalogueEvent] = [
        h.policy("default", deadline_days=3),
        h.policy("tiers", tiers=(480, 720), deadline_days=5),
    ]
    for org_id, (parent, region) in ORGS.items():
        found.append(OrgRegistered(f"org-{org_id}", org_id, "volunteer", f"组织{org_id}", parent,
                                   region, **long_ago))  # fmt: skip
    for project_id, (org_id, partners, field) in PROJECTS.items():
        policy_id = "tiers" if project_id == "p2" else None
        found.append(ProjectPublished(f"project-{project_id}", project_id, org_id,
                                      f"项目{project_id}", None, field, policy_id, None, None,
                                      partner_org_ids=partners, **long_ago))  # fmt: skip
    for site_id, (operator, place) in SITES.items():
        found.append(SitePublished(f"site-{site_id}", site_id, None, operator, place,
                                   "Asia/Shanghai", (), **long_ago))  # fmt: skip
    for n, volunteer_id in enumerate(VOLUNTEERS[:6]):
        by = Actor("clerk", "admin", ("sw1", "vo1")[n % 2])
        found.append(VolunteerRegistered(
            f"register-{volunteer_id}", volunteer_id, None, "2013-01" if n == 5 else None,
            ("440103", "440305", None)[n % 3], long_ago["occurred_at"], by,
        ))  # fmt: skip
    return found


def people_later() -> list[CatalogueEvent]:
    """Somebody registers again and is merged, somebody goes, another's field is renamed."""
    soon: dict[str, Any] = {"occurred_at": h.when("00:00"), "actor": None}
    return [
        VolunteerRegistered("register-v9", "v9", None, None, "440103", **soon),
        h.merge("v9", "v1"),
        h.erase("v4"),
        h.org("new"),
        h.project("p9", "tiers", partners=tuple(ORGS)),
        *(h.shift(f"late-{n}", "p9", f"a{n}") for n in range(4)),
        *(h.accept("v1", f"late-{n}") for n in (0, 1)),
        ProjectPublished(
            "project-p3-2", "p3", "vo2", "新名", None, "rescue", None, None, None, **soon
        ),
    ]


def of_each_kind() -> list[Event]:
    """What counts for sure, of kinds and regions that chance may leave out; after all else."""
    day = iso_date(FIRST_DAY + DAYS)
    return [
        *h.served("v7", "s-sure", "09:00", "10:00", day, project="p3", org="vo2"),
        h.grant("v7", "g-sure", "11:00", "12:00", day),
        h.imported("v7", "i-sure", 60, day, "13:00", "row-sure"),
    ]


def schedule(rng: random.Random) -> list[CatalogueEvent]:
    """Shifts of two projects, some with places, some with a roster, one cancelled."""
    found: list[CatalogueEvent] = []
    for n in range(8):
        shift = h.shift(f"sh{n}", "p1" if n % 2 else "p2", f"a{n % 3}", "09:00", "12:00",
                        iso_date(FIRST_DAY + 2 * n))  # fmt: skip
        found.append(_at_site(shift, rng))
        if n % 3 == 0:
            found += [h.accept(v, f"sh{n}") for v in rng.sample(VOLUNTEERS, 3)]
            found.append(h.withdraw(rng.choice(VOLUNTEERS), f"sh{n}"))
            found.append(h.no_show(rng.choice(VOLUNTEERS), f"sh{n}"))
    found.append(h.cancel("sh3"))
    # Projects with a schedule credit only its activities: all of them are on it.
    found += [h.shift(f"long-{p}-{n}", p, f"a{n}", "09:00", "12:00", "2025-01-02")
              for p in ("p1", "p2") for n in range(4)]  # fmt: skip
    return found


def _at_site(shift: ShiftScheduled, rng: random.Random) -> ShiftScheduled:
    return replace(shift, site_id=rng.choice([*SITES, None]), capacity=rng.choice([None, 2, 5]))


def happening(rng: random.Random, n: int) -> list[h.Arrival]:
    """One thing that somebody did, as the log gets it: at once, later or much later."""
    who = _who(n)
    day = iso_date(FIRST_DAY + rng.randrange(DAYS - 4))
    start = h.when("00:00", day) + rng.randrange(24 * 60) * MINUTE + rng.randrange(60) * SECOND
    length = rng.choice([20 * SECOND, 45 * MINUTE, 2 * HOUR, 5 * HOUR + SECOND, 13 * HOUR])
    if rng.randrange(30) == 0:
        length = 30 * HOUR
    end = start + length
    org = rng.choice(["sw1", "vo1", "vo1", "vo2"])
    where: dict[str, Any] = {
        "org": org,
        "host": rng.choice([org, "sw1"]),
        "project": rng.choice(["p1", "p2", "p3", "p9"] if rng.randrange(9) == 0 else
                              ["p1", "p2", "p3"]),
        "site": rng.choice([*SITES, None]),
        "activity": f"a{rng.randrange(4)}",
        "shift_id": rng.choice([f"sh{rng.randrange(8)}", None]),
    }  # fmt: skip
    made = _made(rng, n, who, start, end, where)
    delay = rng.choice([SECOND, SECOND, 3 * HOUR, 6 * DAY, 9 * DAY])
    return [_received(event, delay + rng.choice([0, 0, 0, 20 * HOUR])) for event in made]


def _who(n: int) -> str:
    return VOLUNTEERS[n * 5 % len(VOLUNTEERS)]


def _received(event: Event, delay: int) -> h.Arrival:
    soon = h.arrival(event)
    return h.Arrival(event, soon.recorded_at + delay)


def _made(
    rng: random.Random, n: int, who: str, start: int, end: int, where: dict[str, Any]
) -> list[Event]:
    session, entry = f"s{n}", f"g{n}"
    at = end + 2 * HOUR
    other = rng.randrange(max(1, n))
    target: dict[str, Any] = rng.choice([{"session": f"s{other}"}, {"session": f"s{other}"},
                                         {"grant_id": f"g{other}"}])  # fmt: skip
    plain = {name: value for name, value in where.items() if name != "shift_id"}
    match rng.randrange(20):
        case 0:
            return [h.check_in(who, session, start, **where)]
        case 1:
            return [h.check_out(who, session, end, **where)]
        case 2 | 3:
            evidence, second = rng.choice([((), None), (("sha256:1",), h.CHIEF)])
            return [h.grant(who, entry, start, end, evidence=evidence, approver=second, **where)]
        case 4:
            said = h.claim(who, entry, start, end, **where)
            denied = h.deny(who, grant_id=entry, at=at)
            confirmed = h.confirm(who, grant_id=entry, at=at)
            return _first(rng.choice([1, 2]), said, denied if rng.randrange(2) else confirmed)
        case 5:
            return [h.imported(who, entry, rng.randrange(1, 900), iso_date(start // DAY),
                               start + DAY, f"row-{n}", **plain)]  # fmt: skip
        case 6:
            return [h.training(who, entry, 60, iso_date(start // DAY), start + DAY, **plain)]
        case 7:
            both = h.served(who, session, start, end, **where)
            asked = h.ask(who, session, None, start, end + HOUR, at, correction=f"k{n}", **plain)
            answer = h.correct(who, session, at=at + HOUR, correction=f"k{n}",
                               decision=rng.choice(["approve", "reject"]))  # fmt: skip
            return _first(rng.choice([3, 4]), *both, asked, answer)
        case 8:
            both = h.served(who, session, start, end, **where)
            gone = h.void(who, session, at=at)
            filed = h.appeal(who, session, at=at + HOUR, appeal_id=f"q{n}")
            heard = h.hear(who, session, at=at + 2 * HOUR, appeal_id=f"q{n}")
            return _first(rng.choice([3, 4, 5]), *both, gone, filed, heard)
        case 9 | 10 | 11 if rng.randrange(9) == 0:
            # About somebody who has no such session.
            return [h.confirm(who, at=at, **target)]
        case 9:
            level = rng.choice(["org", "province"])
            decision = rng.choice(["approve", "reject"])
            return [h.decide(_who(other), at=at, level=level, decision=decision,
                             evidence=("sha256:2",), **target)]  # fmt: skip
        case 10:
            return [h.confirm(_who(other), at=at, **target)]
        case 11:
            return [h.void(_who(other), at=at, **target)]
        case 12:
            # Twelve hours of a day, which a tier divides among whoever comes first.
            day = iso_date((start + 8 * HOUR) // DAY)
            where |= {"project": "p2", "org": "vo1", "shift_id": None}
            return [event for part, hour in enumerate((5, 10, 15)) for event in
                    h.served(who, f"{session}-{part}", f"{hour:02}:00", f"{hour + 4:02}:00", day,
                             **where)]  # fmt: skip
        case 13:
            twice = h.served(who, session, start + 10 * MINUTE, end + HOUR, **where)
            return [*twice, *h.served(who, session, start, end, **where)]
    return [*h.served(who, session, start, end, **where)]


def _first(count: int, *events: Event) -> list[Event]:
    return list(events[:count])
