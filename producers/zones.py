"""The civil time of a place as data: when its offset from UTC changes, 2000 to 2100.

Read from the pinned tzdata package and never from the operating system: the offsets become part of
an event, and the same site must give the same bytes on every machine.
"""

import difflib
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from producers.errors import UnknownZone
from schemas.events import UtcOffset
from schemas.times import SECOND

_FROM = datetime(2000, 1, 1, tzinfo=UTC)
_UNTIL = datetime(2101, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHINA_MINUTES = 480
# No zone has changed its offset twice within this time since 2000.
_STEP = timedelta(days=5)


@cache
def _names() -> frozenset[str]:
    return frozenset((files("tzdata") / "zones").read_text("utf-8").split())


def utc_offsets(zone: str) -> tuple[UtcOffset, ...]:
    """The offsets of an IANA zone from 2000 to 2100, ascending; none if it is UTC+8 throughout.

    Raises UnknownZone.
    """
    if zone not in _names():
        near = difflib.get_close_matches(zone[:64], _names(), 1)
        raise UnknownZone(zone[:64], near[0] if near else None)
    return _offsets(zone)


@cache
def _offsets(zone: str) -> tuple[UtcOffset, ...]:
    with (files("tzdata") / "zoneinfo").joinpath(*zone.split("/")).open("rb") as file:
        info = ZoneInfo.from_file(file, key=zone)
    found = [UtcOffset(_micros(_FROM), _minutes(_FROM, info))]
    moment = _FROM
    while moment < _UNTIL:
        step = min(moment + _STEP, _UNTIL)
        if _minutes(step, info) != found[-1].offset_minutes:
            change = _change(moment, step, info)
            found.append(UtcOffset(_micros(change), _minutes(change, info)))
        moment = step
    if len(found) == 1 and found[0].offset_minutes == _CHINA_MINUTES:
        return ()
    return tuple(found)


def _change(before: datetime, after: datetime, info: ZoneInfo) -> datetime:
    """The second at which the offset of `before` ends, by halving."""
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if _minutes(middle, info) == _minutes(before, info):
            before = middle
        else:
            after = middle
    return after


def _minutes(moment: datetime, info: ZoneInfo) -> int:
    offset = moment.astimezone(info).utcoffset()
    assert offset is not None
    return offset // timedelta(minutes=1)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(seconds=1) * SECOND
