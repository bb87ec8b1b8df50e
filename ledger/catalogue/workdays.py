"""Working days: Monday to Friday, without the holidays and with the make-up days of a calendar."""

from dataclasses import dataclass, field
from typing import Final

from schemas.events import HolidaysPublished
from schemas.times import month_of

LOOKED_AT_MAX: Final = 5 * 366
"""Days after which nothing more is said of a deadline in years without a calendar."""


@dataclass(slots=True)
class Workdays:
    """A calendar's days that differ from the plain week, as day numbers.

    `years` are those of which it says anything; None: every year is a plain one.
    """

    holidays: set[int] = field(default_factory=set)
    workdays: set[int] = field(default_factory=set)
    years: set[int] | None = field(default_factory=set)

    def add(self, event: HolidaysPublished) -> None:
        """Add days; of two publications about one day the later one counts."""
        if self.years is not None:
            self.years.update([month_of(day) // 12 for day in (*event.holidays, *event.workdays)])
        for day in event.holidays:
            self.holidays.add(day)
            self.workdays.discard(day)
        for day in event.workdays:
            self.workdays.add(day)
            self.holidays.discard(day)

    def works(self, day: int) -> bool:
        """Do people work on a day?"""
        # Day 0, 1970-01-01, was a Thursday.
        weekday = (day + 3) % 7 < 5
        return day in self.workdays or (weekday and day not in self.holidays)

    def knows(self, day: int) -> bool:
        """Does the calendar say anything of the year of this day?"""
        return self.years is None or month_of(day) // 12 in self.years

    def after(self, day: int, working_days: int) -> int:
        """The day on which the given number of working days after `day` has passed; of a year that
        the calendar does not know, by the plain week."""
        while working_days > 0:
            day += 1
            working_days -= self.works(day)
        return day

    def passed(self, day: int, working_days: int, now: int) -> bool | None:
        """Has the day gone by on which so many working days after `day` had passed? None where
        that hangs on a year that the calendar does not know."""
        if now - day <= working_days:
            return False
        fewest = most = 0
        for each in range(day + 1, min(now, day + LOOKED_AT_MAX)):
            if self.knows(each):
                fewest += self.works(each)
                most += self.works(each)
            else:
                most += 1
            if fewest >= working_days:
                return True
        return None if most >= working_days else False


PLAIN = Workdays(years=None)
"""The week of a policy that names no calendar."""

UNKNOWN = Workdays()
"""A calendar that nobody has published."""
