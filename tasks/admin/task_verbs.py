"""The verbs of one task as buttons: exactly those that are legal now and that the user may use."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import QuerySet

from tasks.actions import claims, lifecycle, reviews, runs
from tasks.actions.funnel import active_run
from tasks.errors import NotFound
from tasks.models import Agent, AgentKind, Membership, Role, Run, Task
from tasks.offers import open_verbs
from tasks.permissions import agent_of, may
from tasks.transitions import allowed


@dataclass(frozen=True)
class PageVerb:
    """A verb of the task page. ``did`` is told afterwards; ``fields`` builds what it asks for."""

    name: str
    label: str
    did: str
    run: Callable[[Any, Task, dict[str, Any]], Any]
    fields: Callable[[Any, Task], dict[str, forms.Field]] = lambda actor, task: {}
    is_danger: bool = False


def _note(label: str, *, required: bool = False) -> Callable[[Any, Task], dict[str, forms.Field]]:
    def fields(actor: Any, task: Task) -> dict[str, forms.Field]:
        widget = forms.Textarea(attrs={"rows": 2})
        return {"note": forms.CharField(label=label, required=required, max_length=10_000, widget=widget)}

    return fields


def people_of(task: Task) -> QuerySet[Agent]:
    """Human agents that may work in the task's project."""
    members = Membership.objects.filter(project=task.project_id).exclude(role=Role.VIEWER)
    return Agent.objects.filter(kind=AgentKind.HUMAN, enabled=True, user__in=members.values("user"))


def _who(actor: Any, task: Task) -> dict[str, forms.Field]:
    people = people_of(task)
    own = agent_of(actor)
    assigned = people.filter(assignments__task=task, assignments__ended_at__isnull=True).first()
    return {
        "agent": forms.ModelChoiceField(
            people, label="Who starts it", initial=assigned or own or people.first(), empty_label=None
        )
    }


def _held_run(actor: Any, task: Task) -> Run:
    run = active_run(task)
    agent = agent_of(actor)
    if run is None or agent is None or run.agent_id != agent.pk:
        raise NotFound(f"You hold no run of {task.ref}.")
    return run


def _progress_fields(actor: Any, task: Task) -> dict[str, forms.Field]:
    return {
        "percent": forms.IntegerField(label="Percent", min_value=0, max_value=100, initial=task.progress_percent),
        "note": forms.CharField(label="Note (optional)", required=False, max_length=1000),
    }


def _summary_field(actor: Any, task: Task) -> dict[str, forms.Field]:
    widget = forms.Textarea(attrs={"rows": 3})
    return {"summary": forms.CharField(label="What was done", max_length=10_000, widget=widget)}


def _failure_fields(actor: Any, task: Task) -> dict[str, forms.Field]:
    widget = forms.Textarea(attrs={"rows": 2})
    return {
        "detail": forms.CharField(label="Why", max_length=10_000, widget=widget),
        "retryable": forms.BooleanField(label="Worth another attempt", required=False, initial=True),
    }


PAGE_VERBS: dict[str, PageVerb] = {
    verb.name: verb
    for verb in (
        PageVerb(
            "start",
            "Start",
            "Started",
            lambda actor, task, data: claims.start_task(actor=actor, task=task, agent=data["agent"]),
            _who,
        ),
        PageVerb(
            "progress",
            "Report progress",
            "Progress noted for",
            lambda actor, task, data: runs.progress_run(
                actor=actor, run_id=_held_run(actor, task).pk, percent=data["percent"], note=data["note"] or None
            ),
            _progress_fields,
        ),
        PageVerb(
            "complete",
            "Complete",
            "Completed",
            lambda actor, task, data: runs.complete_run(
                actor=actor, run_id=_held_run(actor, task).pk, summary=data["summary"]
            ),
            _summary_field,
        ),
        PageVerb(
            "fail",
            "Fail",
            "Ended the attempt at",
            lambda actor, task, data: runs.fail_run(
                actor=actor,
                run_id=_held_run(actor, task).pk,
                code="given_up",
                detail=data["detail"],
                retryable=data["retryable"],
            ),
            _failure_fields,
        ),
        PageVerb(
            "release",
            "Release",
            "Released",
            lambda actor, task, data: lifecycle.release_task(actor=actor, task=task, note=data["note"]),
            _note("Note (optional): the holder loses its run, at no cost of an attempt"),
        ),
        PageVerb(
            "approve",
            "Approve",
            "Approved",
            lambda actor, task, data: reviews.approve_task(actor=actor, task=task, note=data["note"]),
            _note("Note (optional)"),
        ),
        PageVerb(
            "request_changes",
            "Request changes",
            "Requested changes of",
            lambda actor, task, data: reviews.request_changes(actor=actor, task=task, note=data["note"]),
            _note("What should change", required=True),
        ),
        PageVerb(
            "reopen",
            "Reopen",
            "Reopened",
            lambda actor, task, data: lifecycle.reopen_task(actor=actor, task=task, note=data["note"]),
            _note("Note (optional)"),
        ),
        PageVerb(
            "cancel",
            "Cancel",
            "Cancelled",
            lambda actor, task, data: lifecycle.cancel_task(actor=actor, task=task, note=data["note"]),
            _note("Note (optional): an active run ends, and tasks that wait for this one stay blocked"),
            is_danger=True,
        ),
    )
}


def verb_form(verb: PageVerb, actor: Any, task: Task, data: Any = None) -> forms.Form:
    form = forms.Form(data, prefix=verb.name, auto_id="id_verb_%s")
    form.fields.update(verb.fields(actor, task))
    return form


def verbs_now(actor: Any, task: Task) -> list[PageVerb]:
    """The verbs that the page offers ``actor`` for ``task`` as it is now."""
    offered = open_verbs(actor, task)
    found = [verb for verb in PAGE_VERBS.values() if verb.name in offered]
    return [verb for verb in found if verb.name != "start" or people_of(task).exists()]


def may_adopt(actor: Any, task: Task) -> bool:
    return "adopt" in allowed(task.status) and may(actor, "adopt", task)
