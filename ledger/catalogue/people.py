"""What the registry says of persons, all of it under pseudonyms."""

from dataclasses import dataclass, field

from schemas.events import (
    GuardianConsentRecorded,
    GuardianConsentWithdrawn,
    VolunteerErased,
    VolunteerMerged,
    VolunteerRegistered,
    VolunteerUnmerged,
)
from schemas.times import month_of

PersonEvent = (
    VolunteerRegistered
    | VolunteerMerged
    | VolunteerUnmerged
    | VolunteerErased
    | GuardianConsentRecorded
    | GuardianConsentWithdrawn
)

ALWAYS = 2**62


@dataclass(slots=True)
class People:
    """Who is who, who is gone, and who needs a guardian's consent.

    `into` leads from an absorbed registration to the one that absorbed it, `absorbed` back.
    """

    identities: dict[str, str] = field(default_factory=dict)
    born: dict[str, int] = field(default_factory=dict)
    consent_until: dict[str, int] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    into: dict[str, str] = field(default_factory=dict)
    absorbed: dict[str, set[str]] = field(default_factory=dict)

    def survivor(self, volunteer_id: str) -> str:
        """Who stands for a person at the end of all merges."""
        while (next_id := self.into.get(volunteer_id)) is not None:
            volunteer_id = next_id
        return volunteer_id

    def counted_by(self, volunteer_id: str) -> str:
        """Which other registration counts somebody's hours; empty if they do so themselves."""
        found = self.survivor(volunteer_id)
        return "" if found == volunteer_id else found

    def registrations(self, volunteer_id: str) -> set[str]:
        """All registrations of a person, by any of them."""
        if not self.into:
            return {volunteer_id}
        found: set[str] = set()
        more = [self.survivor(volunteer_id)]
        while more:
            name = more.pop()
            found.add(name)
            # A circle is never published; a planted bug makes one, and must be found, not hang.
            more += [one for one in self.absorbed.get(name, ()) if one not in found]
        return found

    def is_erased(self, volunteer_id: str) -> bool:
        """Has a person asked to be forgotten, under this registration or the one it became?"""
        return volunteer_id in self.erased or self.survivor(volunteer_id) in self.erased

    def lives(self, volunteer_id: str) -> bool:
        """Is a registration neither absorbed nor erased?"""
        return volunteer_id not in self.into and volunteer_id not in self.erased

    def needs_consent(self, volunteer_id: str, day: int, at: int, age_years: int) -> bool:
        """Is somebody too young on a day, without a guardian's consent for that instant?

        Only the month of birth is known: a person counts as younger until that month has passed.
        """
        names = self.registrations(volunteer_id)
        months = [self.born[name] for name in names if name in self.born]
        if not months or month_of(day) - max(months) > age_years * 12:
            return False
        return at >= max([self.consent_until.get(name, 0) for name in names])


def publish_person(people: People, event: PersonEvent) -> str | None:
    """Fold one event about a person, in place; the reason code if it is refused."""
    name = event.volunteer_id
    if name in people.erased:
        return None if isinstance(event, VolunteerErased) else "volunteer_erased"
    match event:
        case VolunteerRegistered():
            return _register(people, event)
        case VolunteerMerged():
            return _merge(people, event)
        case VolunteerUnmerged():
            if name not in people.into:
                return "not_merged"
            people.absorbed[people.into.pop(name)].discard(name)
        case VolunteerErased():
            # The month of birth stays: it holds back what waited for a guardian.
            people.erased.add(name)
        case GuardianConsentRecorded():
            people.consent_until[name] = ALWAYS
        case GuardianConsentWithdrawn():
            if name in people.consent_until:
                people.consent_until[name] = min(event.occurred_at, people.consent_until[name])
    return None


def _register(people: People, event: VolunteerRegistered) -> str | None:
    """One live registration for each identity document."""
    name, identity = event.volunteer_id, event.identity_hash
    if identity is not None:
        holder = people.identities.get(identity, name)
        if holder != name and people.lives(holder):
            return "identity_taken"
        people.identities[identity] = name
    if event.birth_month is not None:
        year, month = event.birth_month.split("-")
        people.born[name] = int(year) * 12 + int(month) - 1
    return None


def _merge(people: People, event: VolunteerMerged) -> str | None:
    name, into = event.volunteer_id, event.into_volunteer_id
    if name in people.into:
        return "already_merged"
    if into in people.erased:
        return "volunteer_erased"
    if people.survivor(into) == name:
        return "merge_cycle"
    people.into[name] = into
    people.absorbed.setdefault(into, set()).add(name)
    return None
