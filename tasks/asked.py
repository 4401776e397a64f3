"""Questions and their answers as the API, pages, and the replies to agents show them. All text in them is untrusted."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Window
from django.db.models.functions import RowNumber

from tasks.models import Priority, Question, QuestionState, Run
from tasks.permissions import agent_of

URGENCIES = {priority.value: priority.name.lower() for priority in Priority}
#: The latest answers that a run's context has.
ANSWERS_SHOWN = 50
ANSWERED = (QuestionState.ANSWERED, QuestionState.DEFAULTED)


def name_of_user(user: Any) -> str | None:
    """A user's public name: the agent's slug, else the username."""
    if user is None:
        return None
    agent = agent_of(user)
    return agent.slug if agent else user.get_username()


def addressee(question: Question) -> str | None:
    """Whom a question is for: a slug or username, a role; None: everyone of the project who may answer."""
    return name_of_user(question.to_user) or question.to_role or None


def question_output(question: Question) -> dict[str, Any]:
    """A question, read ``to_show``, as JSON values."""
    answered = question.state in ANSWERED
    return {
        "id": question.pk,
        "project": question.project.key,
        "task": question.task.ref,
        "run_number": question.run.number,
        "agent": question.run.agent.slug,
        "prompt": question.prompt,
        "kind": question.kind,
        "options": question.options,
        "multi": question.multi,
        "strict": question.strict,
        "schema": question.schema,
        "default": question.default,
        "to": addressee(question),
        "urgency": URGENCIES[question.urgency],
        "state": question.state,
        "parked": question.is_parked,
        "asked_at": question.asked_at,
        "expires_at": question.expires_at,
        "on_expiry": question.on_expiry,
        "expired_at": question.expired_at,
        "escalated_at": question.escalated_at,
        "dedupe_key": question.dedupe_key,
        "version": question.bound_version,
        "artifact": question.bound_hash or None,
        "value": question.value,
        "note": question.note,
        "answered_by": name_of_user(question.answered_by) if answered else None,
        "answered_at": question.ended_at if answered else None,
        "ended_at": question.ended_at,
    }


def question_outputs(questions: Iterable[Question]) -> list[dict[str, Any]]:
    return [question_output(question) for question in questions]


def answer_in_context(question: Question) -> dict[str, Any]:
    """An answer, read ``to_show``, as the context of a run has it."""
    return {
        "question": question.pk,
        "prompt": question.prompt,
        "kind": question.kind,
        "state": question.state,
        "value": question.value,
        "note": question.note,
        "from": name_of_user(question.answered_by),
        "at": question.ended_at,
        "run_number": question.run.number,
    }


def answers_for(runs: Sequence[Run]) -> Mapping[UUID, list[dict[str, Any]]]:
    """The answers for the context of each run (by id): the latest to what was asked about its task, oldest first.

    One query for all of them, and none for what a first run starts with.
    """
    by_run: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    by_task = {run.task_id: run for run in runs if _may_have_asked(run)}
    if not by_task:
        return by_run
    place = Window(RowNumber(), partition_by="task", order_by=["-ended_at", "-pk"])
    rows = Question.objects.to_show().filter(task__in=by_task, state__in=ANSWERED).annotate(place=place)
    for question in rows.filter(place__lte=ANSWERS_SHOWN).order_by("ended_at", "pk"):
        by_run[by_task[question.task_id].pk].append(answer_in_context(question))
    return by_run


def _may_have_asked(run: Run) -> bool:
    """Whether there may be a question about the run's task: it, or an earlier run, has called since it was claimed."""
    return run.number > 1 or run.last_heartbeat_at > run.started_at
