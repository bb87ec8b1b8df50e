"""The same log under another version of the rules: who would gain, who would lose."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ledger.account.record import Record
from ledger.replay import replay
from schemas.events import PolicyPublished
from schemas.times import DAY
from schemas.topics import CATALOGUE
from schemas.validity import EARLIEST

_VERSION = 1_000_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A volunteer's effective service minutes under the log's own rules and under the others."""

    volunteer_id: str
    minutes: int
    minutes_then: int


def what_if(records: Iterable[Record], policy: PolicyPublished) -> list[Difference]:
    """Replay a log twice; the volunteers whose totals would differ, by id.

    The parameters of `policy` take the place of every version that the log publishes, and of the
    built-in one. Corrections and re-ratings name versions as before.
    """
    own = list(records)
    before, after = replay(own), replay(_under(own, policy))
    names = sorted(before.accounts.keys() | after.accounts.keys())
    found = [
        Difference(name, before.account(name).balance_minutes, after.account(name).balance_minutes)
        for name in names
    ]
    return [each for each in found if each.minutes != each.minutes_then]


def _under(records: list[Record], policy: PolicyPublished) -> Iterator[Record]:
    """The log with the parameters of one version in all versions, and in `default` throughout."""
    first = replace(policy, policy_id="default", version=_VERSION, effective_from=EARLIEST // DAY)
    yield Record(CATALOGUE, 0, 0, policy.occurred_at, "default", first)
    for record in records:
        event = record.event
        if isinstance(event, PolicyPublished):
            event = replace(
                policy,
                event_id=event.event_id,
                policy_id=event.policy_id,
                version=event.version,
                effective_from=event.effective_from,
            )
        in_catalogue = record.topic == CATALOGUE
        offset = record.offset + 1 if in_catalogue else record.offset
        yield Record(record.topic, record.partition, offset, record.recorded_at, record.key, event)
