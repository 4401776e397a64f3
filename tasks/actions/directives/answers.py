"""Answers to what a run asked without parking, as directives: of the run, or of its successor if it has ended since."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from django.db.models import Q, QuerySet

from tasks.actions.directives.source import Directive, Source
from tasks.asked import name_of_user
from tasks.models import Question, QuestionState, Run

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Answers(Source):
    """The ends of questions, however they ended: a run that goes on has to know that no answer will come, too.

    What is not acknowledged when the run ends is in the context of the next one, as every answer is.
    """

    name: ClassVar[str] = "q"

    def pending(self, runs: Sequence[Run]) -> list[Directive]:
        by_task = {run.task_id: run for run in runs}
        of_runs = Q()
        for run in runs:
            of_runs |= self._of(run)
        rows = Question.objects.filter(of_runs, acknowledged_at__isnull=True) if runs else Question.objects.none()
        return [
            Directive(
                source=self.name,
                pk=question.pk,
                run_id=by_task[question.task_id].pk,
                kind="answer",
                body=question.note,
                sender=name_of_user(question.answered_by) or "",
                authority="answer",
                sent_at=question.ended_at,
                is_queued=question.delivered_at is None,
                further={
                    "question": question.pk,
                    "prompt": question.prompt,
                    "state": question.state,
                    "value": question.value,
                },
            )
            for question in rows.select_related("answered_by__agent")
            if question.ended_at is not None
        ]

    @staticmethod
    def _of(run: Run) -> Q:
        """What ended while ``run`` was active; what it took back itself it knows."""
        own = Q(state=QuestionState.WITHDRAWN, answered_by=run.agent.user_id)
        return Q(task=run.task_id, ended_at__gte=run.started_at, is_parked=False) & ~own

    def _rows(self, run: Run) -> QuerySet[Question]:
        return Question.objects.filter(self._of(run))

    def deliver(self, run: Run, *, at: datetime, actor: "User | None") -> None:
        self._rows(run).filter(delivered_at__isnull=True).update(delivered_at=at)

    def acknowledge(self, run: Run, pks: Sequence[int], *, at: datetime, actor: "User | None") -> set[int]:
        theirs = self._rows(run).filter(pk__in=pks)
        known = set(theirs.values_list("pk", flat=True))
        theirs.filter(acknowledged_at__isnull=True).update(acknowledged_at=at)
        return known

    def end(self, run: Run, *, at: datetime) -> None:
        """Nothing: the answers stay with the task."""


answers = Answers()
