"""The facts behind a figure as rows: their task, and what the vocabulary says of them, in the reader's words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from reports.columns import Column
from reports.definitions import Definition
from reports.units import FLAG, SECONDS, settled
from reports.vocabulary import FACTS
from reports.vocabulary.declaration import Dimension, Fact, Measure, Moment
from tasks.models import Task

#: Of dimensions with few values, those that a page has no room for.
_LEFT_OUT = frozenset(
    {"agent_kind", "priority", "credit", "urgency", "former_credit", "punctuality", "entry_time", "end_time"}
)
#: How many durations a page has beside what was asked for.
_MOST_DURATIONS = 2


@dataclass(frozen=True, slots=True)
class Shown:
    """A fact: its task by ref, the title where the task is there and the reader sees it, and its values by column."""

    ref: str
    title: str | None
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sight:
    """What is shown of a kind of fact. ``columns`` of a page are fewer than those of a file."""

    fact: Fact
    dimensions: tuple[Dimension, ...]
    moments: tuple[Moment, ...]
    measures: tuple[Measure, ...]

    @property
    def columns(self) -> list[Column]:
        return [
            *(Column(each.name, each.label, "text", "dimension") for each in self.dimensions),
            *(Column(f"at_{each.name}", each.label, "time", "time") for each in self.moments),
            *(Column(f"m_{each.name}", each.label, each.unit) for each in self.measures),
        ]

    def with_values(self, rows: QuerySet, now: datetime) -> QuerySet:
        """``rows`` with what is shown of them."""
        known = rows.query.annotations
        values = {f"d_{each.name}": each.expression for each in self.dimensions}
        values |= {f"m_{each.name}": each.expression(now) for each in self.measures if f"m_{each.name}" not in known}
        return rows.annotate(**values)

    def show(self, facts: Sequence[Any]) -> list[Shown]:
        """The facts, with two queries more for their tasks and names."""
        tasks = {pk: _task_of(each) for pk, each in ((each.pk, each) for each in facts)}
        ids = {task for task, _ in tasks.values() if task is not None}
        known = {task.pk: task for task in Task.objects.filter(pk__in=ids).select_related("project").only(
            "number", "title", "project__key"
        )}  # fmt: skip
        labels = {
            each.name: each.labels({each.word(getattr(fact, f"d_{each.name}")) for fact in facts})
            for each in self.dimensions
        }
        shown = []
        for fact in facts:
            pk, ref = tasks[fact.pk]
            task = known.get(pk) if pk is not None else None
            shown.append(Shown(task.ref if task else ref, task.title if task else None, self._values(fact, labels)))
        return shown

    def _values(self, fact: Any, labels: dict[str, dict[str | None, str]]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for each in self.dimensions:
            word = each.word(getattr(fact, f"d_{each.name}"))
            values[each.name] = labels[each.name].get(word, word)
        for moment in self.moments:
            values[f"at_{moment.name}"] = getattr(fact, moment.field)
        for measure in self.measures:
            value = getattr(fact, f"m_{measure.name}")
            is_flag = measure.unit == FLAG and value is not None
            values[f"m_{measure.name}"] = bool(value) if is_flag else settled(value, measure.unit)
        return values


def _task_of(fact: Any) -> tuple[int | None, str]:
    """The id of the task of a fact, and the ref that is known of it even without the task."""
    if isinstance(fact, Task):
        return fact.pk, ""
    # An assignment, which knows no ref, is gone with its task.
    return fact.task_id, getattr(fact, "task_ref", "")


def _different(moments: Iterable[Moment]) -> tuple[Moment, ...]:
    by_field: dict[str, Moment] = {}
    for moment in moments:
        by_field[moment.field] = moment
    return tuple(by_field.values())


def sight_of(definition: Definition, *, whole: bool) -> Sight:
    """What is shown of the facts of ``definition``; ``whole``: all that the vocabulary knows, as in a file."""
    fact = FACTS[definition.facts]
    single = [each for each in fact.dimensions if not each.is_many and each.name != "project"]
    asked = {each.name for each in definition.measures}
    measures: list[Measure] = list(fact.measures)
    if not whole:
        few = [each for each in single if each.choices and True not in each.choices and each.name not in _LEFT_OUT]
        single = [each for each in single if each.name in ("agent", *definition.by) or each in few]
        durations = [each for each in measures if each.unit == SECONDS and each.name not in asked][:_MOST_DURATIONS]
        measures = [each for each in measures if each.name in asked or each in durations]
    return Sight(fact, tuple(single), _different(fact.moments), tuple(measures))
