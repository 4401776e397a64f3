"""What time does to questions that nobody answers. Safe with any number of engines: the row decides, not the clock."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from taskproject.prepared.together import LostRace
from tasks import clock
from tasks.actions.directives import queue
from tasks.actions.funnel import (
    active_run,
    backoff,
    failure_of,
    give_back_pulled,
    load_task,
    move,
    status_changed,
    stop,
)
from tasks.actions.locking import hold
from tasks.actions.questions.answering import supersede
from tasks.actions.questions.ending import about, end_question, load_locked, outdated, settle
from tasks.actions.runs import RETRY_BASE, RETRY_CAP
from tasks.actions.timekeeping import ends_before
from tasks.actions.transactions import in_transaction
from tasks.errors import NotFound
from tasks.events import kinds
from tasks.events.phrases import QUESTION_EXPIRED
from tasks.events.recording import record
from tasks.finding import find_question
from tasks.models import OnExpiry, Question, QuestionState, Run, RunStatus
from tasks.transitions import Status

BATCH = 200
_DETAIL = "Nobody answered in time: "


def _due(now: datetime) -> QuerySet[Question]:
    """Open questions whose time is over; while no server could answer, no time passed for them."""
    return Question.objects.open().filter(expired_at__isnull=True, expires_at__lte=ends_before(now))


def expiring_questions(limit: int = BATCH) -> list[int]:
    """Ids of the open questions whose time is over, the earliest first."""
    return list(_due(clock.now()).order_by("expires_at").values_list("pk", flat=True)[:limit])


@in_transaction
def expire_question(question_id: int) -> bool:
    """Do what is to happen as nobody answered the question in time; False if somebody was faster."""
    try:
        question = find_question(None, question_id)
    except NotFound:
        return False
    if not _due(clock.now()).filter(pk=question.pk).exists():
        return False
    match question.on_expiry:
        case OnExpiry.DEFAULT if outdated(question):
            supersede(question.pk)
        case OnExpiry.DEFAULT:
            end_question(
                question,
                QuestionState.DEFAULTED,
                kind=kinds.QUESTION_ANSWERED,
                row="answer",
                actor=None,
                value=question.default,
                by_default=True,
            )
        case OnExpiry.FAIL:
            _fail(question)
        case _:
            _tell_anew(question)
    return True


def _tell_anew(question: Question) -> None:
    """It stays open; those who may answer hear of it again, or the managers do."""
    escalates = question.on_expiry == OnExpiry.ESCALATE
    load_task(question.task, lock=True)
    now = clock.now()
    changes: dict[str, Any] = {"expired_at": now} | ({"escalated_at": now} if escalates else {})
    if not _due(now).filter(pk=question.pk).update(**changes):
        raise LostRace
    if escalates:
        record(about(kinds.QUESTION_ESCALATED, question, actor=None, now=now))
    else:
        record(about(kinds.QUESTION_EXPIRED, question, actor=None, now=now, on_expiry=question.on_expiry))


def _fail(question: Question) -> None:
    """The attempt that asked fails, as by ``fail`` with a retry, whether it goes on or has parked for the answer.

    If it has ended otherwise, only the question is over.
    """
    task = load_task(question.task)
    active = active_run(task, lock=True)
    waits = task.status == Status.WAITING and question.is_parked
    goes_on = active is not None and active.pk == question.run_id and task.status == Status.IN_PROGRESS
    attempts = task.attempts + 1
    again = attempts < task.max_attempts
    target = Status.NOT_STARTED if again or not (waits or goes_on) else Status.FAILED
    held = hold([task], target)
    now = held.at
    ended = {"state": QuestionState.FAILED, "ended_at": now, "expired_at": now}
    if not _due(now).filter(pk=question.pk).update(**ended):
        raise LostRace
    question.task = task
    if not waits and not goes_on:
        if active is not None:
            queue.added(active)
        settle(load_locked(task, active), question, row="withdraw", actor=None, now=now)
        record(about(kinds.QUESTION_EXPIRED, question, actor=None, now=now, on_expiry=question.on_expiry))
        return
    run = question.run
    detail = f"{_DETAIL}{question.prompt}"
    failure = {"code": QUESTION_EXPIRED, "detail": detail, "retryable": True}
    if goes_on:
        assert active is not None
        run = active
        stop(run, RunStatus.FAILED, held=held)
    Run.objects.filter(pk=run.pk).update(failure=failure)
    shown = failure_of(run, code=QUESTION_EXPIRED, detail=detail, attempt=attempts, at=now)
    open_ones = Question.objects.open().filter(task=task).count()
    kept: dict[str, Any] = {"attempts": attempts, "last_failure": shown}
    if again:
        until = now + backoff(attempts, base=RETRY_BASE, cap=RETRY_CAP)
        kept |= {"deferred_until": until, "open_questions": open_ones}
        # The task waits for the others no more; whoever takes it next is told their answers.
        Question.objects.open().filter(task=task).update(is_parked=False)
    # Those that others asked are answered for the next attempt, or withdrawn with the task.
    moved = move(task, "expire", target, held=held, actor=None, **kept)
    if again:
        give_back_pulled(task, run.agent_id, now=now)
    ids = sorted({question.pk, *moved.facts.pop("questions", [])})
    outcome = RunStatus.FAILED.value
    facts: dict[str, Any] = {"outcome": outcome, "questions": ids, "code": QUESTION_EXPIRED, "detail": detail}
    record(status_changed(task, moved, held=held, actor=None, run=run, **facts), *moved.around)
