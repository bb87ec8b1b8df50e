"""Instants and days as integers: microseconds since 1970 UTC, and days since 1970 (Avro dates)."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)
# Python reads more of ISO 8601 than RFC 3339 has, and each release a little more.
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,32})?"
    r"([Zz]|[+-][0-9]{2}:[0-5][0-9])"
)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def instant(text: str) -> int:
    """RFC 3339 text with an offset -> microseconds since 1970 UTC, what is smaller cut off.

    Raises ValueError when the text is no such time or has no offset: a local time without one
    could mean any of 24 hours. Other forms of ISO 8601 (weeks, no colons, no seconds) are none.
    """
    if _INSTANT.fullmatch(text) is None:
        raise ValueError("is no RFC 3339 time")
    # An hour of 24 is another day to some and none to RFC 3339.
    if text[11:13] == "24":
        raise ValueError("has an hour of 24")
    moment = datetime.fromisoformat(text.upper())
    return (moment - _EPOCH) // _MICROSECOND


def rfc3339(micros: int, offset_minutes: int = 480) -> str:
    """Microseconds since 1970 UTC -> RFC 3339 text, by default in China's civil time."""
    zone = timezone(timedelta(minutes=offset_minutes))
    moment = (_EPOCH + timedelta(microseconds=micros)).astimezone(zone)
    return moment.isoformat(timespec="microseconds" if micros % SECOND else "seconds")


def day(text: str) -> int:
    """A date as YYYY-MM-DD -> days since 1970. Raises ValueError when it is none."""
    if _DAY.fullmatch(text) is None:
        raise ValueError("is no date as YYYY-MM-DD")
    return date.fromisoformat(text).toordinal() - _EPOCH_ORDINAL


def iso_date(days: int) -> str:
    """Days since 1970 -> ISO date text."""
    return date.fromordinal(days + _EPOCH_ORDINAL).isoformat()


def month_of(days: int) -> int:
    """Days since 1970 -> its month, counted from the year 0: year * 12 + month - 1."""
    on = date.fromordinal(days + _EPOCH_ORDINAL)
    return on.year * 12 + on.month - 1
