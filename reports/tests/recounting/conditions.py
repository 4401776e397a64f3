"""Whether a condition applies to a fact; to one without a value only negations and ``is_set: false`` do."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from reports.tests.recounting.facts import MONEY, PEOPLE, PRIORITIES, RATIOS, SECONDS, Fact

ORDERED = {"priority", "urgency"}


class Reader:
    """Who asks, when, and by the clocks of which zone. ``name``: their slug, or username."""

    def __init__(self, name: str, zone: ZoneInfo, now: datetime) -> None:
        self.name, self.zone, self.now = name, zone, now

    def applies(self, where: Any, fact: Fact) -> bool:
        if where is None:
            return True
        if "all" in where:
            return all(self.applies(part, fact) for part in where["all"])
        if "any" in where:
            return any(self.applies(part, fact) for part in where["any"])
        if "not" in where:
            return not self.applies(where["not"], fact)
        name = where["field"]
        ((operator, asked),) = ((key, value) for key, value in where.items() if key != "field")
        if name in fact.flags:
            return fact.flags[name] == asked
        if name in fact.many:
            return self._of_many(name, fact.many[name], operator, asked)
        if name in fact.words:
            return self._of_word(name, fact.words[name], operator, asked)
        if name in fact.numbers or name in fact.measures:
            return _of_number(fact.numbers.get(name, _read(name, fact.measures.get(name))), operator, asked)
        return self._of_time(fact.times.get(name, fact.moments.get(name)), operator, asked)

    def _meant(self, name: str, asked: Any) -> list[Any]:
        values = asked if isinstance(asked, list) else [asked]
        return [self.name if value == "me" and name in PEOPLE else value for value in values]

    def _of_many(self, name: str, there: set[str], operator: str, asked: Any) -> bool:
        if operator == "is_set":
            return bool(there) == asked
        has_any = any(value in there for value in self._meant(name, asked))
        return has_any == (operator in ("is", "in"))

    def _of_word(self, name: str, word: str | None, operator: str, asked: Any) -> bool:
        if isinstance(asked, bool):
            return (word is not None) == asked if operator == "is_set" else (word == "yes") == asked
        if operator in ("at_least", "at_most"):
            assert name in ORDERED
            far = PRIORITIES.index(word) - PRIORITIES.index(asked)
            return far >= 0 if operator == "at_least" else far <= 0
        return (word in self._meant(name, asked)) == (operator in ("is", "in"))

    def _of_time(self, moment: datetime | None, operator: str, asked: Any) -> bool:
        if operator == "is_set":
            return (moment is not None) == asked
        if moment is None:
            return False
        start, end = self._span(asked)
        return {"before": moment < start, "after": moment >= start, "on": start <= moment < end}[operator]

    def _span(self, text: str) -> tuple[datetime, datetime]:
        if text.endswith("h"):
            moment = self.now + timedelta(hours=int(text[:-1]))
            return moment, moment
        if "T" in text:
            moment = datetime.fromisoformat(text)
            return moment, moment
        if text[-1] in "dw" or text == "today":
            days = 0 if text == "today" else int(text[:-1]) * (7 if text[-1] == "w" else 1)
            day = self.now.astimezone(self.zone).date() + timedelta(days=days)
        else:
            day = date.fromisoformat(text)
        return self._midnight(day), self._midnight(day + timedelta(days=1))

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), tzinfo=self.zone).astimezone(UTC)


def _read(name: str, value: int | None) -> Any:
    """A measured number as people read it."""
    scale = 1000 if name in SECONDS else 1_000_000 if name in MONEY | RATIOS else 1
    return None if value is None else Decimal(value) / scale


def _of_number(value: Any, operator: str, asked: Any) -> bool:
    if operator == "is_set":
        return (value is not None) == asked
    if operator in ("is_not", "not_in"):
        return not _of_number(value, "in", asked)
    if value is None:
        return False
    if operator in ("is", "in"):
        return any(value == Decimal(str(each)) for each in (asked if isinstance(asked, list) else [asked]))
    limit = Decimal(str(asked))
    return value >= limit if operator == "at_least" else value <= limit
