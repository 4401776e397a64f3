"""Where figures of predefined reports lead: to the facts of the vocabulary that count them.

A ``Lead`` says which facts, by which time of theirs and under which conditions; the row says from when to when and,
where a report has a row for each agent, whose.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from reports.definitions import Cell, Definition, read
from reports.predefined import episodes, runs
from reports.predefined.agents import ALL, DELETED, NOBODY, SEVERAL
from reports.report import Answer, Row
from reports.vocabulary.declaration import AGGREGATES
from taskproject.times import FIRST, LAST, stamp
from tasks.models import Credit

#: A condition as in documents.
Where = dict[str, Any]
Words = Mapping[str, str | None]
Span = tuple[datetime, datetime]
MOMENT: Final = timedelta(microseconds=1)
#: The largest fraction of a second that a duration has below a whole one.
MILLISECOND: Final = 0.001


def in_row(answer: Answer, row: Row) -> Span:
    """The bucket of the row, or the period."""
    return row.get("starts_at") or answer.period.start, row.get("ends_at") or answer.period.end


def end_of_row(answer: Answer, row: Row) -> datetime:
    return in_row(answer, row)[1]


def start_of_period(answer: Answer, row: Row) -> datetime:
    return answer.period.start


def as_of(answer: Answer, row: Row) -> datetime:
    """The moment at which the report describes what is open."""
    return episodes.as_of(answer.period, answer.at)


def so_far(answer: Answer, row: Row) -> Span:
    """The period up to when work in it is known."""
    return answer.period.start, runs.until(answer.period, answer.at)


def just_now(answer: Answer, row: Row) -> datetime:
    """Just after the report was made, so that what happened at that instant has happened."""
    return answer.at + MOMENT


def no_words(row: Row) -> Words | None:
    return {}


def nothing_more(answer: Answer, row: Row) -> list[Where] | None:
    return []


@dataclass(frozen=True, slots=True)
class Lead:
    """Leads to ``facts`` counted by the time ``on``: to the ``column`` of a definition with the conditions ``where``.

    ``span``: from when to when. ``words``: those of the row by dimension. ``more``: further conditions. Where one of
    these is None, the figure leads nowhere.
    """

    facts: str
    on: str
    column: str = "count"
    where: tuple[Where, ...] = ()
    span: Callable[[Answer, Row], Span | None] = in_row
    words: Callable[[Row], Words | None] = no_words
    more: Callable[[Answer, Row], list[Where] | None] = nothing_more

    def __call__(self, answer: Answer, row: Row) -> tuple[Definition, Cell] | None:
        span, words, more = self.span(answer, row), self.words(row), self.more(answer, row)
        if span is None or words is None or more is None:
            return None
        document: dict[str, Any] = {
            "version": 1,
            "facts": self.facts,
            "measures": [_measured(self.column)],
            "by": list(words),
            "time": {"on": self.on},
        }
        if where := [*self.where, *more]:
            document["where"] = where[0] if len(where) == 1 else {"all": where}
        return _read(json.dumps(document)), Cell(self.column, *span, words)

    def of(self, column: str) -> "Lead":
        """To the facts with a value for the ``column``, such as ``cycle_p85``."""
        return replace(self, column=column)

    def having(self, *where: Where) -> "Lead":
        """To those that meet these conditions as well."""
        return replace(self, where=(*self.where, *where))

    def narrowed(self, more: Callable[[Answer, Row], list[Where] | None]) -> "Lead":
        """To those that meet the conditions that ``more`` gives for a row as well."""

        def both(answer: Answer, row: Row) -> list[Where] | None:
            first, second = self.more(answer, row), more(answer, row)
            return None if first is None or second is None else [*first, *second]

        return replace(self, more=both)

    def by(self, words: Callable[[Row], Words | None]) -> "Lead":
        return replace(self, words=words)


def overlapping(facts: str, span: Callable[[Answer, Row], Span], *where: Where) -> Lead:
    """To what went on at some time of a span."""

    def not_over(answer: Answer, row: Row) -> list[Where]:
        return [not_ended_by(span(answer, row)[0] + MOMENT)]

    return Lead(facts, "began", where=where, span=lambda *asked: (FIRST, span(*asked)[1]), more=not_over)


def going_on(facts: str, moment: Callable[[Answer, Row], datetime], *where: Where) -> Lead:
    """To what had begun and not ended by a moment; what begins at it had not, as in periods."""

    return overlapping(facts, lambda *asked: (moment(*asked) - MOMENT, moment(*asked)), *where)


def not_ended_by(moment: datetime) -> Where:
    return {"any": [{"field": "ended", "is_set": False}, {"field": "ended", "after": stamp(moment)}]}


def durations(lead: Lead, column: str, measure: str) -> dict[str, Lead]:
    """Where the columns of a duration lead, which ``times.columns_of`` names after ``column``."""
    names = {"count": "count", "average_seconds": "mean", "median_seconds": "p50"}
    names |= {f"{each}_seconds": each for each in ("p85", "p95")}
    return {f"{column}_{name}": lead.of(f"{measure}_{aggregate}") for name, aggregate in names.items()}


def is_(field: str, value: str | bool) -> Where:
    return {"field": field, "is": value}


def in_(field: str, *values: str) -> Where:
    return {"field": field, "in": list(values)}


def is_set(field: str) -> Where:
    return {"field": field, "is_set": True}


def not_(where: Where) -> Where:
    return {"not": where}


def of_agent(row: Row) -> Words | None:
    """Whose facts are in a row by agent; without an agent they are those of agents that are deleted."""
    if row.get("agent") is not None:
        return {"agent": row["agent"]}
    return {ALL: {}, DELETED: {"agent": None}}.get(row.get("name", ALL))


def of_credited(row: Row) -> Words | None:
    """Whose completions are in a row by agent."""
    if row.get("agent") is not None:
        return {"agent": row["agent"]}
    credits = {SEVERAL: Credit.SEVERAL, NOBODY: Credit.NOBODY, DELETED: Credit.AGENT}
    name = row.get("name", ALL)
    return {} if name == ALL else {"agent": None, "credit": credits[name].value}


def with_version(words: Callable[[Row], Words | None]) -> Callable[[Row], Words | None]:
    """``words`` in rows by agent and version."""

    def of(row: Row) -> Words | None:
        known = words(row)
        return {**known, "version": row.get("version")} if known else known

    return of


#: Episodes that were completed in the row's time; that ended in it without a completion.
COMPLETED_THEN: Final = Lead("episodes", "completed")
ENDED_OTHERWISE: Final = Lead("episodes", "ended", where=(in_("end", *(end.value for end in episodes.OTHERWISE)),))
#: Tasks as they are now, whatever the period.
TASKS_NOW: Final = Lead("tasks", "updated", span=lambda answer, row: (FIRST, LAST))
#: Runs that ended in it.
RUNS_ENDED: Final = Lead("runs", "ended")


@lru_cache(maxsize=2_000)
def _read(document: str) -> Definition:
    return read(json.loads(document))


def _measured(column: str) -> dict[str, str]:
    name, _, aggregate = column.rpartition("_")
    assert aggregate in AGGREGATES
    return {"name": name, "aggregate": aggregate} if name else {"aggregate": aggregate}
