"""Editing one field of a task: a page of its own, and the same form in the place of the field.

With ``X-Requested-With: fetch`` the answer is the form alone, and nothing (204) once the field is saved.
"""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from tasks.errors import DomainError, NotPermitted
from tasks.models import Task
from tasks.pages.new_task import FETCHED, Input
from tasks.pages.returning import way_back
from tasks.pages.task import find_task
from tasks.permissions import require
from tasks.using.editing import Clash, change_field, may_edit_field
from tasks.using.task_fields import FIELDS, TaskField


@dataclass
class Editor:
    """The form of one field. ``base``: what the field said when its text was last shown."""

    task: Task
    of: TaskField
    base: str
    text: str
    next: str = ""
    problem: str = ""
    clash: Clash | None = None
    shows_preview: bool = False
    #: Whether the reader may not change it: then there is no form, only the reason.
    is_refused: bool = False

    @property
    def input(self) -> Input:
        return Input(self.of, self.text, [self.problem] if self.problem else [])

    @property
    def id(self) -> str:
        return f"edit-{self.task.ref}"

    @property
    def leads_back(self) -> str:
        """Where *Cancel* leads: to a path of this site, the page of the task if no other is named."""
        is_path = url_has_allowed_host_and_scheme(self.next, allowed_hosts=None) and self.next.startswith("/")
        return self.next if is_path else reverse("task", args=[self.task.ref])

    @property
    def zone(self) -> str:
        return timezone.get_current_timezone_name()


def _show(request: HttpRequest, editor: Editor, *, status: int = 200) -> HttpResponse:
    is_fetched = request.headers.get("X-Requested-With") == FETCHED
    template = "tasks/_edit_field.html" if is_fetched else "tasks/edit_field.html"
    return render(request, template, {"editor": editor, "task": editor.task}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit_field(request: HttpRequest, ref: str, name: str) -> HttpResponse:
    """The form of one field; a POST changes it and leads back to ``next``, or says why not and keeps the input.

    If somebody was faster, the answer (412) shows their text, one's own, and both together where that can be done; what
    is then sent has theirs as its ``base``. The button ``preview`` shows the text as it will look.
    """
    task = find_task(request, ref)
    field = FIELDS.get(name)
    if field is None:
        raise Http404
    user: Any = request.user
    now = timezone.localtime()
    if request.method != "POST":
        says = field.write(task, now).strip()
        editor = Editor(task, field, says, says, request.GET.get("next", "")[:2_000])
        if not may_edit_field(user, field, task):
            editor.problem, editor.is_refused = _why_not(user, field, task), True
            return _show(request, editor, status=403)
        return _show(request, editor)
    sent = request.POST
    base, text = _lines(sent, "base"), field.typed_in(sent)
    editor = Editor(task, field, base, text, sent.get("next", "")[:2_000])
    if "preview" in sent:
        editor.shows_preview = True
        return _show(request, editor)
    try:
        wanted = _both(field, sent, text) if "choose_both" in sent else text
        if wanted is None:
            raise Clash(field, task, base, text, None, actor=user)
        editor.text = wanted
        changed = change_field(field, actor=user, task=task, base=base, text=wanted, now=now)
    except Clash as clash:
        editor.clash, editor.base = clash, clash.theirs
        return _show(request, editor, status=clash.status)
    except DomainError as error:
        editor.problem = error.in_full
        return _show(request, editor, status=error.status)
    if request.headers.get("X-Requested-With") == FETCHED:
        return HttpResponse(status=204)
    if changed:
        messages.success(request, f"Changed the {field.noun} of {task.ref}.")
    return HttpResponseRedirect(way_back(request) or reverse("task", args=[task.ref]))


def _lines(sent: QueryDict, name: str) -> str:
    return sent.get(name, "").replace("\r\n", "\n").strip()


def _both(field: TaskField, sent: QueryDict, typed: str) -> str | None:
    """What was shown as both, with what was typed since; None if that does not go together."""
    mine, both = _lines(sent, "mine"), _lines(sent, "both")
    return both if "mine" not in sent or typed == mine else field.merge(mine, typed, both)


def _why_not(user: Any, field: TaskField, task: Task) -> str:
    try:
        require(user, field.right, task)
    except NotPermitted as error:
        return error.sentence
    return f"{task.ref} is {task.get_status_display().lower()}; this can no longer be changed."
