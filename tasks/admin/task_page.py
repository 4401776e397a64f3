"""The page of one task: its state around the form, and the buttons that call its verbs."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from tasks import clock
from tasks.actions import assignments, reviews
from tasks.actions.funnel import active_run
from tasks.admin.columns import marks_of, status_badge
from tasks.admin.scope import ScopedAdmin, readable_by
from tasks.admin.task_verbs import PAGE_VERBS, may_adopt, verb_form, verbs_now
from tasks.assignment.decisions import latest_decision
from tasks.errors import DomainError
from tasks.models import Agent, Event, Run, Task
from tasks.permissions import may
from tasks.transitions import TERMINAL

SHOWN_EVENTS = 100


class TaskPage(ScopedAdmin):
    """What stands around the form of a task, and where its buttons lead."""

    def page_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<path:object_id>/verb/<slug:name>/", wrap(self.verb_view), name="tasks_task_verb"),
            path("<path:object_id>/adopt/", wrap(self.adopt_view), name="tasks_task_adopt"),
            path("<path:object_id>/unassign/", wrap(self.unassign_view), name="tasks_task_unassign"),
        ]

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """The task's own timeline knows more than the admin's log."""
        return HttpResponseRedirect(reverse("admin:tasks_task_change", args=[object_id]) + "#timeline")

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if (task := context.get("original")) is not None:
            context |= self._about(request, Task.objects.select_related("project").get(pk=task.pk))
        return super().render_change_form(request, context, *args, **kwargs)

    def _about(self, request: HttpRequest, task: Task) -> dict[str, Any]:
        """What the page shows around the form. ``task`` is as stored: the form's instance holds what was typed."""
        actor: Any = request.user
        now = clock.now()
        run = active_run(task)
        runs = list(Run.objects.filter(task=task).select_related("agent").defer("checkpoint").order_by("-number")[:50])
        assigned = [a for a in task.assignments.select_related("agent", "assigned_by").order_by("id") if a.counts]
        events = list(Event.objects.filter(readable_by(request), task=task).order_by("-id")[: SHOWN_EVENTS + 1])
        return {
            "task": task,
            "badge": status_badge(task),
            "marks": marks_of(task, is_stalled=run is not None and run.stalled_at is not None, now=now),
            "run": run,
            "runs": runs,
            "may_adopt": may_adopt(actor, task),
            "assigned": assigned,
            "may_assign": task.status not in TERMINAL and may(actor, "assign", task),
            "waits_for": Task.objects.filter(dependents__task=task).select_related("project").order_by("pk")[:100],
            "needed_by": Task.objects.filter(dependencies__depends_on=task)
            .select_related("project")
            .order_by("pk")[:100],
            "children": task.children.select_related("project").order_by("pk")[:100],
            "decision": latest_decision(task),
            "may_auto_assign": task.is_ready(now) and not any(a.ended_at is None for a in assigned),
            "verbs": [(verb, verb_form(verb, actor, task)) for verb in verbs_now(actor, task)],
            "events": events[:SHOWN_EVENTS],
            "more_events": len(events) > SHOWN_EVENTS,
            "now": now,
            "here": request.get_full_path() if request.method == "GET" else request.path,
        }

    def _task_for_verb(self, request: HttpRequest, object_id: str) -> Task | None:
        """The task that a button was pressed for; None where the request only looks."""
        task = self.get_object(request, unquote(object_id))
        if task is None:
            raise Http404
        if not self.has_change_permission(request, task):
            raise PermissionDenied
        return task if request.method == "POST" else None

    def _back_to(self, object_id: str) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse("admin:tasks_task_change", args=[quote(unquote(object_id))]))

    def _try(self, request: HttpRequest, do: Any, done: str) -> None:
        try:
            do()
        except DomainError as error:
            self.message_user(request, error.detail, messages.ERROR)
        else:
            self.message_user(request, done, messages.SUCCESS)

    def verb_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        verb = PAGE_VERBS.get(name)
        if verb is None:
            raise Http404
        task = self._task_for_verb(request, object_id)
        if task is None:
            return self._back_to(object_id)
        form: forms.Form = verb_form(verb, request.user, task, request.POST)
        if form.is_valid():
            data = form.cleaned_data
            self._try(request, lambda: verb.run(request.user, task, data), f"{verb.did} {task.ref}.")
        else:
            for field, texts in form.errors.items():
                self.message_user(request, f"{form.fields[field].label}: {texts[0]}", messages.ERROR)
        return self._back_to(object_id)

    def adopt_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The run is named by its number: its id is a secret that no page holds."""
        task = self._task_for_verb(request, object_id)
        if task is not None:
            number = request.POST.get("number", "")
            known = Run.objects.filter(task=task, number=int(number)) if number.isdecimal() else Run.objects.none()
            run = known.first()
            if run is None:
                raise Http404
            done = f"Adopted the late result of run {run.number}."
            self._try(request, lambda: reviews.adopt_late_result(actor=request.user, run=run), done)  # type: ignore[arg-type]
        return self._back_to(object_id)

    def unassign_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        task = self._task_for_verb(request, object_id)
        if task is not None:
            agent = Agent.objects.filter(slug=request.POST.get("agent", ""), assignments__task=task).first()
            if agent is None:
                raise Http404
            self._try(
                request,
                lambda: assignments.unassign_task(actor=request.user, task=task, agents=[agent]),  # type: ignore[arg-type]
                f"Unassigned {agent.slug} from {task.ref}.",
            )
        return self._back_to(object_id)
