"""The list's actions as pages: ask for a verb's input, run it in portions, report the outcome."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from taskproject.texts import counted
from tasks.admin.auto_assign import preview_of
from tasks.admin.candidates import candidates_for
from tasks.admin.scope import ScopedAdmin, managed_agents, managed_projects
from tasks.models import Task
from tasks.using.bulk import (
    BULK_VERBS,
    MOST_SELECTED,
    MOST_UNASKED,
    NAMED,
    Outcome,
    nothing_to_do,
    parse_ids,
    run_portion,
    sentences,
)
from tasks.using.bulk_forms import BulkForm
from tasks.verbs import On, Verb


def _action(verb: Verb) -> Callable[..., HttpResponse | None]:
    def act(modeladmin: "BulkActions", request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return modeladmin.begin(verb, request, queryset)

    act.__name__ = verb.name
    act.short_description = verb.label + ("…" if verb.asks else "")  # type: ignore[attr-defined]
    return act


class BulkActions(ScopedAdmin):
    """Actions of the task list; each is a verb of ``BULK_VERBS``."""

    actions = [_action(verb) for verb in BULK_VERBS.values()]

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        """Only the bulk verbs: the list does not delete tasks, and a task's page has its own buttons."""
        if getattr(action_location, "name", "CHANGE_LIST") != "CHANGE_LIST":
            return {}
        return {name: action for name, action in super().get_actions(request).items() if name in BULK_VERBS}

    def begin(self, verb: Verb, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Run ``verb`` on the tasks of ``queryset``, or ask first if it needs more than a click."""
        ids = list(queryset.prefetch_related(None).values_list("pk", flat=True)[: MOST_SELECTED + 1])
        if len(ids) > MOST_SELECTED:
            self.message_user(
                request,
                f"More than {MOST_SELECTED:,} tasks are selected; filter the list and process them in parts.",
                messages.WARNING,
            )
            return None
        back = request.get_full_path()
        if verb.asks or len(ids) > MOST_UNASKED:
            return self._ask(request, verb, ids, back=back, form=None)
        return self._run(
            request, BulkForm(verb, agents=managed_agents(request)), ids, values={}, outcome=Outcome(), back=back
        )

    def bulk_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [path("bulk/<slug:name>/", wrap(self.bulk_view), name="tasks_task_bulk")]

    def bulk_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """GET asks about the tasks of ``?ids=``; POST runs a portion and continues, or reports the outcome."""
        verb = BULK_VERBS.get(name)
        if verb is None:
            raise Http404
        if not self.has_change_permission(request):
            raise PermissionDenied
        data = request.POST if request.method == "POST" else request.GET
        ids = parse_ids(data.get("ids", ""))
        back = self._back(request, data.get("next", ""))
        if request.method != "POST":
            return self._ask(request, verb, ids, back=back, form=None)
        outcome = Outcome.loads(data.get("outcome", ""))
        form = BulkForm(verb, data, agents=managed_agents(request))
        if not form.is_valid():
            if "outcome" not in data:
                return self._ask(request, verb, ids, back=back, form=form)
            why = [str(text) for texts in form.errors.values() for text in texts]
            return self._report(request, verb, {}, outcome, back=back, left=len(ids), why=why)
        values = form.values()
        if "stop" in data or ("outcome" in data and not ids):
            return self._report(request, verb, values, outcome, back=back, left=len(ids))
        return self._run(request, form, ids, values=values, outcome=outcome, back=back)

    def _back(self, request: HttpRequest, target: str) -> str:
        if url_has_allowed_host_and_scheme(target, allowed_hosts=None):
            return target
        return reverse("admin:tasks_task_changelist")

    def _reach(self, request: HttpRequest) -> Callable[[Sequence[int]], dict[int, Task]]:
        def reach(ids: Sequence[int]) -> dict[int, Task]:
            # Prefetched, tasks of one project share it.
            tasks = self.get_queryset(request).select_related(None).prefetch_related(None).prefetch_related("project")
            return {task.pk: task for task in tasks.filter(pk__in=ids)}

        return reach

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        base = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}
        return TemplateResponse(request, f"admin/tasks/task/{template}", {**base, **context})

    def _ask(
        self, request: HttpRequest, verb: Verb, ids: list[int], *, back: str, form: BulkForm | None
    ) -> HttpResponse:
        reachable = self.get_queryset(request).filter(pk__in=ids)
        ids_there = set(reachable.order_by().values_list("pk", flat=True))
        ids = [pk for pk in ids if pk in ids_there]
        if not ids:
            self.message_user(request, "None of these tasks exists any more.", messages.WARNING)
            return HttpResponseRedirect(back)
        if refusal := nothing_to_do(verb, reachable.filter(pk__in=ids)):
            self.message_user(request, refusal, messages.WARNING)
            return HttpResponseRedirect(back)
        shown = {task.pk: task for task in reachable.filter(pk__in=ids[:NAMED])}
        context: dict[str, Any] = {
            "title": verb.doing.replace("{}", counted(len(ids), "task")),
            "verb": verb,
            "listed": [shown[pk] for pk in ids[:NAMED]],
            "more": len(ids) - len(shown),
            "ids": ",".join(map(str, ids)),
            "total": len(ids),
            "back": back,
            "form": form or BulkForm(verb, agents=managed_agents(request)),
        }
        if verb.on is On.MANY:
            context["preview"] = preview_of(list(reachable.filter(pk__in=ids)))
        if verb.agents:
            context["candidates"] = candidates_for(ids)
            posted = form.data.getlist(verb.agents.name) if form else []  # type: ignore[attr-defined]
            context["chosen"] = set(parse_ids(",".join(posted)))
            context["projects"] = managed_projects(request).filter(tasks__in=ids[:NAMED]).distinct()
        return self._page(request, "bulk.html", context)

    def _run(
        self,
        request: HttpRequest,
        form: BulkForm,
        ids: list[int],
        *,
        values: dict[str, Any],
        outcome: Outcome,
        back: str,
    ) -> HttpResponse:
        verb = form.verb
        left = run_portion(
            verb, actor=request.user, ids=ids, reach=self._reach(request), values=values, outcome=outcome
        )
        if not left and not outcome.needs_page:
            return self._report(request, verb, values, outcome, back=back)
        context = {
            "title": verb.doing.replace("{}", counted(outcome.count + len(left), "task")),
            "verb": verb,
            "ids": ",".join(map(str, left)),
            "form": form,
            "outcome": outcome,
            "total": outcome.count + len(left),
            "back": back,
        }
        return self._page(request, "bulk_progress.html", context)

    def _report(
        self,
        request: HttpRequest,
        verb: Verb,
        values: dict[str, Any],
        outcome: Outcome,
        *,
        back: str,
        left: int = 0,
        why: Sequence[str] = (),
    ) -> HttpResponse:
        """Report in messages on the list if they can hold everything, else on a page that names every task."""
        agents = values.get(verb.agents.name) if verb.agents else None
        lines = sentences(verb, outcome, agents or (), left=left, why=why)
        if outcome.needs_page:
            context = {
                "title": f"{verb.label}: what was done",
                "verb": verb,
                "outcome": outcome,
            }
            return self._page(request, "bulk_result.html", {**context, "lines": lines, "left": left, "back": back})
        for level, text in lines:
            self.message_user(request, text, getattr(messages, level.upper()))
        return HttpResponseRedirect(back)
