"""How urgent an item is: one number, made of factors that can be said in words.

In SQL, so that the most urgent of any number of items are read without the others:

    weight of what it is × priority of the task (1, 2, 4, 8) × due (overdue 4, within a day 2)
        × 2 if another task waits for it × age (10 to 20)

A question's own urgency (1, 2, 4, 8) multiplies it too.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, Exists, Expression, IntegerField, OuterRef, Value, When
from django.db.models.expressions import Combinable

from tasks.models import Dependency, Priority, Task
from tasks.transitions import Status

NORMAL = 2
#: From which score on an item is called that.
LEVELS = ((600, "urgent"), (250, "high"), (60, "normal"), (0, "low"))
SOON = timedelta(hours=24)
#: From which age on an item counts for more, out of ten.
AGES = (
    (timedelta(days=7), 20),
    (timedelta(days=3), 18),
    (timedelta(days=1), 16),
    (timedelta(hours=8), 14),
    (timedelta(hours=1), 12),
)
YOUNG = 10


def _case(*whens: When, default: int) -> Expression:
    return Case(*whens, default=Value(default), output_field=IntegerField())


def by_priority(field: str) -> Expression:
    """1, 2, 4, 8 for low to urgent."""
    higher = (Priority.URGENT, Priority.HIGH, Priority.NORMAL)
    return _case(*(When(**{field: level}, then=Value(2 ** (level - 1))) for level in higher), default=1)


def by_age(now: datetime) -> Expression:
    """10 to 20, by the annotation ``item_since``."""
    return _case(*(When(item_since__lte=now - age, then=Value(times)) for age, times in AGES), default=YOUNG)


def of_task(weight: Any, now: datetime, task: str = "") -> Combinable:
    """The score of an item of a task. ``task``: how a row refers to it, as in ``task__``; ``weight``: a number, or an
    expression.
    """
    due = _case(
        When(**{f"{task}due_at__lte": now}, then=Value(4)),
        When(**{f"{task}due_at__lte": now + SOON}, then=Value(2)),
        default=1,
    )
    pk = OuterRef(f"{task}pk" if task else "pk")
    waiting = Dependency.objects.filter(depends_on=pk, task__status=Status.NOT_STARTED)
    blocking = _case(When(Exists(waiting), then=Value(2)), default=1)
    start: Any = Value(weight) if isinstance(weight, int) else weight
    score: Combinable = start * by_priority(f"{task}priority") * due * blocking * by_age(now)
    return score


def of_other(weight: int, now: datetime) -> Combinable:
    """The score of an item that belongs to no task."""
    score: Combinable = Value(weight * NORMAL) * by_age(now)
    return score


def level_of(score: int) -> str:
    """``urgent``, ``high``, ``normal`` or ``low``."""
    return next(name for least, name in LEVELS if score >= least)


def reasons(task: Task | None, now: datetime, *, blocks: int = 0) -> list[str]:
    """What makes an item of ``task`` more or less urgent than others, in words. ``blocks``: how many wait for it."""
    if task is None:
        return []
    words = []
    if task.priority != Priority.NORMAL:
        words.append(f"{Priority(task.priority).label.lower()} priority")
    if task.due_at is not None and task.due_at <= now:
        words.append("overdue")
    elif task.due_at is not None and task.due_at <= now + SOON:
        words.append("due within a day")
    if blocks:
        words.append(f"{blocks} {'task waits' if blocks == 1 else 'tasks wait'} for it")
    return words
