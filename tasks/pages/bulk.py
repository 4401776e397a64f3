"""Actions on the tasks that are selected in the list: each verb of the admin's bulk actions, and edits of fields.

A page asks where a verb asks, and before very many tasks; then portions of a few seconds follow each other, each task
in a transaction of its own. The list of ids and the outcome so far travel with the form, so nothing is kept on the
server, and a portion that is sent twice finds its tasks done.
"""

from collections.abc import Sequence
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from taskproject.texts import counted
from tasks import clock
from tasks.conditions import Context
from tasks.conditions.listing import Listing
from tasks.errors import Invalid
from tasks.models import Agent, Membership, Role, Task
from tasks.pages.list_query import list_query_of
from tasks.querysets import sees_all
from tasks.refs import parse_ref
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
from tasks.using.bulk_edit import EDIT, BulkEditForm, changing
from tasks.using.bulk_forms import BulkForm
from tasks.verbs import Verb
from tasks.zones import zone_of

VERBS: Final[dict[str, Verb]] = {EDIT.name: EDIT, **BULK_VERBS}
MOST_AGENTS = 200


def may_bulk(user: Any) -> bool:
    """Whether there is a project in which ``user`` may change tasks."""
    return sees_all(user) or Membership.objects.filter(user=user).exclude(role=Role.VIEWER).exists()


@require_POST
@login_required
def bulk(request: HttpRequest) -> HttpResponse:
    """``verb`` on the tasks of ``refs``, or with ``all`` on those that match ``query``, the list's; or on ``ids``."""
    action = _Action(request)
    verb = VERBS.get(request.POST.get("verb", ""))
    if verb is None:
        return action.refuse("There is no such action.")
    try:
        ids = action.ids()
    except Invalid as error:
        return action.refuse(error.sentence)
    goes_on, outcome = "outcome" in request.POST, Outcome.loads(request.POST.get("outcome", ""))
    if not ids and not goes_on:
        return action.refuse(
            "Select tasks first." if "ids" not in request.POST else "None of these tasks exists any more."
        )
    if len(ids) > MOST_SELECTED:
        return action.refuse(
            f"An action takes {counted(MOST_SELECTED, 'task')} at most; add a filter and take them in parts."
        )
    if "confirmed" not in request.POST:
        reachable = Task.objects.visible_to(request.user).filter(pk__in=ids)
        if verb is not EDIT and (refusal := nothing_to_do(verb, reachable)):
            return action.refuse(refusal)
        if verb is EDIT or verb.asks or verb.agents is not None or len(ids) > MOST_UNASKED:
            return action.ask(verb, ids, action.form(verb, action.agents_for(ids), None))
        return action.run(verb, ids, action.form(verb, action.agents_for(ids), {}), {}, Outcome())
    # What was chosen for the whole selection need not fit what is left of it: each task says so itself.
    form = action.form(verb, action.agents() if goes_on else action.agents_for(ids), request.POST)
    if not form.is_valid():
        if not goes_on:
            return action.ask(verb, ids, form, status=400)
        why = [text for texts in form.errors.values() for text in texts]
        return action.report(verb, {}, outcome, left=len(ids), why=why)
    if "stop" in request.POST or not ids:
        return action.report(verb, form.values(), outcome, left=len(ids))
    return action.run(verb, ids, form, form.values(), outcome)


class _Action:
    """One request: who asks, from which list."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.user: Any = request.user
        self.query = request.POST.get("query", "")[:20_000].lstrip("?")
        self.back = f"{reverse('task_list')}?{self.query}" if self.query else reverse("task_list")

    def refuse(self, sentence: str) -> HttpResponse:
        messages.warning(self.request, sentence)
        return HttpResponseRedirect(self.back)

    def ids(self) -> list[int]:
        """Those of the form that the user sees, in order; at most one more than may be. Raises ``Invalid``."""
        data = self.request.POST
        seen = Task.objects.visible_to(self.user)
        if "ids" in data:
            ids = parse_ids(data["ids"])
            there = set(seen.filter(pk__in=ids).order_by().values_list("pk", flat=True))
            # What has gone since the last portion is told there.
            return ids if "outcome" in data else [pk for pk in ids if pk in there]
        if data.get("all"):
            query = list_query_of(QueryDict(self.query), zone_of(self.request))
            tasks = Listing(query.condition, Context(self.user, query.zone, clock.now())).tasks
        else:
            tasks = self._named(seen, data.getlist("refs"))
        return list(tasks.order_by("pk").values_list("pk", flat=True)[: MOST_SELECTED + 1])

    def _named(self, seen: Any, refs: Sequence[str]) -> QuerySet[Task]:
        numbers: dict[str, list[int]] = {}
        for ref in refs[: MOST_SELECTED + 1]:
            if parsed := parse_ref(ref):
                numbers.setdefault(parsed[0], []).append(parsed[1])
        ids: list[int] = []
        for key, each in numbers.items():
            ids += seen.filter(project__key=key, number__in=each).values_list("pk", flat=True)
        return Task.objects.filter(pk__in=ids)

    def form(self, verb: Verb, agents: QuerySet[Agent], data: Any) -> Any:
        return BulkEditForm(data, auto_id="%s") if verb is EDIT else BulkForm(verb, data, agents=agents)

    def agents(self) -> QuerySet[Agent]:
        agents: QuerySet[Agent] = Agent.objects.visible_to(self.user).order_by("slug")
        return agents

    def agents_for(self, ids: Sequence[int]) -> QuerySet[Agent]:
        """Those that work in a project of these tasks."""
        projects = Task.objects.visible_to(self.user).filter(pk__in=ids).order_by().values("project")
        workers = Membership.objects.filter(project__in=projects).exclude(role=Role.VIEWER)
        return self.agents().filter(enabled=True, user__in=workers.values("user"))

    def _page(self, verb: Verb, ids: Sequence[int], form: Any, *, status: int = 200, **more: Any) -> HttpResponse:
        total = more.get("total", len(ids))
        context = {
            "verb": verb,
            "title": verb.doing.replace("{}", counted(total, "task")),
            "ids": ",".join(map(str, ids)),
            "query": self.query,
            "back": self.back,
            "form": form,
            "total": total,
            **more,
        }
        return render(self.request, "tasks/bulk.html", context, status=status)

    def ask(self, verb: Verb, ids: list[int], form: Any, *, status: int = 200) -> HttpResponse:
        listed = Task.objects.visible_to(self.user).filter(pk__in=ids[:NAMED]).select_related("project").order_by("pk")
        name = verb.agents.name if verb.agents else ""
        agents = list(form.fields[name].queryset[: MOST_AGENTS + 1]) if name else []
        return self._page(
            verb,
            ids,
            form,
            status=status,
            listed=listed,
            more=max(0, len(ids) - NAMED),
            agents=agents[:MOST_AGENTS],
            agents_name=name,
            chosen=set(form.data.getlist(name)) if name and form.is_bound else set(),
        )

    def run(self, verb: Verb, ids: list[int], form: Any, values: dict[str, Any], outcome: Outcome) -> HttpResponse:
        seen = Task.objects.visible_to(self.user)

        def reach(portion: Sequence[int]) -> dict[int, Task]:
            return {task.pk: task for task in seen.filter(pk__in=portion).prefetch_related("project")}

        function = changing if verb is EDIT else None
        left = run_portion(
            verb, actor=self.user, ids=ids, reach=reach, values=values, outcome=outcome, function=function
        )
        if not left and not outcome.needs_page:
            return self.report(verb, values, outcome)
        return self._page(verb, left, form, outcome=outcome, total=outcome.count + len(left))

    def report(
        self, verb: Verb, values: dict[str, Any], outcome: Outcome, *, left: int = 0, why: Sequence[str] = ()
    ) -> HttpResponse:
        """In messages on the list if they can hold everything, else on a page that names every task."""
        agents = values.get(verb.agents.name) if verb.agents else None
        lines = sentences(verb, outcome, agents or (), left=left, why=why)
        if outcome.needs_page:
            context = {"title": f"{verb.label}: what was done", "outcome": outcome, "lines": lines, "back": self.back}
            return render(self.request, "tasks/bulk_result.html", context)
        for level, text in lines:
            messages.add_message(self.request, getattr(messages, level.upper()), text)
        return HttpResponseRedirect(self.back)
