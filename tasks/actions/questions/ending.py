"""How a question ends: one conditional UPDATE, and with the last open one the task that waited for it goes on.

Part of running verbs. They lock the run and the task before the question, so that of two answers to the last two
questions one sees that it is the last.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import F

from taskproject.errors import shortened
from taskproject.prepared.together import LostRace
from tasks import clock
from tasks.actions.directives import queue
from tasks.actions.funnel import Moved, active_run, load_task, move
from tasks.actions.locking import Held
from tasks.actions.offering import accept_by
from tasks.asked import ANSWERED, name_of_user
from tasks.errors import AlreadyAnswered, DomainError, QuestionEnded, Superseded
from tasks.events import kinds
from tasks.events.declaration import Kind
from tasks.events.recording import event, record
from tasks.models import (
    Agent,
    Artifact,
    Assignment,
    AssignmentEnd,
    AssignmentSource,
    Event,
    Membership,
    Question,
    QuestionState,
    Run,
    Task,
)
from tasks.questions import shown_value
from tasks.transitions import Status

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: How much of a question its events have.
PROMPT_IN_EVENT = 300
#: What changes what a task says, so that a question about its version is out of date.
_EDITS = (kinds.TASK_EDITED, kinds.TASK_IMPORTED, kinds.TASK_REIMPORTED)


def refusal(question: Question) -> DomainError:
    """Why a question that has ended cannot be answered or withdrawn."""
    if question.state in ANSWERED:
        who = name_of_user(question.answered_by) if question.state == QuestionState.ANSWERED else None
        if who is None and question.state == QuestionState.ANSWERED:
            who = "Somebody"
        return AlreadyAnswered(
            answered_by=who,
            shown=shown_value(question.value),
            value=question.value,
            answered_at=question.ended_at,
        )
    if question.state == QuestionState.SUPERSEDED:
        return Superseded("What this question is about has changed.", question.note)
    why = "was withdrawn" if question.state == QuestionState.WITHDRAWN else "was not answered in time"
    return QuestionEnded(f"This question {why}.", "It needs no answer any more.", state=question.state)


def outdated(question: Question) -> str:
    """What has changed that ``question`` is about, in one sentence; empty if nothing has."""
    task = question.task
    if question.bound_version is not None and task.version != question.bound_version:
        edited = Event.objects.filter(task=task, kind__in=_EDITS, at__gt=question.asked_at)
        if (last := edited.order_by("-pk").first()) is not None:
            return f"{task.ref} was edited by {last.actor_name or 'an import'} after the question was asked."
    if question.bound_hash and not is_latest(task, question.bound_hash):
        return f"The artifact of {task.ref} that the question is about has changed."
    return ""


def is_latest(task: Task, sha256: str) -> bool:
    """Whether an artifact of ``task`` has this hash, and none of its name was made later."""
    artifacts = Artifact.objects.filter(run__task=task, is_late=False)
    names = artifacts.filter(sha256=sha256).values("name")
    newest = artifacts.filter(name__in=names).order_by("name", "-pk").values_list("name", "sha256")
    latest: dict[str, str] = {}
    for name, digest in newest:
        latest.setdefault(name, digest)
    return sha256 in latest.values()


def end_question(
    question: Question,
    state: QuestionState,
    *,
    kind: Kind,
    row: str,
    actor: "User | None",
    value: Any = None,
    note: str = "",
    **facts: Any,
) -> None:
    """End an open question, and if its task waits for no other, return the task to the agent that asked.

    ``row``: the move in the table of transitions; ``facts``: of the event, besides those of every question.
    Raises ``LostRace`` if it has ended meanwhile.
    """
    active = active_run(question.task, lock=True)
    task = load_locked(question.task, active)
    now = clock.now()
    changes = {"state": state, "value": value, "note": note, "answered_by": actor, "ended_at": now}
    if not Question.objects.open().filter(pk=question.pk).update(**changes):
        raise LostRace
    for name, each in changes.items():
        setattr(question, name, each)
    question.task = task
    if active is not None:
        queue.added(active)
    moved = settle(task, question, row=row, actor=actor, now=now)
    if state in ANSWERED:
        facts["value"] = shown_value(value)
    said = {name: fact for name, fact in (facts | {"note": note}).items() if fact not in (None, "")}
    record(about(kind, question, actor=actor, now=now, **said, **moved.facts), *moved.around)


def load_locked(task: Task, active: Run | None) -> Task:
    """``task``, locked after its ``active`` run.

    Raises ``LostRace`` if a run began between the two: its holder must be told, too.
    """
    locked = load_task(task, lock=True)
    if active is None and locked.status == Status.IN_PROGRESS:
        raise LostRace
    return locked


def settle(task: Task, question: Question, *, row: str, actor: "User | None", now: datetime) -> Moved:
    """Count one open question of the locked ``task`` less; if it waited for that one, it can be claimed again."""
    open_ones = Question.objects.open().filter(task=task).count()
    if task.status == Status.WAITING and not open_ones:
        moved = move(task, row, Status.NOT_STARTED, held=Held(now), actor=actor, open_questions=0)
        keep_for(question.run.agent, task, now)
        return moved
    # The number of open questions is shown with the task.
    Task.objects.filter(pk=task.pk).update(open_questions=open_ones, updated_at=now, version=F("version") + 1)
    task.open_questions, task.updated_at, task.version = open_ones, now, task.version + 1
    return Moved()


def keep_for(agent: Agent, task: Task, now: datetime) -> None:
    """Let ``agent`` have ``task`` first: what it pulled or was offered is an offer again, which lapses as any other.

    What staff assigned stays assigned. An agent that may not work there any more keeps nothing.
    """
    unasked = (AssignmentSource.PULL, AssignmentSource.AUTO)
    theirs = Assignment.objects.active().filter(task=task, agent=agent, source__in=unasked)
    works = Membership.objects.filter(user=agent.user_id, project=task.project_id).working().exists()
    if agent.enabled and works:
        theirs.update(source=AssignmentSource.AUTO, created_at=now, accept_by=accept_by(agent, task.project, now))
    else:
        theirs.update(ended_at=now, end_reason=AssignmentEnd.GIVEN_BACK)


def about(kind: Kind, question: Question, *, actor: "User | None", now: datetime, **facts: Any) -> Event:
    """An event about one question."""
    return event(
        kind,
        at=now,
        actor=actor,
        task=question.task,
        run=question.run,
        agent=question.run.agent,
        question=question.pk,
        prompt=shortened(question.prompt, PROMPT_IN_EVENT),
        **facts,
    )
