"""Open questions of tasks that need no answer any more, and how many there are. Part of running verbs."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Count, F, IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce

from tasks.models import Question, QuestionState, Task
from tasks.transitions import OPEN


def withdraw_all(tasks: Iterable[int], now: datetime) -> list[int]:
    """Withdraw what is still open about these tasks (by id), which the verb moves; returns the ids of the questions."""
    ids = sorted(Question.objects.open().filter(task__in=list(tasks)).values_list("pk", flat=True))
    Question.objects.open().filter(pk__in=ids).update(state=QuestionState.WITHDRAWN, ended_at=now)
    return ids


def _miscounted() -> list[Task]:
    """Open tasks whose ``open_questions`` is wrong, each with the correct number as ``waiting``."""
    counted = Question.objects.open().filter(task=OuterRef("pk")).order_by().values("task").annotate(n=Count("pk"))
    tasks = Task.objects.filter(status__in=sorted(OPEN)).select_related("project")
    waiting = Coalesce(Subquery(counted.values("n"), output_field=IntegerField()), 0)
    return list(tasks.annotate(waiting=waiting).exclude(open_questions=F("waiting")))


def recount_questions() -> dict[str, tuple[int, int]]:
    """Tasks whose ``open_questions`` is wrong: ref → (stored, counted). Nothing is changed; for ``doctor``."""
    return {task.ref: (task.open_questions, task.waiting) for task in _miscounted()}  # type: ignore[attr-defined]


def repair_questions() -> list[str]:
    """Correct wrong ``open_questions``, each while its task is locked; returns the refs of the tasks."""
    repaired = []
    for task in _miscounted():
        with transaction.atomic():
            locked = Task.objects.select_for_update(no_key=True).filter(pk=task.pk)
            if not locked.exists():
                continue
            right = Question.objects.open().filter(task=task).count()
            wrong = Task.objects.filter(pk=task.pk).exclude(open_questions=right)
            if wrong.update(open_questions=right, version=F("version") + 1):
                repaired.append(task.ref)
    return repaired
