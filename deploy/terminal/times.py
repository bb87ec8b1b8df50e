"""Times and days as people type them on the command line."""

import re

from deploy.errors import ShiluError
from schemas.times import DAY, HOUR, day, instant

_CHINA = 8 * HOUR
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def moment_of(text: str) -> int:
    """A time with offset, or a day, which means its end in China's civil time; UTC microseconds.

    Raises ShiluError `time_form`.
    """
    try:
        if _DAY.fullmatch(text):
            return (day(text) + 1) * DAY - _CHINA - 1
        return instant(text)
    except (ValueError, OverflowError):
        raise ShiluError(
            "time_form",
            f"看不懂时间“{text}”:请写成 2025-03-01 或 2025-03-01T18:00:00+08:00。",
            f'"{text}" is no time: write 2025-03-01 or 2025-03-01T18:00:00+08:00.',
        ) from None


def day_of(text: str) -> int:
    """A day as days since 1970; raises ShiluError `date_form`."""
    try:
        if _DAY.fullmatch(text):
            return day(text)
    except ValueError:
        pass
    raise ShiluError(
        "date_form",
        f"看不懂日期“{text}”:请写成 2025-03-01。",
        f'"{text}" is no date: write 2025-03-01.',
    )


def days_of(first: str | None, last: str | None) -> tuple[int | None, int | None]:
    """A span of days, both included; raises ShiluError `date_form` or `dates_reversed`."""
    from_date = None if first is None else day_of(first)
    to_date = None if last is None else day_of(last)
    if from_date is not None and to_date is not None and from_date > to_date:
        raise ShiluError(
            "dates_reversed",
            f"开始日期 {first} 晚于结束日期 {last}:请对调。",
            f"The first day {first} is later than the last day {last}: swap them.",
        )
    return from_date, to_date
