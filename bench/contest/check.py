"""Are a peer's accounts right? Its rules once more, in the plainest way, from the log itself."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from bench.contest.ground import Ground
from bench.contest.log import Entry
from producers.record import partition_of
from schemas.events import CheckedIn, CheckedOut, HoursGranted, SessionVoided
from schemas.posting import Account
from schemas.times import MINUTE
from schemas.topics import ACCOUNTS, FACTS, PARTITIONS, TOPIC_OF
from schemas.wire.codec import Undecodable, decode_event, decode_output


def wrong_accounts(log: Iterable[Entry], ground: Ground, sample: int) -> dict[str, Any]:
    """{volunteer: (found, expected)} in minutes, for so many volunteers; empty if all is right."""
    expected = expected_minutes(log)
    wanted = sorted(expected)[:: max(len(expected) // sample, 1)]
    found: dict[str, int] = {}
    for _, value in ground.read(ACCOUNTS):
        account = decode_output(value)
        assert isinstance(account, Account)
        found[account.volunteer_id] = account.balance_minutes
    if set(found) != set(expected):
        return {"volunteers": (len(found), len(expected))}
    return {who: (found[who], expected[who]) for who in wanted if found[who] != expected[who]}


def expected_minutes(log: Iterable[Entry]) -> dict[str, int]:
    """Minutes of each volunteer by the peers' rules (bench/peers/simple.py)."""
    first: dict[tuple[str, str], Any] = {}
    for entry in log:
        event = _admitted(entry)
        if event is not None:
            first.setdefault((event.volunteer_id, event.event_id), event)
    starts: dict[tuple[str, str], list[int]] = defaultdict(list)
    ends: dict[tuple[str, str], list[int]] = defaultdict(list)
    worthless: set[tuple[str, str]] = set()
    granted: set[tuple[str, str]] = set()
    volunteers = {volunteer_id for volunteer_id, _ in first}
    for (who, _), event in first.items():
        match event:
            case CheckedIn():
                starts[who, "s" + event.session_id].append(event.occurred_at)
            case CheckedOut():
                ends[who, "s" + event.session_id].append(event.occurred_at)
            case HoursGranted() if (who, "g" + event.grant_id) not in granted:
                name = (who, "g" + event.grant_id)
                granted.add(name)
                starts[name].append(event.start_at)
                ends[name].append(event.end_at)
                second = event.approver is not None and event.approver.id != event.actor.id
                if not (second and event.evidence):
                    worthless.add(name)
            case SessionVoided():
                target = f"s{event.session_id}" if event.grant_id is None else f"g{event.grant_id}"
                worthless.add((who, target))
    minutes = dict.fromkeys(volunteers, 0)
    for name in (starts.keys() & ends.keys()) - worthless:
        minutes[name[0]] += max(min(ends[name]) - min(starts[name]), 0) // MINUTE
    return minutes


def _admitted(entry: Entry) -> Any:
    """The event of a record that may enter, None for what is quarantined and for ticks."""
    if entry.topic not in FACTS:
        return None
    try:
        event: Any = decode_event(entry.value)
    except Undecodable:
        return None
    volunteer_id = getattr(event, "volunteer_id", None)
    at_home = (
        volunteer_id is not None
        and TOPIC_OF[type(event).__name__] == entry.topic
        and entry.key == volunteer_id.encode()
        and partition_of(entry.key, PARTITIONS) == entry.partition
    )
    return event if at_home else None
