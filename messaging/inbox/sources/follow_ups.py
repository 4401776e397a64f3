"""Work that a run found and did not do, and that a manager makes a task or not."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from messaging.inbox import urgency
from messaging.inbox.items import Action, Group, Head, Item
from messaging.inbox.people import People
from messaging.inbox.reader import Reader
from messaging.inbox.sources.source import Source, read_tasks
from tasks.models import FollowUp, Priority, Role
from tasks.verbs import catalogue

WEIGHT = 2


class FollowUps(Source):
    """A proposal whose run's result counts; ``row`` is it."""

    name, label, icon, group = "follow_up", "Follow-up", "plus", Group.REVIEWS
    few = True

    def rows(self, reader: Reader) -> QuerySet:
        return FollowUp.objects.open().filter(reader.where(Role.MANAGER, "task__project"))

    def since(self) -> Any:
        return "created_at"

    def score(self, now: datetime) -> Any:
        return WEIGHT * urgency.by_priority("priority") * urgency.by_age(now)

    def mine(self, reader: Reader) -> Q | None:
        return reader.leads("task__")

    def items(self, reader: Reader, heads: Sequence[Head]) -> list[Item]:
        rows = FollowUp.objects.filter(pk__in=[head.key for head in heads]).select_related("run__agent")
        by_key = {row.pk: row for row in rows}
        tasks = read_tasks([row.task_id for row in by_key.values()])
        people = People(reader, (task.project_id for task in tasks.values()))
        items = []
        for head in heads:
            row = by_key.get(head.key)
            task = tasks.get(row.task_id) if row is not None else None
            if row is None or task is None:
                continue
            priority = Priority(row.priority)
            items.append(
                Item(
                    self,
                    head,
                    name=f"{self.name}-{row.pk}",
                    project=task.project,
                    title=row.title,
                    why=f"{row.run.agent.slug} found more to do in {task.ref} and proposes it as a task.",
                    task=task,
                    because=[f"{priority.label.lower()} priority"] if priority is not Priority.NORMAL else [],
                    others=people.others(task.project_id, Role.MANAGER),
                    actions=[
                        Action(verb.name, verb.label, f"/api/v1/follow_ups/{row.pk}/{do}", verb.key, task.ref)
                        for verb, do in (
                            (catalogue.ACCEPT_FOLLOW_UP, "accept"),
                            (catalogue.DISMISS_FOLLOW_UP, "dismiss"),
                        )
                    ],
                    text=row.description,
                    row=row,
                )
            )
        return items
