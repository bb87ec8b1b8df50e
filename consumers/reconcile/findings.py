"""What a reconciliation found, as plain values."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it must be.

    `record` is topic/partition/offset, `event_id` and `volunteer_id` are '' where none is known.
    """

    code: str
    record: str
    event_id: str
    volunteer_id: str
    detail: str


@dataclass(slots=True)
class Findings:
    """Collected on the way; differences beyond the first thousand are only counted."""

    differences: list[Difference] = field(default_factory=list)
    difference_count: int = 0
    checked: dict[str, int] = field(default_factory=dict)

    def add(self, *found: Difference) -> None:
        """Note differences."""
        self.difference_count += len(found)
        self.differences.extend(found[: max(0, _KEPT - len(self.differences))])

    def count(self, what: str, n: int) -> None:
        """Note that so many more of something were looked at."""
        self.checked[what] = self.checked.get(what, 0) + n


@dataclass(frozen=True, slots=True)
class Report:
    """The answer: `red` names what differs, `behind` what is still to come, by place.

    `worker_behind` are facts without a posting yet, `trail_behind` records not in the trail yet;
    `open_transactions` are places whose records wait for a transaction's end, with its first
    offset. `gaps` were accepted by somebody: what the log lacks there was not compared.
    """

    state: Literal["green", "behind", "red"]
    checked: dict[str, int]
    worker_behind: dict[str, int]
    trail_behind: dict[str, int]
    difference_count: int
    differences: list[Difference]
    open_transactions: dict[str, int] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 green, 1 red, 3 behind."""
        return {"green": 0, "red": 1, "behind": 3}[self.state]


def report(
    findings: Findings,
    worker_behind: dict[str, int],
    trail_behind: dict[str, int],
    open_transactions: dict[str, int],
    gaps: list[str],
) -> Report:
    """Red beats behind: what is missing now may come, what differs will not mend itself."""
    behind: Iterable[int] = (*worker_behind.values(), *trail_behind.values())
    return Report(
        "red" if findings.difference_count else "behind" if any(behind) else "green",
        dict(findings.checked),
        worker_behind,
        trail_behind,
        findings.difference_count,
        list(findings.differences),
        open_transactions,
        gaps,
    )
