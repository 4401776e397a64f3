"""The times of a schedule as a form has them, certain days at a time of day, and the cron expressions of these."""

import re
from dataclasses import dataclass
from typing import Final

from reports.schedules.cron import read_cron
from taskproject.errors import Invalid, unknown_choice

#: Times that no other choice expresses.
CRON: Final = "cron"
HOURLY: Final = "hourly"
#: By the last three fields of a cron expression.
DAYS: Final = {
    "* * *": ("daily", "Every day"),
    "* * 1-5": ("weekdays", "Monday to Friday"),
    "* * 1": ("monday", "Mondays"),
    "* * 2": ("tuesday", "Tuesdays"),
    "* * 3": ("wednesday", "Wednesdays"),
    "* * 4": ("thursday", "Thursdays"),
    "* * 5": ("friday", "Fridays"),
    "* * 6": ("saturday", "Saturdays"),
    "* * 0": ("sunday", "Sundays"),
    "1 * *": ("first", "The first day of each month"),
}
CHOICES: Final = (*DAYS.values(), (HOURLY, "Every hour, at these minutes"), (CRON, "Other times"))
_TIME: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::00)?", re.ASCII)
_PLAIN: Final = re.compile(r"(\d{1,2}) (\d{1,2}|\*) (.+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Times:
    """What the fields of the form say: ``at`` is a time of day, ``cron`` counts if ``days`` is ``CRON``."""

    days: str = "monday"
    at: str = "08:00"
    cron: str = ""

    def as_cron(self) -> str:
        """The cron expression. Raises ``Invalid`` at ``days``, ``at`` or ``cron``."""
        if self.days == CRON:
            return read_cron(self.cron)
        if self.days not in dict(CHOICES):
            raise Invalid({"days": unknown_choice(self.days, list(dict(CHOICES)))})
        time = _TIME.fullmatch(self.at)
        if time is None:
            raise Invalid(
                {"at": f"{self.at!r} is not a time of day; write 08:00." if self.at else "Choose a time of day."}
            )
        hour, minute = int(time[1]), int(time[2])
        if self.days == HOURLY:
            return f"{minute} * * * *"
        return next(f"{minute} {hour} {fields}" for fields, (name, _) in DAYS.items() if name == self.days)


def times_of(cron: str) -> Times:
    """The fields that say ``cron``, as it is stored."""
    plain = _PLAIN.fullmatch(cron)
    if plain is not None:
        minute, hour, fields = plain.groups()
        if hour == "*" and fields == "* * *":
            return Times(HOURLY, f"00:{int(minute):02}", cron)
        if hour != "*" and fields in DAYS:
            return Times(DAYS[fields][0], f"{int(hour):02}:{int(minute):02}", cron)
    return Times(CRON, cron=cron)
