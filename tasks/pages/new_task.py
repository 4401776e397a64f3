"""Creating a task: a page, the same form in a dialog on every page, and a line at the foot of columns and lists.

With ``X-Requested-With: fetch`` the answers are the form alone, or, once a task is created, the notice about it (201).
"""

import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods, require_POST

from tasks.dues import is_clock
from tasks.errors import DomainError, Invalid
from tasks.models import Project, Role, Task
from tasks.pages.returning import way_back
from tasks.permissions import has_role
from tasks.titles import Reading
from tasks.using.creating import Draft, create_once, new_task_of, read_for
from tasks.using.task_fields import FIELDS, TaskField

FETCHED = "fetch"
#: Projects to choose from.
MOST_PROJECTS = 200
#: Characters of a title with all that it says beside the title.
LONGEST_TYPED = 1_000
#: What the next form keeps after *Create another*.
KEPT = tuple(name for name in FIELDS if name not in ("title", "description"))


@dataclass
class Input:
    """A field as a form shows it: the text in it, and what is wrong with that."""

    of: TaskField
    text: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def day(self) -> str:
        return "" if is_clock(self.text) else self.text.partition(" ")[0]

    @property
    def clock(self) -> str:
        return self.text if is_clock(self.text) else self.text.partition(" ")[2]


@dataclass
class Form:
    """The form of a new task, and what is wrong with it as a whole."""

    projects: list[Project]
    project: Project | None
    typed: dict[str, str]
    key: str
    next: str = ""
    errors: dict[str, list[str]] = field(default_factory=dict)
    problem: str = ""
    reading: Reading | None = None
    shows_preview: bool = False
    assigns: bool = True

    @property
    def title(self) -> Input:
        return self._input("title")

    @property
    def description(self) -> Input:
        return self._input("description")

    @property
    def inputs(self) -> list[Input]:
        """All fields but the title and the description."""
        return [self._input(name) for name in KEPT if self.assigns or FIELDS[name].right != "assign"]

    @property
    def is_detailed(self) -> bool:
        """Whether a field besides the title has something in it, or something wrong."""
        return any(self.typed.get(name) or name in self.errors for name in FIELDS if name != "title")

    @property
    def project_problems(self) -> list[str]:
        return self.errors.get("project", [])

    @property
    def zone(self) -> str:
        return timezone.get_current_timezone_name()

    def _input(self, name: str) -> Input:
        return Input(FIELDS[name], self.typed.get(name, ""), self.errors.get(name, []))


def _projects(user: Any) -> list[Project]:
    return list(Project.objects.creatable_by(user).order_by("key")[:MOST_PROJECTS])


def _clean(text: str) -> str:
    # PostgreSQL stores no NUL in a text; nobody types it.
    return text.replace("\x00", "")


def _form_of(request: HttpRequest) -> Form:
    """The form as sent, or as its address fills it in. Raises ``PermissionDenied`` for whoever may create nowhere."""
    user: Any = request.user
    sent = request.POST if request.method == "POST" else request.GET
    projects = _projects(user)
    if not projects:
        raise PermissionDenied("You may not create tasks in any project.")
    key = sent.get("project", "").strip().upper()[:12]
    project = next((each for each in projects if each.key == key), None)
    if project is None and key and len(projects) == MOST_PROJECTS:
        project = Project.objects.creatable_by(user).filter(key=_clean(key)).first()
    errors = {}
    if project is None and request.method == "POST":
        errors["project"] = ["Choose a project in which you may create tasks." if key else "Choose a project."]
    if project is None and not key and len(projects) == 1:
        project, errors = projects[0], {}
    return Form(
        projects=projects,
        project=project,
        typed={name: _clean(each.typed_in(sent)) for name, each in FIELDS.items()},
        key=sent.get("key", "") or secrets.token_hex(16),
        next=sent.get("next", "")[:2_000],
        errors=errors,
        assigns=project is None or has_role(user, project, Role.MANAGER),
    )


def _show(request: HttpRequest, form: Form, *, status: int = 200) -> HttpResponse:
    is_fetched = request.headers.get("X-Requested-With") == FETCHED
    template = "tasks/_new_task.html" if is_fetched else "tasks/new_task.html"
    return render(request, template, {"form": form, "longest_title": LONGEST_TYPED}, status=status)


def created(task: Task, reading: Reading) -> SafeString:
    """The notice about a new task, with a link to it and what of its title was not understood."""
    link = format_html('Created <a href="{}">{}</a> {}.', reverse("task", args=[task.ref]), task.ref, task.title)
    return format_html("{} {}", link, " ".join(reading.problems)) if reading.problems else link


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new_task(request: HttpRequest) -> HttpResponse:
    """The form of a new task. A POST creates it and leads back to ``next``, or says why not and keeps the input.

    The button ``check`` shows what the title says and the description as it will look; ``another`` leads to a form that
    keeps the project and the fields.
    """
    form = _form_of(request)
    if request.method != "POST":
        return _show(request, form)
    user: Any = request.user
    now = timezone.localtime()
    draft = Draft(form.typed)
    try:
        if form.project is None:
            raise Invalid(dict(form.errors))
        new = new_task_of(draft, actor=user, project=form.project, now=now)
        if "check" in request.POST:
            form.reading, form.shows_preview = draft.reading, True
            return _show(request, form)
        task = create_once(actor=user, project=form.project, new=new, draft=draft, key=form.key)
    except DomainError as error:
        form.reading, form.shows_preview = draft.reading, "check" in request.POST
        _explain(form, error)
        return _show(request, form, status=error.status)
    return _after(request, form, created(task, draft.reading))


def _explain(form: Form, error: DomainError) -> None:
    """Say at its field, or above all of them, why no task was created."""
    listed = error.data["errors"] if isinstance(error, Invalid) else {}
    form.errors = {name: texts for name, texts in listed.items() if name in FIELDS or name == "project"}
    rest = [text for name, texts in listed.items() if name not in form.errors for text in texts]
    form.problem = " ".join(rest) if listed else error.sentence
    if "key" in listed:
        form.key = secrets.token_hex(16)


def _after(request: HttpRequest, form: Form, notice: SafeString) -> HttpResponse:
    another = "another" in request.POST
    assert form.project is not None
    kept = {name: text for name in KEPT if (text := form.typed.get(name, ""))}
    if request.headers.get("X-Requested-With") == FETCHED:
        fresh = Form(form.projects, form.project, kept, secrets.token_hex(16), form.next, assigns=form.assigns)
        context = {"notice": notice, "form": fresh if another else None, "longest_title": LONGEST_TYPED}
        return render(request, "tasks/_created.html", context, status=201)
    messages.success(request, notice)
    if another:
        due = FIELDS["due_at"]
        day, _, clock = kept.pop("due_at", "").partition(" ")
        values = {**kept, due.name: day, due.clock_name: clock, "project": form.project.key, "next": form.next}
        query = urlencode({name: text for name, text in values.items() if text})
        return HttpResponseRedirect(f"{reverse('new_task')}?{query}")
    return HttpResponseRedirect(way_back(request) or f"{reverse('board')}?project={form.project.key}")


@require_POST
@login_required
def read_new_title(request: HttpRequest) -> HttpResponse:
    """What the posted title says in the posted project, and the posted description as it will look."""
    form = _form_of(request)
    user: Any = request.user
    if form.project is not None:
        form.reading = read_for(user, form.project, form.typed["title"][:LONGEST_TYPED], timezone.localtime())
    form.shows_preview = "preview" in request.POST
    return render(request, "tasks/_reading.html", {"form": form})
