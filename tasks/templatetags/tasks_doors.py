"""Buttons of tasks and controls of questions on pages other than a task's own."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from django import template
from django.urls import reverse

from tasks.models import Agent, Question, Task
from tasks.pages.questions import Control
from tasks.pages.verbs import Offer
from tasks.using.forms import InputForm
from tasks.verbs.catalogue import VERBS

register = template.Library()


@register.inclusion_tag("tasks/_verb.html")
def verb_door(task: Task, key: str, run: int | None = None, back: str = "", ref: str = "") -> dict[str, Any]:
    """The button of the verb ``key`` on ``task``, and its form, which posts to the task's page and leads ``back``.

    Only for a verb that the reader may use now. ``run``: the number of the run that it is used on. ``ref``: of another
    task of the same project that it is used on instead, with none of whose fields the form needs.
    """
    verb, ref = VERBS[key], ref or task.ref
    offer = Offer(verb, InputForm(verb, task, auto_id=f"{ref}-{verb.name}-%s"), of_run=run is not None)
    if not verb.asks:
        # One click: who wants to add a note finds the form on the task's page.
        offer.form.fields.clear()
    return {
        "offer": offer,
        "run": SimpleNamespace(number=run),
        "action": reverse("task", args=[ref]),
        "back": back,
        "about": ref,
        "names_ref": ref != task.ref,
    }


@register.inclusion_tag("tasks/_assign.html")
def assign_door(task: Task, agents: Sequence[Agent], back: str = "") -> dict[str, Any]:
    """The button *Assign to…* with the ``agents`` to choose from; only for those who may assign ``task``."""
    return {"task": task, "agents": agents, "back": back}


@register.inclusion_tag("tasks/_question.html")
def question_control(question: Question, back: str = "", may_answer: bool = True, bare: bool = False) -> dict[str, Any]:
    """The answering control of ``question`` for a reader who may answer it, or what became of it; it leads ``back``.

    ``bare``: without who asked whom, where the page says that itself.
    """
    return {"control": Control(question, may_answer=may_answer), "back": back, "bare": bare}
