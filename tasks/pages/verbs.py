"""The buttons of the task page: which verbs somebody may use now, and what a click does."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms

from tasks.actions import claims, lifecycle, reviews, runs
from tasks.actions.names import agents_named
from tasks.actions.offering import decline_task
from tasks.assignment.dispatcher import auto_assign
from tasks.errors import Invalid
from tasks.matching.words import why_nobody
from tasks.models import Agent, AgentKind, Run, Task
from tasks.offers import open_verbs
from tasks.pages.forms import CompleteForm, FailForm, NoteForm, ProgressForm, ReleaseForm, StartForm
from tasks.permissions import agent_of, may
from tasks.transitions import Status

if TYPE_CHECKING:
    from datetime import datetime

    from django.contrib.auth.models import User

#: Verbs that have a button, in the order of the page. ``start_for``: a manager, for another person.
SHOWN = (
    "start", "start_for", "auto_assign", "decline", "progress", "complete", "approve", "request_changes",
    "fail", "release", "reopen", "cancel",
)  # fmt: skip


def _may_begin(user: "User", task: Task, now: "datetime", assignees: list[Agent]) -> bool:
    """Whether ``start`` has a chance: a person's own agent, a ready task, assigned to it or to nobody."""
    agent = agent_of(user)
    if agent is None or agent.kind != AgentKind.HUMAN or not task.is_ready(now):
        return False
    return agent in assignees or (not assignees and task.project.allow_pull)


def offered(user: "User", task: Task, now: "datetime", assignees: list[Agent]) -> list[str]:
    """The buttons for ``user``: open verbs that have one, and ``start`` only where it has a chance.

    ``assignees``: the agents that ``task`` is assigned to.
    """
    usable = set(open_verbs(user, task))
    if "start" in usable:
        if task.is_ready(now) and may(user, "assign", task):
            usable.add("start_for")
        if not _may_begin(user, task, now, assignees):
            usable.discard("start")
    if task.status == Status.NOT_STARTED and agent_of(user) in assignees:
        usable.add("decline")
    if not assignees and task.is_ready(now) and may(user, "assign", task):
        usable.add("auto_assign")
    return [verb for verb in SHOWN if verb in usable]


def _checked(form: forms.Form) -> dict[str, Any]:
    """The form's clean data. Raises ``Invalid`` with a message per field."""
    if not form.is_valid():
        errors = form.errors.get_json_data()
        raise Invalid({name: [error["message"] for error in found] for name, found in errors.items()})
    return form.cleaned_data


def _own_run(user: "User", task: Task, number: int) -> Run:
    """The run the page was about, if it is the user's. Raises ``Invalid``; the verb itself tells of a lost lease."""
    agent = agent_of(user)
    run = Run.objects.filter(task=task, number=number, agent=agent).first() if agent else None
    if run is None:
        raise Invalid({"run": f"Run {number} of {task.ref} is not yours."})
    return run


def _start(user: "User", task: Task, data: Any) -> str:
    slug = _checked(StartForm(data))["agent"]
    agent = agents_named([slug], project=task.project, field="agent")[0] if slug else None
    run = claims.start_task(actor=user, task=task, agent=agent)
    return f"{task.ref} is in progress: run {run.number} of {run.agent.slug}."


def _progress(user: "User", task: Task, data: Any) -> str:
    told = _checked(ProgressForm(data))
    run = _own_run(user, task, told["run"])
    runs.progress_run(actor=user, run_id=run.pk, percent=told["percent"], note=told["note"])
    return f"Progress of {task.ref}: {told['percent']} %."


def _complete(user: "User", task: Task, data: Any) -> str:
    told = _checked(CompleteForm(data))
    run = _own_run(user, task, told["run"])
    met = set(data.getlist("met"))
    criteria = [{"criterion": text, "met": str(index) in met} for index, text in enumerate(task.criteria)]
    finished = runs.complete_run(
        actor=user, run_id=run.pk, summary=told["summary"], result=told["result"], criteria=criteria or None
    )
    if finished.task.status == Status.IN_REVIEW:
        return f"{task.ref} is in review now."
    return f"{task.ref} is completed.{_freed(finished.unblocked)}"


def _freed(refs: list[str]) -> str:
    return f" Ready now: {', '.join(refs)}." if refs else ""


def _fail(user: "User", task: Task, data: Any) -> str:
    told = _checked(FailForm(data))
    run = _own_run(user, task, told["run"])
    failed = runs.fail_run(
        actor=user, run_id=run.pk, code=told["code"], detail=told["detail"], retryable=told["retryable"]
    )
    if failed.status == Status.FAILED:
        return f"{task.ref} is failed."
    return f"This attempt at {task.ref} is over; the task comes back after a rest."


def _release(user: "User", task: Task, data: Any) -> str:
    if data.get("run"):
        told = _checked(ReleaseForm(data))
        run = _own_run(user, task, told["run"])
        runs.release_run(actor=user, run_id=run.pk, reason=told["note"])
    else:
        lifecycle.release_task(actor=user, task=task, note=_checked(NoteForm(data))["note"])
    return f"{task.ref} was given back; it can be started again."


def _approve(user: "User", task: Task, data: Any) -> str:
    finished = reviews.approve_task(actor=user, task=task, note=_checked(NoteForm(data))["note"])
    return f"{task.ref} is completed.{_freed(finished.unblocked)}"


def _request_changes(user: "User", task: Task, data: Any) -> str:
    reviews.request_changes(actor=user, task=task, note=_checked(NoteForm(data))["note"])
    return f"{task.ref} goes back to its author with your note."


def _cancel(user: "User", task: Task, data: Any) -> str:
    lifecycle.cancel_task(actor=user, task=task, note=_checked(NoteForm(data))["note"])
    return f"{task.ref} is cancelled."


def _reopen(user: "User", task: Task, data: Any) -> str:
    lifecycle.reopen_task(actor=user, task=task, note=_checked(NoteForm(data))["note"])
    return f"{task.ref} is open again."


def _auto_assign(user: "User", task: Task, data: Any) -> str:
    decision = auto_assign(actor=user, task=task)
    if decision.agent is not None:
        return f"{task.ref} is offered to {decision.agent.slug}."
    return f"Nobody was found for {task.ref}. {why_nobody(decision.candidates, decision.others)}"


def _decline(user: "User", task: Task, data: Any) -> str:
    decline_task(actor=user, task=task, reason=_checked(NoteForm(data))["note"])
    return f"You declined {task.ref}; it is not offered to you again."


def _adopt(user: "User", task: Task, data: Any) -> str:
    number = data.get("run", "")
    run = Run.objects.filter(task=task, number=int(number)).first() if number.isdecimal() and len(number) < 10 else None
    if run is None:
        raise Invalid({"run": f"{task.ref} has no such run."})
    reviews.adopt_late_result(actor=user, run=run)
    return f"The late result of run {run.number} is the result of {task.ref} now."


_HANDLERS: dict[str, Callable[["User", Task, Any], str]] = {
    "start": _start,
    "auto_assign": _auto_assign,
    "decline": _decline,
    "progress": _progress,
    "complete": _complete,
    "fail": _fail,
    "release": _release,
    "approve": _approve,
    "request_changes": _request_changes,
    "cancel": _cancel,
    "reopen": _reopen,
    "adopt": _adopt,
}


def use(user: "User", task: Task, data: Any) -> str:
    """Do what the posted ``verb`` asks and return a sentence that says what came of it. Raises ``DomainError``."""
    handler = _HANDLERS.get(data.get("verb", ""))
    if handler is None:
        raise Invalid({"verb": "There is no such button."})
    return handler(user, task, data)
