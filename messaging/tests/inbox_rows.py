"""What the inbox is made of, for its tests: a factory for each kind of item."""

import uuid
from datetime import timedelta
from typing import Any

from django.db.models import F

from tasks import clock
from tasks.actions import claims, runs
from tasks.models import Question, Run, Task

OPTIONS = [{"label": "Staging", "description": "Nobody notices.", "recommended": True}, {"label": "Production"}]


def in_review(cast: Any, new_task: Any, **fields: Any) -> Task:
    task = new_task(review_required=True, **fields)
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.complete_run(actor=cast.atlas.user, run_id=run.pk, summary="All keys are new.")
    return task


def failed(cast: Any, new_task: Any, **fields: Any) -> Task:
    task = new_task(**fields)
    fail(cast, task)
    return task


def fail(cast: Any, task: Task) -> None:
    run = claims.claim_task(actor=cast.atlas.user, task=task)
    runs.fail_run(actor=cast.atlas.user, run_id=run.pk, code="broken", detail="It broke.", retryable=False)


def begun(cast: Any, new_task: Any, **fields: Any) -> tuple[Task, Run]:
    task = new_task(**fields)
    return task, claims.claim_task(actor=cast.atlas.user, task=task)


def asked(run: Run, *, ask: uuid.UUID | None = None, ago: timedelta = timedelta(), **fields: Any) -> Question:
    """An open question of ``run``, to everyone unless ``fields`` say otherwise."""
    given = {"prompt": "Which one first?", "kind": "choice", "options": OPTIONS} | fields
    if given["kind"] != "choice":
        given["options"] = []
    Task.objects.filter(pk=run.task_id).update(open_questions=F("open_questions") + 1)
    return Question.objects.create(
        project=run.task.project, task=run.task, run=run, ask=ask or uuid.uuid4(), asked_at=clock.now() - ago, **given
    )
