"""Runs that need somebody: alive without progress, or with a result that came too late."""

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from messaging.inbox.items import Group, Item, use
from messaging.inbox.people import People
from messaging.inbox.reader import Reader
from messaging.inbox.sources.source import OfTasks
from messaging.inbox.sources.trouble import Trouble
from tasks.models import AgentKind, Role, Run
from tasks.transitions import TRANSITIONS
from tasks.verbs import catalogue

SUMMARY_SHOWN = 600


class Stalled(OfTasks):
    """A run that is alive and gets nowhere: for its holder, and for managers."""

    name, label, icon, group, weight = "stalled", "Stalled", "stalled", Group.TROUBLE, 5
    task, key = "task__", "task_id"
    few = True

    def rows(self, reader: Reader) -> QuerySet:
        stalled = Run.objects.active().filter(reader.where(Role.WORKER, "task__project"), stalled_at__isnull=False)
        own = Q(agent=reader.agent) if reader.agent is not None else Q(pk__in=())
        return stalled.filter(reader.where(Role.MANAGER, "task__project") | own)

    def since(self) -> Any:
        return "stalled_at"

    def mine(self, reader: Reader) -> Q | None:
        lead = reader.leads("task__") & Q(agent__kind=AgentKind.LLM)
        return lead | Q(agent=reader.agent) if reader.agent is not None else lead

    def fill(self, reader: Reader, items: list[Item], people: People) -> None:
        runs = Run.objects.active().filter(task__in=[item.head.key for item in items]).select_related("agent")
        by_task = {run.task_id: run for run in runs}
        for item in items:
            run = by_task.get(item.head.key)
            item.row = run
            own = run is not None and run.agent == reader.agent
            who = run.agent.slug if run else "Its holder"
            at = f"at {run.progress_percent} %" if run else ""
            item.why = f"Your run makes no progress; it is {at}." if own else f"{who} makes no progress {at}."
            item.text = run.progress_note if run else ""
            item.others = people.others(item.project.pk, Role.MANAGER)
            if run is not None and not own:
                item.others.insert(0, run.agent.slug)
            if reader.includes(item.project.pk, Role.MANAGER):
                if not own:
                    item.actions.append(use(catalogue.RELEASE, item.ref))
                item.actions.append(use(catalogue.CANCEL, item.ref))


class LateResult(Trouble):
    """A result that came after its lease was lost, and that staff may adopt."""

    name, label, icon, weight = "late_result", "Late result", "deferred", 3
    task, key = "task__", "task_id"
    few = True

    def rows(self, reader: Reader) -> QuerySet:
        late = Run.objects.filter(late_result_at__isnull=False, adopted_at__isnull=True, late_result__verb="complete")
        later = late.filter(task=OuterRef("task"), number__gt=OuterRef("number"))
        return late.filter(
            reader.where(Role.MANAGER, "task__project"),
            ~Exists(later),
            task__status__in=sorted(TRANSITIONS["adopt"].sources),
        )

    def since(self) -> Any:
        return "late_result_at"

    def fill(self, reader: Reader, items: list[Item], people: People) -> None:
        late = Run.objects.filter(task__in=[item.head.key for item in items], late_result_at__isnull=False)
        late = late.filter(adopted_at__isnull=True, late_result__verb="complete")
        latest = {run.task_id: run for run in late.select_related("agent").order_by("number")}
        for item in items:
            run = latest.get(item.head.key)
            item.row = run
            item.others = people.others(item.project.pk, Role.MANAGER)
            if run is None:
                item.why = "A result came after its lease was lost."
                continue
            item.why = f"{run.agent.slug} sent a result after losing the lease of run {run.number}; it was kept."
            item.text = str((run.late_result or {}).get("summary", ""))[:SUMMARY_SHOWN]
            item.actions = [use(catalogue.ADOPT, item.ref, run.number)]
