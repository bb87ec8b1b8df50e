"""When a tick must look at an account, as text: beside its record, so that nobody need decode it.

`""` never; `"17…"` at that instant (UTC microseconds); `"0 17… p/x s/y"` at that instant, or `-`
for none, and as soon as the catalogue changes in one of these topics (`ledger.catalogue.changes`).
A bare `"0"` was written by a version that did not say what it waits for: the next tick looks, and
writes it anew.
"""

from dataclasses import dataclass, field
from typing import Final

from ledger.account.account import Account
from ledger.catalogue.changes import ANYTHING, all_wait_in, persons_in
from ledger.hours.clock import due_at, waits_for

UNSAID: Final = "0"
"""Waits for something that its record does not say."""


def wake_of(account: Account) -> str:
    """When a tick must look at an account."""
    at = due_at(account)
    topics = waits_for(account)
    if not topics:
        return "" if at is None else str(at)
    return " ".join(["0", "-" if at is None else str(at), *topics])


@dataclass(slots=True)
class Wakes:
    """When ticks must look at which of a partition's accounts."""

    texts: dict[str, str] = field(default_factory=dict)
    _at: dict[str, int] = field(default_factory=dict)
    _waiting: dict[str, set[str]] = field(default_factory=dict)

    def put(self, name: str, text: str) -> None:
        """Say when a tick must look at an account."""
        before = self.texts.get(name, "")
        if before == text:
            return
        for topic in before.split(" ")[2:]:
            names = self._waiting[topic]
            names.discard(name)
            if not names:
                del self._waiting[topic]
        self._at.pop(name, None)
        if text:
            self.texts[name] = text
        else:
            self.texts.pop(name, None)
        words = text.split(" ")
        for topic in words[2:]:
            self._waiting.setdefault(topic, set()).add(name)
        at = words[min(1, len(words) - 1)]
        if at not in ("", "-"):
            self._at[name] = int(at)

    def due_by(self, at: int, changed: frozenset[str]) -> set[str]:
        """Whom a tick must look at, if these topics changed since one did."""
        found = {name for name, when in self._at.items() if when <= at}
        if all_wait_in(changed):
            for names in self._waiting.values():
                found |= names
            return found
        for topic in changed:
            found |= self._waiting.get(topic, set())
        if changed:
            found |= self._waiting.get(ANYTHING, set())
        for name in persons_in(changed) or ():
            if self.texts.get(name, "").startswith("0 "):
                found.add(name)
        return found
