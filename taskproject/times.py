"""Times that come in: one way to read them, one range, at every door; and how a moment goes out.

The range leaves room on both sides, so that a time can be shown in any zone: programs in other languages send the first
and the last year of the calendar for "no time", and Python cannot convert those.
"""

from datetime import UTC, date, datetime, time, tzinfo
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

FIRST = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime(9998, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
#: The last second of a day, which a due date given as a day means.
END_OF_DAY = time(23, 59, 59)
NOT_A_TIME = "Must be a time such as 2026-11-22T10:00:00Z, or a day such as 2026-11-22."
OUT_OF_RANGE = "Must be from 1970-01-01 to 9998-12-31; leave it empty for no time."
#: What can be converted to any zone.
_FIRST_SHOWN, _LAST_SHOWN = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


class NotATime(ValueError):
    """The text is not a time; the message is one sentence."""


class OutOfRange(ValueError):
    """The time is outside the range; the message is one sentence."""


def require_in_range(value: date) -> None:
    """The validator of times and days. Raises ``ValidationError``."""
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    # Half a day more or less matters to nobody here.
    if not FIRST <= (moment if timezone.is_aware(moment) else moment.replace(tzinfo=UTC)) <= LAST:
        raise ValidationError(OUT_OF_RANGE, code="out_of_range")


def read_moment(text: str, *, end_of_day: bool = False, zone: tzinfo | None = None) -> datetime:
    """The time that ``text`` means, aware: ISO 8601, without an offset in ``zone`` (by default the server's).

    A day alone means its start, with ``end_of_day`` its last second. Raises ``NotATime``, ``OutOfRange``.
    """
    text = text.strip()
    try:
        moment = datetime.combine(date.fromisoformat(text), END_OF_DAY if end_of_day else time())
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise NotATime(NOT_A_TIME) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone or timezone.get_default_timezone())
    if not FIRST <= moment <= LAST:
        raise OutOfRange(OUT_OF_RANGE)
    return moment.astimezone(UTC)


def stamp(moment: datetime) -> str:
    """``moment`` as ISO 8601 in UTC, with a Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class MomentField(models.DateTimeField):
    """A column for times that callers send: refuses what is out of range, and yields what every page can show.

    A time at the end of the calendar, stored by whatever means, is read as the nearest that can be converted to any
    zone.
    """

    default_validators = [require_in_range]

    def from_db_value(self, value: datetime | None, expression: Any, connection: Any) -> datetime | None:
        return value if value is None else min(max(value, _FIRST_SHOWN), _LAST_SHOWN)

    def deconstruct(self) -> Any:
        """For migrations it is an ordinary column."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.DateTimeField", args, kwargs
