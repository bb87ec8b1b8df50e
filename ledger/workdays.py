"""Working days: Monday to Friday, without the holidays and with the make-up days of a calendar."""

from dataclasses import dataclass, field

from schemas.events import HolidaysPublished


@dataclass(slots=True)
class Workdays:
    """A calendar's days that differ from the plain week, as day numbers."""

    holidays: set[int] = field(default_factory=set)
    workdays: set[int] = field(default_factory=set)

    def add(self, event: HolidaysPublished) -> None:
        """Add days; of two publications about one day the later one counts."""
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

    def after(self, day: int, working_days: int) -> int:
        """The day on which the given number of working days after `day` has passed."""
        while working_days > 0:
            day += 1
            working_days -= self.works(day)
        return day


PLAIN = Workdays()
