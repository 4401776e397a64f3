"""The page of one task: its state around the form, and the buttons that call its verbs."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from tasks import clock
from tasks.admin.columns import marks_of, status_badge
from tasks.admin.scope import PUBLIC, ScopedAdmin
from tasks.assignment.decisions import latest_decision
from tasks.errors import DomainError
from tasks.models import Agent, Event, Run, Task
from tasks.using.calling import use
from tasks.using.forms import InputForm
from tasks.using.openness import Scene
from tasks.using.posting import posted_verb, press, run_numbered, sentence
from tasks.verbs import Door, On, Verb
from tasks.verbs.catalogue import ADOPT, UNASSIGN, at

SHOWN_EVENTS = 100


class TaskPage(ScopedAdmin):
    """What surrounds the form of a task, and the targets of its buttons."""

    def page_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<path:object_id>/verb/<slug:name>/", wrap(self.verb_view), name="tasks_task_verb"),
            path("<path:object_id>/adopt/", wrap(self.adopt_view), name="tasks_task_adopt"),
            path("<path:object_id>/unassign/", wrap(self.unassign_view), name="tasks_task_unassign"),
        ]

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """The task's own timeline has more than the admin's log."""
        return HttpResponseRedirect(reverse("admin:tasks_task_change", args=[object_id]) + "#timeline")

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if (task := context.get("original")) is not None:
            context |= self._about(request, Task.objects.select_related("project").get(pk=task.pk))
        return super().render_change_form(request, context, *args, **kwargs)

    def _about(self, request: HttpRequest, task: Task) -> dict[str, Any]:
        """What the page shows around the form. ``task`` is as stored: the form's instance contains the input."""
        actor: Any = request.user
        now = clock.now()
        scene = Scene(actor, task, now)
        offered = scene.open_verbs(Door.ADMIN)
        run = scene.held
        runs = list(Run.objects.filter(task=task).select_related("agent").defer("checkpoint").order_by("-number")[:50])
        assigned = [a for a in task.assignments.select_related("agent", "assigned_by").order_by("id") if a.counts]
        events = list(Event.objects.filter(PUBLIC, task=task).order_by("-id")[: SHOWN_EVENTS + 1])
        return {
            "task": task,
            "badge": status_badge(task),
            "marks": marks_of(task, is_stalled=run is not None and run.stalled_at is not None, now=now),
            "run": run,
            "runs": runs,
            "may_adopt": scene.is_open(ADOPT),
            "assigned": assigned,
            "may_unassign": scene.is_open(UNASSIGN),
            "waits_for": Task.objects.filter(dependents__task=task).select_related("project").order_by("pk")[:100],
            "needed_by": Task.objects.filter(dependencies__depends_on=task)
            .select_related("project")
            .order_by("pk")[:100],
            "children": task.children.select_related("project").order_by("pk")[:100],
            "decision": latest_decision(task),
            "chosen_elsewhere": [verb for verb in offered if verb.on is On.MANY or verb.agents],
            "verbs": [
                (verb, InputForm(verb, task, people=scene.people if verb.person else ()))
                for verb in offered
                if verb.on in (On.TASK, On.RUN) and not verb.agents
            ],
            "events": events[:SHOWN_EVENTS],
            "more_events": len(events) > SHOWN_EVENTS,
            "now": now,
            "here": request.get_full_path() if request.method == "GET" else request.path,
        }

    def _task_for_verb(self, request: HttpRequest, object_id: str) -> Task | None:
        """The task whose button was pressed; None for a read-only request."""
        task = self.get_object(request, unquote(object_id))
        if task is None:
            raise Http404
        if not self.has_change_permission(request, task):
            raise PermissionDenied
        return task if request.method == "POST" else None

    def _back_to(self, object_id: str) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse("admin:tasks_task_change", args=[quote(unquote(object_id))]))

    def _try(self, request: HttpRequest, do: Callable[[], str], verb: Verb | None) -> None:
        """Do it and show the resulting sentence, or the one that says why not."""
        try:
            self.message_user(request, do(), messages.SUCCESS)
        except DomainError as error:
            self.message_user(request, sentence(error, verb), messages.ERROR)

    def verb_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """What a button does; for a holder's verb the form names the run."""
        if not any(verb.name == name for verb in at(Door.ADMIN, On.TASK, On.RUN)):
            raise Http404
        task = self._task_for_verb(request, object_id)
        if task is not None:
            verb = posted_verb(Door.ADMIN, name, request.POST)
            self._try(request, lambda: press(verb, actor=request.user, task=task, data=request.POST), verb)  # type: ignore[arg-type]
        return self._back_to(object_id)

    def adopt_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The run is identified by its number: its id is a secret that no page contains."""
        task = self._task_for_verb(request, object_id)
        if task is not None:
            number = request.POST.get("number", "")
            if run_numbered(task, number) is None:
                raise Http404
            data = {"run": number}
            self._try(request, lambda: press(ADOPT, actor=request.user, task=task, data=data), ADOPT)  # type: ignore[arg-type]
        return self._back_to(object_id)

    def unassign_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        task = self._task_for_verb(request, object_id)
        if task is not None:
            slug = request.POST.get("agent", "")
            if not Agent.objects.filter(slug=slug, assignments__task=task).exists():
                raise Http404

            def unassign() -> str:
                use(UNASSIGN, actor=request.user, task=task, values={"agents": [slug]})  # type: ignore[arg-type]
                return f"Unassigned {slug} from {task.ref}."

            self._try(request, unassign, UNASSIGN)
        return self._back_to(object_id)
