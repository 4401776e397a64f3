"""Open questions of tasks that need no answer any more, and how many there are. Part of running verbs."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Count, F, IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce

from tasks.models import Question, QuestionState, Task
from tasks.transitions import OPEN


def withdraw_all(tasks: Iterable[int], now: datetime) -> list[int]:
    """Withdraw what is still open about these tasks (by id), which the verb moves; returns the ids of the questions."""
    ids = sorted(Question.objects.open().filter(task__in=list(tasks)).values_list("pk", flat=True))
    Question.objects.open().filter(pk__in=ids).update(state=QuestionState.WITHDRAWN, ended_at=now)
    return ids


def recount_questions() -> list[str]:
    """Refs of open tasks whose ``open_questions`` is wrong. Read-only."""
    counted = Question.objects.open().filter(task=OuterRef("pk")).order_by().values("task").annotate(n=Count("pk"))
    tasks = Task.objects.filter(status__in=sorted(OPEN)).select_related("project")
    waiting = Coalesce(Subquery(counted.values("n"), output_field=IntegerField()), 0)
    return [task.ref for task in tasks.annotate(waiting=waiting).exclude(open_questions=F("waiting"))]
